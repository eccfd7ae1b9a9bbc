//! Texts of answers that are one of a closed set of words.

use serde::{Serialize, Serializer};

use super::{JsonKind, JsonType};
use crate::model::{
    AuditAction, AuditOutcome, EndReason, Granularity, MailKind, Scope, TokenKind, TokenStatus,
};

/// A value that answers say as one of a closed set of words.
pub trait Word {
    /// All words.
    const WORDS: &'static [&'static str];

    /// The word of this value.
    fn word(&self) -> &'static str;
}

/// A field of an answer that is such a word.
pub struct OneOf<T>(pub T);

impl<T: Word> Serialize for OneOf<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.word())
    }
}

impl<T: Word> JsonType for OneOf<T> {
    const KIND: JsonKind = JsonKind::Text;
    const WORDS: &'static [&'static str] = T::WORDS;
}

macro_rules! named_in_the_model {
    ($($type:ty),+) => {
        $(impl Word for $type {
            const WORDS: &'static [&'static str] = <$type>::WORDS;

            fn word(&self) -> &'static str {
                self.as_str()
            }
        })+
    };
}

named_in_the_model!(
    AuditAction,
    AuditOutcome,
    EndReason,
    Granularity,
    MailKind,
    Scope,
    TokenKind,
    TokenStatus
);

/// Defines an enum of which each value is a word of an answer.
macro_rules! words {
    ($(#[$about:meta])* $vis:vis enum $name:ident { $($value:ident = $text:literal),+ $(,)? }) => {
        $(#[$about])*
        $vis enum $name { $($value),+ }

        impl $crate::http::Word for $name {
            const WORDS: &'static [&'static str] = &[$($text),+];

            fn word(&self) -> &'static str {
                match self { $($name::$value => $text),+ }
            }
        }
    };
}

pub(crate) use words;
