//! The id of a request. It appears in the `X-Request-Id` header of the answer, in the log and in
//! the audit log.

use std::sync::Arc;

/// The longest id that is taken over from a proxy, in bytes.
const GIVEN_BYTES: usize = 64;

/// The id of a request: made by this process, or taken over from a trusted proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestId(Source);

#[derive(Clone, PartialEq, Eq)]
enum Source {
    /// 16 hexadecimal digits.
    Made([u8; 16]),
    /// The text of a proxy.
    Given(Arc<str>),
}

impl RequestId {
    /// The id with this number, as 16 hexadecimal digits.
    pub fn of_number(number: u64) -> RequestId {
        let mut rest = number;
        let mut text = [0; 16];
        for digit in &mut text {
            rest = rest.rotate_left(4);
            let value = u8::try_from(rest & 0xf).unwrap_or(0);
            *digit = if value < 10 {
                b'0' + value
            } else {
                b'a' + value - 10
            };
        }
        RequestId(Source::Made(text))
    }

    /// An id that a proxy gave: 1 to 64 letters, digits, and `-`, `_`, `.`, `:`, `=`, `+`, `/`, as
    /// nginx, Caddy, Traefik and tracing standards generate them. None for any other text, because
    /// it could forge a line of a log.
    pub fn given(text: &str) -> Option<RequestId> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:=+/".contains(&byte);
        let fits = (1..=GIVEN_BYTES).contains(&text.len()) && text.bytes().all(is_plain);
        fits.then(|| RequestId(Source::Given(text.into())))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Source::Made(text) => str::from_utf8(text).unwrap_or_default(),
            Source::Given(text) => text,
        }
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_sixteen_digits() {
        assert_eq!(
            RequestId::of_number(0x3f9a_c21b_0000_0001).as_str(),
            "3f9ac21b00000001"
        );
    }

    #[test]
    fn an_id_from_a_proxy_is_short_and_plain() {
        for text in [
            "0af7651916cd43dd8448eb211c80319c",
            "a",
            &"a".repeat(64),
            "1-67891233-abc=",
        ] {
            assert_eq!(RequestId::given(text).unwrap().as_str(), text);
        }
        for text in ["", "a b", "a\n", "\"", "ü", &"a".repeat(65)] {
            assert_eq!(RequestId::given(text), None, "{text:?}");
        }
    }
}
