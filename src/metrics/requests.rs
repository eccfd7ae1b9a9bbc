//! Counts requests by route and status, with their durations. The counters exist from the start,
//! one row for each route of the tables: no client can add a label.

use std::time::Duration;

use super::{Counter, Histogram, HistogramReading};

/// The statuses that are counted each by itself. Others share one counter.
pub const STATUSES: [u16; 21] = [
    200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 422, 429, 431, 500,
    501, 503,
];

/// The labels of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteLabel {
    /// The API whose table has the route.
    pub api: &'static str,
    /// The name of the route.
    pub route: &'static str,
    /// Its method.
    pub method: &'static str,
}

impl RouteLabel {
    /// The label of requests that no route answers: wrong paths and methods, malformed requests,
    /// and OPTIONS.
    pub const NONE: RouteLabel = RouteLabel {
        api: "none",
        route: "none",
        method: "none",
    };
}

/// The requests that were answered, by route.
pub struct Requests {
    routes: Box<[Row]>,
    unmatched: Row,
}

/// The requests of one route.
struct Row {
    label: RouteLabel,
    statuses: [Counter; STATUSES.len()],
    other: Counter,
    latency: Histogram,
}

/// What was counted of one route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteReading {
    /// Its labels.
    pub label: RouteLabel,
    /// How many requests were answered with each status; 0 stands for those not in [`STATUSES`].
    pub statuses: Vec<(u16, u64)>,
    /// How long they took, from the head of the request to the head of the answer.
    pub latency: HistogramReading,
}

impl Requests {
    /// Counters for these routes, which are numbered in this order.
    pub fn new(routes: impl IntoIterator<Item = RouteLabel>) -> Requests {
        Requests {
            routes: routes.into_iter().map(Row::new).collect(),
            unmatched: Row::new(RouteLabel::NONE),
        }
    }

    /// Counts an answer of the route with this number, or of none.
    pub fn count(&self, route: Option<usize>, status: u16, took: Duration) {
        let row = route.and_then(|number| self.routes.get(number));
        let row = row.unwrap_or(&self.unmatched);
        let known = STATUSES.iter().position(|known| *known == status);
        let counter = known.and_then(|at| row.statuses.get(at));
        counter.unwrap_or(&row.other).increment();
        row.latency.record(took);
    }

    /// What was counted so far, of every route that has answered anything.
    pub fn read(&self) -> Vec<RouteReading> {
        let rows = self.routes.iter().chain([&self.unmatched]);
        rows.map(Row::read)
            .filter(|reading| !reading.statuses.is_empty())
            .collect()
    }
}

impl Row {
    fn new(label: RouteLabel) -> Row {
        Row {
            label,
            statuses: Default::default(),
            other: Counter::default(),
            latency: Histogram::default(),
        }
    }

    fn read(&self) -> RouteReading {
        let known = STATUSES.iter().copied().zip(&self.statuses);
        let all = known.chain([(0, &self.other)]);
        let counts = all.map(|(status, counter)| (status, counter.get()));
        RouteReading {
            label: self.label,
            statuses: counts.filter(|(_, count)| *count > 0).collect(),
            latency: self.latency.read(),
        }
    }
}

impl RouteReading {
    /// Adds what was counted of the same route elsewhere.
    pub fn merge(&mut self, other: &RouteReading) {
        for (status, count) in &other.statuses {
            match self.statuses.iter_mut().find(|it| it.0 == *status) {
                Some((_, mine)) => *mine += count,
                None => self.statuses.push((*status, *count)),
            }
        }
        self.latency.merge(&other.latency);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG_IN: RouteLabel = RouteLabel {
        api: "core",
        route: "log_in",
        method: "POST",
    };

    #[test]
    fn answers_are_counted_by_route_and_status() {
        let requests = Requests::new([RouteLabel::NONE, LOG_IN]);
        assert_eq!(requests.read(), []);
        let took = Duration::from_millis(1);
        for (route, status) in [
            (Some(1), 200),
            (Some(1), 401),
            (Some(1), 200),
            (Some(1), 299),
            (Some(77), 404),
            (None, 400),
        ] {
            requests.count(route, status, took);
        }
        let mut read = requests.read();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].label, LOG_IN);
        assert_eq!(read[0].statuses, [(200, 2), (401, 1), (0, 1)]);
        assert_eq!(
            (read[0].latency.count(), read[0].latency.sum),
            (4, 4 * took)
        );
        assert_eq!(read[1].label, RouteLabel::NONE);
        assert_eq!(read[1].statuses, [(400, 1), (404, 1)]);
        let other = read[1].clone();
        read[0].merge(&other);
        assert_eq!(
            read[0].statuses,
            [(200, 2), (401, 1), (0, 1), (400, 1), (404, 1)]
        );
        assert_eq!(read[0].latency.count(), 6);
    }
}
