//! Sends mail by the configured transport.

mod connection;
mod file;
mod refusal;
mod reply;
mod smtp;
mod trial;
mod words;

use std::sync::Arc;

use super::message::Mail;
use crate::config::{Config, Transport};
use connection::Connection;

pub(super) use refusal::Refusal;
pub use trial::send_trial;

/// Sends some mails, one after the other. With `mail.transport = "smtp"` they share a connection,
/// which is opened for the first of them.
pub(super) struct Delivery {
    config: Arc<Config>,
    connection: Option<Connection>,
    /// Why the mail server cannot be used. The mails behind the first one need not find out again.
    down: Option<Refusal>,
}

impl Delivery {
    pub(super) fn new(config: Arc<Config>) -> Delivery {
        Delivery {
            config,
            connection: None,
            down: None,
        }
    }

    /// Sends a message. `Ok` means that the transport has it and that a power cut does not lose it;
    /// the transport `log` only logs the address and the subject. `name` is unique to the message.
    pub(super) async fn send(&mut self, mail: Mail, name: &str) -> Result<(), Refusal> {
        match self.config.mail.transport {
            Transport::Log => {
                log::info!(
                    "mail to {}: {} (not sent: mail.transport is \"log\")",
                    mail.to,
                    mail.subject
                );
                Ok(())
            }
            Transport::File => {
                let (directory, name) = (self.config.mail.path.clone(), name.to_owned());
                let write = move || file::write(&directory, &name, &mail.bytes);
                let written = tokio::task::spawn_blocking(write).await;
                let written = written.unwrap_or_else(|error| Err(std::io::Error::other(error)));
                written.map_err(|error| Refusal::broken("mail.path", &error))
            }
            Transport::Smtp => self.send_by_smtp(&mail).await,
        }
    }

    async fn send_by_smtp(&mut self, mail: &Mail) -> Result<(), Refusal> {
        if let Some(refusal) = &self.down {
            return Err(refusal.clone());
        }
        let sent = self.try_smtp(mail).await;
        if let Err(refusal) = &sent
            && !refusal.concerns_one_mail
        {
            self.down = Some(refusal.clone());
        }
        sent
    }

    async fn try_smtp(&mut self, mail: &Mail) -> Result<(), Refusal> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => smtp::connect(&self.config, &mut |_, _| ()).await?,
        };
        let sent = connection.send(mail, &mut |_, _| ()).await;
        match &sent {
            Ok(()) => self.connection = Some(connection),
            // A new connection is simpler than a reset of this one, and refusals are rare.
            Err(refusal) if refusal.concerns_one_mail => connection.quit().await,
            Err(_) => {}
        }
        sent
    }

    /// Ends the connection to the mail server, if there is one.
    pub(super) async fn finish(self) {
        if let Some(connection) = self.connection {
            connection.quit().await;
        }
    }
}
