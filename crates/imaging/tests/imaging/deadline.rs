//! A deadline that is over in the middle of a decode ends it, whatever the decoder.
//!
//! Each picture is first decoded whole, by the bare decoder if it comes from a crate. With a small
//! part of that time as the deadline, the decode must end long before it has spent that time. Each
//! time is processor time and the least of several attempts, so that other work on the machine does
//! not decide: it only makes the deadline come sooner.

use std::hint::black_box;
use std::io::Cursor;
use std::time::{Duration, Instant};

use crate::picture::thumbnail;
use image::ImageDecoder;
use jpeg_encoder::{ColorType, Encoder};
use thumbforge_imaging::{ImagingError, Limits};
use zune_core::bytestream::ZCursor;

use crate::picture::{Picture, SPEC, fixture, try_thumbnail};
use crate::spent::Spent;

const ATTEMPTS: usize = 5;
/// Half the time of a lossy decode of 12 megapixels in an optimised build.
const SHORT: Duration = Duration::from_millis(30);

fn least_time(mut work: impl FnMut()) -> Duration {
    let times = (0..ATTEMPTS).map(|_| {
        let begun = Spent::now();
        work();
        begun.elapsed()
    });
    times.min().unwrap()
}

/// `whole` is the time of a decode without deadline.
fn assert_ends_early(name: &str, bytes: &[u8], whole: Duration) {
    assert!(
        whole > Duration::from_millis(4),
        "{name} takes {whole:?}: too little to tell"
    );
    let late = least_time(|| {
        let limits = Limits {
            deadline: Some(Instant::now() + (whole / 10).min(SHORT)),
            ..Limits::default()
        };
        let made = thumbnail(bytes, &SPEC, &limits);
        let outcome = made.map(|_| "a thumbnail");
        assert_eq!(outcome, Err(ImagingError::Timeout), "{name}");
    });
    assert!(
        late < whole / 2,
        "{name}: {whole:?} whole, {late:?} until it was given up"
    );
}

fn assert_engine_ends_early(name: &str, bytes: &[u8]) {
    let whole = least_time(|| {
        black_box(try_thumbnail(bytes).unwrap());
    });
    assert_ends_early(name, bytes, whole);
}

