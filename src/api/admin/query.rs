//! Parses the query parameters of the admin routes. An absent parameter means no filter, or the
//! default.

use super::cursor;
use crate::http::QueryString;
use crate::model::{EventQuery, Invalid, Order, Principal, Timestamp, UserId, Zone, limits};

/// The parameters of an export of events: its format, and those of the list. `limit` is accepted,
/// so that a query of the list can be exported as it is, but has no effect.
pub(super) const EXPORTED: &[&str] = &[
    "format",
    "name",
    "user_id",
    "reporter_id",
    "from",
    "to",
    "order",
    "limit",
    "cursor",
];
/// The parameters of the list of events.
pub(super) const LISTED: &[&str] = match EXPORTED {
    [_format, listed @ ..] => listed,
    [] => &[],
};

/// The user that a parameter names.
pub(super) fn user(query: &QueryString, name: &'static str) -> Result<Option<UserId>, Invalid> {
    query
        .get(name)
        .map(|text| parse_user(name, text))
        .transpose()
}

/// The moment that a parameter names: RFC 3339, or a date, which means its first moment in `zone`.
pub(super) fn moment(
    query: &QueryString,
    name: &'static str,
    zone: Zone,
) -> Result<Option<Timestamp>, Invalid> {
    query
        .get(name)
        .map(|text| parse_moment(name, text, zone))
        .transpose()
}

/// The time zone that `tz` names; UTC without it.
pub(super) fn zone(query: &QueryString) -> Result<Zone, Invalid> {
    query.get("tz").map_or(Ok(Zone::default()), parse_zone)
}

/// The parameter `limit`: how many events a page has at most.
pub(super) fn limit(query: &QueryString) -> Result<usize, Invalid> {
    query
        .get("limit")
        .map_or(Ok(limits::PAGE_EVENTS_USUAL), parse_limit)
}

/// The query for the events that a request asks for, with no limit on their number. `order` applies
/// unless the request names an order.
pub(super) fn events(query: &QueryString, order: Order) -> Result<EventQuery, Invalid> {
    let from = moment(query, "from", Zone::default())?;
    let to = moment(query, "to", Zone::default())?;
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(Invalid::new("to", "must lie after from"));
    }
    Ok(EventQuery {
        name: query.get("name").map(str::to_owned),
        subject: user(query, "user_id")?,
        reporter: query.get("reporter_id").map(parse_reporter).transpose()?,
        from,
        to,
        order: query.get("order").map_or(Ok(order), parse_order)?,
        after: query
            .get("cursor")
            .map(|text| cursor::parse("cursor", text.as_bytes()))
            .transpose()?,
        limit: usize::MAX,
    })
}

fn parse_user(field: &'static str, text: &str) -> Result<UserId, Invalid> {
    UserId::parse(text).ok_or_else(|| Invalid::new(field, "must be a UUID"))
}

fn parse_reporter(text: &str) -> Result<Principal, Invalid> {
    match text {
        "admin" => Ok(Principal::Admin),
        "hub" => Ok(Principal::Hub),
        id => parse_user("reporter_id", id).map(Principal::User),
    }
}

fn parse_order(text: &str) -> Result<Order, Invalid> {
    match text {
        "desc" => Ok(Order::Descending),
        "asc" => Ok(Order::Ascending),
        _ => Err(Invalid::new("order", "must be desc or asc")),
    }
}

fn parse_limit(text: &str) -> Result<usize, Invalid> {
    let most = limits::PAGE_EVENTS_MOST;
    let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| Invalid::new("limit", format!("must be a number from 1 to {most}")))
}

fn parse_moment(field: &'static str, text: &str, zone: Zone) -> Result<Timestamp, Invalid> {
    zone.read(&with_plus(text)).ok_or_else(|| {
        let why = "must be a date, 2026-11-20, or a moment, 2026-11-20T12:00:00Z";
        Invalid::new(field, why)
    })
}

fn parse_zone(text: &str) -> Result<Zone, Invalid> {
    Zone::parse(&with_plus(text)).ok_or_else(|| {
        let why = "must be Z, an offset, +02:00, or a zone of the IANA data base, Europe/Berlin";
        Invalid::new("tz", why)
    })
}

/// Restores a `+` that was not escaped and arrived as a space: `12:00:00 02:00` can only mean
/// `12:00:00+02:00`.
fn with_plus(text: &str) -> String {
    match text.len().checked_sub("+02:00".len()) {
        Some(at) if text.as_bytes().get(at) == Some(&b' ') => {
            let (head, tail) = text.split_at(at);
            format!("{head}+{}", tail.trim_start())
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::RequestQuery;

    fn read(text: &str) -> Result<EventQuery, String> {
        let read = || {
            let query = QueryString::parse(text, RequestQuery::Closed(LISTED))?;
            Ok(EventQuery {
                limit: limit(&query)?,
                ..events(&query, Order::Descending)?
            })
        };
        read().map_err(|invalid: Invalid| invalid.to_string())
    }

    #[test]
    fn a_wrong_query_says_what_would_be_right() {
        let why = |text| read(text).unwrap_err();
        assert_eq!(why("limit=0"), "limit: must be a number from 1 to 1000");
        assert_eq!(why("order=up"), "order: must be desc or asc");
        assert_eq!(
            why("cursor=x"),
            "cursor: must be the id of an event or the next of a page"
        );
        assert_eq!(why("user_id=x"), "user_id: must be a UUID");
        assert_eq!(why("reporter_id=x"), "reporter_id: must be a UUID");
        assert!(why("from=2026-02-30").starts_with("from: must be a date"));
        assert_eq!(
            why("from=2026-11-20&to=2026-11-19"),
            "to: must lie after from"
        );
    }

    #[test]
    fn what_is_not_said_asks_for_nothing_in_particular() {
        let query = read("").unwrap();
        assert_eq!(
            (query.name, query.limit, query.order),
            (None, 100, Order::Descending)
        );
        let nothing = QueryString::default();
        assert_eq!(moment(&nothing, "from", Zone::default()), Ok(None));
        assert_eq!(zone(&nothing), Ok(Zone::default()));
    }

    #[test]
    fn an_offset_may_have_lost_its_plus_on_the_way() {
        assert_eq!(parse_zone(" 02:00"), parse_zone("+02:00"));
        let moment = |text| parse_moment("from", text, Zone::default()).unwrap();
        assert_eq!(
            moment("2026-11-20T12:00:00 02:00"),
            moment("2026-11-20T10:00:00Z")
        );
        for text in ["  2:00", "ä 02:00x", " 0é:0", "2026-11-20 12:00"] {
            assert!(parse_zone(text).is_err(), "{text}");
        }
    }
}
