//! Says of a token, a code, an address or a request what it is, and why it is not accepted. A
//! secret that is looked up is neither logged nor kept, and looking it up is no use of it.

mod words;

use std::sync::Arc;
use std::time::Duration;

use words::{
    WrongPasswords, actor, ago, client, good_for, granted, last_use, named, spoken, token_kind,
    until, whose,
};

use super::{Error, LoginWait, Services};
use crate::crypto;
use crate::model::{
    AuditAction, AuditEntry, AuditOutcome, AuditPlace, AuditQuery, Email, EndedSecret, Principal,
    Secret, Timestamp, Token, TokenKind, TokenStatus, User, limits,
};
use crate::store::FoundToken;

/// What was asked about, and was found.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A stored token, whether it is live or not.
    Token(Arc<Token>),
    /// A token or a code that has ended.
    Ended(Box<EndedSecret>),
    /// A reset code, with its end.
    ResetCode(Timestamp),
    /// An invite, with its uses, those made, and its end.
    Invite {
        /// How many accounts it may open in all.
        uses: u32,
        /// How many it has opened.
        used: u32,
        /// When it expires; none: never.
        expires_at: Option<Timestamp>,
    },
    /// An account.
    Account,
    /// A request, with its entries in the audit log.
    Request,
    /// Nothing is known of it.
    Unknown,
}

/// What it is, and why it is not accepted.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// What was found.
    pub subject: Subject,
    /// Whether it would be accepted now; a machine token where its networks and scopes allow it.
    pub accepted: bool,
    /// All of it in a sentence.
    pub sentence: String,
    /// The account that it belongs to.
    pub user: Option<Arc<User>>,
    /// Who has to wait before the next login to that account.
    pub waits: Vec<LoginWait>,
    /// What the audit log holds of it, the newest first.
    pub entries: Vec<(AuditPlace, AuditEntry)>,
}

/// Entries of the audit log in an explanation.
const ENTRIES: usize = 20;
/// How far back wrong passwords are looked for.
const A_DAY: Duration = Duration::from_hours(24);

/// Actions that end the tokens of an account.
const ENDING: [AuditAction; 5] = [
    AuditAction::EndTokens,
    AuditAction::ChangePassword,
    AuditAction::RedeemReset,
    AuditAction::DisableUser,
    AuditAction::ReplaceLogin,
];

impl Explanation {
    fn new(subject: Subject, accepted: bool, sentence: String) -> Explanation {
        Explanation {
            subject,
            accepted,
            sentence,
            user: None,
            waits: Vec::new(),
            entries: Vec::new(),
        }
    }
}

impl Services {
    /// Explains a token.
    pub async fn explain_token(
        &self,
        shown: &Secret,
        now: Timestamp,
    ) -> Result<Explanation, Error> {
        let digest = crypto::digest_of(shown);
        match self.find_token(&digest).await {
            Ok(found) => self.explain_found(found, now).await,
            Err(Error::BadToken) => match self.store.find_ended(&digest).await? {
                Some(ended) => self.explain_ended(ended, now).await,
                None => Ok(self.unknown()),
            },
            Err(other) => Err(other),
        }
    }

    /// Explains a code: of a reset, or of an invite.
    pub async fn explain_code(&self, shown: &Secret, now: Timestamp) -> Result<Explanation, Error> {
        let digest = crypto::digest_of(shown);
        if let Some(code) = self.store.find_code(&digest).await? {
            let user = self.store.find_user(code.user).await?;
            let whose = named(user.as_deref());
            let end = until(code.expires_at, now);
            let accepted = code.is_live(now);
            let sentence = if accepted {
                format!("a reset code of {whose}, good for another {end}")
            } else {
                format!("a reset code of {whose}, expired {end} ago")
            };
            let subject = Subject::ResetCode(code.expires_at);
            return Ok(Explanation {
                user,
                ..Explanation::new(subject, accepted, sentence)
            });
        }
        if let Some(invite) = self.store.find_invite(&digest).await? {
            let accepted = invite.is_open(now);
            let end = invite.expires_at.filter(|end| now >= *end);
            let sentence = match end {
                Some(end) => format!("an invite that expired {} ago", until(end, now)),
                None if accepted => {
                    format!(
                        "an invite of which {} of {} uses are made",
                        invite.used, invite.uses
                    )
                }
                None => "an invite that is used up, or was taken back".to_owned(),
            };
            let subject = Subject::Invite {
                uses: invite.uses,
                used: invite.used,
                expires_at: invite.expires_at,
            };
            return Ok(Explanation::new(subject, accepted, sentence));
        }
        match self.store.find_ended(&digest).await? {
            Some(ended) => self.explain_ended(ended, now).await,
            None => Ok(self.unknown()),
        }
    }

    /// Explains why a login to an account is refused.
    pub async fn explain_email(&self, email: &Email, now: Timestamp) -> Result<Explanation, Error> {
        let Some(user) = self.find_user_by_email(email).await? else {
            let sentence = format!("no account has the address {}", email.shown());
            return Ok(Explanation::new(Subject::Unknown, false, sentence));
        };
        self.write_failures().await;
        let waits = self.login_waits(user.id);
        let query = AuditQuery {
            user: Some(user.id),
            from: Some(now.before(A_DAY)),
            ..AuditQuery::newest(limits::PAGE_ROWS_MOST)
        };
        let mut entries = self.store.read_audit(query).await?.entries;
        let wrong = WrongPasswords::of(&entries);
        entries.truncate(ENTRIES);
        let accepted = !user.disabled && waits.iter().any(|it| it.wait.is_zero());
        let sentence = if user.disabled {
            format!("the account of {} is disabled", user.email.shown())
        } else {
            wrong.sentence(&waits)
        };
        Ok(Explanation {
            user: Some(user),
            waits,
            entries,
            ..Explanation::new(Subject::Account, accepted, sentence)
        })
    }

