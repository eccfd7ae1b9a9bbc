//! Checks which modules and folders of the store may use each other, and which files may name a
//! library.

use super::imports::{Edge, edges};
use super::{Source, sources, without_tests};

/// The modules of the crate: each may use itself and those to its right.
const LINE: [&str; 13] = [
    "main", "cli", "server", "api", "http", "service", "store", "config", "crypto", "world",
    "model", "metrics", "sync",
];

/// The rooms (folders) of `store/sled`, and which of them each may use. `root` is the files that
/// are in no folder below it.
const ROOMS: [(&str, &[&str]); 6] = [
    ("engine", &["engine"]),
    ("audit", &["audit", "engine", "root"]),
    ("accounts", &["accounts", "audit", "engine", "root"]),
    ("events/format", &["events/format", "engine"]),
    (
        "events",
        &["events", "events/format", "audit", "engine", "root"],
    ),
    (
        "root",
        &[
            "root",
            "accounts",
            "audit",
            "events",
            "events/format",
            "engine",
        ],
    ),
];

/// The files of the crate. `main.rs` is a crate of its own and calls ours by its name.
fn crate_sources() -> Vec<Source> {
    let mut sources = sources("src");
    for (file, text) in &mut sources {
        if file == "main.rs" {
            *text = text.replace("doorward::", "crate::");
        }
    }
    sources
}

/// The message for a use that breaks a rule.
fn shown(edge: &Edge<'_>) -> String {
    format!("{} uses {} of {}", edge.from, edge.name, edge.to)
}

#[test]
fn modules_use_only_what_stands_to_their_right() {
    let place = |file: &str| {
        let module = file.split(['/', '.']).next().unwrap();
        let place = LINE.iter().position(|known| *known == module);
        place.unwrap_or_else(|| panic!("{file} is not on the line"))
    };
    let sources = crate_sources();
    let edges = edges("lib.rs", &sources);
    let uses_right = |edge: &&Edge<'_>| place(edge.from) <= place(edge.to);
    let (right, wrong): (Vec<_>, Vec<_>) = edges.iter().partition(uses_right);
    let wrong: Vec<String> = wrong.into_iter().map(shown).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(
        right
            .iter()
            .any(|it| (it.from, it.to) == ("main.rs", "cli/mod.rs"))
    );
    assert!(right.len() > 500, "the uses are found");
}

/// The room of a file below `store/sled`; none for other files.
fn room(file: &str) -> Option<&str> {
    let file = file.strip_prefix("store/sled/")?;
    let folder = file.rsplit_once('/').map_or("root", |(folder, _)| folder);
    let known = |room: &&str| folder == *room || folder.starts_with(&format!("{room}/"));
    let mut rooms = ROOMS.iter().map(|(room, _)| *room);
    let found = rooms.find(known);
    assert!(found.is_some(), "{file} is in no room");
    found
}

#[test]
fn rooms_of_the_store_use_only_what_they_may() {
    let sources = crate_sources();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for edge in edges("lib.rs", &sources) {
        if let (Some(from), Some(to)) = (room(edge.from), room(edge.to)) {
            let (_, may) = ROOMS.iter().find(|(room, _)| *room == from).unwrap();
            seen += 1;
            if !may.contains(&to) {
                wrong.push(shown(&edge));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 200, "the uses are found");
}

#[test]
fn names_of_libraries_stay_where_they_belong() {
    for (library, home) in [
        ("sled", "store/sled/"),
        ("ring", "crypto/"),
        ("argon2", "crypto/"),
    ] {
        for (file, text) in sources("src")
            .iter()
            .filter(|(file, _)| !file.starts_with(home))
        {
            let names = |line: &&str| {
                line.starts_with(&format!("use {library}::"))
                    || line.contains(&format!(" {library}::Db"))
            };
            let found = without_tests(text).lines().find(names);
            // The TLS provider is also ring, but the code names it through rustls.
            assert_eq!(found, None, "{file} names {library}");
        }
    }
}

#[test]
fn only_the_clock_of_the_service_reads_the_wall_clock() {
    let reads = |(_, text): &&Source| without_tests(text).contains("clock.now()");
    let sources = sources("src");
    let readers: Vec<&str> = sources
        .iter()
        .filter(reads)
        .map(|it| it.0.as_str())
        .collect();
    assert_eq!(readers, ["service/clock.rs"]);
}
