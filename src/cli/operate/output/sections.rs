//! Nested fields for people: an indented part for each object, and numbers in units that fit.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::text;

/// A line for each field that has a value, and a part for each object. Lists are left out.
pub(in crate::cli::operate) fn sections(value: &Value) -> String {
    let mut lines = String::new();
    if let Some(fields) = value.as_object() {
        write_fields(fields, "", &mut lines);
        let objects = fields
            .iter()
            .filter_map(|(key, value)| Some((key, value.as_object()?)));
        for (key, fields) in objects {
            // Writing to memory cannot fail.
            let _ = writeln!(lines, "{}", words(key));
            write_fields(fields, "  ", &mut lines);
        }
    }
    lines
}

fn write_fields(fields: &Map<String, Value>, indent: &str, to: &mut String) {
    for (key, value) in fields {
        if let Some((key, value)) = shown(key, value) {
            let _ = writeln!(to, "{indent}{}: {value}", words(key));
        }
    }
}

/// A field without its unit in the key, and with it in the value.
fn shown<'a>(key: &'a str, value: &Value) -> Option<(&'a str, String)> {
    if let (Some(key), Some(bytes)) = (key.strip_suffix("_bytes"), value.as_f64()) {
        return Some((key, in_bytes(bytes)));
    }
    if let (Some(key), Some(micros)) = (key.strip_suffix("_micros"), value.as_f64()) {
        return Some((key, format!("{:.1} ms", micros / 1_000.0)));
    }
    if let (Some(key), Some(seconds)) = (key.strip_suffix("_seconds"), value.as_u64()) {
        return Some((key, span(seconds)));
    }
    match value {
        Value::Null | Value::Object(_) | Value::Array(_) => None,
        other => Some((key, text(other))),
    }
}

fn words(key: &str) -> String {
    key.replace('_', " ")
}

/// A number of bytes in the largest unit that fits.
pub(in crate::cli::operate) fn in_bytes(mut value: f64) -> String {
    let mut units = ["B", "KiB", "MiB", "GiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    let digits = usize::from(unit != "B");
    format!("{value:.digits$} {unit}")
}

/// A time in its two largest units.
fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        86_400.. => format!("{days} d {} h", hours % 24),
        3_600.. => format!("{hours} h {} min", minutes % 60),
        60.. => format!("{minutes} min {} s", seconds % 60),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_parts_and_numbers_have_units() {
        let value = json!({
            "store": {"disk_bytes": 1536, "users": null, "flush_mean_micros": 900},
            "uptime_seconds": 7_260,
            "days": [1, 2],
        });
        assert_eq!(
            sections(&value),
            "uptime: 2 h 1 min\nstore\n  disk: 1.5 KiB\n  flush mean: 0.9 ms\n"
        );
    }

    #[test]
    fn numbers_have_a_unit_that_fits() {
        assert_eq!(in_bytes(7.0), "7 B");
        assert_eq!(
            in_bytes(5.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0),
            "5120.0 GiB"
        );
        assert_eq!(span(59), "59 s");
        assert_eq!(span(61), "1 min 1 s");
        assert_eq!(span(93_600), "1 d 2 h");
    }
}
