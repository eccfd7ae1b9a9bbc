//! Writes an event as a line of JSON or of CSV (RFC 4180), straight into the buffer that is sent:
//! the speed of this code decides the speed of an export.

use super::cursor;
use crate::model::{EventRow, Principal, Timestamp, UserId};

/// The first line of CSV.
pub(super) const CSV_HEAD: &[u8] = b"id,at,name,user_id,reporter_id,details\r\n";

/// Writes events. It caches the text of the last moment, because many events share one.
#[derive(Default)]
pub(super) struct RowWriter {
    moment: Option<(Timestamp, String)>,
}

impl RowWriter {
    /// Writes an event as one line of JSON, without the line break at its end. Details are copied
    /// byte for byte, except that line breaks between their tokens become spaces.
    pub(super) fn json(&mut self, row: &EventRow<'_>, to: &mut Vec<u8>) {
        to.extend_from_slice(br#"{"id":""#);
        to.extend_from_slice(&cursor::chars(row.position));
        to.extend_from_slice(br#"","at":""#);
        to.extend_from_slice(self.moment(row.at));
        to.extend_from_slice(br#"","name":"#);
        // This cannot fail: every text can be written as JSON, and the buffer is in memory.
        let _ = serde_json::to_writer(&mut *to, row.name);
        to.extend_from_slice(br#","user_id":"#);
        quoted_or_null(row.subject, to);
        to.extend_from_slice(br#","reporter_id":"#);
        match row.reporter {
            Some(Principal::Admin) => to.extend_from_slice(br#""admin""#),
            Some(Principal::Hub) => to.extend_from_slice(br#""hub""#),
            Some(Principal::User(id)) => quoted_or_null(Some(id), to),
            Some(Principal::Machine(name)) => {
                to.extend_from_slice(br#""machine:"#);
                to.extend_from_slice(name.as_str().as_bytes());
                to.push(b'"');
            }
            None => quoted_or_null(None, to),
        }
        to.extend_from_slice(br#","details":"#);
        let start = to.len();
        to.extend_from_slice(row.details.unwrap_or("null").as_bytes());
        // Details are valid JSON, where line breaks occur only between tokens.
        for byte in to.iter_mut().skip(start) {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        to.push(b'}');
    }

    /// Writes an event as a CSV record, with the line break at its end. An absent value is an empty
    /// field.
    pub(super) fn csv(&mut self, row: &EventRow<'_>, to: &mut Vec<u8>) {
        to.extend_from_slice(&cursor::chars(row.position));
        to.push(b',');
        to.extend_from_slice(self.moment(row.at));
        to.push(b',');
        csv_field(row.name, to);
        to.push(b',');
        if let Some(id) = row.subject {
            uuid(id, to);
        }
        to.push(b',');
        match row.reporter {
            Some(Principal::Admin) => to.extend_from_slice(b"admin"),
            Some(Principal::Hub) => to.extend_from_slice(b"hub"),
            Some(Principal::User(id)) => uuid(id, to),
            Some(Principal::Machine(name)) => {
                to.extend_from_slice(b"machine:");
                to.extend_from_slice(name.as_str().as_bytes());
            }
            None => {}
        }
        to.push(b',');
        csv_field(row.details.unwrap_or_default(), to);
        to.extend_from_slice(b"\r\n");
    }

    fn moment(&mut self, at: Timestamp) -> &[u8] {
        if self.moment.as_ref().is_none_or(|(known, _)| *known != at) {
            self.moment = None;
        }
        let (_, text) = self.moment.get_or_insert_with(|| (at, at.rfc3339_millis()));
        text.as_bytes()
    }
}

fn quoted_or_null(id: Option<UserId>, to: &mut Vec<u8>) {
    match id {
        Some(id) => {
            to.push(b'"');
            uuid(id, to);
            to.push(b'"');
        }
        None => to.extend_from_slice(b"null"),
    }
}

fn uuid(id: UserId, to: &mut Vec<u8>) {
    let mut chars = [0; 36];
    to.extend_from_slice(id.0.hyphenated().encode_lower(&mut chars).as_bytes());
}

/// Writes a field, in quotes if necessary. A field that looks like a formula stays unchanged, so
/// that the export can be read back exactly.
fn csv_field(text: &str, to: &mut Vec<u8>) {
    let special = |byte: u8| matches!(byte, b'"' | b',' | b'\r' | b'\n');
    if !text.bytes().any(special) {
        return to.extend_from_slice(text.as_bytes());
    }
    to.push(b'"');
    let mut parts = text.split('"');
    to.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        to.extend_from_slice(b"\"\"");
        to.extend_from_slice(part.as_bytes());
    }
    to.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Position;

    fn row<'a>(name: &'a str, details: Option<&'a str>) -> EventRow<'a> {
        let at = Timestamp::from_millis(1_772_366_400_250);
        EventRow {
            position: Position {
                at,
                sequence: 1,
                index: 0,
                place: 0,
            },
            at,
            name,
            subject: Some(UserId::from_random([7; 16])),
            reporter: Some(Principal::Hub),
            details,
        }
    }

    fn csv(name: &str, details: Option<&str>) -> String {
        let mut line = Vec::new();
        RowWriter::default().csv(&row(name, details), &mut line);
        let line = String::from_utf8(line).unwrap();
        line.split_once("250Z,").unwrap().1.to_owned()
    }

    #[test]
    fn json_is_one_line_that_says_what_came_in() {
        let mut line = Vec::new();
        let details = "{\"a\" : 1.10,\r\n \"b\":\"\\n\"}";
        RowWriter::default().json(&row("a \"b\"\n", Some(details)), &mut line);
        let line = String::from_utf8(line).unwrap();
        assert!(!line.contains(['\r', '\n']));
        assert!(
            line.ends_with(r#""details":{"a" : 1.10,   "b":"\n"}}"#),
            "{line}"
        );
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["name"], "a \"b\"\n");
        assert_eq!(
            (&read["at"], &read["reporter_id"]),
            (&"2026-03-01T12:00:00.250Z".into(), &"hub".into())
        );
    }

    #[test]
    fn csv_is_quoted_where_it_must_be() {
        let id = "07070707-0707-4707-8707-070707070707";
        assert_eq!(csv("a", None), format!("a,{id},hub,\r\n"));
        assert_eq!(csv("=1+1", Some("{}")), format!("=1+1,{id},hub,{{}}\r\n"));
        assert_eq!(
            csv("a,\"b\"", Some("{\"a\":\n1}")),
            format!("\"a,\"\"b\"\"\",{id},hub,\"{{\"\"a\"\":\n1}}\"\r\n")
        );
    }
}
