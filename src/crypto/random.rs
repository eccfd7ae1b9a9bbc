//! The system's randomness, and the codes that are made of randomness.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SecureRandom;

use crate::model::{MACHINE_TOKEN_PREFIX, Secret};
use crate::world::{Random, World};

/// The machine's random number generator.
pub struct SystemRandom(ring::rand::SystemRandom);

impl Default for SystemRandom {
    fn default() -> SystemRandom {
        SystemRandom(ring::rand::SystemRandom::new())
    }
}

impl Random for SystemRandom {
    #[expect(
        clippy::expect_used,
        reason = "without randomness nothing here may go on"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        self.0
            .fill(bytes)
            .expect("the system's random number generator must not fail");
    }
}

/// A URL-safe code of 256 random bits: 43 characters.
pub fn random_code(world: &World) -> Secret {
    Secret::new(BASE64.encode(world.random_bytes::<32>()))
}

/// A URL-safe code of 384 random bits: 64 characters.
pub fn random_long_code(world: &World) -> Secret {
    Secret::new(BASE64.encode(world.random_bytes::<48>()))
}

/// The secret of a machine token: its prefix, and 256 random bits.
pub fn random_machine_token(world: &World) -> Secret {
    let code = random_code(world);
    Secret::new(format!("{MACHINE_TOKEN_PREFIX}{}", code.reveal()))
}

/// `chars` random characters of `[A-Za-z0-9]`, 5.95 bits each.
pub fn random_alphanumeric(world: &World, chars: usize) -> Secret {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(chars);
    while text.len() < chars {
        // Bytes of 248 and more are skipped: 248 is a multiple of 62, so all characters are equally
        // likely.
        let drawn = world
            .random_bytes::<64>()
            .into_iter()
            .filter(|byte| *byte < 248);
        let letters = drawn.filter_map(|byte| ALPHABET.get(usize::from(byte) % 62));
        text.extend(
            letters
                .map(|byte| char::from(*byte))
                .take(chars - text.len()),
        );
    }
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::world::SystemClock;

    #[test]
    fn codes_have_the_promised_length_and_alphabet() {
        let world = World {
            clock: Arc::new(SystemClock::start()),
            random: Arc::new(SystemRandom::default()),
        };
        assert_eq!(random_code(&world).reveal().len(), 43);
        assert_eq!(random_long_code(&world).reveal().len(), 64);
        let text = random_alphanumeric(&world, 64);
        assert_eq!(text.reveal().len(), 64);
        assert!(
            text.reveal()
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric())
        );
    }
}
