//! TIFF in its codings, colours and depths.

use std::time::{Duration, Instant};

use thumbforge_imaging::{ErrorKind, Format, ImagingError, Limits};

use super::tiff_file::{Directory, Values, file as tiff};
use super::{
    HEIGHT, WIDTH, assert_alike, assert_cuts, assert_shows, colour, colours, file, grey, greys,
    kind_of_failure, rgba, shown, squares, torture, try_shown,
};
use crate::picture::{Picture, SPEC, probe};
use crate::spent::Spent;

const LITTLE: &[u8; 4] = b"II*\0";
const BIG: &[u8; 4] = b"MM\0*";

/// A directory of the usual size without compression.
fn picture(photometric: u16, bits: &[u16], pixels: Vec<u8>) -> Directory {
    Directory::default()
        .with(256, WIDTH as u16)
        .with(257, HEIGHT as u16)
        .with(258, bits)
        .with(262, photometric)
        .with(277, bits.len() as u16)
        .chunk(pixels)
}

/// The bytes of all pixels.
fn pixels<const N: usize>(pixel: impl Fn(usize, usize) -> [u8; N]) -> Vec<u8> {
    (0..HEIGHT)
        .flat_map(|y| (0..WIDTH).map(move |x| (x, y)))
        .flat_map(|(x, y)| pixel(x, y))
        .collect()
}

fn assert_tiff(bytes: &[u8], expected: &Picture, most: u8, what: &str) {
    assert_shows(bytes, Format::Tiff, expected, most, what);
}

#[test]
fn every_compression_gives_the_same_pixels() {
    for name in [
        "lzw",
        "lzw_predicted",
        "deflate",
        "packbits",
        "tiles",
        "planes",
        "planes_tiled",
        "big",
        "shorts_predicted",
        "floats_predicted",
        "floats_big_endian",
        "halves",
        "pages",
    ] {
        assert_tiff(&file(&format!("{name}.tif")), &colours(), 0, name);
    }
    for name in ["jpeg_ycc", "tiles_jpeg"] {
        assert_tiff(&file(&format!("{name}.tif")), &colours(), 10, name);
    }
    for name in ["group3", "group4", "runs"] {
        assert_tiff(&file(&format!("{name}.tif")), &squares(), 0, name);
    }
}

/// Samples of `bits` from the highest bit on, each row in whole bytes.
fn packed(bits: usize, sample: impl Fn(usize, usize) -> u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for y in 0..HEIGHT {
        let mut row = vec![0; (WIDTH * bits).div_ceil(8)];
        for x in 0..WIDTH {
            for bit in 0..bits {
                let place = x * bits + bit;
                let value = sample(x, y) >> (bits - 1 - bit) & 1;
                row[place / 8] |= (value as u8) << (7 - place % 8);
            }
        }
        bytes.extend(row);
    }
    bytes
}

#[test]
fn grey_has_every_depth() {
    for bits in [1, 2, 4, 6, 8, 10, 12, 14, 16_usize] {
        let largest = (1_u32 << bits) - 1;
        let sample = |x, y| u32::from(grey(x, y)) * largest / 255;
        let data = if bits == 16 {
            pixels(|x, y| (sample(x, y) as u16).to_be_bytes())
        } else {
            packed(bits, sample)
        };
        let rounded = |value: u32| ((value * 255 + largest / 2) / largest) as u8;
        let expected = Picture::of(WIDTH, HEIGHT, |x, y| [rounded(sample(x, y)); 3]);
        let bytes = tiff(BIG, &[picture(1, &[bits as u16], data.clone())]);
        assert_tiff(&bytes, &expected, 0, &format!("{bits} bits"));
        let inverse = Picture::of(WIDTH, HEIGHT, |x, y| [255 - rounded(sample(x, y)); 3]);
        let bytes = tiff(BIG, &[picture(0, &[bits as u16], data)]);
        assert_tiff(&bytes, &inverse, 0, &format!("{bits} bits, white is 0"));
    }
    let longs = pixels(|x, y| (u32::from(grey(x, y)) * 0x0101_0101).to_le_bytes());
    let bytes = tiff(LITTLE, &[picture(1, &[32], longs)]);
    assert_tiff(&bytes, &greys(), 0, "32 bits");
}

