//! The text form of a position in the event log: the id of an event, and the cursor of a page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::model::{Invalid, Position};

/// The length of a position as text: base64 encodes its 24 bytes as 32 characters.
const CHARS: usize = 32;

/// The position as text: base64 for URLs, without padding.
pub(super) fn text(position: Position) -> String {
    BASE64.encode(position.to_bytes())
}

/// The position as text, without allocating.
pub(super) fn chars(position: Position) -> [u8; CHARS] {
    let mut chars = [0; CHARS];
    let written = BASE64.encode_slice(position.to_bytes(), &mut chars);
    debug_assert_eq!(written.ok(), Some(CHARS));
    chars
}

/// Parses the output of `text`. The error names `field`.
pub(super) fn parse(field: &'static str, text: &[u8]) -> Result<Position, Invalid> {
    let bytes = BASE64.decode(text).ok();
    let position = bytes.and_then(|bytes| Position::from_bytes(&bytes));
    position.ok_or_else(|| Invalid::new(field, "must be the id of an event or the next of a page"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn a_position_reads_back_from_its_text() {
        let position = Position {
            at: Timestamp::from_millis(1_772_366_400_250),
            sequence: 7,
            index: 2,
            place: 9,
        };
        assert_eq!(parse("cursor", text(position).as_bytes()), Ok(position));
        assert_eq!(chars(position), text(position).as_bytes());
        for wrong in ["", "x", "AAAA", &text(position)[1..]] {
            assert!(parse("cursor", wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
