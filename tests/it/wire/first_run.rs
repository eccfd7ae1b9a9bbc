//! Tests the first run of the real program: `doorward init`, the first lines of the log, and
//! `doorward admin reset-password`.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use super::line::{Line, post};
use super::moment::poll;

/// A directory in which the program is run, and the server that runs there.
struct Home {
    directory: TempDir,
    server: Option<(Child, SocketAddr)>,
}

impl Home {
    /// A directory in which `doorward init` has run; the password that it showed.
    fn after_init() -> (Home, String) {
        let home = Home::empty();
        let (code, said) = home.run(&["init", "--dir", "."]);
        assert_eq!(code, Some(0), "{said}");
        let password = shown(&said);
        home.edit("127.0.0.1:8080\"\n# The name", "127.0.0.1:0\"\n# The name");
        (home, password)
    }

    fn empty() -> Home {
        Home {
            directory: tempfile::tempdir().unwrap(),
            server: None,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn config(&self) -> String {
        fs::read_to_string(self.path("config.toml")).unwrap()
    }

    /// The line of the configuration that sets the administrator's password.
    #[track_caller]
    fn password_line(&self) -> String {
        let text = self.config();
        let mut lines = text.lines();
        let line = lines.find(|it| it.starts_with("password_hash"));
        line.unwrap().to_owned()
    }

    /// Replaces a text in the configuration.
    #[track_caller]
    fn edit(&self, old: &str, new: &str) {
        let text = self.config();
        assert!(text.contains(old), "{text}");
        fs::write(self.path("config.toml"), text.replace(old, new)).unwrap();
    }

    /// The names in the directory.
    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = names
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn program(&self, arguments: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_doorward"));
        program
            .args(arguments)
            .current_dir(self.directory.path())
            .env_remove("DOORWARD_CONFIG")
            .stdin(Stdio::null());
        program
    }

    /// Runs a command to its end: its exit code, and all that it says.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let ran = self.program(arguments).output().unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        (ran.status.code(), String::from_utf8(said).unwrap())
    }

    fn reset(&self, more: &[&str]) -> (Option<i32>, String) {
        let command = ["admin", "reset-password", "--config", "config.toml"];
        self.run(&[&command, more].concat())
    }

    /// Starts the server and waits until it serves; all that it says until then.
    #[track_caller]
    fn serve(&mut self) -> String {
        let log = self.path("log");
        let to = || {
            File::options()
                .append(true)
                .create(true)
                .open(&log)
                .unwrap()
        };
        let _ = fs::remove_file(&log);
        let mut program = self.program(&["serve", "--config", "config.toml"]);
        let child = program.stdout(to()).stderr(to()).spawn().unwrap();
        let child = self.server.insert((child, ([127, 0, 0, 1], 0).into()));
        child.1 = poll(|| {
            let said = fs::read_to_string(&log).unwrap();
            assert_eq!(child.0.try_wait().unwrap(), None, "{said}");
            let (_, rest) = said.split_once("serving on http://")?;
            rest.split_once('\n')?.0.parse().ok()
        });
        let address = child.1;
        Line::to_address(address)
            .say(super::line::HEALTH)
            .hears(200);
        fs::read_to_string(&log).unwrap()
    }

    #[track_caller]
    fn stop(&mut self) {
        let (mut child, _) = self.server.take().unwrap();
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }

    /// Sends a login of the administrator, which must get this status.
    #[track_caller]
    fn log_in(&self, password: &str, status: u16) {
        let body = json!({"username": "admin", "password": password}).to_string();
        let address = self.server.as_ref().unwrap().1;
        Line::to_address(address)
            .say(post("/api/token", &[], &body))
            .hears(status);
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some((mut child, _)) = self.server.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The password in a line `admin / PASSWORD`.
#[track_caller]
fn shown(said: &str) -> String {
    let (_, rest) = said.split_once("admin / ").expect(said);
    let password = rest.lines().next().unwrap();
    assert_eq!(password.len(), 20, "{said}");
    password.to_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn init_writes_a_configuration_with_which_the_shown_password_logs_in() {
    let (mut home, password) = Home::after_init();
    assert_eq!(home.names(), ["config.toml", "data"]);
    assert_eq!(mode(&home.path("config.toml")), 0o600);
    assert_eq!(mode(&home.path("data")), 0o700);
    assert!(!home.config().contains(&password));
    let (code, said) = home.run(&["check-config", "--config", "config.toml"]);
    assert_eq!((code, said.as_str()), (Some(0), "config.toml is fine.\n"));
    home.serve();
    home.log_in(&password, 200);
    home.log_in("another password", 401);
}

#[test]
fn every_key_of_a_first_configuration_is_one_that_check_config_knows() {
    let (home, _) = Home::after_init();
    let uncommented: String = home
        .config()
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|it| it.contains(" = "))
                .unwrap_or(line)
        })
        .filter(|line| !line.contains(".pem"))
        .fold(String::new(), |text, line| text + line + "\n");
    fs::write(home.path("config.toml"), &uncommented).unwrap();
    let (code, said) = home.run(&["check-config", "--config", "config.toml"]);
    assert_eq!(code, Some(0), "{uncommented}\n{said}");
    assert_eq!(uncommented.matches("= ").count(), 12, "{uncommented}");
}

#[test]
fn init_changes_nothing_that_exists() {
    let (home, _) = Home::after_init();
    let before = home.config();
    let (code, said) = home.run(&["init", "--dir", "."]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("config.toml exists already, and nothing was changed"),
        "{said}"
    );
    assert_eq!((home.config(), home.names().len()), (before, 2));
}

#[test]
fn init_that_fails_leaves_nothing_behind() {
    let home = Home::empty();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut unread = home.program(&["init", "--dir", "new/door"]);
    assert_eq!(unread.stdout(full).status().unwrap().code(), Some(1));
    assert!(home.names().is_empty(), "{:?}", home.names());
    fs::write(home.path("data"), "a note").unwrap();
    let (code, said) = home.run(&["init", "--dir", "."]);
    assert_eq!(code, Some(1));
    assert!(said.contains("cannot make ./data"), "{said}");
    assert_eq!(home.names(), ["data"]);
}

#[test]
fn a_start_without_a_configuration_offers_to_write_one() {
    let home = Home::empty();
    let (code, said) = home.run(&["serve", "--config", "config.toml"]);
    assert_eq!(code, Some(2));
    let offer = "config.toml: there is no such file; `doorward init` writes a first one, `--config \
                 FILE` names another\n";
    assert!(said.ends_with(offer), "{said}");
    assert!(home.names().is_empty());
}

#[test]
fn the_first_starts_say_what_to_do_until_there_is_an_account() {
    let (mut home, _) = Home::after_init();
    for _ in 0..2 {
        let said = home.serve();
        assert_eq!(said.lines().count(), 4, "{said}");
        for words in [
            "there is no account yet: curl ",
            "administrator \"admin\"",
            "no mail is sent",
        ] {
            assert!(said.contains(words), "{said}");
        }
        home.stop();
    }
    home.serve();
    let signup = r#"{"name":"Ana","email":"ana@example.org","password":"a good password"}"#;
    let address = home.server.as_ref().unwrap().1;
    Line::to_address(address)
        .say(post("/v1/user", &[], signup))
        .hears(201);
    home.stop();
    let said = home.serve();
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_password_that_nobody_knows_is_reset_with_and_without_a_server() {
    let (mut home, _) = Home::after_init();
    home.edit(&home.password_line(), "");
    let said = home.serve();
    let first = shown(&said);
    home.log_in(&first, 200);
    let (code, said) = home.reset(&[]);
    assert_eq!(code, Some(0), "{said}");
    let second = shown(&said);
    home.log_in(&second, 200);
    home.log_in(&first, 401);
    home.stop();
    let (code, said) = home.reset(&[]);
    assert_eq!(code, Some(0), "{said}");
    let third = shown(&said);
    home.serve();
    home.log_in(&third, 200);
    home.log_in(&second, 401);
}

#[test]
fn a_password_of_the_configuration_is_replaced_there() {
    let (mut home, first) = Home::after_init();
    let before = home.config();
    let (code, said) = home.reset(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("Replace `password_hash` in config.toml:"),
        "{said}"
    );
    assert_eq!(home.config(), before);
    let (code, said) = home.reset(&["--write"]);
    assert_eq!(code, Some(0), "{said}");
    let second = shown(&said);
    assert_eq!(
        (home.names(), mode(&home.path("config.toml"))),
        (vec!["config.toml".into(), "data".into()], 0o600)
    );
    let changed = before
        .lines()
        .zip(home.config().lines().map(str::to_owned).collect::<Vec<_>>());
    let changed: Vec<_> = changed.filter(|(old, new)| old != new).collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    home.serve();
    home.log_in(&second, 200);
    home.log_in(&first, 401);
}

#[test]
fn a_password_in_a_file_of_its_own_is_left_to_its_owner() {
    let (home, _) = Home::after_init();
    home.edit(&home.password_line(), "password_file = \"secret\"");
    fs::write(home.path("secret"), "an old password\n").unwrap();
    fs::set_permissions(home.path("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let (code, said) = home.reset(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("(`admin.password_file`), as the only line:\n\n  $argon2id$"),
        "{said}"
    );
    let (code, said) = home.reset(&["--write"]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(
        fs::read_to_string(home.path("secret")).unwrap(),
        "an old password\n"
    );
}

#[test]
fn a_store_without_data_is_not_made_by_a_reset() {
    let (home, _) = Home::after_init();
    fs::remove_dir(home.path("data")).unwrap();
    home.edit(&home.password_line(), "");
    let (code, said) = home.reset(&[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("start the server once"), "{said}");
    assert_eq!(home.names(), ["config.toml"]);
}
