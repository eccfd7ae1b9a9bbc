//! Enums that are stored by a number and shown by a name.

/// Defines an enum whose values have a number on the disk and a name in the API. Never change a
/// number, and never reuse one.
macro_rules! numbered {
    ($(#[$about:meta])* $name:ident { $($(#[$note:meta])* $number:literal $value:ident $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(into = "u8", try_from = "u8")]
        pub enum $name { $($(#[$note])* $value,)+ }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &[$name] = &[$($name::$value),+];

            /// The names of all of them.
            pub const WORDS: &'static [&'static str] = &[$($text),+];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$value => $text,)+ }
            }

            /// The one with this name.
            pub fn parse(text: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|it| it.as_str() == text)
            }
        }

        impl From<$name> for u8 {
            fn from(it: $name) -> u8 {
                match it { $($name::$value => $number,)+ }
            }
        }

        impl TryFrom<u8> for $name {
            type Error = &'static str;
            fn try_from(number: u8) -> Result<$name, Self::Error> {
                match number {
                    $($number => Ok($name::$value),)+
                    _ => Err("an unknown number"),
                }
            }
        }
    };
}

pub(super) use numbered;
