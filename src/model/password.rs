//! New passwords, and the rules that they keep. Passwords that exist are only compared.

use super::{Email, Invalid, Name, Secret, common_passwords, limits, text};

/// The configured rules for new passwords.
#[derive(Debug, Clone, Copy)]
pub struct PasswordRules {
    /// The shortest password, in characters.
    pub min_chars: usize,
    /// Whether the most common passwords are refused.
    pub refuse_common: bool,
}

/// A new password that passed the checks, in its normal form.
#[derive(Debug, Clone)]
pub struct Password(Secret);

impl Password {
    /// Checks a new password: `min_chars` to 255 characters, at most 1024 bytes, not one character
    /// repeated, not a common one, and no composition rules (NIST SP 800-63B, 3.1.1.2).
    pub fn parse(secret: &Secret, rules: PasswordRules) -> Result<Password, Invalid> {
        let secret = secret.normalized().into_owned();
        let text = secret.reveal();
        let chars = text.chars().count();
        if chars < rules.min_chars {
            let least = rules.min_chars;
            return wrong(format!("is too short (minimum is {least} characters)"));
        }
        if chars > limits::PASSWORD_CHARS || text.len() > limits::PASSWORD_BYTES {
            let most = limits::PASSWORD_CHARS;
            return wrong(format!("is too long (maximum is {most} characters)"));
        }
        if is_one_char_repeated(text) {
            return wrong("must not be one character repeated");
        }
        if rules.refuse_common && common_passwords::is_common_password(text) {
            return wrong("is too common");
        }
        Ok(Password(secret))
    }

    /// Checks that it is neither the address of its owner, nor the part before the `@`, nor the
    /// name, ignoring case: what everyone knows of an account is tried first.
    pub fn unlike(self, email: &Email, name: &Name) -> Result<Password, Invalid> {
        let password = text::caseless(self.0.reveal());
        if email
            .forms()
            .iter()
            .any(|form| text::caseless(form) == password)
        {
            return wrong("must not be the email address, nor the part before its @");
        }
        if text::caseless(name.as_str()) == password {
            return wrong("must not be the name");
        }
        Ok(self)
    }

    /// The password itself, for hashing.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

fn is_one_char_repeated(text: &str) -> bool {
    let first = text.chars().next();
    text.chars().nth(1).is_some() && text.chars().all(|char| Some(char) == first)
}

fn wrong<T>(why: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid::new("password", why))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: PasswordRules = PasswordRules {
        min_chars: 8,
        refuse_common: true,
    };

    /// The complaint about a password; empty: it is accepted.
    fn complaint(text: &str, rules: PasswordRules) -> String {
        let parsed = Password::parse(&Secret::new(text), rules);
        let judged = parsed.and_then(|it| {
            it.unlike(
                &Email::parse("Ana.Maria@bücher.example").unwrap(),
                &Name::parse("Ana María B.").unwrap(),
            )
        });
        judged.map_or_else(|invalid| invalid.why, |_| String::new())
    }

    #[test]
    fn a_new_password_is_held_to_the_rules() {
        let long = "correct ".repeat(32);
        let (short, too_long) = (
            "is too short (minimum is 8 characters)",
            "is too long (maximum is 255 characters)",
        );
        let (repeated, common) = ("must not be one character repeated", "is too common");
        let address = "must not be the email address, nor the part before its @";
        for (text, expected) in [
            ("", short),
            ("1234567", short),
            // Seven characters, the last one typed as two.
            ("battere\u{301}", short),
            ("batterye\u{301}", ""),
            (&long[..255], ""),
            (&long, too_long),
            (&"😀é".repeat(127), ""),
            ("aaaaaaaa", repeated),
            ("\u{a0} \u{3000} \u{2003} \u{a0} ", repeated),
            (&"e\u{301}".repeat(8), repeated),
            ("password", common),
            ("PASSWORD1", common),
            ("password of ana", ""),
            ("ana.maria@bücher.example", address),
            ("ANA.MARIA@BU\u{308}CHER.EXAMPLE", address),
            ("ana.maria@xn--bcher-kva.example", address),
            ("ana.maria", address),
            ("ana.mari", ""),
            ("ana maría b.", "must not be the name"),
            ("ANA MARI\u{301}A B.", "must not be the name"),
        ] {
            assert_eq!(complaint(text, RULES), expected, "{text:?}");
        }
    }

    #[test]
    fn an_owner_may_allow_common_and_short_passwords() {
        let rules = PasswordRules {
            min_chars: 1,
            refuse_common: false,
        };
        for text in ["password", "x", "xy"] {
            assert_eq!(complaint(text, rules), "", "{text:?}");
        }
        assert_eq!(complaint("xx", rules), "must not be one character repeated");
    }
}
