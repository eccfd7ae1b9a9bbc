//! Checks that files do not use each other in a circle, so that a reader can read the files that a
//! file uses before the file itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::imports::{Edge, edges};
use super::{Source, sources};

/// Every file that a file uses, directly or through others.
fn reached<'a>(from: &'a str, edges: &BTreeSet<Edge<'a>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        let next = edges.iter().filter(|it| it.from == file).map(|it| it.to);
        open.extend(next.filter(|to| reached.insert(*to)));
    }
    reached
}

/// The circles of a crate, each described as in `described`.
fn circles(root: &str, sources: &[Source]) -> Vec<String> {
    let mut edges = edges(root, sources);
    edges.retain(|edge| !edge.passed_on);
    let starts: BTreeSet<&str> = edges.iter().map(|edge| edge.from).collect();
    let reach: BTreeMap<&str, BTreeSet<&str>> = starts
        .into_iter()
        .map(|file| (file, reached(file, &edges)))
        .collect();
    let mut circles = BTreeSet::new();
    for (file, met) in &reach {
        let back = |other: &&&str| reach.get(**other).is_some_and(|it| it.contains(file));
        let circle: BTreeSet<&str> = met.iter().filter(back).copied().collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    circles
        .iter()
        .map(|files| described(files, &edges))
        .collect()
}

/// The number of files in a circle, and the names that each uses of each other file.
fn described(files: &BTreeSet<&str>, edges: &BTreeSet<Edge<'_>>) -> String {
    let mut uses: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    let inside = |edge: &&Edge<'_>| files.contains(edge.from) && files.contains(edge.to);
    for edge in edges.iter().filter(inside) {
        let names = uses.entry((edge.from, edge.to)).or_default();
        names.insert(edge.name);
    }
    let mut text = format!("a circle of {} files", files.len());
    for ((from, to), names) in uses {
        let names: Vec<&str> = names.into_iter().collect();
        write!(text, "\n  {from} -> {to}: {}", names.join(", ")).unwrap();
    }
    text
}

fn assert_no_circles(root: &str, sources: &[Source]) {
    let found = circles(root, sources);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn no_source_files_use_each_other_in_a_circle() {
    let sources = sources("src");
    assert!(edges("lib.rs", &sources).len() > 500, "the uses are found");
    assert_no_circles("lib.rs", &sources);
}

#[test]
fn no_files_of_the_bench_use_each_other_in_a_circle() {
    let sources = sources("benches/compare");
    assert!(edges("main.rs", &sources).len() > 20, "the uses are found");
    assert_no_circles("main.rs", &sources);
}

/// The source files of a small crate.
fn files(files: &[(&str, &str)]) -> Vec<Source> {
    let owned = |(file, text): &(&str, &str)| ((*file).to_owned(), (*text).to_owned());
    files.iter().map(owned).collect()
}

#[test]
fn a_circle_is_found_through_a_re_export() {
    let room = "mod left;\nmod right;\npub use left::Left as Sinister;\npub use right::*;";
    let left = "use super::{\n    self as room,\n};\npub struct Left(room::Right);";
    let right = "pub struct Right;\npub fn of() { crate::room::Sinister::new(); }";
    let files = files(&[
        ("lib.rs", "pub mod room;"),
        ("room/mod.rs", room),
        ("room/left.rs", left),
        ("room/right.rs", right),
    ]);
    let circle = "a circle of 2 files\n  room/left.rs -> room/right.rs: Right\n  \
                  room/right.rs -> room/left.rs: Left";
    assert_eq!(circles("lib.rs", &files), [circle]);
}

#[test]
fn a_file_that_uses_its_own_re_export_is_part_of_a_circle() {
    let files = files(&[
        (
            "lib.rs",
            "mod child;\npub use child::Child;\npub struct Parent(Child);",
        ),
        (
            "child.rs",
            "use super::Parent;\npub struct Child(Box<Parent>);",
        ),
    ]);
    let circle = "a circle of 2 files\n  child.rs -> lib.rs: Parent\n  lib.rs -> child.rs: Child";
    assert_eq!(circles("lib.rs", &files), [circle]);
}

#[test]
fn no_circle_is_found_where_there_is_none() {
    let child = "//! See crate::Other.\nuse crate::Parent;\nuse sled::{Db, Other};\n\
                 pub struct Child;\nfn f(p: Parent) { p.other(\"crate::Other\") }\n\
                 \n#[cfg(test)]\nmod tests {\n    use crate::Other;\n}";
    let files = files(&[
        (
            "lib.rs",
            "mod child;\nmod other;\npub use child::Child;\npub use other::Other;\n\
             pub struct Parent;",
        ),
        ("child.rs", child),
        (
            "other.rs",
            "use crate::{Child, Parent};\npub struct Other { child: Child }",
        ),
    ]);
    assert!(circles("lib.rs", &files).is_empty());
    assert_eq!(
        edges("lib.rs", &files).len(),
        5,
        "two of them pass a name on"
    );
}
