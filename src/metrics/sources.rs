//! Where a scrape finds what is counted outside the service: each dispatcher and each server of the
//! process adds itself when it starts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::{ConnectionCounts, Refusals, Requests, RouteLabel, RouteReading};
use crate::sync::lock;

type ReadConnections = Box<dyn Fn() -> ConnectionCounts + Send + Sync>;

/// The dispatchers and servers of this process.
#[derive(Default)]
pub struct Sources {
    requests: Mutex<Vec<Arc<Requests>>>,
    connections: Mutex<Vec<ReadConnections>>,
    /// The requests that were refused by a limit.
    pub refusals: Refusals,
}

impl Sources {
    /// Adds the requests of a dispatcher.
    pub fn add_requests(&self, requests: &Arc<Requests>) {
        lock(&self.requests).push(Arc::clone(requests));
    }

    /// Adds the connections of a server.
    pub fn add_connections(&self, read: impl Fn() -> ConnectionCounts + Send + Sync + 'static) {
        lock(&self.connections).push(Box::new(read));
    }

    /// The requests of all dispatchers, by route: those routes that have answered anything.
    pub fn requests(&self) -> Vec<RouteReading> {
        let mut routes: BTreeMap<RouteLabel, RouteReading> = BTreeMap::new();
        for requests in &*lock(&self.requests) {
            for reading in requests.read() {
                match routes.get_mut(&reading.label) {
                    Some(sum) => sum.merge(&reading),
                    None => drop(routes.insert(reading.label, reading)),
                }
            }
        }
        routes.into_values().collect()
    }

    /// The connections of all servers together.
    pub fn connections(&self) -> ConnectionCounts {
        lock(&self.connections)
            .iter()
            .fold(ConnectionCounts::default(), |sum, read| sum.plus(read()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn all_dispatchers_and_servers_are_added_up() {
        let sources = Sources::default();
        let label = |route| RouteLabel {
            route,
            ..RouteLabel::NONE
        };
        for (name, open) in [("b", 1), ("a", 2), ("b", 4)] {
            let requests = Arc::new(Requests::new([label(name)]));
            requests.count(Some(0), 200, Duration::ZERO);
            sources.add_requests(&requests);
            sources.add_connections(move || ConnectionCounts {
                idle: open,
                evicted: 1,
                ..ConnectionCounts::default()
            });
        }
        let read = sources.requests();
        let seen: Vec<_> = read
            .iter()
            .map(|it| (it.label.route, &it.statuses[..]))
            .collect();
        assert_eq!(seen, [("a", &[(200, 1)][..]), ("b", &[(200, 2)][..])]);
        let connections = sources.connections();
        assert_eq!((connections.open(), connections.evicted), (7, 3));
    }
}
