//! Encodes events column by column: similar values are adjacent, so they compress well. Every body
//! of a block is one set of columns, for a single event as well as for an hour of events.
//!
//! ```text
//! body := runs · events · length of each column · columns                 (varints)
//! columns := heads · names · subjects · lengths · literals · details
//! head := events × 2 + (1 if an origin follows) · [origin] · moment · reporter
//! origin := moment, group, block and place of the first event, the moment and the group as
//!           differences from the block's own
//! ```
//!
//! A *run* is events of one report. Its moment is the difference from the moment of the run before
//! (from 1970 for the first run), in milliseconds. Its origin is the position of its first event
//! when it was stored; a run without an origin directly follows the run before.

use std::iter;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::model::{MachineNumber, Position, Timestamp, UserNumber};
use crate::store::sled::events::format::varint::{
    put, put_bytes, take, take_bytes, take_len, take_u32, unzigzag, zigzag,
};

/// The number that stands for all names beyond the limit. Events with it carry their own name.
pub(crate) const OTHER: u32 = 0;

/// Who reported an event, in the store's own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Reporter {
    Admin,
    Hub,
    User(UserNumber),
    Machine(MachineNumber),
}

/// The reporters below are the administrator, the hub and users; those from here on are machines.
const MACHINES: u64 = 2 + (1 << 32);

/// An event in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockEvent<'a> {
    pub(crate) at: Timestamp,
    pub(crate) reporter: Reporter,
    pub(crate) name: u32,
    /// The name itself, if its number is [`OTHER`].
    pub(crate) literal: Option<&'a str>,
    pub(crate) subject: UserNumber,
    pub(crate) details: Option<&'a str>,
}

/// What the events of a run have in common.
#[derive(Debug, Clone, Copy)]
struct Head {
    events: usize,
    origin: Option<Position>,
    at: Timestamp,
    reporter: Reporter,
}

/// Columns that are being built.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    heads: Vec<Head>,
    events: usize,
    names: Vec<u8>,
    subjects: Vec<u8>,
    lengths: Vec<u8>,
    literals: Vec<u8>,
    details: Vec<u8>,
}

impl Columns {
    /// Empty columns, with room for so many events and bytes of details.
    pub(crate) fn with_room(events: usize, details_bytes: usize) -> Columns {
        let column = || Vec::with_capacity(2 * events);
        Columns {
            heads: Vec::with_capacity(1),
            names: column(),
            subjects: column(),
            lengths: column(),
            details: Vec::with_capacity(details_bytes),
            ..Columns::default()
        }
    }

    /// Begins a run of events.
    pub(crate) fn begin(&mut self, at: Timestamp, reporter: Reporter, origin: Option<Position>) {
        self.heads.push(Head {
            events: 0,
            origin,
            at,
            reporter,
        });
    }

    /// Adds an event to the run that was begun last.
    pub(crate) fn push(
        &mut self,
        name: u32,
        literal: &str,
        subject: UserNumber,
        details: Option<&str>,
    ) {
        if let Some(head) = self.heads.last_mut() {
            head.events += 1;
        }
        self.events += 1;
        put(&mut self.names, u64::from(name));
        if name == OTHER {
            put_bytes(&mut self.literals, literal.as_bytes());
        }
        put(&mut self.subjects, u64::from(subject.0));
        let length = details.map_or(0, |text| text.len() as u64 + 1);
        put(&mut self.lengths, length);
        self.details
            .extend_from_slice(details.unwrap_or_default().as_bytes());
    }

    /// Adds an event that stands at `position` in another block. It joins the current run if it
    /// directly follows that run there; otherwise it begins a run.
    pub(crate) fn keep(&mut self, position: Position, event: &BlockEvent<'_>) {
        let goes_on = self.heads.last().is_some_and(|head| {
            let next = head.origin.map(|origin| Position {
                place: origin
                    .place
                    .saturating_add(u32::try_from(head.events).unwrap_or(u32::MAX)),
                ..origin
            });
            next == Some(position) && head.at == event.at && head.reporter == event.reporter
        });
        if !goes_on {
            self.begin(event.at, event.reporter, Some(position));
        }
        let literal = event.literal.unwrap_or_default();
        self.push(event.name, literal, event.subject, event.details);
    }

