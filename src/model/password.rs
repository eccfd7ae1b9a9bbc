//! New passwords, and the rules that they keep. Passwords that exist are only compared.

use super::{Invalid, Secret, limits};

/// A new password that passed the checks, in its normal form.
#[derive(Debug, Clone)]
pub struct Password(Secret);

impl Password {
    /// Checks a new password: `min_chars` to 255 characters, at most 1024 bytes, and no composition
    /// rules (NIST SP 800-63B, 3.1.1.2).
    pub fn parse(secret: &Secret, min_chars: usize) -> Result<Password, Invalid> {
        let secret = secret.normalized().into_owned();
        let text = secret.reveal();
        let chars = text.chars().count();
        if chars < min_chars {
            return wrong(format!("is too short (minimum is {min_chars} characters)"));
        }
        if chars > limits::PASSWORD_CHARS || text.len() > limits::PASSWORD_BYTES {
            let most = limits::PASSWORD_CHARS;
            return wrong(format!("is too long (maximum is {most} characters)"));
        }
        Ok(Password(secret))
    }

    /// The password itself, for hashing.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

fn wrong<T>(why: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid::new("password", why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_eight_to_255_characters_in_their_normal_form() {
        let try_it = |text: &str| Password::parse(&Secret::new(text), 8);
        assert!(try_it("12345678").is_ok() && try_it(&"ü".repeat(255)).is_ok());
        for short in ["1234567", "battere\u{301}"] {
            let complaint = try_it(short).unwrap_err().to_string();
            assert_eq!(
                complaint,
                "password: is too short (minimum is 8 characters)"
            );
        }
        assert!(try_it(&"a".repeat(256)).is_err());
    }
}
