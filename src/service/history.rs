//! Questions about events, as an administrator asks them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::moment::moment;
use super::{Refusal, Services};
use crate::model::{EventPage, EventQuery, Holder, Invalid, Order, Position, UserId, Zone, limits};

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
    /// The `next` of an earlier page.
    pub cursor: Option<&'a str>,
}

impl Services {
    /// A page of events.
    pub async fn read_events(&self, question: EventQuestion<'_>) -> Result<EventPage, Refusal> {
        let query = parse(&question)?;
        Ok(self.store.read_events(query).await?)
    }
}

/// A position as clients see it: the id of an event, and the cursor behind it.
pub fn position_text(position: Position) -> String {
    BASE64.encode(position.to_bytes())
}

fn parse(question: &EventQuestion<'_>) -> Result<EventQuery, Invalid> {
    let given = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(str::to_owned);
    let from = moment("from", question.from, Zone::default())?;
    let to = moment("to", question.to, Zone::default())?;
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(Invalid::new("to", "must lie after from"));
    }
    Ok(EventQuery {
        name: given(question.name),
        subject: given(question.user_id)
            .map(|text| user("user_id", &text))
            .transpose()?,
        reporter: given(question.reporter_id)
            .map(|text| match text.as_str() {
                "admin" => Ok(Holder::Admin),
                "hub" => Ok(Holder::Hub),
                id => user("reporter_id", id).map(Holder::User),
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
            .map(|text| position(&text))
            .transpose()?,
        limit: limit(question.limit)?,
    })
}

fn user(field: &'static str, text: &str) -> Result<UserId, Invalid> {
    UserId::parse(text).ok_or_else(|| Invalid::new(field, "must be a UUID"))
}

fn limit(text: Option<&str>) -> Result<usize, Invalid> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
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

fn position(text: &str) -> Result<Position, Invalid> {
    let bytes = BASE64.decode(text).ok();
    let position = bytes.and_then(|bytes| Position::from_bytes(&bytes));
    position.ok_or_else(|| Invalid::new("cursor", "must be the next of an earlier page"))
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
            "cursor: must be the next of an earlier page"
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
