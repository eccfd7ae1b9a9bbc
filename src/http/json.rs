//! Checks JSON text for faults that `serde_json` does not detect: duplicate keys, and, in values
//! that are kept as raw text, deep nesting and escapes of half a character. It validates nothing
//! else and never recurses; the parser that runs afterwards rejects text that is not JSON.

use std::fmt;
use std::ops::Range;

use crate::model::limits::JSON_DEPTH;

/// Most keys of open objects at any time: more than a legitimate body has. Bounds the memory of a
/// scan.
const OPEN_KEYS: usize = 65_536;

/// An object with at most this many keys is checked by comparing all pairs; a larger one is sorted
/// first.
const FEW_KEYS: usize = 16;

// `Scanner::objects` holds one bit for each open container.
const _: () = assert!(JSON_DEPTH <= 128, "one bit for each level");

/// Why a text is rejected, even if it is valid JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An object contains this key twice.
    DuplicateKey(String),
    /// It is nested deeper than `JSON_DEPTH` levels.
    TooDeep,
    /// Its open objects have more than `OPEN_KEYS` keys at one time.
    TooManyKeys,
    /// A string escapes one half of a surrogate pair without the other (RFC 8259, 8.2). Strict
    /// readers reject such text. With the key before it, if there is one.
    LoneSurrogate(Option<String>),
    /// It is not an object.
    NotAnObject,
}

const LONE_SURROGATE: &str = "a string has half of a surrogate pair (\\ud800 to \\udfff)";

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::DuplicateKey(key) => write!(f, "the key `{key}` is there twice"),
            Fault::TooDeep => write!(f, "is nested deeper than {JSON_DEPTH} levels"),
            Fault::TooManyKeys => write!(f, "has too many keys"),
            Fault::LoneSurrogate(None) => write!(f, "{LONE_SURROGATE}"),
            Fault::LoneSurrogate(Some(key)) => write!(f, "{LONE_SURROGATE}, near the key `{key}`"),
            Fault::NotAnObject => write!(f, "must be a JSON object"),
        }
    }
}

impl std::error::Error for Fault {}

/// Checks a whole body for duplicate keys and deep nesting.
pub fn scan(bytes: &[u8]) -> Result<(), Fault> {
    Scanner::default().scan(bytes)
}

/// As [`scan`], for a value that must be an object.
pub fn scan_object(text: &str) -> Result<(), Fault> {
    Scanner::default().scan_object(text)
}

/// The working memory of a scan. Reuse it to check many small texts without an allocation for each.
#[derive(Default)]
pub struct Scanner {
    /// Keys of the open objects, outermost first, as byte ranges of the text. A range beyond the
    /// end of the text points into `unescaped`.
    keys: Vec<Range<usize>>,
    unescaped: Vec<u8>,
    /// For each open container, the index in `keys` where its keys start.
    starts: Vec<usize>,
    /// One bit for each open container: 1 for an object, 0 for a list. The lowest bit is the
    /// innermost.
    objects: u128,
}

impl Scanner {
    /// As [`scan_object`].
    pub fn scan_object(&mut self, text: &str) -> Result<(), Fault> {
        if !text.trim_ascii_start().starts_with('{') {
            return Err(Fault::NotAnObject);
        }
        self.scan(text.as_bytes())
    }

