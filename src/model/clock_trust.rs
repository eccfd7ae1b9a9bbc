//! Decides whether the wall clock can be believed. A board without a battery starts in 1970 or at
//! any other date, and its clock jumps when the network gives it the time. So the wall clock's
//! progress is held against the monotonic clock while the process runs, and against the newest
//! stored moment at the start.
//!
//! While the clock is suspect, nothing may be removed for good because of a moment. The decision
//! reads no clock: both readings are arguments.

use std::time::Duration;

use super::Timestamp;

/// The bounds of the decision.
#[derive(Debug, Clone, Default)]
pub struct ClockTerms {
    /// A jump of the wall clock of more than this makes it suspect.
    pub tolerance: Duration,
    /// A start later than the newest stored moment by more than this makes it suspect.
    pub longest_off: Duration,
    /// A suspect clock is trusted again after it has kept step with the monotonic clock for so
    /// long.
    pub trusted_after: Duration,
}

impl ClockTerms {
    /// The moment to use if the wall clock is within the tolerance of the moment that is expected;
    /// `start` is the one that is expected when monotonic time is zero.
    pub fn believed(
        &self,
        start: Timestamp,
        wall: Timestamp,
        monotonic: Duration,
    ) -> Option<Timestamp> {
        let expected = Course(start).at(monotonic);
        let gap = wall.since(expected).max(expected.since(wall));
        (gap <= self.tolerance).then(|| wall.max(expected))
    }
}

/// Whether the wall clock is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It is where it is expected.
    Trusted,
    /// It is suspect: later than expected.
    Ahead,
    /// It is suspect: earlier than expected.
    Behind,
}

/// The result of one reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// The moment to use: the wall clock's, but never earlier than expected, so that an expired
    /// token stays expired when the clock goes back.
    pub moment: Timestamp,
    /// The newest moment that has certainly passed: `moment`, but not that of a clock ahead.
    pub certain: Timestamp,
    /// Whether the wall clock is believed.
    pub trust: Trust,
    /// Whether a suspect clock has kept step for long enough: [`ClockTrust::follow`] will trust it.
    pub has_settled: bool,
    /// Whether moments are about to go back, by no more than a server may be off. What has expired
    /// must not come back then. If they go back further, the expected moment was wrong.
    pub goes_back: bool,
}

/// The course of a clock that keeps step with the monotonic clock: its moment when monotonic time
/// is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Course(Timestamp);

impl Course {
    fn through(wall: Timestamp, monotonic: Duration) -> Course {
        Course(wall.before(monotonic))
    }

    fn at(self, monotonic: Duration) -> Timestamp {
        self.0.after(monotonic)
    }

    fn gap(self, other: Course) -> Duration {
        self.0.since(other.0).max(other.0.since(self.0))
    }
}

/// The last jump of a suspect clock.
#[derive(Debug, Clone, Copy)]
struct Jump {
    /// The clock's course since then.
    to: Course,
    /// When it jumped, in monotonic time.
    at: Duration,
}

/// What is known of the wall clock.
#[derive(Debug, Clone)]
pub struct ClockTrust {
    terms: ClockTerms,
    /// No true moment is earlier: the program did not exist before it.
    earliest: Timestamp,
    /// Where the clock is expected.
    expected: Course,
    /// When `expected` was last set, in monotonic time.
    expected_since: Duration,
    /// None: the clock is trusted.
    jump: Option<Jump>,
}

impl ClockTrust {
    /// Judges the first reading after a start. `newest` is the newest stored moment; without one,
    /// any clock that is not before `earliest` is trusted.
    pub fn start(
        terms: ClockTerms,
        earliest: Timestamp,
        newest: Option<Timestamp>,
        wall: Timestamp,
        monotonic: Duration,
    ) -> ClockTrust {
        let known = newest.map_or(earliest, |newest| newest.max(earliest));
        let is_behind = known.since(wall) > terms.tolerance;
        let is_ahead = newest.is_some_and(|newest| wall.since(newest) > terms.longest_off);
        let is_suspect = is_behind || is_ahead;
        let expected = if is_suspect { known } else { known.max(wall) };
        ClockTrust {
            terms,
            earliest,
            expected: Course::through(expected, monotonic),
            expected_since: monotonic,
            jump: is_suspect.then_some(Jump {
                to: Course::through(wall, monotonic),
                at: monotonic,
            }),
        }
    }

