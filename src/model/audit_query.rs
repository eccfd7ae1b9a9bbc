//! Questions to the audit log, and how much of it to keep.

use std::net::IpAddr;
use std::time::Duration;

use super::{Actor, AuditAction, AuditEntry, AuditOutcome, Order, Timestamp, UserId, network};

/// Failures that are counted as one: of the same kind, from the same network, on the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FailureKey {
    action: AuditAction,
    outcome: AuditOutcome,
    network: Option<IpAddr>,
    user: Option<UserId>,
    target: Option<String>,
}

impl FailureKey {
    /// The key of an entry.
    pub fn of(entry: &AuditEntry) -> FailureKey {
        FailureKey {
            action: entry.action,
            outcome: entry.outcome,
            network: entry.client.as_ref().map(|client| network(client.address)),
            user: entry.user,
            target: entry.target.clone(),
        }
    }
}

/// The place of an entry in the audit log. Later entries have later places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditPlace {
    /// The moment of the entry.
    pub at: Timestamp,
    /// Its number, in the order of writing.
    pub number: u64,
}

/// Which entries of the audit log to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// Entries on this account, or of it.
    pub user: Option<UserId>,
    /// Entries of this actor.
    pub actor: Option<Actor>,
    /// Entries of this action.
    pub action: Option<AuditAction>,
    /// Entries with this outcome.
    pub outcome: Option<AuditOutcome>,
    /// Entries of this request.
    pub request: Option<String>,
    /// Entries from this moment on.
    pub from: Option<Timestamp>,
    /// Entries before this moment.
    pub to: Option<Timestamp>,
    /// The order.
    pub order: Order,
    /// Entries behind this place, in the order.
    pub after: Option<AuditPlace>,
    /// The most entries of a page.
    pub limit: usize,
}

impl AuditQuery {
    /// The newest entries, without a filter.
    pub fn newest(limit: usize) -> AuditQuery {
        AuditQuery {
            user: None,
            actor: None,
            action: None,
            outcome: None,
            request: None,
            from: None,
            to: None,
            order: Order::Descending,
            after: None,
            limit,
        }
    }

    /// Whether it asks for this entry.
    pub fn matches(&self, entry: &AuditEntry) -> bool {
        fn fits<T: PartialEq>(asked: Option<&T>, is: Option<&T>) -> bool {
            asked.is_none() || asked == is
        }
        self.user
            .is_none_or(|user| entry.users().any(|it| it == user))
            && fits(self.actor.as_ref(), Some(&entry.actor))
            && fits(self.action.as_ref(), Some(&entry.action))
            && fits(self.outcome.as_ref(), Some(&entry.outcome))
            && fits(self.request.as_ref(), entry.request.as_ref())
            && self.from.is_none_or(|from| entry.at >= from)
            && self.to.is_none_or(|to| entry.at < to)
    }
}

/// A page of the audit log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// The entries, in the order of the query.
    pub entries: Vec<(AuditPlace, AuditEntry)>,
    /// Where to go on, if there may be more. A page may hold fewer entries than asked for, or none,
    /// and still have a next one: a filter reads a bounded number of entries for each page.
    pub next: Option<AuditPlace>,
}

/// How much of the audit log to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditRetention {
    /// For how long.
    pub age: Duration,
    /// How many bytes.
    pub max_bytes: u64,
}
