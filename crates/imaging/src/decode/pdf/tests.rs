use super::*;
use crate::confined::{ANSWER_HEAD_BYTES, Order, Unmeasured};
use crate::picture::Scratch;
use crate::{ErrorKind, Fit, Formats, Picture, Source, Variant};

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/pdf");
    std::fs::read(format!("{folder}/{name}")).unwrap()
}

/// A variant without loss.
fn variant(width: u32, height: u32, fit: Fit) -> Variant {
    Variant {
        width: Some(width),
        height: Some(height),
        fit,
        formats: Formats::List(vec![Format::Png]),
        ..Variant::thumbnail(1, 90)
    }
}

/// What a child would answer, from this process: these files end.
fn answered(order: &[u8; crate::confined::ORDER_HEAD_BYTES], bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let order = Order::from_bytes(order).unwrap();
    assert_eq!(order.source_bytes(), bytes.len());
    let mut answer = Vec::new();
    order
        .carry_out(bytes, &mut Scratch::default(), &mut answer)
        .unwrap();
    let body = answer.split_off(ANSWER_HEAD_BYTES);
    (answer, body)
}

fn measured<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Source<'a>, ImagingError> {
    let needs = Source::open(bytes, limits).err();
    let format = Format::Pdf;
    assert_eq!(needs, Some(ImagingError::NeedsLockdown { format }));
    let unmeasured = Unmeasured::new(bytes, format);
    let (head, body) = answered(&unmeasured.order(limits), bytes);
    unmeasured.receive(unmeasured.expect(&head)?, &body, limits)
}

fn drawn(bytes: &[u8], variant: &Variant) -> Result<Picture<'static>, ImagingError> {
    let limits = Limits::default();
    let source = measured(bytes, &limits)?;
    let plan = source
        .plan(std::slice::from_ref(variant), &limits)
        .map_err(|refused| refused.error)?;
    let (head, body) = answered(&source.order(&plan, &limits), bytes);
    source.receive(source.expect(&plan, &head)?, body, &limits)
}

fn image(bytes: &[u8], variant: &Variant) -> image::RgbImage {
    let picture = drawn(bytes, variant).unwrap();
    let rendition = picture.render(variant, &Limits::default()).unwrap();
    let image = image::load_from_memory(&rendition.files[0].bytes).unwrap();
    image.to_rgb8()
}

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const WHITE: [u8; 3] = [255; 3];
const QUARTERS: [[u8; 3]; 4] = [RED, GREEN, BLUE, WHITE];

fn quarters(image: &image::RgbImage) -> [[u8; 3]; 4] {
    let (width, height) = image.dimensions();
    [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| image.get_pixel(width * x / 4, height * y / 4).0)
}

/// Pixels that are not white.
fn painted(image: &image::RgbImage) -> usize {
    image.pixels().filter(|pixel| pixel.0 != WHITE).count()
}

#[test]
fn the_first_page_has_its_colours_and_its_size_whatever_its_boxes() {
    let turned = [BLUE, RED, WHITE, GREEN];
    let turned_back = [GREEN, WHITE, RED, BLUE];
    for (name, size, colours) in [
        ("quarters.pdf", (85, 85), QUARTERS),
        ("late_header.pdf", (85, 85), QUARTERS),
        ("cut_table.pdf", (85, 85), QUARTERS),
        ("inherited.pdf", (85, 85), QUARTERS),
        ("compressed.pdf", (85, 85), QUARTERS),
        ("no_password.pdf", (85, 85), QUARTERS),
        ("crop_box.pdf", (85, 85), QUARTERS),
        ("crop_beyond.pdf", (85, 85), QUARTERS),
        ("corners.pdf", (85, 85), QUARTERS),
        ("rotated.pdf", (85, 85), turned),
        ("wide_rotated.pdf", (85, 171), turned_back),
        ("user_unit.pdf", (171, 171), QUARTERS),
        ("image.pdf", (85, 85), QUARTERS),
    ] {
        let bytes = fixture(name);
        let picture = drawn(&bytes, &variant(64, 64, Fit::Inside)).unwrap();
        let facts = picture.source();
        assert_eq!((facts.width, facts.height), size, "{name}");
        assert!(!facts.has_alpha && facts.format == Format::Pdf, "{facts:?}");
        let seen = image(&bytes, &variant(32, 32, Fit::Fill));
        assert_eq!(quarters(&seen), colours, "{name}");
    }
}

#[test]
fn a_page_is_as_sharp_as_the_variant_is_large() {
    let bytes = fixture("quarters.pdf");
    let large = image(&bytes, &variant(1000, 1000, Fit::Inside));
    assert_eq!(large.dimensions(), (1000, 1000), "it counts as enlarged");
    // Scaled up from 85 pixels, the edge would be twelve wide.
    assert_eq!(large.get_pixel(498, 250).0, RED);
    assert_eq!(large.get_pixel(501, 250).0, GREEN);
    let cut = image(&bytes, &variant(300, 100, Fit::Cover));
    assert_eq!(cut.dimensions(), (300, 100));
    let small = image(&bytes, &variant(8, 8, Fit::Inside));
    assert_eq!(quarters(&small), QUARTERS);
}

