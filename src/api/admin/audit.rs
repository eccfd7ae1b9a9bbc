//! The audit log in the admin API: lists, exports and live streams.

use std::sync::Arc;

use serde::Serialize;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::query;
use crate::api::event_stream::{self, HEARTBEAT};
use crate::http::{
    BodySchema, BodySender, Error, ErrorCode, Field, Handler, JsonKind, Method, OneOf, QueryString,
    Reply, RequestBody, RequestContext, RequestQuery, ResponseSpec, Route, json_response,
};
use crate::model::{
    Actor, AuditAction, AuditEntry, AuditOutcome, AuditPage, AuditPlace, AuditQuery, Invalid,
    Order, Timestamp, UserId, limits,
};
use crate::service::{self, Administrator, Services};
use crate::store::{self, AuditListener, Heard};

pub(super) const LIST: Route = Route {
    name: "list_audit",
    method: Method::Get,
    path: "/audit",
    query: RequestQuery::Closed(LISTED),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(PAGE),
        "A page of the audit log.",
    )],
    errors: &[],
    run: Handler::Admin(|request, _| Box::pin(list(request))),
    about: "Lists who did what, the newest first, by actor, account, action, outcome and time.",
};

pub(super) const EXPORT: Route = Route {
    name: "export_audit",
    method: Method::Get,
    path: "/audit/export",
    query: RequestQuery::Closed(FILTERS),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::stream(
        200,
        &[NDJSON],
        "The entries, the oldest first, one JSON object a line.",
    )],
    errors: &[],
    run: Handler::Admin(|request, admin| Box::pin(export(request, admin))),
    about: "Exports the audit log as lines of JSON.",
};

pub(super) const LIVE: Route = Route {
    name: "listen_to_audit",
    method: Method::Get,
    path: "/audit/live",
    query: RequestQuery::Closed(&["actor", "user_id", "action", "outcome"]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::stream(
        200,
        event_stream::CONTENT_TYPES,
        "Entries as they are written, until the client disconnects or the token ends.",
    )],
    errors: &[ErrorCode::Busy],
    run: Handler::Admin(|request, admin| Box::pin(live(request, admin))),
    about: "Streams the audit log as it is written, as server-sent events.",
};

const NDJSON: &str = "application/x-ndjson";

/// The parameters that select entries.
const FILTERS: &[&str] = &[
    "actor", "user_id", "action", "outcome", "request", "from", "to",
];
/// The parameters of the list.
const LISTED: &[&str] = &[
    "actor", "user_id", "action", "outcome", "request", "from", "to", "order", "limit", "cursor",
];

const PAGE: &[Field] = &[
    Field::list("entries", Listed::FIELDS),
    Field::optional("next", JsonKind::Text),
];

/// A page as clients get it.
#[derive(Serialize)]
pub(in crate::api) struct Page<'a> {
    entries: Vec<Listed<'a>>,
    next: Option<String>,
}

json_response! {
    /// An entry as clients get it.
    pub(in crate::api) struct Listed<'a> {
        id: String,
        at: String,
        actor: String,
        action: OneOf<AuditAction>,
        outcome: OneOf<AuditOutcome>,
        user_id: Option<UserId>,
        target: Option<&'a str>,
        address: Option<std::net::IpAddr>,
        user_agent: Option<&'a str>,
        request_id: Option<&'a str>,
        count: u32,
    }
}

impl Page<'_> {
    /// Its fields.
    pub(in crate::api) const FIELDS: &'static [Field] = PAGE;

    /// The page as the administrator gets it.
    pub(in crate::api) fn of(page: &AuditPage) -> Page<'_> {
        Page {
            entries: Listed::all(&page.entries),
            next: page.next.map(place_text),
        }
    }

    /// The page as this user gets it: without the clients of other holders of tokens, such as the
    /// administrator's.
    pub(in crate::api) fn for_user(page: &AuditPage, user: UserId) -> Page<'_> {
        let mut shown = Page::of(page);
        for (listed, (_, entry)) in shown.entries.iter_mut().zip(&page.entries) {
            let is_own = entry.actor == Actor::Anonymous || entry.actor.user() == Some(user);
            if !is_own {
                (listed.address, listed.user_agent) = (None, None);
            }
        }
        shown
    }
}

impl Listed<'_> {
    /// These entries as clients get them.
    pub(super) fn all(entries: &[(AuditPlace, AuditEntry)]) -> Vec<Listed<'_>> {
        let entries = entries.iter();
        entries.map(|(at, it)| listed(*at, it)).collect()
    }
}

fn listed(place: AuditPlace, entry: &AuditEntry) -> Listed<'_> {
    let client = entry.client.as_ref();
    Listed {
        id: place_text(place),
        at: entry.at.rfc3339_millis(),
        actor: entry.actor.to_string(),
        action: OneOf(entry.action),
        outcome: OneOf(entry.outcome),
        user_id: entry.user,
        target: entry.target.as_deref(),
        address: client.map(|client| client.address),
        user_agent: client.map(|client| client.user_agent.as_str()),
        request_id: entry.request.as_deref(),
        count: entry.count,
    }
}

fn place_text(place: AuditPlace) -> String {
    let at = place.at.millis().to_be_bytes();
    query::cursor_text(&[at, place.number.to_be_bytes()].concat())
}

