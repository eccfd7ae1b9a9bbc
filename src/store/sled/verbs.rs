//! Which verb of the contract is which step, and how much room on the disk it asks for.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::{
    Digest, DiskUse, DueMail, Email, Erasure, Event, EventCounts, EventPage, EventQuery,
    InviteTerms, LiveQuery, Name, NewToken, NewUser, Principal, Retention, Timestamp, Token,
    TokenId, User, UserId,
};
use crate::store::sled::SledStore;
use crate::store::sled::accounts::expiry;
use crate::store::sled::accounts::invites;
use crate::store::sled::accounts::outbox;
use crate::store::sled::accounts::resets;
use crate::store::sled::accounts::tokens;
use crate::store::sled::accounts::users;
use crate::store::sled::engine::disk_space;
use crate::store::sled::engine::disk_space::{DiskPressure, WriteClass};
use crate::store::sled::engine::keys::{BlockKey, Key, meta};
use crate::store::sled::engine::transaction::{Read, Transaction};
use crate::store::sled::events::counts::count_query;
use crate::store::sled::events::dedup;
use crate::store::sled::events::disk_writes;
use crate::store::sled::events::live::Listener;
use crate::store::sled::events::replay;
use crate::store::sled::events::report;
use crate::store::sled::events::resolver::Lookup;
use crate::store::{
    Appended, Created, Error, EventListener, EventScan, Found, Health, Redeemed, Refreshed, Report,
    Result, Store, Swept, SystemValue, Updated,
};

/// Where a fact lies.
fn slot_of(fact: SystemValue) -> u8 {
    match fact {
        SystemValue::SigningSeed => 16,
        SystemValue::AdminHash => 17,
        SystemValue::FingerprintSalt => 18,
    }
}

#[async_trait]
impl Store for SledStore {
    async fn find_token(&self, digest: &Digest) -> Result<Option<Found>> {
        let Some(token) = self.token(*digest)? else {
            return Ok(None);
        };
        let (epoch, user) = match token.holder {
            Principal::Admin => (Some(self.admin_epoch.load(Ordering::Acquire)), None),
            Principal::Hub => (Some(self.hub_epoch.load(Ordering::Acquire)), None),
            Principal::User(id) => {
                let user = self.user(id)?.filter(|user| !user.disabled);
                (user.as_ref().map(|user| user.epoch), user)
            }
        };
        Ok(Some(Found { token, epoch, user }))
    }

    async fn epoch_of(&self, holder: Principal) -> Result<u32> {
        Ok(tokens::epoch_of(&self.tree, holder)?.unwrap_or(0))
    }

    async fn find_user(&self, id: UserId) -> Result<Option<Arc<User>>> {
        self.user(id)
    }

    async fn find_user_by_email(&self, key: &str) -> Result<Option<Arc<User>>> {
        match users::by_email(&self.tree, key)? {
            Some(id) => self.user(id),
            None => Ok(None),
        }
    }

    async fn live_tokens(&self, holder: Principal, now: Timestamp) -> Result<Vec<Token>> {
        let live = tokens::live(&self.tree, holder, now)?;
        Ok(live.into_iter().map(|(_, token)| token).collect())
    }

    async fn create_user(
        &self,
        user: NewUser,
        session: NewToken,
        now: Timestamp,
    ) -> Result<Created> {
        self.change(WriteClass::Change, move |tx| {
            users::create(tx, user, &session, now)
        })
        .await
    }

    async fn update_user(
        &self,
        id: UserId,
        name: Name,
        email: Email,
        now: Timestamp,
    ) -> Result<Updated> {
        self.change(WriteClass::Change, move |tx| {
            users::update(tx, id, name, email, now)
        })
        .await
    }

    async fn change_password(
        &self,
        id: UserId,
        epoch: u32,
        password_hash: String,
        keep: Option<Digest>,
        now: Timestamp,
    ) -> Result<Updated> {
        self.change(WriteClass::Change, move |tx| {
            users::change_password(tx, id, epoch, password_hash, keep, now)
        })
        .await
    }

    async fn rehash_password(&self, id: UserId, old: String, new: String) -> Result<()> {
        self.change(WriteClass::Change, move |tx| {
            users::rehash(tx, id, &old, new)
        })
        .await
    }

    async fn set_disabled(&self, id: UserId, disabled: bool, now: Timestamp) -> Result<bool> {
        self.change(WriteClass::Change, move |tx| {
            users::set_disabled(tx, id, disabled, now)
        })
        .await
    }

