//! `doorward admin reset-password`: a new password for the administrator, also when nobody knows
//! the old one, and whether or not the server runs.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::config_file::ConfigFile;
use super::console::{print_line, read_config_quietly};
use super::control_client::{ControlClient, ControlError};
use super::error::CliError;
use super::hash_password::hash;
use super::init::new_password;
use super::new_file::Made;
use super::stopped_server;
use crate::config::{self, AdminPlace, Config};
use crate::model::{Actor, AuditContext, Secret};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a new password for the administrator
    #[command(
        long_about = "Makes a new password for the administrator and prints it once. Nobody needs to know the\n\
                      old one. Run it as root or as the user that serves.\n\n\
                      If the configuration sets no password, the new one is in force at once, also on a\n\
                      running server, and the tokens of the old one end. If the configuration sets one, the\n\
                      command prints the line to put there; with --write it replaces the line itself. The\n\
                      server reads it at the next reload or start, and then the old tokens end."
    )]
    ResetPassword(ResetPassword),
}

#[derive(Args)]
pub(super) struct ResetPassword {
    #[command(flatten)]
    config: ConfigFile,
    #[arg(
        long,
        help = "Replace the password in the configuration file, if it stands there"
    )]
    write: bool,
}

impl Command {
    pub(super) fn run(self) -> Result<(), CliError> {
        let Command::ResetPassword(options) = self;
        let file = options.config.path();
        let config = read_config_quietly(&file)?;
        if config.admin.password.is_some() {
            return configured(&file, &config, options.write);
        }
        let data = &config.storage.path;
        let made = match ControlClient::new(data).post("/admin/password", &Value::Null) {
            Ok(answer) => read_answer(&answer)?,
            Err(ControlError::NotRunning) => without_server(&config)?,
            Err(error) => return Err(error.into()),
        };
        print_line(&format!(
            "The administrator's name and new password:\n\n  {} / {}\n\n\
             It is in force now and is not shown again. The tokens of the old one have ended.",
            config.admin.username,
            made.reveal()
        ))
    }
}

fn read_answer(answer: &Value) -> Result<Secret, CliError> {
    let password = answer.get("password").and_then(Value::as_str);
    password.map(Secret::new).ok_or_else(|| {
        CliError::new(
            "the running server has a configuration that still sets the password; reload it, and \
             run this command again",
        )
    })
}

/// Does what the server would do.
fn without_server(config: &Config) -> Result<Secret, CliError> {
    // A password that is generated at this start is replaced at once: nobody needs to see it.
    let made = stopped_server::run(
        config,
        |_| {},
        "cannot store a new password",
        |services| {
            Box::pin(async move {
                let by = AuditContext {
                    actor: Actor::Control(rustix::process::geteuid().as_raw()),
                    ..AuditContext::server(services.now())
                };
                services.reset_admin_password(by).await
            })
        },
    )?;
    made.ok_or_else(|| CliError::new("the configuration sets the password"))
}

/// The configuration sets the password: prints the line that sets a new one, or writes it.
fn configured(file: &Path, config: &Config, write: bool) -> Result<(), CliError> {
    let unreadable = |cause| CliError::because(&format!("cannot read {}", file.display()), cause);
    let text = fs::read_to_string(file).map_err(unreadable)?;
    let place = config::admin_place(&text)
        .ok_or_else(|| CliError::new("the file changed meanwhile; run this command again"))?;
    let password = new_password();
    let hash = hash(&password, &config.accounts)?;
    let at = format!("{}:{}", file.display(), place.line);
    let next = if write {
        replace(file, &text, &place, &hash)?;
        format!("{at} holds its hash now.")
    } else if place.key == "password_file" {
        format!(
            "Put its hash into the file that {at} names (`admin.password_file`), as the only \
             line:\n\n  {hash}"
        )
    } else {
        let line = config::hash_line(&hash);
        format!(
            "Replace `{}` in {at} by this line (`--write` does it for you):\n\n  {line}",
            place.key
        )
    };
    print_line(&format!(
        "The configuration sets the administrator's password. A new one:\n\n  {} / {}\n\n\
         It is not shown again. {next}\n\n\
         Then reload or restart the server: `systemctl reload doorward`. From then on the new \
         password is in force, and the tokens of the old one have ended.",
        config.admin.username,
        password.reveal()
    ))
}

/// Replaces the password in the file in one step. The file keeps its owner and its mode.
fn replace(file: &Path, text: &str, place: &AdminPlace, hash: &str) -> Result<(), CliError> {
    if place.key == "password_file" {
        return Err(CliError::new(format!(
            "{}:{} names another file with the password, which `--write` does not change; run this \
             command without it",
            file.display(),
            place.line
        )));
    }
    let base_dir = file.parent().unwrap_or(Path::new(""));
    let text = place.replaced(text, hash, base_dir).ok_or_else(|| {
        CliError::new(format!(
            "{}:{} cannot be replaced by one line; run this command without `--write`, and edit it",
            file.display(),
            place.line
        ))
    })?;
    // A link stays a link.
    let written = fs::canonicalize(file).and_then(|file| overwrite(&file, &text));
    written.map_err(|cause| CliError::because(&format!("cannot replace {}", file.display()), cause))
}

fn overwrite(file: &PathBuf, text: &str) -> io::Result<()> {
    let is = fs::metadata(file)?;
    let mut made = Made::default();
    let draft = made.draft(file, text)?;
    fchown(fs::File::open(&draft)?, Some(is.uid()), Some(is.gid()))?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(is.mode() & 0o7777))?;
    made.replace(&draft, file)?;
    made.keep();
    Ok(())
}