    /// Judges one reading. Call it in the order of monotonic time.
    pub fn observe(&mut self, wall: Timestamp, monotonic: Duration) -> ClockReading {
        let believed = self.terms.believed(self.expected.0, wall, monotonic);
        if let Some(moment) = believed {
            self.jump = None;
            return ClockReading {
                moment,
                certain: moment,
                trust: Trust::Trusted,
                has_settled: true,
                goes_back: false,
            };
        }
        let (course, expected) = (
            Course::through(wall, monotonic),
            self.expected.at(monotonic),
        );
        let is_same = |jump: &Jump| jump.to.gap(course) <= self.terms.tolerance;
        let jump = self.jump.filter(is_same).unwrap_or(Jump {
            to: course,
            at: monotonic,
        });
        self.jump = Some(jump);
        let trust = if wall > expected {
            Trust::Ahead
        } else {
            Trust::Behind
        };
        let has_settled =
            wall >= self.earliest && monotonic.saturating_sub(jump.at) >= self.terms.trusted_after;
        let is_near = expected.since(wall) <= self.terms.longest_off;
        ClockReading {
            moment: wall.max(expected),
            certain: expected,
            trust,
            has_settled,
            goes_back: has_settled && trust == Trust::Behind && is_near,
        }
    }

    /// Trusts a suspect clock that has settled, and follows the small corrections of a trusted one.
    /// From now on moments may be earlier than before: call it when no record is left that had
    /// expired.
    pub fn follow(&mut self, wall: Timestamp, monotonic: Duration) {
        let reading = self.observe(wall, monotonic);
        // Corrections are followed only so often: many small jumps together are a large one.
        let is_due = monotonic.saturating_sub(self.expected_since) >= self.terms.trusted_after;
        if reading.has_settled && (is_due || reading.trust != Trust::Trusted) {
            self.expected = Course::through(wall, monotonic);
            self.expected_since = monotonic;
            self.jump = None;
        }
    }

