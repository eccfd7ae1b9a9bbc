//! Limits how often passwords may be tried. An attempt is admitted before anything is compared, so
//! that many attempts at once cannot pass the limit, and counts only if the password was compared
//! and wrong: a full hashing queue or a fault of the server costs no client an attempt.
//!
//! Wrong passwords of an account cause a growing wait and, after a hundred of them, a refusal until
//! its day ends. A network from which the account logged in before and the holder of a live token
//! have allowances of their own, which other clients cannot use up.
//!
//! Time is monotonic and an argument; memory is bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Error;
use super::attempt_counts::{AllowanceCount, NetworkCount, Outcome};
use super::buckets::make_room;
use crate::config::{CurrentConfig, Rate};
use crate::model::{Digest, TokenId, UserId};
use crate::sync::lock;

/// When the map of known networks is full, networks without a login for this long go first.
const KNOWN_FOR: Duration = Duration::from_hours(24 * 90);

/// Whose password is tried: an account's, or that of a login without an account, which must look
/// the same to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum LoginTarget {
    /// An account, by its id, not by the string that was typed.
    Account(UserId),
    /// The digest of a login that belongs to no account.
    Nobody(Digest),
}

/// The count of wrong passwords that an attempt belongs to, besides the count of its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Allowance {
    /// Logins from all networks from which nobody logged in to the account before.
    Strangers(LoginTarget),
    /// Logins from one network from which somebody logged in to the account before.
    Known(UserId, IpAddr),
    /// Confirmations of the password by the holders of one family of tokens. A stolen token allows
    /// no more guesses than a login, and does not delay the account's other tokens.
    Family(TokenId),
}

/// Counts wrong passwords, and refuses attempts when there are too many.
pub(super) struct AttemptLimiter {
    config: Arc<CurrentConfig>,
    pub(super) networks: Mutex<HashMap<IpAddr, NetworkCount>>,
    pub(super) allowances: Mutex<HashMap<Allowance, AllowanceCount>>,
    /// The networks from which an account logged in, with the time of the last login.
    known: Mutex<HashMap<(UserId, IpAddr), Duration>>,
}

/// An admitted attempt. Until it is dropped, it counts as wrong; then its outcome counts.
pub(super) struct Attempt {
    limiter: Arc<AttemptLimiter>,
    network: Option<IpAddr>,
    allowance: Option<Allowance>,
    admitted_at: Duration,
    outcome: Outcome,
}

impl AttemptLimiter {
    pub(super) fn new(config: &Arc<CurrentConfig>) -> Arc<AttemptLimiter> {
        Arc::new(AttemptLimiter {
            config: Arc::clone(config),
            networks: Mutex::default(),
            allowances: Mutex::default(),
            known: Mutex::default(),
        })
    }

    /// The allowance that a login uses.
    pub(super) fn allowance(&self, target: LoginTarget, network: Option<IpAddr>) -> Allowance {
        match (target, network) {
            (LoginTarget::Account(id), Some(network))
                if lock(&self.known).contains_key(&(id, network)) =>
            {
                Allowance::Known(id, network)
            }
            _ => Allowance::Strangers(target),
        }
    }

    /// Admits an attempt, or refuses it. Without a network or an allowance, that limit does not
    /// apply.
    pub(super) fn admit(
        self: &Arc<AttemptLimiter>,
        network: Option<IpAddr>,
        allowance: Option<Allowance>,
        now: Duration,
    ) -> Result<Attempt, Error> {
        let mut attempt = Attempt {
            limiter: Arc::clone(self),
            network: None,
            allowance: None,
            admitted_at: now,
            outcome: Outcome::NotCompared,
        };
        let config = self.config.get();
        let limits = &config.limits;
        if !limits.rates {
            return Ok(attempt);
        }
        if let Some(network) = network {
            self.enter_network(network, limits.wrong_passwords, now)?;
            attempt.network = Some(network);
        }
        if let Some(allowance) = allowance {
            self.enter_allowance(allowance, now)?;
            attempt.allowance = Some(allowance);
        }
        Ok(attempt)
    }

    fn enter_network(&self, network: IpAddr, rate: Rate, now: Duration) -> Result<(), Error> {
        let mut networks = lock(&self.networks);
        make_room(&mut networks, NetworkCount::ends, now);
        networks.entry(network).or_default().enter(rate, now)
    }

