//! The audit log: who did what, from where, on whom, with which outcome. An entry never holds a
//! secret.

use serde::{Deserialize, Serialize};

use super::numbered::numbered;
use super::{Client, Principal, RequestId, Timestamp, UserId};

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Actor {
    /// A client that has not proved who it is.
    Anonymous,
    /// The holder of a token or of a password.
    Holder(Principal),
    /// A machine token, by its name.
    Machine(String),
    /// Whoever may open the control socket, by the number of the system's user.
    Control(u32),
    /// The server itself: what the configuration asks for, and what expires.
    Server,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Actor::Anonymous => f.write_str("anonymous"),
            Actor::Holder(holder) => holder.fmt(f),
            Actor::Machine(name) => write!(f, "machine:{name}"),
            Actor::Control(uid) => write!(f, "control:{uid}"),
            Actor::Server => f.write_str("server"),
        }
    }
}

impl Actor {
    /// Parses what `Display` writes.
    pub fn parse(text: &str) -> Option<Actor> {
        match text.split_once(':') {
            Some(("machine", name)) => Some(Actor::Machine(name.to_owned())),
            Some(("control", uid)) => uid.parse().ok().map(Actor::Control),
            _ if text == "anonymous" => Some(Actor::Anonymous),
            _ if text == "server" => Some(Actor::Server),
            _ => Principal::parse(text).map(Actor::Holder),
        }
    }

    /// The account that acts, if it is one.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Actor::Holder(Principal::User(id)) => Some(*id),
            _ => None,
        }
    }
}

/// From where, in which request and when something is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The client.
    pub client: Client,
    /// The request.
    pub request: RequestId,
    /// The moment of the request.
    pub at: Timestamp,
}

impl Caller {
    /// The context of a change that `actor` makes by this request.
    pub fn acting(&self, actor: Actor) -> AuditContext {
        AuditContext {
            at: self.at,
            actor,
            caller: Some(self.clone()),
        }
    }
}

/// Who makes a change, from where, and when: each verb of the store that makes a change writes it
/// down in the same step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditContext {
    /// The moment of the change.
    pub at: Timestamp,
    /// Who makes it.
    pub actor: Actor,
    /// The request that asks for it; none for what the server does by itself.
    pub caller: Option<Caller>,
}

impl AuditContext {
    /// The context of what the server does by itself.
    pub fn server(at: Timestamp) -> AuditContext {
        AuditContext {
            at,
            actor: Actor::Server,
            caller: None,
        }
    }

    /// The entry for an action with this outcome.
    pub fn entry(&self, action: AuditAction, outcome: AuditOutcome) -> AuditEntry {
        let (client, request) = match &self.caller {
            Some(caller) => (
                Some(caller.client.clone()),
                Some(caller.request.to_string()),
            ),
            None => (None, None),
        };
        AuditEntry {
            at: self.at,
            actor: self.actor.clone(),
            client,
            request,
            action,
            outcome,
            user: None,
            target: None,
            count: 1,
        }
    }

    /// The entry for an action that was carried out.
    pub fn done(&self, action: AuditAction) -> AuditEntry {
        self.entry(action, AuditOutcome::Success)
    }
}

numbered! {
    /// What is done.
    AuditAction {
        /// A login with a password.
        1 LogIn "log_in",
        /// A new account by its owner.
        2 SignUp "sign_up",
        /// A token ends by its own holder.
        3 LogOut "log_out",
        /// An exchanged access token is used again, which ends its family.
        4 TokenReuse "token_reuse",
        /// Name or address changes.
        5 UpdateUser "update_user",
        /// The password changes by its owner.
        6 ChangePassword "change_password",
        /// A mail with a reset code is asked for.
        7 AskReset "ask_reset",
        /// A reset code sets a new password.
        8 RedeemReset "redeem_reset",
        /// An account is removed.
        9 DeleteUser "delete_user",
        /// An account is disabled.
        10 DisableUser "disable_user",
        /// An account is enabled again.
        11 EnableUser "enable_user",
        /// A token is ended by its public id.
        12 EndToken "end_token",
        /// The password of the administrator or the hub is another one.
        13 ReplaceLogin "replace_login",
        /// An invite is made, to be mailed or to be handed over.
        14 MakeInvite "make_invite",
        /// Events are erased.
        15 EraseEvents "erase_events",
        /// Events are reported.
        16 ReportEvents "report_events",
        /// The password is confirmed by the holder of a token.
        17 ConfirmPassword "confirm_password",
        /// The configuration is read again.
        18 Reload "reload",
        /// A further token of the hub for a client that has one.
        19 RenewToken "renew_token",
        /// A reset code is made, for a mail or for a link that the administrator hands over.
        20 MakeReset "make_reset",
        /// All tokens of an account are ended, or all but one.
        21 EndTokens "end_tokens",
        /// A mail that waits is tried at once.
        22 RetryMail "retry_mail",
        /// A mail that waits is dropped.
        23 DropMail "drop_mail",
        /// Somebody who had to wait because of a limit may try again at once.
        24 LiftLimit "lift_limit",
        /// A machine token is made.
        25 MakeMachineToken "make_machine_token",
        /// A machine token is replaced by another with the same rights.
        26 RotateMachineToken "rotate_machine_token",
        /// An invite is ended.
        27 EndInvite "end_invite",
        /// The next signing key is made.
        28 PrepareKey "prepare_signing_key",
        /// Another key signs access tokens.
        29 RotateKey "rotate_signing_key",
        /// A key is removed from the key set.
        30 RemoveKey "remove_signing_key",
        /// A machine token is shown where it is not accepted.
        31 UseToken "use_token",
    }
}

