//! Decides which scripts of other origins may call the server (CORS protocol of the Fetch
//! standard). Credentials mode is not used: scripts set the token headers themselves.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW,
    HeaderMap, HeaderValue, ORIGIN, VARY,
};

use super::Reply;

/// The headers a script may send. `Cache-Control` and `Last-Event-ID` are what clients of event
/// streams send.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Cache-Control, Content-Encoding, Content-Type, Idempotency-Key, If-Match, \
     Last-Event-ID, Token, X-Token",
);
/// The response headers that a script may read.
const EXPOSED_HEADERS: HeaderValue =
    HeaderValue::from_static("Content-Disposition, ETag, Retry-After, X-Request-Id");
const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");
/// How long a browser may cache a preflight answer, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The origins that `server.allowed_origins` allows.
pub(super) enum Cors<'a> {
    /// No other origin.
    Nobody,
    /// Any origin.
    Anybody,
    /// Only these origins.
    These(&'a [String]),
}

impl<'a> Cors<'a> {
    /// Builds the rule from a list of origins. `*` anywhere in the list allows any origin.
    pub(super) fn of(origins: &'a [String]) -> Cors<'a> {
        match origins {
            [] => Cors::Nobody,
            _ if origins.iter().any(|origin| origin == "*") => Cors::Anybody,
            _ => Cors::These(origins),
        }
    }

    /// The value of `Access-Control-Allow-Origin` for a request with these headers. `None` if its
    /// origin is not allowed. `*` does not depend on the request: a cache may give the answer to
    /// others.
    pub(super) fn allows(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        match self {
            Cors::Nobody => None,
            Cors::Anybody => Some(ANY_ORIGIN),
            Cors::These(origins) => {
                let asked = headers.get(ORIGIN)?;
                let is_it =
                    |origin: &String| asked.as_bytes().eq_ignore_ascii_case(origin.as_bytes());
                origins.iter().any(is_it).then(|| asked.clone())
            }
        }
    }

    /// Adds the CORS headers to an answer. If the rule depends on the origin, every answer gets
    /// `Vary: Origin`, even for an origin that is not allowed: caches must keep the answers apart.
    pub(super) fn mark(&self, allowed: Option<HeaderValue>, answer: &mut HeaderMap) {
        if matches!(self, Cors::These(_)) {
            answer.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = allowed {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        }
    }

    /// The 204 answer to OPTIONS with `Allow`. A preflight request from an allowed origin also gets
    /// the methods and headers that a script may send.
    pub(super) fn options(&self, asked: &HeaderMap, allow: &str) -> Reply {
        let methods = HeaderValue::from_str(allow).unwrap_or(HeaderValue::from_static("OPTIONS"));
        let reply = Reply::empty(204).header(ALLOW, methods.clone());
        if self.allows(asked).is_none() || !asked.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return reply;
        }
        reply
            .header(ACCESS_CONTROL_ALLOW_METHODS, methods)
            .header(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS)
            .header(ACCESS_CONTROL_MAX_AGE, MAX_AGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_origins_are_echoed() {
        let from = |origin: &str| HeaderMap::from_iter([(ORIGIN, origin.parse().unwrap())]);
        let origins = ["https://a.example".to_owned()];
        let these = Cors::of(&origins);
        assert_eq!(
            these.allows(&from("https://a.example")).unwrap(),
            "https://a.example"
        );
        assert_eq!(these.allows(&from("https://a.example.evil")), None);
        assert_eq!(these.allows(&HeaderMap::new()), None);
        assert_eq!(
            Cors::of(&["*".to_owned()]).allows(&from("null")).unwrap(),
            "*"
        );
        assert_eq!(Cors::Anybody.allows(&HeaderMap::new()).unwrap(), "*");
        assert_eq!(Cors::of(&[]).allows(&from("https://a.example")), None);
    }
}
