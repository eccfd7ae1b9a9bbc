//! Every kind of key and every slot for a single value, in one place, so that no two can collide.
//!
//! The numbers here are part of the on-disk format: never change one, and never reuse one.

/// The first byte of a key: which table of the one tree it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum KeyKind {
    /// The statistics of a merged block of events.
    Block = b'A',
    /// A part of a block of events.
    BlockPart = b'B',
    /// The counters of some names in an hour.
    Count = b'C',
    /// The name of events that a number stands for.
    EventName = b'D',
    /// The account of an e-mail address.
    Email = b'E',
    /// A token that a holder has.
    HeldToken = b'H',
    /// An invite.
    Invite = b'I',
    /// An invite that the administrator made.
    MadeInvite = b'i',
    /// The code of such an invite, by its public id.
    InviteId = b'V',
    /// The invite that was mailed to an address.
    InviteTo = b'v',
    /// The id of an event that was stored, for deduplication: read and removed, but not written.
    EventId = b'J',
    /// Ids of events that were stored.
    EventIds = b'j',
    /// A request that is stored once.
    Idempotency = b'K',
    /// A single value, by its [`MetaSlot`].
    Meta = b'M',
    /// The account of a user number.
    UserNumber = b'N',
    /// The number of an account that was deleted.
    FormerUser = b'n',
    /// A mail in the outbox.
    Mail = b'O',
    /// The mail that waits for an address.
    MailTo = b'o',
    /// An entry of the audit log.
    Audit = b'L',
    /// An entry of the audit log that concerns an account.
    AuditOf = b'l',
    /// An entry of the audit log that a request caused.
    AuditIn = b'Y',
    /// A token or a code that has ended.
    Ended = b'Q',
    /// When a token or a code ended.
    EndedAt = b'q',
    /// A word of the name of an account.
    Name = b'F',
    /// A token by its public id.
    TokenId = b'h',
    /// A machine by its name.
    Machine = b'G',
    /// The machine of a number.
    MachineNumber = b'g',
    /// The epoch of the administrator or the hub.
    Epoch = b'P',
    /// A reset code.
    Reset = b'R',
    /// The reset code of an account.
    ResetOfUser = b'r',
    /// The sketch of the users of an event name in an hour.
    Sketch = b'S',
    /// A token.
    Token = b'T',
    /// An account.
    User = b'U',
    /// How much was stored and written on a day.
    DiskDay = b'W',
    /// When a record can be removed.
    Expiry = b'X',
}

impl KeyKind {
    /// Every kind, in the order of the bytes.
    #[cfg(test)]
    pub(crate) const ALL: [KeyKind; 35] = [
        KeyKind::Block,
        KeyKind::BlockPart,
        KeyKind::Count,
        KeyKind::EventName,
        KeyKind::Email,
        KeyKind::HeldToken,
        KeyKind::Invite,
        KeyKind::EventId,
        KeyKind::Idempotency,
        KeyKind::Meta,
        KeyKind::UserNumber,
        KeyKind::Mail,
        KeyKind::Epoch,
        KeyKind::Reset,
        KeyKind::Sketch,
        KeyKind::Token,
        KeyKind::User,
        KeyKind::DiskDay,
        KeyKind::Expiry,
        KeyKind::MadeInvite,
        KeyKind::EventIds,
        KeyKind::FormerUser,
        KeyKind::MailTo,
        KeyKind::ResetOfUser,
        KeyKind::InviteTo,
        KeyKind::Audit,
        KeyKind::AuditOf,
        KeyKind::AuditIn,
        KeyKind::Ended,
        KeyKind::EndedAt,
        KeyKind::Name,
        KeyKind::TokenId,
        KeyKind::Machine,
        KeyKind::MachineNumber,
        KeyKind::InviteId,
    ];

    /// The byte on the disk.
    pub(crate) const fn byte(self) -> u8 {
        self as u8
    }
}

/// The place of a single value under [`KeyKind::Meta`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum MetaSlot {
    /// The on-disk format version.
    Format = 0,
    /// The last committed group: its sequence number, and what it left.
    Sequence = 1,
    /// The number of the next account.
    NextUserNumber = 2,
    /// How many mails wait in the outbox.
    WaitingMails = 3,
    /// How often the store was opened.
    Starts = 4,
    /// The totals of all events.
    EventTotals = 5,
    /// The id of the store.
    StoreId = 6,
    /// What was found damaged when the store was opened in spite of it.
    Damage = 7,
    /// The newest moment that has certainly passed.
    NewestMoment = 8,
    /// Every account stands under the key of its address.
    AddressesMoved = 9,
    /// The count of all entries of the audit log.
    AuditTotals = 10,
    /// The indexes of names, tokens and invites are complete. (11 said it of the first two.)
    IndexesBuilt = 12,
    /// The seed of the only key that signed access tokens: read and removed, but not written.
    SigningSeed = 16,
    /// The hash of the generated administrator password.
    AdminHash = 17,
    /// The salt of the fingerprints of configured passwords.
    FingerprintSalt = 18,
    /// The keys that sign access tokens.
    SigningKeys = 19,
}

impl MetaSlot {
    /// Every slot, in the order of the numbers.
    pub(crate) const ALL: [MetaSlot; 16] = [
        MetaSlot::Format,
        MetaSlot::Sequence,
        MetaSlot::NextUserNumber,
        MetaSlot::WaitingMails,
        MetaSlot::Starts,
        MetaSlot::EventTotals,
        MetaSlot::StoreId,
        MetaSlot::Damage,
        MetaSlot::NewestMoment,
        MetaSlot::AddressesMoved,
        MetaSlot::AuditTotals,
        MetaSlot::IndexesBuilt,
        MetaSlot::SigningSeed,
        MetaSlot::AdminHash,
        MetaSlot::FingerprintSalt,
        MetaSlot::SigningKeys,
    ];

    /// The byte on the disk.
    pub(crate) const fn byte(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_distinct(bytes: &[u8]) -> bool {
        let mut sorted = bytes.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        sorted.len() == bytes.len()
    }

    #[test]
    fn every_kind_and_every_slot_has_a_number_of_its_own_that_never_changes() {
        let kinds = KeyKind::ALL.map(KeyKind::byte);
        assert_eq!(&kinds, b"ABCDEHIJKMNOPRSTUWXijnorvLlYQqFhGgV");
        let slots = MetaSlot::ALL.map(MetaSlot::byte);
        assert_eq!(
            slots,
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 17, 18, 19]
        );
        assert!(are_distinct(&kinds) && are_distinct(&slots));
    }
}
