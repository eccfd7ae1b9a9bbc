//! The common layout of all keys of the only tree: a byte for the kind, then fields of fixed width,
//! integers big-endian, so that keys sort by the values of their fields. A field without a fixed
//! width (an address, another key) comes last.
//!
//! Each key type is declared beside the record that it finds; the kinds are listed in
//! [`registry`](super::registry).

use std::marker::PhantomData;

use uuid::Uuid;

use crate::model::{
    Digest, EventId, InviteId, MachineName, MachineNumber, MailId, Principal, Timestamp, TokenId,
    UserId, UserNumber,
};
use crate::store::sled::engine::record::Record;
use crate::store::sled::engine::registry::{KeyKind, MetaSlot};

/// A typed key and the type of the record under it.
pub(crate) trait Key: Sized {
    /// The record.
    type Value: Record;
    /// The first byte.
    const KIND: KeyKind;
    /// Appends everything after the kind.
    fn write(&self, to: &mut Vec<u8>);
    /// Reads what `write` wrote.
    fn read(from: &mut Fields<'_>) -> Option<Self>;

    /// The whole key.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = first::<Self>();
        self.write(&mut bytes);
        bytes
    }

    /// Reads a key from its bytes; none if they are malformed or of another kind.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes.strip_prefix(&[Self::KIND.byte()])?);
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
    /// Appends the field.
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
    InviteId: |it: &InviteId| it.0.into_bytes(), |bytes| InviteId(Uuid::from_bytes(bytes));
    MailId: |it: &MailId| it.0.into_bytes(), |bytes| MailId(Uuid::from_bytes(bytes));
    EventId: |it: &EventId| it.0.into_bytes(), |bytes| EventId(Uuid::from_bytes(bytes));
    UserNumber: |it: &UserNumber| it.0.to_be_bytes(), |bytes| UserNumber(u32::from_be_bytes(bytes));
    Digest: |it: &Digest| it.0, Digest;
    MachineName: |it: &MachineName| it.0, MachineName;
    MachineNumber: |it: &MachineNumber| it.0.to_be_bytes(),
        |bytes| MachineNumber(u32::from_be_bytes(bytes));
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
            // The tag says that a longer field follows.
            Principal::Machine(name) => {
                to.push(3);
                return name.write(to);
            }
        };
        to.push(tag);
        to.extend_from_slice(id.as_bytes());
    }

    fn read(from: &mut Fields<'_>) -> Option<Principal> {
        let tag = u8::read(from)?;
        if tag == 3 {
            return MachineName::read(from).map(Principal::Machine);
        }
        let id = UserId::read(from)?;
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

/// Declares a key: its fields in order, its kind, and the record under it.
macro_rules! key {
    ($(#[$about:meta])* $name:ident { $($field:ident: $type:ty),* } $kind:ident => $value:ty) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct $name { $(pub(crate) $field: $type,)* }

        impl $crate::store::sled::engine::keys::Key for $name {
            type Value = $value;
            const KIND: $crate::store::sled::engine::registry::KeyKind =
                $crate::store::sled::engine::registry::KeyKind::$kind;
            fn write(&self, to: &mut Vec<u8>) {
                $($crate::store::sled::engine::keys::Field::write(&self.$field, to);)*
            }
            fn read(
                from: &mut $crate::store::sled::engine::keys::Fields<'_>,
            ) -> Option<Self> {
                Some($name {
                    $($field: <$type as $crate::store::sled::engine::keys::Field>::read(from)?,)*
                })
            }
        }
    };
}
pub(crate) use key;

/// The key of a single value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MetaKey<V> {
    slot: MetaSlot,
    value: PhantomData<V>,
}

/// The key of the value in a slot.
pub(crate) const fn meta<V>(slot: MetaSlot) -> MetaKey<V> {
    MetaKey {
        slot,
        value: PhantomData,
    }
}

impl<V: Record> Key for MetaKey<V> {
    type Value = V;
    const KIND: KeyKind = KeyKind::Meta;
    fn write(&self, to: &mut Vec<u8>) {
        self.slot.byte().write(to);
    }
    fn read(from: &mut Fields<'_>) -> Option<Self> {
        let byte = u8::read(from)?;
        let slot = MetaSlot::ALL.into_iter().find(|slot| slot.byte() == byte)?;
        Some(meta(slot))
    }
}

/// Is behind every key: kinds are letters.
pub(crate) const AFTER_ALL_KEYS: [u8; 1] = [u8::MAX];

/// The prefix that all keys of kind `K` have.
pub(crate) fn first<K: Key>() -> Vec<u8> {
    vec![K::KIND.byte()]
}

/// The first key after all keys of kind `K`.
pub(crate) fn end<K: Key>() -> Vec<u8> {
    after_prefix(&first::<K>())
}

/// The prefix of the keys of kind `K` whose first fields `write` appends.
pub(crate) fn prefix<K: Key>(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = first::<K>();
    write(&mut bytes);
    bytes
}

/// The first key of kind `K` at or after a moment.
pub(crate) fn from_moment<K: Key>(at: Timestamp) -> Vec<u8> {
    prefix::<K>(|to| at.write(to))
}

/// The first key after `key`.
pub(crate) fn after(key: &[u8]) -> Vec<u8> {
    let mut next = key.to_vec();
    next.push(0);
    next
}

/// The first key after all those that begin with `prefix`. No prefix here consists of 0xFF only:
/// kinds are letters.
pub(crate) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    key! {
        /// A key of every width, for the tests.
        WideKey { holder: Principal, at: Timestamp, id: TokenId, name: String } Token => ()
    }

    #[test]
    fn keys_read_back_as_they_were_written() {
        let key = WideKey {
            holder: Principal::User(UserId::from_random([3; 16])),
            at: Timestamp::from_millis(-7),
            id: TokenId(Uuid::max()),
            name: "ana@example.org".into(),
        };
        assert_eq!(WideKey::parse(&key.bytes()), Some(key.clone()));
        let another_kind = [b"U", &key.bytes()[1..]].concat();
        assert_eq!(WideKey::parse(&another_kind), None);
        assert_eq!(WideKey::parse(b"Tshort"), None);
        let slot = meta::<u64>(MetaSlot::SigningSeed).bytes();
        let parsed = MetaKey::<u64>::parse(&slot).map(|key| key.slot);
        assert_eq!(
            (slot, parsed),
            (vec![b'M', 16], Some(MetaSlot::SigningSeed))
        );
        assert!(MetaKey::<u64>::parse(b"M\x63").is_none());
    }

    #[test]
    fn the_order_of_the_bytes_is_the_order_of_time() {
        let key = |millis| from_moment::<WideKey>(Timestamp::from_millis(millis));
        let mut keys = [key(5), key(-5), key(i64::MAX), key(i64::MIN), key(0)];
        keys.sort();
        assert_eq!(
            keys,
            [key(i64::MIN), key(-5), key(0), key(5), key(i64::MAX)]
        );
    }

    #[test]
    fn the_end_of_a_prefix_is_behind_all_its_keys() {
        assert_eq!(after_prefix(b"T"), b"U");
        assert_eq!(after_prefix(&[b'T', 0xFF, 0xFF]), b"U");
        assert_eq!(after_prefix(&[b'T', 0, 0xFF]), [b'T', 1]);
    }
}
