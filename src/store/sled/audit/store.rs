//! Implements [`AuditStore`], the part of the store's contract for the audit log.

use async_trait::async_trait;
use tokio::task::spawn_blocking;

use crate::model::{
    AuditEntry, AuditPage, AuditPlace, AuditQuery, AuditRetention, Order, Timestamp, UserId,
};
use crate::store::sled::SledStore;
use crate::store::sled::audit::log::{self, AuditKey, AuditOfKey};
use crate::store::sled::engine::disk_space::WriteClass;
use crate::store::sled::engine::keys::{self, Key};
use crate::store::sled::engine::read::{Read, raw_range_back};
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::engine::tree::Tree;
use crate::store::{AuditListener, AuditStore, Error, Result, Swept};

/// Entries that one page reads at most, to find those that its filters ask for: about ten
/// milliseconds.
const READ_ENTRIES: usize = 4_000;

/// The keys between which the entries of a query lie.
struct Bounds {
    from: Vec<u8>,
    to: Vec<u8>,
    /// Where the list is of one account.
    user: Option<UserId>,
}

impl Bounds {
    fn of(query: &AuditQuery) -> Bounds {
        let user = query.user;
        let key = |place: AuditPlace| match user {
            Some(user) => AuditOfKey {
                user,
                at: place.at,
                number: place.number,
            }
            .bytes(),
            None => AuditKey::of(place).bytes(),
        };
        let moment = |at: Timestamp| key(AuditPlace { at, number: 0 });
        let all = match user {
            Some(user) => keys::prefix::<AuditOfKey>(|to| keys::Field::write(&user, to)),
            None => keys::first::<AuditKey>(),
        };
        let mut from = query.from.map_or_else(|| all.clone(), moment);
        let mut to = query.to.map_or_else(|| keys::after_prefix(&all), moment);
        if let Some(after) = query.after {
            match query.order {
                Order::Ascending => from = from.max(keys::after(&key(after))),
                Order::Descending => to = to.min(key(after)),
            }
        }
        Bounds { from, to, user }
    }

    /// Up to `limit` places between the bounds; none for a key that is damaged.
    fn places(&self, tree: &Tree, order: Order, limit: usize) -> Result<Vec<AuditPlace>> {
        if self.from >= self.to {
            return Ok(Vec::new());
        }
        let entries = match order {
            Order::Ascending => tree.raw_range(&self.from, &self.to, limit)?,
            Order::Descending => raw_range_back(tree, &self.from, &self.to, limit)?,
        };
        let place = |key: &[u8]| match self.user {
            Some(_) => AuditOfKey::parse(key).map(|it| AuditPlace {
                at: it.at,
                number: it.number,
            }),
            None => AuditKey::parse(key).map(|it| it.place()),
        };
        Ok(entries.iter().filter_map(|(key, _)| place(key)).collect())
    }
}

/// A page of the entries that a query asks for. A damaged entry is left out.
fn read(tree: &Tree, query: &AuditQuery) -> Result<AuditPage> {
    let mut page = AuditPage::default();
    let places = Bounds::of(query).places(tree, query.order, READ_ENTRIES)?;
    let is_all = places.len() < READ_ENTRIES;
    let mut last = None;
    for place in places {
        if page.entries.len() == query.limit {
            page.next = last;
            return Ok(page);
        }
        last = Some(place);
        let entry = tree.fetch_readable(&AuditKey::of(place))?;
        page.entries
            .extend(entry.filter(|it| query.matches(it)).map(|it| (place, it)));
    }
    page.next = last.filter(|_| !is_all);
    Ok(page)
}

#[async_trait]
impl AuditStore for SledStore {
    async fn append_audit(&self, entries: Vec<AuditEntry>) -> Result<()> {
        let step = move |tx: &mut Transaction<'_>| {
            entries.iter().try_for_each(|entry| log::append(tx, entry))
        };
        self.change(WriteClass::Change, step).await
    }

    async fn read_audit(&self, query: AuditQuery) -> Result<AuditPage> {
        let tree = self.tree.clone();
        let reading = spawn_blocking(move || read(&tree, &query));
        reading
            .await
            .unwrap_or_else(|_| Err(Error::Corrupt("a list panicked; see the log".into())))
    }

    async fn sweep_audit(&self, now: Option<Timestamp>, keep: AuditRetention) -> Result<Swept> {
        let step = move |tx: &mut Transaction<'_>| log::sweep(tx, now, keep);
        self.change(WriteClass::Reclaim, step).await
    }

    async fn listen_to_audit(&self, query: AuditQuery) -> Result<Box<dyn AuditListener>> {
        Ok(Box::new(self.audit_feed.listen(self.tree.clone(), query)))
    }
}
