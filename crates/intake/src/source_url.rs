//! The URL of a source image: checked, normalised, and known by its hash.
//!
//! The WHATWG parser repairs what it reads: it drops tabs and newlines, turns `\` into `/`, and
//! takes `http:/x` and `http:///x` for `http://x`. Another reader of the same text (a proxy, a log
//! filter, a human) may see another host than the parser does. So a text that would be repaired is
//! refused before it is parsed. Only spaces pass, because people and servers write them: around the
//! URL they are dropped, in its path and query they become `%20`.

use sha2::{Digest, Sha256};
use url::Url;

use crate::hex::hex;
use crate::origin::Origin;

/// A URL that is syntactically fit to be fetched. The address policy judges where it leads.
///
/// Parsing the normalised text again gives the same URL: the worker that reads it back accepts what
/// was accepted at submission.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourceUrl(Url);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceUrlError {
    #[error("the URL is empty")]
    Empty,
    #[error("the URL is longer than {max} bytes")]
    TooLong { max: usize },
    #[error(
        "the URL has a control character in it, or a blank other than a space in path or query"
    )]
    Blank,
    #[error("the host is longer than {max} bytes")]
    HostTooLong { max: usize },
    #[error("the host has escapes or invisible characters in it")]
    HostSpelling,
    #[error("the URL has a backslash in it")]
    Backslash,
    #[error("the URL is relative; it must begin with http:// or https://")]
    Relative,
    #[error("only http and https URLs are accepted")]
    Scheme,
    #[error(
        "a data: URL is not accepted: put the image where it can be fetched from by http or https"
    )]
    DataUrl,
    #[error(
        "an s3: URL is not accepted: give the object's https URL, presigned if it is not public"
    )]
    S3Url,
    #[error("the URL lacks the two slashes and a host after its scheme")]
    MissingHost,
    #[error("a URL with a user name or password is not accepted")]
    Credentials,
    #[error("the URL can't be read: {0}")]
    Unreadable(String),
}

impl SourceUrl {
    /// Longest accepted URL, in bytes, as given and as normalised.
    pub const MAX_BYTES: usize = 8192;
    /// Longest host: what a name may have in the DNS (RFC 1035 §2.3.4).
    pub const MAX_HOST_BYTES: usize = 253;

    /// Refuses what the parser would repair, parses as WHATWG URL, drops the fragment.
    pub fn parse(text: &str) -> Result<Self, SourceUrlError> {
        let text = text.trim_matches(' ');
        check_text(text)?;
        let after_scheme = check_scheme(text)?;
        check_authority(after_scheme)?;
        let mut url = Url::parse(text).map_err(unreadable)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(SourceUrlError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SourceUrlError::Credentials);
        }
        let max = Self::MAX_HOST_BYTES;
        if url.host_str().is_some_and(|host| host.len() > max) {
            return Err(SourceUrlError::HostTooLong { max });
        }
        url.set_fragment(None);
        check_length(url.as_str())?;
        Ok(Self(url))
    }

    /// Where a redirect from here leads. A `Location` may be relative; like a submitted URL, it is
    /// not repaired.
    pub fn join(&self, location: &str) -> Result<Self, SourceUrlError> {
        let location = location.trim_matches(' ');
        check_text(location)?;
        if has_scheme(location) {
            return Self::parse(location);
        }
        if let Some(authority) = location.strip_prefix("//") {
            check_authority(authority)?;
        }
        let joined = self.0.join(location).map_err(unreadable)?;
        Self::parse(joined.as_str())
    }

    pub fn as_url(&self) -> &Url {
        &self.0
    }

    pub fn origin(&self) -> Origin {
        Origin::of(&self.0).expect("only http and https URLs with a host are parsed")
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// SHA-256 of the normalised URL, 64 lower-case hex digits: what makes two URLs duplicates.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.as_str()))
    }
}

fn check_text(text: &str) -> Result<(), SourceUrlError> {
    if text.is_empty() {
        return Err(SourceUrlError::Empty);
    }
    check_length(text)?;
    let is_blank = |c: char| c.is_control() || (c.is_whitespace() && c != ' ');
    if text.chars().any(is_blank) {
        return Err(SourceUrlError::Blank);
    }
    if text.contains('\\') {
        return Err(SourceUrlError::Backslash);
    }
    Ok(())
}

