//! The command line of the bench.

use std::path::PathBuf;

use crate::fill::Mix;
use crate::floor;
use crate::measure::Pace;
use crate::outcome::Outcome;

const GROUPS: [&str; 7] = [
    "idle", "reads", "singles", "batches", "logins", "flood", "history",
];
/// The number of events in the history: the goals are set for the first, `--short` uses the second.
const EVENTS: u64 = 10_000_000;
const FEW_EVENTS: u64 = 1_000_000;
const ACCOUNTS: u64 = 100_000;
const TOKENS: u64 = 900_000;

/// The tasks of this executable.
pub(crate) enum Errand {
    Compare(Options),
    Fill { into: PathBuf, mix: Mix },
    Ask { of: PathBuf, pace: Pace },
    Floor { port: u16, body_bytes: usize },
}

/// The options of a comparison.
pub(crate) struct Options {
    pub(crate) pace: Pace,
    pub(crate) mix: Mix,
    pub(crate) write: bool,
    only: Option<String>,
}

impl Options {
    /// Whether to measure a group.
    pub(crate) fn wants(&self, group: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == group)
    }
}

/// Reads the command line.
pub(crate) fn parse(arguments: &[String]) -> Outcome<Errand> {
    match arguments {
        [word, port, body_bytes] if word == floor::WORD => Ok(Errand::Floor {
            port: port.parse()?,
            body_bytes: body_bytes.parse()?,
        }),
        [word, rest @ ..] if word == "fill" => fill(rest),
        [word, flag, directory] if word == "ask" && flag == "--of" => Ok(Errand::Ask {
            of: directory.into(),
            pace: pace(3, 3),
        }),
        [word, ..] if word == "ask" => Err("ask wants --of DIR".into()),
        all => compare(all).map(Errand::Compare),
    }
}

fn pace(rounds: usize, seconds: u32) -> Pace {
    Pace { rounds, seconds }
}

fn fill(arguments: &[String]) -> Outcome<Errand> {
    let (mut into, mut mix) = (None, Mix::of(EVENTS));
    for pair in arguments.chunks(2) {
        let [flag, value] = pair else {
            return Err(format!("{pair:?} wants a value").into());
        };
        match flag.as_str() {
            "--into" => into = Some(value.into()),
            "--events" => mix.events = value.parse()?,
            "--days" => mix.days = value.parse()?,
            "--accounts" => mix.accounts = value.parse()?,
            "--tokens" => mix.tokens = value.parse()?,
            other => return Err(format!("no such option: {other}").into()),
        }
    }
    let into = into.ok_or("fill wants --into DIR")?;
    Ok(Errand::Fill { into, mix })
}

fn compare(arguments: &[String]) -> Outcome<Options> {
    let mut options = Options {
        pace: pace(3, 3),
        mix: Mix {
            accounts: ACCOUNTS,
            tokens: TOKENS,
            ..Mix::of(EVENTS)
        },
        write: false,
        only: None,
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--short" => {
                options.pace = pace(1, 1);
                options.mix = Mix::of(FEW_EVENTS);
            }
            "--long" => options.pace = pace(5, 10),
            "--write" => options.write = true,
            "--only" => options.only = rest.next().cloned(),
            "--events" => {
                options.mix.events = rest.next().ok_or("--events wants a number")?.parse()?;
            }
            other => return Err(format!("no such option: {other}").into()),
        }
    }
    let group = options.only.as_deref();
    if group.is_some_and(|group| !GROUPS.contains(&group)) {
        return Err(format!("--only wants one of: {}", GROUPS.join(", ")).into());
    }
    if options.write && group.is_some() {
        return Err("--write wants all of the tables: leave --only out".into());
    }
    Ok(options)
}
