//! `doorward serve`: opens the listeners and the store, serves until a signal or a failure, and
//! closes the store.

use std::io::{BufRead, IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Mode;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::console::{print, read_config};
use super::error::CliError;
use super::reload::{self, Reloader};
use super::{first_steps, init, logging, opening, service_manager};
use crate::api;
use crate::config::Config;
use crate::http::Dispatcher;
use crate::model::Secret;
use crate::server::{self, notify};
use crate::service::Services;
use crate::store::sled::WriteMeter;
use crate::store::{CONTROL_SOCKET, Store};

/// How often the watchdog checks whether the disk still completes writes.
const WATCHDOG_INTERVAL: Duration = Duration::from_secs(5);
/// After this many more checks with the same group of changes under way, the disk counts as
/// hanging.
const WATCHDOG_LIMIT: u32 = 12;

/// The longest answer that is read from a terminal, in bytes.
const LONGEST_ANSWER: u64 = 100;

/// How long the last group of changes may take to reach the disk: a hanging disk must not keep the
/// process from ending.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn run(path: &Path) -> Result<(), CliError> {
    offer_first_configuration(path)?;
    let config = Arc::new(read_config(path)?);
    logging::start(&config.log);
    let meter = WriteMeter::open();
    harden();
    opening::runtime()?.block_on(serve(path, config, meter))
}

/// Asks on a terminal whether to write a first configuration, if the file is not there. Without a
/// terminal the start fails, with a sentence that says the same.
fn offer_first_configuration(file: &Path) -> Result<(), CliError> {
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    if file.symlink_metadata().is_ok() || !stdin.is_terminal() || !stdout.is_terminal() {
        return Ok(());
    }
    let Some(target) = init::Target::of(file) else {
        return Ok(());
    };
    let file = file.display();
    print(&format!(
        "There is no {file}. Write a first one now? [y/N] "
    ))?;
    let mut answer = String::new();
    stdin
        .lock()
        .take(LONGEST_ANSWER)
        .read_line(&mut answer)
        .map_err(|cause| CliError::because("cannot read from the terminal", cause))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        init::run(&target)?;
    }
    Ok(())
}

/// Restricts new files to the user of this process and switches core dumps off, because memory
/// holds secrets. A panic in one of the database's own threads would leave requests waiting for
/// ever, so it ends the process. Nothing acknowledged is lost: an answer is sent only after its
/// changes are on the disk.
fn harden() {
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let undumpable = rustix::process::DumpableBehavior::NotDumpable;
    if let Err(error) = rustix::process::set_dumpable_behavior(undumpable) {
        log::warn!("cannot disable core dumps: {error}");
    }
    std::panic::set_hook(Box::new(|panic| {
        let current = std::thread::current();
        let name = current.name().unwrap_or("without a name");
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string);
        let place = place.unwrap_or_default();
        log::error!("thread {name} panicked at {place}: {message}");
        if name.starts_with("sled") {
            logging::exit("a thread of the database has died: exiting for a restart");
        }
    }));
}

async fn serve(path: &Path, config: Arc<Config>, meter: WriteMeter) -> Result<(), CliError> {
    let signals = reload::signals();
    let listeners = listen(&config).map_err(CliError::cannot_listen)?;
    let metrics = server::bind_metrics(&config).map_err(CliError::cannot_listen)?;
    let extending = tokio::spawn(service_manager::extend_start());
    let world = opening::world();
    let store = opening::store(&config, &world, meter).await?;
    let announce = |password: &Secret| {
        if let Err(error) = opening::show_generated_password(&config, password) {
            log::error!("the generated admin password is lost; set admin.password: {error}");
        }
    };
    let services = Services::start(Arc::clone(&config), world, Arc::clone(&store), announce)
        .await
        .map_err(|error| CliError::cannot_open(&error, &config.storage.path))?;
    extending.abort();
    let reloader = Reloader::new(path, signals, &services, listeners.certificate());
    let background_tasks = start_background_tasks(&services, reloader);
    // Before the first client, who may be the one that stops the server, can know that it serves.
    let asked = server::stop_signal();
    // If it is not known, the server serves; the store says more when it is asked.
    let has_accounts = services.has_accounts().await.unwrap_or(true);
    services.note_addresses(listeners.addresses());
    let control = control_socket(&config.storage.path);
    first_steps::log(&config, &listeners.addresses(), has_accounts);
    for address in metrics.iter().flat_map(server::Listeners::addresses) {
        log::info!("serving metrics on http://{address}/metrics");
    }
    let control_api = Dispatcher::for_control(&api::control::served(), Arc::clone(&services));
    let (stopping, stopped) = watch::channel(false);
    let dispatcher = Dispatcher::new(&api::served(&config.apis), Arc::clone(&services));
    let dispatcher = Arc::new(dispatcher);
    let metrics_api = Dispatcher::new(&[&api::metrics::LISTENER], Arc::clone(&services));
    let (ended, (), ()) = tokio::join!(
        serve_until_stopped(listeners, dispatcher, store.as_ref(), asked, stopping),
        serve_beside(control, control_api, stopped.clone()),
        serve_beside(metrics, metrics_api, stopped),
    );
    for task in background_tasks {
        task.abort();
    }
    services.write_failures().await;
    if tokio::time::timeout(CLOSE_TIMEOUT, store.close())
        .await
        .is_err()
    {
        logging::exit("the disk has not taken the last changes: leaving without it");
    }
    log::info!("stopped");
    ended
}

