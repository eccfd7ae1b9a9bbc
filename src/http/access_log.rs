//! Writes log lines about server errors, about floods of 429 or 503 answers (limited in rate), and,
//! if `log.requests` is on, about every request. They never contain a query string, a header or a
//! body.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper::{Method, StatusCode, Uri};

use super::Error;
use crate::model::RequestId;

/// Shortest time between two log lines of a flood of requests: the log may be on an SD card.
const FLOOD_INTERVAL: Duration = Duration::from_secs(1);

/// The parts of a request that may appear in the log.
pub(super) struct RequestInfo {
    pub(super) id: RequestId,
    pub(super) address: IpAddr,
    pub(super) method: Method,
    pub(super) uri: Uri,
    /// Arrival, in monotonic time.
    pub(super) started: Duration,
}

impl fmt::Display for RequestInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, path) = (&self.method, self.uri.path());
        write!(
            f,
            "{method} {path} from {} (request {})",
            self.address, self.id
        )
    }
}

/// Remembers which lines were written, to keep the log short.
#[derive(Default)]
pub(super) struct AccessLog {
    untrusted_was_mentioned: AtomicBool,
    unnamed_was_mentioned: AtomicBool,
    /// Limits lines about 429 and about 503 separately: many 429 answers must not hide a 503.
    too_many: Flood,
    unavailable: Flood,
}

impl AccessLog {
    /// Writes the line for an answered request.
    pub(super) fn request(info: &RequestInfo, status: StatusCode, ended: Duration) {
        log::info!("{}", request_line(info, status, ended));
    }

    /// Writes the line for a request whose head could not be parsed, so that hyper has answered it:
    /// its method and path are unknown.
    pub(super) fn unparsed(id: &RequestId, peer: IpAddr, status: StatusCode) {
        log::info!("- - {} 0 ms {peer} {id}", status.as_u16());
    }

    /// Writes a line with the error and its cause, for every 429 and 5xx except 501. Lines about
    /// 429 and 503 are limited by `FLOOD_INTERVAL`.
    pub(super) fn error(&self, info: &RequestInfo, status: StatusCode, error: &Error) {
        let now = info.started;
        let (level, unsaid) = match status {
            StatusCode::TOO_MANY_REQUESTS => (log::Level::Warn, self.too_many.turn(now)),
            StatusCode::SERVICE_UNAVAILABLE => (log::Level::Error, self.unavailable.turn(now)),
            StatusCode::NOT_IMPLEMENTED => return,
            _ if status.is_server_error() => (log::Level::Error, Some(0)),
            _ => return,
        };
        if let Some(unsaid) = unsaid {
            log::log!(level, "{}", failure_line(info, status, error, unsaid));
        }
    }

    /// Warns once per process that a peer that is not a trusted proxy sent `X-Forwarded-For`.
    pub(super) fn untrusted_proxy(&self, peer: IpAddr) {
        if !self.untrusted_was_mentioned.swap(true, Ordering::Relaxed) {
            log::warn!(
                "ignored X-Forwarded-For from {peer}, which is not among server.trusted_proxies; \
                 this is logged only once"
            );
        }
    }

    /// Warns once per process that a trusted proxy did not say for which client it speaks.
    pub(super) fn unnamed_client(&self, proxy: IpAddr) {
        if !self.unnamed_was_mentioned.swap(true, Ordering::Relaxed) {
            log::warn!(
                "the trusted proxy {proxy} sent a request without a client's address in \
                 X-Forwarded-For; such requests have the proxy's address in records and no limits \
                 by address; this is logged only once"
            );
        }
    }
}

fn request_line(info: &RequestInfo, status: StatusCode, ended: Duration) -> String {
    let millis = ended.saturating_sub(info.started).as_millis();
    let (id, address, status) = (&info.id, info.address, status.as_u16());
    let (method, path) = (&info.method, info.uri.path());
    format!("{method} {path} {status} {millis} ms {address} {id}")
}

/// `unsaid`: number of similar lines suppressed before this one.
fn failure_line(info: &RequestInfo, status: StatusCode, error: &Error, unsaid: u64) -> String {
    let more = match unsaid {
        0 => String::new(),
        unsaid => format!("; {unsaid} similar lines were suppressed"),
    };
    let (id, address, status) = (&info.id, info.address, status.as_u16());
    let (method, path, why) = (&info.method, info.uri.path(), error.message());
    let cause = error.cause().map(chain).unwrap_or_default();
    format!("{method} {path} from {address}: {status} {why}{cause} (request {id}{more})")
}

/// An error and all its sources, each after a colon.
fn chain(error: &(dyn std::error::Error + Send + Sync)) -> String {
    let mut text = format!(": {error}");
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Allows one line per `FLOOD_INTERVAL` and counts the others.
#[derive(Default)]
struct Flood {
    /// Earliest time of the next line, in milliseconds of monotonic time.
    next: AtomicU64,
    unsaid: AtomicU64,
}

impl Flood {
    /// If a line may be written now: the number of lines suppressed before it. `None` suppresses
    /// this line.
    fn turn(&self, now: Duration) -> Option<u64> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let next = self.next.load(Ordering::Relaxed);
        let free = millis(now) >= next;
        let then = millis(now + FLOOD_INTERVAL);
        if free
            && self
                .next
                .compare_exchange(next, then, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            return Some(self.unsaid.swap(0, Ordering::Relaxed));
        }
        self.unsaid.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::request_id::RequestIds;
    use super::*;

    /// A request whose query holds a secret.
    fn info() -> RequestInfo {
        RequestInfo {
            id: RequestIds::of_process([0; 4]).next(),
            address: [192, 0, 2, 1].into(),
            method: Method::GET,
            uri: Uri::from_static("/api/token?token=SECRET"),
            started: Duration::from_secs(1),
        }
    }

    #[test]
    fn the_line_of_a_request_names_its_path_without_the_query() {
        let line = request_line(&info(), StatusCode::OK, Duration::from_millis(1_007));
        assert_eq!(line, "GET /api/token 200 7 ms 192.0.2.1 0000000000000000");
    }

    #[test]
    fn the_line_of_a_failure_names_the_path_without_the_query() {
        let error = Error::internal("no space left");
        let line = |unsaid| failure_line(&info(), error.status(), &error, unsaid);
        assert_eq!(
            line(0),
            "GET /api/token from 192.0.2.1: 500 Internal error: no space left \
             (request 0000000000000000)"
        );
        assert!(line(3).ends_with("; 3 similar lines were suppressed)"));
    }

    #[test]
    fn the_name_of_a_visit_has_its_path_without_the_query() {
        assert_eq!(
            info().to_string(),
            "GET /api/token from 192.0.2.1 (request 0000000000000000)"
        );
    }

    #[test]
    fn a_flood_is_one_line_a_second() {
        let flood = Flood::default();
        let turns = [0, 1, 999, 1000, 1001, 2500].map(|at| flood.turn(Duration::from_millis(at)));
        assert_eq!(turns, [Some(0), None, None, Some(2), None, Some(1)]);
    }

    #[test]
    fn an_error_is_logged_with_its_causes() {
        let inner = std::io::Error::other("no space left");
        let outer = std::io::Error::other(inner);
        assert!(chain(&outer).starts_with(": no space left"));
    }
}
