//! What a step changes of the event log. The log takes it over when the step is kept, so that a
//! step which fails, or for which the disk has no room, leaves nothing behind.

use crate::store::Result;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::events::counts::counters::{CountKey, CountRow, ROW_BYTES};
use crate::store::sled::events::counts::name_record::{NameKey, NameRecord};
use crate::store::sled::events::remembered::Remember;
use crate::store::sled::events::report::EncodedReport;
use crate::store::sled::events::totals::TOTALS_BYTES;

/// What the current step changes.
#[derive(Default)]
pub(crate) struct StepChanges {
    pub(crate) reports: Vec<EncodedReport>,
    /// Rows of counters whose events are removed.
    pub(crate) rows: Vec<(CountKey, CountRow)>,
    /// Bytes that blocks take more, or less.
    pub(crate) block_bytes: i64,
    /// Ids and idempotency keys that are stored, or removed.
    pub(crate) remembered: Vec<Remember>,
    pub(crate) learned: Vec<(u32, NameRecord)>,
    pub(crate) forgotten: Vec<u32>,
    pub(crate) saves_days: bool,
}

impl StepChanges {
    /// The size of what this adds to the group in the log at most, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        let changes_totals = !self.reports.is_empty() || self.block_bytes != 0;
        let totals = if changes_totals { TOTALS_BYTES } else { 0 };
        let reports = self.reports.iter().map(EncodedReport::bytes).sum::<u64>();
        let remembered = self.remembered.iter().map(Remember::log_bytes).sum::<u64>();
        totals + reports + remembered + self.rows.len() as u64 * ROW_BYTES
    }

    /// Stores a name.
    pub(crate) fn learn_name(
        &mut self,
        tx: &mut Transaction<'_>,
        id: u32,
        record: NameRecord,
    ) -> Result<()> {
        tx.put(&NameKey { id }, &record)?;
        self.learned.push((id, record));
        Ok(())
    }

    /// Removes a name.
    pub(crate) fn forget_name(&mut self, tx: &mut Transaction<'_>, id: u32) {
        tx.remove(&NameKey { id });
        self.forgotten.push(id);
    }
}
