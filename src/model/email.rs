//! E-mail addresses: shown as typed, compared in one form, mailed in the form of the DNS.

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};

use super::text::nfc;
use super::{Invalid, limits};

/// An e-mail address as a person typed it. It looks like one; [`Email::mailed`] says whether mail
/// can be addressed to it.
///
/// Two addresses are the same account when their keys are equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email(String);

/// The two parts of an address as a mail names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAddress {
    /// The part before the `@`, in NFC.
    pub local: String,
    /// The domain in ASCII: international labels as A-labels (RFC 5890).
    pub domain: String,
}

impl Email {
    /// Trims blanks and checks the shape: one `@` with something on each side, a dot-atom-like
    /// domain, no blanks or control characters, at most 254 bytes (RFC 5321, 4.5.3.1.3).
    pub fn parse(text: &str) -> Result<Email, Invalid> {
        let text = text.trim();
        if text.is_empty() {
            return wrong("must not be empty");
        }
        if text.len() > limits::EMAIL_BYTES {
            return too_long(limits::EMAIL_BYTES);
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

    /// The address as its owner typed it.
    pub fn shown(&self) -> &str {
        &self.0
    }

    /// The key for comparisons: the address as it is mailed, with its ASCII letters in lower case.
    ///
    /// It folds nothing else: a look-alike address must not take over another person's account
    /// (CVE-2019-19844). The key of an address that cannot be mailed is the address as typed, in
    /// the same lower case; accounts of earlier versions may have one.
    pub fn key(&self) -> String {
        if self.0.is_ascii() {
            return self.typed_key();
        }
        match self.mailed() {
            Ok(MailAddress { local, domain }) => {
                // A letter in lower case may compose with the accent that follows it.
                let local = local.to_ascii_lowercase();
                format!("{}@{domain}", nfc(&local))
            }
            Err(_) => self.typed_key(),
        }
    }

    /// The keys that its account may stand under, one or two. Earlier versions knew an address only
    /// as it was typed: where two accounts had one address in two spellings, one of them still
    /// stands under its spelling.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = vec![self.typed_key(), self.key()];
        keys.dedup();
        keys
    }

    fn typed_key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// The address as a mail names it. The error says why there is none: the domain is no
    /// internationalized domain name (UTS #46, non-transitional), or a part is longer than SMTP
    /// carries (RFC 5321, 4.5.3.1).
    pub fn mailed(&self) -> Result<MailAddress, Invalid> {
        let Some((local, domain)) = self.0.rsplit_once('@') else {
            return wrong("must look like name@example.org");
        };
        let Some(ascii) = to_ascii(domain) else {
            return wrong("must have a domain name after the @");
        };
        let domain = if domain.is_ascii() {
            domain.to_owned()
        } else {
            ascii
        };
        let local = nfc(local).into_owned();
        if local.len() > limits::EMAIL_LOCAL_BYTES {
            let most = limits::EMAIL_LOCAL_BYTES;
            return wrong(&format!("must have at most {most} bytes before the @"));
        }
        if local.len() + "@".len() + domain.len() > limits::EMAIL_BYTES {
            return too_long(limits::EMAIL_BYTES);
        }
        Ok(MailAddress { local, domain })
    }

    /// The address in its forms, and the part before the `@`.
    pub(super) fn forms(&self) -> [String; 3] {
        let local = self.0.rsplit_once('@').map_or("", |(local, _)| local);
        [self.0.clone(), self.key(), local.to_owned()]
    }
}

fn wrong<T>(why: &str) -> Result<T, Invalid> {
    Err(Invalid::new("email", why))
}

fn too_long<T>(most: usize) -> Result<T, Invalid> {
    wrong(&format!("must be at most {most} bytes long"))
}

fn is_local_part(local: &str) -> bool {
    !local.is_empty()
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && !local.contains(['@', ',', ';', ':', '<', '>', '(', ')', '[', ']', '\\', '"'])
}

/// Whether it looks like a domain: one of the DNS, or labels of letters and digits.
fn is_domain(domain: &str) -> bool {
    to_ascii(domain).is_some() || domain.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c.is_alphanumeric() || c == '-')
}

