//! Reads a configuration file into a checked `Config`. The first mistake does not stop it: it reads
//! the rest and keeps every complaint.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::complaint::{Complaint, Complaints, position};
use super::machine::Machine;
use super::reader::{Reader, Value, find};
use super::setting::{Preset, Setting};
use super::settings::settings;
use super::shown::ShownSetting;
use super::{
    Accounts, Admin, Apis, Audit, Config, Events, Hub, Limits, Log, LogFormat, Mail, Metrics,
    Reset, Server, Storage, Tokens, checks, templates, warnings,
};
use crate::model::ClockTerms;

/// The longest configuration file, in bytes. A configuration is small, even with thousands of
/// invites: a longer file is probably the wrong one.
const CONFIG_FILE_BYTES: u64 = 1024 * 1024;

/// A configuration that was read from its file.
#[derive(Debug)]
pub struct Loaded {
    /// The checked configuration.
    pub config: Config,
    /// Sentences with their places, as complaints have them, about what works but is seldom meant.
    pub warnings: Vec<String>,
}

/// The file to read when the command line names none: `env` (the value of `$DOORWARD_CONFIG`) or,
/// if that is absent or empty, `/etc/doorward/config.toml`.
pub fn default_path(env: Option<OsString>) -> PathBuf {
    let named = env.filter(|path| !path.is_empty());
    named.map_or_else(|| PathBuf::from("/etc/doorward/config.toml"), PathBuf::from)
}

/// Reads the text of a configuration file; relative paths in it start at `base_dir`. An empty text
/// gives the default configuration. The error holds every mistake that the text and the files that
/// it names make.
pub fn parse(text: &str, base_dir: &Path) -> Result<Config, Complaints> {
    let reading = read(text, base_dir, None);
    reading
        .map(|reading| reading.config)
        .map_err(|list| Complaints::new(None, list))
}

/// Reads a configuration file; relative paths in it start at its directory. The error holds every
/// mistake that can be known before serving.
pub fn load(path: &Path, machine: &Machine<'_>) -> Result<Loaded, Complaints> {
    let about = |list| Complaints::new(Some(path), list);
    let (text, mode) = contents(path).map_err(|it| about(vec![it]))?;
    let base_dir = path.parent().unwrap_or(Path::new(""));
    let mut reading = read(&text, base_dir, Some(machine)).map_err(about)?;
    if let Some(key) = reading.clear_secrets.first().filter(|_| mode & 0o007 != 0) {
        reading.warnings.push(Complaint::whole(format!(
            "holds a secret (`{key}`) and every user of this machine can read it; `chmod o= {}`",
            path.display()
        )));
    }
    Ok(Loaded {
        config: reading.config,
        warnings: about(reading.warnings).lines(),
    })
}

/// The text and the mode of a file.
fn contents(path: &Path) -> Result<(String, u32), Complaint> {
    let unreadable = |cause| Complaint::whole(format!("cannot be read: {cause}"));
    let file = File::open(path).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => {
            Complaint::whole("there is no such file; `doorward init` writes a first one, `--config FILE` names another".to_owned())
        }
        _ => unreadable(cause),
    })?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    let mut bytes = Vec::new();
    file.take(CONFIG_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > CONFIG_FILE_BYTES {
        return Err(Complaint::whole(
            "is longer than 1 MiB; is it the right file?".to_owned(),
        ));
    }
    String::from_utf8(bytes)
        .map(|text| (text, mode))
        .map_err(|wrong| {
            let good = wrong.as_bytes().get(..wrong.utf8_error().valid_up_to());
            let good = String::from_utf8_lossy(good.unwrap_or_default()).into_owned();
            Complaint::at(&good, good.len(), "the file must be UTF-8 text".to_owned())
        })
}

/// A configuration without mistakes.
struct Reading {
    config: Config,
    warnings: Vec<Complaint>,
    /// The keys that hold secrets in clear.
    clear_secrets: Vec<&'static str>,
}

