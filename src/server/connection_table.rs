//! The table of open connections: silent ones in the order of their arrival, active ones with their
//! activity, and how many connections each network has.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::activity::{Activity, Pace};
use crate::metrics::ConnectionCounts;

/// Number of silent connections allowed for each active connection allowed.
const SILENT_FOR_EACH_ACTIVE: usize = 4;

/// How many connections there may be, and how fast clients must be.
#[derive(Clone, Copy)]
pub(super) struct PoolLimits {
    /// How many active connections.
    pub(super) active: usize,
    /// How many connections of each network.
    pub(super) network: usize,
    pub(super) pace: Pace,
}

impl PoolLimits {
    /// `window` and `least_rate` say how fast clients must be: see [`Pace`].
    pub(super) fn new(active: usize, network: usize, window: Duration, least_rate: u64) -> Self {
        PoolLimits {
            active,
            network,
            pace: Pace { window, least_rate },
        }
    }
}

/// All open connections.
#[derive(Default)]
pub(super) struct ConnectionTable {
    next: u64,
    silent: BTreeMap<u64, Entry>,
    active: HashMap<u64, Entry>,
    networks: HashMap<IpAddr, usize>,
    /// How many were closed at once because of their network, and how many made room for others.
    refused: u64,
    evicted: u64,
}

struct Entry {
    network: Option<IpAddr>,
    activity: Arc<Activity>,
    task: Option<AbortHandle>,
    finish: Option<oneshot::Sender<()>>,
}

impl ConnectionTable {
    /// Adds a silent connection and returns its number; `None` if its network is at its limit. If
    /// there are too many silent connections, the oldest is closed. `finish` tells the connection
    /// to finish.
    pub(super) fn add(
        &mut self,
        limits: PoolLimits,
        network: Option<IpAddr>,
        activity: &Arc<Activity>,
        finish: oneshot::Sender<()>,
    ) -> Option<u64> {
        if let Some(network) = network {
            let count = self.networks.entry(network).or_default();
            if *count >= limits.network {
                self.refused += 1;
                return None;
            }
            *count += 1;
        }
        if self.silent.len() >= limits.active.saturating_mul(SILENT_FOR_EACH_ACTIVE) {
            self.drop_oldest_silent();
        }
        let serial = self.next;
        self.next += 1;
        let entry = Entry {
            network,
            activity: Arc::clone(activity),
            task: None,
            finish: Some(finish),
        };
        self.silent.insert(serial, entry);
        Some(serial)
    }

    /// Records the task of a connection, so that it can be aborted.
    pub(super) fn attach(&mut self, serial: u64, task: AbortHandle) {
        let silent = self.silent.get_mut(&serial);
        if let Some(entry) = silent.or_else(|| self.active.get_mut(&serial)) {
            entry.task = Some(task);
        }
    }

    /// Makes a silent connection active, if there is room or another one can be closed.
    /// `Some(false)` if all active connections wait for this server; `None` if this one was closed
    /// in the meantime. At most `most` connections are active.
    pub(super) fn promote(&mut self, most: usize, serial: u64) -> Option<bool> {
        if !self.silent.contains_key(&serial) {
            return None;
        }
        if self.active.len() >= most && !self.drop_lowest() {
            return Some(false);
        }
        let entry = self.silent.remove(&serial)?;
        self.active.insert(serial, entry);
        Some(true)
    }

    /// Closes a connection: the oldest silent one, or else the one with the lowest rank. False if
    /// none may be closed.
    pub(super) fn drop_one(&mut self) -> bool {
        self.drop_oldest_silent() || self.drop_lowest()
    }

    /// Removes a connection that has ended.
    pub(super) fn remove(&mut self, serial: u64) {
        let silent = self.silent.remove(&serial);
        if let Some(entry) = silent.or_else(|| self.active.remove(&serial)) {
            self.uncount(entry.network);
        }
    }

