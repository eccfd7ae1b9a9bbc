//! Implements [`AuditStore`], the part of the store's contract for the audit log.

use async_trait::async_trait;

use crate::model::{
    AuditEntry, AuditPage, AuditPlace, AuditQuery, AuditRetention, Order, Timestamp, UserId,
};
use crate::store::sled::SledStore;
use crate::store::sled::audit::log::{self, AuditInKey, AuditKey, AuditOfKey};
use crate::store::sled::engine::disk_space::WriteClass;
use crate::store::sled::engine::keys::{self, Field, Key};
use crate::store::sled::engine::read::{Read, raw_range_back};
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::store::reading;
use crate::store::{AuditListener, AuditStore, Result, Swept};

/// Entries that are read at once.
const READ_AT_ONCE: usize = 200;
/// How often one page reads so many, to find those that its filters ask for: 1,000 entries take
/// about ten milliseconds.
const READS: usize = 5;

/// A list of entries.
#[derive(Clone, Copy)]
enum List {
    /// All of them.
    All,
    /// Those of an account.
    Of(UserId),
    /// Those of a request, by its number; requests with one number share a list.
    In(u64),
}

impl List {
    /// The shortest list that holds all entries of a query.
    fn of(query: &AuditQuery) -> List {
        match (&query.request, query.user) {
            (Some(request), _) => List::In(log::request_number(request)),
            (None, Some(user)) => List::Of(user),
            (None, None) => List::All,
        }
    }

    /// The prefix of its keys.
    fn prefix(self) -> Vec<u8> {
        match self {
            List::All => keys::first::<AuditKey>(),
            List::Of(user) => keys::prefix::<AuditOfKey>(|to| user.write(to)),
            List::In(request) => keys::prefix::<AuditInKey>(|to| request.write(to)),
        }
    }

    /// The key of an entry: behind the prefix, every list has the place.
    fn key(self, place: AuditPlace) -> Vec<u8> {
        let mut key = self.prefix();
        place.at.write(&mut key);
        place.number.write(&mut key);
        key
    }

    /// The place in a key; none for a key that is damaged.
    fn place(self, key: &[u8]) -> Option<AuditPlace> {
        let place = |at, number| AuditPlace { at, number };
        match self {
            List::All => AuditKey::parse(key).map(|it| place(it.at, it.number)),
            List::Of(_) => AuditOfKey::parse(key).map(|it| place(it.at, it.number)),
            List::In(_) => AuditInKey::parse(key).map(|it| place(it.at, it.number)),
        }
    }

    /// Up to `limit` places of the entries that a query may ask for.
    fn places(self, tree: &Tree, query: &AuditQuery, limit: usize) -> Result<Vec<AuditPlace>> {
        let moment = |at| self.key(AuditPlace { at, number: 0 });
        let prefix = self.prefix();
        let mut from = query.from.map_or_else(|| prefix.clone(), moment);
        let mut to = query.to.map_or_else(|| keys::after_prefix(&prefix), moment);
        if let Some(after) = query.after.map(|place| self.key(place)) {
            match query.order {
                Order::Ascending => from = from.max(keys::after(&after)),
                Order::Descending => to = to.min(after),
            }
        }
        if from >= to {
            return Ok(Vec::new());
        }
        let entries = match query.order {
            Order::Ascending => tree.raw_range(&from, &to, limit)?,
            Order::Descending => raw_range_back(tree, &from, &to, limit)?,
        };
        let places = entries.iter().filter_map(|(key, _)| self.place(key));
        Ok(places.collect())
    }
}

/// A page of the entries that a query asks for. A damaged entry is left out.
fn read(tree: &Tree, query: &AuditQuery) -> Result<AuditPage> {
    let (list, mut rest) = (List::of(query), query.clone());
    let mut page = AuditPage::default();
    for _ in 0..READS {
        let places = list.places(tree, &rest, READ_AT_ONCE)?;
        let is_last = places.len() < READ_AT_ONCE;
        for place in places {
            if page.entries.len() == query.limit {
                page.next = rest.after;
                return Ok(page);
            }
            rest.after = Some(place);
            let entry = tree.fetch_readable(&AuditKey::of(place))?;
            let entry = entry.filter(|it| query.matches(it));
            page.entries.extend(entry.map(|it| (place, it)));
        }
        if is_last {
            return Ok(page);
        }
    }
    page.next = rest.after;
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
        reading(move || read(&tree, &query)).await
    }

    async fn sweep_audit(&self, now: Option<Timestamp>, keep: AuditRetention) -> Result<Swept> {
        let step = move |tx: &mut Transaction<'_>| log::sweep(tx, now, keep);
        self.change(WriteClass::Reclaim, step).await
    }

    async fn listen_to_audit(&self, query: AuditQuery) -> Result<Box<dyn AuditListener>> {
        Ok(Box::new(self.audit_feed.listen(self.tree.clone(), query)))
    }
}
