//! Parses the query parameters of the routes of events.

use super::cursor;
use crate::api::admin::query;
use crate::http::QueryString;
use crate::model::{EventQuery, Invalid, Order, Principal};

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

/// The query for the events that a request asks for, with no limit on their number. `order` applies
/// unless the request names an order.
pub(super) fn events(asked: &QueryString, order: Order) -> Result<EventQuery, Invalid> {
    let (from, to) = query::range(asked)?;
    Ok(EventQuery {
        name: asked.get("name").map(str::to_owned),
        subject: query::user(asked, "user_id")?,
        reporter: asked.get("reporter_id").map(parse_reporter).transpose()?,
        from,
        to,
        order: query::order(asked, order)?,
        after: asked
            .get("cursor")
            .map(|text| cursor::parse("cursor", text.as_bytes()))
            .transpose()?,
        limit: usize::MAX,
    })
}

fn parse_reporter(text: &str) -> Result<Principal, Invalid> {
    let why = "must be admin, hub, machine:NAME, or the id of a user";
    Principal::parse(text).ok_or_else(|| Invalid::new("reporter_id", why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::RequestQuery;

    fn read(text: &str) -> Result<EventQuery, String> {
        let read = || {
            let asked = QueryString::parse(text, RequestQuery::Closed(LISTED))?;
            Ok(EventQuery {
                limit: query::limit(&asked)?,
                ..events(&asked, Order::Descending)?
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
        assert_eq!(
            why("reporter_id=x"),
            "reporter_id: must be admin, hub, machine:NAME, or the id of a user"
        );
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
    }
}
