//! Folds the details of events, so that years of events fit on a small disk. Details of one kind of
//! event differ only in their values: the common text is stored once, as a *template*, and the
//! values of each placeholder in it are stored together, in one column.
//!
//! ```text
//! folded := number of templates · { template, as text with placeholders }
//!           · for each event, the number of its template + 1, or 0 without details
//!           · { values of one placeholder of one template, each ended by 0 }
//! ```
//!
//! A placeholder is a byte that JSON cannot hold unescaped: 0 for a string without its quotes, 1
//! for any other value that is no list and no object. Decoding restores every text byte for byte.

use std::collections::HashMap;

use crate::store::sled::events::format::columns::DetailsBuffer;
use crate::store::sled::events::format::varint::{put, put_bytes, take_bytes, take_len};

/// The placeholder of a string.
const TEXT: u8 = 0;
/// The placeholder of a number, a truth value or a null.
const WORD: u8 = 1;
/// Ends each value of a column.
const END: u8 = 0;
/// The largest number of templates in one block. Details that need a further one are stored whole,
/// as one value of the template that is only a placeholder.
const TEMPLATES: usize = 512;

/// The template of a text, and the values that fill it.
#[derive(Default)]
struct Split<'a> {
    template: Vec<u8>,
    values: Vec<&'a [u8]>,
}

impl<'a> Split<'a> {
    /// Splits a JSON text into template and values. None if the text is not JSON: a string has no
    /// end, or a raw 0 or 1 would be read as a placeholder or an end.
    fn cut(&mut self, text: &'a [u8]) -> Option<()> {
        self.template.clear();
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
                        self.template.push(b'"');
                        self.template.extend_from_slice(string);
                        self.template.push(b'"');
                    } else {
                        self.template.push(TEXT);
                        self.values.push(string);
                    }
                    rest = after;
                }
                b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                    let is_end = |byte: &u8| matches!(byte, b',' | b']' | b'}') || *byte <= b' ';
                    let length = rest.iter().position(is_end).unwrap_or(rest.len());
                    let (word, after) = rest.split_at_checked(length)?;
                    self.template.push(WORD);
                    self.values.push(word);
                    rest = after;
                }
                TEXT | WORD => return None,
                other => {
                    self.template.push(other);
                    rest = behind;
                }
            }
        }
        let is_whole = |value: &&[u8]| !value.contains(&END);
        self.values.iter().all(is_whole).then_some(())
    }

    /// Takes the whole text as one value. None: it holds a zero byte.
    fn whole(&mut self, text: &'a [u8]) -> Option<()> {
        self.template = vec![WORD];
        self.values = vec![text];
        (!text.contains(&END)).then_some(())
    }
}

