//! Who acts: the holders of tokens, and the clients that use them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Invalid, UserId, limits};

/// The holder of a token. It alone decides what the token may access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Principal {
    /// The administrator of the configuration file.
    Admin,
    /// Any client that knows a hub password.
    Hub,
    /// An account.
    User(UserId),
    /// A machine whose token belongs to no account.
    Machine(MachineName),
}

impl Principal {
    /// The account, if it is one.
    pub fn user(self) -> Option<UserId> {
        match self {
            Principal::User(id) => Some(id),
            Principal::Admin | Principal::Hub | Principal::Machine(_) => None,
        }
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Principal> {
        match text.split_once(':') {
            Some(("machine", name)) => MachineName::parse(name).ok().map(Principal::Machine),
            Some(_) => None,
            None if text == "admin" => Some(Principal::Admin),
            None if text == "hub" => Some(Principal::Hub),
            None => UserId::parse(text).map(Principal::User),
        }
    }
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Principal::Admin => f.write_str("admin"),
            Principal::Hub => f.write_str("hub"),
            Principal::User(id) => id.fmt(f),
            Principal::Machine(name) => write!(f, "machine:{}", name.as_str()),
        }
    }
}

/// The client that requested a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The client's address.
    pub address: IpAddr,
    /// Its user agent, cut to `USER_AGENT_BYTES`.
    pub user_agent: String,
}

impl Client {
    /// A client; an absent or empty user agent becomes `unknown`.
    pub fn new(address: IpAddr, user_agent: Option<&str>) -> Client {
        let text = user_agent
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .unwrap_or("unknown");
        let end = text.floor_char_boundary(limits::USER_AGENT_BYTES);
        Client {
            address,
            user_agent: text.get(..end).unwrap_or_default().to_owned(),
        }
    }
}

/// The name of a machine: 1 to 32 letters, digits, `-`, `_` and `.` of ASCII. Stored with zeros
/// behind it, so that it is a value of fixed width that keys can hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MachineName(pub [u8; limits::MACHINE_NAME_BYTES]);

/// A machine's number in the order of their names' first use. Short, so that an event can name it
/// in a few bytes; never reused and never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MachineNumber(pub u32);

impl MachineName {
    /// Checks a name.
    pub fn parse(text: &str) -> Result<MachineName, Invalid> {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let mut bytes = [0; limits::MACHINE_NAME_BYTES];
        match bytes.get_mut(..text.len()) {
            Some(to) if !text.is_empty() && text.bytes().all(is_fine) => {
                to.copy_from_slice(text.as_bytes());
                Ok(MachineName(bytes))
            }
            _ => Err(Invalid::new(
                "name",
                "must be 1 to 32 letters, digits, hyphens, underscores and dots",
            )),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0);
        let text = self.0.get(..end.unwrap_or(self.0.len()));
        str::from_utf8(text.unwrap_or_default()).unwrap_or_default()
    }
}

impl std::fmt::Debug for MachineName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<MachineName> for String {
    fn from(name: MachineName) -> String {
        name.as_str().to_owned()
    }
}

impl TryFrom<String> for MachineName {
    type Error = String;
    fn try_from(text: String) -> Result<MachineName, String> {
        MachineName::parse(&text).map_err(|invalid| invalid.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_of_few_characters() {
        for name in ["a", "Sensor_1.b-c", &"x".repeat(32)] {
            assert_eq!(MachineName::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "a b", "ü", "a:b", "a\0", &"x".repeat(33)] {
            assert!(MachineName::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_long_user_agent_is_cut_between_characters() {
        let client = Client::new([127, 0, 0, 1].into(), Some(&"ü".repeat(200)));
        assert_eq!(client.user_agent.len(), 256);
        assert_eq!(
            Client::new([127, 0, 0, 1].into(), Some("  ")).user_agent,
            "unknown"
        );
    }
}
