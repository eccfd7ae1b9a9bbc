//! The pool that hashes passwords: a few threads with memory of their own, so that a flood of
//! logins slows down only logins. A queued job always runs: a client that disconnects frees nothing
//! early.

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Error;
use crate::crypto::{HashCost, PasswordHasher, Verdict};
use crate::model::Secret;
use crate::sync::{lock, recover};

/// The maximum of threads: each has the memory of a hash.
const MOST_THREADS: usize = 4;
/// How much a thread gives way (nice(2)): it gets a tenth of a core that other threads need too.
const GIVE_WAY: i32 = 10;
/// Jobs that may wait: at 20 ms each, the last one waits as long as a person would accept.
const QUEUE_JOBS: usize = 256;
/// How long to wait before a retry after the queue was full: by then it likely has room.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// After this long without work a thread frees its memory.
const REST_AFTER: Duration = Duration::from_secs(10);

enum Job {
    Hash {
        secret: Secret,
        salt: [u8; 16],
        answer: oneshot::Sender<String>,
    },
    Verify {
        secret: Secret,
        phc: String,
        answer: oneshot::Sender<Verdict>,
    },
}

/// The pool.
pub(super) struct PasswordPool {
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    jobs: Mutex<Jobs>,
    arrived: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    closed: bool,
}

impl PasswordPool {
    /// Starts a thread for each core, up to a bound. The threads give way to all other threads:
    /// logins may use the whole machine, but never at the cost of other requests.
    pub(super) fn start(cost: HashCost) -> PasswordPool {
        let queue = Arc::new(Queue::default());
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        for index in 0..cores.min(MOST_THREADS) {
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new().name(format!("doorward-hash-{index}"));
            if let Err(error) = thread.spawn(move || queue.work(PasswordHasher::new(cost))) {
                log::error!("cannot start a password hashing thread: {error}");
            }
        }
        PasswordPool { queue }
    }

    /// The PHC string of a password.
    pub(super) async fn hash(&self, secret: &Secret, salt: [u8; 16]) -> Result<String, Error> {
        let (answer, hash) = oneshot::channel();
        self.queue.add(Job::Hash {
            secret: secret.clone(),
            salt,
            answer,
        })?;
        hash.await.map_err(|error| Error::Internal(Box::new(error)))
    }

    /// Compares a password with a PHC string.
    pub(super) async fn verify(&self, secret: &Secret, phc: &str) -> Result<Verdict, Error> {
        let (answer, verdict) = oneshot::channel();
        self.queue.add(Job::Verify {
            secret: secret.clone(),
            phc: phc.to_owned(),
            answer,
        })?;
        verdict
            .await
            .map_err(|error| Error::Internal(Box::new(error)))
    }
}

impl Drop for PasswordPool {
    fn drop(&mut self) {
        lock(&self.queue.jobs).closed = true;
        self.queue.arrived.notify_all();
    }
}

impl Queue {
    fn add(&self, job: Job) -> Result<(), Error> {
        let mut jobs = lock(&self.jobs);
        if jobs.waiting.len() >= QUEUE_JOBS {
            return Err(Error::Busy {
                retry_after: RETRY_AFTER,
            });
        }
        jobs.waiting.push_back(job);
        drop(jobs);
        self.arrived.notify_one();
        Ok(())
    }

    fn work(&self, mut hasher: PasswordHasher) {
        // On Linux this applies to the thread, not to the process. If it fails, hashing runs at
        // normal priority.
        let _ = rustix::process::nice(GIVE_WAY);
        while let Some(job) = self.next(&mut hasher) {
            // The caller may have gone; the job runs anyway.
            match job {
                Job::Hash {
                    secret,
                    salt,
                    answer,
                } => {
                    let _ = answer.send(hasher.hash(&secret, salt));
                }
                Job::Verify {
                    secret,
                    phc,
                    answer,
                } => {
                    let _ = answer.send(hasher.verify(&secret, &phc));
                }
            }
        }
    }

    /// Waits for the next job; none when the pool is closed and empty. After `REST_AFTER` without a
    /// job the hasher frees its memory.
    fn next(&self, hasher: &mut PasswordHasher) -> Option<Job> {
        let mut jobs = lock(&self.jobs);
        loop {
            if let Some(job) = jobs.waiting.pop_front() {
                return Some(job);
            }
            if jobs.closed {
                return None;
            }
            let waited = self.arrived.wait_timeout(jobs, REST_AFTER);
            let (again, waited) = recover(waited);
            jobs = again;
            if waited.timed_out() {
                hasher.rest();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::crypto::SystemRandom;
    use crate::model::{Client, TokenKind};
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
            let job = queue.jobs.lock().unwrap().waiting.pop_front();
            if let Some(job) = job {
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
            let client = Client::new([192, 0, 2, 1].into(), None);
            let now = services.world.clock.now();
            let login = services.log_in_user(TokenKind::Session, login, &password, client, now);
            let mut login = std::pin::pin!(login);
            let job = tokio::select! {
                _ = &mut login => panic!("nothing is compared"),
                job = next_job(&queue) => job,
            };
            let Job::Verify { phc, answer, .. } = job else {
                panic!("nothing is hashed");
            };
            assert!(phc.starts_with("$argon2id$v=19$m=1024,t=3,p=1$"), "{phc}");
            assert!(crate::crypto::is_password_hash(&phc));
            assert!(answer.send(Verdict::Right).is_ok());
            let outcome = login.await;
            assert!(matches!(outcome, Err(Error::BadCredentials)));
        }
        services.store.close().await;
    }
}