fn check_length(text: &str) -> Result<(), SourceUrlError> {
    let max = SourceUrl::MAX_BYTES;
    if text.len() > max {
        return Err(SourceUrlError::TooLong { max });
    }
    Ok(())
}

/// The part after `http://` or `https://`.
fn check_scheme(text: &str) -> Result<&str, SourceUrlError> {
    if !has_scheme(text) {
        return Err(SourceUrlError::Relative);
    }
    let (scheme, rest) = text.split_once(':').ok_or(SourceUrlError::Relative)?;
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => {}
        "data" => return Err(SourceUrlError::DataUrl),
        "s3" => return Err(SourceUrlError::S3Url),
        _ => return Err(SourceUrlError::Scheme),
    }
    rest.strip_prefix("//").ok_or(SourceUrlError::MissingHost)
}

/// True if `text` begins with `scheme:` (RFC 3986 §3.1).
fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

/// The host is there, and no `@` stands before it: an empty user name leaves no trace once parsed.
fn check_authority(after_slashes: &str) -> Result<(), SourceUrlError> {
    let authority = after_slashes
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default();
    if authority.is_empty() {
        return Err(SourceUrlError::MissingHost);
    }
    if authority.contains(' ') {
        return Err(SourceUrlError::Blank);
    }
    if authority.contains('@') {
        return Err(SourceUrlError::Credentials);
    }
    // The parser decodes the former and drops the latter.
    if authority.contains('%') || authority.contains(is_ignorable) {
        return Err(SourceUrlError::HostSpelling);
    }
    Ok(())
}

/// `Default_Ignorable_Code_Point` of Unicode, which the mapping of names (UTS 46) drops.
fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

