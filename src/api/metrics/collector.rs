//! Which metrics there are: their names, their labels and their meaning. docs/operations.md, the
//! dashboard and the alerts use these names.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;

use super::families::{Families, Family, Labels, NONE, label};
use crate::api::process::Process;
use crate::metrics::{ConnectionCounts, RouteReading};
use crate::model::Timestamp;
use crate::service::Services;
use crate::store::{Health, StoreSize};

/// One scrape.
pub(super) struct Scrape {
    pub(super) services: Arc<Services>,
    pub(super) process: Process,
    /// None if it could not be read in time.
    pub(super) size: Option<StoreSize>,
    pub(super) now: Timestamp,
}

impl Debug for Scrape {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut to = Families(encoder);
        self.requests(&mut to)?;
        self.connections(&mut to)?;
        self.logins(&mut to)?;
        self.store(&mut to)?;
        self.mails(&mut to)?;
        self.state(&mut to)?;
        self.process(&mut to)
    }
}

impl Scrape {
    fn requests(&self, to: &mut Families<'_>) -> fmt::Result {
        let sources = &self.services.sources;
        let routes = sources.requests();
        let family = Family(
            "doorward_http_requests",
            None,
            "Answers by route and status; the route none stands for unknown paths, wrong methods and malformed requests",
        );
        to.counter(&family, routes.iter().flat_map(by_status))?;
        let family = Family(
            "doorward_http_request_duration",
            Some(Unit::Seconds),
            "Time from the head of a request to the head of its answer",
        );
        let latencies = routes.iter().map(|it| (of_route(it), it.latency.clone()));
        to.histogram(&family, latencies)?;
        let family = Family(
            "doorward_refusals",
            None,
            "Requests that were refused with 429 or 503, by the limit that refused them",
        );
        let refusals = sources.refusals.read();
        let refusals = refusals.map(|(limit, count)| (label("limit", limit.as_str()), count));
        to.counter(&family, refusals)
    }

    fn connections(&self, to: &mut Families<'_>) -> fmt::Result {
        let ConnectionCounts {
            silent,
            idle,
            waiting,
            served,
            accepted,
            refused,
            evicted,
        } = self.services.sources.connections();
        let family = Family(
            "doorward_connections",
            None,
            "Open connections: silent before their first byte, idle between two requests, waiting for their client, served by us",
        );
        let states = [
            ("silent", silent),
            ("idle", idle),
            ("waiting", waiting),
            ("served", served),
        ];
        to.gauge(
            &family,
            states.map(|(name, count)| (label("state", name), count)),
        )?;
        let family = Family(
            "doorward_connections_accepted",
            None,
            "Connections that were accepted",
        );
        to.counter(&family, [(NONE, accepted)])?;
        let family = Family(
            "doorward_connections_refused",
            None,
            "Connections that were closed at once, because their network had too many",
        );
        to.counter(&family, [(NONE, refused)])?;
        let family = Family(
            "doorward_connections_evicted",
            None,
            "Connections that were closed to make room for others",
        );
        to.counter(&family, [(NONE, evicted)])?;
        let family = Family(
            "doorward_streams",
            None,
            "Exports that run, and listeners to live events and to the audit log",
        );
        let streams = self.services.stream_counts();
        to.gauge(
            &family,
            streams.map(|(kind, count)| (label("kind", kind), count as u64)),
        )
    }

    fn logins(&self, to: &mut Families<'_>) -> fmt::Result {
        let family = Family(
            "doorward_logins",
            None,
            "Logins by the kind of token that they bring, and how they ended",
        );
        let logins = self.services.login_counts().map(|(kind, outcome, count)| {
            let mut labels = label("kind", kind.as_str());
            labels.extend(label("outcome", outcome.as_str()));
            (labels, count)
        });
        to.counter(&family, logins)?;
        let family = Family(
            "doorward_token_checks",
            None,
            "Checks of tokens by their outcome: live, expired, unknown or ended, refused for want of a scope or network, failed",
        );
        let checks = self.services.token_check_counts();
        to.counter(
            &family,
            checks.map(|(outcome, count)| (label("outcome", outcome), count)),
        )?;
        let queue = self.services.hash_queue_counts();
        let family = Family(
            "doorward_hash_queue_length",
            None,
            "Passwords that wait for a hashing thread",
        );
        to.gauge(&family, [(NONE, queue.waiting as u64)])?;
        let family = Family(
            "doorward_hash_queue_wait",
            Some(Unit::Seconds),
            "Time that passwords waited for a hashing thread",
        );
        to.histogram(&family, [(NONE, queue.waits)])
    }

