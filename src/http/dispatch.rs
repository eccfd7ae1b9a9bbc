//! The one path that every request takes: request id, validation, route, clock reading, type and
//! announced size of the body, token, body, handler, answer.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::body::{Body, Bytes};
use hyper::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode, Version};
use tokio::sync::watch;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::access_log::{AccessLog, RequestInfo};
use super::authorized::{Access, Authorized};
use super::body_reader::BodyReader;
use super::cors::Cors;
use super::incoming_body::IncomingBody;
use super::reply::ReplyBody;
use super::request_id::{REQUEST_ID, RequestIds};
use super::request_validation::{self, Rejection};
use super::target::{Target, target};
use super::{
    Api, BodySchema, Error, ErrorCode, ErrorRenderer, Handler, LazyBody, Params, QueryString,
    Reply, RequestContext, ResponseBody, Route, Router, UserBearer, client_ip, openapi,
};
use crate::config::{Config, CurrentConfig, Limits, Server};
use crate::metrics::{ConnectionCounts, Limit, Requests, RouteLabel};
use crate::service::{self, Administrator, Bearer, Services};
use crate::world::Clock;

const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const BEARER: HeaderValue = HeaderValue::from_static("Bearer");
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Answers requests. Every call of `handle` returns a response, even if a handler panics.
pub struct Dispatcher {
    router: Router,
    services: Arc<Services>,
    ids: RequestIds,
    access_log: AccessLog,
    bodies: BodyReader,
    openapi: Arc<LazyBody>,
    /// The answers by route, which have the numbers of the router.
    counts: Arc<Requests>,
    access: Access,
    /// Becomes true when streams that run for as long as the client listens must end.
    stopping: watch::Sender<bool>,
}

/// The labels of a route in the metrics.
fn label((api, route): (&'static Api, &'static Route)) -> RouteLabel {
    RouteLabel {
        api: api.name,
        route: route.name,
        method: route.method.as_str(),
    }
}

