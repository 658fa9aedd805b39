//! Optional API keys: only their SHA-256 is kept, and compared in constant time.
//!
//! The keys file has one `name:sha256` or `name:sha256:scopes` per line, the hash as 64 hexadecimal
//! digits; empty lines and lines that start with `#` are skipped. To make a key and its line:
//!
//! ```sh
//! key=$(openssl rand -hex 32)
//! echo "my-client:$(printf %s "$key" | sha256sum | cut -d' ' -f1)" >> api-keys
//! ```
//!
//! A fast hash is enough because keys are long random strings, not passwords that can be guessed.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::scope::Scopes;

/// The keys of one file.
#[derive(Clone)]
pub struct ApiKeys {
    entries: Vec<KeyEntry>,
}

#[derive(Clone)]
struct KeyEntry {
    name: Arc<str>,
    hash: [u8; 32],
    scopes: Scopes,
}

/// Why a keys file can't be used. Names lines, never their content.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeysError {
    #[error("can't be read: {0}")]
    Unreadable(std::io::Error),
    #[error("line {line} is not `name:sha256` or `name:sha256:scopes`, with 64 hexadecimal digits")]
    Malformed { line: usize },
    #[error("line {line} names scopes other than `read`, `submit` and `operate`, with commas")]
    Scope { line: usize },
    #[error("line {line} repeats a name or a key")]
    Repeated { line: usize },
    #[error("it has no key, so no client could use the API")]
    Empty,
}

impl ApiKeys {
    pub fn read(path: &Path) -> Result<Self, ApiKeysError> {
        let text = std::fs::read_to_string(path).map_err(ApiKeysError::Unreadable)?;
        Self::parse(&text)
    }

    pub fn parse(text: &str) -> Result<Self, ApiKeysError> {
        let mut entries: Vec<KeyEntry> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let entry = KeyEntry::parse(line, index + 1)?;
            let repeated = |known: &KeyEntry| known.name == entry.name || known.hash == entry.hash;
            if entries.iter().any(repeated) {
                return Err(ApiKeysError::Repeated { line: index + 1 });
            }
            entries.push(entry);
        }
        if entries.is_empty() {
            return Err(ApiKeysError::Empty);
        }
        Ok(Self { entries })
    }

    pub const fn count(&self) -> usize {
        self.entries.len()
    }

    /// The name that belongs to `key`, and what it may do. Takes the same time whichever key
    /// matches, if any.
    pub(crate) fn find(&self, key: &str) -> Option<(&Arc<str>, Scopes)> {
        let presented: [u8; 32] = Sha256::digest(key).into();
        let mut matched = u32::MAX;
        for (index, entry) in (0_u32..).zip(&self.entries) {
            let equal: Choice = entry.hash.ct_eq(&presented);
            matched.conditional_assign(&index, equal);
        }
        let entry = self.entries.get(usize::try_from(matched).ok()?)?;
        Some((&entry.name, entry.scopes))
    }
}

impl ApiKeys {
    /// The SHA-256 of the key of this name, and what it may do.
    pub(crate) fn named(&self, name: &str) -> Option<(&[u8; 32], Scopes)> {
        let entry = self.entries.iter().find(|entry| &*entry.name == name)?;
        Some((&entry.hash, entry.scopes))
    }
}

impl KeyEntry {
    fn parse(text: &str, line: usize) -> Result<Self, ApiKeysError> {
        let malformed = || ApiKeysError::Malformed { line };
        let (name, rest) = text.split_once(':').ok_or_else(malformed)?;
        let (digits, scopes) = match rest.split_once(':') {
            Some((digits, scopes)) => (digits, Some(scopes)),
            None => (rest, None),
        };
        let name = name.trim();
        if name.is_empty() {
            return Err(malformed());
        }
        let scopes = match scopes {
            Some(scopes) => scopes.parse().map_err(|_| ApiKeysError::Scope { line })?,
            None => Scopes::default(),
        };
        Ok(Self {
            name: name.into(),
            hash: hash(digits.trim()).ok_or_else(malformed)?,
            scopes,
        })
    }
}

fn hash(digits: &str) -> Option<[u8; 32]> {
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::super::scope::Scope;
    use super::*;

    /// SHA-256 of `secret-one` and `secret-two`, by `printf %s secret-one | sha256sum`.
    const FILE: &str = "
# two callers
one: ea77193cc4e6f18656f3130e296203880c4b9b3772afc855211b82fdd46e9185
two:cebdf378f2d2bd60d3e3693349e8f20f329daf11a276f849996f0a6377e2155b
";

    #[test]
    fn a_key_is_known_by_its_hash_alone() {
        let keys = ApiKeys::parse(FILE).unwrap();
        for (key, name) in [("secret-one", "one"), ("secret-two", "two")] {
            assert_eq!(keys.find(key), Some((&name.into(), Scopes::default())));
        }
        for stranger in ["", "secret", "secret-one ", FILE] {
            assert_eq!(keys.find(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn a_faulty_file_is_refused_with_its_line() {
        let hash = "ea77193cc4e6f18656f3130e296203880c4b9b3772afc855211b82fdd46e9185";
        for (text, expected) in [
            ("plain-key".to_owned(), "line 1 "),
            (format!("# fine\none:{}", &hash[1..]), "line 2 "),
            (format!(":{hash}"), "line 1 "),
            (format!("one:{}g", &hash[1..]), "line 1 "),
            (format!("one:{hash}\n\ntwo:{hash}"), "line 3 "),
            ("# nothing\n".to_owned(), "no key"),
            (format!("one:{hash}:"), "line 1 names scopes"),
            (format!("\none:{hash}:read,write"), "line 2 names scopes"),
            (format!("one:{hash}:read,"), "line 1 names scopes"),
            (format!("one:{hash}:read:submit"), "line 1 names scopes"),
            (format!("one:{}:read", &hash[1..]), "line 1 is not"),
        ] {
            let error = ApiKeys::parse(&text).err().map(|error| error.to_string());
            let error = error.unwrap_or_else(|| panic!("accepted: {text}"));
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("ea77"), "{error}");
        }
    }

    #[test]
    fn a_key_may_do_what_its_line_names() {
        let hash = "ea77193cc4e6f18656f3130e296203880c4b9b3772afc855211b82fdd46e9185";
        for (scopes, expected) in [
            ("", [true, true, false]),
            (":read", [true, false, false]),
            (":submit", [false, true, false]),
            (": read , operate", [true, false, true]),
            (":operate,read,submit,read", [true, true, true]),
        ] {
            let keys = ApiKeys::parse(&format!("one:{hash}{scopes}")).unwrap();
            let (_, found) = keys.find("secret-one").unwrap();
            let may =
                [Scope::Read, Scope::Submit, Scope::Operate].map(|scope| found.include(scope));
            assert_eq!(may, expected, "{scopes}");
        }
    }
}
