//! The knowledge of one client: everything that the server acknowledged, and the one request that
//! was under way at the crash.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::{Duration, Instant};

use crate::client::{Answer, Client, Request};
use crate::dice::Dice;
use crate::moment;

/// A refreshed access token lives on for ten seconds. After these twelve it must be dead.
pub(crate) const GRACE: Duration = Duration::from_secs(12);

/// How a token can be renewed.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Session,
    Access,
    Angen { renewal: String },
}

#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) secret: String,
    pub(crate) kind: Kind,
}

/// A token that must not work from the moment `from` on.
#[derive(Debug, Clone)]
pub(crate) struct Dead {
    pub(crate) secret: String,
    pub(crate) from: Instant,
}

#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) deleted: bool,
    pub(crate) tokens: Vec<Token>,
    pub(crate) dead: Vec<Dead>,
    pub(crate) old_email: Option<String>,
    pub(crate) old_password: Option<String>,
    pub(crate) spent_code: Option<String>,
    /// How often the password was set, and name and address, after the signup.
    pub(crate) passwords_set: usize,
    pub(crate) profiles_set: usize,
    /// The round that last changed the account.
    pub(crate) round: u32,
}

impl Account {
    /// An account that does not exist yet on the server.
    pub(crate) fn draft(email: String, password: String, round: u32) -> Account {
        Account {
            id: String::new(),
            name: format!("first name of {email}"),
            email,
            password,
            deleted: false,
            tokens: Vec::new(),
            dead: Vec::new(),
            old_email: None,
            old_password: None,
            spent_code: None,
            passwords_set: 0,
            profiles_set: 0,
            round,
        }
    }

    pub(crate) fn end_token(&mut self, index: usize, grace: Duration) {
        let secret = self.tokens.swap_remove(index).secret;
        self.dead.push(Dead {
            secret,
            from: moment::now() + grace,
        });
    }

    /// Ends every token except the one at index `keep`, if any.
    pub(crate) fn end_tokens(&mut self, keep: Option<usize>) {
        let kept = keep.map(|index| self.tokens.swap_remove(index));
        while !self.tokens.is_empty() {
            self.end_token(0, Duration::ZERO);
        }
        for dead in &mut self.dead {
            dead.from = dead.from.min(moment::now());
        }
        self.tokens.extend(kept);
    }

    pub(crate) fn set_password(&mut self, password: String) {
        self.passwords_set += 1;
        self.old_password = Some(std::mem::replace(&mut self.password, password));
    }

    pub(crate) fn set_profile(&mut self, name: String, email: String) {
        self.profiles_set += 1;
        self.name = name;
        self.old_email = Some(std::mem::replace(&mut self.email, email));
    }
}

/// The state of a report of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The server acknowledged it: it must be stored whole, once.
    Stored,
    /// The server did not answer: it must be stored whole or not at all.
    Doubtful,
    /// The server refused it, or did not answer and the check did not find it: it must be absent.
    Absent,
}

/// The events of one request. Their names, details and key are computed from these numbers.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) worker: usize,
    /// The index of the report among this worker's reports.
    pub(crate) number: usize,
    pub(crate) round: u32,
    pub(crate) account: usize,
    pub(crate) events: usize,
    /// The events have details, which identify each event; without details, the name of the events
    /// identifies the report.
    pub(crate) complex: bool,
    pub(crate) keyed: bool,
    pub(crate) fate: Fate,
}

