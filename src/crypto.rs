//! Cryptography: digests (SHA-256), random codes, password hashes (Argon2id, RFC 9106, as PHC
//! strings) and access tokens (JWT, RFC 7519, signed with Ed25519, RFC 8037). Only this file uses
//! ring and argon2 directly, except for the TLS setup in `server`. The functions get randomness as
//! arguments; in production `SystemRandom` supplies it.

use argon2::password_hash::phc::{Ident, Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SecureRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::Serialize;

use crate::model::{AccessClaims, Digest, Secret};
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

/// The SHA-256 digest of `bytes`.
pub fn digest(bytes: &[u8]) -> Digest {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut digest = [0; 32];
    digest.copy_from_slice(hash.as_ref());
    Digest(digest)
}

/// The SHA-256 digest under which the store keeps and finds a secret.
pub fn digest_of(secret: &Secret) -> Digest {
    digest(secret.reveal().as_bytes())
}

/// A URL-safe code of 256 random bits: 43 characters.
pub fn random_code(world: &World) -> Secret {
    Secret::new(BASE64.encode(world.random_bytes::<32>()))
}

/// A URL-safe code of 384 random bits: 64 characters.
pub fn random_long_code(world: &World) -> Secret {
    Secret::new(BASE64.encode(world.random_bytes::<48>()))
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
        let params = Params::new(kib.max(Params::MIN_M_COST), self.passes.max(1), 1, Some(32));
        params.unwrap_or(Params::DEFAULT)
    }
}

/// The result of comparing a password with a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password matches.
    Right,
    /// The password matches, but its hash has other parameters than the current cost: hash it
    /// again.
    RightButOld,
    /// The password does not match, or the hash cannot be used.
    Wrong,
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

    /// Hashes a password; returns a PHC string.
    pub fn hash(&mut self, secret: &Secret, salt: [u8; 16]) -> String {
        let params = self.cost.params();
        let hash = self.derive(secret, &salt, &params, 32).unwrap_or_default();
        phc_string(&params, &salt, &hash).unwrap_or_default()
    }

    /// Compares a password with a PHC string. A string that cannot be parsed matches no password.
    pub fn verify(&mut self, secret: &Secret, phc: &str) -> Verdict {
        let Some((params, salt, expected)) = read_phc(phc) else {
            return Verdict::Wrong;
        };
        let Some(found) = self.derive(secret, &salt, &params, expected.len()) else {
            return Verdict::Wrong;
        };
        // Compares digests, so that the comparison time reveals nothing about the hashes.
        if digest(&found) != digest(&expected) {
            return Verdict::Wrong;
        }
        let today = self.cost.params();
        let same = params.m_cost() == today.m_cost()
            && params.t_cost() == today.t_cost()
            && params.p_cost() == today.p_cost();
        if same {
            Verdict::Right
        } else {
            Verdict::RightButOld
        }
    }

    fn derive(
        &mut self,
        secret: &Secret,
        salt: &[u8],
        params: &Params,
        len: usize,
    ) -> Option<Vec<u8>> {
        let mut hash = vec![0; len];
        self.memory
            .resize(params.block_count().max(self.memory.len()), Block::new());
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let password = secret.reveal().as_bytes();
        argon2
            .hash_password_into_with_memory(password, salt, &mut hash, &mut self.memory)
            .ok()?;
        Some(hash)
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

fn read_phc(phc: &str) -> Option<(Params, Vec<u8>, Vec<u8>)> {
    let phc = PasswordHash::new(phc).ok()?;
    let current = phc
        .version
        .is_none_or(|version| version == u32::from(Version::V0x13));
    if phc.algorithm.as_str() != "argon2id" || !current {
        return None;
    }
    let params = Params::try_from(&phc).ok()?;
    Some((params, phc.salt?.to_vec(), phc.hash?.as_bytes().to_vec()))
}

/// A PHC string that matches no password, made without hashing. A comparison with it takes as long
/// as with a real hash of `cost`.
pub fn dummy_hash(cost: HashCost, world: &World) -> String {
    let (salt, hash) = (world.random_bytes::<16>(), world.random_bytes::<32>());
    phc_string(&cost.params(), &salt, &hash).unwrap_or_default()
}

/// Whether `text` is an Argon2id PHC string that `PasswordHasher` can verify.
pub fn is_password_hash(text: &str) -> bool {
    read_phc(text).is_some()
}

/// The key that signs access tokens.
pub struct Signer {
    pair: Ed25519KeyPair,
    key_id: String,
    head: String,
}

#[derive(Serialize)]
struct Thumbprint<'a> {
    crv: &'a str,
    kty: &'a str,
    x: &'a str,
}

