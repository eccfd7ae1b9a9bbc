//! Renders the table of settings as the example file and as the table in `docs/configuration.md`.

use super::setting::{Preset, Setting};
use super::settings::settings;

/// Comments are wrapped at this column, so that the file can be read in a terminal.
const COMMENT_COLUMNS: usize = 100;

/// The first lines of the example file.
const HEADER: &[&str] = &[
    "The configuration of doorward. Every key stands here with its default, and every one can be left",
    "out. Keys that stand behind a # have no default; what they show is an example.",
    "",
    "`doorward check-config --config FILE` says what is wrong with a file before the server reads it.",
    "Relative paths begin at the directory of this file. Durations are written like \"500ms\", \"2s\",",
    "\"30m\", \"24h\" or \"30d\"; sizes like \"100B\", \"64KiB\", \"8MiB\" or \"1GiB\"; rates like",
    "\"10, then 1 per 6s\", which is ten at once and then one more every six seconds.",
];

/// The first lines of a first configuration.
const FIRST_HEADER: &[&str] = &[
    "A first configuration of doorward. Every key that is left out has its default; the table in",
    "docs/configuration.md has all keys, and so has config.example.toml. After a change:",
    "",
    "  doorward check-config --config FILE    says what is wrong, with the line",
];

/// The keys of a first configuration: those that most owners change.
const FIRST_KEYS: &[&str] = &[
    "server.listen",
    "server.name",
    "server.public_url",
    "server.trusted_proxies",
    "server.tls.cert",
    "server.tls.key",
    "storage.path",
    "admin.username",
    "admin.password_hash",
    "hub.passwords",
    "accounts.signup",
    "reset.reset_link",
    "mail.transport",
    "mail.from",
];

/// The text of a first configuration: `values` (keys of `FIRST_KEYS` with values as TOML) are set,
/// the other keys stand in comments with their default or an example.
pub fn first_file(values: &[(&str, &str)]) -> String {
    let keys = settings().filter(|it| FIRST_KEYS.contains(&it.key));
    file(FIRST_HEADER, keys, |setting| {
        let value = values.iter().find(|(key, _)| *key == setting.key);
        match (value, setting.preset) {
            (Some((_, value)), _) => format!("{} = {value}", setting.name()),
            (None, Preset::Default(value) | Preset::Example(value)) => {
                format!("# {} = {value}", setting.name())
            }
        }
    })
}

/// The text of `config.example.toml`: every setting with its meaning and its default or, where
/// there is no default, an example in a comment. It means the same as an empty configuration file.
pub fn example_file() -> String {
    file(HEADER, settings(), |setting| match setting.preset {
        Preset::Default(value) => format!("{} = {value}", setting.name()),
        Preset::Example(value) => format!("# {} = {value}", setting.name()),
    })
}

/// A file of settings: the header, and each section with its settings and their meaning.
fn file(
    header: &[&str],
    settings: impl Iterator<Item = &'static Setting>,
    entry: impl Fn(&Setting) -> String,
) -> String {
    let mut lines: Vec<String> = header
        .iter()
        .map(|line| format!("# {line}").trim_end().to_owned())
        .collect();
    let mut section = "";
    for setting in settings {
        if setting.section() != section {
            section = setting.section();
            lines.extend([String::new(), format!("[{section}]")]);
        }
        lines.extend(
            wrapped(&setting.meaning())
                .iter()
                .map(|line| format!("# {line}")),
        );
        lines.push(entry(setting));
    }
    lines.join("\n") + "\n"
}

/// The table of settings in `docs/configuration.md`, in Markdown.
pub fn markdown_table() -> String {
    let mut lines = vec![
        "| key | default | meaning |".to_owned(),
        "|---|---|---|".to_owned(),
    ];
    lines.extend(settings().map(|setting| {
        let default = match setting.preset {
            Preset::Default(value) => format!("`{value}`"),
            Preset::Example(_) => "none".to_owned(),
        };
        format!(
            "| `{}` | {default} | {} |",
            setting.key,
            setting.meaning().replace('|', "\\|")
        )
    }));
    lines.join("\n") + "\n"
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() < COMMENT_COLUMNS - 2 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
