//! Machine tokens: what a token that no login brings may do, and from where.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::numbered::numbered;
use super::{Actor, MachineName, Principal};

/// The prefix of the secret of every machine token, by which scanners find it in a leaked file.
pub const MACHINE_TOKEN_PREFIX: &str = "dw_";

numbered! {
    /// What a machine token may be allowed to do.
    Scope {
        /// Report events.
        1 EventsWrite "events:write",
        /// List, export, follow and sum up events.
        2 EventsRead "events:read",
        /// List and show users and their tokens.
        3 UsersRead "users:read",
        /// Introspect tokens.
        4 TokensVerify "tokens:verify",
        /// Read the metrics.
        5 MetricsRead "metrics:read",
        /// Everything that the administrator may do.
        6 Admin "admin",
    }
}

impl Scope {
    /// Whether a token with this scope may do what needs `needed`. Reporting events is not a part
    /// of the admin API, so `admin` does not include it.
    pub fn opens(self, needed: Scope) -> bool {
        self == needed || (self == Scope::Admin && needed != Scope::EventsWrite)
    }
}

/// What makes a token a machine token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The name of the machine.
    pub name: MachineName,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The networks from which it may do so; none: from everywhere.
    pub networks: Vec<IpNet>,
    /// Who made it.
    pub created_by: Actor,
    /// The address of the last use that was written down.
    pub last_address: Option<IpAddr>,
}

/// Why a machine token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It lacks this scope; none: no machine token is accepted there.
    Scope(Option<Scope>),
    /// It is used from this address, which is in none of its networks; none: from one that a proxy
    /// does not name.
    Network(Option<IpAddr>),
    /// Only a person may do this: a token that leaks must not make others that outlive it.
    Person,
}

impl Grant {
    /// Whether the token may do what needs `needed`, from this address. `needed` is none for what
    /// no machine token may do, `from` if the address is not known.
    pub fn check(&self, needed: Option<Scope>, from: Option<IpAddr>) -> Result<(), Refusal> {
        let opens = |needed| self.scopes.iter().any(|scope| scope.opens(needed));
        if !self.admits(from) {
            Err(Refusal::Network(from))
        } else if needed.is_some_and(opens) {
            Ok(())
        } else {
            Err(Refusal::Scope(needed))
        }
    }

    /// Whether the token may be used from this address. One that is not known is in no network.
    pub fn admits(&self, from: Option<IpAddr>) -> bool {
        let contains = |from| self.networks.iter().any(|network| network.contains(&from));
        self.networks.is_empty() || from.is_some_and(contains)
    }

    /// Whether a user made it: it acts and reports as that user, and nobody else sees its name.
    pub fn is_users_own(&self) -> bool {
        self.created_by.user().is_some()
    }

    /// The same for another token, which nobody has used.
    #[must_use]
    pub fn unused(self) -> Grant {
        Grant {
            last_address: None,
            ..self
        }
    }

    /// The scopes as OAuth writes them: with a space between them (RFC 6749, section 3.3).
    pub fn scope_text(&self) -> String {
        let names: Vec<&str> = self.scopes.iter().map(|scope| scope.as_str()).collect();
        names.join(" ")
    }

    /// The networks, in CIDR notation.
    pub fn network_texts(&self) -> Vec<String> {
        self.networks.iter().map(IpNet::to_string).collect()
    }

    /// Who acts with the token.
    pub fn actor(&self) -> Actor {
        match self.created_by.user() {
            Some(user) => Actor::Holder(Principal::User(user)),
            None => Actor::Machine(self.name.as_str().to_owned()),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Scope(Some(scope)) => {
                let scope = scope.as_str();
                write!(f, "The machine token needs the scope {scope} for this")
            }
            Refusal::Scope(None) => f.write_str("No machine token is accepted here"),
            Refusal::Person => {
                f.write_str("No machine makes or rotates machine tokens: a person must")
            }
            Refusal::Network(None) => f.write_str(
                "The machine token is not accepted from an address outside its networks, and the \
                 proxy does not say from which it is used",
            ),
            Refusal::Network(Some(address)) => {
                write!(
                    f,
                    "The machine token is not accepted from {address}, an address outside its networks"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(scopes: &[Scope], networks: &[&str]) -> Grant {
        Grant {
            name: MachineName::parse("sensor-1").unwrap(),
            scopes: scopes.to_vec(),
            networks: networks.iter().map(|it| it.parse().unwrap()).collect(),
            created_by: Actor::Server,
            last_address: None,
        }
    }

    #[test]
    fn a_grant_opens_its_scopes_in_its_networks() {
        let here = Some([10, 0, 0, 7].into());
        let reads = grant(&[Scope::EventsRead], &["10.0.0.0/24", "::1/128"]);
        assert_eq!(reads.check(Some(Scope::EventsRead), here), Ok(()));
        let users = Some(Scope::UsersRead);
        assert_eq!(reads.check(users, here), Err(Refusal::Scope(users)));
        assert_eq!(reads.check(None, here), Err(Refusal::Scope(None)));
        for elsewhere in [Some([10, 0, 1, 7].into()), None] {
            let refused = reads.check(Some(Scope::EventsRead), elsewhere);
            assert_eq!(refused, Err(Refusal::Network(elsewhere)));
        }
        assert!(grant(&[Scope::EventsRead], &[]).admits(None));
    }

    #[test]
    fn admin_opens_everything_but_the_reporting_of_events() {
        let admin = grant(&[Scope::Admin], &[]);
        for scope in Scope::ALL {
            let opens = admin.check(Some(*scope), None).is_ok();
            assert_eq!(opens, *scope != Scope::EventsWrite, "{scope:?}");
        }
        assert!(admin.check(None, None).is_err());
    }
}
