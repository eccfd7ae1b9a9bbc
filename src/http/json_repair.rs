//! Repairs two spellings that published examples of the APIs contain and that are not JSON. Each is
//! for the routes whose documents print it, and for no other.

use super::json::skip_string;

/// Repairs a spelling that published examples contain: Elixir's `%{` for `{`, where a value may
/// begin. `None` if there is nothing to repair.
pub fn without_percent(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut repaired = Vec::new();
    let (mut copied, mut at) = (0, 0);
    // The last byte that is not white space. A value may begin after one of these, or at the start.
    let mut before = b',';
    while let Some(&byte) = bytes.get(at) {
        match byte {
            // Text with half of a surrogate pair is rejected later, whatever is repaired in it.
            b'"' => at = skip_string(bytes, at + 1).0,
            b'%' if b"[:,".contains(&before) && bytes.get(at + 1) == Some(&b'{') => {
                repaired.extend_from_slice(bytes.get(copied..at).unwrap_or_default());
                copied = at + 1;
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
        at += 1;
    }
    if copied == 0 {
        return None;
    }
    repaired.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    Some(repaired)
}

/// Repairs another spelling of published examples: one comma before the last brace, after a value.
/// `None` if there is none.
pub fn without_last_comma(bytes: &[u8]) -> Option<Vec<u8>> {
    let inside = bytes.trim_ascii_end().strip_suffix(b"}")?;
    let fields = inside.trim_ascii_end().strip_suffix(b",")?;
    Some([fields, b"}"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_known_spellings_are_repaired() {
        let text = |it: Vec<u8>| String::from_utf8(it).unwrap();
        let repaired = |body: &str| without_percent(body.as_bytes()).map(text);
        for (body, expected) in [
            (r#"[%{"a":%{}}, %{"b":"%{"}]"#, r#"[{"a":{}}, {"b":"%{"}]"#),
            (r#"%{"a":1}"#, r#"{"a":1}"#),
            (r#"{"a": %{}, "b":[1,]}"#, r#"{"a": {}, "b":[1,]}"#),
        ] {
            assert_eq!(repaired(body).as_deref(), Some(expected));
        }
        for body in [
            r#"{"a":",%{"}"#,
            "[% {]",
            "[%%{]",
            "[{%{}}]",
            "[1%{}]",
            "[1,]",
            "{,}",
            "%",
            "",
        ] {
            assert_eq!(repaired(body), None, "{body}");
        }
        let repaired = |body: &str| without_last_comma(body.as_bytes()).map(text);
        assert_eq!(
            repaired("{\"a\":\"1\",\n} ").as_deref(),
            Some(r#"{"a":"1"}"#)
        );
        for body in [r#"{"a":[1,]}"#, "[1,]", r#"{"a":1}"#, "}", ""] {
            assert_eq!(repaired(body), None, "{body}");
        }
    }
}
