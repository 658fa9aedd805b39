//! The head of an answer: bounded, strictly framed, reduced to what is used.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::connection::{Connection, Interrupted};
use super::error::FetchError;
use super::retry_after;

/// Bytes of all heads of one answer, interim ones (1xx) included.
const MAX_HEAD_BYTES: usize = 32 * 1024;
const MAX_HEAD_FIELDS: usize = 100;
const MAX_INTERIM_ANSWERS: u32 = 8;
/// A longer content type is no content type.
const MAX_CONTENT_TYPE_BYTES: usize = 255;

/// How the end of a body is known (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) framing: Framing,
    /// True if the connection may carry another request after this answer.
    pub(super) keeps_alive: bool,
    /// True if the body has a content coding, which was not asked for.
    pub(super) is_encoded: bool,
    pub(super) content_type: Option<String>,
    pub(super) location: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

/// Reads the head of the final answer, past interim ones, and leaves the body unread.
pub(super) async fn read_head(
    connection: &mut Connection,
    deadline: Instant,
) -> Result<Head, FetchError> {
    let late = |interrupted: Interrupted| interrupted.or_timeout(FetchError::HeadTimeout);
    let mut consumed = 0;
    let mut interim = 0;
    // Up to here no end of a head was found, so that a head that drips in is not read again and
    // again from its beginning.
    let mut searched = 0;
    loop {
        let Some(length) = head_length(&connection.buffer, searched) else {
            check_beginning(&connection.buffer)?;
            if consumed + connection.buffer.len() > MAX_HEAD_BYTES {
                return Err(FetchError::InvalidResponse("its head is too long"));
            }
            searched = connection.buffer.len();
            if !connection.fill(deadline).await.map_err(late)? {
                return Err(FetchError::EndedEarly);
            }
            continue;
        };
        consumed += length;
        if consumed > MAX_HEAD_BYTES {
            return Err(FetchError::InvalidResponse("its head is too long"));
        }
        let head = parse_head(&connection.buffer[..length])?;
        bytes::Buf::advance(&mut connection.buffer, length);
        match head.status {
            101 => return Err(FetchError::InvalidResponse("it switches protocols")),
            100..200 => interim += 1,
            _ => return Ok(head),
        }
        if interim > MAX_INTERIM_ANSWERS {
            return Err(FetchError::InvalidResponse("too many interim answers"));
        }
        searched = 0;
    }
}

/// Refuses what can't become an answer at once, rather than wait for the end of its head.
fn check_beginning(bytes: &[u8]) -> Result<(), FetchError> {
    const BEGINNING: &[u8] = b"HTTP/1.";
    let length = bytes.len().min(BEGINNING.len());
    if bytes[..length] == BEGINNING[..length] {
        Ok(())
    } else {
        Err(FetchError::InvalidResponse("it is not HTTP/1"))
    }
}

/// Length of the head with its empty line, if all of it is in `bytes`. A line may end without CR
/// (RFC 9112 §2.2).
fn head_length(bytes: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(3);
    let newlines = (from..bytes.len()).filter(|at| bytes[*at] == b'\n');
    newlines
        .map(|at| (at, &bytes[at + 1..]))
        .find_map(|(at, rest)| match rest {
            [b'\n', ..] => Some(at + 2),
            [b'\r', b'\n', ..] => Some(at + 3),
            _ => None,
        })
}

/// Parses one whole head. Pure.
pub(super) fn parse_head(bytes: &[u8]) -> Result<Head, FetchError> {
    check_beginning(bytes)?;
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEAD_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => {
            return Err(FetchError::InvalidResponse("its head is cut"));
        }
        Err(httparse::Error::TooManyHeaders) => {
            return Err(FetchError::InvalidResponse("its head has too many fields"));
        }
        Err(_) => return Err(FetchError::InvalidResponse("its head can't be read")),
    }
    let status = response.code.unwrap_or_default();
    if !(100..600).contains(&status) {
        return Err(FetchError::InvalidResponse("its status is none of HTTP's"));
    }
    let is_http_1_1 = response.version == Some(1);
    reduce(status, is_http_1_1, &Fields(response.headers))
}

fn reduce(status: u16, is_http_1_1: bool, fields: &Fields<'_>) -> Result<Head, FetchError> {
    let framing = framing(fields, is_http_1_1)?;
    let closes = fields.tokens("connection").any(|token| token == "close");
    Ok(Head {
        status,
        framing,
        keeps_alive: is_http_1_1 && !closes && framing != Framing::UntilClose,
        is_encoded: fields
            .tokens("content-encoding")
            .any(|coding| !coding.is_empty() && coding != "identity"),
        content_type: fields
            .text("content-type")
            .filter(|value| !value.is_empty() && value.len() <= MAX_CONTENT_TYPE_BYTES)
            .map(str::to_owned),
        location: location(fields)?,
        retry_after: fields
            .text("retry-after")
            .and_then(|value| retry_after::parse(value, SystemTime::now())),
    })
}

