//! Lists of accounts: in the order of signups, or of those whose address or name begins with a
//! text.

use crate::model::{Order, User, UserId, UserPage, UserPlace, UserQuery};
use crate::store::Result;
use crate::store::sled::accounts::names::{self, NameKey};
use crate::store::sled::accounts::users::{EmailKey, NumberKey, UserKey};
use crate::store::sled::engine::keys::{self, Field, Key};
use crate::store::sled::engine::read::{RawEntry, Read, raw_range_back};
use crate::store::sled::engine::record;
use crate::store::sled::engine::tree::Tree;

/// Records that are read at once.
const READ_AT_ONCE: usize = 200;
/// How often one page reads so many.
const READS: usize = 20;

/// A part of a list: the keys that it reads, and what they say.
struct Part<'a> {
    from: Vec<u8>,
    to: Vec<u8>,
    order: Order,
    /// The place and the account of a key with its value; none for a damaged one.
    read: &'a dyn Fn(&RawEntry) -> Option<(UserPlace, UserId)>,
    /// Whether an account belongs to this part.
    belongs: &'a dyn Fn(&User) -> bool,
}

/// A page that is being filled.
struct Filling<'a> {
    tree: &'a Tree,
    query: &'a UserQuery,
    page: UserPage,
    reads: usize,
}

impl Filling<'_> {
    /// Reads a part. False: the page ends here.
    fn read(&mut self, mut part: Part<'_>) -> Result<bool> {
        while part.from < part.to {
            if self.reads == READS {
                return Ok(false);
            }
            self.reads += 1;
            let entries = match part.order {
                Order::Ascending => self.tree.raw_range(&part.from, &part.to, READ_AT_ONCE)?,
                Order::Descending => raw_range_back(self.tree, &part.from, &part.to, READ_AT_ONCE)?,
            };
            for entry in &entries {
                if self.page.users.len() == self.query.limit {
                    return Ok(false);
                }
                if let Some((place, id)) = (part.read)(entry) {
                    self.page.next = Some(place);
                    self.take(id, part.belongs)?;
                }
            }
            match (part.order, entries.last()) {
                _ if entries.len() < READ_AT_ONCE => return Ok(true),
                (Order::Ascending, Some((last, _))) => part.from = keys::after(last),
                (Order::Descending, Some((last, _))) => part.to.clone_from(last),
                (_, None) => return Ok(true),
            }
        }
        Ok(true)
    }

    /// Adds an account, if it exists and is asked for.
    fn take(&mut self, id: UserId, belongs: &dyn Fn(&User) -> bool) -> Result<()> {
        let user = self.tree.fetch_readable(&UserKey { id })?;
        let is_asked_for = |it: &User| {
            self.query
                .disabled
                .is_none_or(|disabled| it.disabled == disabled)
                && belongs(it)
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
        reads: 0,
    };
    let is_whole = match &query.prefix {
        None => filling.read(by_number(query))?,
        Some(prefix) => {
            let prefix = names::folded(prefix);
            let has_address = |user: &User| {
                let mut keys = user.email.keys().into_iter();
                keys.any(|key| key.starts_with(&prefix))
            };
            let of_address = |_: &User| true;
            let of_name = |user: &User| !has_address(user);
            let is_in_names = matches!(query.after, Some(UserPlace::Name(..)));
            (is_in_names || filling.read(by_address(query, &prefix, &of_address))?)
                && filling.read(by_name(query, &prefix, &of_name))?
        }
    };
    if is_whole {
        filling.page.next = None;
    }
    Ok(filling.page)
}

fn by_number(query: &UserQuery) -> Part<'static> {
    let (mut from, mut to) = (keys::first::<NumberKey>(), keys::end::<NumberKey>());
    if let Some(UserPlace::Number(number)) = query.after {
        let key = NumberKey { number }.bytes();
        match query.order {
            Order::Ascending => from = keys::after(&key),
            Order::Descending => to = key,
        }
    }
    Part {
        from,
        to,
        order: query.order,
        read: &|(key, stored)| {
            let number = NumberKey::parse(key)?.number;
            let id = record::open::<UserId>(key, stored).ok()?;
            Some((UserPlace::Number(number), id))
        },
        belongs: &|_| true,
    }
}

fn by_address<'a>(query: &UserQuery, prefix: &str, belongs: &'a dyn Fn(&User) -> bool) -> Part<'a> {
    let all = keys::prefix::<EmailKey>(|to| prefix.to_owned().write(to));
    let after = match &query.after {
        Some(UserPlace::Email(key)) => keys::after(&EmailKey { key: key.clone() }.bytes()),
        _ => Vec::new(),
    };
    Part {
        to: keys::after_prefix(&all),
        from: all.max(after),
        order: Order::Ascending,
        read: &|(key, stored)| {
            let address = EmailKey::parse(key)?.key;
            let id = record::open::<UserId>(key, stored).ok()?;
            Some((UserPlace::Email(address), id))
        },
        belongs,
    }
}

fn by_name<'a>(query: &UserQuery, prefix: &str, belongs: &'a dyn Fn(&User) -> bool) -> Part<'a> {
    let all = keys::prefix::<NameKey>(|to| prefix.to_owned().write(to));
    let after = match &query.after {
        Some(UserPlace::Name(text, user)) => {
            let (text, user) = (text.clone(), *user);
            keys::after(&NameKey { text, user }.bytes())
        }
        _ => Vec::new(),
    };
    Part {
        to: keys::after_prefix(&all),
        from: all.max(after),
        order: Order::Ascending,
        read: &|(key, _)| {
            let NameKey { text, user } = NameKey::parse(key)?;
            Some((UserPlace::Name(text, user), user))
        },
        belongs,
    }
}