    async fn delete_user(&self, id: UserId) -> Result<bool> {
        self.change(WriteClass::Reclaim, move |tx| users::delete(tx, id))
            .await
    }

    async fn issue_token(&self, new: NewToken, per_user: usize, now: Timestamp) -> Result<bool> {
        self.change(WriteClass::Change, move |tx| {
            tokens::issue(tx, &new, per_user, now)
        })
        .await
    }

    async fn renew_token(
        &self,
        old: Digest,
        renewal: Digest,
        new: NewToken,
        now: Timestamp,
    ) -> Result<Option<Token>> {
        self.change(WriteClass::Change, move |tx| {
            tokens::renew(tx, old, renewal, new, now)
        })
        .await
    }

    async fn refresh_token(&self, old: Digest, new: NewToken, now: Timestamp) -> Result<Refreshed> {
        self.change(WriteClass::Change, move |tx| {
            tokens::refresh(tx, old, new, now)
        })
        .await
    }

    async fn touch_token(&self, digest: Digest, idle: Duration, now: Timestamp) -> Result<()> {
        self.change(WriteClass::Change, move |tx| {
            tokens::touch(tx, digest, idle, now)
        })
        .await
    }

    async fn end_family(&self, digest: Digest) -> Result<bool> {
        self.change(WriteClass::Reclaim, move |tx| {
            tokens::end_family(tx, digest)
        })
        .await
    }

    async fn end_token(&self, holder: Principal, id: TokenId) -> Result<bool> {
        self.change(WriteClass::Reclaim, move |tx| {
            tokens::end_named(tx, holder, id)
        })
        .await
    }

    async fn reconcile(&self, holder: Principal, fingerprint: String) -> Result<u32> {
        let step = move |tx: &mut Transaction<'_>| tokens::reconcile(tx, holder, fingerprint);
        let epoch = self.change(WriteClass::Reclaim, step).await?;
        match holder {
            Principal::Admin => self.admin_epoch.store(epoch, Ordering::Release),
            Principal::Hub => self.hub_epoch.store(epoch, Ordering::Release),
            Principal::User(_) => {}
        }
        Ok(epoch)
    }

    async fn offer_invites(&self, invites: Vec<(Digest, InviteTerms)>) -> Result<()> {
        self.change(WriteClass::Change, move |tx| {
            invites
                .iter()
                .try_for_each(|(code, terms)| invites::offer(tx, *code, terms))
        })
        .await
    }

    async fn enqueue_mail(&self, mail: DueMail) -> Result<bool> {
        self.change(WriteClass::Change, move |tx| outbox::enqueue(tx, mail))
            .await
    }

    async fn due_mails(&self, now: Timestamp) -> Result<(Vec<DueMail>, Option<Timestamp>)> {
        outbox::due(&self.tree, now)
    }

    async fn remove_mail(&self, mail: DueMail) -> Result<()> {
        self.change(WriteClass::Reclaim, move |tx| outbox::remove(tx, &mail))
            .await
    }

    async fn postpone_mail(&self, mail: DueMail, due_at: Timestamp) -> Result<()> {
        self.change(WriteClass::Reclaim, move |tx| {
            outbox::postpone(tx, mail, due_at)
        })
        .await
    }

    async fn put_reset(&self, user: UserId, code: Digest, expires_at: Timestamp) -> Result<bool> {
        self.change(WriteClass::Change, move |tx| {
            resets::put(tx, user, code, expires_at)
        })
        .await
    }

    async fn find_reset(&self, code: &Digest, now: Timestamp) -> Result<Option<UserId>> {
        resets::find(&self.tree, *code, now)
    }

    async fn redeem_reset(
        &self,
        code: Digest,
        password_hash: String,
        now: Timestamp,
    ) -> Result<Redeemed> {
        self.change(WriteClass::Change, move |tx| {
            resets::redeem(tx, code, password_hash, now)
        })
        .await
    }

    async fn append_events(&self, report: Report<'_>) -> Result<Appended> {
        for _ in 0..report::ATTEMPTS {
            if let Some(answer) = self.append_once(&report).await? {
                return Ok(answer);
            }
        }
        Err(Error::Busy)
    }

    async fn events_since(&self, from: Timestamp, limit: usize) -> Result<Vec<Event>> {
        self.read_aside(move |reader| reader.since(from, limit))
            .await
    }

    async fn read_events(&self, query: EventQuery) -> Result<EventPage> {
        self.read_aside(move |reader| reader.page(&query)).await
    }

    async fn scan_events(&self, query: EventQuery) -> Result<Box<dyn EventScan>> {
        Ok(Box::new(self.scan(query)))
    }

