//! The table of settings: every key with its kind, its default, its meaning and the field it sets.
//! To add a setting, add an entry here and a field in `Config`; the parser, the example file and
//! the table in `docs/configuration.md` follow.

mod bounds;
mod identity;
mod mail;
mod serving;

use std::time::Duration;

use super::Config;
use super::setting::Setting;

/// Keys that exclude each other: the keys of a group all set the same value.
pub(super) const ALTERNATIVES: &[&[&str]] = &[
    &[
        "admin.password",
        "admin.password_hash",
        "admin.password_file",
    ],
    &["hub.passwords", "hub.passwords_file"],
    &["mail.password", "mail.password_file"],
];

/// Keys that must be set together.
pub(super) const TOGETHER: &[[&str; 2]] = &[["server.tls.cert", "server.tls.key"]];

/// A duration that must not be shorter than another: its key, the key of the other, and a function
/// that returns both durations in this order.
pub(super) type NotShorter = (&'static str, &'static str, fn(&Config) -> [Duration; 2]);

/// Every such pair.
pub(super) const NOT_SHORTER: &[NotShorter] = &[("events.keep_counts", "events.retention", |of| {
    [of.events.keep_counts, of.events.retention]
})];

/// Every setting, section by section, in the order of the example file. A section's sub-sections
/// come after its own keys.
const TABLES: [&[Setting]; 4] = [
    serving::SETTINGS,
    identity::SETTINGS,
    mail::SETTINGS,
    bounds::SETTINGS,
];

/// Every setting, in the order of the example file.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    TABLES.into_iter().flatten()
}