    /// How many connections there are and were.
    pub(super) fn counts(&self) -> ConnectionCounts {
        let mut counts = ConnectionCounts {
            silent: self.silent.len() as u64,
            accepted: self.next,
            refused: self.refused,
            evicted: self.evicted,
            ..ConnectionCounts::default()
        };
        for entry in self.active.values() {
            if entry.activity.is_idle() {
                counts.idle += 1;
            } else if entry.activity.is_waiting() {
                counts.waiting += 1;
            } else {
                counts.served += 1;
            }
        }
        counts
    }

    /// Tells every connection to finish.
    pub(super) fn finish(&mut self) {
        let signals = self.silent.values_mut().chain(self.active.values_mut());
        for finish in signals.filter_map(|entry| entry.finish.take()) {
            // A connection that has just ended no longer receives the signal and does not need it.
            let _ = finish.send(());
        }
    }

    /// Aborts every active connection at once.
    pub(super) fn abort(&self) {
        let tasks = self.active.values();
        for task in tasks.filter_map(|entry| entry.task.as_ref()) {
            task.abort();
        }
    }

    fn drop_oldest_silent(&mut self) -> bool {
        self.silent
            .pop_first()
            .is_some_and(|(_, entry)| self.drop_entry(entry))
    }

    /// Closes the active connection with the lowest rank. A connection without an attached task
    /// does not count.
    fn drop_lowest(&mut self) -> bool {
        let known = self.active.iter().filter(|(_, entry)| entry.task.is_some());
        let ranks = known.filter_map(|(serial, entry)| Some((entry.activity.rank()?, *serial)));
        ranks
            .min()
            .and_then(|(_, serial)| self.active.remove(&serial))
            .is_some_and(|entry| self.drop_entry(entry))
    }

    fn drop_entry(&mut self, entry: Entry) -> bool {
        self.uncount(entry.network);
        self.evicted += 1;
        if let Some(task) = entry.task {
            task.abort();
        }
        true
    }

    fn uncount(&mut self, network: Option<IpAddr>) {
        let Some(network) = network else { return };
        if let Some(count) = self.networks.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.networks.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PoolLimits = PoolLimits {
        active: 1,
        network: 2,
        pace: Pace {
            window: Duration::from_secs(10),
            least_rate: 1024,
        },
    };

    /// Adds a connection of a network.
    fn add(table: &mut ConnectionTable, network: Option<[u8; 4]>) -> Option<(u64, Arc<Activity>)> {
        let activity = Arc::new(Activity::new(LIMITS.pace, Duration::ZERO));
        let (finish, _) = oneshot::channel();
        let serial = table.add(LIMITS, network.map(IpAddr::from), &activity, finish)?;
        Some((serial, activity))
    }

    #[test]
    fn a_network_has_its_share_and_gets_it_back() {
        let mut table = ConnectionTable::default();
        let ours = Some([10, 0, 0, 1]);
        let (first, _) = add(&mut table, ours).unwrap();
        add(&mut table, ours).unwrap();
        assert!(add(&mut table, ours).is_none());
        assert!(add(&mut table, Some([10, 0, 0, 2])).is_some());
        assert!(add(&mut table, None).is_some());
        table.remove(first);
        assert!(add(&mut table, ours).is_some());
        assert_eq!(table.counts().refused, 1);
    }

    #[tokio::test]
    async fn connections_are_counted_by_what_they_do() {
        let mut table = ConnectionTable::default();
        let (serial, activity) = add(&mut table, None).unwrap();
        let task = tokio::spawn(std::future::pending::<()>());
        table.attach(serial, task.abort_handle());
        let mut seen = vec![table.counts()];
        assert_eq!(table.promote(1, serial), Some(true));
        seen.push(table.counts());
        activity.begin(Duration::ZERO);
        seen.push(table.counts());
        activity.serve();
        seen.push(table.counts());
        let states = seen
            .iter()
            .map(|it| [it.silent, it.idle, it.waiting, it.served]);
        let states: Vec<_> = states.collect();
        assert_eq!(
            states,
            [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
        );
        activity.rest(Duration::ZERO);
        assert!(table.drop_one());
        let counts = table.counts();
        assert_eq!((counts.open(), counts.accepted, counts.evicted), (0, 1, 1));
    }
}