#[test]
fn a_palette_has_sixteen_bits_or_eight_and_up_to_256_colours() {
    for bits in [1, 2, 4, 8_usize] {
        let count = 1 << bits;
        let place = |index: usize| (index * 37 % WIDTH, index * 11 % HEIGHT);
        let entry = |index: usize| colour(place(index).0, place(index).1);
        for factor in [257, 1] {
            let map: Vec<u16> = (0..3)
                .flat_map(|channel| (0..count).map(move |index| (channel, index)))
                .map(|(channel, index)| u16::from(entry(index)[channel]) * factor)
                .collect();
            let index = |x: usize, y: usize| (x + y) % count;
            let data = packed(bits, |x, y| index(x, y) as u32);
            let directory = picture(3, &[bits as u16], data).with(320, &map[..]);
            let expected = Picture::of(WIDTH, HEIGHT, |x, y| entry(index(x, y)));
            assert_tiff(
                &tiff(LITTLE, &[directory]),
                &expected,
                0,
                &format!("{bits} bits"),
            );
        }
    }
}

#[test]
fn inks_are_taken_away_from_white() {
    let inks = pixels(|x, y| {
        let [r, g, b] = colour(x, y);
        [255 - r, 255 - g, 255 - b, 0]
    });
    let bytes = tiff(LITTLE, &[picture(5, &[8; 4], inks)]);
    assert_tiff(&bytes, &colours(), 0, "CMYK");
    let five = pixels(|_, _| [0, 0, 0, 255, 9]);
    let black = Picture::of(WIDTH, HEIGHT, |_, _| [0; 3]);
    assert_tiff(
        &tiff(LITTLE, &[picture(5, &[8; 5], five)]),
        &black,
        0,
        "CMYK and more",
    );
}

#[test]
fn lab_is_converted() {
    for (photometric, offset) in [(8, 0), (9, 128_u8)] {
        let lab = |a: i8, b: i8| {
            [
                137,
                (a as u8).wrapping_add(offset),
                (b as u8).wrapping_add(offset),
            ]
        };
        let data = pixels(|x, _| if x < 32 { lab(0, 0) } else { lab(60, -50) });
        let bytes = tiff(LITTLE, &[picture(photometric, &[8; 3], data)]);
        // By Little CMS: L 53.7, a 60, b −50.
        let expected = Picture::of(WIDTH, HEIGHT, |x, _| {
            if x < 32 { [128; 3] } else { [193, 79, 217] }
        });
        assert_tiff(&bytes, &expected, 3, &format!("photometric {photometric}"));
    }
}

/// Red, green and blue to luma and chroma by JFIF's weights.
fn ycc([r, g, b]: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = [r, g, b].map(f32::from);
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    [y, (b - y) / 1.772 + 128.0, (r - y) / 1.402 + 128.0].map(|value| value.round() as u8)
}

#[test]
fn luma_and_chroma_of_any_size_become_colours() {
    for (h, v) in [(1, 1), (2, 1), (2, 2), (4, 2), (1, 2)] {
        let mut data = Vec::new();
        for top in (0..HEIGHT).step_by(v) {
            for left in (0..WIDTH).step_by(h) {
                for y in top..top + v {
                    data.extend((left..left + h).map(|x| ycc(colour(x, y))[0]));
                }
                data.extend(&ycc(colour(left + h / 2, top + v / 2))[1..]);
            }
        }
        let directory = picture(6, &[8; 3], data)
            .with(530, &[h as u16, v as u16][..])
            .with(278, 16_u16);
        let mut directory = directory;
        let strip = directory.chunks[0].len() / 3;
        directory.chunks = directory.chunks[0]
            .chunks(strip)
            .map(<[u8]>::to_vec)
            .collect();
        let most = if (h, v) == (1, 1) { 2 } else { 12 };
        assert_tiff(
            &tiff(BIG, &[directory]),
            &colours(),
            most,
            &format!("{h} × {v}"),
        );
    }
}