/// Reads a text and, if there is one, asks the machine; the error holds every mistake.
fn read(
    text: &str,
    base_dir: &Path,
    machine: Option<&Machine<'_>>,
) -> Result<Reading, Vec<Complaint>> {
    let (document, faults) = DeTable::parse_recoverable(text);
    let document = document.get_ref();
    let credentials = machine.and_then(|it| it.credentials);
    let mut reader = Reader::new(text, base_dir, credentials);
    let mut config = blank();
    find_unknown(&mut reader, document, "");
    for setting in settings() {
        let found = find(document, setting.key);
        config.shown.push(shown(setting, found, text));
        match (found, setting.preset) {
            (Some(value), _) => reader.read(setting.key, &setting.kind, value, &mut config),
            (None, Preset::Example(_)) => {}
            (None, Preset::Default(default)) => {
                let mut defaults = Reader::new(default, base_dir, credentials);
                let (value, _) = DeValue::parse_recoverable(default);
                defaults.read(setting.key, &setting.kind, &value, &mut config);
                reader.complaints.append(&mut defaults.complaints);
            }
        }
    }
    checks::check(&mut reader, document, &config);
    if let Some(machine) = machine {
        machine.check(&mut reader, document, &config);
    }
    add_faults(&mut reader, &faults);
    if !reader.complaints.is_empty() {
        return Err(reader.complaints);
    }
    warnings::warn(&mut reader, document, &config);
    Ok(Reading {
        config,
        warnings: reader.warnings,
        clear_secrets: reader.clear_secrets,
    })
}

/// A setting as the administrator sees it, with its value in the text if it has one there.
fn shown(setting: &'static Setting, found: Option<&Value<'_>>, text: &str) -> ShownSetting {
    let default = match setting.preset {
        Preset::Default(value) => Some(value),
        Preset::Example(_) => None,
    };
    let written = found.map_or(default, |value| text.get(value.span()));
    ShownSetting {
        key: setting.key,
        needs_restart: setting.needs_restart(),
        is_secret: setting.is_secret(),
        line: found.map(|value| position(text, value.span().start).0),
        value: written.filter(|_| !setting.is_secret()).map(str::to_owned),
        waits_for_restart: false,
        after_restart: None,
    }
}

/// A configuration to fill in; its values are placeholders, not defaults.
fn blank() -> Config {
    Config {
        clock: ClockTerms::default(),
        server: Server::default(),
        storage: Storage::default(),
        admin: Admin::default(),
        hub: Hub::default(),
        apis: Apis::default(),
        tokens: Tokens::default(),
        accounts: Accounts::default(),
        reset: Reset::default(),
        mail: Mail {
            templates: templates::built_in(),
            ..Mail::default()
        },
        events: Events::default(),
        audit: Audit::default(),
        metrics: Metrics::default(),
        limits: Limits::default(),
        log: Log {
            level: log::LevelFilter::Off,
            format: LogFormat::Text,
            requests: false,
        },
        shown: Vec::new(),
    }
}

/// Complains about every key and section below `prefix` that is no setting's.
fn find_unknown(reader: &mut Reader<'_>, table: &DeTable<'_>, prefix: &str) {
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        if settings().any(|it| it.key == key) {
            continue;
        }
        let below = format!("{key}.");
        let is_section = settings().any(|it| it.key.starts_with(&below));
        match (is_section, value.get_ref()) {
            (true, DeValue::Table(inner)) => find_unknown(reader, inner, &below),
            (true, _) => {
                let sentence = format!("`{key}` is a section; write [{key}] on a line of its own");
                reader.complain(&name.span(), sentence);
            }
            (false, DeValue::Table(_)) => {
                let sections = settings().map(Setting::section);
                reader.unknown(&name.span(), "section", &key, sections);
            }
            (false, _) => {
                reader.unknown(&name.span(), "key", &key, settings().map(|it| it.key));
            }
        }
    }
}

/// Adds the TOML syntax errors, one per line. Drops the other complaints about such a line, because
/// they are guesses about text that could not be parsed.
fn add_faults(reader: &mut Reader<'_>, faults: &[toml::de::Error]) {
    let mut said = Vec::new();
    for fault in faults {
        let offset = fault.span().map_or(0, |span| span.start);
        let (line, column) = position(reader.text, offset);
        if said.contains(&line) {
            continue;
        }
        reader.complaints.retain(|it| it.line != Some(line));
        said.push(line);
        // Not the whole error: it quotes the line, which may contain a password.
        let sentence = format!("not TOML at column {column}: {}", fault.message());
        reader
            .complaints
            .push(Complaint::at(reader.text, offset, sentence));
    }
}
