//! Tests the permissions of the files that the program writes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::line::{Line, post};
use super::moment::poll;
use super::process::Process;

const SETTINGS: &str = r#"
mail.transport = "file"
accounts = { hash_memory = "1MiB", hash_passes = 1 }
"#;
const SIGNUP: &str = r#"{"name":"Ana","email":"ana@example.org","password":"a good password"}"#;

/// Collects the permission bits of a file, or of a directory and everything in it.
fn modes(path: &Path, found: &mut Vec<(PathBuf, u32)>) {
    let about = path.metadata().unwrap();
    found.push((path.to_owned(), about.permissions().mode() & 0o777));
    if about.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            modes(&entry.unwrap().path(), found);
        }
    }
}

#[test]
fn an_open_data_directory_is_closed_at_the_start_or_the_log_says_why_not() {
    let mut process = Process::start("");
    let data = process.home().join("data");
    let open = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let stop = |process: &mut Process| {
        process.terminate();
        assert_eq!(process.ends().code(), Some(0), "{}", process.said());
    };
    stop(&mut process);
    open(&data, 0o755);
    open(&data.join("db"), 0o644);
    let mut process = process.again("");
    let mut found = Vec::new();
    modes(&data, &mut found);
    for (path, mode) in &found {
        assert_eq!(mode & 0o077, 0, "{} has {mode:o}", path.display());
    }
    let said = process.said();
    assert!(said.contains("had mode 755 and has mode 700 now"), "{said}");

    stop(&mut process);
    open(&data, 0o755);
    fs::write(data.join("notes.txt"), "of another program").unwrap();
    let process = process.again("");
    let said = process.said();
    assert!(
        said.contains("keeps it, because it also holds notes.txt"),
        "{said}"
    );
    assert_eq!(data.metadata().unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn data_and_mails_are_for_their_owner_alone() {
    let mut process = Process::start(SETTINGS);
    let (data, mails) = (process.home().join("data"), process.home().join("mail"));
    let mut line = Line::to_address(process.address);
    line.say(post("/v1/user", &[], SIGNUP)).hears(201);
    let ask = post("/api/password", &[], r#"{"email":"ana@example.org"}"#);
    line.say(ask).hears(201);
    let is_mail = |path: &PathBuf| path.extension().is_some_and(|it| it == "eml");
    let mail = poll(|| {
        let mut entries = fs::read_dir(&mails)
            .ok()?
            .map(|entry| entry.unwrap().path());
        entries.find(is_mail)
    });
    process.terminate();
    assert_eq!(process.ends().code(), Some(0), "{}", process.said());
    let mut found = Vec::new();
    modes(&data, &mut found);
    modes(&mails, &mut found);
    for file in [data.join("db"), data.join("conf"), mail] {
        assert!(found.iter().any(|(path, _)| *path == file), "{found:?}");
    }
    for (path, mode) in found {
        let owners = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, owners, "{} has {mode:o}", path.display());
    }
}
