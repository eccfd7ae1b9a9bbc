//! Users and machines as events name them: by number. The store implements this trait with the
//! accounts, so that neither `accounts` nor `events` imports the other.

use crate::model::{MachineName, MachineNumber, UserId, UserNumber};
use crate::store::Result;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::engine::tree::Tree;

/// Which user has which number.
pub(crate) trait UserDirectory: Send + Sync {
    /// The number of a user, also of one whose account was deleted.
    fn number_of(&self, tree: &Tree, id: UserId) -> Result<Option<UserNumber>>;
    /// The user of a number, also one whose account was deleted.
    fn id_of(&self, tree: &Tree, number: UserNumber) -> Result<Option<UserId>>;
    /// The number of a machine; none if no machine ever had the name.
    fn number_of_machine(&self, tree: &Tree, name: MachineName) -> Result<Option<MachineNumber>>;
    /// The machine of a number.
    fn machine_of(&self, tree: &Tree, number: MachineNumber) -> Result<Option<MachineName>>;
    /// Forgets the number of a deleted account that has no events any more.
    fn forget_former(&self, tx: &mut Transaction<'_>, id: UserId) -> Result<()>;
}
