//! Tests what the commands print, and what they do if it cannot be written.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs a command to its end, with a password on its standard input.
fn run(arguments: &[&str], stdout: Stdio) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_doorward"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that does not read it may have ended.
    let _ = stdin.write_all(b"a good password\n");
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// A device on which every write fails, as on a full disk.
fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.toml");
    fs::write(&config, "").unwrap();
    let config = config.to_str().unwrap();
    for arguments in [
        &["--help"][..],
        &["-h"],
        &["help", "serve"],
        &["serve", "--help"],
        &["--version"],
        &["hash-password"],
        &["check-config", "--config", config],
    ] {
        let fine = run(arguments, Stdio::piped());
        assert!(
            fine.status.success() && !fine.stdout.is_empty(),
            "{arguments:?}"
        );
        let failed = run(arguments, full().into());
        let said = String::from_utf8(failed.stderr).unwrap();
        assert_eq!(failed.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(
            said.contains("cannot write to standard output: No space left"),
            "{said}"
        );
    }
}

#[test]
fn a_wrong_command_line_is_2_and_is_explained_on_standard_error() {
    for arguments in [&["--hepl"][..], &["srve"], &[]] {
        let failed = run(arguments, Stdio::piped());
        let said = String::from_utf8(failed.stderr).unwrap();
        assert_eq!(failed.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(
            said.contains("Usage: doorward") && failed.stdout.is_empty(),
            "{said}"
        );
    }
}

#[test]
fn errors_are_written_to_their_end_before_the_program_ends() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.toml");
    let proxies = "\"no network, but a text of some length\",".repeat(4_000);
    fs::write(&config, format!("server.trusted_proxies = [{proxies}]")).unwrap();
    for command in ["check-config", "serve"] {
        let failed = run(
            &[command, "--config", config.to_str().unwrap()],
            Stdio::piped(),
        );
        let said = String::from_utf8(failed.stderr).unwrap();
        assert_eq!(failed.status.code(), Some(2), "{said}");
        assert!(said.starts_with("doorward: 4000 mistakes"), "{said}");
        assert_eq!(said.matches("must be an IP address").count(), 4_000);
        assert!(said.len() > 256 << 10, "{}", said.len());
    }
}
