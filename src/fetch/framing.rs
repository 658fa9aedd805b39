//! Where a body ends.

use super::error::FetchError;
use super::fields::Fields;

/// How the end of a body is known (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

impl Framing {
    /// Refuses every framing that two readers could understand in two ways.
    pub(super) fn of(fields: &Fields<'_>, is_http_1_1: bool) -> Result<Self, FetchError> {
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
            return Ok(Self::Chunked);
        }
        let Some(first) = first_length else {
            return Ok(Self::UntilClose);
        };
        if lengths.any(|other| other != first) {
            return Err(FetchError::InvalidResponse("it has two Content-Lengths"));
        }
        parse_length(first)
            .map(Self::Length)
            .ok_or(FetchError::InvalidResponse(
                "its Content-Length is not a number",
            ))
    }
}

/// Digits only: no sign, no list.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::response::{Head, parse_head};

    fn parse(fields: &str) -> Result<Head, FetchError> {
        parse_head(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes())
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
        ] {
            let result = parse(fields);
            let refused = matches!(result, Err(FetchError::InvalidResponse(_)));
            assert!(refused, "{fields:?}: {result:?}");
        }
        let old = parse_head(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(matches!(old, Err(FetchError::InvalidResponse(_))));
    }
}
