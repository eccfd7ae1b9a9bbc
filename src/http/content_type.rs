//! What `Content-Type` says of a body.

use hyper::header::{CONTENT_TYPE, HeaderMap};

/// Whether `Content-Type` says that the body is a form.
pub(super) fn says_form(headers: &HeaderMap) -> bool {
    essence(headers) == Some(b"application/x-www-form-urlencoded".to_vec())
}

/// Whether `Content-Type` says JSON (`application/json` or `application/*+json`). A missing or
/// empty header passes too: the parser rejects a body that is not JSON.
pub(super) fn says_json(headers: &HeaderMap) -> bool {
    let Some(essence) = essence(headers) else {
        return true;
    };
    let Some(subtype) = essence.strip_prefix(b"application/") else {
        return essence.is_empty();
    };
    subtype == b"json" || subtype.ends_with(b"+json")
}

/// The `Content-Type` without its parameters, in lower case.
fn essence(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(CONTENT_TYPE)?.as_bytes();
    let essence = value.split(|&byte| byte == b';').next();
    Some(
        essence
            .unwrap_or_default()
            .trim_ascii()
            .to_ascii_lowercase(),
    )
}
