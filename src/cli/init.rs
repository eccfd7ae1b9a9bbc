//! `doorward init`: writes a first configuration with a new administrator's password, and makes the
//! data directory.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use clap::Args;

use super::console::{print_line, read_config_quietly};
use super::error::CliError;
use super::hash_password::{default_accounts, hash};
use super::new_file::Made;
use super::opening;
use crate::config;
use crate::model::Secret;
use crate::service::generate_admin_password;

/// The directory where `serve` looks for the configuration by itself.
const SYSTEM_DIR: &str = "/etc/doorward";
/// The directory of the data that belong to it.
const SYSTEM_DATA: &str = "/var/lib/doorward";
/// The directory of the data elsewhere, in the directory of the configuration.
const DATA: &str = "data";
/// The administrator's name.
const USERNAME: &str = "admin";

#[derive(Args)]
pub(super) struct Target {
    #[arg(
        long = "dir",
        value_name = "DIR",
        default_value = SYSTEM_DIR,
        help = "The directory of the configuration"
    )]
    dir: PathBuf,
}

impl Target {
    /// The target whose configuration is this file; none if the file has another name.
    pub(super) fn of(config: &Path) -> Option<Target> {
        let target = Target {
            dir: config.parent()?.to_owned(),
        };
        (target.config() == config).then_some(target)
    }

    /// The configuration file.
    fn config(&self) -> PathBuf {
        self.dir.join("config.toml")
    }

    /// The data directory, as the configuration names it.
    fn data(&self) -> &'static str {
        if self.dir == Path::new(SYSTEM_DIR) {
            SYSTEM_DATA
        } else {
            DATA
        }
    }
}

pub(super) fn run(target: &Target) -> Result<(), CliError> {
    let file = target.config();
    if file.symlink_metadata().is_ok() {
        return Err(exists(&file));
    }
    let password = new_password();
    let mut made = Made::default();
    write(target, &file, &password, &mut made)?;
    // If the password cannot be shown, nothing is left behind, and the next try makes another.
    print_line(&next_steps(target, &file, &password))?;
    made.keep();
    Ok(())
}

/// A new administrator's password.
pub(super) fn new_password() -> Secret {
    generate_admin_password(&opening::world())
}

/// Makes the directories, and then the configuration: where it is, everything is.
fn write(target: &Target, file: &Path, password: &Secret, made: &mut Made) -> Result<(), CliError> {
    let hash = format!("{:?}", hash(password, &default_accounts()?)?);
    let data = format!("{:?}", target.data());
    let text = config::first_file(&[
        ("server.listen", "\"127.0.0.1:8080\""),
        ("server.public_url", "\"http://127.0.0.1:8080\""),
        ("storage.path", &data),
        ("admin.username", &format!("{USERNAME:?}")),
        ("admin.password_hash", &hash),
        ("accounts.signup", "true"),
        ("mail.transport", "\"log\""),
    ]);
    let data = target.dir.join(target.data());
    made.directory(&target.dir, 0o755)
        .map_err(|cause| cannot("make", &target.dir, cause))?;
    made.directory(&data, 0o700)
        .map_err(|cause| cannot("make", &data, cause))?;
    let draft = made
        .draft(file, &text)
        .map_err(|cause| cannot("write into", &target.dir, cause))?;
    read_config_quietly(&draft)?;
    made.publish(&draft, file).map_err(|cause| {
        if cause.kind() == ErrorKind::AlreadyExists {
            exists(file)
        } else {
            cannot("write", file, cause)
        }
    })
}

fn exists(file: &Path) -> CliError {
    let file = file.display();
    CliError::new(format!(
        "{file} exists already, and nothing was changed. `doorward check-config --config {file}` \
         checks it, `doorward admin reset-password --config {file}` makes a new password, and \
         `doorward init --dir DIR` writes a configuration elsewhere"
    ))
}

fn cannot(what: &str, path: &Path, cause: io::Error) -> CliError {
    let help = if cause.kind() == ErrorKind::PermissionDenied {
        " (run this as root, or choose a directory of yours with `--dir DIR`)"
    } else {
        ""
    };
    CliError::because(&format!("cannot {what} {}{help}", path.display()), cause)
}

fn next_steps(target: &Target, file: &Path, password: &Secret) -> String {
    let option = if target.dir == Path::new(SYSTEM_DIR) {
        String::new()
    } else {
        format!(" --config {}", file.display())
    };
    format!(
        "Wrote {}; the data will be in {}.\n\n\
         The administrator's name and password:\n\n  \
         {USERNAME} / {}\n\n\
         The password is not shown again. `doorward admin reset-password{option}` makes another.\n\n\
         Start the server, and open http://127.0.0.1:8080/healthz:\n\n  \
         doorward serve{option}",
        file.display(),
        target.dir.join(target.data()).display(),
        password.reveal(),
    )
}
