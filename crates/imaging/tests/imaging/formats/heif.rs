//! HEIC: files by libheif and x265, and containers of our own around their coded pictures.

use std::time::{Duration, Instant};

use heifer::heifer_hevc_dec::nal::NalUnit;
use heifer::heifer_hevc_dec::params::ParameterSets;
use heifer::heifer_hevc_dec::slice::SliceHeader;
use heifer::heifer_isobmff::HeifFile;
use thumbforge_imaging::{ErrorKind, Format, ImagingError, Limits};

use super::heif_file::{
    Container, Item, aperture, box_of, grid, media_box, mirror, numbers, rotation, size,
};
use super::{
    HEIGHT, WIDTH, assert_alike, assert_shows, colour, colours, file, greys, kind_of_failure, rgba,
    shown, torture, try_shown,
};
use crate::picture::{Picture, SPEC, probe};
use crate::spent::Spent;

/// What quality 95 loses here.
const LOSSY: u8 = 12;

#[test]
fn files_of_libheif_show_their_picture() {
    for (name, expected, most) in [
        ("plain", colours(), LOSSY),
        ("ten_bits", colours(), LOSSY),
        ("grey", greys(), LOSSY),
    ] {
        assert_shows(
            &file(&format!("{name}.heic")),
            Format::Heif,
            &expected,
            most,
            name,
        );
    }
    let (picture, source) = shown(&file("alpha.heic"));
    assert!(source.has_alpha);
    for (index, pixel) in rgba(&picture).iter().enumerate() {
        let x = index % WIDTH;
        assert!(pixel[3].abs_diff((4 * x) as u8) <= 4, "{pixel:?} at {x}");
    }
}

#[test]
fn metadata_is_read_and_the_containers_turn_counts() {
    let (picture, source) = shown(&file("exif.heic"));
    // libheif writes EXIF's turn as the container's own.
    assert_eq!(source.orientation, 6);
    assert_eq!((source.width, source.height), (48, 64));
    assert_eq!(
        source.exif.unwrap().camera.as_deref(),
        Some("Apple iPhone 15")
    );
    assert_alike(&picture, &colours().transposed().mirrored(), 40, "turned");
}

#[test]
fn an_embedded_profile_decides_what_is_red() {
    let (picture, source) = shown(&file("profile.heic"));
    assert!(source.icc_profile.is_some());
    let swapped = Picture::of(WIDTH, HEIGHT, |x, y| {
        let [first, second, third] = colour(x, y);
        [second, third, first]
    });
    assert_alike(&picture, &swapped, 14, "the swapping profile");
}

/// The coded picture of a file, and the box of its parameters.
fn coded(name: &str) -> (Vec<u8>, Vec<u8>) {
    let bytes = file(name);
    let parsed = HeifFile::parse(&bytes).unwrap();
    let data = parsed.item_data(parsed.primary_id).unwrap().into_owned();
    (data, box_of(&bytes, b"hvcC"))
}

/// One coded picture with properties of its own.
pub fn single(properties: Vec<Vec<u8>>) -> Container {
    let (data, parameters) = coded("plain.heic");
    let base = vec![
        parameters,
        size(WIDTH as u32, HEIGHT as u32),
        numbers(1, 13, 6),
    ];
    let count = base.len() + properties.len();
    Container {
        properties: [base, properties].concat(),
        items: vec![Item {
            kind: b"hvc1",
            data,
            properties: (0..count as u8).collect(),
        }],
        references: Vec::new(),
    }
}

