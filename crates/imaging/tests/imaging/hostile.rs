//! Files that promise more than they hold, or hold more than they show.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::picture::{probe, thumbnail};
use jpeg_encoder::ColorType;
use thumbforge_imaging::ErrorKind;
use thumbforge_imaging::{ImagingError, Limits};

use crate::picture::{Picture, SPEC, fixture, thumbnail_of, try_thumbnail};
use crate::spent::Spent;

#[test]
fn lying_headers_are_refused() {
    for (name, code) in [
        ("png_claim_7fffffff.png", ErrorKind::TooLarge),
        ("webp_16383x16383_vp8l.webp", ErrorKind::TooLarge),
        ("webp_anim_16383x16383_10.webp", ErrorKind::TooLarge),
        ("gif_claimframe_65535.gif", ErrorKind::TooLarge),
        ("bmp_claim_30000x30000.bmp", ErrorKind::TooLarge),
        ("jpg_claim_16000x3000_trunc.jpg", ErrorKind::Corrupt),
        ("svg_as.png", ErrorKind::Unsupported),
        ("xcrn0g04.png", ErrorKind::Unsupported),
        ("xhdn0g08.png", ErrorKind::Corrupt),
    ] {
        let begun = Spent::now();
        let error = try_thumbnail(&fixture(name)).unwrap_err();
        assert_eq!(error.kind(), code, "{name}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{name}");
    }
}

fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(data);
    [
        &(data.len() as u32).to_be_bytes()[..],
        kind,
        data,
        &crc.sum().to_be_bytes(),
    ]
    .concat()
}

/// A PNG with a chunk after its header.
fn png_with(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    const HEADER_END: usize = 8 + 25;
    let mut bytes = Picture::textured(64, 64).to_png();
    bytes.splice(HEADER_END..HEADER_END, png_chunk(kind, data));
    bytes
}

/// Each becomes 160 KiB of digits, which hold nothing.
#[test]
fn of_many_texts_that_pretend_to_be_exif_one_is_read() {
    let mut deflated = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    deflated.write_all(b"\nexif\n99999\n").unwrap();
    deflated.write_all(&vec![b'0'; 160 << 10]).unwrap();
    let text = [
        &b"Raw profile type exif\0\0"[..],
        &deflated.finish().unwrap(),
    ]
    .concat();
    let mut bytes = png_with(b"zTXt", &text);
    let chunk = png_chunk(b"zTXt", &text);
    bytes.splice(33..33, chunk.repeat(50_000));
    let begun = Spent::now();
    assert_eq!(thumbnail_of(&bytes).source.width, 64);
    // All of them took half a minute.
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
}

/// Found by fuzzing: the decoder panicked.
#[test]
fn a_palette_that_is_no_list_of_colours_is_corrupt() {
    let bytes = fixture("basn3p02.png");
    let at = bytes.windows(4).position(|four| four == b"PLTE").unwrap();
    let end = at + 8 + usize::from(bytes[at - 1]);
    let with_palette = |length| {
        let chunk = png_chunk(b"PLTE", &vec![100; length]);
        [&bytes[..at - 4], &chunk, &bytes[end..]].concat()
    };
    for length in [3, 12, 768] {
        assert_eq!(try_thumbnail(&with_palette(length)).err(), None, "{length}");
    }
    for length in [1, 13, 14, 769, 771, 3000] {
        let error = try_thumbnail(&with_palette(length)).unwrap_err();
        let code = error.kind();
        assert_eq!(code, ErrorKind::Corrupt, "{length}: {error}");
    }
}

