//! The texts of mails: templates with places in braces, such as `{link}`, that values replace.
//! Braces around anything but a single word are text, so that HTML may contain style sheets.

use super::{MailKind, limits};

/// A place in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholder {
    /// The name of the service.
    Service,
    /// The address that the mail goes to.
    Address,
    /// The link with the code.
    Link,
    /// How many minutes the link is good.
    Minutes,
    /// When the change happened.
    Time,
    /// Until when the link is good.
    Until,
}

impl Placeholder {
    /// Its name in a template, without braces.
    pub const fn name(self) -> &'static str {
        match self {
            Placeholder::Service => "service",
            Placeholder::Address => "address",
            Placeholder::Link => "link",
            Placeholder::Minutes => "minutes",
            Placeholder::Time => "time",
            Placeholder::Until => "until",
        }
    }
}

/// Why a template is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateFault {
    /// The first line is no subject.
    NoSubject,
    /// The subject is longer than `limits::SUBJECT_CHARS`, or has control characters.
    BadSubject,
    /// The subject contains the link, and so its code: subjects are logged.
    LinkInSubject,
    /// There is no text.
    Empty,
    /// A word in braces is no place of this mail.
    Unknown {
        /// The word.
        name: String,
        /// Its line, counted from 1.
        line: usize,
    },
    /// A place that the mail needs is missing.
    Missing(Placeholder),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(Placeholder),
}

/// A text with places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template(Vec<Part>);

impl Template {
    /// Reads a template that may contain these places. `first_line` is the number of its first line
    /// in its file.
    pub fn parse(
        text: &str,
        allowed: &[Placeholder],
        first_line: usize,
    ) -> Result<Template, TemplateFault> {
        let mut parts = Vec::new();
        let (mut literal, mut rest) = (String::new(), text);
        let mut line = first_line;
        while let Some((before, after)) = rest.split_once('{') {
            literal += before;
            line += before.matches('\n').count();
            rest = after;
            let Some((name, behind)) = after.split_once('}').filter(|(it, _)| is_word(it)) else {
                literal.push('{');
                continue;
            };
            let place = allowed.iter().find(|it| it.name() == name);
            let Some(place) = place else {
                let name = name.to_owned();
                return Err(TemplateFault::Unknown { name, line });
            };
            parts.push(Part::Text(std::mem::take(&mut literal)));
            parts.push(Part::Place(*place));
            rest = behind;
        }
        literal += rest;
        parts.push(Part::Text(literal));
        Ok(Template(parts))
    }

    /// The text with `value` in each place.
    pub fn fill(&self, value: impl Fn(Placeholder) -> String) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Place(place) => value(*place),
        });
        parts.collect()
    }

    fn contains(&self, place: Placeholder) -> bool {
        self.0.contains(&Part::Place(place))
    }
}

fn is_word(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name.chars().all(is_letter)
}

/// The template of a kind of mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailTemplate {
    /// The subject.
    pub subject: Template,
    /// The plain text.
    pub text: Template,
    /// The HTML; none: the mail has plain text only.
    pub html: Option<Template>,
}

impl MailTemplate {
    /// Reads the subject and the plain text: `Subject: …` in the first line, the text in the
    /// others, blank lines between them.
    pub fn parse(
        file: &str,
        allowed: &[Placeholder],
        required: &[Placeholder],
    ) -> Result<MailTemplate, TemplateFault> {
        let file = file.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let (first, rest) = file.split_once('\n').unwrap_or((&file, ""));
        let Some(subject) = first.strip_prefix("Subject:").map(str::trim) else {
            return Err(TemplateFault::NoSubject);
        };
        let chars = subject.chars().count();
        let too_long = chars > limits::SUBJECT_CHARS;
        if subject.is_empty() {
            return Err(TemplateFault::NoSubject);
        } else if too_long || subject.chars().any(char::is_control) {
            return Err(TemplateFault::BadSubject);
        }
        let subject = Template::parse(subject, allowed, 1)?;
        if subject.contains(Placeholder::Link) {
            return Err(TemplateFault::LinkInSubject);
        }
        let text = rest.trim_start_matches('\n');
        let first_line = 2 + rest.len() - text.len();
        Ok(MailTemplate {
            subject,
            text: body(text, allowed, required, first_line)?,
            html: None,
        })
    }