numbered! {
    /// How it ended.
    AuditOutcome {
        /// It is done.
        1 Success "success",
        /// The password is wrong.
        2 WrongPassword "wrong_password",
        /// No account has this name.
        3 UnknownAccount "unknown_account",
        /// The account is disabled.
        4 Disabled "disabled",
        /// A limit refuses it.
        5 TooMany "too_many",
        /// The address belongs to another account.
        6 EmailTaken "email_taken",
        /// The invite is unknown, used up or expired.
        7 BadInvite "bad_invite",
        /// The code is unknown, used, replaced or expired.
        8 BadCode "bad_code",
        /// The machine token lacks the scope.
        9 OutsideScope "outside_scope",
        /// The machine token comes from outside its networks.
        10 OutsideNetwork "outside_network",
    }
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When it happened; for a sum, the last time.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// From where; for a sum, the last client.
    pub client: Option<Client>,
    /// In which request; for a sum, the last one.
    pub request: Option<String>,
    /// What was done.
    pub action: AuditAction,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// On whose account.
    pub user: Option<UserId>,
    /// On what else: the public id of a token, the fields that changed.
    pub target: Option<String>,
    /// How many of them this entry sums up.
    pub count: u32,
}

/// The longest `target`, in bytes.
const TARGET_BYTES: usize = 200;

impl AuditEntry {
    /// With the account that it was done on.
    #[must_use]
    pub fn on(self, user: UserId) -> AuditEntry {
        AuditEntry {
            user: Some(user),
            ..self
        }
    }

    /// As `on`, for a holder of tokens.
    #[must_use]
    pub fn on_holder(self, holder: Principal) -> AuditEntry {
        match holder {
            Principal::User(user) => self.on(user),
            other => self.about(other.to_string()),
        }
    }

    /// With what it was done on; never a secret.
    #[must_use]
    pub fn about(self, target: impl Into<String>) -> AuditEntry {
        let mut target = target.into();
        target.truncate(target.floor_char_boundary(TARGET_BYTES));
        AuditEntry {
            target: Some(target),
            ..self
        }
    }

    /// Without the client and the account: for a sum of failures of many.
    #[must_use]
    pub fn without_origin(self) -> AuditEntry {
        AuditEntry {
            client: None,
            user: None,
            target: None,
            ..self
        }
    }

    /// The accounts that the entry is listed under: who acts, and on whom.
    pub fn users(&self) -> impl Iterator<Item = UserId> {
        let actor = self.actor.user().filter(|actor| Some(*actor) != self.user);
        self.user.into_iter().chain(actor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_reads_back_from_its_text() {
        for actor in [
            Actor::Anonymous,
            Actor::Server,
            Actor::Control(0),
            Actor::Machine("a: b".into()),
            Actor::Holder(Principal::Admin),
            Actor::Holder(Principal::Hub),
            Actor::Holder(Principal::User(UserId::from_random([1; 16]))),
        ] {
            assert_eq!(Actor::parse(&actor.to_string()), Some(actor));
        }
        assert_eq!(Actor::parse("root"), None);
    }

    #[test]
    fn numbers_and_names_of_actions_are_their_own_and_never_change() {
        let numbers: Vec<u8> = AuditAction::ALL.iter().map(|it| u8::from(*it)).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        let outcomes: Vec<u8> = AuditOutcome::ALL.iter().map(|it| u8::from(*it)).collect();
        assert!(outcomes.is_sorted_by(|a, b| a < b), "{outcomes:?}");
        for action in AuditAction::ALL {
            assert_eq!(AuditAction::parse(action.as_str()), Some(*action));
            assert_eq!(AuditAction::try_from(u8::from(*action)), Ok(*action));
        }
        assert_eq!(u8::from(AuditAction::LogIn), 1);
        assert_eq!(u8::from(AuditAction::RotateMachineToken), 26);
    }

    #[test]
    fn an_entry_is_listed_once_under_an_account_that_acts_on_itself() {
        let (ana, ben) = (UserId::from_random([1; 16]), UserId::from_random([2; 16]));
        let by = |actor| AuditContext {
            actor,
            ..AuditContext::server(Timestamp::default())
        };
        let holder = |id| Actor::Holder(Principal::User(id));
        let own = by(holder(ana)).done(AuditAction::UpdateUser).on(ana);
        assert_eq!(own.users().collect::<Vec<_>>(), [ana]);
        let other = by(holder(ana)).done(AuditAction::UpdateUser).on(ben);
        assert_eq!(other.users().collect::<Vec<_>>(), [ben, ana]);
        let long = own.about("ü".repeat(200));
        assert_eq!(long.target.unwrap().len(), TARGET_BYTES);
    }
}