    fn mails(&self, to: &mut Families<'_>) -> fmt::Result {
        let family = Family(
            "doorward_mails",
            None,
            "Attempts to send a mail: sent, postponed to another attempt, given up, dropped as of no use or one too many",
        );
        let mails = self.services.mail_counts();
        to.counter(
            &family,
            mails.map(|(outcome, count)| (label("outcome", outcome), count)),
        )
    }

    fn state(&self, to: &mut Families<'_>) -> fmt::Result {
        let services = &self.services;
        let now = health_name(&services.health());
        let family = Family(
            "doorward_store_health",
            None,
            "1 for the state in which the store is: fine, damaged, no_events and full for lack of space, stopped",
        );
        let states = ["fine", "damaged", "no_events", "full", "stopped"];
        to.gauge(
            &family,
            states.map(|state| (label("state", state), u32::from(state == now))),
        )?;
        let family = Family(
            "doorward_damaged_records",
            None,
            "Damaged records that were found since the start, and damaged blocks of events",
        );
        let damaged = [
            ("event_block", services.damaged_blocks() as u64),
            ("other", services.damaged_records() as u64),
        ];
        to.gauge(
            &family,
            damaged.map(|(kind, count)| (label("kind", kind), count)),
        )?;
        let family = Family(
            "doorward_clock_suspect",
            None,
            "1 while the clock of the machine is suspect, so that nothing is removed because of its age",
        );
        to.gauge(&family, [(NONE, u32::from(services.clock_is_suspect()))])
    }

    fn process(&self, to: &mut Families<'_>) -> fmt::Result {
        let family = Family("doorward_build", None, "The version of the program");
        to.info(&family, &label("version", env!("CARGO_PKG_VERSION")))?;
        let Process {
            resident_bytes,
            open_fds,
            processor_time,
            ..
        } = self.process;
        let family = Family(
            "process_resident_memory",
            Some(Unit::Bytes),
            "Resident memory",
        );
        to.gauge(&family, resident_bytes.map(|bytes| (NONE, bytes)))?;
        let family = Family("process_open_fds", None, "Open descriptors");
        to.gauge(&family, open_fds.map(|count| (NONE, count)))?;
        let family = Family(
            "process_cpu",
            Some(Unit::Seconds),
            "Time on the processors, of all threads together",
        );
        let used = processor_time.map(|time| (NONE, time.as_secs_f64()));
        to.counter(&family, used)?;
        let family = Family(
            "process_start_time",
            Some(Unit::Seconds),
            "When the process started, by the present clock, in seconds since 1970",
        );
        let started = self.now.before(self.services.uptime()).millis();
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds fit for 280,000 years"
        )]
        let seconds = started as f64 / 1e3;
        to.gauge(&family, [(NONE, seconds)])
    }
}

fn health_name(health: &Health) -> &'static str {
    match health {
        Health::Fine => "fine",
        Health::Damaged => "damaged",
        Health::NoEvents => "no_events",
        Health::Full => "full",
        Health::Stopped(_) => "stopped",
    }
}

fn of_route(reading: &RouteReading) -> Labels {
    let mut labels = label("api", reading.label.api);
    labels.extend(label("route", reading.label.route));
    labels.extend(label("method", reading.label.method));
    labels
}

fn by_status(reading: &RouteReading) -> impl Iterator<Item = (Labels, u64)> {
    reading.statuses.iter().map(|(status, count)| {
        let mut labels = of_route(reading);
        let status = match status {
            0 => "other".into(),
            status => status.to_string().into(),
        };
        labels.push(("status", status));
        (labels, *count)
    })
}
