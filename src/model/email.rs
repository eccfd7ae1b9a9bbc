//! E-mail addresses: compared without ASCII case, shown as given.

use serde::{Deserialize, Serialize};

use super::{Invalid, limits};

/// A checked e-mail address.
///
/// Two addresses are the same account when their keys are equal. The key changes ASCII letters to
/// lower case and nothing else: folding Unicode would let a look-alike address take over another
/// person's account (CVE-2019-19844).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email(String);

impl Email {
    /// Trims blanks and checks the shape: one `@` with something on each side, a dot-atom-like
    /// domain, no blanks or control characters, at most 254 bytes (RFC 5321, 4.5.3.1.3).
    pub fn parse(text: &str) -> Result<Email, Invalid> {
        let text = text.trim();
        let wrong = |why: &str| Err(Invalid::new("email", why));
        if text.is_empty() {
            return wrong("must not be empty");
        }
        if text.len() > limits::EMAIL_BYTES {
            return wrong(&format!(
                "must be at most {} bytes long",
                limits::EMAIL_BYTES
            ));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return wrong("must not contain blanks or control characters");
        }
        let Some((local, domain)) = text.rsplit_once('@') else {
            return wrong("must look like name@example.org");
        };
        if !is_local_part(local) || !is_domain(domain) {
            return wrong("must look like name@example.org");
        }
        Ok(Email(text.to_owned()))
    }

    /// The address as its owner wrote it.
    pub fn shown(&self) -> &str {
        &self.0
    }

    /// The key for comparisons: the address with its ASCII letters in lower case.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

fn is_local_part(local: &str) -> bool {
    !local.is_empty()
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && !local.contains(['@', ',', ';', ':', '<', '>', '(', ')', '[', ']', '\\', '"'])
}

fn is_domain(domain: &str) -> bool {
    domain.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_without_case_and_shown_as_given() {
        let email = Email::parse("  Ana@Example.org ").unwrap();
        assert_eq!(
            (email.shown(), email.key().as_str()),
            ("Ana@Example.org", "ana@example.org")
        );
    }

    #[test]
    fn look_alike_letters_are_not_folded() {
        let dotless = Email::parse("m\u{131}ke@example.org").unwrap();
        assert_ne!(
            dotless.key(),
            Email::parse("mike@example.org").unwrap().key()
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.org", "a".repeat(250));
        for text in [
            "",
            " ",
            "ana",
            "@example.org",
            "ana@",
            "ana@@example.org",
            "ana@-x.org",
            "a b@x.org",
            "ana@x..org",
            "ana\r\nBcc: all@x.org",
            "ana\0@x.org",
            "<ana@x.org>",
            "a,b@x.org",
            &long,
        ] {
            assert!(Email::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn usual_and_unusual_addresses_are_taken() {
        for text in [
            "a@localhost",
            "user@email.com",
            "o'neil+news@sub.example.co.uk",
            "ü@bücher.example",
        ] {
            assert!(Email::parse(text).is_ok(), "{text:?}");
        }
    }
}
