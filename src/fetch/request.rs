//! The one request that is made.

use url::{Position, Url};

/// What the engine reads; a server that negotiates sends none of the newer formats then.
const ACCEPT: &str = "image/jpeg,image/png,image/gif,image/webp,image/bmp,*/*;q=0.1";
const USER_AGENT: &str = concat!("ThumbForge/", env!("CARGO_PKG_VERSION"));

/// The head of a `GET`; nothing in it tells where the URL came from.
///
/// `url` was normalised by the parser: no blank, control character or non-ASCII letter is left in
/// it that could end a line early.
pub(super) fn head(url: &Url) -> Vec<u8> {
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let host = &url[Position::BeforeHost..Position::AfterPort];
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {USER_AGENT}\r\n\
         Accept: {ACCEPT}\r\nAccept-Encoding: identity\r\n\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SourceUrl;
    use proptest::prelude::*;

    fn lines(text: &str) -> Vec<String> {
        let head = head(SourceUrl::parse(text).unwrap().as_url());
        let text = String::from_utf8(head).unwrap();
        text.split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn target_and_host_are_those_of_the_url() {
        for (text, target, host) in [
            ("http://example.com", "GET / HTTP/1.1", "Host: example.com"),
            (
                "http://example.com:8080/a?b#c",
                "GET /a?b HTTP/1.1",
                "Host: example.com:8080",
            ),
            (
                "http://[2606:4700::1]/a",
                "GET /a HTTP/1.1",
                "Host: [2606:4700::1]",
            ),
        ] {
            let lines = lines(text);
            assert_eq!((lines[0].as_str(), lines[1].as_str()), (target, host));
        }
    }

    #[test]
    fn nothing_personal_is_sent() {
        let names: Vec<_> = lines("http://example.com/")
            .iter()
            .filter_map(|line| line.split_once(':').map(|(name, _)| name.to_owned()))
            .collect();
        assert_eq!(names, ["Host", "User-Agent", "Accept", "Accept-Encoding"]);
    }

    proptest! {
        #[test]
        fn no_url_can_add_a_line(path in "\\PC{0,60}", query in any::<String>()) {
            if let Ok(url) = SourceUrl::parse(&format!("http://example.com/{path}?{query}")) {
                let head = String::from_utf8(head(url.as_url())).unwrap();
                prop_assert_eq!(head.lines().count(), 6);
                prop_assert!(head.is_ascii());
                prop_assert_eq!(head.lines().next().unwrap().split(' ').count(), 3);
            }
        }
    }
}
