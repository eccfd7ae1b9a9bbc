//! `GET /api/admin/status`: how the server does. It is answered from what is counted anyway, also
//! while the store accepts no changes.

use std::time::Duration;

use serde::Serialize;

use crate::api::ops::{self, ClockState, Condition};
use crate::api::process::Process;
use crate::http::{
    BodySchema, Error, Field, Handler, JsonKind, Method, OneOf, Reply, RequestBody, RequestContext,
    RequestQuery, ResponseSpec, Route, json_response, words,
};
use crate::metrics::{ConnectionCounts, HistogramReading};
use crate::model::Timestamp;
use crate::service::Services;
use crate::store::StoreSize;

pub(super) const ROUTE: Route = Route {
    name: "show_status",
    method: Method::Get,
    path: "/status",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(STATUS),
        "How the server does.",
    )],
    errors: &[],
    run: Handler::Admin(|request, _| Box::pin(status(request))),
    about: "Says how the server does: its health, store, memory, writer, requests and connections.",
};

const STATUS: &[Field] = &[
    Field::required("version", JsonKind::Text),
    Field::required("started_at", JsonKind::Text),
    Field::required("uptime_seconds", JsonKind::Number),
    Field::object("health", Health::FIELDS),
    Field::object("clock", Clock::FIELDS),
    Field::object("store", Store::FIELDS),
    Field::object("memory", Memory::FIELDS),
    Field::object("writer", Writer::FIELDS),
    Field::object("requests", Requests::FIELDS),
    Field::object("connections", Connections::FIELDS),
    Field::object("outbox", Outbox::FIELDS),
];

#[derive(Serialize)]
struct Status {
    version: &'static str,
    started_at: String,
    uptime_seconds: u64,
    health: Health,
    clock: Clock,
    store: Store,
    memory: Memory,
    writer: Writer,
    requests: Requests,
    connections: Connections,
    outbox: Outbox,
}

words! {
    /// As for `/healthz`, whose errors are a state here.
    enum HealthState { Ok = "ok", Damaged = "damaged", Unavailable = "unavailable" }
}

json_response! {
    /// Whether requests are answered and changes are kept.
    struct Health {
        status: OneOf<HealthState>,
        reason: Option<String>,
        damaged_blocks: usize,
        damaged_records: usize,
    }
}

json_response! {
    /// The clock of the machine.
    struct Clock {
        status: OneOf<ClockState>,
        now: String,
    }
}

json_response! {
    /// What is stored, and what it takes of the disk.
    struct Store {
        disk_bytes: Option<u64>,
        live_bytes: Option<u64>,
        dead_bytes: Option<u64>,
        free_bytes: Option<u64>,
        event_bytes: Option<u64>,
        event_budget_bytes: u64,
        users: Option<u64>,
        tokens: Option<u64>,
    }
}

json_response! {
    /// The memory of the process.
    struct Memory {
        resident_bytes: Option<u64>,
        anonymous_bytes: Option<u64>,
        budget_bytes: u64,
        cached_tokens: usize,
        cached_users: usize,
    }
}

json_response! {
    /// The writer of changes since the start; a group is what one flush puts on the disk.
    struct Writer {
        steps: u64,
        waiting: usize,
        groups: u64,
        flush_mean_micros: u64,
        flush_p99_micros: Option<u64>,
    }
}

json_response! {
    /// Requests since the start, and how long their answers took.
    struct Requests {
        answered: u64,
        client_errors: u64,
        server_errors: u64,
        p50_micros: Option<u64>,
        p99_micros: Option<u64>,
        passwords_waiting: usize,
    }
}

json_response! {
    /// Connections: those that are open, and those since the start.
    struct Connections {
        open: u64,
        idle: u64,
        accepted: u64,
        refused: u64,
        evicted: u64,
    }
}

json_response! {
    /// Mail that waits.
    struct Outbox {
        waiting: Option<u64>,
        oldest_at: Option<String>,
    }
}

async fn status(request: RequestContext) -> Result<Reply, Error> {
    let services = &request.services;
    let size = services.store_size().await;
    let size = size.as_ref();
    let uptime = services.uptime();
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        started_at: request.now.before(uptime).rfc3339_millis(),
        uptime_seconds: uptime.as_secs(),
        health: health(services),
        clock: Clock {
            status: OneOf(ops::clock(services)),
            now: request.now.rfc3339_millis(),
        },
        store: store(services, size),
        memory: memory(services),
        writer: writer(services),
        requests: requests(services),
        connections: connections(services.sources.connections()),
        outbox: Outbox {
            waiting: size.map(|size| size.mails),
            oldest_at: size
                .and_then(|size| size.oldest_mail)
                .map(Timestamp::rfc3339_millis),
        },
    };
    Ok(Reply::json(200, &status).no_store())
}

fn health(services: &Services) -> Health {
    let healthy = ops::healthy(services);
    Health {
        status: OneOf(match healthy.as_ref().map(|it| it.status.0) {
            Ok(Condition::Ok) => HealthState::Ok,
            Ok(Condition::Damaged) => HealthState::Damaged,
            Err(_) => HealthState::Unavailable,
        }),
        reason: healthy.err().map(|error| error.message().to_owned()),
        damaged_blocks: services.damaged_blocks(),
        damaged_records: services.damaged_records(),
    }
}

fn store(services: &Services, size: Option<&StoreSize>) -> Store {
    let counts = services.record_counts();
    let live_bytes = size.and_then(|size| size.live_bytes);
    Store {
        disk_bytes: size.map(|size| size.disk_bytes),
        live_bytes,
        dead_bytes: size
            .zip(live_bytes)
            .map(|(size, live)| size.disk_bytes.saturating_sub(live)),
        free_bytes: size.map(|size| size.free_bytes),
        event_bytes: size.map(|size| size.event_bytes),
        event_budget_bytes: services.config().events.max_bytes,
        users: counts.map(|it| it.users),
        tokens: counts.map(|it| it.tokens),
    }
}

fn memory(services: &Services) -> Memory {
    let process = Process::read();
    let [(_, tokens), (_, users)] = services.cache_stats();
    Memory {
        resident_bytes: process.resident_bytes,
        anonymous_bytes: process.anonymous_bytes,
        budget_bytes: services.config().storage.memory_budget,
        cached_tokens: tokens.entries,
        cached_users: users.entries,
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

fn writer(services: &Services) -> Writer {
    let stats = services.writer_stats();
    Writer {
        steps: stats.steps,
        waiting: stats.waiting,
        groups: stats.groups.count(),
        flush_mean_micros: micros(stats.flushes.mean()),
        flush_p99_micros: stats.flushes.quantile(990).map(micros),
    }
}

fn requests(services: &Services) -> Requests {
    let mut latency = HistogramReading::default();
    let (mut answered, mut client_errors, mut server_errors) = (0, 0, 0);
    for route in services.sources.requests() {
        latency.merge(&route.latency);
        for (status, count) in route.statuses {
            answered += count;
            match status {
                400..500 => client_errors += count,
                500..600 => server_errors += count,
                _ => {}
            }
        }
    }
    Requests {
        answered,
        client_errors,
        server_errors,
        p50_micros: latency.quantile(500).map(micros),
        p99_micros: latency.quantile(990).map(micros),
        passwords_waiting: services.hash_queue_counts().waiting,
    }
}

fn connections(counts: ConnectionCounts) -> Connections {
    Connections {
        open: counts.open(),
        idle: counts.idle,
        accepted: counts.accepted,
        refused: counts.refused,
        evicted: counts.evicted,
    }
}