    /// Reads the HTML.
    pub fn parse_html(
        file: &str,
        allowed: &[Placeholder],
        required: &[Placeholder],
    ) -> Result<Template, TemplateFault> {
        body(file.trim_start_matches('\u{feff}'), allowed, required, 1)
    }
}

fn body(
    text: &str,
    allowed: &[Placeholder],
    required: &[Placeholder],
    first_line: usize,
) -> Result<Template, TemplateFault> {
    if text.trim().is_empty() {
        return Err(TemplateFault::Empty);
    }
    let template = Template::parse(text, allowed, first_line)?;
    match required.iter().find(|it| !template.contains(**it)) {
        Some(missing) => Err(TemplateFault::Missing(*missing)),
        None => Ok(template),
    }
}

/// The templates of all kinds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailTemplates {
    /// A link that sets a new password.
    pub reset: MailTemplate,
    /// The password was changed.
    pub password_changed: MailTemplate,
    /// The address was changed.
    pub email_changed: MailTemplate,
    /// A link that opens accounts.
    pub invite: MailTemplate,
}

impl MailTemplates {
    /// The template of this kind.
    pub fn of(&self, kind: MailKind) -> &MailTemplate {
        match kind {
            MailKind::Reset => &self.reset,
            MailKind::PasswordChanged => &self.password_changed,
            MailKind::EmailChanged => &self.email_changed,
            MailKind::Invite { .. } => &self.invite,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Placeholder::{Link, Service};

    fn filled(text: &str) -> String {
        let template = Template::parse(text, &[Link, Service], 1).unwrap();
        template.fill(|place| format!("<{}>", place.name()))
    }

    #[test]
    fn words_in_braces_are_places_and_other_braces_are_text() {
        for (text, expected) in [
            ("", ""),
            ("{service}: {link}{link}", "<service>: <link><link>"),
            (
                "a{color: red} { } {} {{link}}",
                "a{color: red} { } {} {<link>}",
            ),
            ("{ link } {unclosed", "{ link } {unclosed"),
            ("@media{p{margin:0}}", "@media{p{margin:0}}"),
        ] {
            assert_eq!(filled(text), expected);
        }
    }

    #[test]
    fn values_are_not_templates() {
        let template = Template::parse("{service}", &[Service], 1).unwrap();
        assert_eq!(template.fill(|_| "{link}".into()), "{link}");
    }

    #[test]
    fn mistakes_are_found_with_their_lines() {
        let parse = |file: &str| MailTemplate::parse(file, &[Link, Service], &[Link]).unwrap_err();
        let unknown = |name: &str, line| TemplateFault::Unknown {
            name: name.into(),
            line,
        };
        let long = format!("Subject: {}\n\n{{link}}", "x".repeat(201));
        for (file, fault) in [
            ("", TemplateFault::NoSubject),
            ("Hello {link}", TemplateFault::NoSubject),
            ("Subject:  \n\n{link}", TemplateFault::NoSubject),
            ("Subject: a\tb\n\n{link}", TemplateFault::BadSubject),
            (&long, TemplateFault::BadSubject),
            ("Subject: {link}\n\n{link}", TemplateFault::LinkInSubject),
            ("Subject: {lnk}\n\n{link}", unknown("lnk", 1)),
            ("Subject: x\n\n \n", TemplateFault::Empty),
            ("Subject: x", TemplateFault::Empty),
            ("Subject: x\r\n\r\na\r\n{Link}", unknown("Link", 4)),
            ("Subject: x\ny {minutes}", unknown("minutes", 2)),
            ("Subject: x\n\ny", TemplateFault::Missing(Link)),
        ] {
            assert_eq!(parse(file), fault, "{file:?}");
        }
    }
}
