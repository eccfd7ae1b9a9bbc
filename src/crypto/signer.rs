//! Access tokens: JWT (RFC 7519), signed with Ed25519 (RFC 8037).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::Serialize;

use super::digest::digest;
use crate::model::{AccessClaims, Secret};

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

    /// The id of the key in the key set.
    pub fn key_id(&self) -> &str {
        &self.key_id
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
}
