//! The keys of the one tree: a byte for the kind, then fields of fixed width, integers big-endian, so that the order of the
//! bytes is the order of the meaning. The only field without a fixed width, an address, stands last.

use uuid::Uuid;

use crate::model::{
    Digest, DiskDay, DueMail, EventId, Invite, MailId, Order, Position, Principal, ResetCode,
    Sketch, Timestamp, Token, TokenId, User, UserId, UserNumber,
};
use crate::store::sled::accounts::tokens::Epoch;
use crate::store::sled::engine::record::{Record, postcard_records};
use crate::store::sled::events::append::IdempotencyRecord;
use crate::store::sled::events::counts::counters::CountRow;
use crate::store::sled::events::format::block::Part;
use crate::store::sled::events::format::block_stats::BlockStats;

/// A typed key and the type of the value under it.
pub(crate) trait Key: Sized {
    /// What lies under it.
    type Value: Record;
    /// The first byte.
    const KIND: u8;
    /// Appends everything behind the kind.
    fn write(&self, to: &mut Vec<u8>);
    /// Reads what `write` wrote.
    fn read(from: &mut Fields<'_>) -> Option<Self>;

    /// The whole key.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![Self::KIND];
        self.write(&mut bytes);
        bytes
    }

    /// The key these bytes are.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes.strip_prefix(&[Self::KIND])?);
        let key = Self::read(&mut fields)?;
        fields.0.is_empty().then_some(key)
    }
}

/// The rest of a key that is being read.
pub(crate) struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0).to_vec()
    }
}

/// A field of a key.
pub(crate) trait Field: Sized {
    /// Appends it.
    fn write(&self, to: &mut Vec<u8>);
    /// Reads what `write` wrote.
    fn read(from: &mut Fields<'_>) -> Option<Self>;
}

/// Fields that are one array of bytes.
macro_rules! array_fields {
    ($($type:ty: $to:expr, $from:expr;)*) => {$(
        impl Field for $type {
            fn write(&self, to: &mut Vec<u8>) {
                let array = $to;
                to.extend_from_slice(&array(self));
            }
            fn read(from: &mut Fields<'_>) -> Option<Self> {
                from.array().map($from)
            }
        }
    )*};
}

array_fields! {
    u8: |it: &u8| [*it], |[it]| it;
    u16: |it: &u16| it.to_be_bytes(), u16::from_be_bytes;
    u32: |it: &u32| it.to_be_bytes(), u32::from_be_bytes;
    u64: |it: &u64| it.to_be_bytes(), u64::from_be_bytes;
    UserId: |it: &UserId| it.0.into_bytes(), |bytes| UserId(Uuid::from_bytes(bytes));
    TokenId: |it: &TokenId| it.0.into_bytes(), |bytes| TokenId(Uuid::from_bytes(bytes));
    MailId: |it: &MailId| it.0.into_bytes(), |bytes| MailId(Uuid::from_bytes(bytes));
    UserNumber: |it: &UserNumber| it.0.to_be_bytes(), |bytes| UserNumber(u32::from_be_bytes(bytes));
    EventId: |it: &EventId| it.0.into_bytes(), |bytes| EventId(Uuid::from_bytes(bytes));
    Digest: |it: &Digest| it.0, Digest;
    // The sign bit is flipped, so that moments before 1970 sort before those after.
    Timestamp: |it: &Timestamp| (it.millis().cast_unsigned() ^ (1 << 63)).to_be_bytes(),
        |bytes| Timestamp::from_millis((u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed());
}

impl Field for Principal {
    fn write(&self, to: &mut Vec<u8>) {
        let (tag, id) = match self {
            Principal::Admin => (0, Uuid::nil()),
            Principal::Hub => (1, Uuid::nil()),
            Principal::User(id) => (2, id.0),
        };
        to.push(tag);
        to.extend_from_slice(id.as_bytes());
    }

    fn read(from: &mut Fields<'_>) -> Option<Principal> {
        let (tag, id) = (u8::read(from)?, UserId::read(from)?);
        [Principal::Admin, Principal::Hub, Principal::User(id)]
            .get(usize::from(tag))
            .copied()
    }
}

impl Field for Vec<u8> {
    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self);
    }
    fn read(from: &mut Fields<'_>) -> Option<Vec<u8>> {
        Some(from.rest())
    }
}

