//! What questions have in common: values that may be left out, users, moments and zones.

use crate::model::{Invalid, Timestamp, UserId, Zone};

/// A value that was given: one that is empty was not.
pub(super) fn given(value: Option<&str>) -> Option<&str> {
    value.filter(|text| !text.is_empty())
}

/// The user that a field names.
pub(super) fn user(field: &'static str, text: &str) -> Result<UserId, Invalid> {
    UserId::parse(text).ok_or_else(|| Invalid::new(field, "must be a UUID"))
}

/// The moment that a field names: RFC 3339, or a date, which is its first moment in `zone`. What is none or empty names none.
pub(super) fn moment(
    field: &'static str,
    text: Option<&str>,
    zone: Zone,
) -> Result<Option<Timestamp>, Invalid> {
    let Some(text) = given(text) else {
        return Ok(None);
    };
    let moment = zone.read(&with_plus(text)).ok_or_else(|| {
        Invalid::new(
            field,
            "must be a date, 2026-11-20, or a moment, 2026-11-20T12:00:00Z",
        )
    })?;
    Ok(Some(moment))
}

/// The zone that a question names; UTC if it names none.
pub(super) fn zone(text: Option<&str>) -> Result<Zone, Invalid> {
    let Some(text) = given(text) else {
        return Ok(Zone::default());
    };
    Zone::parse(&with_plus(text)).ok_or_else(|| {
        Invalid::new(
            "tz",
            "must be Z, an offset, +02:00, or a zone of the IANA data base, Europe/Berlin",
        )
    })
}

/// A `+` that was not escaped arrives as a space: `12:00:00 02:00` can only have meant `12:00:00+02:00`.
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
    fn an_offset_may_have_lost_its_plus_on_the_way() {
        assert_eq!(zone(Some(" 02:00")), zone(Some("+02:00")));
        let read = |text| moment("from", Some(text), Zone::default()).unwrap();
        assert_eq!(
            read("2026-11-20T12:00:00 02:00"),
            read("2026-11-20T10:00:00Z")
        );
        for text in ["  2:00", "ä 02:00x", " 0é:0", "2026-11-20 12:00"] {
            assert!(zone(Some(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_said_is_no_moment_and_utc() {
        assert_eq!(moment("from", Some(""), Zone::default()), Ok(None));
        assert_eq!(zone(None), Ok(Zone::default()));
    }
}