/// `channels` of each pixel, as noisy as pictures get.
fn noise(pixels: usize, channels: usize) -> Vec<u8> {
    let mut state = 1_u32;
    (0..pixels * channels)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

fn jpeg(side: u16, color: ColorType, progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    encoder.set_progressive(progressive);
    let channels = if matches!(color, ColorType::Cmyk) {
        4
    } else {
        3
    };
    let samples = noise(usize::from(side) * usize::from(side), channels);
    encoder.encode(&samples, side, side, color).unwrap();
    bytes
}

#[test]
fn our_jpeg_decoder_ends_at_its_deadline() {
    assert_engine_ends_early("sequential", &jpeg(1200, ColorType::Rgb, false));
    assert_engine_ends_early("progressive", &jpeg(800, ColorType::Rgb, true));
    assert_engine_ends_early("inks", &jpeg(800, ColorType::Cmyk, false));
}

/// Without its Huffman tables, as in the frames of Motion JPEG: the full decoder knows them.
fn without_tables(mut jpeg: Vec<u8>) -> Vec<u8> {
    while let Some(at) = jpeg.windows(2).position(|pair| pair == [0xff, 0xc4]) {
        let length = usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        jpeg.drain(at..at + 2 + length);
    }
    let motion = b"\xff\xe0\0\x07AVI1\0";
    jpeg.splice(2..2, motion.iter().copied());
    jpeg
}

#[test]
fn the_full_jpeg_decoder_ends_at_its_deadline() {
    let bytes = without_tables(jpeg(1600, ColorType::Rgb, false));
    let whole = least_time(|| {
        let mut decoder = zune_jpeg::JpegDecoder::new(ZCursor::new(&bytes));
        black_box(decoder.decode().unwrap());
    });
    assert_ends_early("Motion JPEG", &bytes, whole);
}

#[test]
fn png_and_gif_end_at_their_deadline() {
    let picture = Picture {
        width: 3000,
        height: 2000,
        channels: 3,
        samples: noise(3000 * 2000, 3),
    };
    assert_engine_ends_early("PNG", &picture.to_png());
    let indices = noise(3000 * 2000, 1);
    for interlaced in [false, true] {
        let mut frame = gif::Frame::from_indexed_pixels(3000, 2000, indices.clone(), None);
        frame.interlaced = interlaced;
        let mut bytes = Vec::new();
        let mut encoder = gif::Encoder::new(&mut bytes, 3000, 2000, &noise(256, 3)).unwrap();
        encoder.write_frame(&frame).unwrap();
        drop(encoder);
        assert_engine_ends_early("GIF", &bytes);
    }
}

fn webp_time(bytes: &[u8]) -> Duration {
    least_time(|| {
        let mut decoder = image_webp::WebPDecoder::new(Cursor::new(bytes)).unwrap();
        let mut picture = vec![0; decoder.output_buffer_size().unwrap()];
        decoder.read_image(&mut picture).unwrap();
        black_box(picture);
    })
}

#[test]
fn a_lossless_webp_ends_at_its_deadline() {
    let mut bytes = Vec::new();
    image_webp::WebPEncoder::new(&mut bytes)
        .encode(
            &noise(1500 * 1500, 3),
            1500,
            1500,
            image_webp::ColorType::Rgb8,
        )
        .unwrap();
    assert_ends_early("lossless WebP", &bytes, webp_time(&bytes));
}

#[test]
fn a_lossy_webp_ends_at_its_deadline() {
    assert_engine_ends_early("lossy WebP", &fixture("webp_flat_4000x3000.webp"));
}

/// The picture with an alpha plane that is not compressed, which another decoder than ours takes.
fn with_alpha(webp: &[u8], width: u32, height: u32) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let length = data.len() as u32;
        let padding = &[0][..data.len() % 2];
        [kind, &length.to_le_bytes()[..], data, padding].concat()
    };
    let mut canvas = vec![0x10, 0, 0, 0];
    canvas.extend(&(width - 1).to_le_bytes()[..3]);
    canvas.extend(&(height - 1).to_le_bytes()[..3]);
    let mut alpha = vec![255; 1 + width as usize * height as usize];
    alpha[0] = 0;
    let picture = &webp[12..];
    let chunks = [&chunk(b"VP8X", &canvas), &chunk(b"ALPH", &alpha), picture].concat();
    let file = [&b"WEBP"[..], &chunks].concat();
    chunk(b"RIFF", &file)
}

#[test]
fn a_lossy_webp_with_alpha_that_can_not_meet_its_deadline_is_not_begun() {
    let bytes = with_alpha(&fixture("webp_flat_4000x3000.webp"), 4000, 3000);
    assert_ends_early("lossy WebP with alpha", &bytes, webp_time(&bytes));
}

/// Run-length coded, with each pixel a run of its own.
fn slow_bmp(side: usize) -> Vec<u8> {
    const HEADERS: usize = 14 + 40;
    const PALETTE: usize = 256 * 4;
    const RUN_LENGTH_8: u32 = 1;
    let indices = noise(side * side, 1);
    let mut coded = Vec::new();
    for row in indices.chunks(side) {
        coded.extend(row.iter().flat_map(|index| [1, *index]));
        coded.extend([0, 0]);
    }
    coded.extend([0, 1]);
    let mut bytes = b"BM".to_vec();
    let words = [
        (HEADERS + PALETTE + coded.len()) as u32,
        0,
        (HEADERS + PALETTE) as u32,
        40,
        side as u32,
        side as u32,
        1 | 8 << 16,
        RUN_LENGTH_8,
        coded.len() as u32,
        0,
        0,
        256,
        0,
    ];
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(noise(256, 4));
    bytes.extend(coded);
    bytes
}

#[test]
fn a_bmp_ends_at_its_deadline() {
    let bytes = slow_bmp(4000);
    let whole = least_time(|| {
        let decoder = image::codecs::bmp::BmpDecoder::new(Cursor::new(&bytes)).unwrap();
        let mut picture = vec![0; decoder.total_bytes() as usize];
        decoder.read_image(&mut picture).unwrap();
        black_box(picture);
    });
    assert_ends_early("BMP", &bytes, whole);
}
