//! The real program, for what only a process can show.

use std::fs::{self, File, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::TempDir;

use super::moment::poll;

/// What a process is configured with, besides what its test says.
const SETTINGS: &str =
    "storage.path = \"data\"\nadmin.password = \"the admin's password\"\nlimits.rates = false\n";

/// A process with a directory of its own.
pub(super) struct Process {
    home: TempDir,
    child: Killed,
    pub(super) address: SocketAddr,
}

impl Process {
    /// A process that serves, on a port of its own.
    #[track_caller]
    pub(super) fn start(settings: &str) -> Process {
        Process::start_in(tempfile::tempdir().unwrap(), settings)
    }

    /// The next one on the same data; this one has ended.
    #[track_caller]
    pub(super) fn again(self, settings: &str) -> Process {
        let Process { home, .. } = self;
        Process::start_in(home, settings)
    }

    #[track_caller]
    fn start_in(home: TempDir, settings: &str) -> Process {
        let settings = format!("server.listen = \"127.0.0.1:0\"\n{SETTINGS}{settings}");
        let mut child = Killed(spawn(home.path(), "first", &settings));
        let address = poll(|| {
            let said = said(home.path(), "first");
            if let Some(status) = child.0.try_wait().unwrap() {
                panic!("{status}: {said}");
            }
            let (_, address) = said.split_once("serving on ")?;
            let (address, _) = address.split_once('\n')?;
            Some(address.parse().unwrap())
        });
        Process {
            home,
            child,
            address,
        }
    }

    /// Where its files are.
    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What it has said so far.
    pub(super) fn said(&self) -> String {
        said(self.home.path(), "first")
    }

    /// How a second process ends that is started beside it, and what it said.
    pub(super) fn second(&self, settings: &str) -> (Option<i32>, String) {
        ended(self.home.path(), &format!("{SETTINGS}{settings}"))
    }

    /// Asks it to stop, without waiting.
    pub(super) fn terminate(&self) {
        let id = rustix::process::Pid::from_child(&self.child.0);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    }

    /// How it ends.
    #[track_caller]
    pub(super) fn ends(&mut self) -> ExitStatus {
        poll(|| self.child.0.try_wait().unwrap())
    }
}

/// How a process with this configuration ends that cannot serve, and what it said.
#[track_caller]
pub(super) fn refuses(settings: &str) -> (Option<i32>, String) {
    let home = tempfile::tempdir().unwrap();
    ended(home.path(), &format!("{SETTINGS}{settings}"))
}

#[track_caller]
fn ended(home: &Path, config: &str) -> (Option<i32>, String) {
    let name = "second";
    let mut child = Killed(spawn(home, name, config));
    let status = poll(|| child.0.try_wait().unwrap());
    (status.code(), said(home, name))
}

fn spawn(home: &Path, name: &str, config: &str) -> Child {
    let file = home.join(name).with_extension("toml");
    fs::write(&file, config).unwrap();
    // It holds a password, and the program says so when others can read it.
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    // It inherits the usual umask, whatever that of the tests is: everybody may read.
    Command::new("sh")
        .args(["-c", r#"umask 022; exec "$0" "$@""#])
        .arg(env!("CARGO_BIN_EXE_doorward"))
        .args(["serve", "--config"])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(File::create(home.join(name).with_extension("log")).unwrap())
        .spawn()
        .unwrap()
}

fn said(home: &Path, name: &str) -> String {
    fs::read_to_string(home.join(name).with_extension("log")).unwrap()
}

/// A process that does not outlive its test, also when that fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
