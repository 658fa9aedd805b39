//! Connection URLs without their secrets, for logs and error messages.

use url::Url;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    pub(super) const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Hides the password, and drops the query because passwords can hide there too.
/// A URL that can't be taken apart loses everything after its scheme.
pub(super) fn redacted(text: &str) -> String {
    let scheme = text.split("://").next().unwrap_or_default();
    match Url::parse(text) {
        Ok(mut url) => {
            url.set_query(None);
            url.set_fragment(None);
            if url.password().is_some() && url.set_password(Some("***")).is_err() {
                return format!("{scheme}://***");
            }
            url.into()
        }
        Err(_) => format!("{scheme}://***"),
    }
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn a_url_that_cannot_be_taken_apart_shows_its_scheme_only() {
        assert_eq!(redacted("postgres://u:hunter2@a:1,b:2/n"), "postgres://***");
        assert_eq!(redacted("postgres://u@db/n"), "postgres://u@db/n");
    }
}
