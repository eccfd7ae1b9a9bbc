//! The one path that every request takes: its name, the reading of the clock, manners, route, size and type of the body, token,
//! body, handler, answer.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode, Version};
use tokio::sync::watch;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::body::Pending;
use super::cors::Cors;
use super::guard::{self, Rude};
use super::journal::{Journal, Visit};
use super::reply::Payload;
use super::request_id::RequestIds;
use super::{
    Answering, Api, Call, Code, Dialect, Failure, Handler, Outgoing, Params, Place, Reply, Route,
    Router, Shape, Takes, UserBearer, Verb, address,
};
use crate::config::Config;
use crate::model::Principal;
use crate::service::{Bearer, Services};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const BEARER: HeaderValue = HeaderValue::from_static("Bearer");
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Answers requests, whatever comes: every future of `handle` ends in an answer, also when a handler panics.
pub struct Dispatcher {
    router: Router,
    services: Arc<Services>,
    ids: RequestIds,
    cors: Cors,
    journal: Journal,
    /// Turns true when answers that go on for as long as somebody listens are to end.
    stopping: watch::Sender<bool>,
}

/// What a request is about.
enum Aim {
    /// A route.
    Run(&'static Route, Params),
    /// What a path allows.
    Options(Arc<str>),
}

/// A handler with the credentials it asked for.
enum Admitted {
    Open(fn(Call) -> Answering),
    Holder(fn(Call, Bearer) -> Answering, Bearer),
    User(fn(Call, UserBearer) -> Answering, UserBearer),
}

impl Dispatcher {
    /// A dispatcher over these APIs. An unknown path that is nearest to none is worded by the API of `/`.
    pub fn new(apis: &[&'static Api], services: Arc<Services>) -> Dispatcher {
        Dispatcher {
            router: Router::new(apis),
            ids: RequestIds::of_process(services.world.random_bytes()),
            cors: Cors::of(&services.config.server.allowed_origins),
            journal: Journal::default(),
            stopping: watch::Sender::new(false),
            services,
        }
    }

    /// Every route that is served, with its API.
    pub fn routes(&self) -> impl Iterator<Item = (&'static Api, &'static Route)> {
        self.router.routes()
    }

    /// The configuration it serves under.
    pub fn config(&self) -> &Arc<Config> {
        &self.services.config
    }

    /// Asks answers without an end of their own to end.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Answers one request of the client, or the proxy, at `peer`.
    pub async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Outgoing> {
        let (parts, body) = request.into_parts();
        let visit = self.visit(&parts, peer);
        let allowed_origin = self.cors.allows(&parts.headers);
        let mut body = Pending::new(body, &parts.headers);
        let place = self.router.find(parts.uri.path());
        let dialect = place.dialect;

        let manners = guard::judge(&parts);
        let malformed = matches!(manners, Err(Rude::Malformed(_)));
        let outcome = match aim(manners, &parts, &place) {
            Err(failure) => Err(failure),
            Ok(Aim::Options(allow)) => Ok((self.cors.options(&parts.headers, &allow), None)),
            Ok(Aim::Run(route, params)) => {
                let call = self.call(&visit, parts, route, params);
                let reply = caught(self.run(call, &mut body)).await;
                reply.map(|reply| (reply, Some(route)))
            }
        };
        let must_close = malformed || !body.settle().await;

        let mut response = outcome
            .and_then(|(reply, route)| self.good(&visit, reply, route))
            .unwrap_or_else(|failure| self.bad(&visit, &failure, dialect));
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
        if let Some(id) = visit.id.header() {
            headers.insert(REQUEST_ID, id);
        }
        if must_close {
            headers.insert(CONNECTION, CLOSE);
        }
        self.cors.mark(allowed_origin, headers);
        if self.config().log.requests {
            Journal::request(
                &visit,
                response.status(),
                self.services.world.clock.monotonic(),
            );
        }
        response
    }

    fn visit(&self, parts: &Parts, peer: SocketAddr) -> Visit {
        let peer = peer.ip().to_canonical();
        let trusted = &self.config().server.trusted_proxies;
        let forwarded = parts.headers.contains_key(address::FORWARDED_FOR);
        if forwarded && !address::is_trusted(peer, trusted) {
            self.journal.untrusted_proxy(peer);
        }
        Visit {
            id: self.ids.next(),
            address: address::client(peer, trusted, &parts.headers),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            started: self.services.world.clock.monotonic(),
        }
    }

    fn call(&self, visit: &Visit, parts: Parts, route: &'static Route, params: Params) -> Call {
        Call {
            services: Arc::clone(&self.services),
            now: self.services.world.clock.now(),
            request_id: visit.id,
            address: visit.address,
            body: Bytes::new(),
            parts,
            route,
            params,
        }
    }

    /// From a route to its answer. Type, size and token are judged before the body is asked for.
    async fn run(&self, mut call: Call, body: &mut Pending<Incoming>) -> Result<Reply, Failure> {
        if call.parts.version < Version::HTTP_11 && streams(call.route) {
            return Err(Failure::bad_request(
                "This answer needs HTTP/1.1: before it, half of an answer cannot be told from all of it",
            ));
        }
        let limits = &self.config().limits;
        let (limit, is_json) = match call.route.takes {
            Takes::Nothing => (0, false),
            Takes::Anything => (limits.body, false),
            Takes::Json(_) => (limits.body, true),
            Takes::Events(_) => (limits.event_body, true),
        };
        if is_json && !body.is_empty() {
            if !says_json(&call) {
                return Err(Failure::new(Code::UnsupportedMedia));
            }
            if body.is_announced_above(limit) {
                return Err(Failure::new(Code::TooLarge));
            }
        }
        let admitted = self.admit(&call).await?;
        call.body = match call.route.takes {
            Takes::Nothing => Bytes::new(),
            Takes::Anything => body
                .read(limit, limits.body_timeout)
                .await
                .unwrap_or_default(),
            Takes::Json(_) | Takes::Events(_) => body.read(limit, limits.body_timeout).await?,
        };
        let answer = timeout(limits.request_timeout, admitted.run(call)).await;
        answer.unwrap_or_else(too_late)
    }

    /// Checks the token, if the handler asks for one.
    async fn admit(&self, call: &Call) -> Result<Admitted, Failure> {
        match call.route.run {
            Handler::Open(run) => Ok(Admitted::Open(run)),
            Handler::Holder(run) => Ok(Admitted::Holder(run, self.bearer(call).await?)),
            Handler::Admin(run) => {
                let bearer = self.bearer(call).await?;
                if bearer.token.holder != Principal::Admin {
                    return Err(Failure::new(Code::NotPermitted));
                }
                Ok(Admitted::Holder(run, bearer))
            }
            Handler::User(run) => {
                let bearer = self.bearer(call).await?;
                let user = bearer
                    .user
                    .clone()
                    .ok_or_else(|| Failure::new(Code::NotPermitted))?;
                Ok(Admitted::User(run, UserBearer { bearer, user }))
            }
        }
    }

    async fn bearer(&self, call: &Call) -> Result<Bearer, Failure> {
        let token = call.token()?.ok_or_else(|| Failure::new(Code::NoToken))?;
        let bearer = self.services.authenticate(token.reveal(), call.now);
        let answer = timeout(self.config().limits.request_timeout, bearer).await;
        answer.map_or_else(too_late, |bearer| Ok(bearer?))
    }

    /// A good answer; it is not to be kept if it hands out a secret.
    fn good(
        &self,
        visit: &Visit,
        reply: Reply,
        route: Option<&Route>,
    ) -> Result<Response<Outgoing>, Failure> {
        let body = match reply.body {
            Payload::Whole(body) => Outgoing::whole(body.map_err(Failure::fault)?),
            Payload::Stream(_) if visit.method == Method::HEAD => Outgoing::Unsent,
            Payload::Stream(start) => {
                let (body, feed) = Outgoing::stream(self.stopping.subscribe(), visit.to_string());
                start(feed);
                body
            }
        };
        let mut response = response(reply.status, reply.content_type, body);
        let headers = response.headers_mut();
        let gives = route.map(|route| route.gives).unwrap_or_default();
        let status = reply.status.as_u16();
        if reply.no_store || gives.iter().any(|it| it.secret && it.status == status) {
            headers.insert(CACHE_CONTROL, NO_STORE);
        }
        for (name, value) in reply.headers {
            headers.append(name, value);
        }
        Ok(response)
    }

    /// A failure in the words of the API it concerns; what is behind it goes to the log, here and nowhere else.
    fn bad(&self, visit: &Visit, failure: &Failure, dialect: Dialect) -> Response<Outgoing> {
        let worded = dialect(failure);
        self.journal.failure(visit, worded.status, failure);
        let mut response = response(
            worded.status,
            Some(worded.content_type),
            Outgoing::whole(worded.body),
        );
        let headers = response.headers_mut();
        if worded.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, BEARER);
        }
        if let Some(seconds) = failure.retry_after_seconds() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Some(Ok(allow)) = failure.allow().map(HeaderValue::from_str) {
            headers.insert(ALLOW, allow);
        }
        response
    }
}

