//! The passwords of the administrator and of the hub that are in force, each with the epoch of the
//! tokens that are issued under it.

use std::sync::{Arc, Mutex, OnceLock};

use crate::config::Credential;
use crate::model::{Principal, Secret};
use crate::sync::lock;

/// What opens one login at this moment.
pub(super) struct ConfiguredLogin {
    /// Any of these is right.
    pub(super) credentials: Vec<Credential>,
    /// The epoch of their tokens; empty until the store has compared the fingerprint.
    pub(super) epoch: OnceLock<u32>,
}

impl ConfiguredLogin {
    pub(super) fn new(credentials: Vec<Credential>) -> Arc<ConfiguredLogin> {
        Arc::new(ConfiguredLogin {
            credentials,
            epoch: OnceLock::new(),
        })
    }
}

/// The logins that are in force.
pub(super) struct ConfiguredLogins {
    pub(super) admin: Mutex<Arc<ConfiguredLogin>>,
    pub(super) hub: Mutex<Arc<ConfiguredLogin>>,
    /// Held while an epoch is being found or replaced: the store then follows the passwords in the
    /// order in which they are in force.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl ConfiguredLogins {
    pub(super) fn new(admin: Credential, hub: Vec<Credential>) -> ConfiguredLogins {
        ConfiguredLogins {
            admin: Mutex::new(ConfiguredLogin::new(vec![admin])),
            hub: Mutex::new(ConfiguredLogin::new(hub)),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Where the login of a holder is kept; none for an account.
    pub(super) fn of(&self, holder: Principal) -> Option<&Mutex<Arc<ConfiguredLogin>>> {
        match holder {
            Principal::Admin => Some(&self.admin),
            Principal::Hub => Some(&self.hub),
            Principal::User(_) | Principal::Machine(_) => None,
        }
    }
}

/// Puts other passwords in force. The same ones keep their epoch.
pub(super) fn put_in_force(place: &Mutex<Arc<ConfiguredLogin>>, credentials: Vec<Credential>) {
    let mut login = lock(place);
    if login.credentials != credentials {
        *login = ConfiguredLogin::new(credentials);
    }
}

/// The hashes among the passwords, one behind the other, and the passwords in clear, as one text
/// that tells them apart; none if there are none.
pub(super) fn parts(passwords: &[Credential]) -> (String, Option<Secret>) {
    let (mut clear, mut hashes) = (String::new(), String::new());
    for password in passwords {
        match password {
            Credential::Hash(phc) => hashes += phc,
            Credential::Plain(secret) => {
                clear += &secret.reveal().len().to_string();
                clear += ":";
                clear += secret.reveal();
            }
        }
    }
    let clear = (!clear.is_empty()).then(|| Secret::new(clear));
    (hashes, clear)
}