fn place(bytes: &[u8]) -> Option<AuditPlace> {
    let (at, number) = bytes.split_first_chunk::<8>()?;
    Some(AuditPlace {
        at: Timestamp::from_millis(i64::from_be_bytes(*at)),
        number: u64::from_be_bytes(number.try_into().ok()?),
    })
}

/// The place that `cursor` names.
fn cursor(asked: &QueryString) -> Result<Option<AuditPlace>, Invalid> {
    let Some(bytes) = query::cursor(asked)? else {
        return Ok(None);
    };
    place(&bytes).map(Some).ok_or_else(query::bad_cursor)
}

/// The time, the order, the place and the number of entries that a request asks for.
pub(in crate::api) fn range(asked: &QueryString, order: Order) -> Result<AuditQuery, Invalid> {
    let (from, to) = query::range(asked)?;
    Ok(AuditQuery {
        from,
        to,
        order: query::order(asked, order)?,
        after: cursor(asked)?,
        ..AuditQuery::newest(query::limit(asked)?)
    })
}

/// The entries that a request asks for.
fn asked_for(asked: &QueryString, order: Order) -> Result<AuditQuery, Invalid> {
    let named = |name: &'static str, known: Vec<&'static str>| {
        Invalid::new(name, format!("must be one of {}", known.join(", ")))
    };
    let action = |text| {
        let known = || AuditAction::ALL.iter().map(|it| it.as_str()).collect();
        AuditAction::parse(text).ok_or_else(|| named("action", known()))
    };
    let outcome = |text| {
        let known = || AuditOutcome::ALL.iter().map(|it| it.as_str()).collect();
        AuditOutcome::parse(text).ok_or_else(|| named("outcome", known()))
    };
    let actor = |text| {
        let why =
            "must be admin, hub, anonymous, server, machine:NAME, control:UID, or the id of a user";
        Actor::parse(text).ok_or_else(|| Invalid::new("actor", why))
    };
    Ok(AuditQuery {
        user: query::user(asked, "user_id")?,
        actor: asked.get("actor").map(actor).transpose()?,
        action: asked.get("action").map(action).transpose()?,
        outcome: asked.get("outcome").map(outcome).transpose()?,
        request: asked.get("request").map(str::to_owned),
        ..range(asked, order)?
    })
}

async fn list(request: RequestContext) -> Result<Reply, Error> {
    let query = asked_for(&request.query, Order::Descending)?;
    // Whoever looks wants to see what has just failed.
    request.services.write_failures().await;
    let page = request
        .services
        .read_audit(query)
        .await
        .map_err(service::Error::from)?;
    Ok(Reply::json(200, &Page::of(&page)))
}

async fn export(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let query = AuditQuery {
        limit: limits::PAGE_ROWS_MOST,
        ..asked_for(&request.query, Order::Ascending)?
    };
    let services = Arc::clone(&request.services);
    services.write_failures().await;
    let stream = move |sender: BodySender| {
        tokio::spawn(async move {
            let ending = tokio::select! {
                biased;
                // Dropping the sender aborts the connection. A server that stops does not end the
                // export here: an answer that ends normally is complete.
                () = sender.gone() => return,
                () = services.end_of_access(&admin) => return sender.cut("its token has ended"),
                ending = give_all(&services, query, &sender) => ending,
            };
            match ending {
                Ok(()) => sender.finish(),
                Err(error) => sender.fail(&error),
            }
        });
    };
    Ok(Reply::stream(200, NDJSON, stream).no_store())
}

/// Sends all entries of a query, page by page, until the client disconnects.
async fn give_all(
    services: &Services,
    mut query: AuditQuery,
    sender: &BodySender,
) -> store::Result<()> {
    loop {
        let page = services.read_audit(query.clone()).await?;
        let mut lines = Vec::new();
        for (place, entry) in &page.entries {
            write(&listed(*place, entry), &mut lines);
            lines.push(b'\n');
        }
        if !lines.is_empty() && sender.give(lines).await.is_err() {
            return Ok(());
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Appends an entry as JSON.
fn write(entry: &Listed<'_>, to: &mut Vec<u8>) {
    // Text and numbers can always be written to memory.
    if let Err(error) = serde_json::to_writer(&mut *to, entry) {
        log::error!("an entry of the audit log cannot be written as JSON: {error}");
    }
}

async fn live(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let query = asked_for(&request.query, Order::Ascending)?;
    let services = Arc::clone(&request.services);
    let (listener, permit) = services.listen_to_audit(query, &admin).await?;
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

/// Sends entries and heartbeats until the client disconnects or the store fails.
async fn deliver(
    mut listener: Box<dyn AuditListener>,
    mut heartbeat: Interval,
    sender: &BodySender,
) -> store::Result<()> {
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let chunk = tokio::select! {
            biased;
            _ = heartbeat.tick() => HEARTBEAT.to_vec(),
            heard = listener.next() => say(&heard?),
        };
        if sender.give(chunk).await.is_err() {
            return Ok(());
        }
    }
}

/// Encodes a delivery for the event stream.
fn say(heard: &Heard) -> Vec<u8> {
    match heard {
        Heard::Entry(place, entry) => {
            let mut chunk =
                format!("event: entry\nid: {}\ndata: ", place_text(*place)).into_bytes();
            write(&listed(*place, entry), &mut chunk);
            chunk.extend_from_slice(b"\n\n");
            chunk
        }
        Heard::Missed(count) => event_stream::missed(*count),
    }
}
