//! Limits how often passwords, resets and signups may be tried. Rates follow the generic cell rate
//! algorithm (ITU-T I.371): a bucket is one moment, the time at which it will be empty again. Wrong
//! passwords of an account cause a growing wait and, after `ATTEMPTS_A_DAY` of them, a refusal
//! until its day ends. An address from which the account logged in before has an allowance of its
//! own, which other clients cannot use up.
//!
//! Time is monotonic and an argument; memory is bounded.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use super::Error;
use super::buckets::make_room;
use crate::config::{Limits, Rate};
use crate::model::{Digest, UserId, network};
use crate::sync::lock;

/// Wrong passwords on an account before its wait begins.
const FREE_ATTEMPTS: u32 = 5;
/// The wait begins at one second, and each further wrong password doubles it up to this.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Wrong passwords on an account in a day; every further attempt is refused.
const ATTEMPTS_A_DAY: u32 = 100;
const DAY: Duration = Duration::from_hours(24);

/// An action that is limited for each address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// Try a password.
    Password,
    /// Ask for a reset mail.
    AskReset,
    /// Try a reset code.
    TryReset,
    /// Sign up.
    SignUp,
}

/// Whose password is tried: an account's, or that of a login without an account, which must look
/// the same to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum LoginTarget {
    /// An account, by its id, not by the string that was typed.
    Account(UserId),
    /// The digest of a login that belongs to no account.
    Nobody(Digest),
}

/// Attempts on one target, from one trusted address or (none) from all other addresses.
type AttemptKey = (LoginTarget, Option<IpAddr>);

#[derive(Debug, Clone, Copy)]
struct Attempts {
    failed: u32,
    free_at: Duration,
    today: u32,
    day_ends: Duration,
}

/// The counters of all addresses and accounts.
pub(super) struct Limiter {
    enabled: bool,
    limits: Limits,
    addresses: Mutex<HashMap<(Action, IpAddr), Duration>>,
    /// For each account, and (none) for all of them together.
    reset_mails: Mutex<HashMap<Option<UserId>, Duration>>,
    attempts: Mutex<HashMap<AttemptKey, Attempts>>,
    trusted_addresses: Mutex<HashMap<(UserId, IpAddr), Duration>>,
}

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Limiter {
        Limiter {
            enabled: limits.rates,
            limits: limits.clone(),
            addresses: Mutex::default(),
            reset_mails: Mutex::default(),
            attempts: Mutex::default(),
            trusted_addresses: Mutex::default(),
        }
    }

    /// Counts an action of an address, or refuses it.
    pub(super) fn admit(&self, action: Action, from: IpAddr, now: Duration) -> Result<(), Error> {
        let rate = match action {
            Action::Password => self.limits.wrong_passwords,
            Action::AskReset => self.limits.reset_requests,
            Action::TryReset => self.limits.reset_attempts,
            Action::SignUp => self.limits.signups,
        };
        self.charge(&self.addresses, (action, network(from)), rate, now)
    }

    /// Counts a reset mail to an account, or refuses it.
    pub(super) fn admit_mail(&self, to: UserId, now: Duration) -> Result<(), Error> {
        self.charge(&self.reset_mails, Some(to), self.limits.reset_mails, now)
    }

    /// Counts a reset mail to any account, or refuses it.
    pub(super) fn admit_any_mail(&self, now: Duration) -> Result<(), Error> {
        self.charge(&self.reset_mails, None, self.limits.all_reset_mails, now)
    }

    /// Undoes one `admit`: the password was right.
    pub(super) fn refund(&self, action: Action, from: IpAddr, now: Duration) {
        let mut buckets = lock(&self.addresses);
        if let Some(empty_at) = buckets.get_mut(&(action, network(from))) {
            *empty_at = empty_at
                .saturating_sub(self.limits.wrong_passwords.period)
                .max(now);
        }
    }

    /// Counts an attempt before its password is compared, so that many attempts at once cannot pass
    /// the limit, or refuses it.
    pub(super) fn admit_attempt(
        &self,
        target: LoginTarget,
        from: IpAddr,
        now: Duration,
    ) -> Result<(), Error> {
        if !self.enabled {
            return Ok(());
        }
        let key = self.attempt_key(target, from);
        let mut attempts = lock(&self.attempts);
        make_room(
            &mut attempts,
            |attempts| attempts.day_ends.max(attempts.free_at),
            now,
        );
        let fresh = Attempts {
            failed: 0,
            free_at: now,
            today: 0,
            day_ends: now + DAY,
        };
        let attempts = attempts.entry(key).or_insert(fresh);
        if now >= attempts.day_ends {
            *attempts = fresh;
        }
        if now < attempts.free_at {
            return Err(Error::TooManyRequests {
                retry_after: attempts.free_at.saturating_sub(now),
            });
        }
        if attempts.today >= ATTEMPTS_A_DAY {
            return Err(Error::TooManyRequests {
                retry_after: attempts.day_ends.saturating_sub(now),
            });
        }
        (attempts.failed, attempts.today) = (attempts.failed + 1, attempts.today + 1);
        attempts.free_at = now + wait_after(attempts.failed);
        Ok(())
    }

    /// Notes that the password was right: the count starts again, and this address is trusted from
    /// now on.
    pub(super) fn trust_address(&self, user: UserId, from: IpAddr, now: Duration) {
        let key = self.attempt_key(LoginTarget::Account(user), from);
        lock(&self.attempts).remove(&key);
        let mut known = lock(&self.trusted_addresses);
        make_room(&mut known, |at| *at + DAY * 90, now);
        known.insert((user, network(from)), now);
    }

    fn attempt_key(&self, target: LoginTarget, from: IpAddr) -> AttemptKey {
        let network = network(from);
        match target {
            LoginTarget::Account(id)
                if lock(&self.trusted_addresses).contains_key(&(id, network)) =>
            {
                (target, Some(network))
            }
            _ => (target, None),
        }
    }

    fn charge<K: Hash + Eq + Copy>(
        &self,
        buckets: &Mutex<HashMap<K, Duration>>,
        key: K,
        rate: Rate,
        now: Duration,
    ) -> Result<(), Error> {
        if !self.enabled {
            return Ok(());
        }
        let mut buckets = lock(buckets);
        make_room(&mut buckets, |empty_at| *empty_at, now);
        let empty_at = buckets.entry(key).or_insert(now);
        let begin = (*empty_at).max(now);
        let tolerance = rate.period * rate.burst.saturating_sub(1);
        let wait = begin.saturating_sub(now).saturating_sub(tolerance);
        if !wait.is_zero() {
            return Err(Error::TooManyRequests { retry_after: wait });
        }
        *empty_at = begin + rate.period;
        Ok(())
    }
}

