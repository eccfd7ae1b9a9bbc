//! Checks that the files and names in the walks of `docs/architecture.md` exist.

use std::fs;

use super::root;
use super::words::{defines, words};

/// The page has at least this many stops.
const STOPS: usize = 16;

/// The stops of a page: in the rows of its tables and in the items of its lists, a Rust file in
/// backticks and then a name in backticks, with nothing but `·` or `|` between them.
fn stops(page: &str) -> Vec<(&str, &str)> {
    let mut stops = Vec::new();
    for line in page.lines().map(str::trim_start) {
        let item = line.trim_start_matches(|c: char| c.is_ascii_digit());
        if !["|", "- ", "* ", ". "]
            .iter()
            .any(|it| item.starts_with(it))
        {
            continue;
        }
        // Every second piece was in backticks.
        let pieces: Vec<&str> = line.split('`').collect();
        for at in (1..pieces.len()).step_by(2) {
            let is_file = pieces[at].strip_suffix(".rs").is_some();
            if let (true, Some(["·" | "|", name])) = (is_file, between(&pieces, at)) {
                stops.push((pieces[at], name));
            }
        }
    }
    stops
}

/// The text after the piece `at`, trimmed, and the next piece in backticks.
fn between<'a>(pieces: &[&'a str], at: usize) -> Option<[&'a str; 2]> {
    Some([pieces.get(at + 1)?.trim(), pieces.get(at + 2)?])
}

#[test]
fn stops_are_read_from_tables_and_lists() {
    let page = "See `src/main.rs` · `main`.\n\n\
                1. `src/a.rs` · `f()` runs\n- it is in `src/b.rs` · `S::g`\n\
                | 3 | `src/c.rs` | `E` |\n\
                - `src/d.rs` and `x`";
    let expected = [("src/a.rs", "f()"), ("src/b.rs", "S::g"), ("src/c.rs", "E")];
    assert_eq!(stops(page), expected);
}

#[test]
fn the_stops_of_the_architecture_page_are_there() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let stops = stops(&page);
    assert!(stops.len() >= STOPS, "the page has {} stops", stops.len());
    let mut wrong = Vec::new();
    for (file, name) in stops {
        let Ok(text) = fs::read_to_string(root().join(file)) else {
            wrong.push(format!("{file} is not there"));
            continue;
        };
        let words = words(&text);
        // `Type::method` names two things that the file defines.
        let mut parts = name.trim_end_matches("()").split("::");
        if !parts.all(|part| defines(&words, part)) {
            wrong.push(format!("{file} does not define {name}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
