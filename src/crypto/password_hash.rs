//! Password hashes: Argon2id (RFC 9106), as PHC strings.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use argon2::password_hash::phc::{Ident, Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::digest::digest;
use crate::model::{Secret, limits};
use crate::world::World;

/// The length of a new hash's output.
const OUTPUT_BYTES: usize = 32;

/// The cost of one password hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Number of passes over the memory.
    pub passes: u32,
}

impl HashCost {
    fn params(self) -> Params {
        let kib = u32::try_from(self.memory_bytes / 1024).unwrap_or(Params::DEFAULT_M_COST);
        let params = Params::new(
            kib.max(Params::MIN_M_COST),
            self.passes.max(1),
            1,
            Some(OUTPUT_BYTES),
        );
        params.unwrap_or(Params::DEFAULT)
    }
}

/// The result of comparing a password with a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password matches.
    Right,
    /// The password matches, but its hash has other parameters than the current cost or was made
    /// from another form of the password: hash it again.
    RightButOld,
    /// The password does not match, or the hash cannot be used.
    Wrong,
}

/// Why a password could not be hashed or compared.
#[derive(Debug)]
pub enum HashError {
    /// The memory for it could not be allocated.
    OutOfMemory,
    /// Argon2 rejected its input.
    Argon2(argon2::Error),
    /// The hash cannot be written as a PHC string.
    Phc,
}

impl std::fmt::Display for HashError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HashError::OutOfMemory => f.write_str("there is no memory to hash a password in"),
            HashError::Argon2(error) => write!(f, "Argon2: {error}"),
            HashError::Phc => f.write_str("a hash cannot be written as a PHC string"),
        }
    }
}

impl std::error::Error for HashError {}

/// Why a text is not accepted as a password hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadHash {
    /// It is not an Argon2id PHC string.
    Unreadable,
    /// A comparison with it would cost too much, or its salt or output is too short.
    OutOfBounds {
        /// The unit of the value that is out of bounds, such as `passes`.
        what: &'static str,
        /// The value.
        found: u32,
        /// The values that are accepted.
        bounds: RangeInclusive<u32>,
    },
}

/// Argon2id with memory that is reused from hash to hash: with a new allocation each time, a hash
/// takes half as long again.
pub struct PasswordHasher {
    cost: HashCost,
    memory: Vec<Block>,
}

impl PasswordHasher {
    /// A hasher that makes hashes of this cost. It allocates its memory at the first hash.
    pub fn new(cost: HashCost) -> PasswordHasher {
        PasswordHasher {
            cost,
            memory: Vec::new(),
        }
    }

    /// Frees the memory; the next hash allocates it again.
    pub fn rest(&mut self) {
        self.memory = Vec::new();
    }

    /// Hashes a password in its normal form; returns a PHC string.
    pub fn hash(&mut self, secret: &Secret, salt: [u8; 16]) -> Result<String, HashError> {
        let params = self.cost.params();
        let hash = self.derive(&secret.normalized(), &salt, &params, OUTPUT_BYTES)?;
        phc_string(&params, &salt, &hash).ok_or(HashError::Phc)
    }

    /// Compares a password with a PHC string: its normal form, and then the password as it is, of
    /// which earlier versions and other programs make hashes. A string that `check_password_hash`
    /// rejects matches no password.
    pub fn verify(&mut self, secret: &Secret, phc: &str) -> Result<Verdict, HashError> {
        let normal = match secret.normalized() {
            Cow::Borrowed(secret) => return self.compare(secret, phc),
            Cow::Owned(normal) => normal,
        };
        match self.compare(&normal, phc)? {
            Verdict::Wrong if self.compare(secret, phc)? != Verdict::Wrong => {
                Ok(Verdict::RightButOld)
            }
            verdict => Ok(verdict),
        }
    }

    fn compare(&mut self, secret: &Secret, phc: &str) -> Result<Verdict, HashError> {
        let Ok((params, salt, expected)) = read_phc(phc) else {
            return Ok(Verdict::Wrong);
        };
        let found = self.derive(secret, &salt, &params, expected.len())?;
        // Compares digests, so that the comparison time reveals nothing about the hashes.
        if digest(&found) != digest(&expected) {
            return Ok(Verdict::Wrong);
        }
        let today = self.cost.params();
        let same = params.m_cost() == today.m_cost()
            && params.t_cost() == today.t_cost()
            && params.p_cost() == today.p_cost();
        Ok(if same {
            Verdict::Right
        } else {
            Verdict::RightButOld
        })
    }

