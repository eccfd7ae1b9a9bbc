//! Settles the one request that was under way at the crash: the server did all of it or nothing,
//! and the ledger records which.

use std::time::{Duration, Instant};

use crate::client::{Answer, Client, Request};
use crate::ledger::{self, Doubt, Fate, GRACE, Kind, Token, Worker};
use crate::moment;

/// For ten seconds, a second refresh of an access token gives the same successor. The check relies
/// on eight of them, to be safe.
const SURELY_IN_GRACE: Duration = Duration::from_secs(8);

/// The answer of a server that was just started. Panics without one.
pub(crate) fn answered(answer: std::io::Result<Answer>) -> Answer {
    answer.unwrap_or_else(|error| {
        panic!("LOST: the server that was started again is silent: {error}")
    })
}

/// The answer to a request for the token's own account.
pub(crate) fn who(client: &mut Client, token: &str) -> Answer {
    answered(client.send(&Request {
        verb: "GET",
        path: "/v1/user",
        token: Some(token),
        ..Request::default()
    }))
}

/// Whether the server accepts a token.
pub(crate) fn is_live(client: &mut Client, token: &str) -> bool {
    who(client, token).status == 200
}

/// Opens a session and adds it to the ledger. Returns false if the server refuses the password.
pub(crate) fn log_in(worker: &mut Worker, client: &mut Client, account: usize) -> bool {
    let it = &mut worker.accounts[account];
    let answer = answered(ledger::log_in(client, &it.email, &it.password));
    if answer.status == 201 {
        it.tokens.push(Token {
            secret: answer.text("/id"),
            kind: Kind::Session,
        });
    }
    answer.status == 201
}

/// A live token of an account; logs in if the account has none.
pub(crate) fn any_token(
    worker: &mut Worker,
    client: &mut Client,
    account: usize,
) -> Option<String> {
    if worker.accounts[account].tokens.is_empty() && !log_in(worker, client, account) {
        worker.complain(format!(
            "LOST: {:?} cannot log in",
            worker.accounts[account]
        ));
    }
    worker.accounts[account]
        .tokens
        .first()
        .map(|token| token.secret.clone())
}

/// Finds out the outcome of the request in doubt, and records it.
pub(crate) fn settle(worker: &mut Worker, client: &mut Client) {
    let Some(doubt) = worker.doubt.take() else {
        return;
    };
    match doubt {
        Doubt::SignUp(draft) => sign_up(worker, client, *draft),
        Doubt::Renew { account, token } | Doubt::LogOut { account, token } => {
            let secret = worker.accounts[account].tokens[token].secret.clone();
            if !is_live(client, &secret) {
                worker.touch(account).end_token(token, Duration::ZERO);
            }
        }
        Doubt::Refresh { account, token, at } => refresh(worker, client, account, token, at),
        Doubt::Redeem { account, password } => {
            if takes_password(worker, client, account, &password) {
                let account = worker.touch(account);
                account.set_password(password);
                account.end_tokens(None);
            }
        }
        Doubt::ChangePassword {
            account,
            keep,
            password,
        } => {
            if takes_password(worker, client, account, &password) {
                let account = worker.touch(account);
                account.set_password(password);
                account.end_tokens(Some(keep));
            }
        }
        Doubt::UpdateProfile {
            account,
            name,
            email,
        } => {
            let it = worker.touch(account);
            let answer = answered(ledger::log_in(client, &email, &it.password));
            // The later check of the account finds a name and an address that did not change
            // together.
            if answer.status == 201 {
                it.set_profile(name, email);
            }
        }
        Doubt::Delete { account } => {
            if !log_in(worker, client, account) {
                let account = worker.touch(account);
                account.end_tokens(None);
                account.deleted = true;
            }
        }
        Doubt::Report(number) => {
            worker.touch(worker.reports[number].account);
            // Without a key, only the check of the files can find out.
            if worker.reports[number].keyed {
                repeat(worker, client, number);
            }
        }
    }
}

/// Logs in to the account, or signs it up again: either it is complete or its address is free.
pub(crate) fn sign_up(worker: &mut Worker, client: &mut Client, mut draft: ledger::Account) {
    let answer = answered(ledger::log_in(client, &draft.email, &draft.password));
    let answer = if answer.status == 201 {
        answer
    } else {
        let body = format!(
            r#"{{"name":"{}","email":"{}","password":"{}"}}"#,
            draft.name, draft.email, draft.password
        );
        answered(client.send(&Request {
            verb: "POST",
            path: "/v1/user",
            body: Some(&body),
            ..Request::default()
        }))
    };
    if answer.status != 201 {
        return worker.complain(format!("LOST: half an account, {draft:?}: {answer:?}"));
    }
    draft.id = answer.text("/user_id");
    draft.tokens.push(Token {
        secret: answer.text("/id"),
        kind: Kind::Session,
    });
    worker.accounts.push(draft);
}

/// Repeats the refresh: it gives a new successor if the first request did not take effect, the same
/// one if it did.
fn refresh(worker: &mut Worker, client: &mut Client, account: usize, token: usize, at: Instant) {
    let secret = worker.accounts[account].tokens[token].secret.clone();
    let answer = answered(ledger::refresh(client, &secret));
    let late = at.elapsed() > SURELY_IN_GRACE;
    let it = worker.touch(account);
    if answer.status == 200 {
        it.end_token(token, GRACE);
        it.tokens.push(Token {
            secret: answer.text("/token"),
            kind: Kind::Access,
        });
    } else if late {
        it.end_token(token, Duration::ZERO);
    } else {
        worker.complain(format!(
            "LOST: an access token and its successor, {secret}: {answer:?}"
        ));
    }
}

/// Whether the account has the new password. It must have either that or the old one.
fn takes_password(worker: &mut Worker, client: &mut Client, account: usize, new: &str) -> bool {
    let email = worker.accounts[account].email.clone();
    if answered(ledger::log_in(client, &email, new)).status == 201 {
        return true;
    }
    if !log_in(worker, client, account) {
        let account = &worker.accounts[account];
        worker.complain(format!(
            "LOST: neither the old password nor {new:?}: {account:?}"
        ));
    }
    false
}

/// Sends a report with a key again until the server acknowledges it. The report is then stored
/// once, whatever the outcome of earlier attempts was.
pub(crate) fn repeat(worker: &mut Worker, client: &mut Client, number: usize) {
    let report = worker.reports[number].clone();
    let Some(token) = any_token(worker, client, report.account) else {
        return;
    };
    let answer = moment::poll(Duration::from_secs(10), || {
        let answer = answered(ledger::send_report(client, &token, &report));
        (!answer.is_fault()).then_some(answer)
    });
    let count = format!("\"count\":{}", report.events);
    match answer {
        Some(answer) if answer.status == 201 && answer.body.contains(&count) => {
            worker.reports[number].fate = Fate::Stored;
        }
        other => worker.complain(format!(
            "LOST: report {number} was not taken again: {other:?}"
        )),
    }
}