#[test]
fn of_several_exif_blocks_the_first_counts_with_its_prefix_or_without() {
    let block = |orientation| {
        let mut tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        tiff.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        tiff
    };
    let prefixed = [b"Exif\0\0", &block(6)[..]].concat();
    let png = |first: &[u8]| {
        let mut bytes = png_with(b"eXIf", &block(3));
        bytes.splice(33..33, png_chunk(b"eXIf", first));
        bytes
    };
    let webp = |first: &[u8]| {
        let chunks = [
            &fixture("simple-rgb.webp")[8..],
            &riff_chunk(b"EXIF", first),
            &riff_chunk(b"EXIF", &block(3)),
        ];
        riff_chunk(b"RIFF", &chunks.concat())
    };
    let jpeg = |first: &[u8]| {
        let mut bytes = Picture::textured(64, 64).to_jpeg(ColorType::Rgb);
        for block in [&block(3), first] {
            let length = (block.len() as u16 + 8).to_be_bytes();
            let segment = [b"\xff\xe1", &length[..], b"Exif\0\0", block].concat();
            bytes.splice(2..2, segment);
        }
        bytes
    };
    for first in [block(6), prefixed] {
        for bytes in [png(&first), webp(&first), jpeg(&first)] {
            let source = thumbnail_of(&bytes).source;
            assert_eq!(source.orientation, 6, "{:?} {first:?}", source.format);
        }
    }
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A profile with the largest table that is read, all zeros, in the largest profile.
fn profile_of_one_large_table() -> Vec<u8> {
    const GRID_POINTS: u8 = 88;
    let mut table = b"mft1\0\0\0\0".to_vec();
    table.extend([3, 3, GRID_POINTS, 0]);
    let one = 0x1_0000_u32.to_be_bytes();
    let zero = [0; 4];
    table.extend([one, zero, zero, zero, one, zero, zero, zero, one].concat());
    table.extend([0; 3 * 256]);
    table.resize(table.len() + usize::from(GRID_POINTS).pow(3) * 3, 0);
    table.extend([0; 3 * 256]);
    let mut profile = moxcms::ColorProfile::new_srgb().encode().unwrap();
    profile.truncate(128);
    profile.extend(1_u32.to_be_bytes());
    profile.extend(b"A2B0");
    profile.extend(144_u32.to_be_bytes());
    profile.extend((table.len() as u32).to_be_bytes());
    profile.extend(table);
    profile.resize(4 << 20, 0);
    profile[..4].copy_from_slice(&(4_u32 << 20).to_be_bytes());
    profile
}

/// PNG files whose metadata inflates to `bytes`, or to the most that is taken.
pub fn metadata_bombs(bytes: usize) -> Vec<(&'static str, Vec<u8>)> {
    let zeros = deflated(&vec![0; bytes]);
    let bomb = |kind, prefix: &[u8]| png_with(kind, &[prefix, &zeros].concat());
    let profile = [b"profile\0\0", &deflated(&profile_of_one_large_table())[..]].concat();
    vec![
        ("icc_table.png", png_with(b"iCCP", &profile)),
        ("iccp.png", bomb(b"iCCP", b"profile\0\0")),
        ("ztxt.png", bomb(b"zTXt", b"Comment\0\0")),
        ("itxt.png", bomb(b"iTXt", b"Comment\0\x01\0\0\0")),
    ]
}

#[test]
fn compressed_metadata_is_not_inflated_beyond_its_limit() {
    for (name, bytes) in metadata_bombs(64 << 20) {
        let begun = Spent::now();
        assert_eq!(thumbnail_of(&bytes).source.icc_profile, None, "{name}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{name}");
    }
}

/// A chunk of RIFF.
fn riff_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    [kind, &(data.len() as u32).to_le_bytes()[..], data].concat()
}

#[test]
fn chunks_are_counted_in_every_format_that_has_them() {
    const MANY: usize = 200;
    let insert = |mut bytes: Vec<u8>, at: usize, chunk: &[u8]| {
        bytes.splice(at..at, chunk.repeat(MANY));
        bytes
    };
    let jpeg = Picture::textured(64, 64).to_jpeg(ColorType::Rgb);
    let gif = fixture("beacon.gif");
    let first_block = 13
        + if gif[10] & 0x80 == 0 {
            0
        } else {
            3 << ((gif[10] & 7) + 1)
        };
    let webp = fixture("simple-rgb.webp");
    let end = webp.len();
    for (name, bytes) in [
        (
            "PNG",
            insert(
                Picture::textured(64, 64).to_png(),
                33,
                &png_chunk(b"tEXt", b"a\0b"),
            ),
        ),
        ("JPEG", insert(jpeg, 2, b"\xff\xef\0\x04ab")),
        ("GIF", insert(gif, first_block, b"!\xff\x0bNOBODY  1.0\0")),
        ("WebP", insert(webp, end, &riff_chunk(b"abcd", b"ab"))),
    ] {
        let limits = Limits {
            max_chunks: 100,
            ..Limits::default()
        };
        let outcome = thumbnail(&bytes, &SPEC, &limits).map(|_| "a thumbnail");
        assert!(
            matches!(outcome, Err(ImagingError::TooMany { max: 100, .. })),
            "{name}: {outcome:?}"
        );
        assert!(try_thumbnail(&bytes).is_ok(), "{name}");
    }
}

