//! Parses the query parameters that several lists of the admin API share. An absent parameter means
//! no filter, or the default.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::http::QueryString;
use crate::model::{Invalid, Order, Timestamp, UserId, Zone, limits};

/// The user that a parameter names.
pub(super) fn user(query: &QueryString, name: &'static str) -> Result<Option<UserId>, Invalid> {
    query
        .get(name)
        .map(|text| parse_user(name, text))
        .transpose()
}

/// The id of a user, which the error calls `field`.
pub(super) fn parse_user(field: &'static str, text: &str) -> Result<UserId, Invalid> {
    UserId::parse(text).ok_or_else(|| Invalid::new(field, "must be a UUID"))
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

/// The moments `from` and `to` in UTC, of which `to` is the later one.
pub(super) fn range(
    query: &QueryString,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Invalid> {
    let from = moment(query, "from", Zone::default())?;
    let to = moment(query, "to", Zone::default())?;
    match (from, to) {
        (Some(from), Some(to)) if from >= to => Err(Invalid::new("to", "must lie after from")),
        range => Ok(range),
    }
}

/// The time zone that `tz` names; UTC without it.
pub(super) fn zone(query: &QueryString) -> Result<Zone, Invalid> {
    query.get("tz").map_or(Ok(Zone::default()), parse_zone)
}

/// The parameter `limit`: how many rows a page has at most.
pub(super) fn limit(query: &QueryString) -> Result<usize, Invalid> {
    query
        .get("limit")
        .map_or(Ok(limits::PAGE_ROWS_USUAL), parse_limit)
}

/// The parameter `order`, or this one.
pub(super) fn order(query: &QueryString, usual: Order) -> Result<Order, Invalid> {
    match query.get("order") {
        None => Ok(usual),
        Some("desc") => Ok(Order::Descending),
        Some("asc") => Ok(Order::Ascending),
        Some(_) => Err(Invalid::new("order", "must be desc or asc")),
    }
}

/// A true or false parameter.
pub(super) fn flag(query: &QueryString, name: &'static str) -> Result<Option<bool>, Invalid> {
    match query.get(name) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Invalid::new(name, "must be true or false")),
    }
}

/// The place where the next page begins, as clients get it: base64 for URLs of bytes whose meaning
/// only the list knows.
pub(super) fn cursor_text(place: &[u8]) -> String {
    BASE64.encode(place)
}

/// The bytes of the parameter `cursor`, which came from `cursor_text` if the client did not make it
/// up: the list checks them.
pub(super) fn cursor(query: &QueryString) -> Result<Option<Vec<u8>>, Invalid> {
    let Some(text) = query.get("cursor") else {
        return Ok(None);
    };
    let place = BASE64.decode(text);
    place.map(Some).map_err(|_| bad_cursor())
}

/// The place that `cursor` names, as `read` understands its text.
pub(super) fn place<T>(
    query: &QueryString,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Invalid> {
    let Some(bytes) = cursor(query)? else {
        return Ok(None);
    };
    let place = str::from_utf8(&bytes).ok().and_then(read);
    place.map(Some).ok_or_else(bad_cursor)
}

/// The text that `cursor_text` made an id of.
pub(super) fn decoded(id: &str) -> Option<String> {
    String::from_utf8(BASE64.decode(id).ok()?).ok()
}

/// The error for a cursor that no list gave out.
pub(super) fn bad_cursor() -> Invalid {
    Invalid::new("cursor", "must be the next of a page")
}

fn parse_limit(text: &str) -> Result<usize, Invalid> {
    let most = limits::PAGE_ROWS_MOST;
    let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| Invalid::new("limit", format!("must be a number from 1 to {most}")))
}

/// A moment, which the error calls `field`.
pub(super) fn parse_moment(
    field: &'static str,
    text: &str,
    zone: Zone,
) -> Result<Timestamp, Invalid> {
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

    #[test]
    fn what_is_not_said_asks_for_nothing_in_particular() {
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
