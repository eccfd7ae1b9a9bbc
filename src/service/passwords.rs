//! The pool that hashes passwords: a few threads with memory of their own, so that a flood of
//! logins slows down only logins. A job leaves the queue when its client disconnects; a job that a
//! thread has taken runs to its end.

use std::num::NonZero;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::Error;
use super::attempts::Attempt;
use super::hash_job::Job;
use super::hash_queue::Queue;
use super::traffic::{RateMeter, TokenChecks, WINDOW};
use crate::crypto::{HashCost, PasswordHasher, Verdict};
use crate::model::Secret;
use crate::world::Clock;

/// The maximum of threads: each has the memory of a hash.
const MOST_THREADS: usize = 4;
/// How much a thread gives way (nice(2)): the most that there is. A busy thread of nice 10 delays
/// other requests by milliseconds on two cores, one of nice 19 by less than half of one.
const GIVE_WAY: i32 = 19;

/// The pool.
pub(super) struct PasswordPool {
    pub(super) queue: Arc<Queue>,
}

impl PasswordPool {
    /// Starts a thread for each core, up to a bound. The threads give way to all other threads:
    /// logins may use the whole machine, but never at the cost of other requests. Where those are
    /// many, only the first thread goes on.
    pub(super) fn start(
        cost: HashCost,
        checks: &Arc<TokenChecks>,
        clock: &Arc<dyn Clock>,
    ) -> PasswordPool {
        let queue = Arc::new(Queue::new(clock));
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        for index in 0..cores.min(MOST_THREADS) {
            let queue = Arc::clone(&queue);
            let meter = (index > 0).then(|| RateMeter::new(Arc::clone(checks), Arc::clone(clock)));
            let hasher = PasswordHasher::new(cost);
            let thread = std::thread::Builder::new().name(format!("doorward-hash-{index}"));
            if let Err(error) = thread.spawn(move || work(&queue, hasher, meter)) {
                log::error!("cannot start a password hashing thread: {error}");
            }
        }
        PasswordPool { queue }
    }

    /// Hashes a password; returns a PHC string.
    pub(super) async fn hash(&self, secret: &Secret, salt: [u8; 16]) -> Result<String, Error> {
        let (answer, hash) = oneshot::channel();
        let secret = secret.clone();
        let job = Job::Hash {
            secret,
            salt,
            answer,
        };
        self.run(job, hash).await
    }

    /// Compares a password with PHC strings; `Wrong` if it matches none. The attempt counts as
    /// wrong once a thread has compared them, even if the client has disconnected by then.
    pub(super) async fn verify(
        &self,
        secret: &Secret,
        hashes: Vec<String>,
        attempt: Attempt,
    ) -> Result<(Verdict, Attempt), Error> {
        let (answer, verdict) = oneshot::channel();
        let secret = secret.clone();
        let job = Job::Verify {
            secret,
            hashes,
            attempt,
            answer,
        };
        self.run(job, verdict).await
    }

    async fn run<T>(
        &self,
        job: Job,
        answered: oneshot::Receiver<Result<T, Error>>,
    ) -> Result<T, Error> {
        let _place = self.queue.add(job)?;
        answered
            .await
            .unwrap_or_else(|error| Err(Error::Internal(Box::new(error))))
    }
}

