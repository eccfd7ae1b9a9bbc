//! `GET /api/admin/events/live`: streams events as they are stored, as server-sent events (WHATWG
//! HTML, 9.2).

use std::borrow::Cow;
use std::sync::Arc;

use hyper::header::{HeaderName, HeaderValue};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::row::RowWriter;
use super::{cursor, query};
use crate::http::{
    BodySender, Error, ErrorCode, Handler, Method, QueryString, Reply, RequestBody, RequestContext,
    ResponseSpec, Route,
};
use crate::model::{EventRow, Invalid, LiveQuery};
use crate::service::{Bearer, Services};
use crate::store::{self, Delivery, EventListener};

const EVENT_STREAM: &str = "text/event-stream";
/// The content type of a live stream.
const CONTENT_TYPES: &[&str] = &[EVENT_STREAM];

/// Asks nginx, which is often used as a proxy, not to buffer small chunks.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const NO: HeaderValue = HeaderValue::from_static("no");
/// A comment, which clients ignore. It keeps the connection open and shows that it is alive.
const HEARTBEAT: &[u8] = b":\n\n";

pub(super) const ROUTE: Route = Route {
    name: "listen_to_events",
    method: Method::Get,
    path: "/events/live",
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::stream(
        200,
        CONTENT_TYPES,
        "Events as they are stored, until the client disconnects or the token ends.",
    )],
    errors: &[ErrorCode::Busy],
    run: Handler::Admin(|request, bearer| Box::pin(live(request, bearer))),
    about: "Streams events as they are stored, as server-sent events.",
};

async fn live(request: RequestContext, bearer: Bearer) -> Result<Reply, Error> {
    let query = query_of(&request.query(), request.header("last-event-id"))?;
    let listener = request.services.listen(query).await?;
    let services = Arc::clone(&request.services);
    let stream = move |sender| {
        let heartbeat = interval(services.config.events.heartbeat);
        let live = Live {
            services,
            bearer,
            listener,
            heartbeat,
        };
        tokio::spawn(live.run(sender));
    };
    Ok(Reply::stream(200, EVENT_STREAM, stream)
        .no_store()
        .header(BUFFERING, NO))
}

/// The events that a request subscribes to.
fn query_of(query: &QueryString<'_>, last_event_id: Option<&str>) -> Result<LiveQuery, Invalid> {
    let last_heard = last_event_id.filter(|text| !text.is_empty());
    Ok(LiveQuery {
        name: query::given(query, "name").map(Cow::into_owned),
        subject: query::user(query, "user_id")?,
        after: last_heard
            .map(|text| cursor::parse("Last-Event-ID", text))
            .transpose()?,
    })
}

/// One listener's stream.
struct Live {
    services: Arc<Services>,
    bearer: Bearer,
    listener: Box<dyn EventListener>,
    heartbeat: Interval,
}

impl Live {
    async fn run(mut self, sender: BodySender) {
        self.heartbeat
            .set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut writer = RowWriter::default();
        loop {
            let said = tokio::select! {
                biased;
                () = sender.over() => break,
                said = self.next(&mut writer) => said,
            };
            let chunk = match said {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return sender.fail(&error),
            };
            let given = tokio::select! {
                biased;
                () = sender.over() => break,
                given = sender.give(chunk) => given,
            };
            if given.is_err() {
                return;
            }
        }
        sender.finish();
    }

    /// The next chunk to send; none when the token is no longer live.
    async fn next(&mut self, writer: &mut RowWriter) -> Result<Option<Vec<u8>>, store::Error> {
        loop {
            let heard = tokio::select! {
                biased;
                // The first tick comes at once: some proxies hold back the head of an answer until
                // its body begins.
                _ = self.heartbeat.tick() => {
                    let now = self.services.world.clock.now();
                    let good = self.services.is_still_good(&self.bearer, now).await;
                    return Ok(good.then(|| HEARTBEAT.to_vec()));
                }
                heard = self.listener.next() => heard?,
            };
            let chunk = say(&heard, writer);
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }
}

/// Encodes a delivery for the event stream.
fn say(heard: &Delivery, writer: &mut RowWriter) -> Vec<u8> {
    let mut chunk = Vec::new();
    match heard {
        Delivery::Events(events) => {
            for (position, event) in events {
                chunk.extend_from_slice(b"event: event\nid: ");
                chunk.extend_from_slice(&cursor::chars(*position));
                chunk.extend_from_slice(b"\ndata: ");
                writer.json(&EventRow::of(*position, event), &mut chunk);
                chunk.extend_from_slice(b"\n\n");
            }
        }
        Delivery::Missed(count) => {
            let text = format!("event: missed\ndata: {{\"missed\":{count}}}\n\n");
            chunk.extend_from_slice(text.as_bytes());
        }
    }
    chunk
}
