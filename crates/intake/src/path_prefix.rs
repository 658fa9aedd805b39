//! The path under which a proxy shows a service.

/// A path such as `/thumbs`, without a slash at its end; empty for the root. Put before a path, it
/// gives another path of the same host, whatever its author wished.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathPrefix(String);

/// Longest path prefix, in bytes.
const MAX_BYTES: usize = 256;

impl PathPrefix {
    /// Reads a path, or the empty text. `None` if it does not begin with a slash, has empty, `.` or
    /// `..` segments or other characters than letters, digits and `-._~`, or is too long. Nothing
    /// is decoded: `%` is refused, and so is a backslash, which browsers read as a slash.
    pub fn parse(text: &str) -> Option<Self> {
        let path = text.strip_suffix('/').unwrap_or(text);
        if path.is_empty() {
            return Some(Self::default());
        }
        let segments = path.strip_prefix('/')?.split('/');
        let mut segments = segments.map(|segment| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain)
        });
        let is_path = path.len() <= MAX_BYTES && segments.all(|is_plain| is_plain);
        is_path.then(|| Self(path.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_plain_path() {
        for (text, expected) in [
            ("", ""),
            ("/", ""),
            ("/thumbs", "/thumbs"),
            ("/thumbs/", "/thumbs"),
            ("/a/b-c/d_e.f~0", "/a/b-c/d_e.f~0"),
            ("/...", "/..."),
        ] {
            let prefix = PathPrefix::parse(text).unwrap();
            assert_eq!(prefix.as_str(), expected, "{text}");
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_prefix() {
        let long = format!("/{}", "a".repeat(MAX_BYTES));
        for text in [
            "thumbs",
            "//evil.example",
            "/a//b",
            "//",
            "/a/",
            "/..",
            "/a/../b",
            "/.",
            "/%2e%2e",
            "/a%2f",
            "/\\evil.example",
            "/a b",
            "/a\tb",
            "/a\r\nX: y",
            "/a?b",
            "/a#b",
            "/a:b",
            "/a,/b",
            "/é",
            "https://evil.example",
            &long,
        ] {
            let expected = (text == "/a/").then(|| PathPrefix("/a".to_owned()));
            assert_eq!(PathPrefix::parse(text), expected, "{text:?}");
        }
    }
}