/// A public key in the JWK format that clients fetch (RFC 7517, RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicKey {
    kty: &'static str,
    crv: &'static str,
    alg: &'static str,
    r#use: &'static str,
    kid: String,
    x: String,
}

impl Signer {
    /// Derives the key from a seed of 32 random bytes; `None` for a seed of another length.
    pub fn from_seed(seed: &[u8]) -> Option<Signer> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let x = BASE64.encode(pair.public_key().as_ref());
        // The key id is the JWK thumbprint (RFC 7638): members in this order, no white space.
        let print = Thumbprint {
            crv: "Ed25519",
            kty: "OKP",
            x: &x,
        };
        let key_id = BASE64.encode(digest(&serde_json::to_vec(&print).ok()?).0);
        let head = BASE64.encode(format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{key_id}"}}"#));
        Some(Signer { pair, key_id, head })
    }

    /// Signs a token with these claims. The same claims always give the same token.
    pub fn sign(&self, claims: &AccessClaims<'_>) -> Secret {
        let body = BASE64.encode(serde_json::to_vec(claims).unwrap_or_default());
        let text = format!("{}.{body}", self.head);
        let signature = BASE64.encode(self.pair.sign(text.as_bytes()).as_ref());
        Secret::new(format!("{text}.{signature}"))
    }

    /// The public key of this signer.
    pub fn public_key(&self) -> PublicKey {
        PublicKey {
            kty: "OKP",
            crv: "Ed25519",
            alg: "EdDSA",
            r#use: "sig",
            kid: self.key_id.clone(),
            x: BASE64.encode(self.pair.public_key().as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{TokenId, UserId};
    use crate::world::SystemClock;
    use std::sync::Arc;

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
        let phc = hasher.hash(&Secret::new("correct battery"), [7; 16]);
        assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{phc}");
        assert_eq!(
            hasher.verify(&Secret::new("correct battery"), &phc),
            Verdict::Right
        );
        assert_eq!(
            hasher.verify(&Secret::new("correct batterx"), &phc),
            Verdict::Wrong
        );
        let mut dearer = PasswordHasher::new(HashCost { passes: 2, ..CHEAP });
        assert_eq!(
            dearer.verify(&Secret::new("correct battery"), &phc),
            Verdict::RightButOld
        );
        hasher.rest();
        assert_eq!(
            hasher.verify(&Secret::new("correct battery"), &phc),
            Verdict::Right
        );
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
        let real = hasher.hash(&Secret::new("correct battery"), [7; 16]);
        assert_eq!(phc.len(), real.len());
        let (params, salt, hash) = read_phc(&phc).unwrap();
        assert_eq!(
            (params.m_cost(), params.t_cost(), params.p_cost()),
            (96, 3, 1)
        );
        assert_eq!((salt.len(), hash.len()), (16, 32));
        for password in ["", "correct battery"] {
            assert_eq!(hasher.verify(&Secret::new(password), &phc), Verdict::Wrong);
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
            assert_eq!(hasher.verify(&Secret::new("x"), phc), Verdict::Wrong);
            assert!(!is_password_hash(phc));
        }
    }

    #[test]
    fn a_signed_token_is_what_rfc_8037_says() {
        // RFC 8037, appendix A.1: the seed, the public key and the thumbprint.
        let seed = BASE64
            .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
            .unwrap();
        let signer = Signer::from_seed(&seed).unwrap();
        assert_eq!(
            signer.public_key().x,
            "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        );
        assert_eq!(
            signer.public_key().kid,
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
        let id = [1; 16];
        let claims = AccessClaims {
            iss: "https://example.org",
            sub: UserId::from_random(id).to_string(),
            jti: TokenId::from_random(id),
            iat: 1,
            exp: 2,
        };
        let token = signer.sign(&claims);
        assert!(token == signer.sign(&claims));
        let (text, signature) = token.reveal().rsplit_once('.').unwrap();
        let key = ring::signature::UnparsedPublicKey::new(
            &ring::signature::ED25519,
            signer.pair.public_key().as_ref(),
        );
        key.verify(text.as_bytes(), &BASE64.decode(signature).unwrap())
            .unwrap();
    }

    #[test]
    fn codes_have_the_promised_length_and_alphabet() {
        let world = world();
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