    fn derive(
        &mut self,
        secret: &Secret,
        salt: &[u8],
        params: &Params,
        len: usize,
    ) -> Result<Vec<u8>, HashError> {
        let mut hash = vec![0; len];
        self.take_memory(params.block_count())?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let password = secret.reveal().as_bytes();
        argon2
            .hash_password_into_with_memory(password, salt, &mut hash, &mut self.memory)
            .map_err(HashError::Argon2)?;
        Ok(hash)
    }

    fn take_memory(&mut self, blocks: usize) -> Result<(), HashError> {
        let more = blocks.saturating_sub(self.memory.len());
        self.memory
            .try_reserve_exact(more)
            .map_err(|_| HashError::OutOfMemory)?;
        self.memory.resize(self.memory.len() + more, Block::new());
        Ok(())
    }
}

fn phc_string(params: &Params, salt: &[u8], hash: &[u8]) -> Option<String> {
    let phc = PasswordHash {
        algorithm: Ident::new("argon2id").ok()?,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).ok()?,
        salt: Some(Salt::new(salt).ok()?),
        hash: Some(Output::new(hash).ok()?),
    };
    Some(phc.to_string())
}

/// Parses a PHC string, which may come from another program: the bounds of `model::limits` apply
/// before anything is allocated.
fn read_phc(text: &str) -> Result<(Params, Vec<u8>, Vec<u8>), BadHash> {
    let unreadable = || BadHash::Unreadable;
    let phc = PasswordHash::new(text).map_err(|_| unreadable())?;
    let current = phc
        .version
        .is_none_or(|version| version == u32::from(Version::V0x13));
    if phc.algorithm.as_str() != "argon2id" || !current {
        return Err(unreadable());
    }
    let params = Params::try_from(&phc).map_err(|_| unreadable())?;
    let salt = phc.salt.ok_or_else(unreadable)?.to_vec();
    let hash = phc.hash.ok_or_else(unreadable)?.as_bytes().to_vec();
    for (what, found, bounds) in [
        ("KiB of memory", params.m_cost(), limits::HASH_MEMORY_KIB),
        ("passes", params.t_cost(), limits::HASH_PASSES),
        ("lanes", params.p_cost(), limits::HASH_LANES),
        ("bytes of salt", length(&salt), limits::HASH_SALT_BYTES),
        ("bytes of output", length(&hash), limits::HASH_OUTPUT_BYTES),
    ] {
        if !bounds.contains(&found) {
            return Err(BadHash::OutOfBounds {
                what,
                found,
                bounds,
            });
        }
    }
    Ok((params, salt, hash))
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// A PHC string that matches no password, made without hashing. A comparison with it takes as long
/// as with a real hash of `cost`.
pub fn dummy_hash(cost: HashCost, world: &World) -> String {
    let (salt, hash) = (world.random_bytes::<16>(), world.random_bytes::<32>());
    phc_string(&cost.params(), &salt, &hash).unwrap_or_default()
}

/// Checks that `text` is an Argon2id PHC string that `PasswordHasher` can verify.
pub fn check_password_hash(text: &str) -> Result<(), BadHash> {
    read_phc(text).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

    use super::super::SystemRandom;
    use super::*;
    use crate::world::SystemClock;

    const CHEAP: HashCost = HashCost {
        memory_bytes: 64 * 1024,
        passes: 1,
    };

    fn world() -> World {
        World {
            clock: Arc::new(SystemClock::start()),
            random: Arc::new(SystemRandom::default()),
        }
    }

    #[test]
    fn a_password_is_known_by_its_hash_and_rehashed_when_the_cost_changed() {
        let mut hasher = PasswordHasher::new(CHEAP);
        let phc = hasher
            .hash(&Secret::new("correct battery"), [7; 16])
            .unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{phc}");
        assert_eq!(
            hasher
                .verify(&Secret::new("correct battery"), &phc)
                .unwrap(),
            Verdict::Right
        );
        assert_eq!(
            hasher
                .verify(&Secret::new("correct batterx"), &phc)
                .unwrap(),
            Verdict::Wrong
        );
        let mut dearer = PasswordHasher::new(HashCost { passes: 2, ..CHEAP });
        assert_eq!(
            dearer
                .verify(&Secret::new("correct battery"), &phc)
                .unwrap(),
            Verdict::RightButOld
        );
        hasher.rest();
        assert_eq!(
            hasher
                .verify(&Secret::new("correct battery"), &phc)
                .unwrap(),
            Verdict::Right
        );
    }

    #[test]
    fn a_hash_of_another_form_of_the_password_opens_and_is_to_be_replaced() {
        let (composed, decomposed) = ("caf\u{e9} 1234", "cafe\u{301} 1234");
        let mut hasher = PasswordHasher::new(CHEAP);
        let params = CHEAP.params();
        let typed = Secret::new(decomposed);
        let raw = hasher.derive(&typed, &[7; 16], &params, 32).unwrap();
        let old = phc_string(&params, &[7; 16], &raw).unwrap();
        let new = hasher.hash(&typed, [7; 16]).unwrap();
        for (phc, password, expected) in [
            (&old, decomposed, Verdict::RightButOld),
            (&old, composed, Verdict::Wrong),
            (&new, decomposed, Verdict::Right),
            (&new, composed, Verdict::Right),
            (&new, "cafe 1234", Verdict::Wrong),
        ] {
            let verdict = hasher.verify(&Secret::new(password), phc).unwrap();
            assert_eq!(verdict, expected, "{password:?}");
        }
    }

    #[test]
    fn the_decoy_costs_what_a_real_hash_does_and_is_nobodys_password() {
        let cost = HashCost {
            memory_bytes: 96 * 1024,
            passes: 3,
        };
        let phc = dummy_hash(cost, &world());
        assert!(phc.starts_with("$argon2id$v=19$m=96,t=3,p=1$"), "{phc}");
        let mut hasher = PasswordHasher::new(cost);
        let real = hasher
            .hash(&Secret::new("correct battery"), [7; 16])
            .unwrap();
        assert_eq!(phc.len(), real.len());
        let (params, salt, hash) = read_phc(&phc).unwrap();
        assert_eq!(
            (params.m_cost(), params.t_cost(), params.p_cost()),
            (96, 3, 1)
        );
        assert_eq!((salt.len(), hash.len()), (16, 32));
        for password in ["", "correct battery"] {
            assert_eq!(
                hasher.verify(&Secret::new(password), &phc).unwrap(),
                Verdict::Wrong
            );
        }
        assert_eq!(hasher.memory.len(), params.block_count());
    }

    #[test]
    fn what_is_no_hash_is_nobodys_password() {
        let mut hasher = PasswordHasher::new(CHEAP);
        for phc in [
            "",
            "x",
            "$argon2id$",
            "$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(
                hasher.verify(&Secret::new("x"), phc).unwrap(),
                Verdict::Wrong
            );
            assert_eq!(check_password_hash(phc), Err(BadHash::Unreadable));
        }
    }

    #[test]
    fn a_foreign_hash_is_bounded_before_it_costs_anything() {
        let phc = |params: &str, salt: usize, output: usize| {
            let [salt, output] = [salt, output].map(|len| BASE64.encode(vec![7; len]));
            format!("$argon2id$v=19${params}${salt}${output}")
        };
        let mut hasher = PasswordHasher::new(CHEAP);
        for (phc, expected) in [
            (phc("m=1048576,t=100,p=16", 48, 64), None),
            (phc("m=8,t=1,p=1", 8, 16), None),
            (phc("m=4294967295,t=1,p=1", 16, 32), Some("KiB of memory")),
            (phc("m=1048577,t=1,p=1", 16, 32), Some("KiB of memory")),
            (phc("m=64,t=101,p=1", 16, 32), Some("passes")),
            (phc("m=136,t=1,p=17", 16, 32), Some("lanes")),
            (phc("m=64,t=1,p=1", 7, 32), Some("unreadable")),
            (phc("m=64,t=1,p=1", 49, 32), Some("unreadable")),
            (phc("m=64,t=1,p=1", 16, 15), Some("bytes of output")),
        ] {
            let found = match check_password_hash(&phc) {
                Ok(()) => None,
                Err(BadHash::OutOfBounds { what, .. }) => Some(what),
                Err(BadHash::Unreadable) => Some("unreadable"),
            };
            assert_eq!(found, expected, "{phc}");
            if expected.is_some() {
                let verdict = hasher.verify(&Secret::new("x"), &phc).unwrap();
                assert_eq!((verdict, hasher.memory.len()), (Verdict::Wrong, 0));
            }
        }
    }

    #[test]
    fn memory_that_is_not_there_is_an_error_and_the_hasher_goes_on() {
        let mut hasher = PasswordHasher::new(CHEAP);
        let too_much = isize::MAX.unsigned_abs() / Block::SIZE;
        assert!(matches!(
            hasher.take_memory(too_much),
            Err(HashError::OutOfMemory)
        ));
        assert!(hasher.hash(&Secret::new("a password"), [7; 16]).is_ok());
    }
}
