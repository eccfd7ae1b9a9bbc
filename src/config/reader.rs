//! The state of reading one file: its text, and the mistakes found so far.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::DeValue;

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
            clear_secrets: Vec::new(),
        }
    }

    /// Notes a complaint about the place `span`.
    pub(super) fn complain(&mut self, span: &Range<usize>, sentence: String) {
        self.complaints
            .push(Complaint::at(self.text, span.start, sentence));
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
pub(super) fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    shown
}
