//! Questions about events, as an administrator asks them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use tokio::sync::OwnedSemaphorePermit;

use super::question::{given, moment, user};
use super::{Error, Services};
use crate::model::{
    EventPage, EventQuery, EventRow, Invalid, Order, Position, Principal, Zone, limits,
};
use crate::store::{self, EventScan, ScanProgress};

/// When to come back after as many exports ran as may.
const LATER: Duration = Duration::from_secs(10);

/// A question as it is asked, unchecked. What is none or empty asks for nothing in particular.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventQuestion<'a> {
    /// Events of this name.
    pub name: Option<&'a str>,
    /// Events about this user.
    pub user_id: Option<&'a str>,
    /// Events that this user, or `admin`, or `hub` reported.
    pub reporter_id: Option<&'a str>,
    /// Events from this moment on: RFC 3339, or a date, which begins at midnight UTC.
    pub from: Option<&'a str>,
    /// Events before this moment.
    pub to: Option<&'a str>,
    /// `desc`, the newest first, or `asc`.
    pub order: Option<&'a str>,
    /// How many at the most.
    pub limit: Option<&'a str>,
    /// The `next` of an earlier page, or the id of the last event that was read.
    pub cursor: Option<&'a str>,
}

impl Services {
    /// A page of events.
    pub async fn read_events(&self, question: EventQuestion<'_>) -> Result<EventPage, Error> {
        let query = parse(&question)?;
        Ok(self.store.read_events(query).await?)
    }

    /// All events that are asked for, the oldest first if nothing is said; the question's limit is not looked at.
    pub async fn export_events(&self, question: EventQuestion<'_>) -> Result<Export, Error> {
        let order = given(question.order);
        let query = parse(&EventQuestion {
            order: order.or(Some("asc")),
            limit: None,
            ..question
        })?;
        let permit = Arc::clone(&self.exports).try_acquire_owned();
        let permit = permit.map_err(|_| Error::Busy { retry_after: LATER })?;
        let scan = self.store.scan_events(query).await?;
        Ok(Export { scan, permit })
    }
}

/// A reading of all events that were asked for. Dropping it makes room for another one.
pub struct Export {
    scan: Box<dyn EventScan>,
    #[expect(dead_code, reason = "it is held, not looked at")]
    permit: OwnedSemaphorePermit,
}

impl Export {
    /// Tells some more events. It blocks: it is for a thread that may wait.
    pub fn advance(&mut self, mut tell: impl FnMut(&EventRow<'_>)) -> store::Result<ScanProgress> {
        self.scan.advance(&mut tell)
    }
}

/// A position as clients see it: the id of an event, and the cursor behind it.
pub fn position_text(position: Position) -> String {
    BASE64.encode(position.to_bytes())
}

/// The same where there is no room for a string of its own.
pub fn position_chars(position: Position) -> [u8; 32] {
    let mut chars = [0; 32];
    let written = BASE64.encode_slice(position.to_bytes(), &mut chars);
    debug_assert_eq!(written.ok(), Some(32), "four characters for three bytes");
    chars
}

fn parse(question: &EventQuestion<'_>) -> Result<EventQuery, Invalid> {
    let from = moment("from", question.from, Zone::default())?;
    let to = moment("to", question.to, Zone::default())?;
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(Invalid::new("to", "must lie after from"));
    }
    Ok(EventQuery {
        name: given(question.name).map(str::to_owned),
        subject: given(question.user_id)
            .map(|text| user("user_id", text))
            .transpose()?,
        reporter: given(question.reporter_id)
            .map(|text| match text {
                "admin" => Ok(Principal::Admin),
                "hub" => Ok(Principal::Hub),
                id => user("reporter_id", id).map(Principal::User),
            })
            .transpose()?,
        from,
        to,
        order: match question.order.unwrap_or_default() {
            "" | "desc" => Order::Descending,
            "asc" => Order::Ascending,
            _ => return Err(Invalid::new("order", "must be desc or asc")),
        },
        after: given(question.cursor)
            .map(|text| position("cursor", text))
            .transpose()?,
        limit: limit(question.limit)?,
    })
}

fn limit(text: Option<&str>) -> Result<usize, Invalid> {
    let Some(text) = given(text) else {
        return Ok(limits::PAGE_EVENTS_USUAL);
    };
    let wrong = || Invalid::new("limit", "must be a number from 1 to 1000");
    let number: usize = text.parse().map_err(|_| wrong())?;
    if (1..=limits::PAGE_EVENTS_MOST).contains(&number) {
        Ok(number)
    } else {
        Err(wrong())
    }
}

pub(super) fn position(field: &'static str, text: &str) -> Result<Position, Invalid> {
    let bytes = BASE64.decode(text).ok();
    let position = bytes.and_then(|bytes| Position::from_bytes(&bytes));
    position.ok_or_else(|| Invalid::new(field, "must be the id of an event or the next of a page"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_question_says_what_would_be_right() {
        let ask = |question: EventQuestion<'_>| parse(&question).unwrap_err().to_string();
        let question = EventQuestion::default();
        assert_eq!(
            ask(EventQuestion {
                limit: Some("0"),
                ..question
            }),
            "limit: must be a number from 1 to 1000"
        );
        assert_eq!(
            ask(EventQuestion {
                order: Some("up"),
                ..question
            }),
            "order: must be desc or asc"
        );
        assert_eq!(
            ask(EventQuestion {
                cursor: Some("x"),
                ..question
            }),
            "cursor: must be the id of an event or the next of a page"
        );
        assert_eq!(
            ask(EventQuestion {
                user_id: Some("x"),
                ..question
            }),
            "user_id: must be a UUID"
        );
        assert!(
            ask(EventQuestion {
                from: Some("2026-02-30"),
                ..question
            })
            .starts_with("from: must be a date")
        );
        let upside_down = EventQuestion {
            from: Some("2026-11-20"),
            to: Some("2026-11-19"),
            ..question
        };
        assert_eq!(ask(upside_down), "to: must lie after from");
    }

    #[test]
    fn what_is_not_said_asks_for_nothing_in_particular() {
        let query = parse(&EventQuestion {
            name: Some(""),
            ..EventQuestion::default()
        })
        .unwrap();
        assert_eq!(
            (query.name, query.limit, query.order),
            (None, 100, Order::Descending)
        );
    }
}
