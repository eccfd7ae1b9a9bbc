//! The parameters of a path: the segments that match `{name}` in a route.

/// Most parameters of a path. The bound allows storing them without an allocation.
const MAX_PARAMS: usize = 4;

/// The byte ranges of the parameters in the path.
#[derive(Debug, Clone, Copy, Default)]
pub struct Params {
    spans: [(usize, usize); MAX_PARAMS],
    count: usize,
}

impl Params {
    /// Adds the parameter at this byte range; `None` if there are already `MAX_PARAMS`.
    pub(super) fn push(&mut self, start: usize, end: usize) -> Option<()> {
        *self.spans.get_mut(self.count)? = (start, end);
        self.count += 1;
        Some(())
    }

    /// The text of the parameter called `name` in the route's `pattern`, taken from the requested
    /// `path`.
    pub fn get<'a>(&self, name: &str, pattern: &str, path: &'a str) -> Option<&'a str> {
        let mut parameters =
            segments(pattern).filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'));
        let index = parameters.position(|parameter| parameter == name)?;
        let (start, end) = self.spans.get(..self.count)?.get(index)?;
        path.get(*start..*end)
    }
}

/// The segments of a path that starts with `/`, without one trailing slash. The root has none; `//`
/// has empty ones, which match no node.
pub(super) fn segments(path: &str) -> impl Iterator<Item = &str> {
    let inner = path.get(1..).unwrap_or_default();
    let trimmed = if inner == "/" {
        inner
    } else {
        inner.strip_suffix('/').unwrap_or(inner)
    };
    trimmed.split('/').skip(usize::from(inner.is_empty()))
}
