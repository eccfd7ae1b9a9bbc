//! The kinds of settings. Each checks a TOML value and stores it in a field of the configuration,
//! or complains.

use std::fs::File;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reader::{Reader, Value, integer};
use super::value::{self, Wrong, because, must_be};
use super::{Config, Credential, Rate, invite, secret, templates};
use crate::model::is_common_password;

/// Stores a text in the configuration, or returns what is wrong with it.
pub(super) type Take = fn(&mut Config, &str) -> Result<(), Wrong>;

/// Reads a file, and returns what is wrong with it as the rest of a sentence.
pub(super) type Examine = fn(&Path) -> Result<(), String>;

/// The kinds of settings. Bounds are written as in the file and are inclusive.
pub(super) enum Kind {
    /// `true` or `false`.
    Flag(fn(&mut Config) -> &mut bool),
    /// A whole number.
    Count(RangeInclusive<u32>, fn(&mut Config, u32)),
    /// A duration and its bounds.
    Span(&'static str, &'static str, fn(&mut Config) -> &mut Duration),
    /// A number of bytes and its bounds.
    Size(&'static str, &'static str, fn(&mut Config, u64)),
    /// A rate: so many at once, then one more each period.
    Rate(fn(&mut Config) -> &mut Rate),
    /// A text.
    Text(Take),
    /// One text or a list of at least one.
    OneOrMore(Take),
    /// A list of texts.
    List(Take),
    /// A directory, which need not exist yet.
    Directory(fn(&mut Config, PathBuf)),
    /// A file, which must be readable; the first function says what is wrong with its contents.
    File(Examine, fn(&mut Config, PathBuf)),
    /// A password, written in one of the forms.
    Password(Form, fn(&mut Config, Credential)),
    /// Invites, each a code or a table.
    Invites,
    /// A directory with templates of mails.
    Templates,
}

/// The forms a password is written in.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// In clear.
    Clear,
    /// As a hash.
    Hash,
    /// A list, each in clear or as a hash.
    List,
    /// In a file that holds nothing else.
    File,
    /// In a file, one a line.
    Lines,
}

impl Reader<'_> {
    /// Reads the value of the setting `key` into `config`, or complains.
    pub(super) fn read(
        &mut self,
        key: &'static str,
        kind: &Kind,
        value: &Value<'_>,
        config: &mut Config,
    ) {
        let outcome = match kind {
            Kind::Flag(field) => flag(value).map(|it| *field(config) = it),
            Kind::Count(range, put) => count(value, range).map(|it| put(config, it)),
            Kind::Span(from, to, field) => {
                bounded(value, value::duration, from, to).map(|it| *field(config) = it)
            }
            Kind::Size(from, to, put) => {
                bounded(value, value::size, from, to).map(|it| put(config, it))
            }
            Kind::Rate(field) => rate(value).map(|it| *field(config) = it),
            Kind::Text(take) => text(value).and_then(|it| take(config, it)),
            Kind::Directory(put) => self.path(value).map(|it| put(config, it)),
            Kind::File(examine, put) => self
                .path(value)
                .and_then(|path| readable(path, *examine))
                .map(|it| put(config, it)),
            Kind::OneOrMore(take) if value.get_ref().is_str() => {
                text(value).and_then(|it| take(config, it))
            }
            Kind::OneOrMore(take) => return self.texts(key, value, 1, |it| take(config, it)),
            Kind::List(take) => return self.texts(key, value, 0, |it| take(config, it)),
            Kind::Password(form, put) => return self.passwords(key, *form, value, config, *put),
            Kind::Invites => return invite::read(self, key, value, config),
            Kind::Templates => return templates::read(self, key, value, config),
        };
        self.note(key, value, outcome);
    }

    fn texts(
        &mut self,
        key: &str,
        value: &Value<'_>,
        least: usize,
        mut take: impl FnMut(&str) -> Result<(), Wrong>,
    ) {
        let Some(list) = value
            .get_ref()
            .as_array()
            .filter(|list| list.len() >= least)
        else {
            let wanted = if least > 0 {
                "a text or a list of at least one"
            } else {
                "a list of texts"
            };
            return self.note(key, value, must_be(wanted));
        };
        for item in list {
            let outcome = text(item).and_then(&mut take);
            self.note(key, item, outcome);
        }
    }

    /// A path; a relative one starts at the configuration file's directory.
    pub(super) fn path(&self, value: &Value<'_>) -> Result<PathBuf, Wrong> {
        let path = text(value)?;
        if path.is_empty() || path.contains('\0') {
            return must_be("a path");
        }
        Ok(self.base_dir.join(path))
    }

    fn passwords(
        &mut self,
        key: &'static str,
        form: Form,
        value: &Value<'_>,
        config: &mut Config,
        put: fn(&mut Config, Credential),
    ) {
        let found = match form {
            Form::List => return self.password_list(key, value, config, put),
            Form::Clear => Ok(vec![hidden(value).and_then(secret::clear)]),
            Form::Hash => Ok(vec![hidden(value).and_then(secret::hash)]),
            Form::File => self
                .path(value)
                .map(|path| vec![secret::from_file(&path, self.credentials)]),
            Form::Lines => self
                .path(value)
                .and_then(|path| secret::from_lines(&path, self.credentials)),
        };
        if matches!(form, Form::Clear) {
            self.clear_secrets.push(key);
        }
        for outcome in found.unwrap_or_else(|wrong| vec![Err(wrong)]) {
            self.password(key, value, outcome, |it| put(config, it));
        }
    }

    /// Stores one password, or complains.
    fn password(
        &mut self,
        key: &str,
        value: &Value<'_>,
        outcome: Result<Credential, Wrong>,
        put: impl FnOnce(Credential),
    ) {
        if let Ok(Credential::Plain(secret)) = &outcome {
            let text = secret.reveal();
            let doubts = [
                (text.trim() != text, "with a blank at its beginning or end"),
                (is_common_password(text), "that is among the most common"),
            ];
            for (is_so, doubt) in doubts {
                if is_so {
                    let sentence = format!("`{key}` holds a password {doubt}");
                    self.warn(&value.span(), sentence);
                }
            }
        }
        self.note(key, value, outcome.map(put));
    }

    fn password_list(
        &mut self,
        key: &'static str,
        value: &Value<'_>,
        config: &mut Config,
        put: fn(&mut Config, Credential),
    ) {
        let Some(list) = value.get_ref().as_array() else {
            return self.note(key, value, because("must be a list of passwords in quotes"));
        };
        for item in list {
            let found = hidden(item).and_then(secret::either);
            if matches!(found, Ok(Credential::Plain(_))) {
                self.clear_secrets.push(key);
            }
            self.password(key, item, found, |it| put(config, it));
        }
    }
}