#[test]
fn turns_mirrors_and_cuts_come_in_their_order() {
    let whole = shown(&single(vec![]).file(b"heic")).0;
    assert_alike(&whole, &colours(), 30, "as it is");
    let quarter = |picture: &Picture| picture.transposed().upside_down();
    let cut = Picture::of(20, 10, |x, y| {
        let pixel = whole.at(x + 30, y + 24);
        [pixel[0], pixel[1], pixel[2]]
    });
    for (properties, expected) in [
        (vec![rotation(1)], quarter(&whole)),
        (vec![rotation(2)], quarter(&quarter(&whole))),
        (vec![rotation(3)], quarter(&quarter(&quarter(&whole)))),
        (vec![mirror(0)], whole.upside_down()),
        (vec![mirror(1)], whole.mirrored()),
        (vec![rotation(1), mirror(1)], quarter(&whole).mirrored()),
        (
            vec![rotation(3), mirror(0)],
            quarter(&quarter(&quarter(&whole))).upside_down(),
        ),
        // From 30 to 50 of 64, and from 24 to 34 of 48.
        (vec![aperture(20, 10, (16, 10))], cut.clone()),
        (vec![aperture(20, 10, (16, 10)), rotation(1)], quarter(&cut)),
    ] {
        let (picture, source) = shown(&single(properties.clone()).file(b"mif1"));
        assert_alike(&picture, &expected, 0, &format!("{properties:?}"));
        assert_eq!(source.width as usize, expected.width);
    }
}

/// Two rows of three tiles, of which the last ones reach beyond the picture.
pub fn tiled(tiles: usize) -> Container {
    let (data, parameters) = coded("plain.heic");
    let (width, height) = (WIDTH as u32 * 3 - 10, HEIGHT as u32 * 2 - 6);
    let tile = || Item {
        kind: b"hvc1",
        data: data.clone(),
        properties: vec![0, 1],
    };
    let picture = Item {
        kind: b"grid",
        data: grid(2, 3, width as u16, height as u16),
        properties: vec![2],
    };
    let mut items = vec![picture];
    items.extend((0..tiles).map(|_| tile()));
    Container {
        properties: vec![
            parameters,
            size(WIDTH as u32, HEIGHT as u32),
            size(width, height),
        ],
        items,
        references: vec![(b"dimg", 1, (2..2 + tiles as u16).collect())],
    }
}

#[test]
fn tiles_are_put_together() {
    let one = shown(&single(vec![]).file(b"heic")).0;
    let expected = Picture::of(WIDTH * 3 - 10, HEIGHT * 2 - 6, |x, y| {
        let pixel = one.at(x % WIDTH, y % HEIGHT);
        [pixel[0], pixel[1], pixel[2]]
    });
    let bytes = tiled(6).file(b"heic");
    assert_shows(&bytes, Format::Heif, &expected, 12, "tiles");
    // Memory is that of a row of tiles, not of the picture.
    assert!(
        probe(&bytes, &SPEC, &Limits::default())
            .unwrap()
            .memory_bytes
            < 16 << 20
    );
    for count in [0, 5, 7] {
        assert_eq!(
            kind_of_failure(&tiled(count).file(b"heic")),
            ErrorKind::Corrupt
        );
    }
}

#[test]
fn of_broken_tiles_the_rows_before_them_are_shown() {
    let mut broken = tiled(6);
    broken.items[5].data.truncate(60);
    let (picture, source) = shown(&broken.file(b"heic"));
    assert!(source.truncated);
    assert!(
        picture
            .row(HEIGHT * 2 - 10)
            .iter()
            .all(|sample| *sample == 255)
    );
    let mut early = tiled(6);
    early.items[2].data.truncate(60);
    assert_eq!(kind_of_failure(&early.file(b"heic")), ErrorKind::Corrupt);
}

/// The pictures are the end of a file: what is not there of it, its last rows of tiles lack.
#[test]
fn a_file_that_is_cut_shows_the_rows_of_tiles_that_it_has() {
    let bytes = tiled(6).file_with_data_last(b"heic");
    let (whole, _) = shown(&bytes);
    let (picture, source) = shown(&bytes[..bytes.len() - 60]);
    assert!(source.truncated);
    for y in 0..HEIGHT {
        assert_eq!(picture.row(y), whole.row(y), "row {y}");
    }
    let last = picture.row(picture.height - 1);
    assert!(last.iter().all(|sample| *sample == 255));
    for length in [bytes.len() / 2, 300, 40] {
        assert_eq!(kind_of_failure(&bytes[..length]), ErrorKind::Corrupt);
    }
}