fn unreadable(error: url::ParseError) -> SourceUrlError {
    SourceUrlError::Unreadable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_the_parser_would_repair_is_refused() {
        use SourceUrlError as E;
        for (text, expected) in [
            ("", E::Empty),
            ("   ", E::Empty),
            ("\thttp://example.com/", E::Blank),
            ("http://example.com/a\u{a0}", E::Blank),
            ("http://exam ple.com/", E::Blank),
            ("http://example.com :80/", E::Blank),
            ("http:// example.com/", E::Blank),
            ("http ://example.com/", E::Relative),
            ("http://exam\tple.com/", E::Blank),
            ("http://example.com/a\r\nHost: evil", E::Blank),
            ("http://example.com/\u{0}", E::Blank),
            ("http://example.com/\u{7f}", E::Blank),
            ("http://example.com/\u{85}", E::Blank),
            ("http://exam\u{3000}ple.com/", E::Blank),
            ("http:\\\\example.com\\", E::Backslash),
            ("http://example.com\\@127.0.0.1/", E::Backslash),
            ("//example.com/a.png", E::Relative),
            ("/a.png", E::Relative),
            ("example.com/a.png", E::Relative),
            ("ftp://example.com/", E::Scheme),
            ("FILE:///etc/passwd", E::Scheme),
            ("javascript:alert(1)", E::Scheme),
            ("data:image/png;base64,AAAA", E::DataUrl),
            ("S3://bucket/key.jpg", E::S3Url),
            ("http:example.com", E::MissingHost),
            ("http:/example.com", E::MissingHost),
            ("http:///example.com", E::MissingHost),
            ("http://?a", E::MissingHost),
            ("http://@example.com/", E::Credentials),
            ("http://:@example.com/", E::Credentials),
            ("http://user:pass@example.com/", E::Credentials),
            ("http://user%40example.com:80@example.com/", E::Credentials),
        ] {
            assert_eq!(SourceUrl::parse(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn hosts_that_the_parser_would_spell_anew_are_refused() {
        for text in [
            "http://exam\u{200b}ple.com/",
            "http://exam\u{ad}ple.com/",
            "http://example\u{2060}.com:80/",
            "http://\u{feff}example.com",
            "http://exam\u{fe0f}ple.com?a",
            "http://exa%6dple.com/",
            "http://127%2e0.0.1/",
        ] {
            assert_eq!(
                SourceUrl::parse(text).unwrap_err(),
                SourceUrlError::HostSpelling,
                "{text:?}"
            );
        }
        for text in [
            "http://example.com/%6d\u{ad}",
            "http://b\u{fc}cher.example/",
        ] {
            assert!(SourceUrl::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn urls_are_normalised_and_lose_their_fragment() {
        for (text, expected) in [
            ("HTTP://EXAMPLE.com:80/a/../b#c", "http://example.com/b"),
            ("https://example.com:443", "https://example.com/"),
            ("http://example.com:/", "http://example.com/"),
            ("http://faß.de/ü", "http://xn--fa-hia.de/%C3%BC"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
            ("http://example.com#@127.0.0.1/", "http://example.com/"),
            (
                "http://example.com?@127.0.0.1/",
                "http://example.com/?@127.0.0.1/",
            ),
            ("http://example.com/a@b:c", "http://example.com/a@b:c"),
            ("  http://example.com/a ", "http://example.com/a"),
            (
                "http://example.com/a b?c d#e f",
                "http://example.com/a%20b?c%20d",
            ),
            ("http://example.com/a #b", "http://example.com/a%20"),
            (
                "http://example.com/?a[]=b[c]",
                "http://example.com/?a[]=b[c]",
            ),
            (
                "http://example.com/it's?it's",
                "http://example.com/it's?it%27s",
            ),
        ] {
            assert_eq!(SourceUrl::parse(text).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn same_url_same_hash() {
        let hash = |text| SourceUrl::parse(text).unwrap().hash();
        assert_eq!(
            hash("http://example.com:80/a#x"),
            hash("http://EXAMPLE.com/a")
        );
        assert_ne!(hash("http://example.com/a"), hash("https://example.com/a"));
        // printf 'http://example.com/' | sha256sum
        assert_eq!(
            hash("http://example.com"),
            "2a1b402420ef46577471cdc7409b0fa2c6a204db316e59ade2d805435489a067"
        );
    }

    #[test]
    fn length_is_limited_before_and_after_normalising() {
        let max = SourceUrl::MAX_BYTES;
        let of_length = |length: usize| format!("http://a.example/{}", "x".repeat(length - 17));
        assert!(SourceUrl::parse(&of_length(max)).is_ok());
        let too_long = Err(SourceUrlError::TooLong { max });
        assert_eq!(SourceUrl::parse(&of_length(max + 1)), too_long);
        let grows = format!("http://a.example/{}", "ü".repeat(2000));
        assert_eq!(SourceUrl::parse(&grows), too_long);
    }

    #[test]
    fn redirects_are_resolved_but_not_repaired() {
        let base = SourceUrl::parse("https://example.com/a/b?c").unwrap();
        for (location, expected) in [
            ("d", "https://example.com/a/d"),
            ("/d", "https://example.com/d"),
            ("?d", "https://example.com/a/b?d"),
            ("//other.example/d", "https://other.example/d"),
            ("http://other.example/d#e", "http://other.example/d"),
            ("/d e?f g", "https://example.com/d%20e?f%20g"),
            ("d e ", "https://example.com/a/d%20e"),
            ("https://other.example/d e", "https://other.example/d%20e"),
        ] {
            assert_eq!(base.join(location).unwrap().as_str(), expected);
        }
        for location in [
            "",
            "/d\te",
            "// other.example/",
            "https://other. example/",
            "/\\other.example/",
            "\\\\other.example/",
            "///other.example/",
            "//user@other.example/",
            "https:d",
            "http:/other.example/",
            "file:///etc/passwd",
            "/d\r\nX: y",
        ] {
            assert!(base.join(location).is_err(), "{location:?}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_url_is_accepted_again_and_stays_the_same(
            text in "https?://[a-z0-9.ü%@\\[\\]:_-]{1,20}[/?#]?\\PC{0,40}"
        ) {
            if let Ok(url) = SourceUrl::parse(&text) {
                prop_assert_eq!(SourceUrl::parse(url.as_str()), Ok(url));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), location in any::<String>()) {
            let _ = SourceUrl::parse(&text);
            let base = SourceUrl::parse("http://example.com/").unwrap();
            let _ = base.join(&location);
        }
    }
}
