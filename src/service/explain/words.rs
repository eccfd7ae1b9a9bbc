//! The sentences of explanations.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::{
    Actor, AuditEntry, AuditOutcome, AuditPlace, EndReason, EndedSecret, Principal, SecretKind,
    Timestamp, Token, TokenKind, User, network,
};
use crate::service::LoginWait;

/// The end of a token or a code.
pub(super) fn ended(ended: &EndedSecret, user: Option<&User>, now: Timestamp) -> String {
    let kind = match ended.kind {
        SecretKind::Token(kind) => token_kind(kind),
        SecretKind::ResetCode => "a reset code",
        SecretKind::Invite => "an invite",
    };
    let (of, when) = (whose(ended.holder, user), ago(ended.at, now));
    let by = actor(&ended.by);
    match ended.reason {
        EndReason::Expired => format!("{kind} of {of}, expired {when} ago"),
        EndReason::LoggedOut => format!("{kind} of {of}, logged out {when} ago"),
        EndReason::Ended => format!("{kind} of {of}, ended {when} ago by {by}"),
        EndReason::MadeRoom => format!(
            "{kind} of {of}, ended {when} ago: it was the least recently used of as many as \
             one holder may have"
        ),
        EndReason::Exchanged => format!("{kind} of {of}, exchanged {when} ago for another"),
        EndReason::Reused => format!(
            "{kind} of {of}: an exchanged token of its login was used again {when} ago, which \
             ended the login"
        ),
        EndReason::Revoked => {
            format!("{kind} of {of}, ended with all others by a new password")
        }
        EndReason::AccountDeleted => {
            format!("{kind} of an account that was deleted {when} ago")
        }
        EndReason::Replaced => format!(
            "{kind} of {of}, replaced by a later one {when} ago, at {}",
            ended.at.rfc3339()
        ),
        EndReason::Used => format!("{kind} of {of}, used {when} ago"),
        EndReason::Withdrawn => {
            format!("{kind} of {of}, withdrawn {when} ago by a change of the account")
        }
    }
}

/// The wrong passwords of an account in the last day.
pub(super) struct WrongPasswords {
    count: u32,
    networks: usize,
}

impl WrongPasswords {
    pub(super) fn of(entries: &[(AuditPlace, AuditEntry)]) -> WrongPasswords {
        let wrong = || {
            let entries = entries.iter().map(|(_, it)| it);
            entries.filter(|it| it.outcome == AuditOutcome::WrongPassword)
        };
        let clients = wrong().filter_map(|it| it.client.as_ref());
        let mut networks: Vec<IpAddr> = clients.map(|it| network(it.address)).collect();
        networks.sort_unstable();
        networks.dedup();
        WrongPasswords {
            count: wrong().map(|it| it.count).sum(),
            networks: networks.len(),
        }
    }

    /// How many there are, and who has to wait.
    pub(super) fn sentence(&self, waits: &[LoginWait]) -> String {
        let counted = match (self.count, self.networks) {
            (0, _) => "no wrong password in the last day".to_owned(),
            (count, networks) => format!(
                "{count} wrong {} from {networks} {} in the last day",
                plural(count as usize, "password", "passwords"),
                plural(networks, "network", "networks")
            ),
        };
        let standing = |it: &LoginWait| {
            let who = match it.network {
                None => "strangers".to_owned(),
                Some(network) => network.to_string(),
            };
            if it.wait.is_zero() {
                format!("{who}: no wait")
            } else {
                format!("{who}: wait {}", spoken(it.wait))
            }
        };
        let waits: Vec<String> = waits.iter().map(standing).collect();
        format!("{counted}; {}", waits.join(", "))
    }
}

pub(super) fn plural<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

pub(super) fn token_kind(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Admin => "a token",
        TokenKind::Hub => "a hub token",
        TokenKind::Angen => "an Angen token",
        TokenKind::Session => "a session",
        TokenKind::Access => "an access token",
        TokenKind::Machine => "a machine token",
    }
}

pub(super) fn whose(holder: Principal, user: Option<&User>) -> String {
    match holder {
        Principal::Admin => "the administrator".to_owned(),
        Principal::Hub => "the hub".to_owned(),
        Principal::User(_) => named(user),
        Principal::Machine(name) => format!("the machine {}", name.as_str()),
    }
}

pub(super) fn named(user: Option<&User>) -> String {
    user.map_or_else(
        || "a deleted account".to_owned(),
        |user| user.email.shown().to_owned(),
    )
}

pub(super) fn actor(actor: &Actor) -> String {
    match actor {
        Actor::Holder(Principal::User(_)) => "its holder".to_owned(),
        Actor::Holder(Principal::Admin) => "the administrator".to_owned(),
        other => other.to_string(),
    }
}

/// What a machine token may do and from where; nothing of other tokens.
pub(super) fn granted(token: &Token) -> String {
    let Some(grant) = &token.grant else {
        return String::new();
    };
    let from = if grant.networks.is_empty() {
        "everywhere".to_owned()
    } else {
        format!("{} only", grant.network_texts().join(", "))
    };
    format!(" from {from} with {}", grant.scope_text())
}

/// When and from where a token was used last.
pub(super) fn last_use(token: &Token, now: Timestamp) -> String {
    let used = format!("last used {} ago", ago(token.last_used_at, now));
    match token.grant.as_ref().map(|grant| grant.last_address) {
        None => used,
        Some(None) => "never used".to_owned(),
        Some(Some(address)) => format!("{used} from {address}"),
    }
}

/// How long a token is good, if that ends.
pub(super) fn good_for(token: &Token, now: Timestamp) -> String {
    match token.end() {
        Some(end) => format!("good for another {}", until(end, now)),
        None => "good without an end".to_owned(),
    }
}

pub(super) fn client(token: &Token) -> String {
    format!("{} ({})", token.client.address, token.client.user_agent)
}

/// How long ago a moment is.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    spoken(now.since(at))
}

/// How far a moment is away, in either direction.
pub(super) fn until(at: Timestamp, now: Timestamp) -> String {
    spoken(at.since(now).max(now.since(at)))
}

/// A span in its largest unit.
pub(super) fn spoken(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_spoken_in_their_largest_unit() {
        for (seconds, expected) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (172_799, "47 h"),
            (2_592_000, "30 days"),
        ] {
            assert_eq!(spoken(Duration::from_secs(seconds)), expected);
        }
        let (early, late) = (Timestamp::from_millis(0), Timestamp::from_millis(5_000));
        assert_eq!(
            (until(early, late), until(late, early)),
            ("5 s".into(), "5 s".into())
        );
        assert_eq!(ago(late, early), "0 s");
    }
}