    fn enter_allowance(&self, allowance: Allowance, now: Duration) -> Result<(), Error> {
        let mut allowances = lock(&self.allowances);
        make_room(&mut allowances, AllowanceCount::ends, now);
        allowances.entry(allowance).or_default().enter(now)
    }

    fn settle(&self, attempt: &Attempt) {
        let at = attempt.admitted_at;
        if let Some(network) = attempt.network
            && let Some(count) = lock(&self.networks).get_mut(&network)
        {
            let rate = self.config.get().limits.wrong_passwords;
            count.settle(rate, attempt.outcome, at);
        }
        if let Some(allowance) = attempt.allowance
            && let Some(count) = lock(&self.allowances).get_mut(&allowance)
        {
            count.settle(attempt.outcome, at);
        }
    }

    /// Notes that an account logged in from a network: logins from there have an allowance of their
    /// own from now on.
    pub(super) fn trust(&self, user: UserId, network: IpAddr, now: Duration) {
        let mut known = lock(&self.known);
        make_room(&mut known, |at| *at + KNOWN_FOR, now);
        known.insert((user, network), now);
    }

    /// The networks from which an account logged in.
    pub(super) fn known_networks(&self, user: UserId) -> Vec<IpAddr> {
        let known = lock(&self.known);
        let of_user = known.keys().filter(|(owner, _)| *owner == user);
        let mut networks: Vec<IpAddr> = of_user.map(|(_, network)| *network).collect();
        networks.sort_unstable();
        networks
    }

    /// How many wrong passwords in a row an allowance has, and how long its next attempt must wait.
    pub(super) fn standing(&self, allowance: Allowance, now: Duration) -> (u32, Duration) {
        let count = lock(&self.allowances).get(&allowance).copied();
        count.unwrap_or_default().standing(now)
    }

    /// Starts the count of an allowance again.
    pub(super) fn forgive(&self, allowance: Allowance) {
        if let Some(count) = lock(&self.allowances).get_mut(&allowance) {
            count.forget();
        }
    }

    /// Whether a refused login may come from a network that is known only from the account's live
    /// tokens: they were not read since the count of its strangers began. Strangers can thus cause
    /// one such read a day for each account.
    pub(super) fn is_worth_recalling(&self, user: UserId) -> bool {
        let strangers = Allowance::Strangers(LoginTarget::Account(user));
        let allowances = lock(&self.allowances);
        allowances
            .get(&strangers)
            .is_some_and(|it| !it.tokens_looked_up)
    }

    /// Notes the networks of an account's live tokens.
    pub(super) fn recall(
        &self,
        user: UserId,
        networks: impl Iterator<Item = IpAddr>,
        now: Duration,
    ) {
        for network in networks {
            self.trust(user, network, now);
        }
        let strangers = Allowance::Strangers(LoginTarget::Account(user));
        if let Some(count) = lock(&self.allowances).get_mut(&strangers) {
            count.tokens_looked_up = true;
        }
    }
}

impl Attempt {
    /// Notes that the password was compared: unless `succeed` follows, the attempt counts as wrong,
    /// even if its client disconnects before the answer.
    pub(super) fn note_comparison(&mut self) {
        self.outcome = Outcome::Wrong;
    }

    /// Notes that the password was right: the count of its allowance starts again.
    pub(super) fn succeed(mut self) {
        self.outcome = Outcome::Right;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.limiter.settle(self);
    }
}

#[cfg(test)]
mod tests {
    use super::super::attempt_counts::FREE_ATTEMPTS;
    use super::super::buckets::BUCKETS;
    use super::*;
    use crate::config::Limits;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn limiter() -> Arc<AttemptLimiter> {
        AttemptLimiter::new(&CurrentConfig::with_limits(Limits {
            rates: true,
            wrong_passwords: Rate {
                burst: 3,
                period: Duration::from_secs(6),
            },
            ..Limits::default()
        }))
    }

    fn user() -> UserId {
        UserId::from_random([1; 16])
    }

    fn strangers() -> Allowance {
        Allowance::Strangers(LoginTarget::Account(user()))
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(1_000 + seconds)
    }