fn flag(value: &Value<'_>) -> Result<bool, Wrong> {
    value
        .get_ref()
        .as_bool()
        .map_or_else(|| must_be("true or false"), Ok)
}

fn count(value: &Value<'_>, range: &RangeInclusive<u32>) -> Result<u32, Wrong> {
    match integer(value.get_ref()) {
        Some(number) if range.contains(&number) => Ok(number),
        _ => must_be(format!(
            "a whole number from {} to {}",
            range.start(),
            range.end()
        )),
    }
}

fn bounded<T: PartialOrd>(
    value: &Value<'_>,
    read: fn(&str) -> Option<T>,
    from: &str,
    to: &str,
) -> Result<T, Wrong> {
    let found = value.get_ref().as_str().and_then(read);
    match found {
        Some(found) if read(from).is_none_or(|it| found < it) => {
            must_be(format!(r#"at least "{from}""#))
        }
        Some(found) if read(to).is_none_or(|it| found > it) => {
            must_be(format!(r#"at most "{to}""#))
        }
        Some(found) => Ok(found),
        None => must_be(format!(
            r#"a number and a unit in quotes, from "{from}" to "{to}""#
        )),
    }
}

fn rate(value: &Value<'_>) -> Result<Rate, Wrong> {
    let rate = value.get_ref().as_str().and_then(value::rate);
    rate.map_or_else(|| must_be(r#"written like "10, then 1 per 6s""#), Ok)
}

fn text<'v>(value: &'v Value<'_>) -> Result<&'v str, Wrong> {
    value
        .get_ref()
        .as_str()
        .map_or_else(|| must_be("a text in quotes"), Ok)
}

/// A secret text: complaints must not repeat it.
fn hidden<'v>(value: &'v Value<'_>) -> Result<&'v str, Wrong> {
    value
        .get_ref()
        .as_str()
        .map_or_else(|| because("must be a text in quotes"), Ok)
}

fn readable(path: PathBuf, examine: Examine) -> Result<PathBuf, Wrong> {
    let shown = path.display();
    let unreadable = |cause| Wrong::Because(format!(r#"names "{shown}": {cause}"#).into());
    // Check this before opening the file: to open a pipe would wait until another process writes to
    // it.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return because(format!(r#"names "{shown}", which is not a file"#));
    }
    File::open(&path).map_err(unreadable)?;
    examine(&path).or_else(because)?;
    Ok(path)
}
