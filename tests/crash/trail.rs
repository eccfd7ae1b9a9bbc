//! The check of the audit log: a change of an account has its entry, and an entry its change.

use doorward::model::{AuditAction, AuditOutcome, AuditQuery, UserId};
use doorward::store::AuditStore;
use doorward::store::sled::SledStore;

use crate::ledger::Account;

/// Entries of one account in a run, at most.
const ENTRIES: usize = 100_000;

/// Says what is wrong with the entries of an account.
pub(crate) async fn judge(store: &SledStore, account: &Account) -> Option<String> {
    let user = UserId::parse(&account.id)?;
    let query = AuditQuery {
        user: Some(user),
        outcome: Some(AuditOutcome::Success),
        ..AuditQuery::newest(ENTRIES)
    };
    let page = store.read_audit(query).await.expect("LOST: the audit log");
    let count = |actions: &[AuditAction]| {
        let entries = page.entries.iter().map(|(_, entry)| entry.action);
        entries.filter(|action| actions.contains(action)).count()
    };
    let found = [
        count(&[AuditAction::SignUp]),
        count(&[AuditAction::ChangePassword, AuditAction::RedeemReset]),
        count(&[AuditAction::UpdateUser]),
        count(&[AuditAction::DeleteUser]),
    ];
    let expected = [
        1,
        account.passwords_set,
        account.profiles_set,
        usize::from(account.deleted),
    ];
    (found != expected).then(|| {
        format!(
            "LOST: the audit log has {found:?} entries (signups, passwords, profiles, deletions) \
             for {expected:?} changes of {account:?}"
        )
    })
}
