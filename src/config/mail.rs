//! The section `[mail]`.

use std::path::PathBuf;

use crate::model::MailTemplates;

/// How mail is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Transport {
    /// Logs that a mail was due and drops its text.
    #[default]
    Log,
    /// Writes each message as an `.eml` file into this directory.
    File(PathBuf),
}

/// `[mail]`
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// How mail is sent.
    pub transport: Transport,
    /// The sender, as `name@example.org` or `Name <name@example.org>`.
    pub from: String,
    /// Whether changes of an account are reported by mail.
    pub notices: bool,
    /// The texts of mails: those of the program, or the owner's.
    pub templates: MailTemplates,
}
