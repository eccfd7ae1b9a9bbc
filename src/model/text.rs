//! One form for text: different sequences of characters that mean the same text (a letter with its
//! accent as one character or as two) become one sequence. Compatibility forms are never folded:
//! they look alike, but are other characters.

use std::borrow::Cow;

use icu_normalizer::{ComposingNormalizer, ComposingNormalizerBorrowed};
use zeroize::Zeroizing;

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizer::new_nfc();
/// No text grows by more than this factor in NFC, counted in bytes of UTF-8 (Unicode FAQ).
const NFC_GROWTH: usize = 3;

/// The text in NFC.
pub(super) fn nfc(text: &str) -> Cow<'_, str> {
    NFC.normalize(text)
}

/// The form for comparisons that ignore case: NFC, in lower case.
pub(super) fn caseless(text: &str) -> Zeroizing<String> {
    Zeroizing::new(nfc(text).to_lowercase())
}

/// The form of passwords, `OpaqueString` of RFC 8265, 4.2.2: other blanks become U+0020, then NFC.
/// Controls and unassigned characters stay allowed, as the APIs allow them. None: `text` has this
/// form already, like all ASCII.
pub(super) fn opaque_string(text: &str) -> Option<Zeroizing<String>> {
    if text.is_ascii() {
        return None;
    }
    // Never grows beyond this capacity, so that no copy is left in memory unwiped.
    let mut form = Zeroizing::new(String::with_capacity(text.len() * NFC_GROWTH));
    form.extend(NFC.normalize_iter(text.chars().map(plain_blank)));
    (form.as_str() != text).then_some(form)
}

/// Replaces a blank of the general category Zs.
fn plain_blank(char: char) -> char {
    match char {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            ' '
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_one_form_and_keeps_all_that_could_be_meant() {
        for (text, form) in [
            ("cafe\u{301} 12", "café 12"),
            ("caf\u{e9}\u{a0}1\u{3000}2", "café 1 2"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("\u{212b}ngstr\u{f6}m", "Ångström"),
            ("\u{1d160}", "\u{1d158}\u{1d165}\u{1d16e}"),
        ] {
            let found = opaque_string(text).unwrap_or_else(|| panic!("{text:?} is changed"));
            assert_eq!(found.as_str(), form);
            assert_eq!(opaque_string(form), None, "{form:?} stays");
        }
        for text in [
            "",
            "correct battery",
            "\t\u{7f}",
            "Straße",
            "ﬁre",
            "\u{ff14}2",
            "x²",
            "a\u{200b}b",
            "\u{378}",
        ] {
            assert_eq!(opaque_string(text), None, "{text:?}");
        }
    }

    #[test]
    fn exactly_the_blanks_of_unicode_become_plain() {
        let blanks: Vec<char> = (char::MIN..=char::MAX)
            .filter(|char| plain_blank(*char) != *char)
            .collect();
        // White space that is no blank: controls, the line separator, the paragraph separator.
        let expected: Vec<char> = (char::MIN..=char::MAX)
            .filter(|char| char.is_whitespace() && !char.is_control())
            .filter(|char| !matches!(char, ' ' | '\u{2028}' | '\u{2029}'))
            .collect();
        assert_eq!(blanks, expected);
    }
}
