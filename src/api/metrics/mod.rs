//! `GET /metrics`: the counters of the process in the text formats of Prometheus and `OpenMetrics`.
//! The main listener asks for a token, the listener of `metrics.listen` does not.

mod collector;
mod families;
mod store;

use hyper::header::ACCEPT;
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

use self::collector::Scrape;
use super::ops;
use super::process::Process;
use crate::http::{
    Api, BodySchema, Error, Handler, Method, Reply, RequestBody, RequestContext, RequestQuery,
    ResponseSpec, Route,
};
use crate::model::Scope;

/// The table of the main listener.
pub static API: Api = Api {
    routes: &[ROUTE],
    ..ops::API
};

/// The table of the listener that serves nothing else, to whoever reaches it.
pub static LISTENER: Api = Api {
    routes: &[Route {
        run: Handler::Open(|request| Box::pin(scrape(request))),
        ..ROUTE
    }],
    ..ops::API
};

const ROUTE: Route = Route {
    name: "metrics",
    method: Method::Get,
    path: "/metrics",
    query: RequestQuery::NONE,
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::File(&[PLAIN, OPEN_METRICS]),
        "All metrics; in the format of OpenMetrics if `Accept` names it.",
    )],
    errors: &[],
    run: Handler::AdminOr(Scope::MetricsRead, |request, _| Box::pin(scrape(request))),
    about: "Says what the server has counted, for Prometheus.",
};

const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

async fn scrape(request: RequestContext) -> Result<Reply, Error> {
    let accepted = request.headers().get_all(ACCEPT).iter();
    let mut accepted = accepted.filter_map(|it| it.to_str().ok());
    let is_open = accepted.any(|it| it.contains("application/openmetrics-text"));
    let size = request.services.store_size().await;
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape {
        process: Process::read(),
        size,
        now: request.now,
        services: request.services,
    }));
    let mut body = String::new();
    let (content_type, written) = if is_open {
        (OPEN_METRICS, text::encode(&mut body, &registry))
    } else {
        (PLAIN, prometheus_text::encode(&mut body, &registry))
    };
    written.map_err(Error::internal)?;
    Ok(Reply::bytes(200, content_type, body).no_store())
}
