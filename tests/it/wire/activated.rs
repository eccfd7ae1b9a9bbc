//! Runs the real program as a service manager does: with a socket that is open already, and with
//! variables that say so.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::moment::poll;
use super::process::{Killed, SETTINGS, program_by, said, terminate};

/// The descriptor comes as standard input and becomes the first one that is passed on.
const SCRIPT: &str = r#"export LISTEN_PID=$$; exec "$0" "$@" 3<&0 </dev/null"#;
const NAME: &str = "activated";

/// A running program that was passed one descriptor, by the name `door`.
pub(super) struct Activated {
    home: TempDir,
    child: Killed,
}

impl Activated {
    /// Starts the program, and does not wait for it.
    #[track_caller]
    pub(super) fn start(
        descriptor: impl Into<OwnedFd>,
        environment: &[(&str, &str)],
        settings: &str,
    ) -> Activated {
        let home = tempfile::tempdir().unwrap();
        Activated::start_in(home, descriptor.into(), environment, settings)
    }

    /// Starts the program again on the same data. The process must have ended before.
    #[track_caller]
    pub(super) fn again(
        self,
        descriptor: impl Into<OwnedFd>,
        environment: &[(&str, &str)],
        settings: &str,
    ) -> Activated {
        let Activated { home, .. } = self;
        Activated::start_in(home, descriptor.into(), environment, settings)
    }

    fn start_in(
        home: TempDir,
        descriptor: OwnedFd,
        environment: &[(&str, &str)],
        settings: &str,
    ) -> Activated {
        let config = format!("{SETTINGS}{settings}");
        let log = File::create(home.path().join(NAME).with_extension("log")).unwrap();
        let child = program_by(SCRIPT, home.path(), NAME, "serve", &config)
            .envs(environment.iter().copied())
            .envs([("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "door")])
            .stdin(Stdio::from(descriptor))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Activated {
            home,
            child: Killed(child),
        }
    }

    /// Waits until the process has logged these words.
    #[track_caller]
    pub(super) fn says(&mut self, words: &str) {
        poll(|| {
            if let Some(status) = self.child.0.try_wait().unwrap() {
                panic!("{status}: {}", self.said());
            }
            self.said().contains(words).then_some(())
        });
    }

    /// All that the process has logged so far.
    pub(super) fn said(&self) -> String {
        said(self.home.path(), NAME)
    }

    /// Sends SIGHUP to the process.
    pub(super) fn hang_up(&self) {
        let id = Pid::from_child(&self.child.0);
        kill_process(id, Signal::HUP).unwrap();
    }

    /// Sends SIGTERM to the process, and waits for its orderly end.
    #[track_caller]
    pub(super) fn stop(&mut self) {
        terminate(&self.child.0);
        assert_eq!(self.ends().code(), Some(0), "{}", self.said());
    }

    /// Waits until the process ends.
    #[track_caller]
    pub(super) fn ends(&mut self) -> ExitStatus {
        poll(|| self.child.0.try_wait().unwrap())
    }
}
