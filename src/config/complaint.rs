//! The mistakes in a configuration: all of them are collected, each as a sentence with its place.
//! No sentence contains a secret.

use std::fmt;
use std::path::{Path, PathBuf};

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Its line, counted from 1; none if it concerns the whole file.
    pub line: Option<usize>,
    /// Its column in characters, counted from 1; none if it concerns the whole file.
    pub column: Option<usize>,
    /// A sentence that says what is wrong and what is allowed.
    pub sentence: String,
}

impl Complaint {
    /// A complaint about the place `offset` bytes into `text`.
    pub(super) fn at(text: &str, offset: usize, sentence: String) -> Complaint {
        let (line, column) = position(text, offset);
        Complaint {
            line: Some(line),
            column: Some(column),
            sentence,
        }
    }

    /// A complaint about the file as a whole.
    pub(super) fn whole(sentence: String) -> Complaint {
        Complaint {
            line: None,
            column: None,
            sentence,
        }
    }
}

/// All mistakes in one configuration, in the order of their lines. Printed one per line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaints {
    file: Option<PathBuf>,
    list: Vec<Complaint>,
}

impl Complaints {
    /// Sorts the mistakes of `file` by line; those about the whole file come last.
    pub(super) fn new(file: Option<&Path>, mut list: Vec<Complaint>) -> Complaints {
        list.sort_by_key(|it| (it.line.unwrap_or(usize::MAX), it.column));
        Complaints {
            file: file.map(Path::to_owned),
            list,
        }
    }

    /// The mistakes as `FILE:LINE: sentence`.
    pub fn lines(&self) -> Vec<String> {
        let line = |complaint: &Complaint| {
            let sentence = &complaint.sentence;
            match (self.file.as_ref().map(|it| it.display()), complaint.line) {
                (Some(file), Some(line)) => format!("{file}:{line}: {sentence}"),
                (Some(file), None) => format!("{file}: {sentence}"),
                (None, Some(line)) => format!("line {line}: {sentence}"),
                (None, None) => sentence.clone(),
            }
        };
        self.list.iter().map(line).collect()
    }

    /// The mistakes, in the order of their lines.
    pub fn list(&self) -> &[Complaint] {
        &self.list
    }
}

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

impl std::error::Error for Complaints {}

/// The line and column, both counted from 1, of the byte at `offset`. An offset beyond the end
/// means the end.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..text.floor_char_boundary(offset)).unwrap_or(text);
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |line| line.chars().count())
        + 1;
    (before.matches('\n').count() + 1, column)
}

/// The known name that `name` most likely stands for: one with the same last part in another
/// section, or else the one with the smallest edit distance, if that is small.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let last = |key: &str| key.rsplit('.').next().map(str::to_owned);
    let cost = |key: &str| (last(key) != last(name), distance(name, key));
    let ((elsewhere, distance), key) = known.map(|key| (cost(key), key)).min()?;
    (!elsewhere || distance <= 2.max(name.len() / 4)).then_some(key)
}

/// How many letters must be inserted, deleted or changed to turn `left` into `right` (Levenshtein
/// distance).
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (number, here) in left.chars().enumerate() {
        let mut cells = vec![number + 1];
        for ((there, diagonal), above) in right.chars().zip(&row).zip(row.iter().skip(1)) {
            let before = cells.last().copied().unwrap_or_default();
            cells.push(
                (diagonal + usize::from(here != there))
                    .min(above + 1)
                    .min(before + 1),
            );
        }
        row = cells;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        let text = "a = 1\nü = bad\n";
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, text.find("bad").unwrap()), (2, 5));
        assert_eq!(position(text, 999), (3, 1));
    }

    #[test]
    fn letters_to_change_are_counted() {
        for (left, right, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("log", "log", 0),
        ] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
            assert_eq!(distance(right, left), expected, "{right} {left}");
        }
    }

    #[test]
    fn the_nearest_name_is_offered_and_a_far_one_is_not() {
        let known = ["tokens.admin_lifetime", "tokens.hub_lifetime", "log.level"];
        let offer = |name| nearest(name, known.into_iter());
        assert_eq!(offer("tokens.admin_lifetme"), Some("tokens.admin_lifetime"));
        assert_eq!(offer("server.hub_lifetime"), Some("tokens.hub_lifetime"));
        assert_eq!(offer("storage.colour"), None);
    }
}
