//! Random operations, run on the store and on the reference, must have the same outcomes. The store
//! is reopened from time to time.

use std::collections::BTreeSet;
use std::time::Duration;

use doorward::crypto;
use doorward::model::{
    Digest, Email, InviteTerms, NewToken, Principal, Retention, Timestamp, TokenKind, TokenStatus,
    UserId,
};

use super::reference::Reference;
use super::{StoreFixture, at, digest, email, every_backend, new_token, user_id};

const STEPS: usize = 1_000;
pub(super) const RETENTION: Retention = Retention {
    ended: Duration::from_hours(24 * 30),
    events: Duration::from_hours(6),
    counts: Duration::from_hours(24),
    max_bytes: u64::MAX,
};

/// The outcomes that a rich run must have at least once.
const OUTCOMES: &[&str] = &[
    "create_user EmailTaken",
    "create_user InviteNotFound",
    "update_user Done",
    "update_user EmailTaken",
    "update_user Gone",
    "change_password Done",
    "change_password Gone",
    "delete_user true",
    "issue_token true",
    "issue_token false",
    "renew_token true",
    "renew_token false",
    "refresh_token Done",
    "refresh_token Again",
    "refresh_token Reused",
    "refresh_token Refused",
    "put_reset true",
    "redeem_reset Done",
    "redeem_reset Refused",
    "append_events Stored",
    "append_events Replayed",
    "append_events KeyReused",
    "append_events UnknownUser",
    "append_events UnknownReporter",
];

/// One random run: the store, the reference and all that was created.
pub(super) struct Life {
    pub(super) fixture: StoreFixture,
    pub(super) reference: Reference,
    pub(super) seed: u64,
    pub(super) drawn: u64,
    pub(super) now: Timestamp,
    /// When the store was opened.
    opened_at: Timestamp,
    pub(super) serial: u64,
    /// All ids that a step may use, also of accounts and tokens that no longer exist.
    pub(super) users: Vec<UserId>,
    pub(super) tokens: Vec<Digest>,
    pub(super) codes: Vec<Digest>,
    /// The outcomes so far: a run without any refusal proves little.
    outcomes: BTreeSet<String>,
}

impl Life {
    fn begin(fixture: StoreFixture, seed: u64) -> Life {
        let mut life = Life {
            fixture,
            reference: Reference::default(),
            seed,
            drawn: 0,
            now: at(0),
            opened_at: at(0),
            serial: 0,
            users: vec![user_id(0)],
            tokens: vec![digest("token", 0)],
            codes: vec![digest("code", 0)],
            outcomes: BTreeSet::new(),
        };
        let offer: Vec<_> = (0..3_u8)
            .map(|n| {
                let end = (n == 2).then(|| at(1_000_000));
                (
                    crypto::digest(&[b'0' + n]),
                    InviteTerms {
                        uses: 4,
                        expires_at: end,
                    },
                )
            })
            .collect();
        life.fixture
            .run(life.fixture.store().offer_invites(offer.clone()));
        life.reference.invites = offer
            .into_iter()
            .map(|(code, terms)| (code, (terms, 0)))
            .collect();
        life
    }

    /// Asserts that an outcome is the expected one, and records it.
    #[track_caller]
    pub(super) fn same<T: PartialEq + std::fmt::Debug>(
        &mut self,
        verb: &'static str,
        found: &T,
        expected: &T,
    ) -> &'static str {
        assert_eq!(found, expected);
        let word = format!("{found:?}");
        self.outcomes.insert(format!(
            "{verb} {}",
            word.split('(').next().unwrap_or_default()
        ));
        verb
    }

    pub(super) fn draw(&mut self, below: u64) -> u64 {
        self.drawn += 1;
        let Digest(bytes) = digest("draw", self.seed << 32 | self.drawn);
        let (first, _) = bytes.split_first_chunk::<8>().unwrap();
        u64::from_be_bytes(*first) % below
    }

    pub(super) fn one_of<T: Copy>(&mut self, from: &[T]) -> T {
        // Mostly one of the latest six: older ones are often gone and test little.
        let reach = if self.draw(4) == 0 {
            from.len()
        } else {
            from.len().min(6)
        };
        let back = usize::try_from(self.draw(reach as u64)).unwrap();
        from[from.len() - 1 - back]
    }

    pub(super) fn reopen_store(&mut self) {
        self.fixture.reopen();
        self.opened_at = self.now;
    }

    /// The monotonic clock: it starts when the store is opened.
    pub(super) fn monotonic(&self) -> Duration {
        self.now.since(self.opened_at)
    }

    pub(super) fn user(&mut self) -> UserId {
        let users = self.users.clone();
        self.one_of(&users)
    }

    pub(super) fn token(&mut self) -> Digest {
        let tokens = self.tokens.clone();
        self.one_of(&tokens)
    }

    /// A token of this kind that is not revoked; sometimes any token.
    pub(super) fn token_of(&mut self, kind: TokenKind) -> Digest {
        let is_it = |it: &&Digest| {
            let known = self.reference.tokens.get(it).filter(|it| it.kind == kind);
            known.is_some_and(|it| self.reference.status(it, self.now) != TokenStatus::Revoked)
        };
        let tokens: Vec<Digest> = self.tokens.iter().filter(is_it).copied().collect();
        if tokens.is_empty() || self.draw(4) == 0 {
            self.token()
        } else {
            self.one_of(&tokens)
        }
    }

    pub(super) fn address(&mut self) -> Email {
        let number = self.draw(20);
        let name = if self.draw(2) == 0 { "User" } else { "user" };
        email(&format!("{name}{number}@example.org"))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn new_token(&mut self, holder: Principal, kind: TokenKind, epoch: u32) -> NewToken {
        let token = new_token(self.next(), kind, holder, epoch, self.now);
        self.tokens.push(token.digest);
        token
    }
}

/// Runs one seed on every backend. `is_rich`: every outcome in `OUTCOMES` must happen.
fn live(seed: u64, is_rich: bool) {
    every_backend(|fixture| {
        let mut life = Life::begin(fixture, seed);
        for step in 0..STEPS {
            let verb = life.step();
            eprintln!("seed {seed}, step {step}: {verb}");
            life.compare();
            if step % 20 == 0 {
                life.compare_events();
            }
        }
        life.reopen_store();
        life.compare();
        life.compare_events();
        for outcome in OUTCOMES.iter().filter(|_| is_rich) {
            let happened = life.outcomes.contains(*outcome);
            assert!(happened, "{outcome} never happened: {:?}", life.outcomes);
        }
    });
}

#[test]
fn a_random_life_is_the_same_in_plain_maps() {
    live(2, true);
}

#[test]
fn another_random_life_is_the_same_in_plain_maps() {
    live(1, false);
}

/// `DOORWARD_LIVES=100 cargo test random_lives` runs 100 seeds; the default is 1.
#[test]
fn further_random_lives_are_the_same_in_plain_maps() {
    let lives = std::env::var("DOORWARD_LIVES").map_or(1, |text| text.parse().unwrap());
    for seed in 5..5 + lives {
        live(seed, false);
    }
}
