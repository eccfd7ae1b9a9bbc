//! The operations of a random run: each runs on the store and on the reference, and both outcomes
//! must be equal.

use std::time::Duration;

use doorward::model::{
    AuditAction, Digest, Erasure, Idempotency, MailId, Name, NewEvent, Principal, TokenKind,
    TokenStatus,
};
use doorward::store::{Created, OnlyIf, Refreshed, Report};

use super::random::{Life, RETENTION};
use super::reference::Stored;
use super::{FROM, at, bytes, digest, disabling, made_at, new_user, profile};

const IDLE: Duration = Duration::from_hours(1);
const NAMES: [&str; 5] = ["start", "stop", "ü", "a rather long name of an event", "x"];

impl Life {
    /// Runs one random operation and returns its name, for failure messages.
    pub(super) fn step(&mut self) -> &'static str {
        let pause = [1, 1, 1, 1, 1, 2_000, 2_000, 61_000, 61_000, 1_300_000]
            [usize::try_from(self.draw(10)).unwrap()];
        self.now = self.now.after(Duration::from_millis(pause));
        match self.draw(26) {
            0..=2 => self.create_user(),
            3 => self.update_user(),
            4 => self.change_password(),
            5 => self.set_disabled(),
            6 => self.delete_user(),
            7..=10 => self.issue_token(),
            11 => self.renew_token(),
            12..=14 => self.refresh_token(),
            15 => self.touch_token(),
            16 => self.end_token(),
            17 => self.put_reset(),
            18 => self.redeem_reset(),
            19..=21 => self.append_events(),
            22 => self.sweep(),
            23 => self.merge(),
            24 => self.erase(),
            _ => self.reopen(),
        }
    }

    fn create_user(&mut self) -> &'static str {
        let (number, email) = (self.next(), self.address());
        let code = self.draw(8).to_string();
        let invite = (self.draw(3) == 0).then_some(code);
        let mut user = new_user(number, email.shown(), invite.as_deref());
        user.password_hash = format!("hash {number}");
        let session = self.new_token(Principal::User(user.id), TokenKind::Session, 0);
        let verb = self.fixture.store().create_user(
            user.clone(),
            Some(session.clone()),
            made_at(self.now),
        );
        let created = self.fixture.run(verb);
        let id = user.id;
        let expected = self.reference.create_user(user, session, self.now);
        match created {
            Created::Done(user) => {
                assert!(user.id == id && self.reference.users.contains_key(&id));
                self.users.push(id);
            }
            other => {
                assert!(!self.reference.users.contains_key(&id));
                self.same("create_user", &other, &expected);
            }
        }
        "create_user"
    }

    /// The id of the mail that reports a change.
    fn notice(&self) -> MailId {
        MailId::from_random(bytes("mail", self.serial))
    }

    fn update_user(&mut self) -> &'static str {
        let (id, email, notice) = (self.user(), self.address(), Some(self.notice()));
        let name = Name::parse(&format!("Name {}", self.next())).unwrap();
        let verb = self.fixture.store().update_user(
            id,
            profile(name.clone(), email.clone()),
            OnlyIf::Active,
            notice,
            made_at(self.now),
        );
        let found = self.fixture.run(verb);
        let expected = self.reference.update_user(id, name, email);
        self.same("update_user", &found, &expected)
    }

    fn change_password(&mut self) -> &'static str {
        let (id, keep) = (self.user(), self.token());
        let wrong = u32::from(self.draw(4) == 0);
        let epoch = self.reference.users.get(&id).map_or(0, |user| user.epoch) + wrong;
        let hash = format!("hash {}", self.next());
        let keep = (self.draw(2) == 0).then_some(keep);
        let notice = Some(self.notice());
        let verb = self.fixture.store().change_password(
            id,
            epoch,
            hash.clone(),
            keep,
            notice,
            made_at(self.now),
        );
        let found = self.fixture.run(verb);
        let expected = self.reference.change_password(id, epoch, hash, keep);
        self.same("change_password", &found, &expected)
    }

    fn set_disabled(&mut self) -> &'static str {
        let (id, disabled) = (self.user(), self.draw(3) == 0);
        let verb = self.fixture.store().update_user(
            id,
            disabling(disabled),
            OnlyIf::There,
            None,
            made_at(self.now),
        );
        let found = self.fixture.run(verb);
        let expected = self.reference.set_disabled(id, disabled);
        self.same("set_disabled", &found, &expected)
    }

    fn delete_user(&mut self) -> &'static str {
        if self.draw(3) > 0 {
            return "nothing";
        }
        let id = self.user();
        let deleted = self
            .fixture
            .run(self.fixture.store().delete_user(id, made_at(self.now)));
        let expected = self.reference.delete_user(id);
        self.same("delete_user", &deleted, &expected)
    }

    fn issue_token(&mut self) -> &'static str {
        let holder = match self.draw(9) {
            0 => Principal::Admin,
            1 => Principal::Hub,
            _ => Principal::User(self.user()),
        };
        let kinds = [
            TokenKind::Session,
            TokenKind::Angen,
            TokenKind::Access,
            TokenKind::Access,
        ];
        let kind = kinds[usize::try_from(self.draw(4)).unwrap()];
        let late = u32::from(self.draw(6) == 0);
        let epoch = self.reference.epoch(holder).unwrap_or(0) + late;
        let token = self.new_token(holder, kind, epoch);
        let verb = self.fixture.store().issue_token(
            token.clone(),
            3,
            AuditAction::LogIn,
            made_at(self.now),
        );
        let found = self.fixture.run(verb);
        let expected = self.reference.issue_token(token, 3, self.now);
        self.same("issue_token", &found, &expected)
    }

    fn renew_token(&mut self) -> &'static str {
        let (old, other) = (self.token_of(TokenKind::Angen), self.token());
        let right = self
            .reference
            .tokens
            .get(&old)
            .and_then(|token| token.renewal);
        let code = right.filter(|_| self.draw(4) > 0).unwrap_or(other);
        let holder = self
            .reference
            .tokens
            .get(&old)
            .map_or(Principal::Hub, |token| token.holder);
        let new = self.new_token(holder, TokenKind::Angen, 0);
        let verb = self
            .fixture
            .store()
            .renew_token(old, code, new.clone(), self.now);
        let renewed = self.fixture.run(verb);
        let expected = self.reference.renew_token(old, code, new, self.now);
        self.same("renew_token", &renewed.is_some(), &expected)
    }

    fn refresh_token(&mut self) -> &'static str {
        let old = self.token_of(TokenKind::Access);
        // Sometimes two browser tabs refresh the same token.
        for _ in 0..=self.draw(2) {
            self.refresh(old);
        }
        "refresh_token"
    }

    fn refresh(&mut self, old: Digest) {
        let known = self.reference.tokens.get(&old);
        let over = known.is_some_and(|it| it.forgettable_at() <= self.now);
        let holder = known.map_or(Principal::Hub, |token| token.holder);
        let new = self.new_token(holder, TokenKind::Access, 0);
        let verb = self.fixture.store().refresh_token(
            old,
            new.clone(),
            self.monotonic(),
            made_at(self.now),
        );
        let refreshed = self.fixture.run(verb);
        // The store may have removed a token that is over; then it no longer detects its reuse.
        if over && refreshed == Refreshed::Refused {
            return;
        }
        let expected = self.reference.refresh_token(old, new, self.now);
        self.same("refresh_token", &refreshed, &expected);
    }

    fn touch_token(&mut self) -> &'static str {
        let digest = self.token();
        // Only a live token is used.
        let token = self.reference.tokens.get(&digest);
        if token.is_some_and(|it| self.reference.status(it, self.now) == TokenStatus::Live) {
            self.fixture.run(
                self.fixture
                    .store()
                    .touch_token(digest, IDLE, FROM, self.now),
            );
            self.reference.touch_token(digest, IDLE, self.now);
        }
        "touch_token"
    }

    fn end_token(&mut self) -> &'static str {
        let digest = self.token();
        let Some(token) = self.reference.tokens.get(&digest) else {
            return "nothing";
        };
        let (holder, id) = (token.holder, token.id);
        // The store may have removed a revoked token or one that is over; then it finds no family.
        let is_dead = self.reference.epoch(holder) != Some(token.epoch);
        if is_dead || token.forgettable_at() <= self.now {
            return "nothing";
        }
        let store = self.fixture.store();
        let ended = match self.drawn % 2 {
            0 => self
                .fixture
                .run(store.end_token(holder, id, made_at(self.now))),
            _ => self
                .fixture
                .run(store.end_family(digest, Some(super::FROM), made_at(self.now))),
        };
        self.reference.end_family(digest);
        self.same("end_token", &ended, &true)
    }

    fn put_reset(&mut self) -> &'static str {
        let (user, code) = (self.user(), digest("code", self.next()));
        let end = self.now.after(Duration::from_mins(30));
        self.codes.push(code);
        let put = self.fixture.run(self.fixture.store().put_reset(
            user,
            code,
            end,
            made_at(self.now),
        ));
        let expected = self.reference.put_reset(user, code, end);
        self.same("put_reset", &put, &expected)
    }

    fn redeem_reset(&mut self) -> &'static str {
        let codes = self.codes.clone();
        let (any, hash) = (self.one_of(&codes), format!("hash {}", self.next()));
        let open = self
            .reference
            .resets
            .values()
            .find(|(_, end)| self.now < *end);
        let open = open.map(|(code, _)| *code);
        let code = open.filter(|_| self.draw(2) == 0).unwrap_or(any);
        let verb = self.fixture.store().redeem_reset(
            code,
            hash.clone(),
            Some(self.notice()),
            made_at(self.now),
        );
        let found = self.fixture.run(verb);
        let expected = self.reference.redeem_reset(code, hash, self.now);
        self.same("redeem_reset", &found, &expected)
    }

    fn append_events(&mut self) -> &'static str {
        let reporter = if self.draw(2) == 0 {
            Principal::Admin
        } else {
            Principal::User(self.user())
        };
        let subject = self.user();
        let count = if self.draw(5) == 0 {
            300
        } else {
            1 + self.draw(4)
        };
        let stored: Vec<Stored> = (0..count)
            .map(|n| {
                let other = self.draw(20) == 0;
                let name = NAMES[usize::try_from(self.draw(5)).unwrap()].to_owned();
                let details = (self.draw(2) == 0).then(|| format!("{{\"n\": {n}}}"));
                let subject = if other { self.user() } else { subject };
                Stored {
                    at: self.now,
                    name,
                    subject,
                    details,
                }
            })
            .collect();
        let idempotency = (self.draw(2) == 0).then(|| Idempotency {
            key: digest("key", self.draw(3)),
            body: digest("body", self.draw(2)),
        });
        let events: Vec<NewEvent<'_>> = stored
            .iter()
            .map(|it| NewEvent {
                id: None,
                name: &it.name,
                subject: it.subject,
                details: it.details.as_deref(),
            })
            .collect();
        let report = Report {
            reporter,
            events: &events,
            idempotency,
            at: self.now,
        };
        let appended = self.fixture.run(self.fixture.store().append_events(report));
        drop(events);
        let expected = self
            .reference
            .append_events(reporter, stored, idempotency, self.now);
        self.same("append_events", &appended, &expected)
    }

    fn sweep(&mut self) -> &'static str {
        while self
            .fixture
            .run(self.fixture.store().sweep(self.now, RETENTION))
            .more
        {}
        // An event that is too old may remain for a while, as long as its block has newer ones.
        let stored = self.fixture.events_from(at(0));
        let gone = self.reference.keep_newest(stored.len());
        let oldest = self.now.before(RETENTION.events);
        assert!(gone.iter().all(|event| event.at < oldest));
        "sweep"
    }

    fn merge(&mut self) -> &'static str {
        while self
            .fixture
            .run(self.fixture.store().merge_events(self.now))
        {}
        "merge"
    }

    fn erase(&mut self) -> &'static str {
        let name = NAMES[usize::try_from(self.draw(5)).unwrap()].to_owned();
        let user = self.user();
        let before = self.now.before(Duration::from_mins(self.draw(600)));
        let what = Erasure {
            name: (self.draw(2) == 0).then_some(name),
            subject: (self.draw(2) == 0).then_some(user),
            before: (self.draw(2) == 0).then_some(before),
        };
        let erased = self.fixture.run(
            self.fixture
                .store()
                .erase_events(what.clone(), made_at(self.now)),
        );
        let expected = self.reference.erase_events(&what);
        assert_eq!(erased, expected, "{what:?}");
        self.compare_events();
        "erase"
    }

    fn reopen(&mut self) -> &'static str {
        self.reopen_store();
        "reopen"
    }
}
