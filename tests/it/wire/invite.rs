//! Tests `doorward invite` with the real program.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::moment::poll;
use super::process::{Process, run_in};
use crate::harness::Request;

const MAIL: &str = "mail.transport = \"file\"\naccounts.invite_required = true\n";

/// The code in the next mail, which is removed.
fn next_code(home: &Path) -> String {
    let mail = |entry: fs::DirEntry| -> Option<PathBuf> {
        Some(entry.path()).filter(|it| it.extension().is_some_and(|it| it == "eml"))
    };
    let find = || {
        let mut entries = fs::read_dir(home.join("mail")).ok()?;
        entries.find_map(|entry| mail(entry.unwrap()))
    };
    let file = poll(find);
    let text = fs::read_to_string(&file).unwrap().replace("=\r\n", "");
    fs::remove_file(file).unwrap();
    let (_, code) = text.split_once("/signup?invite=").unwrap();
    let code = code.strip_prefix("3D").unwrap_or(code);
    let end = code.find(|it: char| !(it.is_ascii_alphanumeric() || "-_".contains(it)));
    code[..end.unwrap()].to_owned()
}

/// The status of a signup with this invite.
fn join(process: &Process, email: &str, invite: &str) -> u16 {
    let body =
        json!({"name": "Ana", "email": email, "password": "a good password", "invite": invite});
    let request = Request::new("POST", "/v1/user").body(body);
    request.send(process.address).status
}

#[test]
fn an_invite_leaves_at_once_or_at_the_next_start() {
    let mut process = Process::start(MAIL);
    let home = process.home().to_owned();
    poll(|| home.join("data/control.sock").exists().then_some(()));
    let (code, said) = run_in(&home, "invite make ana@example.org", MAIL);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        said,
        "The invite for ana@example.org is in the outbox. A server that runs sends it now; if the \
         mail server does not take it, the log says why.\n"
    );
    let first = next_code(&home);
    assert_eq!(join(&process, "ana@example.org", &first), 201);
    assert_eq!(join(&process, "ben@example.org", &first), 404);
    let (code, said) = run_in(&home, "invite make ana@example.org --uses 0", MAIL);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("uses: must be from 1 to 1000"), "{said}");

    process.terminate();
    process.ends();
    let (code, said) = run_in(
        &home,
        "invite make ben@example.org --expires 1h --uses 2",
        MAIL,
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("no server runs"), "{said}");
    let process = process.again(MAIL);
    let second = next_code(&home);
    for email in ["ben@example.org", "cleo@example.org"] {
        assert_eq!(join(&process, email, &second), 201);
    }
}

#[test]
fn an_invite_that_cannot_be_made_is_refused() {
    let home = tempfile::tempdir().unwrap();
    for (command, code, sentence) in [
        (
            "invite make ana@example.org",
            1,
            "there is no data directory",
        ),
        ("invite make ana", 2, "must look like name@example.org"),
        (
            "invite make a@b.org --expires soon",
            2,
            "a time is written like 24h or 7d",
        ),
    ] {
        let (ended, said) = run_in(home.path(), command, MAIL);
        assert_eq!(ended, Some(code), "{said}");
        assert!(said.contains(sentence), "{said}");
    }
}