/// The length of a string, up to the quote that ends it.
fn string_len(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// Folds texts. None: one of them holds a zero byte, which JSON text never holds.
pub(crate) fn encode<'a>(texts: impl Iterator<Item = Option<&'a [u8]>>) -> Option<Vec<u8>> {
    let mut numbers: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut columns: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut templates: Vec<u8> = Vec::new();
    let mut chosen: Vec<u8> = Vec::new();
    let mut cut = Split::default();
    for text in texts {
        let Some(text) = text else {
            put(&mut chosen, 0);
            continue;
        };
        let is_cut = cut.cut(text).is_some();
        let is_full = numbers.len() + 1 >= TEMPLATES;
        if !is_cut || (is_full && !numbers.contains_key(&cut.template)) {
            cut.whole(text)?;
        }
        let known = numbers.get(&cut.template).copied();
        let number = known.unwrap_or_else(|| {
            put_bytes(&mut templates, &cut.template);
            columns.push(vec![Vec::new(); cut.values.len()]);
            numbers.insert(cut.template.clone(), numbers.len());
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
    let mut encoded = Vec::new();
    put(&mut encoded, numbers.len() as u64);
    encoded.extend_from_slice(&templates);
    put_bytes(&mut encoded, &chosen);
    for column in columns.iter().flatten() {
        put_bytes(&mut encoded, column);
    }
    Some(encoded)
}

/// Decodes the texts of the events that `filter` selects. It appends to `buffer` the length of each
/// text + 1, 0 for none, as varints, and the texts one after the other. None: `encoded` is damaged.
pub(crate) fn decode(
    mut encoded: &[u8],
    filter: &[bool],
    buffer: &mut DetailsBuffer,
) -> Option<()> {
    let count = take_len(&mut encoded).filter(|count| *count <= TEMPLATES)?;
    let templates: Vec<&[u8]> = (0..count)
        .map(|_| take_bytes(&mut encoded))
        .collect::<Option<_>>()?;
    let mut chosen = take_bytes(&mut encoded)?;
    let mut columns: Vec<Vec<&[u8]>> = Vec::with_capacity(count);
    for template in &templates {
        let placeholders = template.iter().filter(|byte| **byte <= WORD).count();
        let column = (0..placeholders).map(|_| take_bytes(&mut encoded));
        columns.push(column.collect::<Option<_>>()?);
    }
    for is_wanted in filter {
        let Some(number) = take_len(&mut chosen)?.checked_sub(1) else {
            if *is_wanted {
                put(&mut buffer.lengths, 0);
            }
            continue;
        };
        let (template, columns) = (templates.get(number)?, columns.get_mut(number)?);
        if *is_wanted {
            let start = buffer.details.len();
            fill(template, columns, &mut buffer.details)?;
            put(
                &mut buffer.lengths,
                (buffer.details.len() - start) as u64 + 1,
            );
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

/// Appends a template with the next value of each column in its placeholders.
fn fill(template: &[u8], columns: &mut [&[u8]], to: &mut Vec<u8>) -> Option<()> {
    let mut columns = columns.iter_mut();
    for piece in template.split_inclusive(|byte| *byte <= WORD) {
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
        let encoded = encode(texts.iter().map(|text| text.map(str::as_bytes))).unwrap();
        let mut buffer = DetailsBuffer::default();
        decode(&encoded, &vec![true; texts.len()], &mut buffer).unwrap();
        let (mut lengths, details) = (buffer.lengths, buffer.details);
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
        encoded.len()
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
        // None of these is JSON, and each is kept unchanged.
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
        assert_eq!(encode([Some(&b"\0"[..])].into_iter()), None);
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
        let texts: Vec<String> = (0..2 * TEMPLATES)
            .map(|number| format!(r#"{{"key_{number}":1}}"#))
            .collect();
        let texts: Vec<_> = texts.iter().map(|text| Some(text.as_str())).collect();
        folds(&texts);
    }

    #[test]
    fn only_wanted_texts_are_decoded() {
        let texts = [r#"{"a":1}"#, r#"{"b":"x"}"#, r#"{"a":2}"#];
        let encoded = encode(texts.iter().map(|text| Some(text.as_bytes()))).unwrap();
        let mut buffer = DetailsBuffer::default();
        decode(&encoded, &[false, true, true], &mut buffer).unwrap();
        assert_eq!(buffer.details, br#"{"b":"x"}{"a":2}"#);
        assert_eq!(buffer.lengths, [10, 8]);
    }

    #[test]
    fn damage_is_noticed_and_never_a_panic() {
        let texts = [Some(&br#"{"a":1,"b":"x"}"#[..]), None, Some(br#"{"a":2}"#)];
        let encoded = encode(texts.into_iter()).unwrap();
        for bit in 0..encoded.len() * 8 {
            let mut bent = encoded.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let _ = decode(&bent, &[true, false, true], &mut DetailsBuffer::default());
        }
        for length in 0..encoded.len() {
            let read = decode(
                &encoded[..length],
                &[true; 3],
                &mut DetailsBuffer::default(),
            );
            assert!(read.is_none(), "{length}");
        }
    }
}
