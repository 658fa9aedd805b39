//! Decodes content codings that come although identity was asked for.

use std::io::Read;

use brotli_decompressor::Decompressor;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use tokio::sync::Semaphore;

use super::ended::Ended;
use super::error::FetchError;
use super::memory::Reservation;

/// Bytes inflated at once before others get their turn.
const STEP_BYTES: usize = 64 * 1024;
/// Decoders have a window of their own, 16 MiB at most, that is not counted as memory of downloads.
const MAX_AT_ONCE: usize = 4;
static TURNS: Semaphore = Semaphore::const_new(MAX_AT_ONCE);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Deflate,
    Brotli,
}

impl Coding {
    /// From the words of `Content-Encoding`, in lower case. Some that servers write mean nothing.
    pub(super) fn of<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self, FetchError> {
        let mut coding = Self::Identity;
        for word in words {
            let next = match word {
                "" | "identity" | "none" | "utf-8" | "utf8" | "aws-chunked" => continue,
                "gzip" | "x-gzip" => Self::Gzip,
                "deflate" => Self::Deflate,
                "br" => Self::Brotli,
                _ => return Err(FetchError::InvalidResponse("its content coding is unknown")),
            };
            if coding != Self::Identity {
                return Err(FetchError::InvalidResponse("it has two content codings"));
            }
            coding = next;
        }
        Ok(coding)
    }

    fn decoder<'a>(self, coded: &'a [u8]) -> Result<Box<dyn Read + Send + 'a>, FetchError> {
        Ok(match self {
            Self::Identity => Box::new(coded),
            Self::Gzip => Box::new(MultiGzDecoder::new(coded)),
            Self::Deflate if has_zlib_head(coded) => Box::new(ZlibDecoder::new(coded)),
            Self::Deflate => Box::new(DeflateDecoder::new(coded)),
            Self::Brotli if has_large_window(coded) => return Err(broken()),
            Self::Brotli => Box::new(Decompressor::new(coded, STEP_BYTES)),
        })
    }

    /// The inflated bytes, at most `max_bytes` of them. Both are counted until the coded ones are
    /// dropped.
    pub(super) async fn inflate(
        self,
        coded: &[u8],
        max_bytes: u64,
        reservation: &mut Reservation,
    ) -> Result<Vec<u8>, Ended> {
        // A body that has a turn may be waiting for the bytes of one that has none.
        let _turn = tokio::select! {
            biased;
            () = reservation.stopped() => return Err(Ended::OutOfMemory),
            turn = TURNS.acquire() => turn,
        };
        let mut decoder = self.decoder(coded)?;
        let mut step = vec![0; STEP_BYTES];
        let mut inflated = Vec::new();
        loop {
            let count = decoder.read(&mut step).map_err(|_| broken())?;
            if count == 0 {
                return Ok(inflated);
            }
            let length = inflated.len() + count;
            if length as u64 > max_bytes {
                return Err(FetchError::TooLarge(max_bytes).into());
            }
            if length > inflated.capacity() {
                let capacity = (length.max(2 * inflated.capacity()) as u64).min(max_bytes);
                let bytes = coded.len() as u64 + capacity;
                reservation.grow_to(bytes).await?;
                inflated.reserve_exact(capacity as usize - inflated.len());
            }
            inflated.extend_from_slice(&step[..count]);
            tokio::task::yield_now().await;
        }
    }
}

fn broken() -> FetchError {
    FetchError::InvalidResponse("its content coding is broken")
}

/// `deflate` means zlib (RFC 9110 §8.4.1.2), but some servers leave its head out.
fn has_zlib_head(coded: &[u8]) -> bool {
    match coded {
        [method, flags, ..] => {
            method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
        }
        _ => false,
    }
}

/// An extension with windows of up to a gigabyte, which no browser reads either.
fn has_large_window(coded: &[u8]) -> bool {
    coded.first().is_some_and(|byte| byte & 0x7f == 0x11)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::DownloadMemory;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    async fn inflate(coding: Coding, coded: &[u8], max_bytes: u64) -> Result<Vec<u8>, FetchError> {
        let memory = DownloadMemory::new(10_000_000);
        let mut reservation = memory.begin();
        match coding.inflate(coded, max_bytes, &mut reservation).await {
            Ok(inflated) => Ok(inflated),
            Err(Ended::Failed(error)) => Err(error),
            Err(_) => panic!("out of memory"),
        }
    }

    #[test]
    fn words_that_mean_nothing_are_passed_over() {
        for (words, expected) in [
            (&[][..], Ok(Coding::Identity)),
            (
                &["", "identity", "none", "utf-8", "aws-chunked"][..],
                Ok(Coding::Identity),
            ),
            (&["aws-chunked", "gzip"][..], Ok(Coding::Gzip)),
            (&["x-gzip"][..], Ok(Coding::Gzip)),
            (
                &["zstd"][..],
                Err(FetchError::InvalidResponse("its content coding is unknown")),
            ),
            (
                &["gzip", "br"][..],
                Err(FetchError::InvalidResponse("it has two content codings")),
            ),
        ] {
            assert_eq!(Coding::of(words.iter().copied()), expected, "{words:?}");
        }
    }

    #[tokio::test]
    async fn a_bomb_is_cut_off_at_the_limit() {
        let bomb = gzip(&vec![0; 5_000_000]);
        let inflated = inflate(Coding::Gzip, &bomb, 5_000_000).await.unwrap();
        assert_eq!(inflated.len(), 5_000_000);
        let cut = inflate(Coding::Gzip, &bomb, 4_999_999).await;
        assert_eq!(cut, Err(FetchError::TooLarge(4_999_999)));
    }

    #[tokio::test]
    async fn broken_and_cut_bodies_are_invalid() {
        let whole = gzip(b"some bytes");
        let large_window = [0x11, 30, 0, 0];
        for (coding, coded) in [
            (Coding::Gzip, &whole[..whole.len() - 3]),
            (Coding::Gzip, b"some bytes"),
            (Coding::Deflate, b"some bytes"),
            (Coding::Brotli, b"some bytes"),
            (Coding::Brotli, &large_window),
        ] {
            let result = inflate(coding, coded, 1000).await;
            assert!(
                matches!(result, Err(FetchError::InvalidResponse(_))),
                "{result:?}"
            );
        }
    }
}
