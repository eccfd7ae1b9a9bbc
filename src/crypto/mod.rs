//! Cryptography: digests (SHA-256), random codes, password hashes (Argon2id, RFC 9106, as PHC
//! strings) and access tokens (JWT, RFC 7519, signed with Ed25519, RFC 8037). Only this module uses
//! ring and argon2 directly, except for the TLS setup in `server`. The functions get randomness as
//! arguments; in production `SystemRandom` supplies it.

mod digest;
mod password_hash;
mod random;
mod signer;

pub use digest::{digest, digest_of};
pub use password_hash::{
    BadHash, HashCost, HashError, PasswordHasher, Verdict, check_password_hash, dummy_hash,
};
pub use random::{
    SystemRandom, random_alphanumeric, random_code, random_long_code, random_machine_token,
};
pub use signer::{PublicKey, Signer};
