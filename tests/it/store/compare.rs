//! Compares everything that can be read from a store with the reference.

use std::collections::BTreeSet;

use doorward::model::{Digest, Principal, Sketch, TokenStatus, UserId};
use doorward::store::FoundToken;

use crate::harness::by_hour_and_name;

use super::email;
use super::random::{Life, RETENTION};
use super::reference::Stored;

impl Life {
    /// Compares accounts, addresses, tokens, reset codes and counts.
    pub(super) fn compare(&self) {
        let (store, reference) = (self.fixture.store(), &self.reference);
        for id in &self.users {
            let found = self.fixture.run(store.find_user(*id));
            let known = reference.users.get(id);
            assert_eq!(found.is_some(), known.is_some());
            if let (Some(found), Some(known)) = (found, known) {
                assert_eq!((&found.email, &found.name), (&known.email, &known.name));
                assert_eq!(found.password_hash, known.password_hash);
                assert_eq!((found.disabled, found.epoch), (known.disabled, known.epoch));
            }
            self.compare_live(Principal::User(*id));
        }
        self.compare_live(Principal::Admin);
        for number in 0..20 {
            let address = email(&format!("user{number}@example.org"));
            let found = self.fixture.run(store.find_user_by_email(&address.key()));
            assert_eq!(found.map(|user| user.id), reference.owner_of(&address));
        }
        for code in &self.codes {
            let found = self.fixture.run(store.find_reset(code, self.now));
            assert_eq!(found, reference.find_reset(*code, self.now));
        }
        self.tokens
            .iter()
            .for_each(|digest| self.compare_token(digest));
        self.compare_counts();
    }

    /// Counts of events must be equal. Counts of users are estimates, but nearly exact for so few
    /// users: two of them can share a register of the sketch.
    fn compare_counts(&self) {
        let oldest = self.now.before(RETENTION.counts).hour();
        let counts_of = |name: Option<&str>| {
            let verb = self.fixture.store().event_counts(oldest..u32::MAX, name);
            self.fixture.run(verb)
        };
        let counted = counts_of(None);
        let known = &self.reference.counts;
        let kept = |it: &(&(u32, String), &Vec<UserId>)| it.0.0 >= oldest;
        let expected = known.iter().filter(kept);
        let expected = expected.map(|(place, about)| (place.clone(), about.len() as u64));
        assert_eq!(by_hour_and_name(&counted), expected.collect());
        for hour in &counted.hours {
            let here = known.iter().filter(|((it, _), _)| *it == hour.hour);
            let here = here.flat_map(|(_, about)| about);
            about_as_many(&hour.users, here, &self.reference.seen[&hour.hour]);
        }
        for name in &counted.names {
            for hour in &counts_of(Some(name)).hours {
                assert_eq!(hour.counts.len(), 1);
                let place = (hour.hour, name.clone());
                about_as_many(
                    &hour.users,
                    &known[&place],
                    &self.reference.seen[&hour.hour],
                );
            }
        }
    }

    fn compare_live(&self, holder: Principal) {
        let live = self
            .fixture
            .run(self.fixture.store().live_tokens(holder, self.now));
        let live: BTreeSet<_> = live.into_iter().map(|token| token.id.0).collect();
        let expected = self.reference.live(holder, self.now).into_iter();
        assert_eq!(
            live,
            expected
                .map(|digest| self.reference.tokens[&digest].id.0)
                .collect()
        );
    }

    /// A live token must be found unchanged. The store may have removed a revoked one, and an
    /// expired one once it can no longer be refreshed.
    fn compare_token(&self, digest: &Digest) {
        let found = self.fixture.run(self.fixture.store().find_token(digest));
        let status = |found: &FoundToken| found.status(self.now, || self.monotonic());
        let Some(known) = self.reference.tokens.get(digest) else {
            assert!(found.is_none_or(|it| status(&it) == TokenStatus::Revoked));
            return;
        };
        match (self.reference.status(known, self.now), found) {
            (TokenStatus::Live, Some(found)) => {
                assert_eq!(status(&found), TokenStatus::Live);
                assert_eq!(*found.token, *known);
            }
            (TokenStatus::Live, None) => panic!("a live token is gone"),
            (expected, Some(found)) => {
                assert_eq!(status(&found), expected);
            }
            (TokenStatus::Expired, None) => assert!(known.forgettable_at() <= self.now),
            (TokenStatus::Revoked, None) => {}
        }
    }

    /// Compares the events that retention must keep.
    pub(super) fn compare_events(&self) {
        let oldest = self.now.before(RETENTION.events);
        let found = self.fixture.events_from(oldest);
        let found: Vec<Stored> = found
            .into_iter()
            .map(|it| {
                let subject = it.subject.unwrap();
                Stored {
                    at: it.at,
                    name: it.name,
                    subject,
                    details: it.details,
                }
            })
            .collect();
        let known: Vec<_> = self
            .reference
            .events
            .iter()
            .filter(|it| it.at >= oldest)
            .collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), known);
    }
}

/// Checks the number of users in a sketch: at least about as many as the events are about now, at
/// most about as many as before some were erased. The tolerance is 1 plus 10 percent.
#[track_caller]
fn about_as_many<'a>(
    sketch: &Sketch,
    users: impl IntoIterator<Item = &'a UserId>,
    seen: &BTreeSet<UserId>,
) {
    let users = users.into_iter().collect::<BTreeSet<_>>().len() as u64;
    let (counted, seen) = (sketch.users(), seen.len() as u64);
    let range = users.saturating_sub(1 + users / 10).max(1)..=seen + 1 + seen / 10;
    assert!(range.contains(&counted), "{counted} users, not {users}");
}
