//! Limits the number of connections, and closes those with the lowest rank (see `activity`) when
//! there are too many. Silent ones, before their first byte, are cheap: their limit is higher.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use super::activity::Activity;
use super::connection_table::{ConnectionTable, PoolLimits};
use crate::metrics::ConnectionCounts;
use crate::sync::lock;
use crate::world::Clock;

/// All open connections.
pub(super) struct ConnectionPool {
    /// Returns the limits in force.
    limits: Box<dyn Fn() -> PoolLimits + Send + Sync>,
    clock: Arc<dyn Clock>,
    table: Mutex<ConnectionTable>,
    /// Number of connections that wait to become active; `freed` wakes one of them.
    waiting: AtomicUsize,
    freed: Notify,
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
    /// An empty pool, which asks `limits` for the limits in force.
    pub(super) fn new(
        limits: impl Fn() -> PoolLimits + Send + Sync + 'static,
        clock: Arc<dyn Clock>,
    ) -> Arc<ConnectionPool> {
        Arc::new(ConnectionPool {
            limits: Box::new(limits),
            clock,
            table: Mutex::default(),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
        })
    }

    /// Reserves a slot for a silent connection, and closes the oldest one if there are too many.
    /// The receiver signals that it should finish. `None`: its network is at its limit.
    pub(super) fn admit(
        self: &Arc<ConnectionPool>,
        network: Option<IpAddr>,
    ) -> Option<(Arc<Slot>, oneshot::Receiver<()>)> {
        let (finish, finished) = oneshot::channel();
        let limits = (self.limits)();
        let activity = Arc::new(Activity::new(limits.pace, self.now()));
        let serial = self.table().add(limits, network, &activity, finish)?;
        let slot = Slot {
            pool: Arc::clone(self),
            serial,
            activity,
        };
        Some((Arc::new(slot), finished))
    }

    /// Records the task of a connection, so that the pool can abort it.
    pub(super) fn attach(&self, serial: u64, task: AbortHandle) {
        self.table().attach(serial, task);
    }

    /// Closes up to `count` connections: silent ones first, then those with the lowest rank.
    pub(super) fn evict(&self, count: usize) {
        let mut table = self.table();
        for _ in 0..count {
            if !table.drop_one() {
                break;
            }
        }
    }

    /// Asks every connection to finish its current request, or the one that it is about to send,
    /// and close.
    pub(super) fn finish(&self) {
        self.table().finish();
    }

    /// Aborts every active connection at once.
    pub(super) fn abort(&self) {
        self.table().abort();
    }

    /// How many connections there are and were.
    pub(super) fn counts(&self) -> ConnectionCounts {
        self.table().counts()
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

    fn table(&self) -> MutexGuard<'_, ConnectionTable> {
        lock(&self.table)
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
        if let Some(done @ true) = self.try_promote() {
            return done;
        }
        let _waiting = Waiting::among(pool);
        loop {
            // `Notify` stores a wake-up that arrives between `try_promote` and `notified`.
            match self.try_promote() {
                None => return false,
                Some(true) => return true,
                Some(false) => pool.freed.notified().await,
            }
        }
    }

    /// See [`ConnectionTable::promote`].
    fn try_promote(&self) -> Option<bool> {
        let most = (self.pool.limits)().active;
        self.pool.table().promote(most, self.serial)
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
        self.pool.table().remove(self.serial);
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
    use tokio::task::JoinHandle;

    use super::*;
    use crate::model::Timestamp;

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
        let limits = PoolLimits::new(active_cap, network_cap, Duration::from_secs(10), 1024);
        let clock = Arc::new(HandClock::default());
        let pool = ConnectionPool::new(move || limits, clock.clone());
        (pool, clock)
    }

    /// A connection.
    struct Connection {
        slot: Arc<Slot>,
        task: JoinHandle<()>,
    }

    impl std::ops::Deref for Connection {
        type Target = Arc<Slot>;

        fn deref(&self) -> &Arc<Slot> {
            &self.slot
        }
    }

    /// A new connection, which is still silent.
    fn connect(pool: &Arc<ConnectionPool>) -> Connection {
        let (slot, _) = pool.admit(None).unwrap();
        let task = tokio::spawn(std::future::pending());
        pool.attach(slot.serial(), task.abort_handle());
        Connection { slot, task }
    }

    /// Whether the pool has left the connection open.
    async fn is_open(connection: &Connection) -> bool {
        tokio::task::yield_now().await;
        !connection.task.is_finished()
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
        assert!(!is_open(&second).await);
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
        assert!(!is_open(&stalled).await && is_open(&dripping).await);
        assert!(next.promote().await);
        assert!(!is_open(&dripping).await);
        assert!(is_open(&steady).await);
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