impl Admitted {
    fn run(self, call: Call) -> Answering {
        match self {
            Admitted::Open(run) => run(call),
            Admitted::Holder(run, bearer) => run(call, bearer),
            Admitted::User(run, bearer) => run(call, bearer),
        }
    }
}

/// What the request is about, or why it is about nothing.
fn aim(manners: Result<(), Rude>, parts: &Parts, place: &Place<'_>) -> Result<Aim, Failure> {
    let resource = place.resource.as_ref();
    match manners {
        Err(Rude::Malformed(why)) => return Err(Failure::bad_request(why)),
        Err(Rude::UnknownMethod) => {
            let allow = resource.map(|(resource, _)| Arc::clone(resource.allow()));
            return Err(Failure::wrong_method(
                allow.unwrap_or(guard::EVERY_METHOD.into()),
            ));
        }
        Ok(()) => {}
    }
    let Some((resource, params)) = resource else {
        return Err(Failure::new(Code::UnknownPath));
    };
    if parts.method == Method::OPTIONS {
        return Ok(Aim::Options(Arc::clone(resource.allow())));
    }
    let route = Verb::of(&parts.method).and_then(|verb| resource.route(verb));
    let route = route.ok_or_else(|| Failure::wrong_method(Arc::clone(resource.allow())))?;
    Ok(Aim::Run(route, *params))
}

