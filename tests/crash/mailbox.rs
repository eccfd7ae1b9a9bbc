//! The mailbox: a directory of `.eml` files, each of which is read once and removed.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

/// The part of the link before the code; `subject` configures it.
pub(crate) const LINK: &str = "http://reset.test/";

pub(crate) struct Mailbox {
    directory: PathBuf,
    codes: Mutex<HashMap<String, String>>,
}

impl Mailbox {
    pub(crate) fn new(directory: PathBuf) -> Mailbox {
        Mailbox {
            directory,
            codes: Mutex::default(),
        }
    }

    /// Takes the newest code that was mailed to an address, if it was not taken before.
    pub(crate) fn take(&self, address: &str) -> Option<String> {
        let mut codes = self.codes.lock().unwrap();
        // The directory does not exist before the first mail.
        let entries = fs::read_dir(&self.directory).into_iter().flatten();
        for file in entries.map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|it| it == "eml") {
                let mail = fs::read_to_string(&file).unwrap();
                fs::remove_file(&file).unwrap();
                // Others report a change.
                if let Some((to, code)) = read(&mail) {
                    codes.insert(to, code);
                } else {
                    assert!(mail.contains("was changed"), "an unknown mail: {mail}");
                }
            }
        }
        codes.remove(address)
    }
}

fn read(mail: &str) -> Option<(String, String)> {
    let to = mail.lines().find_map(|line| line.strip_prefix("To: "))?;
    let address = to.rsplit('<').next()?.trim_end_matches('>');
    let code = mail.split(LINK).nth(1)?;
    let end = code.find(|it: char| !(it.is_ascii_alphanumeric() || "-_".contains(it)));
    Some((address.to_owned(), code[..end?].to_owned()))
}