    /// Appends the runs of `other`.
    pub(crate) fn append(&mut self, other: &Columns) {
        self.heads.extend_from_slice(&other.heads);
        self.events += other.events;
        self.names.extend_from_slice(&other.names);
        self.subjects.extend_from_slice(&other.subjects);
        self.lengths.extend_from_slice(&other.lengths);
        self.literals.extend_from_slice(&other.literals);
        self.details.extend_from_slice(&other.details);
    }

    /// How many events there are.
    pub(crate) fn events(&self) -> usize {
        self.events
    }

    /// The length of the body in bytes, without the heads and the lengths of the columns.
    pub(crate) fn len(&self) -> usize {
        let columns = self.names.len() + self.subjects.len() + self.lengths.len();
        columns + self.literals.len() + self.details.len()
    }

    /// The texts of the details, in order.
    pub(crate) fn texts(&self) -> impl Iterator<Item = Option<&[u8]>> {
        texts(&self.lengths, &self.details)
    }

    /// The body of a block whose first event stands at `base`.
    pub(crate) fn body(&self, base: Position) -> Vec<u8> {
        self.body_with(base, &self.lengths, &self.details)
    }

    /// The same with the details in another form.
    pub(crate) fn body_with(&self, base: Position, lengths: &[u8], details: &[u8]) -> Vec<u8> {
        let heads = self.heads(base);
        let columns: [&[u8]; 6] = [
            &heads,
            &self.names,
            &self.subjects,
            lengths,
            &self.literals,
            details,
        ];
        let mut body = Vec::with_capacity(self.len() + heads.len() + 32);
        put(&mut body, self.heads.len() as u64);
        put(&mut body, self.events as u64);
        for column in columns {
            put(&mut body, column.len() as u64);
        }
        for column in columns {
            body.extend_from_slice(column);
        }
        body
    }

    fn heads(&self, base: Position) -> Vec<u8> {
        let mut heads = Vec::with_capacity(12 * self.heads.len());
        let mut moment = Timestamp::from_millis(0);
        for head in &self.heads {
            put(
                &mut heads,
                (head.events as u64) << 1 | u64::from(head.origin.is_some()),
            );
            if let Some(origin) = head.origin {
                put(&mut heads, zigzag(millis_between(base.at, origin.at)));
                put(&mut heads, origin.sequence.wrapping_sub(base.sequence));
                put(&mut heads, u64::from(origin.index));
                put(&mut heads, u64::from(origin.place));
            }
            put(&mut heads, zigzag(millis_between(moment, head.at)));
            moment = head.at;
            match head.reporter {
                Reporter::Admin => put(&mut heads, 0),
                Reporter::Hub => put(&mut heads, 1),
                Reporter::User(number) => put(&mut heads, u64::from(number.0) + 2),
                Reporter::Machine(number) => put(&mut heads, u64::from(number.0) + MACHINES),
            }
        }
        heads
    }
}

fn millis_between(from: Timestamp, to: Timestamp) -> i64 {
    to.millis().wrapping_sub(from.millis())
}

/// Splits joined details by their lengths.
fn texts<'a>(
    mut lengths: &'a [u8],
    mut details: &'a [u8],
) -> impl Iterator<Item = Option<&'a [u8]>> {
    iter::from_fn(move || {
        let length = take_len(&mut lengths)?;
        let Some(bytes) = length.checked_sub(1) else {
            return Some(None);
        };
        let (text, rest) = details.split_at_checked(bytes)?;
        details = rest;
        Some(Some(text))
    })
}

/// Columns that are being read.
pub(crate) struct Body {
    bytes: Vec<u8>,
    runs: usize,
    events: usize,
    columns: [Range<usize>; 6],
}

/// A buffer for the decoded details of a body that stores them in another form.
#[derive(Default)]
pub(crate) struct DetailsBuffer {
    pub(crate) lengths: Vec<u8>,
    pub(crate) details: Vec<u8>,
}

/// Decodes details into a `DetailsBuffer`, only those of the selected events.
pub(crate) type DecodeDetails = fn(&[u8], &[bool], &mut DetailsBuffer) -> Option<()>;