    /// Finds what the audit log holds of a request.
    pub async fn explain_request(&self, id: &str) -> Result<Explanation, Error> {
        self.write_failures().await;
        let query = AuditQuery {
            request: Some(id.to_owned()),
            ..AuditQuery::newest(ENTRIES)
        };
        let entries = self.store.read_audit(query).await?.entries;
        let Some((_, first)) = entries.first() else {
            let sentence = "the audit log holds nothing of this request: it changed nothing, or \
                            its entries are gone"
                .to_owned();
            return Ok(Explanation::new(Subject::Unknown, false, sentence));
        };
        let (action, outcome) = (first.action.as_str(), first.outcome.as_str());
        let sentence = format!(
            "{action} by {} at {}: {outcome}",
            first.actor,
            first.at.rfc3339_millis()
        );
        let accepted = first.outcome == AuditOutcome::Success;
        Ok(Explanation {
            entries,
            ..Explanation::new(Subject::Request, accepted, sentence)
        })
    }

    async fn explain_found(&self, found: FoundToken, now: Timestamp) -> Result<Explanation, Error> {
        let token = Arc::clone(&found.token);
        let status = self.status(&found, now);
        let user = self.holder(token.holder).await?;
        let what = format!(
            "{} of {}",
            token_kind(token.kind),
            whose(token.holder, user.as_deref())
        );
        let sentence = match (status, token.retired) {
            (TokenStatus::Live, Some(retired)) => format!(
                "{what}, exchanged {} ago: it is accepted for some seconds more",
                ago(retired.at, now)
            ),
            (TokenStatus::Live, None) => format!(
                "{what}, accepted{}: issued {} ago to {}, {}, {}",
                granted(&token),
                ago(token.issued_at, now),
                client(&token),
                last_use(&token, now),
                good_for(&token, now)
            ),
            (TokenStatus::Expired, _) => {
                let is_access = token.kind == TokenKind::Access;
                let can_be_refreshed = if is_access && now < token.refreshable_until {
                    ": it can still be refreshed"
                } else {
                    ""
                };
                let end = ago(token.expires_at, now);
                format!("{what}, expired {end} ago{can_be_refreshed}")
            }
            (TokenStatus::Revoked, Some(retired)) => format!(
                "{what}, exchanged {} ago for another: if it is used to refresh, its whole login \
                 ends",
                ago(retired.at, now)
            ),
            (TokenStatus::Revoked, None) => {
                let why = self.why_revoked(&token, user.as_deref(), now).await?;
                format!("{what}, {why}")
            }
        };
        let accepted = status == TokenStatus::Live;
        Ok(Explanation {
            user,
            ..Explanation::new(Subject::Token(token), accepted, sentence)
        })
    }

    /// What ended the tokens of a holder since this one was issued.
    async fn why_revoked(
        &self,
        token: &Token,
        user: Option<&User>,
        now: Timestamp,
    ) -> Result<String, Error> {
        match (token.holder, user) {
            (Principal::User(_), None) => return Ok("ended: the account is deleted".to_owned()),
            (Principal::User(_), Some(user)) if user.disabled => {
                return Ok("ended: the account is disabled".to_owned());
            }
            _ => {}
        }
        let query = AuditQuery {
            user: user.map(|user| user.id),
            action: user.is_none().then_some(AuditAction::ReplaceLogin),
            from: Some(token.issued_at),
            ..AuditQuery::newest(limits::PAGE_ROWS_MOST)
        };
        let page = self.store.read_audit(query).await?;
        let ending = page
            .entries
            .iter()
            .map(|(_, it)| it)
            .find(|it| it.outcome == AuditOutcome::Success && ENDING.contains(&it.action));
        Ok(match ending {
            Some(entry) => format!(
                "ended {} ago with all others: {} by {}",
                ago(entry.at, now),
                entry.action.as_str(),
                actor(&entry.actor)
            ),
            None => "ended with all others by a new password".to_owned(),
        })
    }

    async fn explain_ended(
        &self,
        ended: EndedSecret,
        now: Timestamp,
    ) -> Result<Explanation, Error> {
        let user = self.holder(ended.holder).await?;
        let sentence = words::ended(&ended, user.as_deref(), now);
        Ok(Explanation {
            user,
            ..Explanation::new(Subject::Ended(Box::new(ended)), false, sentence)
        })
    }

    fn unknown(&self) -> Explanation {
        let kept = spoken(self.config().tokens.remember_ended);
        let sentence = format!("unknown: never issued here, or gone for more than {kept}");
        Explanation::new(Subject::Unknown, false, sentence)
    }

    /// The account of a holder, if it is one and exists.
    async fn holder(&self, holder: Principal) -> Result<Option<Arc<User>>, Error> {
        match holder {
            Principal::User(id) => Ok(self.store.find_user(id).await?),
            Principal::Admin | Principal::Hub | Principal::Machine(_) => Ok(None),
        }
    }
}