/// Makes the OpenAPI document of these APIs.
fn openapi_body(apis: &[&'static Api]) -> Box<dyn FnOnce() -> Bytes + Send> {
    let apis = apis.to_vec();
    Box::new(move || openapi::document(&apis).to_string().into())
}

impl Dispatcher {
    /// A dispatcher for these APIs. For an unknown path that is near no API, the API of `/` renders
    /// the error.
    pub fn new(apis: &[&'static Api], services: Arc<Services>) -> Dispatcher {
        let router = Router::new(apis);
        let counts = Arc::new(Requests::new(router.routes().map(label)));
        services.sources.add_requests(&counts);
        Dispatcher {
            router,
            counts,
            ids: RequestIds::of_process(services.world.random_bytes()),
            access_log: AccessLog::default(),
            bodies: BodyReader::new(),
            openapi: Arc::new(LazyBody::new(openapi_body(apis))),
            access: Access::Token,
            stopping: watch::Sender::new(false),
            services,
        }
    }

    /// A dispatcher for the control socket: whoever connects is the administrator.
    pub fn for_control(apis: &[&'static Api], services: Arc<Services>) -> Dispatcher {
        Dispatcher {
            access: Access::Connection,
            ..Dispatcher::new(apis, services)
        }
    }

    /// All routes, each with its API.
    pub fn routes(&self) -> impl Iterator<Item = (&'static Api, &'static Route)> {
        self.router.routes()
    }

    /// The clock that all requests use.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.services.world.clock
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.services.config()
    }

    /// The cell that holds the configuration in force.
    pub fn current_config(&self) -> &Arc<CurrentConfig> {
        self.services.current_config()
    }

    /// Tells the metrics where to find the connections of a server that uses this dispatcher.
    pub fn add_connections(&self, read: impl Fn() -> ConnectionCounts + Send + Sync + 'static) {
        self.services.sources.add_connections(read);
    }

    /// Asks endless streams to end, so that the server can stop.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Answers one request from `peer`, which is a client or a proxy.
    pub async fn handle<B: Body<Data = Bytes> + Unpin>(
        &self,
        request: Request<B>,
        peer: SocketAddr,
    ) -> Response<ResponseBody> {
        let config = self.config();
        let (parts, body) = request.into_parts();
        let info = self.info(&parts, peer, &config.server);
        let mut body = IncomingBody::new(body, &parts.headers);
        let matched = self.router.find(parts.uri.path());
        let render_error = matched.render_error;
        let cors = if matched.is_public() {
            Cors::Anybody
        } else {
            Cors::of(&config.server.allowed_origins)
        };
        let allowed_origin = cors.allows(&parts.headers);

        let validated = request_validation::judge(&parts);
        let malformed = matches!(validated, Err(Rejection::Malformed(_)));
        let mut number = None;
        let outcome = match target(validated, &parts, &matched) {
            Err(error) => Err(error),
            Ok(Target::Options(allow)) => Ok((cors.options(&parts.headers, &allow), None)),
            Ok(Target::Run(found, params)) => {
                let route = found.route;
                number = Some(found.number);
                let request = self.request(&info, parts, route, params);
                let reply = caught(self.run(&config, route, request, &mut body)).await;
                reply.map(|reply| (reply, Some(route)))
            }
        };
        let must_close = malformed || !body.settle().await;

        let mut response = outcome
            .and_then(|(reply, route)| self.good(&info, reply, route))
            .unwrap_or_else(|error| self.bad(&info, &error, render_error));
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
        if let Ok(id) = HeaderValue::from_str(info.id.as_str()) {
            headers.insert(REQUEST_ID, id);
        }
        if must_close {
            headers.insert(CONNECTION, CLOSE);
        }
        cors.mark(allowed_origin, headers);
        let (status, ended) = (response.status(), self.services.world.clock.monotonic());
        let took = ended.saturating_sub(info.started);
        self.counts.count(number, status.as_u16(), took);
        if config.log.requests {
            AccessLog::request(&info, status, ended);
        }
        response
    }

    /// Counts and logs that a head from `peer` could not be parsed and was answered with `status`.
    /// A proxy in front stays unnamed: only the head would say for which client it speaks.
    pub fn log_unparsed(&self, peer: SocketAddr, status: StatusCode) {
        self.counts.count(None, status.as_u16(), Duration::ZERO);
        if self.config().log.requests {
            AccessLog::unparsed(&self.ids.next(), peer.ip().to_canonical(), status);
        }
    }

    fn info(&self, parts: &Parts, peer: SocketAddr, server: &Server) -> RequestInfo {
        let peer = peer.ip().to_canonical();
        let address = client_ip::client(peer, server, &parts.headers);
        let is_proxy = server.is_trusted_proxy(peer);
        let forwarded = parts.headers.contains_key(client_ip::FORWARDED_FOR);
        if server.is_trusted_proxy(address) {
            self.access_log.unnamed_client(peer);
        } else if forwarded && !is_proxy {
            self.access_log.untrusted_proxy(peer);
        }
        RequestInfo {
            id: if is_proxy {
                self.ids.given_or_next(&parts.headers)
            } else {
                self.ids.next()
            },
            address,
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            started: self.services.world.clock.monotonic(),
        }
    }

    fn request(
        &self,
        info: &RequestInfo,
        parts: Parts,
        route: &'static Route,
        params: Params,
    ) -> RequestContext {
        RequestContext {
            services: Arc::clone(&self.services),
            now: self.services.now_at(info.started),
            request_id: info.id.clone(),
            address: info.address,
            query: QueryString::default(),
            openapi: Arc::clone(&self.openapi),
            body: Bytes::new(),
            parts,
            pattern: route.path,
            params,
        }
    }

    /// Runs a route. Checks the head of the body and the token before it asks the client for the
    /// body (`Expect: 100-continue`), and the token again if the body was not there at once.
    async fn run<B: Body<Data = Bytes> + Unpin>(
        &self,
        config: &Config,
        route: &Route,
        mut request: RequestContext,
        body: &mut IncomingBody<B>,
    ) -> Result<Reply, Error> {
        if request.parts.version < Version::HTTP_11 && streams(route) {
            return Err(Error::invalid(
                "This answer needs HTTP/1.1: in older versions a client cannot detect a truncated answer",
            ));
        }
        let limits = &config.limits;
        let accepted = BodyReader::accept(limits, &route.body, request.headers(), body)?;
        let authorized = self.admit(limits, route, &request).await?;
        if let Some(query) = request.parts.uri.query() {
            request.query = QueryString::parse(query, route.query)?;
        }
        if let Some(accepted) = accepted {
            let is_coded = accepted.is_coded();
            let read = self.bodies.read(config, accepted, body, request.address);
            request.body = read.await?;
            // The client decides how long that takes: meanwhile the token may have ended.
            if is_coded || body.has_waited() {
                let again = timeout(
                    limits.request_timeout,
                    authorized.check_again(&self.services),
                );
                again.await.map_or_else(too_late, |again| Ok(again?))?;
            }
        }
        let answer = timeout(limits.request_timeout, authorized.run(request)).await;
        answer.unwrap_or_else(too_late)
    }

    /// Checks the token, if the handler asks for one.
    async fn admit(
        &self,
        limits: &Limits,
        route: &Route,
        request: &RequestContext,
    ) -> Result<Authorized, Error> {
        match route.run {
            Handler::Open(run) => Ok(Authorized::Open(run)),
            Handler::Authenticated(run) | Handler::AuthenticatedOr(_, run) => Ok(
                Authorized::Authenticated(run, self.bearer(limits, route, request).await?),
            ),
            Handler::Admin(run) | Handler::AdminOr(_, run) => {
                let administrator = match self.access {
                    Access::Token => {
                        Administrator::of_token(self.bearer(limits, route, request).await?)?
                    }
                    Access::Connection => Administrator::of_control(request.peer_uid()),
                };
                Ok(Authorized::Admin(run, administrator))
            }
            Handler::User(run) => {
                let bearer = self.bearer(limits, route, request).await?;
                let user = bearer
                    .user
                    .clone()
                    .ok_or_else(|| Error::new(ErrorCode::NotPermitted))?;
                Ok(Authorized::User(run, UserBearer { bearer, user }))
            }
        }
    }

    /// Checks the token of a request; of a machine token also whether its scopes and its networks
    /// let it call the route. If they do not, the audit log says so.
    async fn bearer(
        &self,
        limits: &Limits,
        route: &Route,
        request: &RequestContext,
    ) -> Result<Bearer, Error> {
        let token = request
            .token()?
            .ok_or_else(|| Error::new(ErrorCode::NoToken))?;
        let bearer = self.services.authenticate(
            token.reveal(),
            route.run.scope(),
            request.address,
            request.now,
        );
        let checked = timeout(limits.request_timeout, bearer).await;
        if let Ok(Err(service::Error::NotGranted(refused))) = &checked {
            let (shown, caller) = (token.reveal(), request.caller());
            let noted = self.services.note_refused_token(shown, *refused, &caller);
            noted.await;
        }
        checked.map_or_else(too_late, |bearer| Ok(bearer?))
    }

    /// Builds the response of a successful request, with `Cache-Control: no-store` if it contains a
    /// secret. Fails with `Internal` if the body could not be serialized.
    fn good(
        &self,
        info: &RequestInfo,
        reply: Reply,
        route: Option<&Route>,
    ) -> Result<Response<ResponseBody>, Error> {
        let body = match reply.body {
            ReplyBody::Whole(body) => ResponseBody::whole(body.map_err(Error::internal)?),
            ReplyBody::Stream(_) if info.method == hyper::Method::HEAD => ResponseBody::Unsent,
            ReplyBody::Stream(start) => {
                let (body, sender) =
                    ResponseBody::stream(self.stopping.subscribe(), info.to_string());
                start(sender);
                body
            }
        };
        let mut response = response(reply.status, reply.content_type, body);
        let headers = response.headers_mut();
        let responses = route.map(|route| route.responses).unwrap_or_default();
        let status = reply.status.as_u16();
        if reply.no_store || responses.iter().any(|it| it.secret && it.status == status) {
            headers.insert(CACHE_CONTROL, NO_STORE);
        }
        for (name, value) in reply.headers {
            headers.append(name, value);
        }
        Ok(response)
    }

    /// Builds an error response in the API's own shape. Only this function logs the error's cause.
    fn bad(
        &self,
        info: &RequestInfo,
        error: &Error,
        render_error: ErrorRenderer,
    ) -> Response<ResponseBody> {
        let rendered = render_error(error);
        self.access_log.error(info, rendered.status, error);
        if let Some(limit) = error.limit() {
            self.services.sources.refusals.count(limit);
        }
        let mut response = response(
            rendered.status,
            Some(rendered.content_type),
            ResponseBody::whole(rendered.body),
        );
        let headers = response.headers_mut();
        if rendered.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, BEARER);
        }
        if let Some(seconds) = error.retry_after_seconds() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Some(Ok(allow)) = error.allow().map(HeaderValue::from_str) {
            headers.insert(ALLOW, allow);
        }
        if let Some(Ok(codings)) = error.accept_encoding().map(HeaderValue::from_str) {
            headers.insert(ACCEPT_ENCODING, codings);
        }
        response
    }
}

/// Whether a response of the route may be a stream.
fn streams(route: &Route) -> bool {
    let mut responses = route.responses.iter();
    responses.any(|it| matches!(it.body, BodySchema::Stream(_)))
}

/// The error for a step that exceeded `limits.request_timeout`. A future dropped at that point
/// leaves every change complete or not made.
fn too_late<T>(_: Elapsed) -> Result<T, Error> {
    Err(Error::new(ErrorCode::Busy).refused_by(Limit::RequestTimeout))
}

/// The future's result, or `Internal` if it panics. The panic message goes to standard error, never
/// to clients.
async fn caught<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Err(Error::internal("the handler panicked"))))
    })
    .await
}

fn response(
    status: StatusCode,
    content_type: Option<&'static str>,
    body: ResponseBody,
) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    // hyper adds Content-Length and Date.
    response.headers_mut().reserve(6);
    if let Some(content_type) = content_type {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    response
}