/// Takes the sockets that the service manager passed on or, if there are none, opens those of
/// `server.listen`.
fn listen(config: &Config) -> Result<server::Listeners, server::ServerError> {
    let Some(passed) = server::handed_over(config)? else {
        return server::bind(config);
    };
    log::info!("the service manager passed sockets on: `server.listen` is not used");
    Ok(passed)
}

/// Opens the control socket. The server also starts without it: the log says what does not work.
fn control_socket(data: &Path) -> Option<server::Listeners> {
    server::control_socket(data)
        .inspect_err(|error| {
            let path = data.join(CONTROL_SOCKET);
            log::warn!(
                "cannot listen on the control socket {}: {error}. `doorward health` and other \
                 commands do not find this server",
                path.display()
            );
        })
        .ok()
}

/// Serves another listener, if there is one, until the server stops.
async fn serve_beside(
    socket: Option<server::Listeners>,
    api: Dispatcher,
    mut stopped: watch::Receiver<bool>,
) {
    if let Some(socket) = socket {
        let stop = async {
            // An error means that the sender is gone: the server has stopped too.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        server::serve(socket, Arc::new(api), stop).await;
    }
}

fn start_background_tasks(services: &Arc<Services>, reloader: Reloader) -> [JoinHandle<()>; 5] {
    let (mails, sweeps) = (Arc::clone(services), Arc::clone(services));
    let failures = Arc::clone(services);
    [
        tokio::spawn(service_manager::keep_informed(Arc::clone(services))),
        tokio::spawn(async move { mails.send_mails().await }),
        tokio::spawn(async move { sweeps.keep_sweeping().await }),
        tokio::spawn(async move { failures.keep_writing_failures().await }),
        tokio::spawn(reloader.run()),
    ]
}

/// Serves until a stop signal (a success), or until the store stops or the disk hangs (failures).
async fn serve_until_stopped(
    listeners: server::Listeners,
    dispatcher: Arc<Dispatcher>,
    store: &dyn Store,
    asked: impl Future<Output = ()>,
    stopping: watch::Sender<bool>,
) -> Result<(), CliError> {
    let mut ended = Ok(());
    // The server asks for this when it accepts connections.
    let stop = async {
        notify::ready();
        ended = tokio::select! {
            () = asked => {
                log::info!("stop signal received: finishing open requests");
                Ok(())
            }
            why = store.stopped() => Err(CliError::new(format!(
                "the store has stopped: {why}. Start again: every start checks the files"
            ))),
            () = disk_hangs(store) => leave_hanging_disk(),
        };
        notify::stopping();
        stopping.send_replace(true);
    };
    server::serve(listeners, dispatcher, stop).await;
    ended
}

/// Resolves when one group of changes has been under way to the disk for a minute.
async fn disk_hangs(store: &dyn Store) {
    let (mut seen, mut looks) = (None, 0);
    while looks < WATCHDOG_LIMIT {
        tokio::time::sleep(WATCHDOG_INTERVAL).await;
        let group = store.under_way();
        looks = if group.is_some() && group == seen {
            looks + 1
        } else {
            0
        };
        seen = group;
    }
}

/// Ends the process without waiting for the writer thread, which hangs. The service manager can
/// then restart it.
fn leave_hanging_disk() -> ! {
    logging::exit("the disk has not taken a change for a minute: exiting for a restart")
}