impl Drop for PasswordPool {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Runs jobs until the queue is closed and empty. A thread with a meter stands aside while the rate
/// of other requests is high, and frees its memory meanwhile.
fn work(queue: &Queue, mut hasher: PasswordHasher, mut meter: Option<RateMeter>) {
    // On Linux this applies to the thread, not to the process. If it fails, hashing runs at normal
    // priority.
    let _ = rustix::process::nice(GIVE_WAY);
    loop {
        if let Some(meter) = &mut meter
            && meter.is_high()
        {
            hasher.rest();
            queue.stand_aside(WINDOW, || meter.is_high());
        }
        let Some(job) = queue.next(|| hasher.rest()) else {
            return;
        };
        job.run(&mut hasher);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::super::hash_queue::QUEUE_JOBS;
    use super::*;
    use crate::config;
    use crate::crypto::SystemRandom;
    use crate::model::{Caller, Client, RequestId, Timestamp, TokenKind};
    use crate::service::{Login, Services};
    use crate::store::sled::{SledStore, StoreOptions};
    use crate::world::{SystemClock, World};

    const SETTINGS: &str = "
        storage.path = 'data'
        admin.password = 'the password of the admin'
        accounts.hash_memory = '1MiB'
        accounts.hash_passes = 3
    ";

    /// Services without hashing threads: the jobs stay in the queue.
    async fn without_hashers(home: &std::path::Path) -> Services {
        let config = Arc::new(config::parse(SETTINGS, home).unwrap());
        let world = World {
            clock: Arc::new(SystemClock::start()),
            random: Arc::new(SystemRandom::default()),
        };
        let store = SledStore::open(&config.storage.path, StoreOptions::default()).await;
        let store = Arc::new(store.unwrap());
        let services = Services::start(config, world, store, |_| {}).await.unwrap();
        let mut services = Arc::into_inner(services).unwrap();
        services.passwords = PasswordPool {
            queue: Arc::default(),
        };
        services
    }

    async fn next_job(queue: &Queue) -> Job {
        loop {
            if let Some(job) = queue.take() {
                return job;
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_unknown_account_is_compared_at_the_configured_cost_and_refused_in_any_case() {
        let home = tempfile::tempdir().unwrap();
        let services = without_hashers(home.path()).await;
        let queue = Arc::clone(&services.passwords.queue);
        for login in [
            Login::by_email("nobody@example.org"),
            Login::by_email("no address"),
            Login::by_id("c52bf5c1-1120-4e38-b807-f274db281ebc"),
            Login::by_id("no id"),
        ] {
            let password = Secret::new("a password");
            let caller = caller(services.now());
            let login = services.log_in_user(TokenKind::Session, login, &password, &caller);
            let mut login = std::pin::pin!(login);
            let job = tokio::select! {
                _ = &mut login => panic!("nothing is compared"),
                job = next_job(&queue) => job,
            };
            let Job::Verify {
                hashes,
                attempt,
                answer,
                ..
            } = job
            else {
                panic!("nothing is hashed");
            };
            let [phc] = &hashes[..] else {
                panic!("compared with {hashes:?}");
            };
            assert!(phc.starts_with("$argon2id$v=19$m=1024,t=3,p=1$"), "{phc}");
            assert!(crate::crypto::check_password_hash(phc).is_ok());
            assert!(answer.send(Ok((Verdict::Right, attempt))).is_ok());
            let outcome = login.await;
            assert!(matches!(outcome, Err(Error::BadCredentials)));
        }
        services.store.close().await;
    }

    fn caller(at: Timestamp) -> Caller {
        Caller {
            client: Client::new([192, 0, 2, 1].into(), None),
            request: RequestId::of_number(1),
            at,
        }
    }

    /// Logs in with a wrong password.
    async fn guess(services: &Services) -> Result<(), Error> {
        let secret = Secret::new("a password");
        let login = Login::by_email("nobody@example.org");
        let caller = caller(services.world.clock.now());
        let login = services.log_in_user(TokenKind::Session, login, &secret, &caller);
        login.await.map(drop)
    }

    /// The client disconnects as soon as it has to wait. None: it had to.
    async fn disconnect<T>(call: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            outcome = call => Some(outcome),
            () = std::future::ready(()) => None,
        }
    }

    #[tokio::test]
    async fn a_job_leaves_the_queue_when_its_client_disconnects_and_costs_it_no_attempt() {
        let home = tempfile::tempdir().unwrap();
        let services = without_hashers(home.path()).await;
        for _ in 0..2 * QUEUE_JOBS {
            let refused = disconnect(guess(&services)).await;
            assert!(refused.is_none(), "{refused:?}");
        }
        assert!(services.passwords.queue.take().is_none());
        services.store.close().await;
    }

    #[tokio::test]
    async fn a_full_queue_costs_nobody_an_attempt() {
        let home = tempfile::tempdir().unwrap();
        let services = without_hashers(home.path()).await;
        let secret = Secret::new("a password");
        let mut waiting = Vec::new();
        for _ in 0..QUEUE_JOBS {
            let mut hash = Box::pin(services.passwords.hash(&secret, [7; 16]));
            assert!(disconnect(&mut hash).await.is_none());
            waiting.push(hash);
        }
        for _ in 0..20 {
            let outcome = guess(&services).await;
            assert!(matches!(outcome, Err(Error::Busy { .. })), "{outcome:?}");
        }
        drop(waiting);
        let refused = disconnect(guess(&services)).await;
        assert!(refused.is_none(), "{refused:?}");
        services.store.close().await;
    }

    #[tokio::test]
    async fn a_password_that_was_compared_counts_also_when_its_client_has_disconnected() {
        let home = tempfile::tempdir().unwrap();
        let services = without_hashers(home.path()).await;
        let queue = Arc::clone(&services.passwords.queue);
        let mut hasher = PasswordHasher::new(CHEAP);
        for _ in 0..5 {
            let mut login = Box::pin(guess(&services));
            let job = tokio::select! {
                outcome = &mut login => panic!("{outcome:?}"),
                job = next_job(&queue) => job,
            };
            drop(login);
            job.run(&mut hasher);
        }
        let outcome = disconnect(guess(&services)).await;
        assert!(matches!(outcome, Some(Err(Error::TooManyRequests { .. }))));
        services.store.close().await;
    }

    const CHEAP: HashCost = HashCost {
        memory_bytes: 64 * 1024,
        passes: 1,
    };

    /// A clock that moves by a window with each reading. At its first readings a thousand token
    /// checks come in.
    struct BusyClock {
        readings: AtomicU32,
        checks: Arc<TokenChecks>,
    }

    const BUSY_READINGS: u32 = 3;

    impl Clock for BusyClock {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }
        fn monotonic(&self) -> Duration {
            let reading = self.readings.fetch_add(1, Ordering::SeqCst);
            if reading < BUSY_READINGS {
                (0..1_000).for_each(|_| self.checks.add());
            }
            WINDOW * reading
        }
    }

    #[tokio::test]
    async fn a_thread_stands_aside_while_many_other_requests_come_and_then_works() {
        let checks = Arc::new(TokenChecks::default());
        let clock = Arc::new(BusyClock {
            readings: AtomicU32::new(0),
            checks: Arc::clone(&checks),
        });
        let meter = RateMeter::new(checks, Arc::clone(&clock) as _);
        let pool = PasswordPool {
            queue: Arc::default(),
        };
        let queue = Arc::clone(&pool.queue);
        let thread = std::thread::spawn(move || {
            work(&queue, PasswordHasher::new(CHEAP), Some(meter));
        });
        let hash = pool.hash(&Secret::new("a password"), [7; 16]).await;
        assert!(hash.is_ok());
        assert!(clock.readings.load(Ordering::SeqCst) > BUSY_READINGS);
        drop(pool);
        thread.join().unwrap();
    }

    #[test]
    fn a_thread_stands_aside_no_longer_than_until_the_pool_is_closed() {
        let queue = Arc::new(Queue::default());
        let thread = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || queue.stand_aside(Duration::MAX, || true))
        };
        queue.close();
        thread.join().unwrap();
    }
}