#[test]
fn texts_are_drawn_also_in_fonts_that_the_file_lacks() {
    let of = |name: &str| painted(&image(&fixture(name), &variant(128, 64, Fit::Inside)));
    let (regular, bold) = (of("text.pdf"), of("bold.pdf"));
    assert!(regular > 300, "{regular}");
    assert!(bold > regular, "{bold} {regular}");
    assert!(of("unknown_font.pdf") > 300);
}

#[test]
fn what_refers_to_itself_ends() {
    for name in ["own_form.pdf", "own_pattern.pdf", "forms.pdf", "groups.pdf"] {
        let seen = image(&fixture(name), &variant(64, 64, Fit::Inside));
        assert!(painted(&seen) > 0, "{name}");
    }
}

#[test]
fn what_is_broken_or_too_much_is_refused_by_name() {
    for (name, kind, sentence) in [
        ("encrypted.pdf", ErrorKind::Unsupported, "password"),
        ("no_pages.pdf", ErrorKind::Corrupt, "no page"),
        ("page_loop.pdf", ErrorKind::Corrupt, "corrupt"),
        ("cut.pdf", ErrorKind::Corrupt, "corrupt"),
        ("huge.pdf", ErrorKind::TooLarge, "at most 200000000 pixels"),
        (
            "endless.pdf",
            ErrorKind::TooLarge,
            "at most 200000000 pixels",
        ),
    ] {
        let error = drawn(&fixture(name), &variant(256, 256, Fit::Inside));
        let error = error.err().unwrap_or_else(|| panic!("{name} is drawn"));
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert!(error.to_string().contains(sentence), "{name}: {error}");
    }
}

#[test]
fn strips_are_drawn_within_bounds() {
    for fit in [Fit::Inside, Fit::Cover, Fit::Contain, Fit::Fill] {
        let seen = image(&fixture("strip.pdf"), &variant(700, 700, fit));
        assert!(seen.width() <= 700 && seen.height() <= 700);
    }
}

#[test]
fn a_size_that_makes_no_sense_is_refused() {
    let (bytes, limits) = (fixture("quarters.pdf"), Limits::default());
    let of = |fields: [u64; 3]| {
        let unmeasured = Unmeasured::new(&bytes, Format::Pdf);
        let mut head: Vec<u8> = fields
            .iter()
            .flat_map(|field| field.to_le_bytes())
            .collect();
        head.resize(ANSWER_HEAD_BYTES, 0);
        let expected = unmeasured.expect(&head)?;
        assert_eq!(expected.body_bytes(), 0);
        let source = unmeasured.receive(expected, &[], &limits)?;
        Ok::<_, ImagingError>((source.facts().width, source.facts().height))
    };
    assert_eq!(of([3, 100, 200]), Ok((100, 200)));
    for (fields, kind) in [
        ([0, 100, 200], ErrorKind::Internal),
        // A picture, which nobody asked for.
        ([1, 100, 200], ErrorKind::Internal),
        ([3, 1 << 32, 1], ErrorKind::Internal),
        ([3, 0, 200], ErrorKind::Corrupt),
        ([3, u64::from(u32::MAX), 1 << 31], ErrorKind::TooLarge),
        // A refusal with an endless sentence.
        ([2, 0, 1 << 40], ErrorKind::Internal),
    ] {
        assert_eq!(
            of(fields).map_err(|error| error.kind()),
            Err(kind),
            "{fields:?}"
        );
    }
    let unmeasured = Unmeasured::new(b"\xff\xd8", Format::Jpeg);
    let mut head = 3_u64.to_le_bytes().to_vec();
    head.resize(ANSWER_HEAD_BYTES, 1);
    let expected = unmeasured.expect(&head).err().map(|error| error.kind());
    assert_eq!(expected, Some(ErrorKind::Internal));
}

#[test]
fn a_size_is_no_answer_to_who_wants_a_picture() {
    let (bytes, limits) = (fixture("quarters.pdf"), Limits::default());
    let source = measured(&bytes, &limits).unwrap();
    let plan = source
        .plan(&[variant(64, 64, Fit::Inside)], &limits)
        .unwrap();
    let (head, _) = answered(&Unmeasured::new(&bytes, Format::Pdf).order(&limits), &bytes);
    assert!(source.expect(&plan, &head).is_err());
}

#[test]
fn no_page_is_drawn_or_measured_in_a_process_that_is_not_locked_down() {
    let (bytes, limits) = (fixture("quarters.pdf"), Limits::default());
    let error = crate::make(&bytes, &[variant(64, 64, Fit::Inside)], &limits).unwrap_err();
    let format = Format::Pdf;
    assert_eq!(error, ImagingError::NeedsLockdown { format });
    let source = measured(&bytes, &limits).unwrap();
    let plan = source
        .plan(&[variant(64, 64, Fit::Inside)], &limits)
        .unwrap();
    let error = source.decode(&plan, &limits, &mut Scratch::default()).err();
    assert_eq!(error, Some(ImagingError::NeedsLockdown { format }));
}