/// Whether an answer of the route may be made while it is sent.
fn streams(route: &Route) -> bool {
    let mut gives = route.gives.iter();
    gives.any(|it| matches!(it.body, Shape::Stream(_)))
}

/// What took longer than a request may. Dropping it there leaves every change whole or undone.
fn too_late<T>(_: Elapsed) -> Result<T, Failure> {
    Err(Failure::new(Code::Busy))
}

/// Whether the body is JSON by its own account; one that does not say is taken at its word later.
fn says_json(call: &Call) -> bool {
    let Some(value) = call.headers().get(CONTENT_TYPE) else {
        return true;
    };
    let essence = value
        .as_bytes()
        .split(|&byte| byte == b';')
        .next()
        .unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    let Some(subtype) = essence.strip_prefix(b"application/") else {
        return essence.is_empty();
    };
    subtype == b"json" || subtype.ends_with(b"+json")
}

/// The future's own outcome, or, if it panics, our fault. The panic's text is for standard error, not for clients.
async fn caught<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Err(Failure::fault("the handler panicked"))))
    })
    .await
}

fn response(
    status: StatusCode,
    content_type: Option<&'static str>,
    body: Outgoing,
) -> Response<Outgoing> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    // Content-Length and Date are hyper's.
    response.headers_mut().reserve(6);
    if let Some(content_type) = content_type {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    response
}