/// The domain in lower case, with A-labels; none: the DNS can have no such name.
fn to_ascii(domain: &str) -> Option<String> {
    let ascii = Uts46::new().to_ascii(
        domain.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
        DnsLength::Verify,
    );
    Some(ascii.ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> String {
        Email::parse(text).unwrap().key()
    }

    #[test]
    fn addresses_are_compared_in_one_form_and_shown_as_typed() {
        for (text, expected) in [
            ("  Ana@Example.org ", "ana@example.org"),
            ("ana@münchen.de", "ana@xn--mnchen-3ya.de"),
            ("ANA@MÜNCHEN.DE", "ana@xn--mnchen-3ya.de"),
            ("ana@mu\u{308}nchen.de", "ana@xn--mnchen-3ya.de"),
            ("ana@XN--mnchen-3YA.de", "ana@xn--mnchen-3ya.de"),
            ("a@faß.example", "a@xn--fa-hia.example"),
            ("a@例え。テスト", "a@xn--r8jz45g.xn--zckzah"),
            ("a@हिन्दी.भारत", "a@xn--j2bd4cyah0f.xn--h2brj9c"),
            ("a@ﬁre.example", "a@fire.example"),
            ("é@x.org", "é@x.org"),
            ("e\u{301}@x.org", "é@x.org"),
            // There is no H with a line below in one character, but an h.
            ("H\u{331}@x.org", "\u{1e96}@x.org"),
            ("h\u{331}@x.org", "\u{1e96}@x.org"),
        ] {
            assert_eq!(key(text), expected, "{text:?}");
            assert_eq!(key(&key(text)), expected, "{text:?}");
            assert_eq!(Email::parse(text).unwrap().shown(), text.trim());
        }
    }

    #[test]
    fn look_alike_letters_are_not_folded() {
        for (one, another) in [
            ("m\u{131}ke@x.org", "mike@x.org"),
            ("ﬁ@x.org", "fi@x.org"),
            ("\u{ff14}@x.org", "4@x.org"),
            ("ſ@x.org", "s@x.org"),
            ("É@x.org", "é@x.org"),
            ("а@x.org", "a@x.org"),
        ] {
            assert_ne!(key(one), key(another));
        }
    }

    #[test]
    fn an_address_that_earlier_versions_took_keeps_its_key() {
        for text in ["é@xn--zz.example", "A@ﷺ.example", "ana@x\u{661}y.example"] {
            let email = Email::parse(text).unwrap();
            assert!(email.mailed().is_err(), "{text:?}");
            assert_eq!(email.keys(), [text.to_ascii_lowercase()]);
        }
        let unlike = Email::parse("ANA@münchen.de").unwrap();
        assert_eq!(unlike.keys(), ["ana@münchen.de", "ana@xn--mnchen-3ya.de"]);
    }

    #[test]
    fn mail_goes_to_the_name_of_the_dns() {
        let long = format!("{}@example.org", "a".repeat(64));
        let composed = format!("{}@example.org", "e\u{301}".repeat(32));
        for (text, expected) in [
            ("Ana@Example.org", Some(("Ana", "Example.org"))),
            ("Ana@München.de", Some(("Ana", "xn--mnchen-3ya.de"))),
            ("e\u{301}@x.org", Some(("é", "x.org"))),
            (&long, Some((&long[..64], "example.org"))),
            (&composed, Some((&"é".repeat(32), "example.org"))),
            (&format!("a{long}"), None),
            (&format!("x{composed}"), None),
            ("a@xn--zz.example", None),
            ("a@x\u{661}y.example", None),
        ] {
            let mailed = Email::parse(text).unwrap().mailed().ok();
            let parts = mailed.as_ref().map(|it| (&*it.local, &*it.domain));
            assert_eq!(parts, expected, "{text:?}");
        }
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
            "ana@x。。org",
            "ana@x_y.org",
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
            "a@r3---x.example",
            "a@192.0.2.1",
        ] {
            let email = Email::parse(text).unwrap_or_else(|wrong| panic!("{text:?}: {wrong}"));
            assert!(email.mailed().is_ok(), "{text:?}");
        }
    }
}
