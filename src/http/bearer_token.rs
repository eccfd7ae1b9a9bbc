//! Finds the token in a request's headers. Each API documents its own header; every API accepts all
//! of them.

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::{Error, ErrorCode};

/// The headers that contain only the token. In `Authorization`, `Bearer` may precede it.
const OWN_HEADERS: [&str; 2] = ["token", "x-token"];

/// A token as the request sent it, not yet checked. `Debug` prints `***`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BearerToken<'a>(&'a str);

impl<'a> BearerToken<'a> {
    /// The text of the token, to look it up in the store.
    pub fn reveal(self) -> &'a str {
        self.0
    }
}

impl std::fmt::Debug for BearerToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The token in these headers, if there is one. An empty header counts as no token; the same token
/// may appear twice. Errors: `Invalid` for two different tokens, `BadToken` for a header that is
/// not ASCII text.
pub(super) fn find(headers: &HeaderMap) -> Result<Option<BearerToken<'_>>, Error> {
    let authorization = headers.get_all(AUTHORIZATION).iter().map(credentials);
    let own = OWN_HEADERS
        .iter()
        .flat_map(|name| headers.get_all(*name))
        .map(token);
    let mut found = None;
    for shown in authorization.chain(own) {
        let Some(shown) = shown? else { continue };
        if found.is_some_and(|earlier| earlier != shown) {
            return Err(Error::invalid("The request has two different tokens"));
        }
        found = Some(shown);
    }
    Ok(found)
}

fn token(value: &HeaderValue) -> Result<Option<BearerToken<'_>>, Error> {
    // The server issues only ASCII tokens.
    let text = value
        .to_str()
        .map_err(|_| Error::new(ErrorCode::BadToken))?
        .trim_ascii();
    Ok(Some(BearerToken(text)).filter(|_| !text.is_empty()))
}

/// Accepts `Bearer X` or `X`. Other schemes are ignored: they may be meant for a proxy in front of
/// the server.
fn credentials(value: &HeaderValue) -> Result<Option<BearerToken<'_>>, Error> {
    let Some(BearerToken(text)) = token(value)? else {
        return Ok(None);
    };
    let (scheme, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    let rest = rest.trim_ascii();
    Ok(
        match (scheme.eq_ignore_ascii_case("bearer"), rest.is_empty()) {
            (true, false) => Some(BearerToken(rest)),
            (false, true) => Some(BearerToken(scheme)),
            (true, true) | (false, false) => None,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &[(&'static str, &'static [u8])]) -> Result<Option<String>, ErrorCode> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        let found = find(&map).map_err(|error| error.code())?;
        Ok(found.map(|token| token.reveal().to_owned()))
    }

    #[test]
    fn a_token_is_found_in_every_header_that_may_hold_it() {
        let one = Ok(Some("abc".to_owned()));
        assert_eq!(found(&[("authorization", b"Bearer abc")]), one);
        assert_eq!(found(&[("authorization", b"bEARER   abc ")]), one);
        assert_eq!(found(&[("authorization", b"abc")]), one);
        assert_eq!(found(&[("token", b"abc")]), one);
        assert_eq!(
            found(&[
                ("x-token", b"abc"),
                ("token", b"abc"),
                ("authorization", b"")
            ]),
            one
        );
        assert_eq!(
            found(&[("authorization", b"Basic Zm9vOmJhcg=="), ("token", b"abc")]),
            one
        );
    }

    #[test]
    fn an_empty_header_is_no_token() {
        assert_eq!(found(&[]), Ok(None));
        assert_eq!(
            found(&[("authorization", b""), ("token", b"  "), ("x-token", b"")]),
            Ok(None)
        );
        assert_eq!(
            found(&[("authorization", b"Bearer"), ("authorization", b"Bearer  ")]),
            Ok(None)
        );
        assert_eq!(found(&[("authorization", b"Basic Zm9vOmJhcg==")]), Ok(None));
    }

    #[test]
    fn two_tokens_are_one_too_many() {
        let two = Err(ErrorCode::Invalid);
        assert_eq!(found(&[("token", b"abc"), ("x-token", b"abd")]), two);
        assert_eq!(
            found(&[("authorization", b"Bearer abc"), ("token", b"Abc")]),
            two
        );
        assert_eq!(found(&[("token", b"abc"), ("token", b"abd")]), two);
        assert_eq!(found(&[("token", b"\xff")]), Err(ErrorCode::BadToken));
    }
}