    async fn listen(&self, query: LiveQuery) -> Result<Option<Box<dyn EventListener>>> {
        let resumes = query.after;
        let lookup = Lookup::new(&self.tree, &self.names);
        let Some(mut listener) = Listener::register(&self.live, lookup, query) else {
            return Ok(None);
        };
        if let Some(after) = resumes {
            // When the writer has answered, whatever had begun before is on the disk.
            self.change(WriteClass::Reclaim, |_| Ok(())).await?;
            listener.catch_up(self.scan(replay::query(after)));
        }
        Ok(Some(Box::new(listener)))
    }

    async fn event_counts(&self, hours: Range<u32>, name: Option<&str>) -> Result<EventCounts> {
        let number = match name.map(|name| self.names.number(name)) {
            Some(None) => return Ok(EventCounts::default()),
            number => number.flatten(),
        };
        // Years of hours may have to come from the disk: that must not hold up the requests beside it.
        self.read_aside(move |reader| count_query::read(reader, hours, number))
            .await
    }

    async fn disk_use(&self, now: Timestamp) -> Result<DiskUse> {
        let meter = self.meter.clone();
        // Nothing is put, so this costs no write, and is answered on a full disk too.
        let counts = self.change(WriteClass::Reclaim, move |tx| {
            tx.events.daily_writes.sample(&meter, Some(now.day()));
            Ok((tx.events.totals.events, tx.events.daily_writes.days()))
        });
        let (events_stored, days) = counts.await?;
        Ok(DiskUse {
            disk_bytes: disk_writes::disk_bytes(&self.path).unwrap_or(0),
            free_bytes: disk_space::free_bytes_of(&self.path)(),
            events_stored,
            days,
        })
    }

    async fn keep_system_value(&self, fact: SystemValue, value: Vec<u8>) -> Result<Vec<u8>> {
        self.change(WriteClass::Reclaim, move |tx| {
            let key = meta::<Vec<u8>>(slot_of(fact));
            match tx.fetch(&key)? {
                Some(kept) => Ok(kept),
                None => tx.put(&key, &value).map(|()| value),
            }
        })
        .await
    }

    async fn find_system_value(&self, fact: SystemValue) -> Result<Option<Vec<u8>>> {
        self.tree.fetch(&meta::<Vec<u8>>(slot_of(fact)))
    }

    async fn erase_events(&self, what: Erasure, now: Timestamp) -> Result<u64> {
        while self.merge_some(now, true).await? {}
        let what = Arc::new(what);
        let (mut erased, mut from) = (0, Some(vec![BlockKey::KIND]));
        while let Some(key) = from {
            let (events, next) = self.erase_some(&what, key).await?;
            erased += events;
            from = next;
        }
        Ok(erased)
    }

    async fn merge_events(&self, now: Timestamp) -> Result<bool> {
        self.merge_some(now, false).await
    }

    async fn sweep(&self, now: Timestamp, keep: Retention) -> Result<Swept> {
        let _one_at_a_time = self.compaction_lock.lock().await;
        let _exclusive = self.block_lock.write().await;
        let meter = self.meter.clone();
        self.change(WriteClass::Reclaim, move |tx| {
            tx.events.daily_writes.sample(&meter, Some(now.day()));
            disk_writes::save(tx, false)?;
            let ids = dedup::sweep(tx, now)?;
            let rest = expiry::sweep(tx, now, &keep)?;
            Ok(Swept {
                removed: ids.removed + rest.removed,
                more: ids.more || rest.more,
            })
        })
        .await
    }

    fn under_way(&self) -> Option<u64> {
        self.writer.shared.under_way()
    }

    fn damaged_blocks(&self) -> usize {
        self.damage.blocks()
    }

    fn health(&self) -> Health {
        match self.writer.shared.failure() {
            Some(why) => Health::Stopped(why.to_owned()),
            None => match self.writer.shared.pressure() {
                DiskPressure::Nothing => Health::Fine,
                DiskPressure::Events => Health::NoEvents,
                DiskPressure::Changes => Health::Full,
            },
        }
    }

    async fn stopped(&self) -> String {
        self.writer.shared.failed().await
    }

    async fn close(&self) {
        let meter = self.meter.clone();
        let last = self.change(WriteClass::Reclaim, move |tx| {
            tx.events.daily_writes.sample(&meter, None);
            disk_writes::save(tx, true)
        });
        if let Err(error) = last.await {
            log::warn!("what was written to the disk is not noted: {error}");
        }
        self.writer.close().await;
    }
}
