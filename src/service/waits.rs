//! Who has to wait because of a limit, and the lifting of such a wait.

use std::net::IpAddr;
use std::time::Duration;

use super::attempts::{Allowance, LoginTarget};
use super::limiter::Action;
use super::{Error, Services};
use crate::model::{AuditAction, AuditContext, UserId};
use crate::sync::lock;

/// Who waits, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Waiting {
    /// A network, for logins: it tried too many wrong passwords.
    Network(IpAddr),
    /// All networks from which nobody logged in to an account before, for logins to it.
    Strangers(UserId),
    /// A network from which somebody logged in to an account before, for logins to it.
    Known(UserId, IpAddr),
    /// A network, for mails with reset codes.
    AskReset(IpAddr),
    /// A network, for trying reset codes.
    TryReset(IpAddr),
    /// A network, for signups.
    SignUp(IpAddr),
}

/// A wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Who waits.
    pub who: Waiting,
    /// How long.
    pub wait: Duration,
}

/// The most waits that are listed: the longest ones.
const LISTED: usize = 1_000;

impl std::fmt::Display for Waiting {
    /// The limit, the account and the network; `-` where there is none.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let user = self
            .user()
            .map_or_else(|| "-".to_owned(), |it| it.to_string());
        let network = self
            .network()
            .map_or_else(|| "-".to_owned(), |it| it.to_string());
        write!(f, "{} {user} {network}", self.limit())
    }
}

impl Waiting {
    /// The names of all limits.
    pub const LIMITS: &'static [&'static str] = &[
        "wrong_passwords",
        "logins_by_strangers",
        "logins_from_known",
        "reset_requests",
        "reset_attempts",
        "signups",
    ];

    /// Parses what `Display` writes.
    pub fn parse(text: &str) -> Option<Waiting> {
        let mut parts = text.split(' ');
        let limit = parts.next()?;
        let user = UserId::parse(parts.next()?);
        let network: Option<IpAddr> = parts.next()?.parse().ok();
        Some(match limit {
            "wrong_passwords" => Waiting::Network(network?),
            "logins_by_strangers" => Waiting::Strangers(user?),
            "logins_from_known" => Waiting::Known(user?, network?),
            "reset_requests" => Waiting::AskReset(network?),
            "reset_attempts" => Waiting::TryReset(network?),
            "signups" => Waiting::SignUp(network?),
            _ => return None,
        })
    }

    /// The name of the limit.
    pub fn limit(self) -> &'static str {
        match self {
            Waiting::Network(_) => "wrong_passwords",
            Waiting::Strangers(_) => "logins_by_strangers",
            Waiting::Known(..) => "logins_from_known",
            Waiting::AskReset(_) => "reset_requests",
            Waiting::TryReset(_) => "reset_attempts",
            Waiting::SignUp(_) => "signups",
        }
    }

    /// The account that it is about.
    pub fn user(self) -> Option<UserId> {
        match self {
            Waiting::Strangers(user) | Waiting::Known(user, _) => Some(user),
            Waiting::Network(_)
            | Waiting::AskReset(_)
            | Waiting::TryReset(_)
            | Waiting::SignUp(_) => None,
        }
    }

    /// The network that waits; none: all that are strangers to the account.
    pub fn network(self) -> Option<IpAddr> {
        match self {
            Waiting::Strangers(_) => None,
            Waiting::Network(network)
            | Waiting::Known(_, network)
            | Waiting::AskReset(network)
            | Waiting::TryReset(network)
            | Waiting::SignUp(network) => Some(network),
        }
    }

    /// Who waits for an action of the limiter.
    fn of(action: Action, network: IpAddr) -> Waiting {
        match action {
            Action::AskReset => Waiting::AskReset(network),
            Action::TryReset => Waiting::TryReset(network),
            Action::SignUp => Waiting::SignUp(network),
        }
    }
}

impl Services {
    /// Who has to wait now, the longest wait first. Logins without an account wait too, but are not
    /// listed: only a digest of what was typed is known.
    pub fn waits(&self) -> Vec<Wait> {
        let now = self.world.clock.monotonic();
        let config = self.config();
        let limits = &config.limits;
        let mut waits = Vec::new();
        for (network, count) in lock(&self.attempts.networks).iter() {
            waits.push(Wait {
                who: Waiting::Network(*network),
                wait: count.wait(limits.wrong_passwords, now),
            });
        }
        for (allowance, count) in lock(&self.attempts.allowances).iter() {
            let who = match *allowance {
                Allowance::Strangers(LoginTarget::Account(user)) => Waiting::Strangers(user),
                Allowance::Known(user, network) => Waiting::Known(user, network),
                Allowance::Strangers(LoginTarget::Nobody(_)) | Allowance::Family(_) => continue,
            };
            let (_, wait) = count.standing(now);
            waits.push(Wait { who, wait });
        }
        for ((action, network), empty_at) in lock(&self.limiter.networks).iter() {
            waits.push(Wait {
                who: Waiting::of(*action, *network),
                wait: super::buckets::bucket_wait(*empty_at, action.rate(limits), now),
            });
        }
        waits.retain(|it| !it.wait.is_zero());
        waits.sort_by_key(|it| std::cmp::Reverse(it.wait));
        waits.truncate(LISTED);
        waits
    }

    /// Lets somebody try again at once. Error: `UnknownId` if nothing is counted of them.
    pub async fn lift(&self, who: Waiting, by: AuditContext) -> Result<(), Error> {
        if !self.forget_wait(who) {
            return Err(Error::UnknownId);
        }
        // The wait is in memory only, so the entry cannot be in the step of the change.
        let entry = by.done(AuditAction::LiftLimit).about(who.to_string());
        Ok(self.store.append_audit(vec![entry]).await?)
    }

    /// Forgets what is counted of somebody. False: nothing was.
    fn forget_wait(&self, who: Waiting) -> bool {
        let action = |action, network| {
            let mut networks = lock(&self.limiter.networks);
            networks.remove(&(action, network)).is_some()
        };
        let allowance = |allowance| {
            let mut allowances = lock(&self.attempts.allowances);
            let count = allowances.get_mut(&allowance);
            count
                .map(super::attempt_counts::AllowanceCount::forget)
                .is_some()
        };
        match who {
            Waiting::Network(network) => lock(&self.attempts.networks).remove(&network).is_some(),
            Waiting::Strangers(user) => allowance(Allowance::Strangers(LoginTarget::Account(user))),
            Waiting::Known(user, network) => allowance(Allowance::Known(user, network)),
            Waiting::AskReset(network) => action(Action::AskReset, network),
            Waiting::TryReset(network) => action(Action::TryReset, network),
            Waiting::SignUp(network) => action(Action::SignUp, network),
        }
    }
}