impl Field for String {
    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.as_bytes());
    }
    fn read(from: &mut Fields<'_>) -> Option<String> {
        String::from_utf8(from.rest()).ok()
    }
}

/// A single value: the format, the sequence number, the facts of the service.
pub(crate) struct MetaKey<V>(pub(crate) u8, pub(crate) std::marker::PhantomData<V>);

impl<V: Record> Key for MetaKey<V> {
    type Value = V;
    const KIND: u8 = b'M';
    fn write(&self, to: &mut Vec<u8>) {
        self.0.write(to);
    }
    fn read(from: &mut Fields<'_>) -> Option<Self> {
        u8::read(from).map(meta)
    }
}

/// A [`MetaKey`] by its number.
pub(crate) const fn meta<V>(name: u8) -> MetaKey<V> {
    MetaKey(name, std::marker::PhantomData)
}

/// Declares keys: their fields in order, their kind, and what lies under them.
macro_rules! keys {
    ($($(#[$about:meta])* $name:ident { $($field:ident: $type:ty),* } $kind:literal => $value:ty;)*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct $name { $(pub(crate) $field: $type,)* }

        impl Key for $name {
            type Value = $value;
            const KIND: u8 = $kind;
            fn write(&self, to: &mut Vec<u8>) {
                $(self.$field.write(to);)*
            }
            fn read(from: &mut Fields<'_>) -> Option<Self> {
                Some($name { $($field: <$type>::read(from)?,)* })
            }
        }
    )*};
}

keys! {
    /// An account.
    UserKey { id: UserId } b'U' => User;
    /// The account of an address.
    EmailKey { key: String } b'E' => UserId;
    /// The account of a number.
    NumberKey { number: UserNumber } b'N' => UserId;
    /// The number of an account that is gone: its events may still be here.
    FormerKey { id: UserId } b'n' => UserNumber;
    /// A token.
    TokenKey { digest: Digest } b'T' => Token;
    /// The unretired tokens of a holder, family by family.
    HeldKey { holder: Principal, family: TokenId, id: TokenId } b'H' => Digest;
    /// The epoch of a holder that is no account.
    EpochKey { holder: Principal } b'P' => Epoch;
    /// A reset code.
    ResetKey { digest: Digest } b'R' => ResetCode;
    /// The one reset code of an account.
    ResetOfKey { user: UserId } b'r' => Digest;
    /// An invite.
    InviteKey { digest: Digest } b'I' => Invite;
    /// A mail in the outbox, in the order in which they are due.
    MailKey { due_at: Timestamp, id: MailId } b'O' => DueMail;
    /// When the mail that waits for an address is due, and its name.
    MailToKey { key: String } b'o' => (Timestamp, MailId);
    /// A request that is to be stored once.
    IdempotencyKey { holder: Principal, key: Digest } b'K' => IdempotencyRecord;
    /// Something that can be forgotten from then on: the key of what it is.
    ExpiryKey { at: Timestamp, target: Vec<u8> } b'X' => ();
    /// An event name.
    NameKey { id: u32 } b'D' => String;
    /// The counters of 64 names in an hour.
    CountKey { hour: u32, row: u32 } b'C' => CountRow;
    /// The users of a name in an hour, as far as merged blocks know them: name by name, so that many hours of one lie side by side.
    SketchKey { name: u32, hour: u32 } b'S' => Sketch;
    /// An event that was stored: its day, its reporter, and the id that the reporter gave it.
    EventIdKey { day: u32, kind: u8, number: u32, id: EventId } b'J' => ();
    /// What was stored and written on a day.
    WrittenKey { day: u32 } b'W' => DiskDay;
    /// A part of a block of events: in the order of time, then of arrival.
    BlockPartKey { at: Timestamp, sequence: u64, index: u32, part: u16 } b'B' => Part;
    /// What a merged block holds.
    BlockKey { at: Timestamp, sequence: u64, index: u32 } b'A' => BlockStats;
}

postcard_records! {
    (), u32, u64, String, Vec<u8>, User, UserId, UserNumber, Token, Digest, ResetCode, Invite, DueMail, (Timestamp, MailId),
}

/// The keys of kind `K` whose first field is written like this.
pub(crate) fn prefix<K: Key>(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = vec![K::KIND];
    write(&mut bytes);
    bytes
}

/// The keys of everything a holder has.
pub(crate) fn held_by(holder: Principal) -> Vec<u8> {
    prefix::<HeldKey>(|to| holder.write(to))
}

/// The keys of a family of a holder's tokens.
pub(crate) fn family_of(token: &Token) -> Vec<u8> {
    prefix::<HeldKey>(|to| {
        token.holder.write(to);
        token.family.write(to);
    })
}

/// The first key of kind `K` at or after a moment.
pub(crate) fn from_moment<K: Key>(at: Timestamp) -> Vec<u8> {
    prefix::<K>(|to| at.write(to))
}

/// The first key behind `key`.
pub(crate) fn after(key: &[u8]) -> Vec<u8> {
    let mut next = key.to_vec();
    next.push(0);
    next
}

impl BlockPartKey {
    /// The block, whichever its part.
    pub(crate) fn block(&self) -> BlockKey {
        BlockKey {
            at: self.at,
            sequence: self.sequence,
            index: self.index,
        }
    }

    /// Where the first event of the block stood when it was stored.
    pub(crate) fn position(&self) -> Position {
        self.block().position()
    }
}

impl std::fmt::Display for BlockKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}/{}/{}",
            self.at.rfc3339_millis(),
            self.sequence,
            self.index
        )
    }
}