fn wait_after(failed: u32) -> Duration {
    match failed.checked_sub(FREE_ATTEMPTS) {
        Some(over) => Duration::from_secs(1 << over.min(6)).min(LONGEST_WAIT),
        None => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::super::buckets::BUCKETS;
    use super::*;

    fn limiter() -> Limiter {
        let rate = Rate {
            burst: 3,
            period: Duration::from_secs(6),
        };
        Limiter::new(&Limits {
            rates: true,
            wrong_passwords: rate,
            reset_requests: rate,
            reset_mails: rate,
            all_reset_mails: rate,
            reset_attempts: rate,
            signups: rate,
            ..Limits::default()
        })
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(1_000 + seconds)
    }

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn a_burst_is_free_and_then_one_a_period() {
        let limiter = limiter();
        let mut attempts = (0..4).map(|_| limiter.admit(Action::SignUp, HOME, seconds(0)).is_ok());
        assert!(attempts.by_ref().take(3).all(|ok| ok) && !attempts.next().unwrap());
        assert!(limiter.admit(Action::SignUp, HOME, seconds(5)).is_err());
        assert!(limiter.admit(Action::SignUp, HOME, seconds(6)).is_ok());
        assert!(limiter.admit(Action::SignUp, HOME, seconds(6)).is_err());
        assert!(limiter.admit(Action::SignUp, AWAY, seconds(6)).is_ok());
    }

    #[test]
    fn the_wait_of_an_account_grows_and_strangers_cannot_lock_its_owner_out() {
        let limiter = limiter();
        let user = UserId::from_random([1; 16]);
        let target = LoginTarget::Account(user);
        limiter.trust_address(user, HOME, seconds(0));
        let wait = |at| match limiter.admit_attempt(target, AWAY, at) {
            Err(Error::TooManyRequests { retry_after }) => retry_after.as_secs(),
            _ => 0,
        };
        for _ in 0..5 {
            assert_eq!(wait(seconds(0)), 0);
        }
        assert_eq!(
            (wait(seconds(0)), wait(seconds(1)), wait(seconds(1))),
            (1, 0, 2)
        );
        assert!(limiter.admit_attempt(target, HOME, seconds(1)).is_ok());
        let mut now = seconds(1);
        for _ in 0..93 {
            now += Duration::from_mins(1);
            assert_eq!(wait(now), 0);
        }
        now += Duration::from_mins(1);
        assert!(wait(now) == 0 && wait(now + LONGEST_WAIT) > 3600);
        assert!(limiter.admit_attempt(target, HOME, now).is_ok());
    }

    #[test]
    fn a_hundred_wrong_passwords_close_an_account_until_its_day_ends() {
        let limiter = limiter();
        let target = LoginTarget::Account(UserId::from_random([1; 16]));
        let wait = |at| match limiter.admit_attempt(target, AWAY, at) {
            Err(Error::TooManyRequests { retry_after }) => retry_after,
            _ => Duration::ZERO,
        };
        let minutes = |minutes: u64| seconds(minutes * 60);
        let day_ends = seconds(24 * 3600);
        for minute in 0..100 {
            assert_eq!(wait(minutes(minute)), Duration::ZERO);
        }
        assert_eq!(wait(minutes(100)) + minutes(100), day_ends);
        assert_eq!(wait(seconds(24 * 3600 - 1)), Duration::from_secs(1));
        // The new day begins with its free attempts and with all of its hundred.
        for _ in 0..FREE_ATTEMPTS {
            assert_eq!(wait(day_ends), Duration::ZERO);
        }
        assert_eq!(wait(day_ends), Duration::from_secs(1));
        for minute in 5..100 {
            assert_eq!(wait(DAY + minutes(minute)), Duration::ZERO);
        }
        assert!(wait(DAY + minutes(100)) > Duration::from_hours(1));
    }

    #[test]
    fn memory_stays_bounded() {
        let limiter = limiter();
        for n in 0..200_000_u32 {
            let _ = limiter.admit(Action::SignUp, IpAddr::V4(n.into()), seconds(0));
        }
        assert!(lock(&limiter.addresses).len() <= BUCKETS);
    }
}
