//! BMPs that no usual program writes.

use thumbforge_imaging::{Color, Format, Formats, Limits, Variant, make};

use crate::picture::{thumbnail_of, try_thumbnail};

/// A file of two rows and two columns, from the bottom up, with this coding and what follows the
/// header of 40 bytes.
fn bitmap(bits: u16, coding: u32, behind: &[u8], pixels: &[u8]) -> Vec<u8> {
    let data_at = 14 + 40 + behind.len() as u32;
    let mut bytes = b"BM".to_vec();
    for word in [
        0,
        0,
        data_at,
        40,
        2,
        2,
        1 | u32::from(bits) << 16,
        coding,
        0,
        0,
        0,
        0,
        0,
    ] {
        bytes.extend(word.to_le_bytes());
    }
    [&bytes, behind, pixels].concat()
}

/// The pixels of a thumbnail of the same size, roughly: red, green, blue, white, black.
fn colours(bytes: &[u8]) -> String {
    let variant = Variant {
        formats: Formats::List(vec![Format::Png]),
        background: Some(Color::WHITE),
        ..Variant::thumbnail(2, 90)
    };
    let made = make(bytes, &[variant], &Limits::default()).unwrap();
    let file = std::io::Cursor::new(&made.renditions[0].files[0].bytes);
    let mut decoder = png::Decoder::new(file);
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut samples = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut samples).unwrap();
    assert_eq!((info.width, info.height), (2, 2));
    let name = |pixel: &[u8]| {
        if pixel.get(3).is_some_and(|alpha| *alpha == 0) {
            return 'w';
        }
        match [pixel[0] > 130, pixel[1] > 130, pixel[2] > 130] {
            [true, true, true] => 'w',
            [true, false, false] => 'r',
            [false, true, false] => 'g',
            [false, false, true] => 'b',
            [false, false, false] => 'k',
            _ => '?',
        }
    };
    samples
        .chunks(info.color_type.samples())
        .map(name)
        .collect()
}

const MASKS: u32 = 3;
const ALPHA_MASKS: u32 = 6;
const PALETTE: [u8; 16] = [0, 0, 0, 0, 0, 0, 255, 0, 0, 255, 0, 0, 255, 255, 255, 0];

#[test]
fn alpha_masks_behind_a_short_header_count() {
    let masks: Vec<u8> = [0xFF_u32, 0xFF00, 0xFF_0000, 0xFF00_0000]
        .iter()
        .flat_map(|mask| mask.to_le_bytes())
        .collect();
    let red = [255, 0, 0, 255];
    let clear = [255, 0, 0, 0];
    let bytes = bitmap(32, ALPHA_MASKS, &masks, &[red, red, clear, clear].concat());
    assert!(thumbnail_of(&bytes).source.has_alpha);
    assert_eq!(colours(&bytes), "wwrr");
    // An alpha channel that is zero throughout is none.
    assert_eq!(
        colours(&bitmap(32, ALPHA_MASKS, &masks, &clear.repeat(4))),
        "rrrr"
    );
    // Without it the same bits mean nothing.
    let opaque = bitmap(32, MASKS, &masks[..12], &[red, red, clear, clear].concat());
    assert!(!thumbnail_of(&opaque).source.has_alpha);
    assert_eq!(colours(&opaque), "rrrr");
}

#[test]
fn runs_beyond_their_row_and_below_the_picture_are_dropped() {
    for (codes, expected) in [
        // A run of nine, and of pixels one by one; then rows that are not there.
        (
            &[9, 1, 0, 0, 0, 4, 2, 2, 2, 2, 0, 0, 2, 1, 0, 0, 2, 1][..],
            "ggrr",
        ),
        // A jump out of the picture.
        (&[2, 1, 0, 2, 9, 9, 2, 2][..], "kkrr"),
        // An end before all is coded: the rest has the first colour.
        (&[2, 2, 0, 1][..], "kkgg"),
    ] {
        let bytes = bitmap(8, 1, &PALETTE, codes);
        assert_eq!(colours(&bytes), expected, "{codes:?}");
        assert!(!thumbnail_of(&bytes).source.truncated);
    }
    let four = bitmap(4, 2, &PALETTE, &[3, 0x12, 0, 0, 0, 3, 0x21, 0x10, 0, 1]);
    assert_eq!(colours(&four), "grrg");
}

#[test]
fn with_half_of_its_rows_a_bitmap_is_shown_with_white_above() {
    let row = [0, 0, 255, 0, 0, 255, 0, 0];
    let whole = bitmap(24, 0, &[], &row.repeat(2));
    assert_eq!(colours(&whole), "rrrr");
    let cut = &whole[..whole.len() - 5];
    assert!(thumbnail_of(cut).source.truncated);
    assert_eq!(colours(cut), "wwrr");
    assert!(try_thumbnail(&whole[..whole.len() - 12]).is_err());
    let runs = bitmap(8, 1, &PALETTE, &[2, 1, 0, 0, 1, 2]);
    assert!(thumbnail_of(&runs).source.truncated);
    assert_eq!(colours(&runs), "wwrr");
}

#[test]
fn other_pictures_within_a_bitmap_are_named() {
    for (bits, coding, kind) in [
        (0, 4, "holds a JPEG"),
        (0, 5, "holds a PNG"),
        (1, 3, "a fax"),
    ] {
        let error = try_thumbnail(&bitmap(bits, coding, &[], &[0; 16])).unwrap_err();
        assert!(error.to_string().contains(kind), "{error}");
    }
}
