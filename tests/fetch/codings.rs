//! Bodies that come coded although the client did not ask for it.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use thumbforge::domain::FailureCode;
use thumbforge::fetch::FetchSettings;

use crate::client::{fetch, fetch_with, settings};
use crate::origin::Origin;

/// 1000 times `abc`.
const BROTLI: &[u8] = &[
    0x1b, 0xb7, 0x0b, 0xf8, 0x25, 0xc3, 0xc4, 0xc6, 0xe2, 0xb3, 0x20, 0xe0, 0x6d, 0x00, 0x40, 0x03,
];

fn body() -> Vec<u8> {
    b"abc".repeat(1000)
}

fn answer(coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn coded_bodies_are_inflated() {
    for (coding, coded) in [
        ("gzip", gzip(&body())),
        ("x-gzip", gzip(&body())),
        ("GZIP", gzip(&body())),
        ("aws-chunked, gzip", gzip(&body())),
        ("deflate", zlib(&body())),
        ("deflate", deflate(&body())),
        ("br", BROTLI.to_vec()),
    ] {
        let origin = Origin::answering(answer(coding, &coded)).await;
        let download = fetch(&origin.url("/")).await.unwrap();
        assert_eq!(download.bytes, body(), "{coding}");
        assert_eq!(download.reserved_bytes(), 3000, "{coding}");
    }
}

#[tokio::test]
async fn codings_that_mean_nothing_are_passed_over() {
    for coding in [
        "",
        "identity",
        "none",
        "UTF-8",
        "aws-chunked",
        "identity, none",
    ] {
        let origin = Origin::answering(answer(coding, &body())).await;
        assert_eq!(
            fetch(&origin.url("/")).await.unwrap().bytes,
            body(),
            "{coding}"
        );
    }
}

#[tokio::test]
async fn unknown_and_broken_codings_are_invalid() {
    let whole = gzip(&body());
    for (coding, coded) in [
        ("zstd", &whole[..]),
        ("compress", &whole[..]),
        ("gzip, gzip", &whole[..]),
        ("gzip", &whole[..whole.len() / 2]),
        ("gzip", &b"\xff\xd8\xff a JPEG that is not coded at all"[..]),
        ("br", &whole[..]),
        ("deflate", &b"\xff\xff\xff"[..]),
    ] {
        let origin = Origin::answering(answer(coding, coded)).await;
        let failure = fetch(&origin.url("/")).await.unwrap_err();
        assert_eq!(
            failure.code,
            FailureCode::InvalidResponse,
            "{coding}: {failure}"
        );
        assert_eq!(failure.source_status, Some(200));
    }
}

#[tokio::test]
async fn a_body_is_bounded_before_and_after_it_is_inflated() {
    let coded = gzip(&vec![0; 1_000_000]);
    for (max_bytes, is_fetched) in [(1_000_000, true), (999_999, false), (500, false)] {
        let origin = Origin::answering(answer("gzip", &coded)).await;
        let settings = FetchSettings {
            max_bytes,
            ..settings()
        };
        let result = fetch_with(settings, &origin.url("/")).await;
        match result {
            Ok(download) => assert!(is_fetched && download.bytes.len() == 1_000_000),
            Err(failure) => {
                assert!(!is_fetched, "{failure}");
                assert_eq!(failure.code, FailureCode::SourceTooLarge);
            }
        }
    }
}