impl Report {
    pub(crate) fn path(&self) -> &'static str {
        if self.complex {
            "/api/events/complex_clientapp"
        } else {
            "/api/events/simple_clientapp"
        }
    }

    pub(crate) fn key(&self) -> Option<String> {
        self.keyed
            .then(|| format!("key {}/{}", self.worker, self.number))
    }

    /// The name of one event: one of a few that all reports use, one that is new in the round, or
    /// one that no other report has.
    pub(crate) fn name(&self, index: usize) -> String {
        const COMMON: [&str; 7] = [
            "opened", "closed", "moved", "zoomed", "saved", "printed", "left",
        ];
        if !self.complex {
            format!("simple {}/{}", self.worker, self.number)
        } else if self.number.is_multiple_of(23) && index == 0 {
            format!("rare {}/{}", self.worker, self.number)
        } else if index.is_multiple_of(11) {
            format!("seen in round {}", self.round)
        } else {
            COMMON[(self.number + index) % COMMON.len()].to_owned()
        }
    }

    /// The details identify the event, and hold noise that does not compress well.
    pub(crate) fn details(&self, index: usize) -> String {
        let mut dice = Dice::new((self.worker << 48 ^ self.number << 20 ^ index) as u64);
        let mut noise = String::new();
        for _ in 0..dice.below(12) {
            // Writing to a string cannot fail.
            let _ = write!(noise, "{:x}", dice.next());
        }
        format!(
            r#"{{"which":"{}/{}/{index}","noise":"{noise}"}}"#,
            self.worker, self.number
        )
    }

    pub(crate) fn body(&self) -> String {
        let event = |index| {
            let name = self.name(index);
            if self.complex {
                format!(r#"{{"name":"{name}","details":{}}}"#, self.details(index))
            } else {
                format!(r#"{{"name":"{name}"}}"#)
            }
        };
        let events: Vec<String> = (0..self.events).map(event).collect();
        format!(r#"{{"events":[{}]}}"#, events.join(","))
    }
}

/// A request without an answer. The numbers are indices of accounts, of their tokens, of reports.
#[derive(Debug)]
pub(crate) enum Doubt {
    SignUp(Box<Account>),
    Renew {
        account: usize,
        token: usize,
    },
    Refresh {
        account: usize,
        token: usize,
        at: Instant,
    },
    LogOut {
        account: usize,
        token: usize,
    },
    Redeem {
        account: usize,
        password: String,
    },
    ChangePassword {
        account: usize,
        keep: usize,
        password: String,
    },
    UpdateProfile {
        account: usize,
        name: String,
        email: String,
    },
    Delete {
        account: usize,
    },
    Report(usize),
}

/// The number of acknowledged things, by kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    pub(crate) fn add(&mut self, what: &'static str, count: usize) {
        *self.0.entry(what).or_default() += count;
    }

    pub(crate) fn join(&mut self, other: &Tally) {
        for (what, count) in &other.0 {
            self.add(what, *count);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        f.write_str(&parts.join(", "))
    }
}

/// The state of one client for a whole run.
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) round: u32,
    pub(crate) dice: Dice,
    pub(crate) accounts: Vec<Account>,
    pub(crate) reports: Vec<Report>,
    pub(crate) doubt: Option<Doubt>,
    /// The account whose requested mail has not arrived yet.
    pub(crate) owed_mail: Option<usize>,
    pub(crate) tally: Tally,
    pub(crate) complaints: Vec<String>,
    drawn: usize,
}

impl Worker {
    pub(crate) fn new(index: usize, seed: u64) -> Worker {
        Worker {
            index,
            round: 0,
            dice: Dice::new(seed ^ (index as u64) << 32),
            accounts: Vec::new(),
            reports: Vec::new(),
            doubt: None,
            owed_mail: None,
            tally: Tally::default(),
            complaints: Vec::new(),
            drawn: 0,
        }
    }

    /// A number that this worker has not used before.
    pub(crate) fn draw(&mut self) -> usize {
        self.drawn += 1;
        self.drawn
    }

    pub(crate) fn fresh_email(&mut self) -> String {
        let number = self.draw();
        format!("w{}n{number}@crash.test", self.index)
    }

    pub(crate) fn fresh_password(&mut self) -> String {
        let number = self.draw();
        format!("secret {number} of {}", self.index)
    }

    pub(crate) fn complain(&mut self, what: impl Into<String>) {
        self.complain_all([what.into()]);
    }

    /// Adds a report that is about to be sent, with an unknown outcome, and returns its index.
    pub(crate) fn draft_report(&mut self, account: usize, events: usize, keyed: bool) -> usize {
        let number = self.reports.len();
        let complex = !self.dice.one_in(8);
        self.reports.push(Report {
            worker: self.index,
            number,
            round: self.round,
            account,
            events,
            complex,
            keyed,
            fate: Fate::Doubtful,
        });
        number
    }

    pub(crate) fn complain_all(&mut self, all: impl IntoIterator<Item = String>) {
        let index = self.index;
        let complaints = all
            .into_iter()
            .map(|what| format!("worker {index}: {what}"));
        self.complaints.extend(complaints);
    }

    /// Marks an account as changed in this round, so that the checks include it.
    pub(crate) fn touch(&mut self, account: usize) -> &mut Account {
        let touched = &mut self.accounts[account];
        touched.round = self.round;
        touched
    }
}

/// Opens a session with an address and a password.
pub(crate) fn log_in(client: &mut Client, email: &str, password: &str) -> std::io::Result<Answer> {
    let body = format!(r#"{{"email":"{email}","password":"{password}"}}"#);
    client.send(&Request {
        verb: "POST",
        path: "/v1/auth",
        body: Some(&body),
        ..Request::default()
    })
}

/// Redeems a reset code.
pub(crate) fn redeem(client: &mut Client, code: &str, password: &str) -> std::io::Result<Answer> {
    let body = format!(
        r#"{{"token":"{code}","password":"{password}","password_confirmation":"{password}"}}"#
    );
    client.send(&Request {
        verb: "PATCH",
        path: "/api/password",
        body: Some(&body),
        ..Request::default()
    })
}

/// Exchanges an access token.
pub(crate) fn refresh(client: &mut Client, token: &str) -> std::io::Result<Answer> {
    client.send(&Request {
        verb: "POST",
        path: "/api/auth/refresh",
        token: Some(token),
        ..Request::default()
    })
}

/// Sends a report.
pub(crate) fn send_report(
    client: &mut Client,
    token: &str,
    report: &Report,
) -> std::io::Result<Answer> {
    client.send(&Request {
        verb: "POST",
        path: report.path(),
        token: Some(token),
        key: report.key().as_deref(),
        body: Some(&report.body()),
    })
}