    /// As [`scan`]. Runs in one pass; only objects with many keys cost more, because their keys are
    /// sorted.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.keys.clear();
        self.unescaped.clear();
        self.starts.clear();
        self.objects = 0;
        let mut key_is_next = false;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            match byte {
                b'"' => {
                    let (end, is_text) = skip_string(bytes, at);
                    if !is_text {
                        return Err(Fault::LoneSurrogate(self.last_key(bytes)));
                    }
                    if std::mem::take(&mut key_is_next) {
                        self.note_key(bytes, at..end)?;
                    }
                    at = end + 1;
                }
                b'{' | b'[' => {
                    key_is_next = byte == b'{';
                    self.open(key_is_next)?;
                }
                b'}' | b']' => {
                    self.close(bytes)?;
                    key_is_next = false;
                }
                b',' => key_is_next = self.objects & 1 == 1,
                _ => {}
            }
        }
        // Text that ends early is not JSON. Its open objects are still checked, so that the
        // reported fault does not depend on whether the scan or the parser runs first.
        while !self.starts.is_empty() {
            self.close(bytes)?;
        }
        Ok(())
    }

    fn open(&mut self, is_object: bool) -> Result<(), Fault> {
        if self.starts.len() >= JSON_DEPTH {
            return Err(Fault::TooDeep);
        }
        self.starts.push(self.keys.len());
        self.objects = self.objects << 1 | u128::from(is_object);
        Ok(())
    }

    fn note_key(&mut self, bytes: &[u8], key: Range<usize>) -> Result<(), Fault> {
        if self.keys.len() >= OPEN_KEYS {
            return Err(Fault::TooManyKeys);
        }
        let raw = bytes.get(key.clone()).unwrap_or_default();
        if !raw.contains(&b'\\') {
            self.keys.push(key);
            return Ok(());
        }
        // Escaped keys are rare, so the parser decodes them. A key that it cannot decode is not
        // JSON, and the later parse rejects it.
        let quoted = bytes.get(key.start - 1..=key.end).unwrap_or_default();
        if let Ok(text) = serde_json::from_slice::<String>(quoted) {
            let start = bytes.len() + self.unescaped.len();
            self.unescaped.extend_from_slice(text.as_bytes());
            self.keys.push(start..start + text.len());
        }
        Ok(())
    }

    /// The last key before the end of the scan, if its object is still open.
    fn last_key(&self, bytes: &[u8]) -> Option<String> {
        let text = key_text(bytes, &self.unescaped, self.keys.last()?);
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// Closes the innermost container and checks its keys for duplicates.
    fn close(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let Some(start) = self.starts.pop() else {
            return Ok(());
        };
        self.objects >>= 1;
        let unescaped = &self.unescaped;
        let text = |key: &Range<usize>| key_text(bytes, unescaped, key);
        let keys = self.keys.get_mut(start..).unwrap_or_default();
        let twice = if keys.len() <= FEW_KEYS {
            let mut rest = keys.iter();
            std::iter::from_fn(|| rest.next().map(|key| (key, rest.as_slice())))
                .find(|(key, others)| others.iter().any(|other| text(key) == text(other)))
                .map(|(key, _)| key)
        } else {
            keys.sort_unstable_by(|a, b| text(a).cmp(text(b)));
            keys.windows(2).find_map(|pair| match pair {
                [a, b] if text(a) == text(b) => Some(a),
                _ => None,
            })
        };
        if let Some(key) = twice {
            return Err(Fault::DuplicateKey(
                String::from_utf8_lossy(text(key)).into_owned(),
            ));
        }
        self.keys.truncate(start);
        if self.keys.is_empty() {
            self.unescaped.clear();
        }
        Ok(())
    }
}

/// The text of a key, from the scanned bytes or from the unescaped keys.
fn key_text<'a>(bytes: &'a [u8], unescaped: &'a [u8], key: &Range<usize>) -> &'a [u8] {
    let found = match key.start.checked_sub(bytes.len()) {
        Some(from) => unescaped.get(from..from + key.len()),
        None => bytes.get(key.clone()),
    };
    found.unwrap_or_default()
}

/// Where the string that starts at `at` ends: the index of its closing quote, or the end of the
/// text. False if it escapes half of a surrogate pair; then it is not read to its end.
#[inline]
pub(super) fn skip_string(bytes: &[u8], mut at: usize) -> (usize, bool) {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return (at, true),
            b'\\' => match end_of_escape(bytes, at) {
                Some(end) => at = end,
                None => return (at, false),
            },
            _ => at += 1,
        }
    }
    (bytes.len(), true)
}

/// Where the escape at `at` ends, with the second half of its surrogate pair; none if that is
/// missing. Escapes are rare: the loop over other bytes is shorter without this.
#[inline(never)]
fn end_of_escape(bytes: &[u8], at: usize) -> Option<usize> {
    match escaped_unit(bytes, at) {
        Some(0xD800..=0xDBFF) => match escaped_unit(bytes, at + 6) {
            Some(0xDC00..=0xDFFF) => Some(at + 12),
            _ => None,
        },
        Some(0xDC00..=0xDFFF) => None,
        _ => Some(at + 2),
    }
}

