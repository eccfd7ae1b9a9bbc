//! The parameters of a path: the segments that stand for `{name}` in a route.

/// The most parameters a path may have: they are kept without allocating.
const MAX_PARAMS: usize = 4;

/// Where the parameters stand in the path.
#[derive(Debug, Clone, Copy, Default)]
pub struct Params {
    spans: [(usize, usize); MAX_PARAMS],
    count: usize,
}

impl Params {
    /// Adds the one that stands there; none if there are too many.
    pub(super) fn push(&mut self, start: usize, end: usize) -> Option<()> {
        *self.spans.get_mut(self.count)? = (start, end);
        self.count += 1;
        Some(())
    }

    /// The text of the parameter called `name` in the route's `pattern`, out of the `path` that was
    /// asked for.
    pub fn get<'a>(&self, name: &str, pattern: &str, path: &'a str) -> Option<&'a str> {
        let mut parameters =
            segments(pattern).filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'));
        let index = parameters.position(|parameter| parameter == name)?;
        let (start, end) = self.spans.get(..self.count)?.get(index)?;
        path.get(*start..*end)
    }
}

/// The segments of a path that begins with `/`, without the one slash too many at its end. The root
/// has none, and `//` has an empty one, which no node bears.
pub(super) fn segments(path: &str) -> impl Iterator<Item = &str> {
    let inner = path.get(1..).unwrap_or_default();
    let trimmed = if inner == "/" {
        inner
    } else {
        inner.strip_suffix('/').unwrap_or(inner)
    };
    trimmed.split('/').skip(usize::from(inner.is_empty()))
}
