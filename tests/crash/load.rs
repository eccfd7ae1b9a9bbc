//! The load: each worker sends one request after the other and notes the acknowledged changes,
//! until the server stops answering.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::client::{Answer, Client, Request};
use crate::ledger::{self, Account, Doubt, Fate, GRACE, Kind, Token, Worker};
use crate::mailbox::Mailbox;
use crate::moment;

/// How long a requested mail may take.
const MAIL_PATIENCE: Duration = Duration::from_secs(10);

/// The state that all workers share during the load.
pub(crate) struct Load<'a> {
    pub(crate) mailbox: &'a Mailbox,
    /// Set right before the crash: from then on a missing answer is expected.
    pub(crate) falling: &'a AtomicBool,
}

/// The server does not answer any more.
struct Silence;

type Step = Result<(), Silence>;

/// Sends requests until the server stops answering.
pub(crate) fn work(worker: &mut Worker, client: Client, load: &Load<'_>) {
    let mut shift = Shift {
        worker,
        client,
        load,
    };
    while shift.step().is_ok() {}
}

struct Shift<'a> {
    worker: &'a mut Worker,
    client: Client,
    load: &'a Load<'a>,
}

impl Shift<'_> {
    fn step(&mut self) -> Step {
        let Some((account, token)) = self.choose() else {
            return self.sign_up();
        };
        let tokens = self.worker.accounts[account].tokens.len();
        match self.worker.dice.below(100) {
            0..5 => self.sign_up(),
            5..15 if tokens < 12 => self.log_in(account),
            15..30 => self.exchange(account, token),
            30..36 if tokens > 1 => self.log_out(account, token),
            36..39 => self.reset(account),
            39..43 => self.change_password(account, token),
            43..48 => self.update_profile(account, token),
            48..50 => self.delete(account, token),
            _ => self.report(account, token),
        }
    }

    /// The index of an account with live tokens and of one of its tokens. A third of the draws take
    /// the newest account.
    fn choose(&mut self) -> Option<(usize, usize)> {
        let dice = &mut self.worker.dice;
        let accounts = &self.worker.accounts;
        for _ in 0..20 {
            let newest = dice.one_in(3);
            let index = if newest {
                accounts.len().checked_sub(1)?
            } else {
                dice.place(accounts.len())
            };
            let account = accounts.get(index)?;
            if !account.deleted && !account.tokens.is_empty() {
                return Some((index, dice.place(account.tokens.len())));
            }
        }
        None
    }

    /// Sends a request, and records `doubt` if its outcome is unknown.
    fn ask(&mut self, request: &Request<'_>, doubt: Option<Doubt>) -> Result<Answer, Silence> {
        let answer = self.client.send(request);
        self.heard(answer, doubt)
    }

    fn heard(
        &mut self,
        answer: std::io::Result<Answer>,
        doubt: Option<Doubt>,
    ) -> Result<Answer, Silence> {
        let falling = self.load.falling.load(Ordering::SeqCst);
        let silence = match answer {
            Ok(answer) if !answer.is_fault() => return Ok(answer),
            Ok(answer) => format!("a fault: {answer:?}"),
            Err(error) => format!("no answer: {error}"),
        };
        if !falling {
            self.worker.complain(silence);
        }
        self.worker.doubt = doubt;
        Err(Silence)
    }

    /// Whether the answer has the expected status. Complains if not.
    fn expect(&mut self, answer: &Answer, status: u16, what: &str) -> bool {
        if answer.status != status {
            self.worker
                .complain(format!("{what}: expected {status}, got {answer:?}"));
        }
        answer.status == status
    }

    fn sign_up(&mut self) -> Step {
        let (email, password) = (self.worker.fresh_email(), self.worker.fresh_password());
        let mut account = Account::draft(email, password, self.worker.round);
        let body = format!(
            r#"{{"name":"{}","email":"{}","password":"{}"}}"#,
            account.name, account.email, account.password
        );
        let request = Request {
            verb: "POST",
            path: "/v1/user",
            body: Some(&body),
            ..Request::default()
        };
        let doubt = Doubt::SignUp(Box::new(account.clone()));
        let answer = self.ask(&request, Some(doubt))?;
        if self.expect(&answer, 201, "signing up") {
            account.id = answer.text("/user_id");
            account.tokens.push(Token {
                secret: answer.text("/id"),
                kind: Kind::Session,
            });
            self.worker.accounts.push(account);
            self.worker.tally.add("signups", 1);
        }
        Ok(())
    }

    fn log_in(&mut self, index: usize) -> Step {
        let Account {
            email, password, ..
        } = &self.worker.accounts[index];
        let body = format!(r#"{{"email":"{email}","password":"{password}","user_agent":"crash"}}"#);
        let (path, status) = match self.worker.dice.below(3) {
            0 => ("/v1/auth", 201),
            1 => ("/api/auth", 200),
            _ => ("/api/request_token", 201),
        };
        let request = Request {
            verb: "POST",
            path,
            body: Some(&body),
            ..Request::default()
        };
        let answer = self.ask(&request, None)?;
        if self.expect(&answer, status, "logging in") {
            let token = match path {
                "/v1/auth" => Token {
                    secret: answer.text("/id"),
                    kind: Kind::Session,
                },
                "/api/auth" => Token {
                    secret: answer.text("/token"),
                    kind: Kind::Access,
                },
                _ => pair(&answer),
            };
            self.worker.touch(index).tokens.push(token);
            self.worker.tally.add("logins", 1);
        }
        Ok(())
    }

    fn exchange(&mut self, account: usize, token: usize) -> Step {
        match self.worker.accounts[account].tokens[token].kind.clone() {
            Kind::Session => self.report(account, token),
            Kind::Access => self.refresh(account, token),
            Kind::Angen { renewal } => self.renew(account, token, &renewal),
        }
    }

    fn renew(&mut self, account: usize, token: usize, renewal: &str) -> Step {
        let secret = self.worker.accounts[account].tokens[token].secret.clone();
        let body = format!(r#"{{"renewal_code":"{renewal}"}}"#);
        let request = Request {
            verb: "POST",
            path: "/api/renew_token",
            token: Some(&secret),
            body: Some(&body),
            ..Request::default()
        };
        let answer = self.ask(&request, Some(Doubt::Renew { account, token }))?;
        if self.expect(&answer, 201, "renewing") {
            let account = self.worker.touch(account);
            account.end_token(token, Duration::ZERO);
            account.tokens.push(pair(&answer));
            self.worker.tally.add("renewals", 1);
        }
        Ok(())
    }

    fn refresh(&mut self, account: usize, token: usize) -> Step {
        let secret = self.worker.accounts[account].tokens[token].secret.clone();
        let at = moment::now();
        let answer = ledger::refresh(&mut self.client, &secret);
        let answer = self.heard(answer, Some(Doubt::Refresh { account, token, at }))?;
        if self.expect(&answer, 200, "refreshing") {
            let account = self.worker.touch(account);
            account.end_token(token, GRACE);
            account.tokens.push(Token {
                secret: answer.text("/token"),
                kind: Kind::Access,
            });
            self.worker.tally.add("refreshes", 1);
        }
        Ok(())
    }

    fn log_out(&mut self, account: usize, token: usize) -> Step {
        let Token { secret, kind } = self.worker.accounts[account].tokens[token].clone();
        let named = format!(r#"{{"token":"{secret}"}}"#);
        // Access tokens end through their own API; `/api/token` ends the others, as it ends any.
        let request = match kind {
            Kind::Access => Request {
                verb: "DELETE",
                path: "/api/auth",
                token: Some(&secret),
                ..Request::default()
            },
            _ => Request {
                verb: "DELETE",
                path: "/api/token",
                body: Some(&named),
                ..Request::default()
            },
        };
        let status = if matches!(kind, Kind::Access) {
            204
        } else {
            200
        };
        let answer = self.ask(&request, Some(Doubt::LogOut { account, token }))?;
        if self.expect(&answer, status, "logging out") {
            self.worker.touch(account).end_token(token, Duration::ZERO);
            self.worker.tally.add("logouts", 1);
        }
        Ok(())
    }

    fn reset(&mut self, account: usize) -> Step {
        let email = self.worker.accounts[account].email.clone();
        let body = format!(r#"{{"email":"{email}"}}"#);
        let request = Request {
            verb: "POST",
            path: "/api/password",
            body: Some(&body),
            ..Request::default()
        };
        let answer = self.ask(&request, None)?;
        self.expect(&answer, 201, "asking for a reset");
        self.worker.tally.add("reset requests", 1);
        self.worker.owed_mail = Some(account);
        // A mail of an earlier request may come first, or come again; the code of the later request
        // has replaced its code.
        let until = moment::now() + MAIL_PATIENCE;
        while moment::now() < until {
            if self.load.falling.load(Ordering::SeqCst) {
                return Err(Silence);
            }
            if let Some(code) = self.load.mailbox.take(&email) {
                if self.redeem(account, code)? {
                    return self.log_in(account);
                }
            } else {
                moment::wait(Duration::from_millis(2));
            }
        }
        self.worker
            .complain(format!("no good code was mailed to {email}"));
        Ok(())
    }

    /// Returns false if the code was not the newest.
    fn redeem(&mut self, account: usize, code: String) -> Result<bool, Silence> {
        self.worker.owed_mail = None;
        let password = self.worker.fresh_password();
        let answer = ledger::redeem(&mut self.client, &code, &password);
        let doubt = Doubt::Redeem {
            account,
            password: password.clone(),
        };
        let answer = self.heard(answer, Some(doubt))?;
        if answer.status == 401 {
            self.worker.owed_mail = Some(account);
            return Ok(false);
        }
        if self.expect(&answer, 200, "redeeming a code") {
            let account = self.worker.touch(account);
            account.set_password(password);
            account.end_tokens(None);
            account.spent_code = Some(code);
            self.worker.tally.add("resets", 1);
        }
        Ok(true)
    }

    fn change_password(&mut self, account: usize, token: usize) -> Step {
        let password = self.worker.fresh_password();
        let Account {
            password: current,
            tokens,
            ..
        } = &self.worker.accounts[account];
        let secret = tokens[token].secret.clone();
        let body = format!(r#"{{"current_password":"{current}","password":"{password}"}}"#);
        let request = Request {
            verb: "PATCH",
            path: "/v1/user/password",
            token: Some(&secret),
            body: Some(&body),
            ..Request::default()
        };
        let doubt = Doubt::ChangePassword {
            account,
            keep: token,
            password: password.clone(),
        };
        let answer = self.ask(&request, Some(doubt))?;
        if self.expect(&answer, 204, "changing a password") {
            let account = self.worker.touch(account);
            account.set_password(password);
            account.end_tokens(Some(token));
            self.worker.tally.add("password changes", 1);
        }
        Ok(())
    }

    fn update_profile(&mut self, account: usize, token: usize) -> Step {
        let (name, email) = (
            format!("name {}", self.worker.draw()),
            self.worker.fresh_email(),
        );
        let secret = self.worker.accounts[account].tokens[token].secret.clone();
        let body = format!(r#"{{"name":"{name}","email":"{email}"}}"#);
        let request = Request {
            verb: "PATCH",
            path: "/v1/user",
            token: Some(&secret),
            body: Some(&body),
            ..Request::default()
        };
        let doubt = Doubt::UpdateProfile {
            account,
            name: name.clone(),
            email: email.clone(),
        };
        let answer = self.ask(&request, Some(doubt))?;
        if self.expect(&answer, 204, "updating a profile") {
            self.worker.touch(account).set_profile(name, email);
            self.worker.tally.add("updates", 1);
        }
        Ok(())
    }

    fn delete(&mut self, account: usize, token: usize) -> Step {
        let secret = self.worker.accounts[account].tokens[token].secret.clone();
        let request = Request {
            verb: "DELETE",
            path: "/v1/user",
            token: Some(&secret),
            ..Request::default()
        };
        let answer = self.ask(&request, Some(Doubt::Delete { account }))?;
        if self.expect(&answer, 204, "deleting an account") {
            let account = self.worker.touch(account);
            account.end_tokens(None);
            account.deleted = true;
            self.worker.tally.add("deletions", 1);
        }
        Ok(())
    }

    fn report(&mut self, account: usize, token: usize) -> Step {
        let worker = &mut *self.worker;
        let dice = &mut worker.dice;
        let events = match dice.below(20) {
            0..10 => 1,
            10..19 => 2 + dice.place(120),
            _ => 500 + dice.place(1500),
        };
        let keyed = dice.one_in(3);
        let number = worker.draft_report(account, events, keyed);
        let report = worker.reports[number].clone();
        let secret = worker.accounts[account].tokens[token].secret.clone();
        let answer = ledger::send_report(&mut self.client, &secret, &report);
        let answer = self.heard(answer, Some(Doubt::Report(number)))?;
        if self.expect(&answer, 201, "reporting") {
            self.worker.reports[number].fate = Fate::Stored;
            let what = if events == 1 {
                "single events"
            } else {
                "batches"
            };
            self.worker.tally.add(what, 1);
            self.worker.tally.add("events", events);
        }
        Ok(())
    }
}

fn pair(answer: &Answer) -> Token {
    Token {
        secret: answer.text("/token/identifier_code"),
        kind: Kind::Angen {
            renewal: answer.text("/token/renewal_code"),
        },
    }
}