/// The UTF-16 unit of the escape at `at`, if it is `\u` with four hexadecimal digits.
fn escaped_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let mut unit = 0;
    for digit in digits {
        unit = unit << 4 | char::from(*digit).to_digit(16)?;
    }
    u16::try_from(unit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twice(key: &str) -> Result<(), Fault> {
        Err(Fault::DuplicateKey(key.to_owned()))
    }

    #[test]
    fn a_key_may_come_once_in_each_object() {
        for text in [
            r#"{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}"#,
            r#"["a","a"]"#,
            r#"{"a":"a","b":"a,\"a\":"}"#,
            r#"{"a":["a","b"],"b":"x"}"#,
            r#"{"":1," ":2}"#,
            "null",
            "",
        ] {
            assert_eq!(scan(text.as_bytes()), Ok(()), "{text}");
        }
        for (text, key) in [
            (r#"{"a":1,"a":2}"#, "a"),
            (r#"{"x":[{"b":1},{"a":{},"c":[],"a":2}]}"#, "a"),
            (r#"{"a":1,"\u0061":2}"#, "a"),
            (r#"{"a\"b":{"q\n":1},"z":0,"a\u0022b":2}"#, "a\"b"),
            (r#"{"":1,"":2}"#, ""),
        ] {
            assert_eq!(scan(text.as_bytes()), twice(key), "{text}");
        }
    }

    #[test]
    fn many_keys_are_judged_like_few() {
        let object = |keys: std::ops::Range<u32>, last: &str| {
            let keys: Vec<String> = keys.map(|n| format!("\"k{n}\":0")).collect();
            format!("{{{},\"{last}\":1}}", keys.join(","))
        };
        assert_eq!(scan(object(0..60_000, "k60000").as_bytes()), Ok(()));
        assert_eq!(scan(object(0..60_000, "k777").as_bytes()), twice("k777"));
        assert_eq!(scan(object(0..17, "k\\u0033").as_bytes()), twice("k3"));
        assert_eq!(
            scan(object(0..70_000, "x").as_bytes()),
            Err(Fault::TooManyKeys)
        );
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert_eq!(scan(&nested(128)), Ok(()));
        assert_eq!(scan(&nested(129)), Err(Fault::TooDeep));
        assert_eq!(scan(&vec![b'['; 8 << 20]), Err(Fault::TooDeep));
        let objects = r#"{"a":"#.repeat(129);
        assert_eq!(scan(objects.as_bytes()), Err(Fault::TooDeep));
    }

    #[test]
    fn a_scanner_forgets_what_it_saw_before() {
        let mut scanner = Scanner::default();
        assert_eq!(scanner.scan_object(r#" {"a":1,"a":1}"#), twice("a"));
        assert_eq!(scanner.scan_object(r#" {"a":1}"#), Ok(()));
        assert_eq!(scanner.scan_object("[1]"), Err(Fault::NotAnObject));
        assert_eq!(scanner.scan_object("\"{\""), Err(Fault::NotAnObject));
    }

    #[test]
    fn broken_text_neither_panics_nor_hangs() {
        for text in [r#"{"a"#, r#"{"a\"#, "}}]]", "\"\\", "{,\"", ",\"a\""] {
            assert!(scan(text.as_bytes()).is_ok(), "{text}");
        }
        assert_eq!(scan(br#"{"a":1,"a":2"#), twice("a"));
    }

    #[test]
    fn half_of_a_surrogate_pair_is_no_text() {
        let lone = |key: &str| Err(Fault::LoneSurrogate(Some(key.to_owned())));
        for text in [
            r#"{"a":"\ud83d\ude00","b":"\\ud800","c":"\ud7ff\ue000","d":"ud800"}"#,
            r#"["\uD83D\uDE00\uD83D\uDE00"]"#,
            r#"["\u12"#,
        ] {
            assert_eq!(scan(text.as_bytes()), Ok(()), "{text}");
        }
        for (text, key) in [
            (r#"{"a":"\ud800"}"#, "a"),
            (r#"{"a":"\uDFFF"}"#, "a"),
            (r#"{"a":"\ude00\ud83d"}"#, "a"),
            (r#"{"a":"\ud83d\ud83d\ude00"}"#, "a"),
            (r#"{"a":"\ud83dx\ude00"}"#, "a"),
            (r#"{"a":"\ud83d\\ude00"}"#, "a"),
            (r#"{"a":{"b":1,"\u0063":["x",{},"\ud83d"]}}"#, "c"),
            (r#"{"a":1,"\udc00":2}"#, "a"),
        ] {
            assert_eq!(scan(text.as_bytes()), lone(key), "{text}");
        }
        let first = scan(br#"["\ud800"]"#);
        assert_eq!(first, Err(Fault::LoneSurrogate(None)));
    }
}
