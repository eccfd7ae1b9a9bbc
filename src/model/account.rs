//! Accounts, what they are made of, and the invites that open them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Digest, Email, Invalid, Secret, Timestamp, UserId, UserNumber, limits};

/// A display name of 1 to 255 characters, as given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name(String);

impl Name {
    /// Checks a name; control characters are refused, blanks around it trimmed.
    pub fn parse(text: &str) -> Result<Name, Invalid> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > limits::NAME_CHARS {
            let why = format!("must be 1 to {} characters long", limits::NAME_CHARS);
            return Err(Invalid::new("name", why));
        }
        if text.chars().any(char::is_control) {
            return Err(Invalid::new("name", "must not contain control characters"));
        }
        Ok(Name(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A password somebody wants to have from now on.
#[derive(Debug, Clone)]
pub struct Password(Secret);

impl Password {
    /// Checks a new password: `min_chars` to 255 characters and no composition rules (NIST SP
    /// 800-63B, 3.1.1.2).
    pub fn parse(secret: Secret, min_chars: usize) -> Result<Password, Invalid> {
        let chars = secret.reveal().chars().count();
        if chars < min_chars {
            let why = format!("is too short (minimum is {min_chars} characters)");
            return Err(Invalid::new("password", why));
        }
        if chars > limits::PASSWORD_CHARS || secret.reveal().len() > limits::PASSWORD_BYTES {
            let most = limits::PASSWORD_CHARS;
            let why = format!("is too long (maximum is {most} characters)");
            return Err(Invalid::new("password", why));
        }
        Ok(Password(secret))
    }

    /// The password itself, for hashing.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

/// An account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its public name.
    pub id: UserId,
    /// Its short name inside the store.
    pub number: UserNumber,
    /// Where its mail goes; unique among accounts, without case.
    pub email: Email,
    /// What it is called.
    pub name: Name,
    /// Its password as a PHC string, which can be guessed at.
    pub password_hash: String,
    /// A disabled account cannot log in and its tokens are dead.
    pub disabled: bool,
    /// Tokens of an earlier epoch are dead: raising it ends them all in one write.
    pub epoch: u32,
    /// When it signed up.
    pub created_at: Timestamp,
    /// When name, address or password last changed.
    pub updated_at: Timestamp,
    /// The invite code it came with.
    pub invite: Option<String>,
}

impl fmt::Debug for User {
    /// Neither the hash, which can be guessed at, nor the invite, which may open further accounts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("email", &self.email)
            .field("disabled", &self.disabled)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

/// An account that is about to be made.
#[derive(Clone)]
pub struct NewUser {
    /// Its public name, drawn by the caller.
    pub id: UserId,
    /// Its address.
    pub email: Email,
    /// Its name.
    pub name: Name,
    /// Its password as a PHC string.
    pub password_hash: String,
    /// The invite code it brings.
    pub invite: Option<String>,
}

impl fmt::Debug for NewUser {
    /// As little as of a [`User`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser")
            .field("id", &self.id)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

/// What an invite allows, as the owner configured it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteTerms {
    /// How many accounts it may open.
    pub uses: u32,
    /// Until when; for ever if not said.
    pub expires_at: Option<Timestamp>,
}

/// An invite and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// How many accounts it may open in all.
    pub uses: u32,
    /// How many it has opened.
    pub used: u32,
    /// Until when it is good.
    pub expires_at: Option<Timestamp>,
    /// The digest of the code.
    pub digest: Digest,
}

impl Invite {
    /// Whether one more account may come in.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.used < self.uses && self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_printed_without_its_secrets() {
        let new = NewUser {
            id: UserId::from_random([1; 16]),
            email: Email::parse("ana@example.org").unwrap(),
            name: Name::parse("Ana").unwrap(),
            password_hash: "$argon2id$".into(),
            invite: Some("sesame".into()),
        };
        let user = User {
            id: new.id,
            number: UserNumber(1),
            email: new.email.clone(),
            name: new.name.clone(),
            password_hash: new.password_hash.clone(),
            disabled: false,
            epoch: 0,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            invite: new.invite.clone(),
        };
        for printed in [format!("{new:?}"), format!("{user:?}")] {
            assert!(printed.contains("ana@example.org"), "{printed}");
            assert!(
                !printed.contains("argon2") && !printed.contains("sesame"),
                "{printed}"
            );
        }
    }

    #[test]
    fn names_have_one_to_255_characters() {
        assert!(Name::parse(&"ü".repeat(255)).is_ok());
        for text in ["", "   ", &"a".repeat(256), "a\0b", "a\nb"] {
            assert!(Name::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn passwords_have_eight_to_255_characters() {
        let try_it = |text: &str| Password::parse(Secret::new(text), 8);
        assert!(try_it("12345678").is_ok() && try_it(&"ü".repeat(255)).is_ok());
        assert_eq!(
            try_it("1234567").unwrap_err().to_string(),
            "password: is too short (minimum is 8 characters)"
        );
        assert!(try_it(&"a".repeat(256)).is_err());
    }

    #[test]
    fn an_invite_closes_when_used_up_or_expired() {
        let at = Timestamp::from_millis;
        let invite = |used, expires_at| Invite {
            uses: 2,
            used,
            expires_at,
            digest: Digest([0; 32]),
        };
        assert!(invite(1, None).is_open(at(5)) && invite(0, Some(at(6))).is_open(at(5)));
        assert!(!invite(2, None).is_open(at(5)) && !invite(0, Some(at(5))).is_open(at(5)));
    }
}
