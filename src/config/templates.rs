//! The templates of mails: those of the program, and the files of a directory that replace them.
//! Both are read in the same way.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::Config;
use super::complaint::nearest;
use super::reader::{Reader, Value};
use super::value::{Wrong, because};
use crate::model::Placeholder::{Address, Link, Minutes, Service, Time, Until};
use crate::model::{MailTemplate, MailTemplates, Placeholder, TemplateFault, limits};

/// The templates of a kind of mail.
struct Kind {
    /// The names of its files.
    text: &'static str,
    html: &'static str,
    /// The contents that the program has for them.
    built_in: [&'static str; 2],
    /// The places that they may have.
    allowed: &'static [Placeholder],
    /// The places that text and HTML must have.
    required: &'static [Placeholder],
    field: fn(&mut MailTemplates) -> &mut MailTemplate,
}

const KINDS: [Kind; 4] = [
    Kind {
        text: "reset.txt",
        html: "reset.html",
        built_in: [
            include_str!("mails/reset.txt"),
            include_str!("mails/reset.html"),
        ],
        allowed: &[Service, Address, Link, Minutes],
        required: &[Link],
        field: |to| &mut to.reset,
    },
    Kind {
        text: "password_changed.txt",
        html: "password_changed.html",
        built_in: [
            include_str!("mails/password_changed.txt"),
            include_str!("mails/password_changed.html"),
        ],
        allowed: &[Service, Address, Time],
        required: &[],
        field: |to| &mut to.password_changed,
    },
    Kind {
        text: "email_changed.txt",
        html: "email_changed.html",
        built_in: [
            include_str!("mails/email_changed.txt"),
            include_str!("mails/email_changed.html"),
        ],
        allowed: &[Service, Address, Time],
        required: &[],
        field: |to| &mut to.email_changed,
    },
    Kind {
        text: "invite.txt",
        html: "invite.html",
        built_in: [
            include_str!("mails/invite.txt"),
            include_str!("mails/invite.html"),
        ],
        allowed: &[Service, Address, Link, Until],
        required: &[Link],
        field: |to| &mut to.invite,
    },
];

impl Kind {
    /// Reads the templates of this kind: its text and, if there is one, its HTML. The error names
    /// the file.
    fn read(&self, text: &str, html: Option<&str>) -> Result<MailTemplate, String> {
        let in_file = |name, fault| format!("{name}: {}", self.sentence(fault));
        let template = MailTemplate::parse(text, self.allowed, self.required);
        let mut template = template.map_err(|fault| in_file(self.text, fault))?;
        let html = html.map(|html| MailTemplate::parse_html(html, self.allowed, self.required));
        template.html = html
            .transpose()
            .map_err(|fault| in_file(self.html, fault))?;
        Ok(template)
    }