/// A progressive JPEG whose last scan comes again and again.
fn with_many_scans(color: ColorType) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
    encoder.set_progressive(true);
    let samples = Picture::textured(64, 4 * 64).samples;
    let channels = if matches!(color, ColorType::Cmyk) {
        4
    } else {
        3
    };
    encoder
        .encode(&samples[..64 * 64 * channels], 64, 64, color)
        .unwrap();
    assert_eq!(try_thumbnail(&jpeg).err(), None);
    let last_scan = jpeg
        .windows(2)
        .rposition(|pair| pair == [0xff, 0xda])
        .unwrap();
    let end = jpeg.len() - 2;
    let scan = jpeg[last_scan..end].to_vec();
    jpeg.splice(end..end, scan.repeat(200));
    jpeg
}

#[test]
fn scans_are_counted_by_both_jpeg_decoders() {
    for color in [ColorType::Rgb, ColorType::Cmyk] {
        let outcome = try_thumbnail(&with_many_scans(color)).map(|_| "a thumbnail");
        assert!(
            matches!(
                outcome,
                Err(ImagingError::TooMany {
                    what: "scans",
                    max: 100
                })
            ),
            "{outcome:?}"
        );
    }
}

/// Writes bits from the lowest of each byte on, as lossless WebP has them.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    count: usize,
}

impl BitWriter {
    fn put(&mut self, number: u32, bits: usize) {
        for bit in 0..bits {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.len() - 1;
            self.bytes[last] |= ((number >> bit & 1) as u8) << (self.count % 8);
            self.count += 1;
        }
    }

    /// A prefix code of one symbol.
    fn put_single(&mut self, symbol: u32) {
        self.put(0b101, 3);
        self.put(symbol, 8);
    }

    /// In 93 bits, a code with lengths from 1 to 10: a table of 1,024 entries.
    fn put_deep(&mut self) {
        self.put(0, 1);
        self.put(10, 4);
        // Of the symbols 17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10.
        for length in [0, 0, 0, 3, 3, 3, 3, 3, 0, 3, 4, 4, 4, 4] {
            self.put(length, 3);
        }
        // Eleven lengths are given.
        self.put(1, 1);
        self.put(1, 3);
        self.put(9, 4);
        for length in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10_u32] {
            let (code, bits) = if length <= 6 {
                (length - 1, 3)
            } else {
                (length + 5, 4)
            };
            for bit in (0..bits).rev() {
                self.put(code >> bit & 1, 1);
            }
        }
    }
}

/// A picture of one pixel that asks for `groups` groups of prefix codes, and brings them.
fn webp_with_code_groups(groups: u32) -> Vec<u8> {
    let mut bits = BitWriter::default();
    bits.put(0x2f, 8);
    // Width and height less one, alpha, version.
    bits.put(0, 14 + 14 + 1 + 3);
    // No transform, no cache, an entropy image in blocks of 4 × 4, of which there is one.
    bits.put(0b100, 3);
    bits.put(0, 3 + 1);
    let largest = groups - 1;
    for symbol in [largest & 0xff, largest >> 8, 0, 0, 0] {
        bits.put_single(symbol);
    }
    for _ in 0..5 * groups {
        bits.put_deep();
    }
    // The pixel.
    bits.put(0, 32);
    let stream = riff_chunk(b"VP8L", &bits.bytes);
    let body = [&b"WEBP"[..], &stream].concat();
    riff_chunk(b"RIFF", &body)
}

