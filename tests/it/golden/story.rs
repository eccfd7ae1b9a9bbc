//! The expected content of `tests/golden/store-1`: the values that were written, and those that
//! remained in the end. Do not change this file: the directory does not change either.

use std::collections::BTreeMap;
use std::time::Duration;

use doorward::model::{
    Client, DueMail, Email, Erasure, Event, EventId, Idempotency, MailId, MailKind, Name, NewEvent,
    NewToken, Position, Principal, Retired, Timestamp, Token, TokenKind, User, UserNumber,
};
use doorward::store::Report;
use uuid::Builder;

use crate::store::{at, bytes, digest, email, new_token, user_id};

/// Event names that have a counter of their own: 6 of the matches and 64 of the kinds.
pub(super) const MAX_NAMES: usize = 70;
pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;

pub(super) const ANA: u64 = 1;
pub(super) const BEN: u64 = 2;
/// This account is disabled.
pub(super) const CLEO: u64 = 3;
/// This account is deleted; her events remain.
pub(super) const DORA: u64 = 4;
/// Number of accounts that only log in and are the subject of one event each. So many users need
/// the dense form of a sketch.
pub(super) const CROWD: u64 = 110;
/// The number of the first of them.
pub(super) const CROWD_FROM: u64 = 100;

/// A session lives for this long after a use.
pub(super) const IDLE: Duration = Duration::from_hours(720);
/// The uses and the end (in ms) of the invite "welcome"; ben signed up with it.
pub(super) const WELCOME: (u32, i64) = (2, 1_000 * HOUR);
/// The time (in ms) at which ana's reset code ends.
pub(super) const RESET_ENDS: i64 = 26 * HOUR;
/// A time (in ms) after all that was written.
pub(super) const NOW: i64 = 25 * HOUR;

pub(super) const SEED: &[u8] = &[0x5e; 32];
pub(super) const ADMIN_HASH: &[u8] = b"$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g";
pub(super) const SALT: &[u8] = b"a salt of 16 byt";

pub(super) fn holder(user: u64) -> Principal {
    Principal::User(user_id(user))
}

/// An account as it is in the end.
pub(super) fn user(number: u64) -> User {
    let plain = |place: u32, address: &str, name: &str, hash: &str, created: i64| User {
        id: user_id(number),
        number: UserNumber(place),
        email: email(address),
        name: Name::parse(name).unwrap(),
        password_hash: hash.into(),
        disabled: false,
        epoch: 0,
        created_at: at(created),
        updated_at: at(created),
        invite: None,
    };
    match number {
        ANA => User {
            epoch: 1,
            updated_at: at(HOUR),
            ..plain(0, "Ana@Example.org", "Ana Ünal", "ana's second hash", 0)
        },
        BEN => User {
            updated_at: at(2 * HOUR),
            invite: Some("welcome".into()),
            ..plain(1, "ben@example.org", "Ben", "ben's hash", 1)
        },
        CLEO => User {
            disabled: true,
            epoch: 1,
            updated_at: at(3 * HOUR),
            ..plain(2, "cleo@example.org", "Cleo", "cleo's hash", 2)
        },
        _ => {
            let place = u32::try_from(number - CROWD_FROM).unwrap();
            let (address, name) = (format!("crowd-{place}@example.org"), format!("No. {place}"));
            plain(4 + place, &address, &name, "a hash", 10 + i64::from(place))
        }
    }
}

/// A token by its number, as it is in the end.
pub(super) fn token(number: u64) -> NewToken {
    use TokenKind::{Access, Admin, Angen, Hub, Session};
    let (kind, holder, epoch, issued) = match number {
        1 => (Session, holder(ANA), 1, 0),
        2 => (Session, holder(ANA), 0, MINUTE),
        3 => (Angen, holder(ANA), 1, 3 * HOUR),
        4 => (Access, holder(ANA), 1, 3 * HOUR),
        5 => (Access, holder(ANA), 1, 4 * HOUR),
        6 => (Admin, Principal::Admin, 1, 3 * HOUR),
        7 => (Hub, Principal::Hub, 2, 3 * HOUR),
        8 => (Session, holder(BEN), 0, 1),
        9 => (Session, holder(CLEO), 0, 2),
        10 => (Session, holder(DORA), 0, 3),
        crowd => (
            Session,
            holder(crowd),
            0,
            user(crowd).created_at.millis() - at(0).millis(),
        ),
    };
    let new = new_token(number, kind, holder, epoch, at(issued));
    let expires_at = at(issued + 800 * HOUR);
    let token = Token {
        expires_at,
        refreshable_until: match kind {
            Access => at(issued + 900 * HOUR),
            _ => expires_at,
        },
        ..new.token.clone()
    };
    let token = match number {
        1 => Token {
            client: Client::new([192, 0, 2, 7].into(), Some("Firefox")),
            ..token.touched(at(2 * HOUR), IDLE, [192, 0, 2, 7].into())
        },
        3 => Token {
            client: Client::new(
                [0x2001, 0xdb8, 0, 0, 0, 0, 0, 9].into(),
                Some("Änderung/1.0"),
            ),
            ..token
        },
        4 => Token {
            retired: Some(Retired {
                at: at(4 * HOUR),
                successor: digest("token", 5),
            }),
            ..token
        },
        5 => Token {
            family: new_token(4, kind, holder, epoch, at(0)).token.id,
            ..token
        },
        _ => token,
    };
    NewToken { token, ..new }
}

