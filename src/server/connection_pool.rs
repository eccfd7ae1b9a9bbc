//! Limits the number of connections and chooses which to close when there are too many. A
//! connection is silent until its first byte and active afterwards. Silent ones are cheap, so the
//! limit for them is higher.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use crate::sync::lock;

/// Number of silent connections allowed for each active connection allowed.
const SILENT_FOR_EACH_ACTIVE: usize = 4;

/// The `last_active` value of a connection with a request in progress.
const BUSY: u64 = u64::MAX;

/// All open connections.
pub(super) struct ConnectionPool {
    active_cap: usize,
    network_cap: usize,
    table: Mutex<Table>,
    /// Counts activity, so that connections can be ordered by last use without a clock.
    activity_clock: AtomicU64,
    /// Number of connections that wait to become active; `freed` wakes one of them.
    waiting: AtomicUsize,
    freed: Notify,
}

#[derive(Default)]
struct Table {
    next: u64,
    silent: BTreeMap<u64, Entry>,
    active: HashMap<u64, Entry>,
    networks: HashMap<IpAddr, usize>,
}

struct Entry {
    network: Option<IpAddr>,
    /// The value of `activity_clock` at its last activity, or `BUSY`.
    last_active: Arc<AtomicU64>,
    task: Option<AbortHandle>,
    finish: Option<oneshot::Sender<()>>,
}

/// A connection's slot in the pool. Dropping it frees the slot.
pub(super) struct Slot {
    pool: Arc<ConnectionPool>,
    serial: u64,
    last_active: Arc<AtomicU64>,
}

/// Marks a request as in progress until this is dropped.
pub(super) struct Busy<'a>(Option<&'a Slot>);

/// As [`Busy`], for a stream that continues after the handler has returned.
pub(super) struct Streaming {
    pool: Arc<ConnectionPool>,
    last_active: Arc<AtomicU64>,
}

impl ConnectionPool {
    /// A pool for `active_cap` active connections, and `network_cap` connections of each network.
    pub(super) fn new(active_cap: usize, network_cap: usize) -> Arc<ConnectionPool> {
        Arc::new(ConnectionPool {
            active_cap,
            network_cap,
            table: Mutex::default(),
            activity_clock: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
        })
    }

    /// Reserves a slot for a silent connection; the receiver signals that the connection should
    /// finish. `None` if its network is at its limit. If there are too many silent connections, the
    /// oldest is closed.
    pub(super) fn admit(
        self: &Arc<ConnectionPool>,
        network: Option<IpAddr>,
    ) -> Option<(Slot, oneshot::Receiver<()>)> {
        let (finish, finished) = oneshot::channel();
        let last_active = Arc::new(AtomicU64::new(self.tick()));
        let mut table = self.table();
        if let Some(network) = network {
            let count = table.networks.entry(network).or_default();
            if *count >= self.network_cap {
                return None;
            }
            *count += 1;
        }
        if table.silent.len() >= self.active_cap.saturating_mul(SILENT_FOR_EACH_ACTIVE) {
            table.drop_oldest_silent();
        }
        let serial = table.next;
        table.next += 1;
        let entry = Entry {
            network,
            last_active: Arc::clone(&last_active),
            task: None,
            finish: Some(finish),
        };
        table.silent.insert(serial, entry);
        drop(table);
        Some((
            Slot {
                pool: Arc::clone(self),
                serial,
                last_active,
            },
            finished,
        ))
    }

    /// Records the task of a connection, so that the pool can abort it.
    pub(super) fn attach(&self, serial: u64, task: AbortHandle) {
        let mut table = self.table();
        let Table { silent, active, .. } = &mut *table;
        if let Some(entry) = silent.get_mut(&serial).or_else(|| active.get_mut(&serial)) {
            entry.task = Some(task);
        }
    }

    /// Closes up to `count` connections without a request: silent ones first, then those idle the
    /// longest.
    pub(super) fn evict_idle(&self, count: usize) {
        let mut table = self.table();
        for _ in 0..count {
            if !table.drop_oldest_silent() && !table.evict_idlest() {
                break;
            }
        }
    }

    /// Asks every active connection to finish its current request and close. Closes silent ones at
    /// once: they have no request.
    pub(super) fn finish(&self) {
        let mut table = self.table();
        while table.drop_oldest_silent() {}
        for finish in table
            .active
            .values_mut()
            .filter_map(|entry| entry.finish.take())
        {
            // A connection that has just ended no longer receives the signal and does not need it.
            let _ = finish.send(());
        }
    }

    /// Aborts every active connection at once.
    pub(super) fn abort(&self) {
        for task in self
            .table()
            .active
            .values()
            .filter_map(|entry| entry.task.as_ref())
        {
            task.abort();
        }
    }

    /// Makes a silent connection active, if there is room or an idle one can be closed.
    /// `Some(false)` if all active connections are busy; `None` if the pool has closed this one in
    /// the meantime.
    fn try_promote(&self, serial: u64) -> Option<bool> {
        let mut table = self.table();
        if !table.silent.contains_key(&serial) {
            return None;
        }
        if table.active.len() >= self.active_cap && !table.evict_idlest() {
            return Some(false);
        }
        let entry = table.silent.remove(&serial)?;
        table.active.insert(serial, entry);
        Some(true)
    }

