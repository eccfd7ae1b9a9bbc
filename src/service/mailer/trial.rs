//! A mail that is only sent to see whether mail works.

use super::{Delivery, Refusal, smtp};
use crate::config::{Config, Transport};
use crate::model::{Email, Timestamp};
use crate::service::message;

/// Sends a mail to an address by the configured transport, and reports the name of each step and
/// what came of it. The error says what is in the way.
pub async fn send_trial(
    config: &Config,
    to: &Email,
    unique: [u8; 16],
    now: Timestamp,
    report: &mut (dyn FnMut(&str, &str) + Send),
) -> Result<(), String> {
    let mail = message::trial(config, to, unique, now).map_err(|fault| fault.to_string())?;
    let said = |refusal: Refusal| refusal.to_string();
    if config.mail.transport == Transport::Smtp {
        let mut connection = smtp::connect(config, report).await.map_err(said)?;
        connection.send(&mail, report).await.map_err(said)?;
        connection.quit().await;
        return Ok(());
    }
    let name = format!("{:032x}", u128::from_be_bytes(unique));
    let mut delivery = Delivery::new(config.clone().into());
    delivery.send(mail, &name).await.map_err(said)?;
    if config.mail.transport == Transport::File {
        let path = config.mail.path.join(name).with_extension("eml");
        report("mail.path", &format!("written to {}", path.display()));
    } else {
        let log = "mail.transport is \"log\", so mails are only logged: none was sent";
        report("log", log);
    }
    Ok(())
}
