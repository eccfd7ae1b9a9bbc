//! The state of reading one file: its text, and the mistakes found so far.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::complaint::{Complaint, nearest};
use super::value::Wrong;

/// A value with its place in the file.
pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// The inputs of reading a file, and the mistakes found in it.
pub(super) struct Reader<'a> {
    /// The text that is read.
    pub(super) text: &'a str,
    /// The directory where relative paths start.
    pub(super) base_dir: &'a Path,
    /// The directory of systemd's credentials.
    pub(super) credentials: Option<&'a Path>,
    /// The mistakes so far.
    pub(super) complaints: Vec<Complaint>,
    /// What works but is seldom meant.
    pub(super) warnings: Vec<Complaint>,
    /// The keys that hold secrets in clear.
    pub(super) clear_secrets: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    /// A reader with no mistakes so far.
    pub(super) fn new(text: &'a str, base_dir: &'a Path, credentials: Option<&'a Path>) -> Self {
        Reader {
            text,
            base_dir,
            credentials,
            complaints: Vec::new(),
            warnings: Vec::new(),
            clear_secrets: Vec::new(),
        }
    }

    /// Notes a complaint about the place `span`.
    pub(super) fn complain(&mut self, span: &Range<usize>, sentence: String) {
        self.complaints
            .push(Complaint::at(self.text, span.start, sentence));
    }

    /// Notes a complaint about the first of `keys` that the file holds.
    pub(super) fn complain_of(&mut self, document: &DeTable<'_>, keys: &[&str], sentence: String) {
        let complaint = self.about(document, keys, sentence);
        self.complaints.push(complaint);
    }

    /// Notes a warning about the place `span`.
    pub(super) fn warn(&mut self, span: &Range<usize>, sentence: String) {
        self.warnings
            .push(Complaint::at(self.text, span.start, sentence));
    }

    /// Notes a warning about the first of `keys` that the file holds.
    pub(super) fn warn_of(&mut self, document: &DeTable<'_>, keys: &[&str], sentence: String) {
        let warning = self.about(document, keys, sentence);
        self.warnings.push(warning);
    }

    fn about(&self, document: &DeTable<'_>, keys: &[&str], sentence: String) -> Complaint {
        match keys.iter().find_map(|key| find(document, key)) {
            Some(value) => Complaint::at(self.text, value.span().start, sentence),
            None => Complaint::whole(sentence),
        }
    }

    /// Notes that `name` is an unknown `what` ("key" or "section"), and suggests the nearest of the
    /// `known` ones.
    pub(super) fn unknown<'k>(
        &mut self,
        span: &Range<usize>,
        what: &str,
        name: &str,
        known: impl Iterator<Item = &'k str>,
    ) {
        let name = shortened(name);
        let offer = nearest(&name, known).map(|it| format!("; did you mean `{it}`?"));
        self.complain(
            span,
            format!("unknown {what} `{name}`{}", offer.unwrap_or_default()),
        );
    }

    /// Turns what is wrong with `value` into a complaint.
    pub(super) fn note(&mut self, key: &str, value: &Value<'_>, outcome: Result<(), Wrong>) {
        match outcome {
            Ok(()) => {}
            Err(Wrong::Because(why)) => self.complain(&value.span(), format!("`{key}` {why}")),
            Err(Wrong::MustBe(what)) => {
                let found = shown(value.get_ref());
                self.complain(
                    &value.span(),
                    format!("`{key}` must be {what}, not {found}"),
                );
            }
        }
    }
}

/// The value of a dotted key.
pub(super) fn find<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> Option<&'t Value<'i>> {
    match key.split_once('.') {
        None => table.get(key),
        Some((section, rest)) => find(table.get(section)?.get_ref().as_table()?, rest),
    }
}

/// The texts of a key that holds one text or a list of them, each with its place.
pub(super) fn texts<'t, 'i>(
    table: &'t DeTable<'i>,
    key: &str,
) -> impl Iterator<Item = (&'t Value<'i>, &'t str)> {
    let value = find(table, key);
    let list = value.and_then(|it| it.get_ref().as_array());
    let items = value.into_iter().chain(list.into_iter().flatten());
    items.filter_map(|item| item.get_ref().as_str().map(|text| (item, text)))
}

/// A whole number that fits in a `u32`; none for any other value.
pub(super) fn integer(value: &DeValue<'_>) -> Option<u32> {
    let integer = value.as_integer()?;
    u32::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// Describes a value, for the end of a sentence: "not …".
fn shown(value: &DeValue<'_>) -> Cow<'static, str> {
    match value {
        DeValue::String(text) => format!("\"{}\"", shortened(text)).into(),
        DeValue::Integer(number) => shortened(number.as_str()).into(),
        DeValue::Float(number) => shortened(number.as_str()).into(),
        DeValue::Boolean(flag) => flag.to_string().into(),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(list) if list.is_empty() => "an empty list".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a section".into(),
    }
}

/// A text from the file as complaints repeat it: cut to 60 characters, with control characters
/// escaped to protect terminals.
fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    shown
}
