//! The head of an answer: bounded, strictly framed, reduced to what is used.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::connection::{Connection, Interrupted};
use super::error::FetchError;
use super::fields::Fields;
use super::framing::Framing;
use super::retry_after;

/// Bytes of all heads of one answer, interim ones (1xx) included.
const MAX_HEAD_BYTES: usize = 32 * 1024;
const MAX_HEAD_FIELDS: usize = 100;
const MAX_INTERIM_ANSWERS: u32 = 8;
/// A longer content type is no content type.
const MAX_CONTENT_TYPE_BYTES: usize = 255;

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
    reduce(status, is_http_1_1, &Fields::new(response.headers))
}

fn reduce(status: u16, is_http_1_1: bool, fields: &Fields<'_>) -> Result<Head, FetchError> {
    let framing = Framing::of(fields, is_http_1_1)?;
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
    fn unreadable_and_contradictory_fields_are_refused() {
        for fields in [
            "X: a\0b\r\n",
            "X\r\n",
            "X: a\r\n folded\r\n",
            "Location: /a\r\nLocation: /b\r\n",
        ] {
            let refused = matches!(parse(fields), Err(FetchError::InvalidResponse(_)));
            assert!(refused, "{fields:?}");
        }
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