#[test]
fn the_range_of_luma_and_chroma_is_the_files() {
    let limited = pixels(|x, y| {
        let [luma, cb, cr] = ycc(colour(x, y)).map(f32::from);
        [
            luma * 219.0 / 255.0 + 16.0,
            (cb - 128.0) * 112.0 / 127.0 + 128.0,
            (cr - 128.0) * 112.0 / 127.0 + 128.0,
        ]
        .map(|value| value.round() as u8)
    });
    let range = [16, 235, 128, 240, 128, 240].map(|value| (value, 1));
    let directory = picture(6, &[8; 3], limited)
        .with(530, &[1_u16, 1][..])
        .with(532, Values::Fractions(range.to_vec()));
    assert_tiff(&tiff(LITTLE, &[directory]), &colours(), 4, "BT.601");
}

#[test]
fn alpha_is_kept_whether_it_was_multiplied_or_not() {
    let alpha = |x: usize| (x * 4 + 3) as u8;
    let straight = pixels(|x, y| {
        let [r, g, b] = colour(x, y);
        [r, g, b, alpha(x)]
    });
    let weighted = |sample: u8, alpha: u8| (u32::from(sample) * u32::from(alpha) / 255) as u8;
    let premultiplied = pixels(|x, y| {
        let [r, g, b] = colour(x, y).map(|sample| weighted(sample, alpha(x)));
        [r, g, b, alpha(x)]
    });
    for (meaning, data, what) in [
        (2, straight.clone(), "straight"),
        (1, premultiplied, "weighted"),
    ] {
        let bytes = tiff(
            LITTLE,
            &[picture(2, &[8; 4], data).with(338, meaning as u16)],
        );
        let (picture, source) = shown(&bytes);
        assert!(source.has_alpha, "{what}");
        for (index, pixel) in rgba(&picture).iter().enumerate() {
            let (x, y) = (index % WIDTH, index / WIDTH);
            assert_eq!(pixel[3], alpha(x), "{what}");
            let least = 3 + 255 / u16::from(alpha(x));
            for (got, expected) in pixel.iter().zip(colour(x, y)) {
                assert!(
                    u16::from(got.abs_diff(expected)) <= least,
                    "{what} at {x}, {y}: {pixel:?}"
                );
            }
        }
    }
    // What is not called alpha is none.
    let bytes = tiff(LITTLE, &[picture(2, &[8; 4], straight).with(338, 0_u16)]);
    assert!(!shown(&bytes).1.has_alpha);
    assert_tiff(&bytes, &colours(), 0, "an unnamed sample");
    let grey_alpha = pixels(|x, y| [grey(x, y), 255]);
    let bytes = tiff(LITTLE, &[picture(1, &[8; 2], grey_alpha).with(338, 2_u16)]);
    assert_tiff(&bytes, &greys(), 0, "grey and alpha");
}

#[test]
fn bits_may_run_backwards() {
    let data = packed(1, |x, y| ((x / 8 + y / 8) % 2) as u32);
    let reversed: Vec<u8> = data.iter().map(|byte| byte.reverse_bits()).collect();
    let bytes = tiff(LITTLE, &[picture(1, &[1], reversed).with(266, 2_u16)]);
    assert_tiff(&bytes, &squares(), 0, "fill order 2");
}

#[test]
fn the_first_codes_of_lzw_ran_backwards() {
    let packed = weezl::encode::Encoder::new(weezl::BitOrder::Lsb, 8).encode(&colours().samples);
    let directory = picture(2, &[8; 3], packed.unwrap()).with(259, 5_u16);
    assert_tiff(&tiff(LITTLE, &[directory]), &colours(), 0, "old LZW");
}

#[test]
fn the_first_kind_of_jpeg_is_a_file_within_the_file() {
    let jpeg = colours().to_jpeg(jpeg_encoder::ColorType::Rgb);
    let plain = tiff(
        LITTLE,
        &[picture(6, &[8; 3], jpeg.clone()).with(259, 6_u16)],
    );
    // The JPEG is the only strip, after eight bytes of header.
    let directory = picture(6, &[8; 3], jpeg.clone())
        .with(259, 6_u16)
        .with(513, 8_u32)
        .with(514, jpeg.len() as u32);
    assert_tiff(&tiff(LITTLE, &[directory]), &colours(), 10, "old JPEG");
    assert_eq!(kind_of_failure(&plain), ErrorKind::Unsupported);
}

