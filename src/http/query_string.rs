//! Reads the parameters of a request's query string.

use std::borrow::Cow;

/// The parameters of a query string, decoded on each access.
#[derive(Debug, Clone, Copy, Default)]
pub struct QueryString<'a>(&'a str);

impl<'a> QueryString<'a> {
    /// The parameters of `text`, the part of the URI after the `?`.
    pub fn new(text: &'a str) -> QueryString<'a> {
        QueryString(text)
    }

    /// The first value of `name`, decoded; empty if the parameter has no `=`.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        form_urlencoded::parse(self.0.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// The decoded names of the parameters, in order, with repetitions.
    pub fn names(&self) -> impl Iterator<Item = Cow<'a, str>> {
        form_urlencoded::parse(self.0.as_bytes()).map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_the_first_counts() {
        let query = QueryString::new("a=1&b=x+y%26&a=2&c");
        assert_eq!(query.get("a").as_deref(), Some("1"));
        assert_eq!(query.get("b").as_deref(), Some("x y&"));
        assert_eq!(query.get("c").as_deref(), Some(""));
        assert_eq!(query.get("d"), None);
        assert!(query.names().eq(["a", "b", "a", "c"]));
    }
}
