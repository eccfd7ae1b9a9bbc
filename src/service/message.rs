//! The text of the reset mail. The link's host comes from the configuration and the address from
//! the account, never from a request. The name of the account is not in it: whoever signs up with
//! another person's address chooses that name, and could send a message with it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};

use crate::config::Config;
use crate::model::{Email, Invalid, MailAddress, Secret, Timestamp, User};

/// The place in the configured link where the code goes.
const PLACE: &str = "{token}";

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A message that is ready to be sent.
pub(super) struct Mail {
    /// The recipient's address.
    pub(super) to: String,
    /// The subject.
    pub(super) subject: String,
    /// The whole message (RFC 5322).
    pub(super) bytes: Vec<u8>,
}

/// The address as a recipient. The error says why no mail can be sent to it.
pub(super) fn mailbox(email: &Email) -> Result<Mailbox, Invalid> {
    let MailAddress { local, domain } = email.mailed()?;
    let built = Address::new(local, domain).map(|address| Mailbox::new(None, address));
    // Building a message reads the written form again.
    built
        .and_then(|mailbox| mailbox.to_string().parse())
        .map_err(|_| Invalid::new("email", "must be an address that mail can be sent to"))
}

/// The configured sender, its domain in ASCII too.
fn sender(config: &Config) -> Result<Mailbox, Fault> {
    let Mailbox { name, email } = config.mail.from.parse()?;
    let email = Email::parse(email.as_ref()).and_then(|email| mailbox(&email));
    let email = email.map_err(|invalid| invalid.to_string())?.email;
    Ok(Mailbox::new(name, email))
}

/// The mail that brings a reset code. `unique` makes its message id.
pub(super) fn reset(
    config: &Config,
    user: &User,
    code: &Secret,
    unique: [u8; 16],
    now: Timestamp,
) -> Result<Mail, Fault> {
    let from = sender(config)?;
    let to = mailbox(&user.email).map_err(|invalid| invalid.to_string())?;
    let recipient = to.to_string();
    let subject = format!("Reset your {} password", config.server.name);
    let words = Words {
        service: &config.server.name,
        link: config.reset.reset_link.replace(PLACE, code.reveal()),
        minutes: config.reset.lifetime.as_secs().div_ceil(60),
    };
    let id = format!(
        "<{:032x}@{}>",
        u128::from_be_bytes(unique),
        from.email.domain()
    );
    let sent = Duration::from_millis(u64::try_from(now.millis()).unwrap_or(0));
    let message = Message::builder()
        .from(from)
        .to(to)
        .subject(&subject)
        .date(
            UNIX_EPOCH
                .checked_add(sent)
                .unwrap_or(SystemTime::UNIX_EPOCH),
        )
        .message_id(Some(id))
        .multipart(MultiPart::alternative_plain_html(
            words.text(),
            words.html(),
        ))?;
    Ok(Mail {
        to: recipient,
        subject,
        bytes: message.formatted(),
    })
}

struct Words<'a> {
    service: &'a str,
    link: String,
    minutes: u64,
}

impl Words<'_> {
    fn text(&self) -> String {
        format!(
            "Hello,\n\n\
             somebody, probably you, asked to reset your {} password. To choose a new one, open\n\n\
             {}\n\n\
             within {} minutes. The link works once. If it was not you, ignore this mail: nothing has changed.\n",
            self.service, self.link, self.minutes
        )
    }

    fn html(&self) -> String {
        let (service, link) = (escape(self.service), escape(&self.link));
        format!(
            "<!doctype html>\n<html lang=\"en\"><body style=\"font-family: sans-serif\">\n\
             <p>Hello,</p>\n\
             <p>somebody, probably you, asked to reset your {service} password. To choose a new one, open this link \
             within {} minutes:</p>\n\
             <p><a href=\"{link}\">Choose a new password</a></p>\n\
             <p>The link works once. If it was not you, ignore this mail: nothing has changed.</p>\n\
             </body></html>\n",
            self.minutes
        )
    }
}

/// Escapes text for HTML, between tags and in attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_write_html() {
        assert_eq!(
            escape("<b onclick='x'>&\""),
            "&lt;b onclick=&#39;x&#39;&gt;&amp;&quot;"
        );
    }
}
