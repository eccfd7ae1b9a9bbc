//! Events side by side, column by column: what is alike stands together, and compresses. Every body of a block is one set of
//! columns, be it that of a single event or of an hour.
//!
//! ```text
//! body := runs · events · length of each column · columns                 (varints)
//! columns := heads · names · subjects · lengths · literals · details
//! head := events × 2 + whether an origin follows · [origin] · moment · reporter
//! origin := moment, group, block and place of the first event, the moment and the group as what they are after the block's own
//! ```
//!
//! A *run* is events of one report. Its moment is said as what it is after that of the run before, in milliseconds. Its origin is
//! where its first event stood when it was stored; without one it stands right behind the run before.

use std::iter;
use std::ops::Range;

use super::varint::{put, put_bytes, take, take_bytes, take_len, take_u32, unzigzag, zigzag};
use crate::model::{Position, Timestamp, UserNumber};

/// The number of the name under which all names beyond the bound are counted. Events of it carry their own name.
pub(super) const OTHER: u32 = 0;

/// Who reported an event, in the store's own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reporter {
    Admin,
    Hub,
    User(UserNumber),
}

/// An event in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packed<'a> {
    pub(super) at: Timestamp,
    pub(super) reporter: Reporter,
    pub(super) name: u32,
    /// The name itself, if its number is [`OTHER`].
    pub(super) literal: Option<&'a str>,
    pub(super) subject: UserNumber,
    pub(super) details: Option<&'a str>,
}

/// What the events of a run have in common.
#[derive(Debug, Clone, Copy)]
struct Head {
    events: usize,
    origin: Option<Position>,
    at: Timestamp,
    reporter: Reporter,
}

/// Columns in the making.
#[derive(Debug, Default)]
pub(super) struct Columns {
    heads: Vec<Head>,
    events: usize,
    names: Vec<u8>,
    subjects: Vec<u8>,
    lengths: Vec<u8>,
    literals: Vec<u8>,
    details: Vec<u8>,
}

impl Columns {
    /// Empty ones, with room for so many events and bytes of details.
    pub(super) fn with_room(events: usize, details_bytes: usize) -> Columns {
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
    pub(super) fn begin(&mut self, at: Timestamp, reporter: Reporter, origin: Option<Position>) {
        self.heads.push(Head {
            events: 0,
            origin,
            at,
            reporter,
        });
    }

    /// Adds an event to the run that was begun last.
    pub(super) fn push(
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

    /// Adds an event that stands at `position` in another block, to the run under way if it goes on there.
    pub(super) fn keep(&mut self, position: Position, event: &Packed<'_>) {
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

    /// Puts the runs of `other` behind these.
    pub(super) fn append(&mut self, other: &Columns) {
        self.heads.extend_from_slice(&other.heads);
        self.events += other.events;
        self.names.extend_from_slice(&other.names);
        self.subjects.extend_from_slice(&other.subjects);
        self.lengths.extend_from_slice(&other.lengths);
        self.literals.extend_from_slice(&other.literals);
        self.details.extend_from_slice(&other.details);
    }

    /// How many events there are.
    pub(super) fn events(&self) -> usize {
        self.events
    }

    /// How long the body is, all but exactly.
    pub(super) fn len(&self) -> usize {
        let columns = self.names.len() + self.subjects.len() + self.lengths.len();
        columns + self.literals.len() + self.details.len()
    }

    /// The texts of the details, in order.
    pub(super) fn texts(&self) -> impl Iterator<Item = Option<&[u8]>> {
        texts(&self.lengths, &self.details)
    }

    /// The body of a block whose first event stands at `base`.
    pub(super) fn body(&self, base: Position) -> Vec<u8> {
        self.body_with(base, &self.lengths, &self.details)
    }

    /// The same with the details in another form.
    pub(super) fn body_with(&self, base: Position, lengths: &[u8], details: &[u8]) -> Vec<u8> {
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
            }
        }
        heads
    }
}

fn millis_between(from: Timestamp, to: Timestamp) -> i64 {
    to.millis().wrapping_sub(from.millis())
}

/// Texts that stand behind each other, apart from their lengths.
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
pub(super) struct Body {
    bytes: Vec<u8>,
    runs: usize,
    events: usize,
    columns: [Range<usize>; 6],
    /// Lengths and details, where the body has them in another form.
    unfolded: Option<(Vec<u8>, Vec<u8>)>,
}

impl Body {
    /// Reads where the columns of a body are.
    pub(super) fn read(bytes: Vec<u8>) -> Option<Body> {
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
            unfolded: None,
        })
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The same, with details that `unfold` makes of what stands in their place and of the number of events.
    pub(super) fn unfolded(
        mut self,
        unfold: impl FnOnce(&[u8], usize) -> Option<(Vec<u8>, Vec<u8>)>,
    ) -> Option<Body> {
        let [.., details] = &self.columns;
        self.unfolded = Some(unfold(self.bytes.get(details.clone())?, self.events)?);
        Some(self)
    }

    /// Its events and where they stand, in the order of their positions. `base` is where the block's first one stood.
    pub(super) fn events(&self, base: Position) -> Option<Vec<(Position, Packed<'_>)>> {
        let [
            mut heads,
            mut names,
            mut subjects,
            lengths,
            mut literals,
            details,
        ] = self
            .columns
            .each_ref()
            .map(|column| self.bytes.get(column.clone()).unwrap_or_default());
        let mut texts = match &self.unfolded {
            Some((lengths, details)) => texts(lengths, details),
            None => texts(lengths, details),
        };
        let mut events = Vec::with_capacity(self.events);
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
                let event = Packed {
                    at: head.at,
                    reporter: head.reporter,
                    name,
                    literal,
                    subject: UserNumber(take_u32(&mut subjects)?),
                    details: match texts.next()? {
                        Some(bytes) => Some(text(bytes)?),
                        None => None,
                    },
                };
                events.push((next, event));
                next.place = next.place.checked_add(1)?;
            }
        }
        (events.len() == self.events).then_some(events)
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
        number => Reporter::User(UserNumber(u32::try_from(number - 2).ok()?)),
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
