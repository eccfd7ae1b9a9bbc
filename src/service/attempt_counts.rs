//! The counts of wrong passwords: of a network, and of an allowance. An attempt is in flight from
//! `enter` to `settle`, and counts as wrong for others meanwhile.

use std::time::Duration;

use super::Error;
use super::buckets::bucket_wait;
use crate::config::Rate;
use crate::metrics::Limit;

/// Wrong passwords of an allowance before its wait begins.
pub(super) const FREE_ATTEMPTS: u32 = 5;
/// The wait begins at one second, and each further wrong password doubles it up to this.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Wrong passwords of an allowance in a day; every further attempt is refused.
const ATTEMPTS_A_DAY: u32 = 100;
const DAY: Duration = Duration::from_hours(24);

/// The outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing was compared: the attempt does not count.
    NotCompared,
    /// The password was compared and wrong.
    Wrong,
    /// The password was right.
    Right,
}

/// The attempts of one network.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NetworkCount {
    /// When its bucket will be empty again.
    empty_at: Duration,
    /// Attempts without an outcome yet.
    in_flight: u32,
}

/// The attempts of one allowance.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AllowanceCount {
    failed: u32,
    free_at: Duration,
    today: u32,
    day_ends: Duration,
    /// Attempts without an outcome yet.
    in_flight: u32,
    /// Whether the networks of the account's live tokens were read.
    pub(super) tokens_looked_up: bool,
}

impl NetworkCount {
    /// Admits an attempt at `now`, or returns how long it must wait.
    pub(super) fn enter(&mut self, rate: Rate, now: Duration) -> Result<(), Error> {
        let all_wrong = self.empty_at.max(now) + rate.period * self.in_flight;
        wait_for(bucket_wait(all_wrong, rate, now), Limit::WrongPasswords)?;
        self.in_flight += 1;
        Ok(())
    }

    /// How long the next attempt must wait.
    pub(super) fn wait(&self, rate: Rate, now: Duration) -> Duration {
        bucket_wait(self.empty_at.max(now), rate, now)
    }

    /// Counts the outcome of an attempt that was admitted at `at`.
    pub(super) fn settle(&mut self, rate: Rate, outcome: Outcome, at: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if outcome == Outcome::Wrong {
            self.empty_at = self.empty_at.max(at) + rate.period;
        }
    }

    /// When it may be removed. Counts with attempts in flight stay; the hashing queue bounds them.
    pub(super) fn ends(&self) -> Duration {
        match self.in_flight {
            0 => self.empty_at,
            _ => Duration::MAX,
        }
    }
}

impl AllowanceCount {
    /// Admits an attempt at `now`, or returns how long it must wait.
    pub(super) fn enter(&mut self, now: Duration) -> Result<(), Error> {
        self.begin_day(now);
        wait_for(self.wait(now), Limit::AccountPasswords)?;
        self.in_flight += 1;
        Ok(())
    }

    /// Counts the outcome of an attempt that was admitted at `at`.
    pub(super) fn settle(&mut self, outcome: Outcome, at: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match outcome {
            Outcome::NotCompared => {}
            Outcome::Wrong => self.add_wrong(at),
            Outcome::Right => self.forget(),
        }
    }

    /// When it may be removed. Counts with attempts in flight stay; the hashing queue bounds them.
    pub(super) fn ends(&self) -> Duration {
        match self.in_flight {
            0 => self.day_ends.max(self.free_at),
            _ => Duration::MAX,
        }
    }

    fn begin_day(&mut self, now: Duration) {
        if now >= self.day_ends {
            *self = AllowanceCount {
                day_ends: now + DAY,
                in_flight: self.in_flight,
                ..AllowanceCount::default()
            };
        }
    }

    /// How long another attempt must wait if all that are in flight turn out wrong.
    fn wait(&self, now: Duration) -> Duration {
        if self.today.saturating_add(self.in_flight) >= ATTEMPTS_A_DAY {
            return self.day_ends.saturating_sub(now);
        }
        let in_flight = match self.in_flight {
            0 => Duration::ZERO,
            more => wait_after(self.failed.saturating_add(more)),
        };
        self.free_at.saturating_sub(now).max(in_flight)
    }

    /// How many wrong passwords in a row are counted at `now`, and how long the next attempt must
    /// wait.
    pub(super) fn standing(mut self, now: Duration) -> (u32, Duration) {
        self.begin_day(now);
        (self.failed, self.wait(now))
    }

    fn add_wrong(&mut self, at: Duration) {
        self.failed = self.failed.saturating_add(1);
        self.today = self.today.saturating_add(1);
        self.free_at = self.free_at.max(at + wait_after(self.failed));
    }

    /// Starts again from zero.
    pub(super) fn forget(&mut self) {
        (self.failed, self.today, self.free_at) = (0, 0, Duration::ZERO);
    }
}

fn wait_for(wait: Duration, limit: Limit) -> Result<(), Error> {
    if wait.is_zero() {
        Ok(())
    } else {
        Err(Error::TooManyRequests {
            retry_after: wait,
            limit,
        })
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
    use super::*;

    fn minutes(minutes: u64) -> Duration {
        Duration::from_mins(minutes)
    }

    /// Tries a wrong password; returns how long it must wait, zero if it was compared.
    fn guess(count: &mut AllowanceCount, at: Duration) -> Duration {
        match count.enter(at) {
            Ok(()) => {
                count.settle(Outcome::Wrong, at);
                Duration::ZERO
            }
            Err(Error::TooManyRequests { retry_after, .. }) => retry_after,
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_hundred_wrong_passwords_use_up_an_allowance_until_its_day_ends() {
        let mut count = AllowanceCount::default();
        let mut wait = |at| guess(&mut count, at);
        for minute in 0..100 {
            assert_eq!(wait(minutes(minute)), Duration::ZERO);
        }
        assert_eq!(wait(minutes(100)) + minutes(100), DAY);
        assert_eq!(wait(minutes(24 * 60 - 1)), minutes(1));
        // The new day begins with its free attempts and with all of its hundred.
        for _ in 0..FREE_ATTEMPTS {
            assert_eq!(wait(DAY), Duration::ZERO);
        }
        assert_eq!(wait(DAY), Duration::from_secs(1));
        for minute in 5..100 {
            assert_eq!(wait(DAY + minutes(minute)), Duration::ZERO);
        }
        assert!(wait(DAY + minutes(100)) > Duration::from_hours(1));
    }
}
