//! Builds mails from templates. The host of a link comes from the configuration and the address
//! from the account or the administrator, never from a request. No mail holds the name of an
//! account: whoever signs up with another person's address chooses that name, and could send a
//! message with it. The notice of a changed address does not hold the new address either: it may be
//! another person's.

use std::time::{Duration, UNIX_EPOCH};

use lettre::address::Envelope;
use lettre::message::{Mailbox, MessageBuilder, MultiPart, SinglePart};
use lettre::{Address, Message};

use crate::config::{Config, Reset};
use crate::model::{DueMail, Email, Invalid, MailAddress, Placeholder, Secret, Timestamp};

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A message that is ready to be sent.
pub(super) struct Mail {
    /// The recipient's address.
    pub(super) to: String,
    /// The subject.
    pub(super) subject: String,
    /// Whom the mail server is told.
    pub(super) envelope: Envelope,
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

/// The values of a mail's template, except those that every mail has.
#[derive(Default)]
pub(super) struct Values {
    pub(super) link: String,
    minutes: u64,
    time: String,
    until: String,
}

impl Values {
    /// Those of a reset.
    pub(super) fn reset(config: &Config, code: &Secret) -> Values {
        let Reset {
            reset_link,
            lifetime,
        } = &config.reset;
        Values {
            link: reset_link.replace("{token}", code.reveal()),
            minutes: lifetime.as_secs().div_ceil(60),
            ..Values::default()
        }
    }

    /// Those of the notice of a change at `at`.
    pub(super) fn notice(at: Timestamp) -> Values {
        Values {
            time: at.minute(),
            ..Values::default()
        }
    }

    /// Those of an invite.
    pub(super) fn invite(config: &Config, code: &Secret, expires_at: Timestamp) -> Values {
        let link = config.accounts.invite_link.replace("{code}", code.reveal());
        Values {
            link: link.replace("{public_url}", &config.server.public_url),
            until: expires_at.minute(),
            ..Values::default()
        }
    }
}

/// Builds a mail. `unique` makes its message id.
pub(super) fn build(
    config: &Config,
    mail: &DueMail,
    values: &Values,
    unique: [u8; 16],
    now: Timestamp,
) -> Result<Mail, Fault> {
    let value = |place| match place {
        Placeholder::Service => config.server.name.clone(),
        Placeholder::Address => mail.to.shown().to_owned(),
        Placeholder::Link => values.link.clone(),
        Placeholder::Minutes => values.minutes.to_string(),
        Placeholder::Time => values.time.clone(),
        Placeholder::Until => values.until.clone(),
    };
    let template = config.mail.templates.of(mail.kind);
    let subject = template.subject.fill(value);
    let text = template.text.fill(value);
    let html = template.html.as_ref();
    let html = html.map(|html| html.fill(|place| escape(&value(place))));
    let head = Head {
        to: &mail.to,
        subject,
        unique,
        now,
    };
    head.build(config, |message| match html {
        Some(html) => message.multipart(MultiPart::alternative_plain_html(text, html)),
        None => message.singlepart(SinglePart::plain(text)),
    })
}

/// The mail that shows that mail works.
pub(super) fn trial(
    config: &Config,
    to: &Email,
    unique: [u8; 16],
    now: Timestamp,
) -> Result<Mail, Fault> {
    let service = &config.server.name;
    let text = format!(
        "This is a test: {service} can send mail to this address.\n\nNothing needs to be done.\n"
    );
    let head = Head {
        to,
        subject: format!("A test mail of {service}"),
        unique,
        now,
    };
    head.build(config, |message| {
        message.singlepart(SinglePart::plain(text))
    })
}

/// What every mail has.
struct Head<'a> {
    to: &'a Email,
    subject: String,
    unique: [u8; 16],
    now: Timestamp,
}

impl Head<'_> {
    fn build(
        self,
        config: &Config,
        body: impl FnOnce(MessageBuilder) -> Result<Message, lettre::error::Error>,
    ) -> Result<Mail, Fault> {
        let from = sender(config)?;
        let to = mailbox(self.to).map_err(|invalid| invalid.to_string())?;
        let recipient = to.to_string();
        let unique = u128::from_be_bytes(self.unique);
        let id = format!("<{unique:032x}@{}>", from.email.domain());
        let sent = Duration::from_millis(u64::try_from(self.now.millis()).unwrap_or(0));
        let sent = UNIX_EPOCH.checked_add(sent).unwrap_or(UNIX_EPOCH);
        let message = Message::builder()
            .from(from)
            .to(to)
            .subject(&self.subject)
            .date(sent)
            .message_id(Some(id));
        let message = body(message)?;
        Ok(Mail {
            to: recipient,
            subject: self.subject,
            envelope: message.envelope().clone(),
            bytes: message.formatted(),
        })
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