    fn sentence(&self, fault: TemplateFault) -> String {
        match fault {
            TemplateFault::NoSubject => {
                "the first line must be a subject, such as `Subject: A word from {service}`".into()
            }
            TemplateFault::BadSubject => format!(
                "the subject must have at most {} characters, and no control characters",
                limits::SUBJECT_CHARS
            ),
            TemplateFault::LinkInSubject => {
                "the subject must not contain {link}: subjects are logged".into()
            }
            TemplateFault::Empty => "there is no text".into(),
            TemplateFault::Missing(place) => format!(
                "{{{}}} is missing, without which the mail is of no use",
                place.name()
            ),
            TemplateFault::Unknown { name, line } => {
                let known = || self.allowed.iter().map(|it| it.name());
                let name: String = name.chars().take(60).collect();
                let lower_case = name.to_ascii_lowercase();
                let offer = nearest(&lower_case, known());
                let help = offer.map(|near| format!("did you mean {{{near}}}?"));
                let help = help.unwrap_or_else(|| {
                    let known: Vec<_> = known().map(|it| format!("{{{it}}}")).collect();
                    format!("this mail has {}", known.join(", "))
                });
                format!("line {line}: there is no {{{name}}}; {help}")
            }
        }
    }
}

/// The templates of the program.
pub(super) fn built_in() -> MailTemplates {
    let mut templates = MailTemplates::default();
    for kind in &KINDS {
        let [text, html] = kind.built_in;
        // A test reads them all.
        *(kind.field)(&mut templates) = kind.read(text, Some(html)).unwrap_or_default();
    }
    templates
}

/// Reads the directory of the setting `key` into `config`, or complains of every file.
pub(super) fn read(reader: &mut Reader<'_>, key: &str, value: &Value<'_>, config: &mut Config) {
    let directory = match reader.path(value) {
        Ok(directory) => directory,
        Err(wrong) => return reader.note(key, value, Err(wrong)),
    };
    for outcome in read_directory(&directory, &mut config.mail.templates) {
        reader.note(key, value, outcome);
    }
}

/// Replaces the templates for which the directory has files.
fn read_directory(directory: &Path, templates: &mut MailTemplates) -> Vec<Result<(), Wrong>> {
    let shown = directory.display();
    let mut outcomes = match unknown_names(directory) {
        Ok(unknown) => unknown,
        Err(cause) => return vec![because(format!("names the directory \"{shown}\": {cause}"))],
    };
    for kind in &KINDS {
        let outcome = match [kind.text, kind.html].map(|name| contents(directory, name)) {
            [Err(why), _] | [_, Err(why)] => Err(why),
            [Ok(None), Ok(None)] => continue,
            [Ok(None), Ok(Some(_))] => {
                let Kind { text, html, .. } = kind;
                Err(format!(
                    "{html} needs {text} beside it, which has the subject"
                ))
            }
            [Ok(Some(text)), Ok(html)] => kind
                .read(&text, html.as_deref())
                .map(|template| *(kind.field)(templates) = template),
        };
        outcomes.push(outcome.or_else(|why| because(format!("names \"{shown}\", where {why}"))));
    }
    outcomes
}

/// Complaints of files whose names are no template's, but look as if they were meant to be.
fn unknown_names(directory: &Path) -> io::Result<Vec<Result<(), Wrong>>> {
    let known = || KINDS.iter().flat_map(|it| [it.text, it.html]);
    let mut names = Vec::new();
    for entry in directory.read_dir()? {
        let name = entry?.file_name();
        let extension = Path::new(&name).extension().and_then(OsStr::to_str);
        if matches!(extension, Some("txt" | "html")) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.retain(|name| !known().any(|it| it == name));
    names.sort();
    let complain = |name: &String| {
        let name: String = name.chars().take(60).flat_map(char::escape_debug).collect();
        let offer = nearest(&name, known()).map(|it| format!("; did you mean {it}?"));
        let all: Vec<_> = known().collect();
        let help = offer.unwrap_or_else(|| format!("; it reads {}", all.join(", ")));
        because(format!(
            "names \"{}\", where {name} is no template{help}",
            directory.display()
        ))
    };
    Ok(names.iter().map(complain).collect())
}

/// The text of a file; none if it does not exist. The error names the file.
fn contents(directory: &Path, name: &str) -> Result<Option<String>, String> {
    let path = directory.join(name);
    let unreadable = |cause: io::Error| format!("{name} cannot be read: {cause}");
    let is_file = match path.metadata() {
        Ok(metadata) => metadata.is_file(),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(unreadable(cause)),
    };
    // To open a pipe would wait until another process writes to it.
    if !is_file {
        return Err(format!("{name} is not a file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(&path).map_err(unreadable)?;
    file.take(limits::TEMPLATE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > limits::TEMPLATE_BYTES {
        let most = limits::TEMPLATE_BYTES / 1024;
        return Err(format!("{name} is longer than {most} KiB"));
    }
    let text = String::from_utf8(bytes).map_err(|wrong| {
        let good = wrong.as_bytes().get(..wrong.utf8_error().valid_up_to());
        let line = String::from_utf8_lossy(good.unwrap_or_default())
            .matches('\n')
            .count()
            + 1;
        format!("{name}: line {line}: the file must be UTF-8 text")
    })?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_of_the_program_have_no_mistake() {
        for kind in &KINDS {
            let [text, html] = kind.built_in;
            kind.read(text, Some(html)).unwrap();
        }
        assert!(built_in().reset.html.is_some());
    }
}
