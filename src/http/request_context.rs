//! A request as a handler sees it: its head, its whole body, the client's address, and the services
//! that the handler may call.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderValue, USER_AGENT};
use hyper::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::json_body::read_object;
use super::path_params::Params;
use super::{
    BearerToken, Error, ErrorCode, QueryString, RequestQuery, bearer_token, content_type,
    json_repair,
};
use crate::model::{AuditContext, Caller, Client, Invalid, RequestId, Timestamp};
use crate::service::{Administrator, Services};

/// A body that is made when a request first asks for it, and then kept.
pub type LazyBody = LazyLock<Bytes, Box<dyn FnOnce() -> Bytes + Send>>;

/// The system's user who opened a unix socket (`SO_PEERCRED`, unix(7)), as an extension of the
/// request.
#[derive(Debug, Clone, Copy)]
pub struct PeerUid(pub u32);

/// One request.
pub struct RequestContext {
    /// The operations of the service layer.
    pub services: Arc<Services>,
    /// The time of the request. Handlers must not read the clock again.
    pub now: Timestamp,
    /// The request's id.
    pub request_id: RequestId,
    /// The client's address; behind trusted proxies, the one they report.
    pub address: IpAddr,
    /// The query parameters that the route knows.
    pub query: QueryString,
    /// The OpenAPI document of all APIs that are served with the route.
    pub openapi: Arc<LazyBody>,
    /// The request body; empty if the route accepts none.
    pub body: Bytes,
    pub(super) parts: Parts,
    /// The path pattern of the route; `{name}` marks a parameter.
    pub(super) pattern: &'static str,
    pub(super) params: Params,
}

impl RequestContext {
    /// Parses the body, which must be a JSON object. Errors (400) name the wrong field. Duplicate
    /// keys and deep nesting are rejected at any level; unknown keys are ignored.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        read_object(&self.body)
    }

    /// As `json`; without a body, what asks for nothing in particular.
    pub fn optional_json<'a, T: Deserialize<'a> + Default>(&'a self) -> Result<T, Error> {
        if self.body.is_empty() {
            return Ok(T::default());
        }
        self.json()
    }

    /// As `json`, for a route whose published example has a comma before the last brace.
    pub fn json_with_last_comma<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let repaired = json_repair::without_last_comma(&self.body);
        read_object(repaired.as_deref().unwrap_or(&self.body))
    }

    /// Whether the body is a form, where a route accepts one.
    pub fn is_form(&self) -> bool {
        content_type::says_form(&self.parts.headers)
    }

    /// Parses the body, which must be a form, as strictly as a query string; unknown fields are
    /// ignored.
    pub fn form(&self, names: &'static [&'static str]) -> Result<QueryString, Error> {
        let text =
            str::from_utf8(&self.body).map_err(|_| Error::invalid("The body is not UTF-8"))?;
        Ok(QueryString::parse(text, RequestQuery::Open(names))?)
    }

    /// The id in the path, as `parse` reads it. Error: `UnknownId` if it cannot be one.
    pub fn id<T>(&self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Error> {
        parse(self.param("id")).ok_or_else(|| Error::new(ErrorCode::UnknownId))
    }

    /// Who makes the change that the administrator asks for by this request.
    pub fn by(&self, admin: &Administrator) -> AuditContext {
        self.caller().acting(admin.actor())
    }

    /// The part of the path that matches `{name}` in the route; empty if the route has no such
    /// parameter.
    pub fn param(&self, name: &str) -> &str {
        self.params
            .get(name, self.pattern, self.parts.uri.path())
            .unwrap_or_default()
    }

    /// The header called `name`, which may come once. Two of them are an error (400): to take one
    /// would ignore what the other says.
    pub fn header_once(&self, name: &'static str) -> Result<Option<&HeaderValue>, Invalid> {
        let mut values = self.parts.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(Invalid::new(name, "is there twice")),
        }
    }

    /// The version of a resource that `If-Match` names (RFC 9110, 13.1.1): the tag that
    /// [`super::Reply::version`] sent. None without the header, and for `*`.
    pub fn if_match(&self) -> Result<Option<u64>, Invalid> {
        let Some(value) = self.header_once("if-match")? else {
            return Ok(None);
        };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(None);
        }
        let quoted = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        let version = quoted.map(|text| u64::from_str_radix(text, 16));
        match version {
            Some(Ok(version)) => Ok(Some(version)),
            // A tag of somebody else is of no version.
            Some(Err(_)) => Ok(Some(0)),
            None => Err(Invalid::new("If-Match", "must be one ETag in quotes, or *")),
        }
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The method as received; a HEAD is handled like a GET.
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The path as received, not decoded.
    pub fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// The `User-Agent` header; bytes that are not UTF-8 become replacement characters.
    pub fn user_agent(&self) -> Option<Cow<'_, str>> {
        let value = self.parts.headers.get(USER_AGENT)?;
        Some(String::from_utf8_lossy(value.as_bytes()))
    }

    /// The client's address and user agent, as stored with a token.
    pub fn client(&self) -> Client {
        Client::new(self.address, self.user_agent().as_deref())
    }

    /// From where, in which request and when this is asked for, for the service and its audit log.
    pub fn caller(&self) -> Caller {
        Caller {
            client: self.client(),
            request: self.request_id.clone(),
            at: self.now,
        }
    }

    /// The system's user who opened the unix socket; without one, nobody (65534).
    pub(super) fn peer_uid(&self) -> u32 {
        const NOBODY: u32 = 65_534;
        let uid = self.parts.extensions.get::<PeerUid>();
        uid.map_or(NOBODY, |uid| uid.0)
    }

    /// The token, from any header that may hold it. Errors: `Invalid` for two different tokens,
    /// `BadToken` for one that is not ASCII. Only `Open` handlers need this: the others receive the
    /// checked token as an argument.
    pub fn token(&self) -> Result<Option<BearerToken<'_>>, Error> {
        bearer_token::find(&self.parts.headers)
    }
}