/// Found by reading what the decoder allocates: 4 MB became 1.3 GB of look-up tables.
#[test]
fn a_webp_may_not_bring_more_code_tables_than_fit() {
    assert_eq!(try_thumbnail(&webp_with_code_groups(1)).err(), None);
    let many = webp_with_code_groups(1000);
    let reserved = probe(&many, &SPEC, &Limits::default())
        .unwrap()
        .memory_bytes;
    assert!(reserved > 1000 * 5 * 4096, "{reserved}");
    assert_eq!(try_thumbnail(&many).err(), None);
    let outcome = try_thumbnail(&webp_with_code_groups(65_536)).map(|_| "a thumbnail");
    assert!(
        matches!(outcome, Err(ImagingError::TooMuchMemory { .. })),
        "{outcome:?}"
    );
}

/// Found by fuzzing: the decoder made room for 54 megapixels in a file of 371 bytes that declares
/// 100 × 100.
#[test]
fn a_webp_whose_picture_is_larger_than_its_canvas_is_corrupt() {
    let simple = fixture("webp_flat_4000x3000.webp");
    let picture = &simple[12..];
    let side = |pixels: u32| (pixels - 1).to_le_bytes()[..3].to_vec();
    let with_canvas = |width, height| {
        let canvas = [vec![0; 4], side(width), side(height)].concat();
        let body = [&b"WEBP"[..], &riff_chunk(b"VP8X", &canvas), picture].concat();
        riff_chunk(b"RIFF", &body)
    };
    let with_frame = |width, height| {
        const ANIMATED: u8 = 2;
        let canvas = [vec![ANIMATED, 0, 0, 0], side(4000), side(3000)].concat();
        let frame = [
            vec![0; 6],
            side(width),
            side(height),
            vec![0; 4],
            picture.to_vec(),
        ]
        .concat();
        let chunks = [
            riff_chunk(b"VP8X", &canvas),
            riff_chunk(b"ANIM", &[0; 6]),
            riff_chunk(b"ANMF", &frame),
        ];
        riff_chunk(b"RIFF", &[&b"WEBP"[..], &chunks.concat()].concat())
    };
    for whole in [with_canvas(4000, 3000), with_frame(4000, 3000)] {
        assert_eq!(try_thumbnail(&whole).err(), None);
    }
    for small in [with_canvas(100, 100), with_frame(100, 100)] {
        let refused = probe(&small, &SPEC, &Limits::default()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused}");
    }
}

#[test]
fn a_picture_without_width_or_height_is_corrupt() {
    for field in [16..20, 20..24] {
        let mut png = Picture::textured(64, 64).to_png();
        png[field].fill(0);
        let error = try_thumbnail(&png).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

#[test]
fn pixels_and_memory_are_limited_before_decoding() {
    let bytes = fixture("Landscape_1.jpg");
    let few_pixels = Limits {
        max_pixels: 1000,
        ..Limits::default()
    };
    let little_memory = Limits {
        max_memory_bytes: 1000,
        ..Limits::default()
    };
    for (limits, expected) in [
        (few_pixels, "at most 1000 pixels"),
        (little_memory, "1000 are allowed"),
    ] {
        let message = probe(&bytes, &SPEC, &limits).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert_eq!(
            thumbnail(&bytes, &SPEC, &limits).unwrap_err().kind(),
            ErrorKind::TooLarge
        );
    }
}

#[test]
fn a_passed_deadline_ends_the_work() {
    let limits = Limits {
        deadline: Some(Instant::now()),
        ..Limits::default()
    };
    for name in [
        "Landscape_1.jpg",
        "jpg-cmyk-2.jpg",
        "basn6a16.png",
        "basi6a16.png",
        "beacon.gif",
        "interlaced.gif",
        "simple-rgb.webp",
        "bmp24.bmp",
    ] {
        assert_eq!(
            thumbnail(&fixture(name), &SPEC, &limits).unwrap_err(),
            ImagingError::Timeout,
            "{name}"
        );
    }
}