#[test]
fn colours_by_number_are_converted() {
    let mut wide = single(vec![]);
    wide.properties[2] = numbers(12, 13, 6);
    let (picture, _) = shown(&wide.file(b"heic"));
    let usual = shown(&single(vec![]).file(b"heic")).0;
    // Display P3's green is beyond sRGB's: what is green gets greener.
    let (one, other) = (picture.at(20, 40), usual.at(20, 40));
    assert!(one[0] < other[0] && one[1] >= other[1], "{one:?} {other:?}");
}

/// SMPTE ST 2084, with 203 cd/m² as white (ITU-R BT.2408).
fn light_of_pq(sample: u8) -> f64 {
    let power = (f64::from(sample) / 255.0).powf(32.0 / 2523.0);
    let share = (power - 0.835_937_5).max(0.0) / (18.851_562_5 - 18.6875 * power);
    10_000.0 * share.powf(16_384.0 / 2610.0) / 203.0
}

#[test]
fn more_light_than_a_screen_has_is_compressed() {
    let usual = shown(&single(vec![]).file(b"heic")).0;
    let mut bright = single(vec![]);
    bright.properties[2] = numbers(1, 16, 6);
    let (picture, _) = shown(&bright.file(b"heic"));
    for (x, y) in [(20, 40), (40, 20), (10, 30)] {
        let light: Vec<f64> = usual.at(x, y).iter().map(|s| light_of_pq(*s)).collect();
        let (largest, peak) = (light.iter().copied().fold(0.0, f64::max), 4000.0 / 203.0);
        let factor = (1.0 + largest / (peak * peak)) / (1.0 + largest);
        for (sample, light) in picture.at(x, y).iter().zip(light) {
            let shown = 1.055 * (light * factor).clamp(0.0, 1.0).powf(1.0 / 2.4) - 0.055;
            let expected = (shown * 255.0).max(0.0);
            // Below its straight part nothing is told apart.
            assert!(
                expected < 12.0 || (f64::from(*sample) - expected).abs() < 3.0,
                "{sample} for {expected}"
            );
        }
    }
}

/// The slice of a picture once more, as one that is not its first and begins at its first block: it
/// has some bits more, for its place among the blocks.
fn continued(container: &Container) -> Vec<u8> {
    let bytes = container.file(b"heic");
    let file = HeifFile::parse(&bytes).unwrap();
    let config = file.hevc_config(file.primary_id).unwrap().unwrap();
    let mut sets = ParameterSets::default();
    for unit in &config.nal_units {
        sets.add(&NalUnit::parse(unit).unwrap()).unwrap();
    }
    let head = &container.items[0].data[4..6];
    let unit = NalUnit::parse(&container.items[0].data[4..]).unwrap();
    let header = SliceHeader::parse(&unit.rbsp, &unit.header, &sets, None).unwrap();
    let (header, data) = unit.rbsp.split_at(header.header_size);
    let bits = header
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let mut bits: Vec<u8> = bits.collect();
    // A one and zeros fill the last byte.
    bits.truncate(bits.iter().rposition(|bit| *bit == 1).unwrap());
    // Whether it is the first, then a flag, the number of its parameters (0 is one bit), its place.
    bits[0] = 0;
    let (_, parameters) = sets.get(0).unwrap();
    let (columns, rows) = parameters.pic_size_in_ctbs();
    let place_bits = u32::BITS - (columns * rows - 1).leading_zeros();
    bits.splice(3..3, vec![0; place_bits as usize]);
    bits.push(1);
    bits.resize(bits.len().next_multiple_of(8), 0);
    let bytes = bits
        .chunks(8)
        .map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit));
    let payload: Vec<u8> = bytes.chain(data.iter().copied()).collect();
    let mut unit = head.to_vec();
    for byte in payload {
        if byte <= 3 && unit.ends_with(&[0, 0]) {
            unit.push(3);
        }
        unit.push(byte);
    }
    [&(unit.len() as u32).to_be_bytes()[..], &unit].concat()
}

