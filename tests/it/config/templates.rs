//! Mistakes in the templates of mails, and the sentences that they give.

use std::fs;
use std::path::Path;

use super::{mistakes, parse};

/// What is said about a directory with this file, without the name of the directory.
fn said(name: &str, contents: impl AsRef<[u8]>) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(name), contents).unwrap();
    said_about(directory.path())
}

fn said_about(directory: &Path) -> Vec<String> {
    let start = format!(
        "line 1: `mail.templates` names \"{}\", where ",
        directory.display()
    );
    let said = mistakes(&setting(directory));
    let rest = |line: &String| line.strip_prefix(&start).unwrap_or(line).to_owned();
    said.iter().map(rest).collect()
}

fn setting(directory: &Path) -> String {
    format!("mail.templates = {directory:?}")
}

#[test]
fn every_mistake_in_a_template_has_its_sentence() {
    let long = format!("Subject: {}\n\n{{link}}", "x".repeat(201));
    let large = format!("Subject: x\n\n{{link}}{}", "x".repeat(64 * 1024));
    let subject =
        "reset.txt: the first line must be a subject, such as `Subject: A word from {service}`";
    for (name, contents, expected) in [
        ("reset.txt", "Hello {link}", subject),
        ("reset.txt", "Subject:\n\n{link}", subject),
        (
            "reset.txt",
            long.as_str(),
            "reset.txt: the subject must have at most 200 characters, and no control characters",
        ),
        (
            "reset.txt",
            "Subject: {link}\n\n{link}",
            "reset.txt: the subject must not contain {link}: subjects are logged",
        ),
        (
            "reset.txt",
            "Subject: x\n\nOpen {lnk}",
            "reset.txt: line 3: there is no {lnk}; did you mean {link}?",
        ),
        (
            "reset.txt",
            "Subject: x\n\n{LINK}",
            "reset.txt: line 3: there is no {LINK}; did you mean {link}?",
        ),
        (
            "invite.txt",
            "Subject: x\n\n{link} {accounts}",
            "invite.txt: line 3: there is no {accounts}; this mail has {service}, {address}, {link}, {until}",
        ),
        (
            "reset.txt",
            "Subject: x\n\nHello",
            "reset.txt: {link} is missing, without which the mail is of no use",
        ),
        ("reset.txt", "Subject: x\n\n", "reset.txt: there is no text"),
        (
            "reset.html",
            "{link}",
            "reset.html needs reset.txt beside it, which has the subject",
        ),
        ("reset.txt", &large, "reset.txt is longer than 64 KiB"),
        (
            "rest.txt",
            "Subject: x\n\n{link}",
            "rest.txt is no template; did you mean reset.txt?",
        ),
        (
            "password_changed.txt",
            "Subject: x\n\n{link}",
            "password_changed.txt: line 3: there is no {link}; this mail has {service}, {address}, {time}",
        ),
    ] {
        assert_eq!(said(name, contents), [expected], "{name}: {contents:.40}");
    }
    let latin = b"Subject: x\n\n{link}\nGr\xfc\xdfe".as_slice();
    assert_eq!(
        said("reset.txt", latin),
        ["reset.txt: line 4: the file must be UTF-8 text"]
    );
}

#[test]
fn all_mistakes_are_reported_and_other_files_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("reset.txt"), "Subject: x\n\n{link}").unwrap();
    fs::write(at("reset.html"), "no place").unwrap();
    fs::create_dir(at("invite.txt")).unwrap();
    fs::write(at("README.md"), "{nothing}").unwrap();
    assert_eq!(
        said_about(directory.path()),
        [
            "reset.html: {link} is missing, without which the mail is of no use",
            "invite.txt is not a file"
        ]
    );
    let missing = mistakes(&setting(&at("nowhere")));
    assert!(missing[0].contains("names the directory") && missing[0].contains("No such file"));
}

#[test]
fn templates_replace_those_of_the_program_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("reset.txt"), "Subject: x\n\n{link}").unwrap();
    let (own, usual) = (parse(&setting(directory.path())), parse(""));
    let (own, usual) = (own.mail.templates, usual.mail.templates);
    assert_ne!(own.reset, usual.reset);
    assert!(own.reset.html.is_none() && usual.reset.html.is_some());
    assert_eq!(own.invite, usual.invite);
}

#[test]
fn an_invite_link_has_a_place_for_the_code() {
    for (link, expected) in [
        (
            "ftp://example.org/{code}",
            "a link that begins with http://, https:// or {public_url}",
        ),
        (
            "{public_url}/join",
            "a link that holds {code}, where the code is put in",
        ),
    ] {
        let said = mistakes(&format!("accounts.invite_link = {link:?}"));
        let sentence = format!("line 1: `accounts.invite_link` must be {expected}, not {link:?}");
        assert_eq!(said, [sentence]);
    }
    parse("accounts.invite_link = \"https://example.org/{code}\"");
}
