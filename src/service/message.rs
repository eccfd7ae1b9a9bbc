//! The text of the reset mail. The link's host comes from the configuration and the address from
//! the account, never from a request.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lettre::Message;
use lettre::message::{Mailbox, MultiPart};

use crate::config::Config;
use crate::model::{Secret, Timestamp, User};

/// The place in the configured link where the code goes.
const PLACE: &str = "{token}";

/// A message that is ready to be sent.
pub(super) struct Mail {
    /// The recipient's address.
    pub(super) to: String,
    /// The subject.
    pub(super) subject: String,
    /// The whole message (RFC 5322).
    pub(super) bytes: Vec<u8>,
}

/// The mail that brings a reset code. `unique` makes its message id.
pub(super) fn reset(
    config: &Config,
    user: &User,
    code: &Secret,
    unique: [u8; 16],
    now: Timestamp,
) -> Result<Mail, Box<dyn std::error::Error + Send + Sync>> {
    let from: Mailbox = config.mail.from.parse()?;
    let to = Mailbox::new(None, user.email.shown().parse()?);
    let subject = format!("Reset your {} password", config.server.name);
    let words = Words {
        service: &config.server.name,
        name: user.name.as_str(),
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
    let to = user.email.shown().to_owned();
    Ok(Mail {
        to,
        subject,
        bytes: message.formatted(),
    })
}

struct Words<'a> {
    service: &'a str,
    name: &'a str,
    link: String,
    minutes: u64,
}

impl Words<'_> {
    fn text(&self) -> String {
        format!(
            "Hello {},\n\n\
             somebody, probably you, asked to reset your {} password. To choose a new one, open\n\n\
             {}\n\n\
             within {} minutes. The link works once. If it was not you, ignore this mail: nothing has changed.\n",
            self.name, self.service, self.link, self.minutes
        )
    }

    fn html(&self) -> String {
        let (name, service, link) = (escape(self.name), escape(self.service), escape(&self.link));
        format!(
            "<!doctype html>\n<html lang=\"en\"><body style=\"font-family: sans-serif\">\n\
             <p>Hello {name},</p>\n\
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
    fn a_name_cannot_write_html() {
        assert_eq!(
            escape("<b onclick='x'>&\""),
            "&lt;b onclick=&#39;x&#39;&gt;&amp;&quot;"
        );
    }
}
