//! Tests of the source code itself: which module may use which, how long files, functions and
//! comments may be, and that the files and names in the architecture page exist.

mod circles;
mod imports;
mod lengths;
mod line;
mod walks;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path and its text.
pub(crate) type Source = (String, String);

/// The root directory of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder, sorted, without those in `.git` and `target`.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with(".git") || path == root().join("target") {
            continue;
        }
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Every Rust file below a folder of the repository; its path is relative to the folder.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
    let folder = root().join(folder);
    let named = |path: PathBuf| {
        let name = path.strip_prefix(&folder).unwrap().to_str().unwrap();
        (name.to_owned(), fs::read_to_string(&path).unwrap())
    };
    let rust = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "rs");
    let found: Vec<Source> = files_below(&folder)
        .into_iter()
        .filter(rust)
        .map(named)
        .collect();
    assert!(!found.is_empty());
    found
}

/// The text before its test module, which comes last in a file.
pub(crate) fn without_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod ")
        .next()
        .unwrap_or_default()
}