    /// Tries a wrong password; returns how long it must wait, zero if it was compared.
    fn guess(
        limiter: &Arc<AttemptLimiter>,
        network: Option<IpAddr>,
        allowance: Option<Allowance>,
        at: Duration,
    ) -> Duration {
        match limiter.admit(network, allowance, at) {
            Ok(mut attempt) => {
                attempt.note_comparison();
                Duration::ZERO
            }
            Err(Error::TooManyRequests { retry_after, .. }) => retry_after,
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_wait_of_strangers_grows_and_they_cannot_lock_out_a_known_address() {
        let limiter = limiter();
        let wait = |at| guess(&limiter, None, Some(strangers()), at).as_secs();
        for _ in 0..5 {
            assert_eq!(wait(seconds(0)), 0);
        }
        assert_eq!(
            (wait(seconds(0)), wait(seconds(1)), wait(seconds(1))),
            (1, 0, 2)
        );
        let target = LoginTarget::Account(user());
        assert_eq!(limiter.allowance(target, Some(HOME)), strangers());
        limiter.trust(user(), HOME, seconds(0));
        let at_home = limiter.allowance(target, Some(HOME));
        assert_eq!(at_home, Allowance::Known(user(), HOME));
        assert_eq!(limiter.allowance(target, Some(AWAY)), strangers());
        assert_eq!(limiter.allowance(target, None), strangers());
        assert!(limiter.admit(None, Some(at_home), seconds(1)).is_ok());
    }

    #[test]
    fn an_attempt_that_was_not_compared_leaves_both_counts_as_they_were() {
        let limiter = limiter();
        for round in 0..1_000 {
            let attempt = limiter.admit(Some(AWAY), Some(strangers()), seconds(round));
            drop(attempt.unwrap());
        }
        let wait = |at| guess(&limiter, Some(AWAY), Some(strangers()), at);
        let at = seconds(1_000);
        // The whole burst is left.
        assert_eq!([wait(at), wait(at), wait(at)], [Duration::ZERO; 3]);
        assert_eq!(wait(at), Duration::from_secs(6));
    }

    #[test]
    fn attempts_at_once_count_as_wrong_until_they_have_an_outcome() {
        let limiter = limiter();
        let admit = || limiter.admit(None, Some(strangers()), seconds(0));
        let at_once: Vec<_> = (0..FREE_ATTEMPTS).map(|_| admit().unwrap()).collect();
        assert!(admit().is_err());
        drop(at_once);
        let of_one_network: Vec<_> = (0..3)
            .map(|_| limiter.admit(Some(AWAY), None, seconds(0)).unwrap())
            .collect();
        assert!(limiter.admit(Some(AWAY), None, seconds(0)).is_err());
        drop(of_one_network);
        assert!(limiter.admit(Some(AWAY), None, seconds(0)).is_ok());
        assert!(admit().is_ok());
    }

    #[test]
    fn a_right_password_begins_its_allowance_anew_and_is_not_counted() {
        let limiter = limiter();
        let family = Some(Allowance::Family(TokenId(uuid::Uuid::nil())));
        for _ in 0..20 {
            for _ in 1..FREE_ATTEMPTS {
                assert_eq!(guess(&limiter, None, family, seconds(0)), Duration::ZERO);
            }
            let mut right = limiter.admit(Some(HOME), family, seconds(0)).unwrap();
            right.note_comparison();
            right.succeed();
        }
    }

    #[test]
    fn the_tokens_of_an_account_are_looked_up_once_for_all_its_strangers() {
        let limiter = limiter();
        assert!(!limiter.is_worth_recalling(user()));
        guess(&limiter, None, Some(strangers()), seconds(0));
        assert!(limiter.is_worth_recalling(user()));
        limiter.recall(user(), [HOME].into_iter(), seconds(0));
        assert!(!limiter.is_worth_recalling(user()));
        let target = LoginTarget::Account(user());
        let at_home = limiter.allowance(target, Some(HOME));
        assert_eq!(at_home, Allowance::Known(user(), HOME));
    }

    #[test]
    fn memory_stays_bounded() {
        let limiter = limiter();
        for n in 0..200_000_u32 {
            let user = UserId::from_random(u128::from(n).to_be_bytes());
            let strangers = Allowance::Strangers(LoginTarget::Account(user));
            let network = IpAddr::V4(n.into());
            guess(&limiter, Some(network), Some(strangers), seconds(0));
            limiter.trust(user, network, seconds(0));
        }
        assert!(lock(&limiter.networks).len() <= BUCKETS);
        assert!(lock(&limiter.allowances).len() <= BUCKETS);
        assert!(lock(&limiter.known).len() <= BUCKETS);
    }
}
