//! What the screen shows of two moments.

use std::time::Duration;

use super::metrics::{Label, Metrics};
use crate::cli::operate::output::in_bytes;
use crate::model::Timestamp;

/// How many routes are shown.
const ROUTES: usize = 10;
/// The route that this screen itself asks.
const OWN_ROUTE: &str = "metrics";

const REQUESTS: &str = "doorward_http_requests_total";

/// Two moments, and the time between them.
pub(super) struct Frame<'a> {
    pub(super) before: &'a Metrics,
    pub(super) now: &'a Metrics,
    pub(super) between: Duration,
}

/// Requests of one route.
struct Route<'a> {
    name: &'a str,
    api: &'a str,
    rate: f64,
    all: f64,
}

impl Frame<'_> {
    /// Its lines, of which the first is the heading.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.heading(), String::new()];
        lines.extend(self.traffic());
        lines.extend(self.store());
        lines.push(String::new());
        lines.push(format!("{:>10} {:>12}  ROUTE", "PER SECOND", "IN ALL"));
        lines.extend(self.routes().into_iter().take(ROUTES).map(|it| {
            let Route {
                name,
                api,
                rate,
                all,
            } = it;
            format!("{rate:>10.1} {all:>12.0}  {name} ({api})")
        }));
        lines
    }

    fn heading(&self) -> String {
        let version = self.now.chosen("doorward_build_info", "version");
        let health = self.now.chosen("doorward_store_health", "state");
        let is_suspect = self.now.sum("doorward_clock_suspect", &[]) == Some(1.0);
        let clock = if is_suspect { "suspect" } else { "trusted" };
        let started = self.now.sum("process_start_time_seconds", &[]);
        let started = started.and_then(|it| Duration::try_from_secs_f64(it).ok());
        let since = started.map(|it| Timestamp::from_millis(0).after(it).rfc3339());
        format!(
            "doorward {}, since {}, store {}, clock {clock}",
            version.unwrap_or("?"),
            since.as_deref().unwrap_or("?"),
            health.unwrap_or("?"),
        )
    }

    fn traffic(&self) -> [String; 3] {
        let open = self.number("doorward_connections", &[]);
        let served = self.number("doorward_connections", &[("state", "served")]);
        let requests: f64 = self.routes().iter().map(|route| route.rate).sum();
        let login = |outcome| self.rate("doorward_logins_total", &[("outcome", outcome)]);
        let (right, wrong, waiting) = (
            login("right"),
            login("wrong") + login("refused"),
            self.number("doorward_hash_queue_length", &[]),
        );
        let refused = self.rate("doorward_refusals_total", &[]);
        [
            format!(
                "requests   {requests:.1}/s, {refused:.1}/s refused, connections: {open} open, \
                 {served} served now"
            ),
            format!(
                "logins     {right:.1}/s right, {wrong:.1}/s wrong or refused, {waiting} wait for \
                 a hash"
            ),
            format!(
                "events     {:.1}/s, {} in all, {} kept",
                self.rate("doorward_events_stored_total", &[]),
                self.number("doorward_events_stored_total", &[]),
                self.bytes("doorward_events_size_bytes"),
            ),
        ]
    }

    fn store(&self) -> [String; 4] {
        let groups = "doorward_store_group_duration_seconds_count";
        let flush = self.mean_millis("doorward_store_flush_duration_seconds");
        [
            format!(
                "groups     {:.1}/s of {:.1} changes/s, {} wait, {flush} to force one to the disk",
                self.rate(groups, &[]),
                self.rate("doorward_store_changes_total", &[]),
                self.number("doorward_store_changes_waiting", &[]),
            ),
            format!(
                "memory     {} resident, {:.0} % of a processor, {} descriptors",
                self.bytes("process_resident_memory_bytes"),
                100.0 * self.rate("process_cpu_seconds_total", &[]),
                self.number("process_open_fds", &[]),
            ),
            format!(
                "disk       {} taken, {} free",
                self.bytes("doorward_store_size_bytes"),
                self.bytes("doorward_store_free_bytes"),
            ),
            format!(
                "stored     {} accounts, {} tokens, {} mails wait",
                self.number("doorward_records", &[("kind", "users")]),
                self.number("doorward_records", &[("kind", "tokens")]),
                self.number("doorward_outbox_mails", &[]),
            ),
        ]
    }

    /// The routes that have answered anything, the busiest first.
    fn routes(&self) -> Vec<Route<'_>> {
        let names = self.now.values_of(REQUESTS, "route");
        let names = names.into_iter().filter(|name| *name != OWN_ROUTE);
        let mut routes: Vec<Route> = Vec::new();
        for name in names {
            for api in self.now.values_of(REQUESTS, "api") {
                let labels = [("route", name), ("api", api)];
                routes.extend(self.now.sum(REQUESTS, &labels).map(|all| Route {
                    name,
                    api,
                    rate: self.rate(REQUESTS, &labels),
                    all,
                }));
            }
        }
        let busiest = |it: &Route, other: &Route| {
            let rates = other.rate.total_cmp(&it.rate);
            rates.then(other.all.total_cmp(&it.all))
        };
        routes.sort_by(busiest);
        routes
    }

    /// How much a counter grew each second; 0 for one that began anew.
    fn rate(&self, name: &str, labels: &[Label]) -> f64 {
        let value = |metrics: &Metrics| metrics.sum(name, labels).unwrap_or(0.0);
        let seconds = self.between.as_secs_f64();
        if seconds > 0.0 {
            ((value(self.now) - value(self.before)) / seconds).max(0.0)
        } else {
            0.0
        }
    }

    /// The mean of a histogram since the moment before, or in all if nothing came since.
    fn mean_millis(&self, name: &str) -> String {
        let total = |metrics: &Metrics, part| metrics.sum(&format!("{name}_{part}"), &[]);
        let part = |part| {
            let now = total(self.now, part).unwrap_or(0.0);
            (now - total(self.before, part).unwrap_or(0.0), now)
        };
        let (sum, count) = (part("sum"), part("count"));
        let (sum, count) = if count.0 > 0.0 {
            (sum.0, count.0)
        } else {
            (sum.1, count.1)
        };
        if count > 0.0 {
            format!("{:.1} ms", 1_000.0 * sum / count)
        } else {
            "-".to_owned()
        }
    }

    fn number(&self, name: &str, labels: &[Label]) -> String {
        let value = self.now.sum(name, labels);
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"))
    }

    fn bytes(&self, name: &str) -> String {
        let value = self.now.sum(name, &[]);
        value.map_or_else(|| "-".to_owned(), in_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "doorward_http_requests_total{api=\"core\",route=\"log_in\",status=\"200\"} 10\n\
        doorward_http_requests_total{api=\"ops\",route=\"metrics\",status=\"200\"} 5\n\
        doorward_events_stored_total 100\n\
        doorward_store_flush_duration_seconds_sum 1\n\
        doorward_store_flush_duration_seconds_count 100\n";
    const NOW: &str = "doorward_http_requests_total{api=\"core\",route=\"log_in\",status=\"200\"} 20\n\
        doorward_http_requests_total{api=\"core\",route=\"log_in\",status=\"401\"} 2\n\
        doorward_http_requests_total{api=\"angen\",route=\"report\",status=\"201\"} 40\n\
        doorward_http_requests_total{api=\"ops\",route=\"metrics\",status=\"200\"} 6\n\
        doorward_events_stored_total 40\n\
        doorward_events_size_bytes 2048\n\
        doorward_store_flush_duration_seconds_sum 1.5\n\
        doorward_store_flush_duration_seconds_count 110\n\
        doorward_build_info{version=\"0.1.0\"} 1\n\
        doorward_store_health{state=\"fine\"} 1\n\
        process_start_time_seconds 1795176000\n";

    #[test]
    fn a_frame_shows_what_happened_each_second_and_the_busiest_routes_first() {
        let (before, now) = (Metrics::parse(BEFORE), Metrics::parse(NOW));
        let frame = Frame {
            before: &before,
            now: &now,
            between: Duration::from_secs(2),
        };
        let lines = frame.lines();
        assert_eq!(
            lines[0],
            "doorward 0.1.0, since 2026-11-20T12:00:00Z, store fine, clock trusted"
        );
        let all = lines.join("\n");
        assert!(all.contains("requests   26.0/s, "), "{all}");
        // The counter began anew: the server was started in between.
        assert!(
            all.contains("events     0.0/s, 40 in all, 2.0 KiB kept"),
            "{all}"
        );
        assert!(all.contains("50.0 ms to force one to the disk"), "{all}");
        assert!(all.contains("memory     - resident"), "{all}");
        let routes = &lines[lines.len() - 2..];
        assert_eq!(routes[0], "      20.0           40  report (angen)");
        assert_eq!(routes[1], "       6.0           22  log_in (core)");
    }
}
