//! Checks the length of files, functions and comment lines.

use std::fs;

use super::{Source, files_below, root, sources};

/// A file has at most this many lines.
const FILE_LINES: usize = 450;
/// A file of `src` with more lines counts as long.
const LONG_FILE_LINES: usize = 350;
/// At most this many files of `src` may be long.
const LONG_FILES: usize = 12;
/// The median length of the files of `src` is at most this many lines.
const MEDIAN_LINES: usize = 200;
/// A function must have fewer lines than this.
const FUNCTION_LINES: usize = 70;
/// A comment line has at most this many characters.
const COMMENT_COLUMNS: usize = 100;

/// Every Rust file of the repository, with its path relative to the root.
fn rust_files() -> Vec<Source> {
    let below = |folder: &'static str| {
        let named = move |(file, text)| (format!("{folder}/{file}"), text);
        sources(folder).into_iter().map(named)
    };
    ["src", "tests", "benches", "packaging"]
        .into_iter()
        .flat_map(below)
        .collect()
}

#[test]
fn files_are_short() {
    for (file, text) in rust_files() {
        let lines = text.lines().count();
        assert!(
            lines <= FILE_LINES,
            "{file} has {lines} lines: it is two ideas"
        );
    }
    let mut sources = sources("src");
    sources.sort_by_key(|(_, text)| text.lines().count());
    let median = sources[sources.len() / 2].1.lines().count();
    assert!(
        median <= MEDIAN_LINES,
        "half of the files have {median} lines or more"
    );
    let is_long = |source: &&Source| source.1.lines().count() > LONG_FILE_LINES;
    let long: Vec<&str> = sources
        .iter()
        .filter(is_long)
        .map(|it| it.0.as_str())
        .collect();
    assert!(
        long.len() <= LONG_FILES,
        "{} files have more than {LONG_FILE_LINES} lines: {long:?}",
        long.len()
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
        // A declaration or a one-line function may have no such brace.
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
    for (file, text) in rust_files() {
        for (line, length) in functions(&text) {
            seen += 1;
            let short = length < FUNCTION_LINES || is_declaration(&text, line);
            assert!(short, "{file}:{line}: a function of {length} lines");
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

/// The scripts and TOML files of the repository, which comment with `#`.
fn scripts() -> Vec<Source> {
    let read = |path: std::path::PathBuf| {
        let file = path
            .strip_prefix(root())
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let text = String::from_utf8(fs::read(&path).unwrap()).ok()?;
        let ending = path.extension().unwrap_or_default();
        let is_script = ending == "toml" || ending == "sh" || text.starts_with("#!/");
        is_script.then_some((file, text))
    };
    files_below(root()).into_iter().filter_map(read).collect()
}

#[test]
fn comments_are_narrow() {
    let rust = rust_files().into_iter().map(|source| (source, "//"));
    let scripts = scripts().into_iter().map(|source| (source, "#"));
    let mut wide = Vec::new();
    let mut seen = 0;
    for ((file, text), mark) in rust.chain(scripts) {
        for (number, line) in (1..).zip(text.lines()) {
            let behind_code = mark == "//" && line.contains(" // ");
            if !behind_code && !line.trim_start().starts_with(mark) {
                continue;
            }
            seen += 1;
            let columns = line.chars().count();
            if columns > COMMENT_COLUMNS {
                wide.push(format!("{file}:{number} has {columns} columns"));
            }
        }
    }
    assert!(seen > 1000, "the comments are found");
    assert!(wide.is_empty(), "{wide:#?}");
}
