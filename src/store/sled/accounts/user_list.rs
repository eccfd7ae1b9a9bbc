//! Lists of accounts: all, by signup, address or name, or those whose address or name begins with
//! a text.

use crate::model::{Order, User, UserId, UserPage, UserPlace, UserQuery, UserSort};
use crate::store::Result;
use crate::store::sled::accounts::names::{self, NameKey};
use crate::store::sled::accounts::users::{EmailKey, NumberKey, UserKey};
use crate::store::sled::engine::keys::{self, Field, Key};
use crate::store::sled::engine::read::{RawEntry, Read, raw_range_back};
use crate::store::sled::engine::record;
use crate::store::sled::engine::tree::Tree;

/// Accounts that one page looks at: each may lie in another place on the disk, and all of them must
/// be read within 20 ms.
const LOOKS: usize = 200;

/// A part of a list: the keys that it reads, and what they say.
struct Part<'a> {
    from: Vec<u8>,
    to: Vec<u8>,
    order: Order,
    /// The place and the account of a key with its value; none for a damaged one.
    read: &'a dyn Fn(&RawEntry) -> Option<(UserPlace, UserId)>,
    /// Whether an account belongs to this part at this place.
    belongs: Belongs<'a>,
}

type Belongs<'a> = &'a dyn Fn(&User, &UserPlace) -> bool;

/// A page that is being filled.
struct Filling<'a> {
    tree: &'a Tree,
    query: &'a UserQuery,
    page: UserPage,
    /// Accounts that may still be looked at.
    looks: usize,
}

impl Filling<'_> {
    /// Reads a part. False: the page ends here.
    fn read(&mut self, mut part: Part<'_>) -> Result<bool> {
        while part.from < part.to {
            let looks = self.looks;
            if looks == 0 {
                return Ok(false);
            }
            let entries = match part.order {
                Order::Ascending => self.tree.raw_range(&part.from, &part.to, looks)?,
                Order::Descending => raw_range_back(self.tree, &part.from, &part.to, looks)?,
            };
            self.looks -= entries.len();
            for entry in &entries {
                if self.page.users.len() == self.query.limit {
                    return Ok(false);
                }
                if let Some((place, id)) = (part.read)(entry) {
                    self.take(id, &place, part.belongs)?;
                    self.page.next = Some(place);
                }
            }
            match (part.order, entries.last()) {
                _ if entries.len() < looks => return Ok(true),
                (Order::Ascending, Some((last, _))) => part.from = keys::after(last),
                (Order::Descending, Some((last, _))) => part.to.clone_from(last),
                (_, None) => return Ok(true),
            }
        }
        Ok(true)
    }

    /// Adds an account, if it exists and is asked for.
    fn take(&mut self, id: UserId, place: &UserPlace, belongs: Belongs<'_>) -> Result<()> {
        let user = self.tree.fetch_readable(&UserKey { id })?;
        let is_asked_for = |it: &User| {
            self.query
                .disabled
                .is_none_or(|disabled| it.disabled == disabled)
                && belongs(it, place)
        };
        self.page.users.extend(user.filter(is_asked_for));
        Ok(())
    }
}

/// A page of the accounts that a query asks for.
pub(crate) fn list(tree: &Tree, query: &UserQuery) -> Result<UserPage> {
    let mut filling = Filling {
        tree,
        query,
        page: UserPage::default(),
        looks: LOOKS,
    };
    let is_whole = match (&query.prefix, query.sort) {
        (None, UserSort::Created) => filling.read(by_number(query))?,
        (None, UserSort::Email) => filling.read(by_address(query, "", query.order, &any))?,
        (None, UserSort::Name) => filling.read(by_name(query, "", query.order, &is_first))?,
        (Some(prefix), _) => {
            let prefix = names::folded(prefix);
            let has_address = |user: &User| {
                let mut keys = user.email.keys().into_iter();
                keys.any(|key| key.starts_with(&prefix))
            };
            let of_name = |user: &User, _: &UserPlace| !has_address(user);
            let is_in_names = matches!(query.after, Some(UserPlace::Name(..)));
            let up = Order::Ascending;
            (is_in_names || filling.read(by_address(query, &prefix, up, &any))?)
                && filling.read(by_name(query, &prefix, up, &of_name))?
        }
    };
    if is_whole {
        filling.page.next = None;
    }
    Ok(filling.page)
}

fn any(_: &User, _: &UserPlace) -> bool {
    true
}

/// Whether a place is that of the first word of an account's name.
fn is_first(user: &User, place: &UserPlace) -> bool {
    let first = names::first_of(user);
    matches!((first, place), (Some(key), UserPlace::Name(text, _)) if key.text == *text)
}

/// The keys of `from..to` behind a key.
fn behind(
    (from, to): (Vec<u8>, Vec<u8>),
    after: Option<&impl Key>,
    order: Order,
) -> (Vec<u8>, Vec<u8>) {
    match (after, order) {
        (None, _) => (from, to),
        (Some(key), Order::Ascending) => (from.max(keys::after(&key.bytes())), to),
        (Some(key), Order::Descending) => (from, to.min(key.bytes())),
    }
}

fn by_number(query: &UserQuery) -> Part<'static> {
    let all = (keys::first::<NumberKey>(), keys::end::<NumberKey>());
    let after = match query.after {
        Some(UserPlace::Number(number)) => Some(NumberKey { number }),
        _ => None,
    };
    let (from, to) = behind(all, after.as_ref(), query.order);
    Part {
        from,
        to,
        order: query.order,
        read: &|(key, stored)| {
            let number = NumberKey::parse(key)?.number;
            let id = record::open::<UserId>(key, stored).ok()?;
            Some((UserPlace::Number(number), id))
        },
        belongs: &any,
    }
}

fn by_address<'a>(query: &UserQuery, prefix: &str, order: Order, belongs: Belongs<'a>) -> Part<'a> {
    let all = keys::prefix::<EmailKey>(|to| prefix.to_owned().write(to));
    let after = match &query.after {
        Some(UserPlace::Email(key)) => Some(EmailKey { key: key.clone() }),
        _ => None,
    };
    let end = keys::after_prefix(&all);
    let (from, to) = behind((all, end), after.as_ref(), order);
    Part {
        from,
        to,
        order,
        read: &|(key, stored)| {
            let address = EmailKey::parse(key)?.key;
            let id = record::open::<UserId>(key, stored).ok()?;
            Some((UserPlace::Email(address), id))
        },
        belongs,
    }
}

fn by_name<'a>(query: &UserQuery, prefix: &str, order: Order, belongs: Belongs<'a>) -> Part<'a> {
    let all = keys::prefix::<NameKey>(|to| prefix.to_owned().write(to));
    let after = match &query.after {
        Some(UserPlace::Name(text, user)) => Some(NameKey {
            text: text.clone(),
            user: *user,
        }),
        _ => None,
    };
    let end = keys::after_prefix(&all);
    let (from, to) = behind((all, end), after.as_ref(), order);
    Part {
        from,
        to,
        order,
        read: &|(key, _)| {
            let NameKey { text, user } = NameKey::parse(key)?;
            Some((UserPlace::Name(text, user), user))
        },
        belongs,
    }
}
