//! Runs a whole server in the test process, and the clients that talk to it.
//!
//! Each server has its own thread, port, directory, clock and source of random bytes, so that tests
//! run in parallel and none of them waits for time to pass.

mod actor;
mod answer;
mod client;
mod inside;
mod mail;
mod response_checker;
mod shape;
mod smtp;
mod stored;
mod world;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use doorward::api;
use doorward::config::{self, Config};
use doorward::http::Dispatcher;
use doorward::model::{Event, Secret, Timestamp, UserId};
use doorward::server;
use doorward::service::Services;
use doorward::store::Store;
use doorward::store::sled::{SledStore, StoreOptions, WriteMeter};
use doorward::world::World;
use tempfile::TempDir;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

pub(crate) use actor::{Actor, User};
pub(crate) use answer::Answer;
pub(crate) use client::{Received, Request, read_chunk};
pub(crate) use mail::Mail;
pub(crate) use response_checker::{PROXYS_REQUEST_ID, ResponseChecker, Served};
pub(crate) use smtp::{Encryption, SmtpServer, Trick};
pub(crate) use stored::{by_hour_and_name, events_from};
pub(crate) use world::{HandClock, SeededRandom};

/// The administrator's password on every test server.
pub(crate) const ADMIN_PASSWORD: &str = "the admin's password";
/// One of the hub's passwords.
pub(crate) const HUB_PASSWORD: &str = "open sesame";
/// The password of every account that tests sign up.
pub(crate) const PASSWORD: &str = "a good password";

