//! Who has to wait before the next login to an account is tried, for the administrator.

use std::net::IpAddr;
use std::time::Duration;

use super::Services;
use super::attempts::{Allowance, LoginTarget};
use crate::model::UserId;

/// A wait after wrong passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginWait {
    /// Who waits: all networks from which nobody logged in to the account before, or this one.
    pub network: Option<IpAddr>,
    /// How many wrong passwords in a row are counted.
    pub wrong_passwords: u32,
    /// How long the next attempt must wait; zero: it is admitted.
    pub wait: Duration,
}

impl Services {
    /// The waits before the next login to an account: that of strangers, and those of the networks
    /// from which somebody logged in to it before.
    pub fn login_waits(&self, user: UserId) -> Vec<LoginWait> {
        let strangers = Allowance::Strangers(LoginTarget::Account(user));
        let known = self.attempts.known_networks(user);
        let known = known.into_iter().map(|it| Allowance::Known(user, it));
        let now = self.world.clock.monotonic();
        std::iter::once(strangers)
            .chain(known)
            .map(|allowance| {
                let (wrong_passwords, wait) = self.attempts.standing(allowance, now);
                LoginWait {
                    network: match allowance {
                        Allowance::Known(_, network) => Some(network),
                        Allowance::Strangers(_) | Allowance::Family(_) => None,
                    },
                    wrong_passwords,
                    wait,
                }
            })
            .collect()
    }
}
