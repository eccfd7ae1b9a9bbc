//! Runs the real program, for tests that need a process of its own.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use tempfile::TempDir;

use super::moment::poll;

/// The settings of every process, besides those of its test.
pub(super) const SETTINGS: &str =
    "storage.path = \"data\"\nadmin.password = \"the admin's password\"\nlimits.rates = false\n";

/// A running program with its own directory.
pub(super) struct Process {
    home: TempDir,
    child: Killed,
    pub(super) address: SocketAddr,
}

impl Process {
    /// Starts the program on a free port and waits until it serves.
    #[track_caller]
    pub(super) fn start(settings: &str) -> Process {
        Process::start_in(tempfile::tempdir().unwrap(), settings)
    }

    /// Starts the program again on the same data. The process must have ended before.
    #[track_caller]
    pub(super) fn again(self, settings: &str) -> Process {
        let Process { home, .. } = self;
        Process::start_in(home, settings)
    }

    #[track_caller]
    pub(super) fn start_in(home: TempDir, settings: &str) -> Process {
        let usual = usual_without(settings);
        let settings = format!("server.listen = \"127.0.0.1:0\"\n{usual}{settings}");
        let mut child = Killed(serve(home.path(), "first", &settings));
        let address = poll(|| {
            let said = said(home.path(), "first");
            if let Some(status) = child.0.try_wait().unwrap() {
                panic!("{status}: {said}");
            }
            let (_, address) = said.split_once("serving on http://")?;
            let (address, _) = address.split_once('\n')?;
            Some(address.parse().unwrap())
        });
        Process {
            home,
            child,
            address,
        }
    }

    /// Starts the program with a pipe as its standard error. Nobody reads the pipe beyond the line
    /// that says that it serves.
    #[track_caller]
    pub(super) fn start_with_pipe(settings: &str) -> (Process, BufReader<ChildStderr>) {
        let home = tempfile::tempdir().unwrap();
        let settings = format!("server.listen = \"127.0.0.1:0\"\n{SETTINGS}{settings}");
        let (child, mut pipe) = piped(home.path(), &settings);
        let line = line_with("serving on http://", &mut pipe);
        let (_, address) = line.split_once("serving on http://").unwrap();
        let address = address.trim_end().parse().unwrap();
        let process = Process {
            home,
            child,
            address,
        };
        (process, pipe)
    }

    /// The directory with its configuration, its log and its data.
    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// All that the process has logged so far.
    pub(super) fn said(&self) -> String {
        said(self.home.path(), "first")
    }

    /// Stops the process: all that it has logged.
    #[track_caller]
    pub(super) fn all_said(mut self) -> String {
        self.terminate();
        self.ends();
        self.said()
    }

    /// Starts a second process on the same data, which must end: its exit code and its log.
    pub(super) fn second(&self, settings: &str) -> (Option<i32>, String) {
        ended(self.home.path(), &format!("{SETTINGS}{settings}"))
    }

    /// The most memory that the process has had resident so far, in bytes (`VmHWM`, proc(5)),
    /// without the pages of the program's file (`RssFile`): a debug build has tens of megabytes.
    pub(super) fn peak_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.0.id())).unwrap();
        let kib = |name: &str| {
            let value = status.lines().find_map(|it| it.strip_prefix(name));
            let value = value.unwrap().trim().strip_suffix(" kB").unwrap();
            value.parse::<u64>().unwrap()
        };
        (kib("VmHWM:") - kib("RssFile:")) * 1024
    }

    /// Writes other settings into the configuration file. The process does not read them by itself.
    pub(super) fn rewrite(&self, settings: &str) {
        let settings = format!("server.listen = \"127.0.0.1:0\"\n{SETTINGS}{settings}");
        fs::write(self.home.path().join("first.toml"), settings).unwrap();
    }

    /// Sends a signal to the process, without waiting.
    pub(super) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child.0);
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Sends SIGTERM to the process, without waiting.
    pub(super) fn terminate(&self) {
        terminate(&self.child.0);
    }

    /// Kills the process (SIGKILL) and waits until it is gone.
    pub(super) fn kill(&mut self) {
        self.child.0.kill().unwrap();
        self.child.0.wait().unwrap();
    }

    /// The id of the process.
    pub(super) fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// Runs another command with the settings of a server on the same data: its exit code, and all
    /// that it prints.
    pub(super) fn run(&self, command: &str) -> (Option<i32>, String) {
        run_in(self.home.path(), command, "")
    }

    /// Waits until the process ends, and returns its exit status.
    #[track_caller]
    pub(super) fn ends(&mut self) -> ExitStatus {
        poll(|| self.child.0.try_wait().unwrap())
    }
}

