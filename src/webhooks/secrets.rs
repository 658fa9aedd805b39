//! How the secrets that sign deliveries are kept: encrypted under `SECRETS_KEY`, or as they are
//! where that is not set.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest, Sha256};

/// What shows a client that a text is a signing secret (Standard Webhooks).
const SHOWN: &str = "whsec_";
/// What is kept: `plain:` and the secret, or this, and nonce and ciphertext in base64.
const SEALED: &str = "aes256gcm:";
const PLAIN: &str = "plain:";
/// Of a new secret.
const SECRET_BYTES: usize = 32;

/// Keeps secrets. Clones share the key.
#[derive(Clone)]
pub struct SecretBox(Option<Arc<LessSafeKey>>);

/// Why a secret can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("the secret is encrypted, and SECRETS_KEY is not set or another one")]
    OtherKey,
    #[error("the secret can't be read")]
    Unreadable,
    #[error("the secret can't be encrypted")]
    Unsealable,
}

impl SecretBox {
    /// `key` is any text that nobody can guess; `None` keeps secrets as they are.
    pub fn new(key: Option<&str>) -> Self {
        let key = key.and_then(|key| {
            let bytes = Sha256::digest(key.as_bytes());
            UnboundKey::new(&AES_256_GCM, &bytes).ok()
        });
        Self(key.map(LessSafeKey::new).map(Arc::new))
    }

    /// Whether what it keeps is encrypted.
    pub const fn is_locked(&self) -> bool {
        self.0.is_some()
    }

    /// A new secret, as it is shown to its owner once.
    pub fn generate() -> String {
        let bytes: [u8; SECRET_BYTES] = rand::random();
        format!("{SHOWN}{}", BASE64.encode(bytes))
    }

    /// What is kept of a secret.
    ///
    /// # Errors
    /// If it can't be encrypted.
    pub fn seal(&self, shown: &str) -> Result<String, SecretError> {
        let Some(key) = &self.0 else {
            return Ok(format!("{PLAIN}{shown}"));
        };
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut bytes = shown.as_bytes().to_vec();
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::empty(),
            &mut bytes,
        )
        .map_err(|_| SecretError::Unsealable)?;
        let sealed = [&nonce[..], &bytes].concat();
        Ok(format!("{SEALED}{}", BASE64.encode(sealed)))
    }

    /// The bytes with which a kept secret signs.
    ///
    /// # Errors
    /// If it was kept under another key, or is none.
    pub fn signing_key(&self, kept: &str) -> Result<Vec<u8>, SecretError> {
        let shown = self.open(kept)?;
        let encoded = shown.strip_prefix(SHOWN).ok_or(SecretError::Unreadable)?;
        BASE64.decode(encoded).map_err(|_| SecretError::Unreadable)
    }

    fn open(&self, kept: &str) -> Result<String, SecretError> {
        if let Some(shown) = kept.strip_prefix(PLAIN) {
            return Ok(shown.to_owned());
        }
        let sealed = kept.strip_prefix(SEALED).ok_or(SecretError::Unreadable)?;
        let sealed = BASE64.decode(sealed).map_err(|_| SecretError::Unreadable)?;
        let key = self.0.as_ref().ok_or(SecretError::OtherKey)?;
        let (nonce, bytes) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(SecretError::Unreadable)?;
        let mut bytes = bytes.to_vec();
        let opened = key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::empty(),
                &mut bytes,
            )
            .map_err(|_| SecretError::OtherKey)?;
        String::from_utf8(opened.to_vec()).map_err(|_| SecretError::Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_kept_encrypted_and_signs_as_it_was_shown() {
        let shown = SecretBox::generate();
        let bytes = BASE64.decode(shown.strip_prefix(SHOWN).unwrap()).unwrap();
        assert_eq!(bytes.len(), SECRET_BYTES);
        let locked = SecretBox::new(Some("correct horse battery staple"));
        let kept = locked.seal(&shown).unwrap();
        assert!(!kept.contains(&shown) && kept != locked.seal(&shown).unwrap());
        assert_eq!(locked.signing_key(&kept).unwrap(), bytes);
        for other in [SecretBox::new(None), SecretBox::new(Some("another"))] {
            assert_eq!(other.signing_key(&kept), Err(SecretError::OtherKey));
        }
        // Those that were kept before there was a key go on.
        let plain = SecretBox::new(None).seal(&shown).unwrap();
        assert_eq!(locked.signing_key(&plain).unwrap(), bytes);
        assert_eq!(locked.signing_key("nonsense"), Err(SecretError::Unreadable));
    }
}
