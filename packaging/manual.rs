//! Writes the manual pages and the completions of the shells from the grammar of the command line
//! and from the table of settings, so that they cannot differ from the program.
//!
//! ```sh
//! cargo run --example manual -- DIR
//! ```
//!
//! It makes `DIR/man/*` and `DIR/completions/{bash,zsh,fish}/*`. With
//! `SOURCE_DATE_EPOCH` set the pages carry that day.

use std::error::Error;
use std::fs;
use std::path::Path;

use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use doorward::config::{Preset, Setting, settings};
use doorward::{cli, model};

/// The manual that the pages belong to; stands at the top of each page.
const MANUAL: &str = "doorward";
/// The name of the page that describes the configuration file.
const CONFIG_PAGE: &str = "doorward-config";

/// A section of a page: its heading and its entries, each a term and what is said about it.
type Section = (&'static str, &'static [(&'static str, &'static str)]);

/// What `doorward(1)` says beyond the grammar of the command line.
const SECTIONS: &[Section] = &[
    (
        "FILES",
        &[
            (
                "/etc/doorward/config.toml",
                "The configuration file, if neither --config nor DOORWARD_CONFIG names another. \
                 doorward-config(5) lists its keys.",
            ),
            (
                "/var/lib/doorward",
                "The data directory of the packaged service: storage.path in the configuration.",
            ),
            (
                "/var/lib/doorward/control.sock",
                "The control socket of the running server, in its data directory. Whoever may open \
                 it is the administrator.",
            ),
            (
                "/etc/credstore/doorward.*",
                "Passwords, certificate and key for the service, readable by root only. \
                 doorward.service lists their names.",
            ),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            (
                "DOORWARD_CONFIG",
                "The configuration file, if --config names none.",
            ),
            (
                "CREDENTIALS_DIRECTORY",
                "Set by systemd. Password files in this directory may have any mode.",
            ),
        ],
    ),
    (
        "SIGNALS",
        &[
            (
                "SIGTERM, SIGINT",
                "End the server: requests under way have 10 seconds.",
            ),
            (
                "SIGHUP",
                "Reads the configuration again. The log names what is in force from now on, and \
                 what needs a restart; a file with mistakes changes nothing.",
            ),
            ("SIGUSR1, SIGUSR2", "Change nothing."),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "Success."),
            ("2", "The command line or the configuration is wrong."),
            ("1", "Any other error."),
        ],
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os()
        .nth(1)
        .ok_or("name a directory: cargo run --example manual -- DIR")?;
    let folder = Path::new(&folder);
    let date = date()?;

    let pages = folder.join("man");
    fs::create_dir_all(&pages)?;
    let mut root = cli::command().disable_help_subcommand(true);
    root.build();
    write_command(&root, &pages, &date)?;
    let page = config_page(&date);
    fs::write(pages.join(format!("{CONFIG_PAGE}.5")), page.render())?;

    for (name, shell) in [
        ("bash", Shell::Bash),
        ("zsh", Shell::Zsh),
        ("fish", Shell::Fish),
    ] {
        let folder = folder.join("completions").join(name);
        fs::create_dir_all(&folder)?;
        generate_to(shell, &mut cli::command(), "doorward", folder)?;
    }
    Ok(())
}

/// The day of `SOURCE_DATE_EPOCH` as `2026-01-31`; empty if it is not set.
fn date() -> Result<String, Box<dyn Error>> {
    let Ok(seconds) = std::env::var("SOURCE_DATE_EPOCH") else {
        return Ok(String::new());
    };
    let at = model::Timestamp::from_millis(seconds.parse::<i64>()? * 1000);
    Ok(at.date())
}

/// Writes the page of a command, and those of its subcommands.
fn write_command(command: &clap::Command, folder: &Path, date: &str) -> Result<(), Box<dyn Error>> {
    for subcommand in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        write_command(subcommand, folder, date)?;
    }
    let is_root = command.get_name() == "doorward";
    let page = Man::new(command.clone())
        .date(date)
        .source(source())
        .manual(MANUAL);
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut text)?;
    }
    let mut more = Roff::new();
    if is_root {
        write_sections(&mut more, SECTIONS);
    }
    more.control("SH", ["SEE ALSO"]);
    let other = if is_root { "systemctl" } else { "doorward" };
    more.text([bold(other), roman("(1), "), bold(CONFIG_PAGE), roman("(5)")]);
    text.extend_from_slice(more.render().as_bytes());
    fs::write(folder.join(page.get_filename()), text)?;
    Ok(())
}

fn source() -> String {
    format!("doorward {}", env!("CARGO_PKG_VERSION"))
}

fn write_sections(page: &mut Roff, sections: &[Section]) {
    for (heading, entries) in sections {
        page.control("SH", [*heading]);
        for (term, about) in *entries {
            page.control("TP", []);
            page.text([bold(*term)]);
            page.text([roman(*about)]);
        }
    }
}

/// `doorward-config(5)`: every key with its default and its meaning.
fn config_page(date: &str) -> Roff {
    let mut page = Roff::new();
    page.control("TH", [CONFIG_PAGE, "5", date, &source(), MANUAL]);
    page.control("SH", ["NAME"]);
    page.text([roman(format!(
        "{CONFIG_PAGE} - the configuration file of doorward"
    ))]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([italic("/etc/doorward/config.toml")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([
        roman("The file is TOML (version 1.0). Every key can be left out. "),
        bold("doorward check-config"),
        roman(" reports every mistake in a file with its line; a server does not start with one."),
    ]);
    page.control("PP", []);
    page.text([roman(
        "Relative paths begin at the directory of the file. Durations are written like \"500ms\", \
         \"2s\", \"30m\", \"24h\" or \"30d\"; sizes like \"100B\", \"64KiB\", \"8MiB\" or \"1GiB\"; \
         rates like \"10, then 1 per 6s\", which is ten at once and then one more every six seconds.",
    )]);
    let mut section = "";
    for setting in settings() {
        if setting.section() != section {
            section = setting.section();
            page.control("SH", [format!("[{section}]").as_str()]);
        }
        page.control("TP", []);
        page.text(term(setting));
        page.text([roman(setting.about)]);
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("doorward"), roman("(1)")]);
    page
}

/// `key = default`, or the key with an example of its value.
fn term(setting: &Setting) -> Vec<Inline> {
    let (value, rest) = match setting.preset {
        Preset::Default(value) => (value, ""),
        Preset::Example(value) => (value, "  (an example; there is no default)"),
    };
    vec![
        bold(setting.name()),
        roman(format!(" = {value}")),
        roman(rest),
    ]
}
