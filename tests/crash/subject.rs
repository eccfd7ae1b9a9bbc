//! The program under test: a real process with its own directory.

use std::fs::{self, File, Permissions};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::client::{Client, Request};
use crate::mailbox::LINK;
use crate::moment;

/// A start may take this long on a busy machine. It is usually much faster.
const START_PATIENCE: Duration = Duration::from_secs(30);
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// The directories of a run.
pub(crate) struct Place {
    home: PathBuf,
    /// The directory of the database.
    pub(crate) data: PathBuf,
}

impl Place {
    /// `home` for configuration, mail and log; `data` for the database.
    pub(crate) fn new(home: &Path, data: &Path) -> Place {
        Place {
            home: home.to_owned(),
            data: data.to_owned(),
        }
    }

    pub(crate) fn mail(&self) -> PathBuf {
        self.home.join("mail")
    }

    fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    /// The log of the last process.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// Starts a process and does not wait for it.
    pub(crate) fn spawn(&self) -> Subject {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let config = self.home.join("config.toml");
        fs::write(&config, self.config(address)).unwrap();
        // The file holds a password, and the program warns if other users can read it.
        fs::set_permissions(&config, Permissions::from_mode(0o600)).unwrap();
        let log = File::create(self.log()).unwrap();
        let built = env!("CARGO_BIN_EXE_doorward").into();
        let process = Command::new(std::env::var_os("DOORWARD_BINARY").unwrap_or(built))
            .args(["serve", "--config"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Subject { process, address }
    }

    /// Starts a process and waits until it serves.
    pub(crate) fn start(&self) -> Subject {
        for _ in 0..5 {
            let mut subject = self.spawn();
            let ready = moment::poll(START_PATIENCE, || {
                let ended = subject
                    .process
                    .try_wait()
                    .unwrap()
                    .map(|status| Err(status.to_string()));
                ended.or_else(|| subject.is_there().then_some(Ok(())))
            });
            match ready {
                Some(Ok(())) => return subject,
                // Another program took the port after we found it free.
                Some(Err(_)) if self.said().contains("cannot listen") => {}
                Some(Err(status)) => panic!("LOST: it does not start, {status}: {}", self.said()),
                None => panic!(
                    "LOST: it does not start in {START_PATIENCE:?}: {}",
                    self.said()
                ),
            }
        }
        panic!("no port to listen on: {}", self.said());
    }

    fn config(&self, address: SocketAddr) -> String {
        let (data, mail) = (self.data.display(), self.mail().display().to_string());
        format!(
            r#"
            server.listen = "{address}"
            storage.path = "{data}"
            admin.password = "a password for the crash test"
            tokens.per_user = 10000
            accounts = {{ hash_memory = "1MiB", hash_passes = 1 }}
            reset.reset_link = "{LINK}{{token}}"
            mail = {{ transport = "file", path = "{mail}" }}
            limits = {{ rates = false }}
            events = {{ max_names = 1000000, names_per_reporter = 1000000 }}
            "#
        )
    }
}

pub(crate) struct Subject {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Subject {
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Whether the server answers. On a full disk it reports that with 503, and still serves.
    fn is_there(&self) -> bool {
        let request = Request {
            verb: "GET",
            path: "/healthz",
            ..Request::default()
        };
        self.client()
            .send(&request)
            .is_ok_and(|answer| matches!(answer.status, 200 | 503))
    }

    /// Waits until the process serves (`Ok`) or has ended by itself (`Err`).
    pub(crate) fn settled(mut self, patience: Duration) -> Result<Subject, ExitStatus> {
        let settled = moment::poll(patience, || {
            let ended = self.process.try_wait().unwrap();
            ended.map(Some).or_else(|| self.is_there().then_some(None))
        });
        match settled.expect("it neither serves nor gives up") {
            Some(status) => Err(status),
            None => Ok(self),
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Sends SIGTERM. The process must end with status 0.
    pub(crate) fn stop(mut self) {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        let status = moment::poll(STOP_PATIENCE, || self.process.try_wait().unwrap());
        let status = status.expect("it does not stop when asked to");
        assert_eq!(
            (status.code(), status.signal()),
            (Some(0), None),
            "a clean stop"
        );
    }
}

impl Drop for Subject {
    /// A failed test leaves no process behind.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
