//! What is remembered of tokens and codes that have ended: a small record under the digest of the
//! secret, and its place in the order of time, by which the oldest go.

use crate::model::{Digest, EndedSecret, Timestamp};
use crate::store::sled::engine::keys::{self, key};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::{Result, Swept};

key! {
    /// A token or a code that has ended.
    EndedKey { digest: Digest } Ended => EndedSecret
}
key! {
    /// When it ended.
    EndedAtKey { at: Timestamp, digest: Digest } EndedAt => ()
}

postcard_records!(EndedSecret);

/// The most that are remembered: about 40 MB on the disk.
const REMEMBERED: u64 = 100_000;
/// Records that one step removes: it must not delay the steps behind it.
const STEP_RECORDS: usize = 256;

/// Remembers the end of the secret with this digest.
pub(crate) fn remember(
    tx: &mut Transaction<'_>,
    digest: Digest,
    ended: &EndedSecret,
) -> Result<()> {
    let at = ended.at;
    tx.put(&EndedKey { digest }, ended)?;
    tx.put(&EndedAtKey { at, digest }, &())
}

/// What is remembered of the secret with this digest.
pub(crate) fn find(from: &impl Read, digest: Digest) -> Result<Option<EndedSecret>> {
    from.fetch_readable(&EndedKey { digest })
}

/// Forgets some of those that ended before `before` and, while there are `stored` of them and that
/// is too many, some of the oldest.
pub(crate) fn sweep(tx: &mut Transaction<'_>, before: Timestamp, stored: u64) -> Result<Swept> {
    let surplus = usize::try_from(stored.saturating_sub(REMEMBERED)).unwrap_or(usize::MAX);
    let oldest = tx.keys_under::<EndedAtKey>(&keys::first::<EndedAtKey>(), STEP_RECORDS)?;
    let mut removed = 0;
    for key in oldest {
        if key.at >= before && removed >= surplus {
            break;
        }
        // A secret that ended twice, as a code that was put twice, is remembered by its last end.
        let digest = key.digest;
        let is_last = find(tx, digest)?.is_none_or(|ended| ended.at == key.at);
        if is_last {
            tx.remove(&EndedKey { digest });
        }
        tx.remove(&key);
        removed += 1;
    }
    Ok(Swept {
        removed,
        more: removed == STEP_RECORDS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{End, EndReason, Principal, Token, TokenId, UserId};
    use crate::store::sled::engine::tree::Tree;

    #[test]
    fn the_oldest_are_forgotten_by_age_and_by_number() {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let tree = Tree::of(&db);
        let mut tx = Transaction::new(&tree);
        let moment = Timestamp::from_millis;
        for number in 0..10_u8 {
            let holder = Principal::User(UserId::from_random([1; 16]));
            let token = Token::sample(TokenId::from_random([number; 16]), holder);
            let end = End::by_server(moment(number.into()), EndReason::Expired);
            remember(&mut tx, Digest([number; 32]), &end.of_token(&token)).unwrap();
        }
        let left = |tx: &Transaction<'_>| tx.all::<EndedKey>().unwrap().len();
        assert_eq!(sweep(&mut tx, moment(3), 10).unwrap().removed, 3);
        assert_eq!((left(&tx), find(&tx, Digest([2; 32]))), (7, Ok(None)));
        assert_eq!(
            sweep(&mut tx, moment(3), REMEMBERED + 2).unwrap().removed,
            2
        );
        assert_eq!((left(&tx), find(&tx, Digest([4; 32]))), (5, Ok(None)));
        assert!(find(&tx, Digest([5; 32])).unwrap().is_some());
    }
}
