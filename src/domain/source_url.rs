//! The URL of a source image: checked, normalised, and known by its hash.

use sha2::{Digest, Sha256};
use url::Url;

/// A URL that is syntactically fit to be fetched. Where it leads is judged by the address policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceUrl(Url);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceUrlError {
    #[error("the URL is empty")]
    Empty,
    #[error("the URL is longer than {max} bytes")]
    TooLong { max: usize },
    #[error("the URL can't be read: {0}")]
    Unreadable(String),
    #[error("only http and https URLs are accepted")]
    Scheme,
    #[error("a URL with a user name or password is not accepted")]
    Credentials,
}

impl SourceUrl {
    /// Parses as WHATWG URL, drops the fragment.
    pub fn parse(text: &str) -> Result<Self, SourceUrlError> {
        if text.is_empty() {
            return Err(SourceUrlError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(SourceUrlError::TooLong {
                max: Self::MAX_BYTES,
            });
        }
        let mut url =
            Url::parse(text).map_err(|error| SourceUrlError::Unreadable(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(SourceUrlError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SourceUrlError::Credentials);
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// Longest accepted URL, in bytes.
    pub const MAX_BYTES: usize = 2048;

    pub fn as_url(&self) -> &Url {
        &self.0
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// SHA-256 of the normalised URL, 64 lower-case hex digits: what makes two URLs duplicates.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.as_str()))
    }
}

/// Lower-case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