/// The settings of every process, without those that these settings replace.
fn usual_without(settings: &str) -> String {
    let key = |line: &str| line.split_once(" = ").map(|(key, _)| key.to_owned());
    let replaced: Vec<_> = settings.lines().filter_map(key).collect();
    let usual = SETTINGS.lines();
    let usual = usual.filter(|line| key(line).is_none_or(|key| !replaced.contains(&key)));
    usual.collect::<Vec<_>>().join("\n") + "\n"
}

/// Starts a process with a pipe as its standard error.
#[track_caller]
fn piped(home: &Path, settings: &str) -> (Killed, BufReader<ChildStderr>) {
    let mut child = Killed(spawn(home, "first", "serve", settings, Stdio::piped()));
    let pipe = BufReader::new(child.0.stderr.take().unwrap());
    (child, pipe)
}

/// Reads a log up to the first line that holds `words`, and returns that line.
#[track_caller]
fn line_with(words: &str, log: &mut BufReader<ChildStderr>) -> String {
    let (mut said, mut line) = (String::new(), String::new());
    while !line.contains(words) {
        said += &line;
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "{said}");
    }
    line
}

/// Starts a process and stops it as soon as its log holds `words`; the rest of the log is read only
/// afterwards, through a pipe. Returns the exit status.
#[track_caller]
pub(super) fn stopped_at(words: &str, settings: &str) -> ExitStatus {
    let home = tempfile::tempdir().unwrap();
    let config = format!("{SETTINGS}{settings}");
    let (mut child, mut log) = piped(home.path(), &config);
    line_with(words, &mut log);
    terminate(&child.0);
    std::io::copy(&mut log, &mut std::io::sink()).unwrap();
    child.0.wait().unwrap()
}

pub(super) fn terminate(child: &Child) {
    let id = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
}

/// Starts a process with settings with which it cannot serve: its exit code and its log.
#[track_caller]
pub(super) fn refuses(settings: &str) -> (Option<i32>, String) {
    let home = tempfile::tempdir().unwrap();
    ended(home.path(), &format!("{SETTINGS}{settings}"))
}

/// Runs a command with the settings of a server in `home`: its exit code, and all that it prints.
#[track_caller]
pub(super) fn run_in(home: &Path, command: &str, settings: &str) -> (Option<i32>, String) {
    let config = format!("{SETTINGS}{settings}");
    let mut program = program(home, "command", command, &config);
    let ran = program.output().unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (ran.status.code(), String::from_utf8(said).unwrap())
}

/// Checks settings without serving: the exit code and what the program says.
#[track_caller]
pub(super) fn checks(settings: &str) -> (Option<i32>, String) {
    let home = tempfile::tempdir().unwrap();
    let config = format!("{SETTINGS}{settings}");
    let log = File::create(home.path().join("check.log")).unwrap();
    let mut child = Killed(spawn(
        home.path(),
        "check",
        "check-config",
        &config,
        log.into(),
    ));
    let status = poll(|| child.0.try_wait().unwrap());
    assert!(
        !home.path().join("data").exists(),
        "the check changes nothing"
    );
    (status.code(), said(home.path(), "check"))
}

#[track_caller]
fn ended(home: &Path, config: &str) -> (Option<i32>, String) {
    let name = "second";
    let mut child = Killed(serve(home, name, config));
    let status = poll(|| child.0.try_wait().unwrap());
    (status.code(), said(home, name))
}

fn serve(home: &Path, name: &str, config: &str) -> Child {
    let log = File::create(home.join(name).with_extension("log")).unwrap();
    spawn(home, name, "serve", config, log.into())
}

fn spawn(home: &Path, name: &str, command: &str, config: &str, stderr: Stdio) -> Child {
    let mut program = program(home, name, command, config);
    program
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .unwrap()
}

/// The program with a command and this configuration.
fn program(home: &Path, name: &str, command: &str, config: &str) -> Command {
    // The usual umask, whatever that of the tests is: it makes new files readable for everybody.
    program_by(r#"umask 022; exec "$0" "$@""#, home, name, command, config)
}

/// The program as a shell script starts it: its file is `$0`, its arguments are `$@`.
pub(super) fn program_by(
    script: &str,
    home: &Path,
    name: &str,
    command: &str,
    config: &str,
) -> Command {
    let file = home.join(name).with_extension("toml");
    fs::write(&file, config).unwrap();
    // The file contains a password, and the program logs a warning if others can read it.
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let mut program = Command::new("sh");
    program
        .args(["-c", script])
        .arg(env!("CARGO_BIN_EXE_doorward"))
        .args(command.split(' '))
        .arg("--config")
        .arg(&file);
    program
}

pub(super) fn said(home: &Path, name: &str) -> String {
    fs::read_to_string(home.join(name).with_extension("log")).unwrap()
}

/// A process that ends when it is dropped, so that it does not outlive a test, even a failed one.
pub(super) struct Killed(pub(super) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