/// Refuses every framing that two readers could understand in two ways.
fn framing(fields: &Fields<'_>, is_http_1_1: bool) -> Result<Framing, FetchError> {
    let mut lengths = fields.all("content-length");
    let first_length = lengths.next();
    let codings: Vec<String> = fields.tokens("transfer-encoding").collect();
    if !codings.is_empty() {
        if first_length.is_some() {
            return Err(FetchError::InvalidResponse(
                "it has both Content-Length and Transfer-Encoding",
            ));
        }
        if !is_http_1_1 || codings != ["chunked"] {
            return Err(FetchError::InvalidResponse(
                "its Transfer-Encoding is not chunked",
            ));
        }
        return Ok(Framing::Chunked);
    }
    let Some(first) = first_length else {
        return Ok(Framing::UntilClose);
    };
    if lengths.any(|other| other != first) {
        return Err(FetchError::InvalidResponse("it has two Content-Lengths"));
    }
    parse_length(first)
        .map(Framing::Length)
        .ok_or(FetchError::InvalidResponse(
            "its Content-Length is not a number",
        ))
}

/// Digits only: no sign, no list.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn location(fields: &Fields<'_>) -> Result<Option<String>, FetchError> {
    let mut values = fields.all("location");
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.any(|other| other != first) {
        return Err(FetchError::InvalidResponse("it has two Locations"));
    }
    let text = std::str::from_utf8(first)
        .map_err(|_| FetchError::InvalidResponse("its Location is not text"))?;
    Ok(Some(text.to_owned()))
}

/// The fields of a head by lower-case name, without blanks around the values.
struct Fields<'a>(&'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    fn all(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value.trim_ascii())
    }

    /// The first value of `name`, if it is visible ASCII.
    fn text(&self, name: &'static str) -> Option<&'a str> {
        self.all(name)
            .next()
            .and_then(|value| std::str::from_utf8(value).ok())
            .filter(|value| value.bytes().all(|byte| (b' '..=b'~').contains(&byte)))
    }

    /// The comma-separated values of all `name` fields, in lower case.
    fn tokens(&self, name: &'static str) -> impl Iterator<Item = String> {
        self.all(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(|token| String::from_utf8_lossy(token.trim_ascii()).to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(fields: &str) -> Result<Head, FetchError> {
        parse_head(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes())
    }

    #[test]
    fn bodies_end_where_the_head_says() {
        for (fields, framing, keeps_alive) in [
            ("Content-Length: 5\r\n", Framing::Length(5), true),
            (
                "content-length:5\r\nContent-Length: 5\r\n",
                Framing::Length(5),
                true,
            ),
            (
                "Content-Length: 5\r\nConnection: x, Close\r\n",
                Framing::Length(5),
                false,
            ),
            ("Transfer-Encoding: Chunked\r\n", Framing::Chunked, true),
            ("", Framing::UntilClose, false),
        ] {
            let head = parse(fields).unwrap();
            assert_eq!(
                (head.framing, head.keeps_alive),
                (framing, keeps_alive),
                "{fields}"
            );
        }
        let old = parse_head(b"HTTP/1.0 200 OK\nContent-Length: 5\n\n").unwrap();
        assert!(!old.keeps_alive);
    }

    #[test]
    fn ambiguous_framing_is_refused() {
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
            "Transfer-Encoding:\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding : chunked\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: -5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length: 5 5\r\n",
            "Content-Length:\r\n",
            "Content-Length: 18446744073709551616\r\n",
            "X: a\r\n Transfer-Encoding: chunked\r\n",
            "X: a\0b\r\n",
            "Location: /a\r\nLocation: /b\r\n",
        ] {
            let result = parse(fields);
            let refused = matches!(result, Err(FetchError::InvalidResponse(_)));
            assert!(refused, "{fields:?}: {result:?}");
        }
        let old = parse_head(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(matches!(old, Err(FetchError::InvalidResponse(_))));
    }

    #[test]
    fn a_hundred_fields_are_read_and_one_more_is_refused() {
        assert!(parse(&"X: y\r\n".repeat(100)).is_ok());
        let refused = Err(FetchError::InvalidResponse("its head has too many fields"));
        assert_eq!(parse(&"X: y\r\n".repeat(101)), refused);
    }

    #[test]
    fn codings_types_and_delays_are_read() {
        let head =
            parse("Content-Type:  image/png \r\nRetry-After: 7\r\nLocation: /ü\r\n").unwrap();
        assert_eq!(head.content_type.as_deref(), Some("image/png"));
        assert_eq!(head.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(head.location.as_deref(), Some("/ü"));
        assert!(!head.is_encoded);
        for (coding, is_encoded) in [
            ("identity", false),
            ("", false),
            ("gzip", true),
            ("identity, br", true),
        ] {
            let head = parse(&format!("Content-Encoding: {coding}\r\n")).unwrap();
            assert_eq!(head.is_encoded, is_encoded, "{coding}");
        }
        let long = parse(&format!("Content-Type: {}\r\n", "x".repeat(256))).unwrap();
        assert_eq!(long.content_type, None);
    }

    #[test]
    fn the_end_of_a_head_is_found_wherever_reads_are_cut() {
        for head in [
            "HTTP/1.1 200 OK\r\nA: b\r\n\r\n",
            "HTTP/1.1 200 OK\nA: b\n\n",
        ] {
            let all = format!("{head}body\n\n").into_bytes();
            for cut in 0..head.len() {
                assert_eq!(head_length(&all[..cut], 0), None);
                assert_eq!(head_length(&all, cut), Some(head.len()), "{cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = head_length(&bytes, 0);
            let _ = parse_head(&bytes);
            let _ = parse_head(&[b"HTTP/1.1 200 OK\r\n", bytes.as_slice(), b"\r\n\r\n"].concat());
        }
    }
}