impl BlockKey {
    /// Where the first event of the block stood when it was stored.
    pub(crate) fn position(&self) -> Position {
        Position {
            at: self.at,
            sequence: self.sequence,
            index: self.index,
            place: 0,
        }
    }

    /// The key of a part.
    pub(crate) fn part(&self, part: u16) -> BlockPartKey {
        BlockPartKey {
            at: self.at,
            sequence: self.sequence,
            index: self.index,
            part,
        }
    }

    /// The block of a position, as it was when the position was given.
    pub(crate) fn of(position: Position) -> BlockKey {
        BlockKey {
            at: position.at,
            sequence: position.sequence,
            index: position.index,
        }
    }

    /// Where reading goes on that has passed this block over.
    pub(crate) fn edge(&self, order: Order) -> Position {
        let place = match order {
            Order::Ascending => u32::MAX,
            Order::Descending => 0,
        };
        Position {
            place,
            ..self.position()
        }
    }

    /// The first key behind all parts of the block.
    pub(crate) fn behind(&self) -> Vec<u8> {
        after(&self.part(u16::MAX).bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_as_they_were_written() {
        let digest = Digest([9; 32]);
        let user = UserId::from_random([3; 16]);
        let held = HeldKey {
            holder: Principal::User(user),
            family: TokenId(Uuid::max()),
            id: TokenId(Uuid::nil()),
        };
        assert_eq!(HeldKey::parse(&held.bytes()), Some(held));
        let expiry = ExpiryKey {
            at: Timestamp::from_millis(-7),
            target: TokenKey { digest }.bytes(),
        };
        assert_eq!(ExpiryKey::parse(&expiry.bytes()), Some(expiry));
        let email = EmailKey {
            key: "ana@example.org".into(),
        };
        assert_eq!(EmailKey::parse(&email.bytes()), Some(email));
        assert_eq!(TokenKey::parse(&UserKey { id: user }.bytes()), None);
        assert_eq!(TokenKey::parse(&[b'T'; 34]), None);
    }

    #[test]
    fn the_order_of_the_bytes_is_the_order_of_time() {
        let key = |millis| {
            BlockPartKey {
                at: Timestamp::from_millis(millis),
                sequence: 1,
                index: 0,
                part: 0,
            }
            .bytes()
        };
        let mut keys = [key(5), key(-5), key(i64::MAX), key(i64::MIN), key(0)];
        keys.sort();
        assert_eq!(
            keys,
            [key(i64::MIN), key(-5), key(0), key(5), key(i64::MAX)]
        );
    }
}
