//! Tells the service manager what the server does, as `sd_notify(3)` says. Without `NOTIFY_SOCKET`
//! nothing is sent. A service manager that does not listen, or does not read, never makes the
//! server wait: a thread of its own sends.

use std::env;
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;

/// Messages that may wait for the service manager to read; further ones are dropped.
const WAITING: usize = 64;

/// Where messages go; none if there is no service manager that wants them. The thread starts with
/// the first message.
static MESSAGES: LazyLock<Option<SyncSender<String>>> = LazyLock::new(|| {
    env::var_os("NOTIFY_SOCKET")?;
    let (sender, messages) = sync_channel(WAITING);
    let thread = thread::Builder::new().name("doorward-notify".to_owned());
    let started = thread.spawn(move || send_all(&messages));
    if let Err(error) = &started {
        log::warn!("cannot start the thread that tells the service manager: {error}");
    }
    started.is_ok().then_some(sender)
});

/// Requests are answered: a start, or a reload, is done.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being read again. `ready` must follow, whether the new one is in force or
/// not. The moment lets systemd tell this reload from an earlier one.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => log::warn!("cannot tell the service manager of the reload: {error}"),
    }
}

/// No more requests are accepted; the process ends soon.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Sets the line that `systemctl status` shows.
pub fn status(line: &str) {
    tell(&[NotifyState::Status(line)]);
}

/// The process works: it need not be killed for another `watchdog`.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// The start needs so much more time, from now on.
pub fn extend_timeout(more: Duration) {
    let micros = u32::try_from(more.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::ExtendTimeoutUsec(micros)]);
}

/// How long the service manager waits for `alive` before it kills the process; none: it does not.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|it| !it.is_zero() && is_wanted())
}

/// Whether there is a service manager that wants messages.
pub fn is_wanted() -> bool {
    MESSAGES.is_some()
}

fn tell(states: &[NotifyState<'_>]) {
    if let Some(messages) = &*MESSAGES {
        let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
        // Newer messages say the same, so one that does not fit may be lost.
        let _ = messages.try_send(lines.join("\n"));
    }
}

/// Sends what comes, for ever. The first failure is logged.
fn send_all(messages: &Receiver<String>) {
    let mut failed = false;
    for message in messages {
        if let Err(error) = sd_notify::notify(&[NotifyState::Custom(&message)])
            && !std::mem::replace(&mut failed, true)
        {
            log::warn!(
                "cannot tell the service manager by $NOTIFY_SOCKET: {error}. It may take the start \
                 for one that hangs"
            );
        }
    }
}
