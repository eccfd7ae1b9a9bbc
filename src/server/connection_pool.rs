//! Limits the number of connections and closes some when there are too many: those with the lowest
//! rank (see `activity`). A connection is silent until its first byte and active afterwards. Silent
//! ones are cheap, so the limit for them is higher.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use super::activity::{Activity, Pace};
use crate::sync::lock;
use crate::world::Clock;

/// Number of silent connections allowed for each active connection allowed.
const SILENT_FOR_EACH_ACTIVE: usize = 4;

/// All open connections.
pub(super) struct ConnectionPool {
    active_cap: usize,
    network_cap: usize,
    pace: Pace,
    clock: Arc<dyn Clock>,
    table: Mutex<Table>,
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
    activity: Arc<Activity>,
    task: Option<AbortHandle>,
    finish: Option<oneshot::Sender<()>>,
}

/// A connection's slot in the pool. Dropping it frees the slot.
pub(super) struct Slot {
    pool: Arc<ConnectionPool>,
    serial: u64,
    activity: Arc<Activity>,
}

/// Marks a request as in progress; dropping it makes the connection idle.
pub(super) struct Serving(Arc<Slot>);

impl ConnectionPool {
    /// A pool for `active_cap` active connections, and `network_cap` connections of each network.
    pub(super) fn new(
        active_cap: usize,
        network_cap: usize,
        pace: Pace,
        clock: Arc<dyn Clock>,
    ) -> Arc<ConnectionPool> {
        Arc::new(ConnectionPool {
            active_cap,
            network_cap,
            pace,
            clock,
            table: Mutex::default(),
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
    ) -> Option<(Arc<Slot>, oneshot::Receiver<()>)> {
        let (finish, finished) = oneshot::channel();
        let activity = Arc::new(Activity::new(self.pace, self.now()));
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
            activity: Arc::clone(&activity),
            task: None,
            finish: Some(finish),
        };
        table.silent.insert(serial, entry);
        drop(table);
        let slot = Slot {
            pool: Arc::clone(self),
            serial,
            activity,
        };
        Some((Arc::new(slot), finished))
    }

    /// Records the task of a connection, so that the pool can abort it.
    pub(super) fn attach(&self, serial: u64, task: AbortHandle) {
        let mut table = self.table();
        let Table { silent, active, .. } = &mut *table;
        if let Some(entry) = silent.get_mut(&serial).or_else(|| active.get_mut(&serial)) {
            entry.task = Some(task);
        }
    }

    /// Closes up to `count` connections: silent ones first, then those with the lowest rank.
    pub(super) fn evict(&self, count: usize) {
        let mut table = self.table();
        for _ in 0..count {
            if !table.drop_oldest_silent() && !table.evict_lowest() {
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

    /// Makes a silent connection active, if there is room or another one can be closed.
    /// `Some(false)` if all active connections wait for this server; `None` if the pool has closed
    /// this one in the meantime.
    fn try_promote(&self, serial: u64) -> Option<bool> {
        let mut table = self.table();
        if !table.silent.contains_key(&serial) {
            return None;
        }
        if table.active.len() >= self.active_cap && !table.evict_lowest() {
            return Some(false);
        }
        let entry = table.silent.remove(&serial)?;
        table.active.insert(serial, entry);
        Some(true)
    }

    fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Wakes a connection that waits for room, if there is one: another can be closed now.
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

    /// Closes the active connection with the lowest rank. False if none may be closed; a connection
    /// without an attached task does not count.
    fn evict_lowest(&mut self) -> bool {
        let known = self.active.iter().filter(|(_, entry)| entry.task.is_some());
        let ranks = known.filter_map(|(serial, entry)| Some((entry.activity.rank()?, *serial)));
        ranks
            .min()
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

    /// Waits until this connection becomes active, now that its first byte has arrived; closes
    /// another one if necessary. False if the pool has closed this connection in the meantime.
    pub(super) async fn promote(&self) -> bool {
        let pool = &self.pool;
        self.activity.begin(pool.now());
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

    /// Bytes have arrived: if the connection was idle, a request begins.
    pub(super) fn begin(&self) {
        if self.activity.is_idle() {
            self.activity.begin(self.pool.now());
        }
    }

    /// Marks a request, whose head has arrived, as in progress.
    pub(super) fn serve(self: &Arc<Slot>) -> Serving {
        self.activity.serve();
        Serving(Arc::clone(self))
    }

    /// The next step of the request or the answer is the client's.
    pub(super) fn wait_for_client(&self) {
        if !self.activity.is_waiting() {
            self.activity.wait(self.pool.now());
            self.pool.wake_one();
        }
    }

    /// The client has sent or taken so many bytes.
    pub(super) fn advance(&self, bytes: usize) {
        if self.activity.is_waiting() {
            self.activity.advance(bytes, self.pool.now());
        }
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

impl Drop for Serving {
    fn drop(&mut self) {
        let Slot { pool, activity, .. } = &*self.0;
        activity.rest(pool.now());
        pool.wake_one();
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
    use crate::model::Timestamp;

    fn network(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn task() -> AbortHandle {
        tokio::spawn(std::future::pending::<()>()).abort_handle()
    }

    /// A clock that stands still at zero until a test advances it.
    #[derive(Default)]
    struct HandClock(AtomicUsize);

    impl HandClock {
        fn pass_seconds(&self, seconds: usize) {
            self.0.fetch_add(seconds, Ordering::Relaxed);
        }
    }

    impl Clock for HandClock {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }

        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::Relaxed) as u64)
        }
    }

    fn pool(active_cap: usize, network_cap: usize) -> (Arc<ConnectionPool>, Arc<HandClock>) {
        let pace = Pace {
            window: Duration::from_secs(10),
            least_rate: 1024,
        };
        let clock = Arc::new(HandClock::default());
        let pool = ConnectionPool::new(active_cap, network_cap, pace, clock.clone());
        (pool, clock)
    }

    /// A new connection, which waits to become active.
    fn connect(pool: &Arc<ConnectionPool>) -> Arc<Slot> {
        let (slot, _) = pool.admit(None).unwrap();
        pool.attach(slot.serial(), task());
        slot
    }

    #[test]
    fn a_network_has_its_share_and_gets_it_back() {
        let (pool, _) = pool(10, 2);
        let ours = Some(network("10.0.0.1"));
        let first = pool.admit(ours).unwrap();
        let _second = pool.admit(ours).unwrap();
        assert!(pool.admit(ours).is_none());
        assert!(pool.admit(Some(network("10.0.0.2"))).is_some() && pool.admit(None).is_some());
        drop(first);
        assert!(pool.admit(ours).is_some());
    }

    #[tokio::test]
    async fn the_longest_idle_connection_makes_room_and_one_that_waits_for_us_does_not() {
        let (pool, clock) = pool(2, 9);
        let [first, second, third, fourth] = std::array::from_fn(|_| connect(&pool));
        assert!(first.promote().await && second.promote().await);
        drop(second.serve());
        clock.pass_seconds(1);
        drop(first.serve());
        let served = first.serve();
        assert!(third.promote().await, "the second, which is idle, goes");
        assert_eq!(pool.try_promote(second.serial()), None);
        let also_served = third.serve();
        let waits = tokio::spawn(async move { fourth.promote().await });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        drop(also_served);
        assert!(waits.await.unwrap());
        drop(served);
    }

    #[tokio::test]
    async fn the_request_with_the_least_progress_makes_room() {
        let (pool, clock) = pool(3, 9);
        let [steady, stalled, dripping, newcomer, next] = std::array::from_fn(|_| connect(&pool));
        let mut served = Vec::new();
        for slot in [&steady, &stalled, &dripping] {
            assert!(slot.promote().await);
            served.push(slot.serve());
            slot.wait_for_client();
        }
        for _ in 0..5 {
            clock.pass_seconds(1);
            for (slot, bytes) in [(&steady, 2048), (&dripping, 1)] {
                slot.advance(bytes);
                slot.wait_for_client();
            }
        }
        assert!(newcomer.promote().await);
        assert_eq!(pool.try_promote(stalled.serial()), None);
        assert!(next.promote().await);
        assert_eq!(pool.try_promote(dripping.serial()), None);
        assert!(pool.table().active.contains_key(&steady.serial()));
    }

    #[tokio::test]
    async fn who_waits_for_room_gets_it_as_soon_as_another_waits_for_its_client() {
        let (pool, _) = pool(1, 9);
        let [first, second] = std::array::from_fn(|_| connect(&pool));
        assert!(first.promote().await);
        let serving = first.serve();
        let waits = tokio::spawn(async move { second.promote().await });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        first.wait_for_client();
        assert!(waits.await.unwrap());
        drop(serving);
    }

    #[tokio::test]
    async fn the_oldest_silent_connection_goes_when_there_are_too_many() {
        let (pool, _) = pool(1, 99);
        let places: Vec<_> = (0..5).map(|_| pool.admit(None).unwrap().0).collect();
        assert!(!places[0].promote().await && places[1].promote().await);
    }
}
