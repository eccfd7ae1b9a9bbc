//! Details of events of one kind differ in their values only: what stays the same is said once, as a *shape*, and the values of
//! one place in it stand together, one column a place. That is what keeps years of events on a small disk.
//!
//! ```text
//! folded := shapes · { shape, as text with holes } · which shape each event has · { values of one hole of one shape, each ended by 0 }
//! ```
//!
//! A hole is a byte that JSON cannot hold in the raw: 0 for a string without its quotes, 1 for anything else that is no list
//! and no object. What is put together again is, byte for byte, what was taken apart.

use std::collections::HashMap;

use crate::store::sled::events::format::columns::Texts;
use crate::store::sled::events::format::varint::{put, put_bytes, take_bytes, take_len};

/// Where a string was.
const TEXT: u8 = 0;
/// Where a number, a truth value or a null was.
const WORD: u8 = 1;
/// Behind each value of a column.
const END: u8 = 0;
/// Shapes of one block. Details of further ones are one value of the last shape, which is a hole only.
const SHAPES: usize = 512;

/// The shape of a text, and the values that fill it.
#[derive(Default)]
struct Cut<'a> {
    shape: Vec<u8>,
    values: Vec<&'a [u8]>,
}

impl<'a> Cut<'a> {
    /// Takes a JSON text apart. None if it is none: a string without an end, a raw control character.
    fn cut(&mut self, text: &'a [u8]) -> Option<()> {
        self.shape.clear();
        self.values.clear();
        let mut rest = text;
        while let Some((&first, behind)) = rest.split_first() {
            match first {
                b'"' => {
                    let (string, after) = behind.split_at_checked(string_len(behind)?)?;
                    let (_, after) = after.split_first()?;
                    if after.trim_ascii_start().first() == Some(&b':') {
                        if string.iter().any(|byte| *byte <= WORD) {
                            return None;
                        }
                        self.shape.push(b'"');
                        self.shape.extend_from_slice(string);
                        self.shape.push(b'"');
                    } else {
                        self.shape.push(TEXT);
                        self.values.push(string);
                    }
                    rest = after;
                }
                b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                    let is_end = |byte: &u8| matches!(byte, b',' | b']' | b'}') || *byte <= b' ';
                    let length = rest.iter().position(is_end).unwrap_or(rest.len());
                    let (word, after) = rest.split_at_checked(length)?;
                    self.shape.push(WORD);
                    self.values.push(word);
                    rest = after;
                }
                TEXT | WORD => return None,
                other => {
                    self.shape.push(other);
                    rest = behind;
                }
            }
        }
        let is_whole = |value: &&[u8]| !value.contains(&END);
        self.values.iter().all(is_whole).then_some(())
    }

    /// Takes the text as one value.
    fn whole(&mut self, text: &'a [u8]) -> Option<()> {
        self.shape = vec![WORD];
        self.values = vec![text];
        (!text.contains(&END)).then_some(())
    }
}

/// How long a string is, up to the quote that ends it.
fn string_len(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// Folds texts. None: one of them holds a zero byte, which no JSON text does.
pub(crate) fn fold<'a>(texts: impl Iterator<Item = Option<&'a [u8]>>) -> Option<Vec<u8>> {
    let mut numbers: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut columns: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut shapes: Vec<u8> = Vec::new();
    let mut chosen: Vec<u8> = Vec::new();
    let mut cut = Cut::default();
    for text in texts {
        let Some(text) = text else {
            put(&mut chosen, 0);
            continue;
        };
        let is_cut = cut.cut(text).is_some();
        let is_full = numbers.len() + 1 >= SHAPES;
        if !is_cut || (is_full && !numbers.contains_key(&cut.shape)) {
            cut.whole(text)?;
        }
        let known = numbers.get(&cut.shape).copied();
        let number = known.unwrap_or_else(|| {
            put_bytes(&mut shapes, &cut.shape);
            columns.push(vec![Vec::new(); cut.values.len()]);
            numbers.insert(cut.shape.clone(), numbers.len());
            numbers.len() - 1
        });
        put(&mut chosen, number as u64 + 1);
        if let Some(columns) = columns.get_mut(number) {
            for (column, value) in columns.iter_mut().zip(&cut.values) {
                column.extend_from_slice(value);
                column.push(END);
            }
        }
    }
    let mut folded = Vec::new();
    put(&mut folded, numbers.len() as u64);
    folded.extend_from_slice(&shapes);
    put_bytes(&mut folded, &chosen);
    for column in columns.iter().flatten() {
        put_bytes(&mut folded, column);
    }
    Some(folded)
}

