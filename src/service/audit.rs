//! The audit log: what clients fail in, and the log for those who read it. A change writes its
//! entry in its own step; failures are written in groups.

use super::{Administrator, Error, Permit, Services};
use crate::crypto;
use crate::model::{
    Actor, AuditAction, AuditEntry, AuditOutcome, AuditPage, AuditQuery, AuditRetention, Caller,
    Principal, Refusal, Token, Trust, UserId,
};
use crate::store::{self, AuditListener, Swept};

impl Services {
    /// Notes that somebody failed in something, for the audit log.
    pub(super) fn note_failure(
        &self,
        failed: &Error,
        action: AuditAction,
        user: Option<UserId>,
        caller: &Caller,
    ) {
        let outcome = match failed {
            Error::BadCredentials if user.is_none() => AuditOutcome::UnknownAccount,
            Error::BadCredentials => AuditOutcome::WrongPassword,
            Error::TooManyRequests { .. } => AuditOutcome::TooMany,
            Error::EmailTaken => AuditOutcome::EmailTaken,
            Error::InviteNotFound => AuditOutcome::BadInvite,
            Error::BadResetCode => AuditOutcome::BadCode,
            // The others are faults of the request or of the server: they say nothing about who may
            // do what.
            _ => return,
        };
        self.note_entry(action, outcome, user, caller);
    }

    /// Notes that a login as the administrator or at the hub failed, for the audit log.
    pub(super) fn note_failed_login(&self, failed: &Error, holder: Principal, caller: &Caller) {
        let outcome = match failed {
            Error::BadCredentials => AuditOutcome::WrongPassword,
            Error::TooManyRequests { .. } => AuditOutcome::TooMany,
            _ => return,
        };
        let by = caller.acting(Actor::Anonymous);
        let entry = by.entry(AuditAction::LogIn, outcome).on_holder(holder);
        self.failures.note(entry, self.world.clock.monotonic());
    }

    /// Notes that a machine token was not accepted, for the audit log. Of other tokens nothing.
    pub async fn note_refused_token(&self, shown: &str, refused: Refusal, caller: &Caller) {
        let Ok(found) = self.find_token(&crypto::digest(shown.as_bytes())).await else {
            return;
        };
        self.note_refusal(&found.token, refused, caller);
    }

    /// As `note_refused_token`, for a token that is found already.
    pub(super) fn note_refusal(&self, token: &Token, refused: Refusal, caller: &Caller) {
        let Some(grant) = &token.grant else { return };
        let outcome = match refused {
            Refusal::Scope(_) | Refusal::Person => AuditOutcome::OutsideScope,
            Refusal::Network(_) => AuditOutcome::OutsideNetwork,
        };
        let entry = caller
            .acting(grant.actor())
            .entry(AuditAction::UseToken, outcome);
        let target = format!("{} {}", grant.name.as_str(), token.id);
        let entry = entry.on_holder(token.holder).about(target);
        self.failures.note(entry, self.world.clock.monotonic());
    }

    /// Notes what an unknown client does, for the audit log.
    pub(super) fn note_entry(
        &self,
        action: AuditAction,
        outcome: AuditOutcome,
        user: Option<UserId>,
        caller: &Caller,
    ) {
        let mut entry = caller.acting(Actor::Anonymous).entry(action, outcome);
        entry.user = user;
        self.failures.note(entry, self.world.clock.monotonic());
    }

    /// Writes failures to the audit log, in an endless loop.
    pub async fn keep_writing_failures(&self) {
        loop {
            match self.failures.next_due() {
                None => self.failures.noted.notified().await,
                Some(due_at) => {
                    let wait = due_at.saturating_sub(self.world.clock.monotonic());
                    tokio::time::sleep(wait).await;
                    let due = self.failures.take_due(self.world.clock.monotonic());
                    self.append_audit(due).await;
                }
            }
        }
    }

    /// Writes all failures that wait to the audit log: before the server stops, and before somebody
    /// reads it.
    pub async fn write_failures(&self) {
        self.append_audit(self.failures.take_all()).await;
    }

    async fn append_audit(&self, entries: Vec<AuditEntry>) {
        if entries.is_empty() {
            return;
        }
        if let Err(error) = self.store.append_audit(entries).await {
            log::warn!("failures could not be written to the audit log: {error}");
        }
    }

    /// A page of the audit log.
    pub async fn read_audit(&self, query: AuditQuery) -> store::Result<AuditPage> {
        self.store.read_audit(query).await
    }

    /// Starts to listen to the audit log, for as long as the permit is held. Error: `Busy` if there
    /// is no permit.
    pub async fn listen_to_audit(
        &self,
        query: AuditQuery,
        administrator: &Administrator,
    ) -> Result<(Box<dyn AuditListener>, Permit), Error> {
        let now = self.world.clock.monotonic();
        let permit = self.listeners.take(administrator.counted_as(), now)?;
        Ok((self.store.listen_to_audit(query).await?, permit))
    }

    /// Removes some of the entries that need not be kept.
    pub(super) async fn sweep_audit(&self) -> store::Result<Swept> {
        let config = self.config();
        let keep = AuditRetention {
            age: config.audit.retention,
            max_bytes: config.audit.max_bytes,
        };
        let clock = self.clock.read();
        let now = (clock.trust == Trust::Trusted).then_some(clock.moment);
        self.store.sweep_audit(now, keep).await
    }
}
