//! The check over HTTP: after a crash, everything that the server acknowledged still holds.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;
use crate::ledger::{self, Fate, Worker};
use crate::mailbox::Mailbox;
use crate::moment;
use crate::settle::{self, answered};

/// The server sends a mail that it owes from before the crash at once.
const MAIL_PATIENCE: Duration = Duration::from_secs(20);
/// How many of an account's latest dead tokens are checked.
const DEAD_TRIED: usize = 6;
/// Each round checks one in so many of the older accounts again.
const SAMPLE: u64 = 20;

/// Settles the request in doubt, then checks the accounts that changed in this round, some of the
/// older ones, and all of them if `all`.
pub(crate) fn judge(worker: &mut Worker, client: &mut Client, mailbox: &Mailbox, all: bool) {
    settle::settle(worker, client);
    await_mail(worker, mailbox);
    client.hang_up();
    repeat_some(worker, client);
    for index in 0..worker.accounts.len() {
        let recent = worker.accounts[index].round == worker.round;
        if all || recent || worker.dice.one_in(SAMPLE) {
            look_at(worker, client, index);
        }
    }
}

fn await_mail(worker: &mut Worker, mailbox: &Mailbox) {
    let Some(account) = worker.owed_mail.take() else {
        return;
    };
    let email = worker.accounts[account].email.clone();
    if moment::poll(MAIL_PATIENCE, || mailbox.take(&email)).is_none() {
        worker.complain(format!("LOST: the mail that was promised to {email}"));
    }
}

/// Sends some acknowledged reports again: the server must give the first answer. The check of the
/// files comes later.
fn repeat_some(worker: &mut Worker, client: &mut Client) {
    let candidates = worker
        .reports
        .iter()
        .rev()
        .take_while(|it| it.round == worker.round);
    let mine = |it: &&ledger::Report| {
        it.keyed && it.fate == Fate::Stored && !worker.accounts[it.account].deleted
    };
    let chosen: Vec<usize> = candidates
        .filter(mine)
        .take(3)
        .map(|it| it.number)
        .collect();
    for number in chosen {
        settle::repeat(worker, client, number);
    }
}

fn look_at(worker: &mut Worker, client: &mut Client, index: usize) {
    let account = worker.accounts[index].clone();
    let mut wrong = Vec::new();
    let expected = [
        ("/id", json!(account.id)),
        ("/email", json!(account.email)),
        ("/name", json!(account.name)),
    ];
    for token in &account.tokens {
        let answer = settle::who(client, &token.secret);
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let same = expected
            .iter()
            .all(|(pointer, value)| body.pointer(pointer) == Some(value));
        if answer.status != 200 || !same {
            wrong.push(format!("the live token {token:?} gets {answer:?}"));
        }
    }
    let due = account
        .dead
        .iter()
        .rev()
        .filter(|dead| dead.from <= moment::now());
    for dead in due.take(DEAD_TRIED) {
        if settle::is_live(client, &dead.secret) {
            wrong.push(format!("the dead token {} lives again", dead.secret));
        }
    }
    if let Some(code) = &account.spent_code {
        let status = answered(ledger::redeem(client, code, "a password of a thief")).status;
        if status != 401 {
            wrong.push(format!("the reset code {code} is good again: {status}"));
        }
    }
    let earlier = [
        account
            .old_password
            .as_ref()
            .map(|password| (&account.email, password)),
        account
            .old_email
            .as_ref()
            .map(|email| (email, &account.password)),
        account
            .deleted
            .then_some((&account.email, &account.password)),
    ];
    for (email, password) in earlier.into_iter().flatten() {
        if answered(ledger::log_in(client, email, password)).status != 401 {
            wrong.push(format!("{email} still logs in with {password:?}"));
        }
    }
    if !account.deleted && !settle::log_in(worker, client, index) {
        wrong.push("it does not log in with its password".to_owned());
    }
    let about = |wrong| format!("LOST: {wrong}; {account:?}");
    worker.complain_all(wrong.into_iter().map(about));
}