/// The two mails in the outbox; sending the first failed twice.
pub(super) fn mails() -> [DueMail; 2] {
    let mail = |number, address: &str, asked, due, attempts| DueMail {
        id: MailId(Builder::from_random_bytes(bytes("mail", number)).into_uuid()),
        kind: MailKind::Reset,
        to: Email::parse(address).unwrap(),
        asked_at: at(asked),
        due_at: at(due),
        attempts,
    };
    [
        mail(1, "ana@example.org", 24 * HOUR, 25 * HOUR + MINUTE, 2),
        mail(2, "nobody@example.org", 24 * HOUR, 25 * HOUR, 0),
    ]
}

/// An event of a report.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) subject: u64,
    pub(super) details: Option<String>,
    pub(super) id: Option<EventId>,
}

/// A report and its place in the log. `stands` is the time in ms, the sequence number of the commit
/// group, and the number of events in each block.
pub(super) struct Sent {
    pub(super) at: Timestamp,
    pub(super) reporter: Principal,
    pub(super) lines: Vec<Line>,
    pub(super) promise: Option<Idempotency>,
    stands: (i64, u64, &'static [u32]),
}

fn line(name: &str, subject: u64, details: &str) -> Line {
    Line {
        name: name.into(),
        subject,
        details: (!details.is_empty()).then(|| details.into()),
        id: None,
    }
}

fn with_id(line: Line, number: u64) -> Line {
    let id = Builder::from_random_bytes(bytes("event", number)).into_uuid();
    Line {
        id: Some(EventId(id)),
        ..line
    }
}

pub(super) fn promise(number: u64) -> Idempotency {
    Idempotency {
        key: digest("key", number),
        body: digest("body", number),
    }
}

/// A text that does not compress: this many digests, as hexadecimal digits.
fn noise(digests: u64) -> String {
    let halves = (0..digests).flat_map(|n| digest("noise", n).0.map(|byte| [byte >> 4, byte & 15]));
    let digits = halves.flatten().map(u32::from);
    digits.filter_map(|it| char::from_digit(it, 16)).collect()
}

fn kind(number: u64) -> Line {
    let subject = [ANA, BEN, CLEO][(number % 3) as usize];
    let details = match number % 4 {
        0 => String::new(),
        1 => format!(r#"{{"kind":{number},"list":[{number},true,null]}}"#),
        2 => format!(r#"{{"kind":{number},"deep":{{"text":"{}"}}}}"#, noise(1)),
        _ => "not even JSON".into(),
    };
    line(&format!("kind-{number:02}"), subject, &details)
}

/// Everything that was reported, in this order.
pub(super) fn reports() -> Vec<Sent> {
    let crowd = CROWD_FROM..CROWD_FROM + CROWD;
    let sent = [
        (0, holder(ANA), matches(), Some(promise(1))),
        (10 * MINUTE, Principal::Hub, joins(), None),
        (
            20 * MINUTE,
            holder(DORA),
            vec![line("tick", DORA, "{}")],
            None,
        ),
        (
            30 * MINUTE,
            Principal::Admin,
            (0..80).map(kind).collect(),
            None,
        ),
        (
            65 * MINUTE,
            Principal::Hub,
            crowd.map(|it| line("join", it, "")).collect(),
            None,
        ),
        (90 * MINUTE, holder(BEN), large(), None),
        (
            24 * HOUR,
            holder(BEN),
            vec![kind(79), with_id(line("tick", ANA, ""), 3)],
            Some(promise(2)),
        ),
        (
            24 * HOUR + 30 * MINUTE,
            Principal::Hub,
            vec![with_id(line("join", ANA, "{}"), 2)],
            None,
        ),
        // The clock was set back.
        (
            24 * HOUR - MINUTE,
            Principal::Admin,
            vec![line("note", CLEO, r#"{"late":true}"#)],
            None,
        ),
    ];
    let sent = sent.into_iter().zip(STANDS);
    sent.map(|((millis, reporter, lines, promise), stands)| Sent {
        at: at(millis),
        reporter,
        lines,
        promise,
        stands,
    })
    .collect()
}

fn matches() -> Vec<Line> {
    vec![
        line("match_begin", ANA, r#"{"map":"dust","players":8}"#),
        line("match_begin", BEN, r#"{"map":"","players":0}"#),
        line(
            "match_end",
            ANA,
            r#"{"won":true,"kills":[1,2,3],"party":{"id":"p\"1\\","size":null}}"#,
        ),
        line(
            "match_end",
            BEN,
            " { \"won\" : false,\t\"kills\":[ -1.5e+7 ] , \"Grüße\":\"ü\" } ",
        ),
        line("tick", ANA, ""),
    ]
}

fn joins() -> Vec<Line> {
    vec![
        with_id(line("join", DORA, r#"{"map":"dust","players":9}"#), 1),
        line("secret", BEN, r#"{"pin":"1234"}"#),
        line("note", CLEO, r#""a text""#),
    ]
}

/// Events that fill several blocks, each of several parts.
fn large() -> Vec<Line> {
    let texts =
        [40, 200, 250, 1, 250].map(|digests| format!(r#"{{"noise":"{}"}}"#, noise(digests)));
    let mut lines: Vec<Line> = texts.iter().map(|text| line("note", BEN, text)).collect();
    lines.insert(2, line("secret", BEN, r#"{"pin":"5678"}"#));
    lines
}

/// The erasure that was run: it removed the event of hour 0, but not the later one.
pub(super) fn erasure() -> Erasure {
    Erasure {
        name: Some("secret".into()),
        subject: None,
        before: Some(at(HOUR)),
    }
}

/// `Sent::stands` of each report.
const STANDS: [(i64, u64, &[u32]); 9] = [
    (0, 124, &[5]),
    (10 * MINUTE, 126, &[3]),
    (20 * MINUTE, 127, &[1]),
    (30 * MINUTE, 129, &[80]),
    (65 * MINUTE, 130, &[110]),
    (90 * MINUTE, 131, &[4, 2]),
    (24 * HOUR, 147, &[2]),
    (24 * HOUR + 30 * MINUTE, 148, &[1]),
    (24 * HOUR + 30 * MINUTE, 149, &[1]),
];

/// The number of events that were ever stored, erased ones included.
pub(super) const EVER_STORED: u64 = 209;
/// Days, with the events that were stored and the bytes that were written.
pub(super) const DISK_DAYS: [(u32, u64, u64); 2] = [(20_513, 205, 1_540_096), (20_514, 4, 73_728)];

impl Sent {
    /// Passes the report to `send`, with the time `at`.
    pub(super) fn with<T>(&self, at: Timestamp, send: impl FnOnce(Report<'_>) -> T) -> T {
        let events: Vec<NewEvent<'_>> = self
            .lines
            .iter()
            .map(|line| NewEvent {
                id: line.id,
                name: &line.name,
                subject: user_id(line.subject),
                details: line.details.as_deref(),
            })
            .collect();
        send(Report {
            reporter: self.reporter,
            events: &events,
            idempotency: self.promise,
            at,
        })
    }

    fn positions(&self) -> impl Iterator<Item = Position> {
        let (millis, sequence, blocks) = self.stands;
        let places = (0..).zip(blocks).flat_map(|(index, events)| {
            let places = 0..*events;
            places.map(move |place| (index, place))
        });
        places.map(move |(index, place)| Position {
            at: at(millis),
            sequence,
            index,
            place,
        })
    }
}

/// Every event that remains, in the order of positions.
pub(super) fn events() -> Vec<(Position, Event)> {
    let mut events = Vec::new();
    for report in reports() {
        let lines: Vec<(Position, &Line)> = report.positions().zip(&report.lines).collect();
        assert_eq!(lines.len(), report.lines.len());
        events.extend(lines.into_iter().map(|(position, line)| {
            let event = Event {
                at: report.at,
                name: line.name.clone(),
                subject: Some(user_id(line.subject)),
                reporter: Some(report.reporter),
                details: line.details.clone(),
            };
            (position, event)
        }));
    }
    let before = erasure().before.unwrap();
    events.retain(|(_, event)| event.name != "secret" || event.at >= before);
    events
}

/// The name under which an event is counted.
pub(super) fn counted_name(event: &Event) -> &str {
    let number = event
        .name
        .strip_prefix("kind-")
        .and_then(|it| it.parse::<u32>().ok());
    match number {
        Some(64..) => "(other)",
        _ => &event.name,
    }
}

/// The expected counts, by hour and name.
pub(super) fn counts() -> BTreeMap<(u32, String), u64> {
    let mut counts = BTreeMap::new();
    for (_, event) in events() {
        *counts
            .entry((event.at.hour(), counted_name(&event).to_owned()))
            .or_default() += 1;
    }
    counts
}