    /// Where the clock is expected when monotonic time is zero: until it jumps, a reading needs to
    /// be compared only with this.
    pub fn expected_start(&self) -> Timestamp {
        self.expected.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Trust::{Ahead, Behind, Trusted};

    const SECOND: i64 = 1;
    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    /// Moments in these tests are seconds after this one.
    const BEGIN: i64 = 2_000_000_000;

    fn terms() -> ClockTerms {
        ClockTerms {
            tolerance: Duration::from_mins(2),
            longest_off: Duration::from_hours(24 * 30),
            trusted_after: Duration::from_hours(1),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis((BEGIN + seconds) * 1000)
    }

    fn seconds(seconds: i64) -> Duration {
        Duration::from_secs(seconds.unsigned_abs())
    }

    /// A clock that started when the newest stored moment was `at(0)`, the program a hundred days
    /// older, and the wall clock showed `at(wall)`.
    fn started(wall: i64) -> ClockTrust {
        ClockTrust::start(terms(), at(-100 * DAY), Some(at(0)), at(wall), seconds(0))
    }

    /// Observes the wall clock at `at(wall)`, `passed` seconds after the start. Returns the trust
    /// and the moment to use, in seconds.
    fn observe(clock: &mut ClockTrust, passed: i64, wall: i64) -> (Trust, i64) {
        let reading = clock.observe(at(wall), seconds(passed));
        (reading.trust, reading.moment.seconds() - BEGIN)
    }

    fn follow(clock: &mut ClockTrust, passed: i64, wall: i64) -> (Trust, i64) {
        clock.follow(at(wall), seconds(passed));
        observe(clock, passed, wall)
    }

    #[test]
    fn a_start_is_judged_by_the_newest_stored_moment() {
        for (wall, expected) in [
            (0, (Trusted, 0)),
            (5 * DAY, (Trusted, 5 * DAY)),
            (30 * DAY, (Trusted, 30 * DAY)),
            (30 * DAY + 1, (Ahead, 30 * DAY + 1)),
            (-2 * MINUTE, (Trusted, 0)),
            (-2 * MINUTE - 1, (Behind, 0)),
            (-BEGIN, (Behind, 0)),
        ] {
            assert_eq!(observe(&mut started(wall), 0, wall), expected, "{wall}");
        }
    }

    #[test]
    fn a_start_without_data_is_judged_by_the_age_of_the_program() {
        for (wall, expected) in [
            (-BEGIN, (Behind, 0)),
            (0, (Trusted, 0)),
            (900 * DAY, (Trusted, 900 * DAY)),
        ] {
            let mut clock = ClockTrust::start(terms(), at(0), None, at(wall), seconds(0));
            assert_eq!(observe(&mut clock, 0, wall), expected, "{wall}");
        }
    }

    #[test]
    fn a_jump_is_measured_against_the_monotonic_clock() {
        for (passed, wall, expected) in [
            (10, 10, (Trusted, 10)),
            (9 * DAY, 9 * DAY, (Trusted, 9 * DAY)),
            (10, 10 + 2 * MINUTE, (Trusted, 10 + 2 * MINUTE)),
            (10, 11 + 2 * MINUTE, (Ahead, 11 + 2 * MINUTE)),
            (HOUR, HOUR - 2 * MINUTE, (Trusted, HOUR)),
            (HOUR, HOUR - 2 * MINUTE - 1, (Behind, HOUR)),
            (HOUR, 0, (Behind, HOUR)),
        ] {
            let found = observe(&mut started(0), passed, wall);
            assert_eq!(found, expected, "{wall} after {passed}");
        }
    }

    #[test]
    fn a_clock_that_came_back_is_trusted_at_once() {
        let mut clock = started(0);
        assert_eq!(observe(&mut clock, 10, 91 * DAY).0, Ahead);
        let ahead = clock.observe(at(91 * DAY + 33), seconds(43));
        assert_eq!(ahead.certain, at(43), "the excursion is not kept");
        assert_eq!(observe(&mut clock, 50, 50), (Trusted, 50));
        assert_eq!(observe(&mut clock, 60, -BEGIN), (Behind, 60));
        assert_eq!(observe(&mut clock, 70, 70), (Trusted, 70));
    }

    #[test]
    fn a_clock_that_keeps_step_for_an_hour_is_trusted_again() {
        for jump in [-5 * MINUTE, 91 * DAY] {
            let mut clock = started(0);
            let suspect = follow(&mut clock, 10, 10 + jump).0;
            assert_ne!(suspect, Trusted);
            let almost = 10 + HOUR - 1;
            assert_eq!(follow(&mut clock, almost, almost + jump).0, suspect);
            // Moments go back only in `follow`.
            let (then, wall) = (10 + HOUR, 10 + HOUR + jump);
            assert_eq!(observe(&mut clock, then, wall), (suspect, wall.max(then)));
            assert_eq!(follow(&mut clock, then, wall), (Trusted, wall));
            let back = observe(&mut clock, then + 1, then + 1).0;
            assert_ne!(back, Trusted, "where it was before is a jump now");
        }
    }

    #[test]
    fn what_has_expired_is_removed_only_if_the_expected_moment_may_have_been_right() {
        for (jump, expected) in [
            (-DAY, true),
            (-29 * DAY, true),
            (-31 * DAY, false),
            (DAY, false),
        ] {
            let mut clock = started(0);
            let mut goes_back =
                |passed| clock.observe(at(passed + jump), seconds(passed)).goes_back;
            assert!(!goes_back(1) && !goes_back(HOUR));
            assert_eq!(goes_back(1 + HOUR), expected, "{jump}");
        }
    }

    #[test]
    fn each_further_jump_begins_the_hour_anew() {
        let mut clock = started(0);
        follow(&mut clock, 10, 10 * DAY);
        follow(&mut clock, HOUR, 20 * DAY);
        assert_eq!(
            follow(&mut clock, 2 * HOUR - 1, 20 * DAY + HOUR - 1).0,
            Ahead
        );
        assert_eq!(follow(&mut clock, 2 * HOUR, 20 * DAY + HOUR).0, Trusted);
    }

    #[test]
    fn a_board_that_gets_the_time_after_a_start_in_1970_jumps_once_and_is_trusted_an_hour_later() {
        let mut clock = started(-BEGIN);
        assert_eq!(follow(&mut clock, 40, 40 - BEGIN), (Behind, 40));
        assert_eq!(follow(&mut clock, 50, 3 * DAY), (Ahead, 3 * DAY));
        let wall = 3 * DAY + HOUR;
        assert_eq!(follow(&mut clock, 50 + HOUR, wall), (Trusted, wall));
    }

    #[test]
    fn a_clock_before_the_program_existed_is_never_trusted() {
        let mut clock = started(-BEGIN);
        for hours in 1..100 {
            let passed = hours * HOUR;
            let found = follow(&mut clock, passed, passed - BEGIN);
            assert_eq!(found, (Behind, passed));
        }
    }

    #[test]
    fn a_box_that_was_off_for_months_is_trusted_an_hour_after_its_start() {
        let mut clock = started(100 * DAY);
        assert_eq!(follow(&mut clock, HOUR - 1, 100 * DAY + HOUR - 1).0, Ahead);
        assert_eq!(follow(&mut clock, HOUR, 100 * DAY + HOUR).0, Trusted);
    }

    #[test]
    fn small_corrections_are_followed_but_many_of_them_are_a_jump() {
        let mut clock = started(0);
        assert_eq!(follow(&mut clock, HOUR, HOUR + MINUTE).0, Trusted);
        // A minute more each ten minutes: the third is too much for one hour.
        for (minutes, shift, trust) in [(70, 2, Trusted), (80, 3, Trusted), (90, 4, Ahead)] {
            let wall = (minutes + shift) * MINUTE;
            assert_eq!(follow(&mut clock, minutes * MINUTE, wall).0, trust);
        }
        // A minute more each hour is a clock that runs fast.
        let mut clock = started(0);
        for hours in 1..50 {
            let wall = hours * (HOUR + MINUTE);
            assert_eq!(follow(&mut clock, hours * HOUR, wall), (Trusted, wall));
        }
    }
}
