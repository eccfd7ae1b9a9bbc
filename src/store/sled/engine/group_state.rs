//! How the writer's state takes part in the groups that the writer commits.

use crate::store::Result;
use crate::store::sled::engine::read::RawEntry;
use crate::store::sled::engine::transaction::GroupEntries;

/// State that the writer keeps from group to group, and that adds its own entries to a commit.
/// Steps change it beside the transaction; each step is kept or rolled back in both.
pub(crate) trait GroupState: Send + 'static {
    /// The size that the changes of the current step will have in the log at most, in bytes.
    fn step_bytes(&self) -> u64;
    /// Ends the current step: its changes stay in the group.
    fn keep(&mut self);
    /// Discards the changes of the current step.
    fn roll_back(&mut self);
    /// Whether it has nothing to add to this group.
    fn is_idle(&self) -> bool;
    /// The entries that it adds to the group with this sequence number. An error stops the writer.
    fn entries(&mut self, sequence: u64) -> Result<GroupEntries>;
    /// A small entry that joins a group which is written anyway. Like the group's number, it is
    /// charged to no step.
    fn bookkeeping(&mut self) -> Result<Option<RawEntry>> {
        Ok(None)
    }
    /// Called when the group is on the disk.
    fn committed(&mut self);
}