/// The settings of every test server, one key per line, so that a test can replace single keys.
const SETTINGS: &[(&str, &str)] = &[
    ("server.listen", r#""127.0.0.1:0""#),
    ("server.public_url", r#""https://door.example.org""#),
    ("storage.path", r#""data""#),
    ("storage.memory_budget", r#""16MiB""#),
    ("admin.password", r#""the admin's password""#),
    ("hub.passwords", r#"["open sesame", "the other one"]"#),
    ("accounts.hash_memory", r#""1MiB""#),
    ("accounts.hash_passes", "1"),
    (
        "reset.reset_link",
        r#""https://example.org/reset?code={token}""#,
    ),
    ("mail.transport", r#""file""#),
    ("mail.path", r#""mail""#),
    ("mail.from", r#""The Door <door@example.org>""#),
    ("mail.notices", "false"),
    ("limits.rates", "false"),
];

/// A server that runs until it is dropped.
pub(crate) struct Server {
    /// Its clock: it moves only when a test advances it.
    pub(crate) clock: Arc<HandClock>,
    /// Its source of random bytes.
    pub(crate) random: Arc<SeededRandom>,
    inner: Arc<TestServer>,
}

/// The part of a server that its clients share.
pub(crate) struct TestServer {
    directory: TempDir,
    world: World,
    /// The password that the server generated for the administrator, if it did.
    announced: Arc<Mutex<Option<String>>>,
    running: Mutex<Option<Running>>,
}

/// A server that runs at the moment.
struct Running {
    address: SocketAddr,
    checker: Arc<ResponseChecker>,
    store: Arc<dyn Store>,
    services: Arc<Services>,
    runtime: Handle,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Starts a server with the default settings of the tests.
    pub(crate) fn start() -> Server {
        Server::with("")
    }

    /// Starts a server with further settings: TOML with one dotted key per line, such as
    /// `limits.rates = true`.
    pub(crate) fn with(settings: &str) -> Server {
        Server::starting(settings, |_| ())
    }

    /// Starts a server after `set` has set the clock.
    pub(crate) fn starting(settings: &str, set: impl FnOnce(&HandClock)) -> Server {
        let clock = Arc::new(HandClock::start());
        let random = Arc::new(SeededRandom::start());
        let inner = TestServer {
            directory: tempfile::tempdir().unwrap(),
            world: World {
                clock: clock.clone(),
                random: random.clone(),
            },
            announced: Arc::default(),
            running: Mutex::default(),
        };
        let server = Server {
            clock,
            random,
            inner: Arc::new(inner),
        };
        set(&server.clock);
        server.inner.run(settings);
        server
    }

    /// Stops the server, closes the store, and starts again on the same data. The clock does not
    /// move.
    pub(crate) fn restart(&self) {
        self.restart_with("");
    }

    /// Like `restart`, with other settings.
    pub(crate) fn restart_with(&self, settings: &str) {
        self.restart_after(Duration::ZERO, |_| (), settings);
    }

    /// Stops the server and starts it again when `off` has passed and `set` has set the clock.
    pub(crate) fn restart_after(
        &self,
        off: Duration,
        set: impl FnOnce(&HandClock),
        settings: &str,
    ) {
        self.inner.stop();
        self.clock.advance(off);
        self.clock.restart();
        set(&self.clock);
        self.inner.run(settings);
    }

    /// Advances the clock. Before that, waits until earlier uses of tokens are stored.
    pub(crate) fn pass(&self, time: Duration) {
        self.settle();
        self.clock.advance(time);
    }

    /// Waits until background work, such as storing the last use of a token, is done: the tasks in
    /// the runtime's queue run first, and the writer thread runs its steps in order.
    pub(crate) fn settle(&self) {
        let (store, runtime) = self.inner.with(|it| (it.store.clone(), it.runtime.clone()));
        let nobody = UserId::from_random([0; 16]);
        let settled = runtime.spawn(async move {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            store
                .rehash_password(nobody, String::new(), String::new())
                .await
        });
        runtime.block_on(settled).unwrap().unwrap();
    }

    /// Sweeps until nothing is left to remove.
    pub(crate) fn sweep(&self) {
        let services = self.inner.with(|it| it.services.clone());
        while self.run(services.sweep()).unwrap() {}
    }

    /// How often each event name was counted, over all time.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for ((_, name), count) in self.hourly_counts() {
            *counts.entry(name).or_default() += count;
        }
        counts
    }

    /// How often each event name was counted in each hour.
    pub(crate) fn hourly_counts(&self) -> BTreeMap<(u32, String), u64> {
        let store = self.store();
        by_hour_and_name(&self.run(store.event_counts(0..u32::MAX, None)).unwrap())
    }

    /// Every event that is stored, oldest first.
    pub(crate) fn events(&self) -> Vec<Event> {
        let store = self.store();
        self.run(events_from(store.as_ref(), Timestamp::default()))
            .unwrap()
    }

    /// The server's store.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.inner.with(|it| it.store.clone())
    }

    /// Runs a future to its end on this server's runtime.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let runtime = self.inner.with(|it| it.runtime.clone());
        runtime.block_on(future)
    }

    /// The password that the server generated for the administrator since the last call, if it did.
    pub(crate) fn announced(&self) -> Option<String> {
        self.inner.announced.lock().unwrap().take()
    }

    /// The routes that the server serves.
    pub(crate) fn served(&self) -> Arc<ResponseChecker> {
        self.inner.with(|it| it.checker.clone())
    }

    /// The address that the server listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.inner.with(|it| it.address)
    }

    /// The time on the server's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.world.clock.now()
    }

    /// A client without a token.
    pub(crate) fn anyone(&self) -> Actor {
        Actor::new(&self.inner)
    }

    /// Signs up a new account.
    pub(crate) fn user(&self, email: &str) -> User {
        User::sign_up(&self.anyone(), email)
    }

    /// Logs in as the administrator.
    pub(crate) fn admin(&self) -> Actor {
        let login = serde_json::json!({"username": "admin", "password": ADMIN_PASSWORD});
        let token = self
            .anyone()
            .post("/api/token", login)
            .gives(200)
            .string("/token");
        self.anyone().with_token(&token)
    }

    /// Logs in to the hub.
    pub(crate) fn hub(&self) -> Actor {
        let login = serde_json::json!({"password": HUB_PASSWORD});
        let token = self
            .anyone()
            .post("/login", login)
            .gives(200)
            .string("/token");
        self.anyone().with_token(&token)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.inner.stop();
    }
}

impl TestServer {
    fn with<T>(&self, look: impl FnOnce(&Running) -> T) -> T {
        let running = self
            .running
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        look(running.as_ref().expect("the server runs"))
    }

    /// The address that the server listens on, and the checker of its answers.
    fn door(&self) -> (SocketAddr, Arc<ResponseChecker>) {
        self.with(|it| (it.address, it.checker.clone()))
    }

    fn run(&self, settings: &str) {
        let config = Arc::new(configuration(settings, &self.directory));
        let world = self.world.clone();
        let announced = Arc::clone(&self.announced);
        let (stop, stopped) = oneshot::channel();
        let (started, start) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let handle = runtime.handle().clone();
            runtime.block_on(async move {
                let (listeners, dispatcher, store, services) =
                    open(&config, world, &announced).await;
                let failures = Arc::clone(&services);
                let address = listeners.addresses()[0].parse().unwrap();
                let checker = Arc::new(ResponseChecker::of(&dispatcher));
                let parts = (address, checker, Arc::clone(&store), services, handle);
                started.send(parts).unwrap();
                // An error means that the sender was dropped: the server stops too.
                server::serve(listeners, Arc::new(dispatcher), async {
                    drop(stopped.await);
                })
                .await;
                failures.write_failures().await;
                drop(failures);
                store.close().await;
            });
        });
        let (address, checker, store, services, runtime) = start
            .recv()
            .expect("the server starts; its thread says why not");
        let running = Running {
            address,
            checker,
            store,
            services,
            runtime,
            stop,
            thread,
        };
        *self.running.lock().unwrap() = Some(running);
    }

    fn stop(&self) {
        let running = self
            .running
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        if let Some(Running {
            stop,
            thread,
            store,
            services,
            ..
        }) = running
        {
            drop((store, services));
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

async fn open(
    config: &Arc<Config>,
    world: World,
    announced: &Mutex<Option<String>>,
) -> (server::Listeners, Dispatcher, Arc<dyn Store>, Arc<Services>) {
    let listeners = server::bind(config).unwrap();
    let opened = SledStore::open(
        &config.storage.path,
        StoreOptions::of(config, world.random_bytes(), WriteMeter::open()),
    )
    .await;
    let store: Arc<dyn Store> = Arc::new(opened.unwrap());
    let announce = |password: &Secret| {
        *announced.lock().unwrap() = Some(password.reveal().to_owned());
    };
    let services = Services::start(Arc::clone(config), world, Arc::clone(&store), announce);
    let services = services.await.unwrap();
    let dispatcher = Dispatcher::new(&api::served(&config.apis), Arc::clone(&services));
    (listeners, dispatcher, store, services)
}

/// `settings`, and the default settings of the tests whose keys it does not contain. A line
/// `# key` in `settings` leaves the default of that key out.
fn configuration(settings: &str, directory: &TempDir) -> Config {
    let mut text = settings.to_owned();
    for (key, value) in SETTINGS {
        if !settings
            .lines()
            .any(|line| line.trim_start_matches(['#', ' ']).starts_with(key))
        {
            text += "\n";
            text += &[key, " = ", value].concat();
        }
    }
    config::parse(&text, directory.path()).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"))
}

/// Runs `visit` in `racers` threads at the same moment and returns the result of each.
pub(crate) fn race<T: Send>(racers: usize, visit: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let gun = Barrier::new(racers);
    std::thread::scope(|scope| {
        let racers: Vec<_> = (0..racers)
            .map(|number| {
                let (gun, visit) = (&gun, &visit);
                scope.spawn(move || {
                    gun.wait();
                    visit(number)
                })
            })
            .collect();
        racers
            .into_iter()
            .map(|racer| racer.join().unwrap())
            .collect()
    })
}

/// A duration of this many hours.
pub(crate) const fn hours(hours: u64) -> Duration {
    Duration::from_hours(hours)
}

/// A duration of this many days.
pub(crate) const fn days(days: u64) -> Duration {
    hours(days * 24)
}

/// One second less than `time`.
pub(crate) const fn almost(time: Duration) -> Duration {
    time.saturating_sub(seconds(1))
}

/// A duration of this many seconds.
pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