#[test]
fn all_orientations_come_out_upright() {
    let seen = colours();
    for (orientation, stored) in [
        (1, seen.clone()),
        (2, seen.mirrored()),
        (3, seen.mirrored().upside_down()),
        (4, seen.upside_down()),
        (5, seen.transposed()),
        (6, seen.transposed().upside_down()),
        (7, seen.transposed().mirrored().upside_down()),
        (8, seen.transposed().mirrored()),
    ] {
        let directory = picture(2, &[8; 3], stored.samples.clone())
            .with(256, stored.width as u16)
            .with(257, stored.height as u16)
            .with(274, orientation as u16);
        let bytes = tiff(LITTLE, &[directory]);
        assert_tiff(&bytes, &seen, 0, &format!("orientation {orientation}"));
        assert_eq!(shown(&bytes).1.orientation, orientation as u8);
    }
}

#[test]
fn an_embedded_profile_decides_what_is_red() {
    let (picture, source) = shown(&file("profile.tif"));
    assert!(source.icc_profile.is_some());
    let swapped = Picture::of(WIDTH, HEIGHT, |x, y| {
        let [first, second, third] = colour(x, y);
        [second, third, first]
    });
    assert_alike(&picture, &swapped, 3, "the swapping profile");
}

#[test]
fn its_own_fields_are_the_metadata() {
    let directory = picture(2, &[8; 3], colours().samples)
        .with(271, &b"Canon\0"[..])
        .with(272, &b"Canon EOS R5\0"[..]);
    let (_, source) = shown(&tiff(BIG, &[directory]));
    assert_eq!(source.exif.unwrap().camera.as_deref(), Some("Canon EOS R5"));
    assert_eq!((source.frames, source.has_alpha), (1, false));
}

#[test]
fn cut_files_show_the_rows_that_they_have() {
    let rows = |part: usize| WIDTH * 3 * (HEIGHT * part / 4);
    let mut stripped = picture(2, &[8; 3], Vec::new()).with(278, 4_u16);
    stripped.chunks = colours()
        .samples
        .chunks(WIDTH * 3 * 4)
        .map(<[u8]>::to_vec)
        .collect();
    // The directory comes first in files that can be cut.
    for (what, bytes) in [
        ("strips", directory_first(&tiff(LITTLE, &[stripped]))),
        (
            "one strip",
            directory_first(&tiff(LITTLE, &[picture(2, &[8; 3], colours().samples)])),
        ),
    ] {
        let start = bytes.len() - rows(4);
        assert_cuts(&bytes, start + rows(3), start + rows(1), what);
    }
}

/// Moves the pixels, which begin after the header, behind everything else.
fn directory_first(bytes: &[u8]) -> Vec<u8> {
    let directory = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let pixel_bytes = WIDTH * HEIGHT * 3;
    let (header, rest) = bytes.split_at(8);
    let (pixels, rest) = rest.split_at(pixel_bytes);
    let mut moved = [header, rest, pixels].concat();
    let moved_up = |place: u32| place - pixel_bytes as u32;
    let patch = |moved: &mut Vec<u8>, at: usize, place: u32| {
        moved[at..at + 4].copy_from_slice(&place.to_le_bytes());
    };
    patch(&mut moved, 4, moved_up(directory as u32));
    let count = usize::from(u16::from_le_bytes([bytes[directory], bytes[directory + 1]]));
    let long = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    for entry in (0..count).map(|index| directory + 2 + 12 * index) {
        let tag = u16::from_le_bytes([bytes[entry], bytes[entry + 1]]);
        let values = long(entry + 4) as usize;
        let size = if bytes[entry + 2] == 4 { 4 } else { 2 };
        let behind = |place: u32| place + rest.len() as u32;
        let at = entry - pixel_bytes + 8;
        let field = long(entry + 8);
        match (tag, values * size > 4) {
            (273, false) => patch(&mut moved, at, behind(field)),
            (_, false) => {}
            (_, true) => {
                patch(&mut moved, at, moved_up(field));
                for index in (0..values).filter(|_| tag == 273) {
                    let place = field as usize + 4 * index;
                    let strip = long(place);
                    patch(&mut moved, place - pixel_bytes, behind(strip));
                }
            }
        }
    }
    moved
}

#[test]
fn damaged_files_never_panic() {
    for name in [
        "lzw_predicted",
        "tiles",
        "planes_tiled",
        "tiles_jpeg",
        "group3",
        "group4",
        "runs",
        "big",
        "floats_predicted",
        "pages",
    ] {
        torture(&file(&format!("{name}.tif")), name);
    }
}

