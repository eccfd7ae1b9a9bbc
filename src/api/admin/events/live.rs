//! `GET /api/admin/events/live`: streams events as they are stored, as server-sent events (WHATWG
//! HTML, 9.2).

use std::sync::Arc;

use hyper::header::HeaderValue;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::cursor;
use super::row::RowWriter;
use crate::api::admin::query;
use crate::api::event_stream::{self, HEARTBEAT};
use crate::http::{
    BodySender, Error, ErrorCode, Handler, Method, QueryString, Reply, RequestBody, RequestContext,
    RequestQuery, ResponseSpec, Route,
};
use crate::model::{EventRow, Invalid, LiveQuery, Scope};
use crate::service::Administrator;
use crate::store::{self, Delivery, EventListener};

const LAST_EVENT_ID: &str = "Last-Event-ID";

pub(crate) const ROUTE: Route = Route {
    name: "listen_to_events",
    method: Method::Get,
    path: "/events/live",
    query: RequestQuery::Closed(&["name", "user_id"]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::stream(
        200,
        event_stream::CONTENT_TYPES,
        "Events as they are stored, until the client disconnects or the token ends.",
    )],
    errors: &[ErrorCode::Busy],
    run: Handler::AdminOr(Scope::EventsRead, |request, admin| {
        Box::pin(live(request, admin))
    }),
    about: "Streams events as they are stored, as server-sent events.",
};

async fn live(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let query = query_of(&request.query, request.header_once(LAST_EVENT_ID)?)?;
    let services = Arc::clone(&request.services);
    let (listener, permit) = services.listen(query, &admin).await?;
    let stream = move |sender: BodySender| {
        tokio::spawn(async move {
            let heartbeat = interval(services.config().events.heartbeat);
            let ending = tokio::select! {
                biased;
                () = sender.over() => Ok(()),
                () = services.end_of_access(&admin) => Ok(()),
                ending = deliver(listener, heartbeat, &sender) => ending,
            };
            match ending {
                Ok(()) => sender.finish(),
                Err(error) => sender.fail(&error),
            }
            drop(permit);
        });
    };
    Ok(event_stream::reply(stream))
}

/// The events that a request subscribes to. An empty `Last-Event-ID` means that none was received.
fn query_of(
    query: &QueryString,
    last_event_id: Option<&HeaderValue>,
) -> Result<LiveQuery, Invalid> {
    let last_heard = last_event_id.filter(|value| !value.is_empty());
    Ok(LiveQuery {
        name: query.get("name").map(str::to_owned),
        subject: query::user(query, "user_id")?,
        after: last_heard
            .map(|value| cursor::parse(LAST_EVENT_ID, value.as_bytes()))
            .transpose()?,
    })
}

/// Sends deliveries and heartbeats until the client disconnects or the store fails.
async fn deliver(
    mut listener: Box<dyn EventListener>,
    mut heartbeat: Interval,
    sender: &BodySender,
) -> store::Result<()> {
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut writer = RowWriter::default();
    loop {
        let chunk = tokio::select! {
            biased;
            _ = heartbeat.tick() => HEARTBEAT.to_vec(),
            heard = listener.next() => say(&heard?, &mut writer),
        };
        if !chunk.is_empty() && sender.give(chunk).await.is_err() {
            return Ok(());
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
            chunk.extend_from_slice(&event_stream::missed(*count));
        }
    }
    chunk
}
