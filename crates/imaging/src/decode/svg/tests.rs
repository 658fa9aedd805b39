use super::*;
use crate::confined::{ANSWER_HEAD_BYTES, Order};
use crate::picture::Scratch;
use crate::{ErrorKind, Fit, Formats, Picture, Rendition, Source, Variant};

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/svg");
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

/// Draws as a child would, in this process: these files end.
fn drawn(bytes: &[u8], variant: &Variant) -> Result<Picture<'static>, ImagingError> {
    let limits = Limits::default();
    let source = Source::open(bytes, &limits)?;
    let plan = source
        .plan(std::slice::from_ref(variant), &limits)
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

fn rendered(bytes: &[u8], variant: &Variant) -> Result<Rendition, ImagingError> {
    drawn(bytes, variant)?.render(variant, &Limits::default())
}

fn image(bytes: &[u8], variant: &Variant) -> image::RgbaImage {
    let rendition = rendered(bytes, variant).unwrap();
    let image = image::load_from_memory(&rendition.files[0].bytes).unwrap();
    assert_eq!(
        (image.width(), image.height()),
        (rendition.width, rendition.height)
    );
    image.to_rgba8()
}

const QUARTERS: [[u8; 4]; 4] = [
    [255, 0, 0, 255],
    [0, 255, 0, 255],
    [0, 0, 255, 255],
    [255, 255, 255, 255],
];

fn quarters(image: &image::RgbaImage) -> [[u8; 4]; 4] {
    let (width, height) = image.dimensions();
    [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| image.get_pixel(width * x / 4, height * y / 4).0)
}

/// Pixels that are not transparent.
fn painted(image: &image::RgbaImage) -> usize {
    image.pixels().filter(|pixel| pixel.0[3] > 0).count()
}

#[test]
fn every_way_to_write_a_drawing_shows_its_colours() {
    for (name, side) in [
        ("quarters.svg", 64),
        ("quarters.svgz", 64),
        ("view_box.svg", 64),
        ("millimetres.svg", 96),
        ("prefixed.svg", 64),
        ("entities.svg", 64),
    ] {
        let bytes = fixture(name);
        let picture = drawn(&bytes, &variant(64, 64, Fit::Inside)).unwrap();
        let facts = picture.source();
        assert_eq!((facts.width, facts.height), (side, side), "{name}");
        assert!(facts.has_alpha && facts.format == Format::Svg);
        let seen = image(&bytes, &variant(32, 32, Fit::Inside));
        assert_eq!(quarters(&seen), QUARTERS, "{name}");
    }
}

#[test]
fn a_drawing_is_as_sharp_as_the_variant_is_large() {
    let bytes = fixture("quarters.svg");
    let large = image(&bytes, &variant(1000, 1000, Fit::Inside));
    assert_eq!(large.dimensions(), (1000, 1000), "it counts as enlarged");
    // Scaled up from 64 pixels, the edge would be sixteen wide.
    assert_eq!(large.get_pixel(498, 250).0, QUARTERS[0]);
    assert_eq!(large.get_pixel(501, 250).0, QUARTERS[1]);
    let cut = image(&bytes, &variant(300, 100, Fit::Cover));
    assert_eq!(cut.dimensions(), (300, 100));
    let stretched = image(&bytes, &variant(300, 100, Fit::Fill));
    assert_eq!(quarters(&stretched), QUARTERS);
    let small = image(&bytes, &variant(8, 8, Fit::Inside));
    assert_eq!(quarters(&small), QUARTERS);
}

#[test]
fn what_is_not_drawn_is_transparent() {
    let seen = image(&fixture("transparent.svg"), &variant(64, 64, Fit::Inside));
    assert_eq!(seen.get_pixel(32, 32).0, [255, 0, 0, 255]);
    assert_eq!(seen.get_pixel(4, 4).0, [0; 4]);
    // A disc of radius 16.
    let area = seen.pixels().map(|pixel| f64::from(pixel.0[3]) / 255.0);
    let area: f64 = area.sum();
    assert!((area - 804.2).abs() < 6.0, "{area}");
}

#[test]
fn texts_are_drawn_whatever_font_they_name() {
    let of = |name: &str| painted(&image(&fixture(name), &variant(64, 64, Fit::Inside)));
    let (regular, bold) = (of("text.svg"), of("bold.svg"));
    assert!(regular > 300, "{regular}");
    assert!(bold > regular, "{bold} {regular}");
}

#[test]
fn pictures_within_are_those_of_data_urls_and_no_others() {
    let of = |name: &str| image(&fixture(name), &variant(64, 64, Fit::Inside));
    let embedded = of("data_url.svg");
    assert_eq!(embedded.get_pixel(32, 32).0, [255, 0, 0, 255]);
    for name in [
        "local_file.svg",
        "network.svg",
        "data_url_svg.svg",
        "data_url_bomb.svg",
    ] {
        assert_eq!(painted(&of(name)), 0, "{name}");
    }
}

#[test]
fn what_is_broken_or_too_much_is_refused_by_name() {
    for (name, kind, sentence) in [
        ("laughs.svg", ErrorKind::Corrupt, "corrupt"),
        ("secret.svg", ErrorKind::Corrupt, "corrupt"),
        ("doubled.svg", ErrorKind::TooLarge, "500000 elements"),
        ("many_layers.svg", ErrorKind::TooLarge, "memory"),
        ("cut.svg", ErrorKind::Corrupt, "corrupt"),
        ("huge.svg", ErrorKind::TooLarge, "at most 200000000 pixels"),
        (
            "empty_side.svg",
            ErrorKind::Corrupt,
            "width or height is zero",
        ),
        ("bomb.svgz", ErrorKind::TooLarge, "16777216 bytes of SVG"),
        ("lies.svgz", ErrorKind::Corrupt, "more than it declares"),
        ("cut.svgz", ErrorKind::Corrupt, "corrupt"),
    ] {
        let began = std::time::Instant::now();
        let error = rendered(&fixture(name), &variant(256, 256, Fit::Inside));
        let error = error.err().unwrap_or_else(|| panic!("{name} is drawn"));
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert!(error.to_string().contains(sentence), "{name}: {error}");
        assert!(
            began.elapsed().as_secs() < 20,
            "{name}: {:?}",
            began.elapsed()
        );
    }
}

#[test]
fn no_drawing_is_drawn_in_a_process_that_is_not_locked_down() {
    let error = crate::make(
        &fixture("quarters.svg"),
        &[variant(64, 64, Fit::Inside)],
        &Limits::default(),
    );
    assert_eq!(
        error.unwrap_err(),
        ImagingError::NeedsLockdown {
            format: Format::Svg
        }
    );
}

#[test]
fn strips_are_drawn_within_bounds() {
    let strip = br#"<svg xmlns="http://www.w3.org/2000/svg" width="1" height="60000"/>"#;
    for fit in [Fit::Inside, Fit::Cover, Fit::Contain, Fit::Fill] {
        let rendition = rendered(strip, &variant(700, 700, fit)).unwrap();
        assert!(rendition.width <= 700 && rendition.height <= 700);
    }
}