impl Body {
    /// Finds the columns of a body.
    pub(crate) fn read(bytes: Vec<u8>) -> Option<Body> {
        let mut rest = bytes.as_slice();
        let most = bytes.len();
        let mut count = || take_len(&mut rest).filter(|count| *count <= most);
        let (runs, events) = (count()?, count()?);
        let mut lengths = [0; 6];
        for length in &mut lengths {
            *length = count()?;
        }
        let mut start = most - rest.len();
        let columns = lengths.map(|length| {
            let column = start..start + length;
            start += length;
            column
        });
        (start == most).then_some(Body {
            bytes,
            runs,
            events,
            columns,
        })
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The events that `wants` selects, with their positions, in the order of their positions.
    /// `base` is the position of the block's first event when it was stored. `wants` is called
    /// before the details are decoded.
    pub(crate) fn events<'a>(
        &'a self,
        base: Position,
        decode: Option<DecodeDetails>,
        buffer: &'a mut DetailsBuffer,
        wants: impl Fn(Position, &BlockEvent<'_>) -> bool,
    ) -> Option<Vec<(Position, BlockEvent<'a>)>> {
        let mut filter = vec![false; self.events];
        let mut events = Vec::new();
        let mut flags = filter.iter_mut();
        self.rows(base, |position, event| {
            let flag = flags.next()?;
            *flag = wants(position, &event);
            if *flag {
                events.push((position, event));
            }
            Some(())
        })?;
        if flags.next().is_some() {
            return None;
        }
        let [.., lengths, _, details] = self.columns();
        let mut texts: Box<dyn Iterator<Item = Option<&'a [u8]>>> = if let Some(decode) = decode {
            decode(details, &filter, buffer)?;
            Box::new(texts(&buffer.lengths, &buffer.details))
        } else {
            let all = texts(lengths, details).zip(filter);
            Box::new(all.filter(|(_, is_wanted)| *is_wanted).map(|it| it.0))
        };
        for (_, event) in &mut events {
            event.details = match texts.next()? {
                Some(bytes) => Some(text(bytes)?),
                None => None,
            };
        }
        Some(events)
    }

    /// The position of the last event.
    pub(crate) fn last(&self, base: Position) -> Option<Position> {
        let [mut heads, ..] = self.columns();
        let (mut next, mut moment) = (base, Timestamp::from_millis(0));
        for _ in 0..self.runs {
            let head = take_head(&mut heads, base, &mut moment)?;
            next = head.origin.unwrap_or(next);
            next.place = next.place.checked_add(u32::try_from(head.events).ok()?)?;
        }
        next.place = next.place.checked_sub(1)?;
        Some(next)
    }

    /// Passes every event to `see`, without its details.
    fn rows<'a>(
        &'a self,
        base: Position,
        mut see: impl FnMut(Position, BlockEvent<'a>) -> Option<()>,
    ) -> Option<()> {
        let [mut heads, mut names, mut subjects, _, mut literals, _] = self.columns();
        let (mut next, mut moment) = (base, Timestamp::from_millis(0));
        for _ in 0..self.runs {
            let head = take_head(&mut heads, base, &mut moment)?;
            next = head.origin.unwrap_or(next);
            for _ in 0..head.events {
                let name = take_u32(&mut names)?;
                let literal = match name {
                    OTHER => Some(text(take_bytes(&mut literals)?)?),
                    _ => None,
                };
                let event = BlockEvent {
                    at: head.at,
                    reporter: head.reporter,
                    name,
                    literal,
                    subject: UserNumber(take_u32(&mut subjects)?),
                    details: None,
                };
                see(next, event)?;
                next.place = next.place.checked_add(1)?;
            }
        }
        Some(())
    }

    fn columns(&self) -> [&[u8]; 6] {
        let column = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        self.columns.each_ref().map(column)
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn take_head(from: &mut &[u8], base: Position, moment: &mut Timestamp) -> Option<Head> {
    let events = take_len(from)?;
    let origin = match events & 1 {
        1 => Some(Position {
            at: moved(base.at, unzigzag(take(from)?)),
            sequence: base.sequence.wrapping_add(take(from)?),
            index: take_u32(from)?,
            place: take_u32(from)?,
        }),
        _ => None,
    };
    *moment = moved(*moment, unzigzag(take(from)?));
    let reporter = match take(from)? {
        0 => Reporter::Admin,
        1 => Reporter::Hub,
        number @ 2..MACHINES => Reporter::User(UserNumber(u32::try_from(number - 2).ok()?)),
        number => Reporter::Machine(MachineNumber(u32::try_from(number - MACHINES).ok()?)),
    };
    Some(Head {
        events: events >> 1,
        origin,
        at: *moment,
        reporter,
    })
}

fn moved(from: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(from.millis().wrapping_add(millis))
}
