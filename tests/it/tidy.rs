//! Holds the code to its own rules: who may import whom, and how long things may be.

use std::fs;
use std::path::{Path, PathBuf};

/// Who may use whom: each of them those to its right.
const LINE: [&str; 11] = [
    "main", "cli", "server", "api", "http", "service", "store", "config", "crypto", "world",
    "model",
];
/// The longest file.
const FILE_LINES: usize = 450;
/// A file in the middle.
const MEDIAN_LINES: usize = 200;
/// A function must be shorter.
const FUNCTION_LINES: usize = 70;

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Every source file below a folder of the repository, with its path and text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths = Vec::new();
    files_below(&root, &mut paths);
    paths.sort();
    assert!(!paths.is_empty());
    let named = |path: PathBuf| {
        let name = path
            .strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    paths.into_iter().map(named).collect()
}

/// The text without its tests, which stand last.
fn without_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod ")
        .next()
        .unwrap_or_default()
}

/// The modules of the crate that a text names, with their lines. Comments do not count.
fn uses(text: &str) -> Vec<(usize, String)> {
    let mut uses = Vec::new();
    for (line, code) in (1..).zip(text.lines()) {
        let code = code.split("//").next().unwrap_or_default();
        // `main.rs` is a crate of its own and calls ours by its name.
        for start in ["crate::", "doorward::"] {
            for (at, _) in code.match_indices(start) {
                let rest = &code[at + start.len()..];
                let whole = rest
                    .strip_prefix('{')
                    .and_then(|it| it.split('}').next())
                    .unwrap_or(rest);
                let names = whole
                    .split(',')
                    .map(|name| name.trim().split([':', ';', ' ', ')']).next());
                let group = if rest.starts_with('{') { usize::MAX } else { 1 };
                uses.extend(
                    names
                        .take(group)
                        .flatten()
                        .map(|name| (line, name.to_owned())),
                );
            }
        }
    }
    uses
}

#[test]
fn modules_use_only_what_stands_to_their_right() {
    let place = |name: &str| LINE.iter().position(|known| *known == name);
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (file, text) in sources("src") {
        let module = file.split(['/', '.']).next().unwrap();
        if module == "lib" {
            continue;
        }
        let from = place(module).unwrap_or_else(|| panic!("{file} is not on the line"));
        for (line, used) in uses(without_tests(&text)) {
            seen += 1;
            match place(&used) {
                Some(to) if to < from => wrong.push(format!("{file}:{line} uses {used}")),
                Some(_) => {}
                None => wrong.push(format!(
                    "{file}:{line} uses {used}, which is not on the line"
                )),
            }
        }
    }
    assert!(seen > 100, "the uses are found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn names_of_libraries_stay_where_they_belong() {
    for (library, home) in [
        ("sled", "store/sled/"),
        ("ring", "crypto.rs"),
        ("argon2", "crypto.rs"),
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
            // The provider of TLS is ring under rustls' name.
            assert_eq!(found, None, "{file} names {library}");
        }
    }
}

#[test]
fn files_are_short() {
    let mut lengths = Vec::new();
    for folder in ["src", "tests"] {
        for (file, text) in sources(folder) {
            let lines = text.lines().count();
            assert!(
                lines <= FILE_LINES,
                "{folder}/{file} has {lines} lines: it is two ideas"
            );
            if folder == "src" {
                lengths.push(lines);
            }
        }
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(
        median <= MEDIAN_LINES,
        "half of the files have {median} lines or more"
    );
}

/// The functions of a text by their formatting: from `fn` to the closing brace in the same column.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut functions = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words = [
            "fn ",
            "pub fn ",
            "async fn ",
            "pub async fn ",
            "const fn ",
            "pub const fn ",
        ];
        let scoped = code.starts_with("pub(") && code.contains(" fn ");
        if !scoped && !words.iter().any(|word| code.starts_with(word)) {
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let length = lines[start..].iter().position(|line| *line == end);
        // Without such a brace it is a declaration, or it stands in one line.
        let until_blank = lines[start..]
            .iter()
            .position(|line| line.ends_with(';') || line.ends_with('}'));
        if let (Some(length), Some(_)) = (length, until_blank) {
            functions.push((start + 1, length + 1));
        }
    }
    functions
}

#[test]
fn functions_are_short() {
    let mut seen = 0;
    for folder in ["src", "tests"] {
        for (file, text) in sources(folder) {
            for (line, length) in functions(&text) {
                seen += 1;
                let short = length < FUNCTION_LINES || is_declaration(&text, line);
                assert!(
                    short,
                    "{folder}/{file}:{line}: a function of {length} lines"
                );
            }
        }
    }
    assert!(seen > 500, "the functions are found");
}

/// Whether the function that begins in this line has no body of its own.
fn is_declaration(text: &str, line: usize) -> bool {
    let rest = text.lines().skip(line - 1);
    let head: String = rest.take_while(|line| !line.trim().is_empty()).collect();
    let end = head.find(['{', ';']).unwrap_or_default();
    head[end..].starts_with(';')
}
