//! Reads the configured passwords: in clear, as Argon2id hashes, or from a separate file. No
//! complaint contains a password.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::Credential;
use super::value::{Wrong, because};
use crate::crypto::{BadHash, check_password_hash};
use crate::model::{Secret, limits};

/// The longest password file, in bytes. A longer file is probably the wrong one.
const SECRET_FILE_BYTES: u64 = 64 * 1024;

/// A password in clear.
pub(super) fn clear(text: &str) -> Result<Credential, Wrong> {
    if text.starts_with("$argon2") {
        return because("holds a hash; a hash belongs under `admin.password_hash`");
    }
    if text.is_empty() {
        return because("must not be empty");
    }
    if text.len() > limits::PASSWORD_BYTES {
        return because(format!(
            "must be at most {} bytes long",
            limits::PASSWORD_BYTES
        ));
    }
    Ok(Credential::Plain(Secret::new(text)))
}

/// An Argon2id hash.
pub(super) fn hash(text: &str) -> Result<Credential, Wrong> {
    match check_password_hash(text) {
        Ok(()) => Ok(Credential::Hash(text.to_owned())),
        Err(BadHash::Unreadable) => because(
            "is not a whole Argon2id hash (`$argon2id$v=19$…`); `doorward hash-password` makes one",
        ),
        Err(BadHash::OutOfBounds {
            what,
            found,
            bounds,
        }) => {
            let (least, most) = bounds.into_inner();
            because(format!(
                "is a hash with {found} {what}; {least} to {most} are accepted"
            ))
        }
    }
}

/// A hash if it looks like one, else a password in clear.
pub(super) fn either(text: &str) -> Result<Credential, Wrong> {
    if text.starts_with("$argon2") {
        hash(text)
    } else {
        clear(text)
    }
}

/// The password, in clear or as a hash, in a file of one line. A line break at its end is ignored.
pub(super) fn from_file(path: &Path, credentials: Option<&Path>) -> Result<Credential, Wrong> {
    let text = contents(path, credentials)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains('\n') {
        return because(format!(
            r#"names "{}", which must hold one line only, and no comment"#,
            path.display()
        ));
    }
    file_line(line).or_else(|wrong| in_file(path, 1, wrong))
}

/// The passwords, in clear or as hashes, in a file with one per line, or what is wrong with each
/// line. Empty lines are skipped.
pub(super) fn from_lines(
    path: &Path,
    credentials: Option<&Path>,
) -> Result<Vec<Result<Credential, Wrong>>, Wrong> {
    let text = contents(path, credentials)?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty());
    let read = |(number, line)| file_line(line).or_else(|wrong| in_file(path, number + 1, wrong));
    Ok(lines.map(read).collect())
}

/// A password in a line of a file. A line that looks like a comment would be a password that nobody
/// meant.
fn file_line(line: &str) -> Result<Credential, Wrong> {
    if line.starts_with('#') {
        return because(
            "begins with #, but the file holds passwords and no comments; a password that begins \
             with # must be written as a hash",
        );
    }
    either(line)
}

fn in_file<T>(path: &Path, line: usize, wrong: Wrong) -> Result<T, Wrong> {
    let (Wrong::Because(why) | Wrong::MustBe(why)) = wrong;
    because(format!(
        r#"names "{}", whose line {line} {why}"#,
        path.display()
    ))
}

/// The text of a file that only its owner may access. A file under `credentials` may have any mode,
/// because systemd protects it.
fn contents(path: &Path, credentials: Option<&Path>) -> Result<Zeroizing<String>, Wrong> {
    let shown = path.display();
    let unreadable = |cause| Wrong::Because(format!(r#"names "{shown}": {cause}"#).into());
    // Check this before opening the file: to open a pipe would wait until another process writes to
    // it.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return because(format!(r#"names "{shown}", which is not a file"#));
    }
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 && !lies_under(path, credentials) {
        let help = "which others than its owner may read; `chmod 600` it";
        return because(format!(r#"names "{shown}", {help}"#));
    }
    let mut text = Zeroizing::new(String::new());
    if file
        .take(SECRET_FILE_BYTES + 1)
        .read_to_string(&mut text)
        .is_err()
    {
        return because(format!(r#"names "{shown}", which is not UTF-8 text"#));
    }
    if text.len() as u64 > SECRET_FILE_BYTES {
        return because(format!(
            r#"names "{shown}", which is too long to hold passwords"#
        ));
    }
    if text.starts_with('\u{feff}') {
        let help = "which begins with a byte order mark; save it without one";
        return because(format!(r#"names "{shown}", {help}"#));
    }
    if text.trim().is_empty() {
        return because(format!(r#"names "{shown}", which is empty"#));
    }
    Ok(text)
}

/// Whether `path` is inside `directory`. Follows links and `..` first, so that neither leads out of
/// the directory.
fn lies_under(path: &Path, directory: Option<&Path>) -> bool {
    let directory = directory.and_then(|it| it.canonicalize().ok());
    directory.is_some_and(|it| path.canonicalize().is_ok_and(|path| path.starts_with(it)))
}
