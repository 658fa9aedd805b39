use super::*;
use crate::confined::{ANSWER_HEAD_BYTES, Order};
use crate::picture::Scratch;
use crate::{Picture, Source, Variant};

/// Decodes as a child would, in this process: these files are ours.
fn decoded(bytes: &[u8]) -> Result<Picture<'static>, ImagingError> {
    let limits = Limits::default();
    let source = Source::open(bytes, &limits)?;
    let plan = source
        .plan(&[Variant::thumbnail(256, 90)], &limits)
        .map_err(|refused| refused.error)?;
    let order = Order::from_bytes(&source.order(&plan, &limits)).unwrap();
    let mut answer = Vec::new();
    order
        .carry_out(bytes, &mut Scratch::default(), &mut answer)
        .unwrap();
    let (head, body) = answer.split_at(ANSWER_HEAD_BYTES);
    let expected = source.expect(&plan, head)?;
    source.receive(expected, body.to_vec(), &limits)
}

/// Four quarters: red and green above, blue and white below.
const QUARTERS: [[u8; 3]; 4] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/avif");
    std::fs::read(format!("{folder}/{name}")).unwrap()
}

/// The colours in the middles of the quarters, as seen.
fn quarters(picture: &Picture<'_>) -> [[u8; 3]; 4] {
    let limits = Limits::default();
    let mut variant = Variant::thumbnail(256, 90);
    variant.formats = crate::Formats::List(vec![Format::Png]);
    let rendition = picture.render(&variant, &limits).unwrap();
    let image = image::load_from_memory(&rendition.files[0].bytes)
        .unwrap()
        .to_rgb8();
    let (width, height) = image.dimensions();
    [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| image.get_pixel(width * x / 4, height * y / 4).0)
}

fn assert_near(seen: [[u8; 3]; 4], expected: [[u8; 3]; 4], name: &str) {
    for (seen, expected) in seen.iter().flatten().zip(expected.iter().flatten()) {
        assert!(
            seen.abs_diff(*expected) <= 12,
            "{name}: {seen} for {expected}"
        );
    }
}

#[test]
fn every_depth_and_sampling_shows_its_colours() {
    for name in [
        "420.avif",
        "422.avif",
        "444.avif",
        "limited.avif",
        "10bit.avif",
        "12bit.avif",
        "grid.avif",
    ] {
        let picture = decoded(&fixture(name)).unwrap();
        assert_near(quarters(&picture), QUARTERS, name);
        assert_eq!(picture.source().format, Format::Avif);
    }
}

#[test]
fn the_container_turns_and_mirrors() {
    let [red, green, blue, white] = QUARTERS;
    for (name, expected) in [
        ("turned.avif", [green, white, red, blue]),
        ("mirrored.avif", [green, red, white, blue]),
    ] {
        let picture = decoded(&fixture(name)).unwrap();
        assert_near(quarters(&picture), expected, name);
    }
}

#[test]
fn what_the_clean_aperture_leaves_out_is_not_shown() {
    let picture = decoded(&fixture("clap.avif")).unwrap();
    let facts = picture.source();
    assert_eq!((facts.width, facts.height), (32, 24));
    let [.., white] = QUARTERS;
    assert_near(quarters(&picture), [white; 4], "clap");
}

#[test]
fn alpha_is_kept_straight_or_weighted() {
    let limits = Limits::default();
    let mut variant = Variant::thumbnail(256, 90);
    variant.formats = crate::Formats::List(vec![Format::Png]);
    for name in ["alpha.avif", "weighted.avif"] {
        let picture = decoded(&fixture(name)).unwrap();
        assert!(picture.source().has_alpha);
        let rendition = picture.render(&variant, &limits).unwrap();
        let image = image::load_from_memory(&rendition.files[0].bytes)
            .unwrap()
            .to_rgba8();
        let [red, green, blue, alpha] = image.get_pixel(16, 12).0;
        assert!(
            red >= 250 && green <= 5 && blue <= 5,
            "{name}: {red} {green} {blue}"
        );
        assert!(alpha.abs_diff(128) <= 2, "{name}: {alpha}");
        assert_eq!(image.get_pixel(48, 12).0[3], 255, "{name}");
    }
}

#[test]
fn a_wider_gamut_by_numbers_becomes_srgb_and_grey_stays_grey() {
    let picture = decoded(&fixture("p3.avif")).unwrap();
    // Red of Display P3 lies outside of sRGB: its other channels are cut off at 0.
    assert_near(quarters(&picture), QUARTERS, "p3");
    let inside = fixture("p3_soft.avif");
    let [soft, ..] = quarters(&decoded(&inside).unwrap());
    // (200, 100, 100) of Display P3, by CSS Color 4: (214.9, 92.6, 96.6).
    for (seen, expected) in soft.iter().zip([215_u8, 93, 97]) {
        assert!(seen.abs_diff(expected) <= 4, "{soft:?}");
    }
    let [grey, ..] = quarters(&decoded(&fixture("grey.avif")).unwrap());
    assert!(
        grey.iter().all(|sample| sample.abs_diff(85) <= 2),
        "{grey:?}"
    );
}

/// (200, 100, 100) of BT.709's primaries, by SMPTE ST 2084 and ITU-R BT.2100 with 203 cd/m² as white,
/// and the curve of Reinhard: computed apart.
#[test]
fn more_light_than_a_screen_has_is_compressed() {
    for (transfer, expected) in [(16, [242_u8, 38, 38]), (18, [192, 82, 82])] {
        let mut bytes = fixture("p3_soft.avif");
        let at = bytes
            .windows(8)
            .position(|word| word == b"colrnclx")
            .unwrap();
        bytes[at + 8..at + 12].copy_from_slice(&[0, 1, 0, transfer]);
        let [soft, ..] = quarters(&decoded(&bytes).unwrap());
        for (seen, expected) in soft.iter().zip(expected) {
            assert!(seen.abs_diff(expected) <= 5, "{transfer}: {soft:?}");
        }
    }
}

#[test]
fn claims_are_refused_before_they_cost_anything() {
    for (name, sentence) in [
        ("claims_65535.avif", "at most 200000000 pixels"),
        ("claims_4096.avif", "corrupt"),
        ("no_tiles.avif", "its grid lacks tiles"),
        ("ring.avif", "the tiles of its grid differ"),
        ("cut.avif", "corrupt"),
    ] {
        let began = std::time::Instant::now();
        let error = decoded(&fixture(name)).err().unwrap().to_string();
        assert!(error.contains(sentence), "{name}: {error}");
        assert!(
            began.elapsed().as_secs() < 2,
            "{name}: {:?}",
            began.elapsed()
        );
    }
}

#[test]
fn no_picture_is_decoded_in_a_process_that_is_not_locked_down() {
    let limits = Limits::default();
    let bytes = fixture("444.avif");
    let source = Source::open(&bytes, &limits).unwrap();
    let plan = source.plan(&[Variant::thumbnail(64, 85)], &limits).unwrap();
    let mut scratch = Scratch::default();
    let error = source.decode(&plan, &limits, &mut scratch).err();
    assert_eq!(
        error,
        Some(ImagingError::NeedsLockdown {
            format: Format::Avif
        })
    );
}