#[test]
fn kinds_that_nobody_here_decodes_are_named() {
    let plain = || picture(2, &[8; 3], colours().samples);
    for (directory, word) in [
        (plain().with(259, 50_000_u16), "Zstandard"),
        (plain().with(259, 34_712_u16), "JPEG 2000"),
        (plain().with(259, 9_999_u16), "unknown compression"),
        (plain().with(258, &[8_u16, 8, 16][..]), "differ"),
        (plain().with(339, 2_u16), "signed"),
        (plain().with(262, 32_845_u16), "unusual colours"),
        (plain().with(277, 33_u16), "32 samples"),
    ] {
        let error = try_shown(&tiff(LITTLE, &[directory]), &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn directories_that_lie_are_refused_before_any_work() {
    let plain = || picture(2, &[8; 3], colours().samples);
    let huge = |width: u32, height: u32| plain().with(256, width).with(257, height);
    let tiles = |width: u32, height: u32| {
        let mut directory = plain().with(322, width).with(323, height);
        directory.is_tiled = true;
        directory
    };
    for (directory, kind) in [
        (huge(u32::MAX, u32::MAX), ErrorKind::TooLarge),
        (huge(30_000, 30_000), ErrorKind::TooLarge),
        (huge(0, 10), ErrorKind::Corrupt),
        (huge(9_000, 9_000), ErrorKind::Corrupt),
        (plain().without(256), ErrorKind::Corrupt),
        (plain().with(278, 0_u16), ErrorKind::Corrupt),
        (plain().with(277, 2_u16), ErrorKind::Corrupt),
        // A tile as wide as a house for a picture of 64 × 48.
        (tiles(u32::MAX, 16), ErrorKind::TooLarge),
        (tiles(1 << 24, 1 << 24), ErrorKind::TooLarge),
        (tiles(0, 16), ErrorKind::Corrupt),
        // 100 million strips of one row.
        (huge(1, 100_000_000).with(278, 1_u16), ErrorKind::TooLarge),
    ] {
        let begun = Spent::now();
        let bytes = tiff(LITTLE, std::slice::from_ref(&directory));
        assert_eq!(kind_of_failure(&bytes), kind, "{:?}", directory.fields);
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
}

/// The JPEG of a tile may claim any size; room is made only for the tile's.
#[test]
fn a_tile_whose_jpeg_is_larger_than_the_tile_is_corrupt() {
    let mut jpeg = colours().to_jpeg(jpeg_encoder::ColorType::Rgb);
    let frame = jpeg
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .unwrap();
    let directory = |jpeg: &[u8]| picture(6, &[8; 3], jpeg.to_vec()).with(259, 7_u16);
    assert_tiff(
        &tiff(LITTLE, &[directory(&jpeg)]),
        &colours(),
        10,
        "a JPEG strip",
    );
    jpeg[frame + 5..frame + 9].fill(0xff);
    assert_eq!(
        kind_of_failure(&tiff(LITTLE, &[directory(&jpeg)])),
        ErrorKind::Corrupt
    );
}

#[test]
fn a_circle_of_directories_ends() {
    let mut bytes = tiff(LITTLE, &[picture(2, &[8; 3], colours().samples)]);
    let end = bytes.len();
    let first = bytes[4..8].to_vec();
    bytes[end - 4..].copy_from_slice(&first);
    assert_tiff(&bytes, &colours(), 0, "a circle");
}

#[test]
fn a_passed_deadline_ends_the_work() {
    let limits = Limits {
        deadline: Some(Instant::now()),
        ..Limits::default()
    };
    for name in ["lzw", "tiles", "planes", "group4", "jpeg_ycc"] {
        let outcome = try_shown(&file(&format!("{name}.tif")), &limits).map(|_| "a picture");
        assert_eq!(outcome, Err(ImagingError::Timeout), "{name}");
    }
}

#[test]
fn strips_are_read_row_by_row_in_little_memory() {
    let bytes =
        |directory: Directory| tiff(LITTLE, &[directory.with(256, 8000_u16).with(257, 8000_u16)]);
    let plain = bytes(picture(2, &[8; 3], vec![0; 100]));
    let reserved = probe(&plain, &SPEC, &Limits::default())
        .unwrap()
        .memory_bytes;
    assert!(reserved < 16 << 20, "{reserved}");
}