/// What was folded, of the events that are wanted: the length of each text + 1, 0 for none, as varints, and the texts behind each
/// other.
pub(crate) fn unfold(mut folded: &[u8], wanted: &[bool], room: &mut Texts) -> Option<()> {
    let count = take_len(&mut folded).filter(|count| *count <= SHAPES)?;
    let shapes: Vec<&[u8]> = (0..count)
        .map(|_| take_bytes(&mut folded))
        .collect::<Option<_>>()?;
    let mut chosen = take_bytes(&mut folded)?;
    let mut columns: Vec<Vec<&[u8]>> = Vec::with_capacity(count);
    for shape in &shapes {
        let holes = shape.iter().filter(|byte| **byte <= WORD).count();
        let column = (0..holes).map(|_| take_bytes(&mut folded));
        columns.push(column.collect::<Option<_>>()?);
    }
    for is_wanted in wanted {
        let Some(number) = take_len(&mut chosen)?.checked_sub(1) else {
            if *is_wanted {
                put(&mut room.lengths, 0);
            }
            continue;
        };
        let (shape, columns) = (shapes.get(number)?, columns.get_mut(number)?);
        if *is_wanted {
            let start = room.details.len();
            fill(shape, columns, &mut room.details)?;
            put(&mut room.lengths, (room.details.len() - start) as u64 + 1);
        } else {
            columns
                .iter_mut()
                .try_for_each(|column| value(column).map(drop))?;
        }
    }
    Some(())
}

/// Takes the next value off a column.
fn value<'a>(column: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = column.iter().position(|byte| *byte == END)?;
    let (value, rest) = column.split_at_checked(end)?;
    *column = rest.get(1..)?;
    Some(value)
}

/// Appends a shape with the next value of each column in its holes.
fn fill(shape: &[u8], columns: &mut [&[u8]], to: &mut Vec<u8>) -> Option<()> {
    let mut columns = columns.iter_mut();
    for piece in shape.split_inclusive(|byte| *byte <= WORD) {
        let (&last, text) = piece.split_last()?;
        if last > WORD {
            to.extend_from_slice(piece);
            continue;
        }
        to.extend_from_slice(text);
        let value = value(columns.next()?)?;
        if last == TEXT {
            to.push(b'"');
            to.extend_from_slice(value);
            to.push(b'"');
        } else {
            to.extend_from_slice(value);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folds(texts: &[Option<&str>]) -> usize {
        let folded = fold(texts.iter().map(|text| text.map(str::as_bytes))).unwrap();
        let mut room = Texts::default();
        unfold(&folded, &vec![true; texts.len()], &mut room).unwrap();
        let (mut lengths, details) = (room.lengths, room.details);
        let mut expected_lengths = Vec::new();
        for text in texts {
            put(
                &mut expected_lengths,
                text.map_or(0, |text| text.len() as u64 + 1),
            );
        }
        assert_eq!(lengths, expected_lengths, "{texts:?}");
        lengths.clear();
        let joined: String = texts.iter().flatten().copied().collect();
        assert_eq!(String::from_utf8(details).unwrap(), joined);
        folded.len()
    }

    #[test]
    fn what_is_unfolded_is_what_was_folded_byte_for_byte() {
        folds(&[]);
        folds(&[None, Some("{}"), None]);
        folds(&[
            Some(r#"{"a":1,"b":"x","c":[true,null,-1.5e+7,"y"],"d":{"e" : "f"}}"#),
            Some(r#"{"a": 1 , "b":"\"x\\","c":[] }"#),
            Some(r#"{"a":2,"b":"","c":[false,null,0,"\u0000"],"d":{"e" : "ü"}}"#),
            Some("{ \t\"a\"\n:1}"),
        ]);
        // Nothing of this is JSON, and nothing of it is lost.
        for odd in [
            "",
            "\"",
            "{\"a",
            "\"\\",
            "tru",
            "{\"a\":\u{1}}",
            "{\"\u{1}\":1}",
            "{,:}",
        ] {
            folds(&[Some(odd), None, Some(odd)]);
        }
        assert_eq!(fold([Some(&b"\0"[..])].into_iter()), None);
    }

    #[test]
    fn events_of_one_shape_cost_their_values() {
        let texts: Vec<String> = (0..100)
            .map(|number| format!(r#"{{"duration":{number},"map":"m","result":"won"}}"#))
            .collect();
        let texts: Vec<_> = texts.iter().map(|text| Some(text.as_str())).collect();
        assert!(folds(&texts) < 1_100);
    }

    #[test]
    fn more_shapes_than_a_block_may_have_are_kept_whole() {
        let texts: Vec<String> = (0..2 * SHAPES)
            .map(|number| format!(r#"{{"key_{number}":1}}"#))
            .collect();
        let texts: Vec<_> = texts.iter().map(|text| Some(text.as_str())).collect();
        folds(&texts);
    }

    #[test]
    fn only_what_is_wanted_is_put_together() {
        let texts = [r#"{"a":1}"#, r#"{"b":"x"}"#, r#"{"a":2}"#];
        let folded = fold(texts.iter().map(|text| Some(text.as_bytes()))).unwrap();
        let mut room = Texts::default();
        unfold(&folded, &[false, true, true], &mut room).unwrap();
        assert_eq!(room.details, br#"{"b":"x"}{"a":2}"#);
        assert_eq!(room.lengths, [10, 8]);
    }

    #[test]
    fn damage_is_noticed_and_never_a_panic() {
        let texts = [Some(&br#"{"a":1,"b":"x"}"#[..]), None, Some(br#"{"a":2}"#)];
        let folded = fold(texts.into_iter()).unwrap();
        for bit in 0..folded.len() * 8 {
            let mut bent = folded.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let _ = unfold(&bent, &[true, false, true], &mut Texts::default());
        }
        for length in 0..folded.len() {
            let read = unfold(&folded[..length], &[true; 3], &mut Texts::default());
            assert!(read.is_none(), "{length}");
        }
    }
}