/// Each slice may claim the whole picture, and thousands of them fit into a file.
#[test]
fn a_picture_is_decoded_once_however_many_slices_claim_it() {
    let mut repeated = single(vec![]);
    let slice = continued(&repeated);
    repeated.items[0].data.extend(slice.repeat(20_000));
    let begun = Spent::now();
    let error = try_shown(&repeated.file(b"heic"), &Limits::default());
    let error = error.map(|_| "a picture").unwrap_err().to_string();
    assert!(error.contains("its slices lie over each other"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn grey_in_limited_range_reaches_from_black_to_white() {
    let file = |name: &str, properties: Vec<Vec<u8>>| {
        let (data, parameters) = coded(name);
        let base = vec![parameters, size(WIDTH as u32, HEIGHT as u32)];
        let count = base.len() + properties.len();
        let container = Container {
            properties: [base, properties].concat(),
            items: vec![Item {
                kind: b"hvc1",
                data,
                properties: (0..count as u8).collect(),
            }],
            references: Vec::new(),
        };
        shown(&container.file(b"heic")).0
    };
    let full = file("grey.heic", vec![numbers(1, 13, 6)]);
    let mut limited = numbers(1, 13, 6);
    *limited.last_mut().unwrap() = 0;
    let limited = file("grey.heic", vec![limited]);
    for (full, limited) in full.samples.iter().zip(&limited.samples) {
        let expected = (f64::from(*full) - 16.0) * 255.0 / 219.0;
        let expected = expected.round().clamp(0.0, 255.0) as u8;
        assert!(limited.abs_diff(expected) <= 1, "{full}: {limited}");
    }
}

#[test]
fn files_that_claim_too_much_are_refused_before_any_work() {
    let mut huge = single(vec![]);
    huge.properties[1] = size(30_000, 30_000);
    let mut larger = single(vec![]);
    larger.properties[1] = size(200, 200);
    let mut many = single(vec![]);
    for _ in 0..20_000 {
        many.items.push(Item {
            kind: b"Exif",
            data: Vec::new(),
            properties: vec![0; 3],
        });
    }
    // Empty parameters of HEVC, two bytes each.
    let mut parameters = single(vec![]);
    let empty = [
        &[1][..],
        &[0; 21],
        &[6],
        &[&[32, 0xff, 0xff][..], &[0; 131_070]].concat().repeat(6),
    ];
    parameters.properties[0] = media_box(b"hvcC", &empty);
    let mut av1 = single(vec![]);
    av1.items[0].kind = b"av01";
    for (container, kind) in [
        (huge, ErrorKind::TooLarge),
        (larger, ErrorKind::Corrupt),
        (many, ErrorKind::TooLarge),
        (parameters, ErrorKind::TooLarge),
        (av1, ErrorKind::Unsupported),
    ] {
        let begun = Spent::now();
        assert_eq!(kind_of_failure(&container.file(b"heic")), kind);
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
}

#[test]
fn damaged_files_never_panic() {
    torture(&file("plain.heic"), "plain");
    torture(&file("alpha.heic"), "alpha");
    torture(&tiled(6).file(b"heic"), "tiles");
}

#[test]
fn a_passed_deadline_ends_the_work() {
    let limits = Limits {
        deadline: Some(Instant::now()),
        ..Limits::default()
    };
    let outcome = try_shown(&file("plain.heic"), &limits).map(|_| "a picture");
    assert_eq!(outcome, Err(ImagingError::Timeout));
}
