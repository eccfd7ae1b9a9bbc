//! Limits how often resets and signups may be tried. Passwords have a limiter of their own
//! (`attempts`).
//!
//! Time is monotonic and an argument; memory is bounded.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Error;
use super::buckets::{bucket_wait, make_room};
use crate::config::{CurrentConfig, Limits, Rate};
use crate::metrics::Limit;
use crate::model::{Digest, MailKind};
use crate::sync::lock;

/// An action that is limited for each address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// Ask for a reset mail.
    AskReset,
    /// Try a reset code.
    TryReset,
    /// Sign up.
    SignUp,
}

impl Action {
    /// Its rate.
    pub(super) fn rate(self, limits: &Limits) -> Rate {
        match self {
            Action::AskReset => limits.reset_requests,
            Action::TryReset => limits.reset_attempts,
            Action::SignUp => limits.signups,
        }
    }

    /// Its limit, as the metrics name it.
    fn limit(self) -> Limit {
        match self {
            Action::AskReset => Limit::ResetRequests,
            Action::TryReset => Limit::ResetAttempts,
            Action::SignUp => Limit::Signups,
        }
    }
}

/// The counters of all addresses and accounts.
pub(super) struct Limiter {
    config: Arc<CurrentConfig>,
    pub(super) networks: Mutex<HashMap<(Action, IpAddr), Duration>>,
    /// For each kind, for each address (by the digest of its key) and (none) for all together.
    /// Kinds do not share a limit: many requests for resets must not suppress the notice of a
    /// change.
    mails: Mutex<HashMap<(MailKind, Option<Digest>), Duration>>,
}

impl Limiter {
    pub(super) fn new(config: &Arc<CurrentConfig>) -> Limiter {
        Limiter {
            config: Arc::clone(config),
            networks: Mutex::default(),
            mails: Mutex::default(),
        }
    }

    /// Counts an action of a network, or refuses it. Without a network there is no limit.
    pub(super) fn admit(
        &self,
        action: Action,
        network: Option<IpAddr>,
        now: Duration,
    ) -> Result<(), Error> {
        let rate = |limits: &Limits| action.rate(limits);
        network.map_or(Ok(()), |network| {
            self.charge(&self.networks, (action, network), rate, action.limit(), now)
        })
    }

    /// Counts a mail to an address, or refuses it.
    pub(super) fn admit_mail(
        &self,
        kind: MailKind,
        to: Digest,
        now: Duration,
    ) -> Result<(), Error> {
        let rate = |it: &Limits| it.reset_mails;
        self.charge(&self.mails, (kind, Some(to)), rate, Limit::Mails, now)
    }

    /// Counts a mail to any address, or refuses it.
    pub(super) fn admit_any_mail(&self, kind: MailKind, now: Duration) -> Result<(), Error> {
        let rate = |it: &Limits| it.all_reset_mails;
        self.charge(&self.mails, (kind, None), rate, Limit::Mails, now)
    }

    fn charge<K: Hash + Eq + Copy>(
        &self,
        buckets: &Mutex<HashMap<K, Duration>>,
        key: K,
        rate: impl Fn(&Limits) -> Rate,
        limit: Limit,
        now: Duration,
    ) -> Result<(), Error> {
        let config = self.config.get();
        let limits = &config.limits;
        if !limits.rates {
            return Ok(());
        }
        let rate = rate(limits);
        let mut buckets = lock(buckets);
        make_room(&mut buckets, |empty_at| *empty_at, now);
        let empty_at = buckets.entry(key).or_insert(now);
        let wait = bucket_wait(*empty_at, rate, now);
        if !wait.is_zero() {
            return Err(Error::TooManyRequests {
                retry_after: wait,
                limit,
            });
        }
        *empty_at = (*empty_at).max(now) + rate.period;
        Ok(())
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
        Limiter::new(&CurrentConfig::with_limits(Limits {
            rates: true,
            wrong_passwords: rate,
            reset_requests: rate,
            reset_mails: rate,
            all_reset_mails: rate,
            reset_attempts: rate,
            signups: rate,
            ..Limits::default()
        }))
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(1_000 + seconds)
    }

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn a_burst_is_free_and_then_one_a_period() {
        let limiter = limiter();
        let mut attempts = (0..4).map(|_| {
            limiter
                .admit(Action::SignUp, Some(HOME), seconds(0))
                .is_ok()
        });
        assert!(attempts.by_ref().take(3).all(|ok| ok) && !attempts.next().unwrap());
        assert!(
            limiter
                .admit(Action::SignUp, Some(HOME), seconds(5))
                .is_err()
        );
        assert!(
            limiter
                .admit(Action::SignUp, Some(HOME), seconds(6))
                .is_ok()
        );
        assert!(
            limiter
                .admit(Action::SignUp, Some(HOME), seconds(6))
                .is_err()
        );
        assert!(
            limiter
                .admit(Action::SignUp, Some(AWAY), seconds(6))
                .is_ok()
        );
    }

    #[test]
    fn memory_stays_bounded() {
        let limiter = limiter();
        for n in 0..200_000_u32 {
            let _ = limiter.admit(Action::SignUp, Some(IpAddr::V4(n.into())), seconds(0));
        }
        assert!(lock(&limiter.networks).len() <= BUCKETS);
    }
}
