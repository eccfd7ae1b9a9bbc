//! Sends mail by the configured transport.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use super::message::Mail;
use crate::config::{CurrentConfig, Transport};

/// Passes messages to the configured transport.
pub(super) struct Mailer {
    config: Arc<CurrentConfig>,
}

impl Mailer {
    pub(super) fn new(config: &Arc<CurrentConfig>) -> Mailer {
        Mailer {
            config: Arc::clone(config),
        }
    }

    /// Sends a message. `Ok` means that the transport has it and that a power cut does not lose it;
    /// the transport `log` only logs the address and the subject. `name` is unique to the message.
    pub(super) async fn send(&self, mail: Mail, name: &str) -> io::Result<()> {
        match &self.config.get().mail.transport {
            Transport::Log => {
                log::info!(
                    "mail to {}: {} (not sent: mail.transport is \"log\")",
                    mail.to,
                    mail.subject
                );
                Ok(())
            }
            Transport::File(directory) => {
                let (directory, name) = (directory.clone(), name.to_owned());
                let written = tokio::task::spawn_blocking(move || write(&directory, &name, &mail));
                written.await.map_err(io::Error::other)?
            }
        }
    }
}

/// Writes a message under its final name only when it is whole and on the disk.
fn write(directory: &Path, name: &str, mail: &Mail) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let unfinished = directory.join(format!(".{name}.part"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(&mail.bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, directory.join(format!("{name}.eml")))?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn mails_are_for_their_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("mail");
        let mail = Mail {
            to: "ana@example.org".into(),
            subject: "A secret".into(),
            bytes: b"the secret".to_vec(),
        };
        write(&directory, "name", &mail).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        let file = directory.join("name.eml");
        assert_eq!(mode(&file), 0o600);
        assert_eq!(fs::read(&file).unwrap(), mail.bytes);
    }
}