    fn tick(&self) -> u64 {
        self.activity_clock.fetch_add(1, Ordering::Relaxed)
    }

    /// Marks a connection as idle from now on.
    fn rest(&self, last_active: &AtomicU64) {
        last_active.store(self.tick(), Ordering::SeqCst);
        self.wake_one();
    }

    fn wake_one(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.freed.notify_one();
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }
}

impl Table {
    fn drop_oldest_silent(&mut self) -> bool {
        self.silent
            .pop_first()
            .is_some_and(|(_, entry)| self.drop_entry(entry))
    }

    /// Closes the active connection that has been idle the longest. False if none is idle; a
    /// connection without an attached task does not count.
    fn evict_idlest(&mut self) -> bool {
        let idle = self.active.iter().filter(|(_, entry)| entry.task.is_some());
        let last_active =
            idle.map(|(serial, entry)| (entry.last_active.load(Ordering::Relaxed), *serial));
        let idlest = last_active
            .filter(|(last_active, _)| *last_active != BUSY)
            .min();
        idlest
            .and_then(|(_, serial)| self.active.remove(&serial))
            .is_some_and(|entry| self.drop_entry(entry))
    }

    fn drop_entry(&mut self, entry: Entry) -> bool {
        self.uncount(entry.network);
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

impl Slot {
    /// The connection's number, in order of arrival.
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// Waits until this connection becomes active; closes the longest idle active connection if
    /// necessary. False if the pool has closed this connection in the meantime.
    pub(super) async fn promote(&self) -> bool {
        let pool = &self.pool;
        if let Some(done @ true) = pool.try_promote(self.serial) {
            return done;
        }
        let _waiting = Waiting::among(pool);
        loop {
            // `Notify` stores a wake-up that arrives between `try_promote` and `notified`.
            match pool.try_promote(self.serial) {
                None => return false,
                Some(true) => return true,
                Some(false) => pool.freed.notified().await,
            }
        }
    }

    /// Marks a request as in progress: the pool does not close its connection to make room.
    pub(super) fn busy(&self) -> Busy<'_> {
        self.last_active.store(BUSY, Ordering::Relaxed);
        Busy(Some(self))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut table = self.pool.table();
        let silent = table.silent.remove(&self.serial);
        if let Some(entry) = silent.or_else(|| table.active.remove(&self.serial)) {
            table.uncount(entry.network);
        }
        drop(table);
        self.pool.wake_one();
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            slot.pool.rest(&slot.last_active);
        }
    }
}

impl Busy<'_> {
    /// Keeps the connection marked as busy without borrowing the slot; `None` if the mark was
    /// already taken.
    pub(super) fn outlasting(mut self) -> Option<Streaming> {
        let slot = self.0.take()?;
        Some(Streaming {
            pool: Arc::clone(&slot.pool),
            last_active: Arc::clone(&slot.last_active),
        })
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.pool.rest(&self.last_active);
    }
}

/// Counts a connection as waiting; the count is correct even if the wait is cancelled.
struct Waiting<'a>(&'a ConnectionPool);

impl Waiting<'_> {
    fn among(pool: &ConnectionPool) -> Waiting<'_> {
        pool.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(pool)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
        // The wait may be cancelled just after its wake-up: pass the wake-up to another connection.
        self.0.wake_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn task() -> AbortHandle {
        tokio::spawn(std::future::pending::<()>()).abort_handle()
    }

    #[test]
    fn a_network_has_its_share_and_gets_it_back() {
        let pool = ConnectionPool::new(10, 2);
        let ours = Some(network("10.0.0.1"));
        let first = pool.admit(ours).unwrap();
        let _second = pool.admit(ours).unwrap();
        assert!(pool.admit(ours).is_none());
        assert!(pool.admit(Some(network("10.0.0.2"))).is_some() && pool.admit(None).is_some());
        drop(first);
        assert!(pool.admit(ours).is_some());
    }

    #[tokio::test]
    async fn the_longest_idle_connection_makes_room_and_a_busy_one_does_not() {
        let pool = ConnectionPool::new(2, 9);
        let mut places = Vec::new();
        for _ in 0..3 {
            let (slot, _) = pool.admit(Some(network("10.0.0.1"))).unwrap();
            pool.attach(slot.serial(), task());
            places.push(slot);
        }
        let [first, second, third] = &places[..] else {
            panic!()
        };
        assert!(first.promote().await && second.promote().await);
        drop(first.busy());
        let busy = first.busy();
        assert!(
            third.promote().await,
            "the second, which never asked anything, goes"
        );
        assert_eq!(pool.try_promote(second.serial()), None);
        // A response that is still being sent keeps the connection busy.
        let also_busy = third.busy().outlasting();
        let (fourth, _) = pool.admit(Some(network("10.0.0.1"))).unwrap();
        assert_eq!(pool.try_promote(fourth.serial()), Some(false));
        let waits = tokio::spawn(async move { fourth.promote().await });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        drop(also_busy);
        assert!(waits.await.unwrap());
        drop(busy);
    }

    #[tokio::test]
    async fn the_oldest_silent_connection_goes_when_there_are_too_many() {
        let pool = ConnectionPool::new(1, 99);
        let places: Vec<_> = (0..5).map(|_| pool.admit(None).unwrap().0).collect();
        assert!(!places[0].promote().await && places[1].promote().await);
    }
}
