//! Variants: the part that they show, how they are turned, and what each format keeps.

use image::DynamicImage;
use jpeg_encoder::ColorType;
use thumbforge_imaging::{
    Color, ErrorKind, Fit, Format, Formats, Gravity, ImagingError, JpegCoding, Limits, Made,
    Rendition, Variant, make,
};

use crate::golden::with_orientation;
use crate::picture::{Picture, fixture, psnr};

fn variant(fit: Fit, width: u32, height: u32, format: Format) -> Variant {
    Variant {
        width: Some(width),
        height: Some(height),
        fit,
        formats: Formats::List(vec![format]),
        quality: None,
        ..Variant::thumbnail(1, 85)
    }
}

fn try_render(bytes: &[u8], variant: &Variant) -> Result<Made, ImagingError> {
    make(bytes, std::slice::from_ref(variant), &Limits::default())
}

fn render(bytes: &[u8], variant: &Variant) -> Rendition {
    try_render(bytes, variant).unwrap().renditions.remove(0)
}

/// Decodes a rendition by other decoders than ours, and checks that it is as large as it declares.
fn decoded(rendition: &Rendition) -> DynamicImage {
    let file = rendition.files.last().unwrap();
    let picture = image::load_from_memory(&file.bytes).unwrap();
    let size = (picture.width(), picture.height());
    assert_eq!(size, (rendition.width, rendition.height));
    picture
}

/// Nine fields of colours of their own, in three rows.
const FIELDS: [[u8; 3]; 9] = [
    [220, 30, 30],
    [30, 200, 30],
    [30, 30, 220],
    [220, 220, 30],
    [220, 30, 220],
    [30, 220, 220],
    [240, 240, 240],
    [120, 120, 120],
    [10, 10, 10],
];

fn fields(width: usize, height: usize) -> Picture {
    Picture::of(width, height, |x, y| {
        FIELDS[y * 3 / height * 3 + x * 3 / width]
    })
}

/// The field whose colour a pixel has.
fn field_at(picture: &DynamicImage, x: u32, y: u32) -> usize {
    let pixel = picture.to_rgb8().get_pixel(x, y).0;
    let distance = |field: &[u8; 3]| -> u32 {
        let pairs = field.iter().zip(pixel);
        pairs.map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    };
    (0..FIELDS.len())
        .min_by_key(|field| distance(&FIELDS[*field]))
        .unwrap()
}

/// As `field_at`, at the four corners and in the middle.
fn corners_and_middle(picture: &DynamicImage) -> [usize; 5] {
    let (right, bottom) = (picture.width() - 4, picture.height() - 4);
    [
        field_at(picture, 3, 3),
        field_at(picture, right, 3),
        field_at(picture, 3, bottom),
        field_at(picture, right, bottom),
        field_at(picture, picture.width() / 2, picture.height() / 2),
    ]
}

/// How the picture is stored when this is seen, at an EXIF orientation.
fn stored(seen: &Picture, orientation: u8) -> Picture {
    match orientation {
        2 => seen.mirrored(),
        3 => seen.mirrored().upside_down(),
        4 => seen.upside_down(),
        5 => seen.transposed(),
        6 => seen.mirrored().transposed(),
        7 => seen.mirrored().upside_down().transposed(),
        8 => seen.upside_down().transposed(),
        _ => seen.clone(),
    }
}

#[test]
fn each_fit_and_gravity_shows_its_part_at_each_orientation() {
    let seen = fields(960, 480);
    for orientation in 1..=8 {
        let jpeg = stored(&seen, orientation).to_jpeg(ColorType::Rgb);
        let bytes = with_orientation(&jpeg, orientation);
        let whole = [0, 2, 6, 8, 4];
        for format in [Format::Jpeg, Format::Png, Format::Webp] {
            let shown = |fit, gravity| {
                let variant = Variant {
                    gravity,
                    ..variant(fit, 160, 160, format)
                };
                decoded(&render(&bytes, &variant))
            };
            let inside = shown(Fit::Inside, Gravity::Center);
            assert_eq!((inside.width(), inside.height()), (160, 80));
            assert_eq!(corners_and_middle(&inside), whole, "{orientation}");
            let fill = shown(Fit::Fill, Gravity::Center);
            assert_eq!((fill.width(), fill.height()), (160, 160));
            assert_eq!(corners_and_middle(&fill), whole, "{orientation}");
            // Half of the width stays: 1.5 fields.
            for (gravity, expected) in [
                (Gravity::West, [0, 1, 6, 7, 3]),
                (Gravity::NorthWest, [0, 1, 6, 7, 3]),
                (Gravity::East, [1, 2, 7, 8, 5]),
                (Gravity::SouthEast, [1, 2, 7, 8, 5]),
                (Gravity::Point { x: 0.0, y: 0.5 }, [0, 1, 6, 7, 3]),
                (Gravity::Point { x: 1.0, y: 0.0 }, [1, 2, 7, 8, 5]),
                (Gravity::Center, [0, 2, 6, 8, 4]),
                (Gravity::North, [0, 2, 6, 8, 4]),
            ] {
                let cover = shown(Fit::Cover, gravity);
                assert_eq!((cover.width(), cover.height()), (160, 160));
                let found = corners_and_middle(&cover);
                assert_eq!(found, expected, "{gravity:?} {orientation} {format:?}");
            }
            // The picture takes half of the canvas, white around it where nothing is kept.
            for (gravity, top) in [
                (Gravity::North, 0),
                (Gravity::Center, 40),
                (Gravity::South, 80),
                (Gravity::SouthWest, 80),
            ] {
                let contain = shown(Fit::Contain, gravity);
                assert_eq!((contain.width(), contain.height()), (160, 160));
                let part = contain.crop_imm(0, top, 160, 80);
                assert_eq!(
                    corners_and_middle(&part),
                    whole,
                    "{gravity:?} {orientation}"
                );
                let outside = contain.to_rgba8().get_pixel(80, (top + 120) % 160).0;
                match format {
                    Format::Jpeg => assert!(outside.iter().all(|sample| *sample > 250)),
                    _ => assert_eq!(outside[3], 0, "{format:?}"),
                }
            }
        }
    }
}

#[test]
fn a_crop_is_what_a_crop_of_the_whole_would_be() {
    let source = Picture::textured(900, 600);
    let bytes = source.to_jpeg(ColorType::Rgb);
    let cover = decoded(&render(&bytes, &variant(Fit::Cover, 200, 200, Format::Png)));
    let whole = decoded(&render(
        &bytes,
        &variant(Fit::Inside, 300, 200, Format::Png),
    ));
    let expected = whole.crop_imm(50, 0, 200, 200);
    let similarity = psnr(&rgb_of(&cover), &rgb_of(&expected));
    assert!(similarity > 45.0, "{similarity:.1} dB");
}

/// Beside the crop and the Lanczos of the image crate, and beside ours of a source that was cropped.
#[test]
fn a_cover_crop_is_as_near_to_the_reference_as_a_whole_picture() {
    for (width, height, gravity, left, top) in [
        (900, 600, Gravity::Center, 150, 0),
        (900, 600, Gravity::East, 300, 0),
        (600, 900, Gravity::North, 0, 0),
        (600, 900, Gravity::South, 0, 300),
        (1001, 333, Gravity::Center, 334, 0),
    ] {
        let textured = Picture::textured(width, height);
        let source = image::RgbImage::from_raw(width as u32, height as u32, textured.samples);
        let source = DynamicImage::from(source.unwrap());
        let side = source.width().min(source.height());
        let cropped = source.crop_imm(left, top, side, side);
        let reference = cropped.resize_exact(200, 200, image::imageops::FilterType::Lanczos3);
        let similarity = |source: &DynamicImage, fit| {
            let mut png = std::io::Cursor::new(Vec::new());
            source.write_to(&mut png, image::ImageFormat::Png).unwrap();
            let variant = Variant {
                gravity,
                ..variant(fit, 200, 200, Format::Png)
            };
            let made = decoded(&render(&png.into_inner(), &variant));
            // At the edges of a crop ours also sees the pixels outside of it.
            let inner = |image: &DynamicImage| rgb_of(&image.crop_imm(4, 4, 192, 192));
            psnr(&inner(&made), &inner(&reference))
        };
        let of_crop = similarity(&source, Fit::Cover);
        let of_whole = similarity(&cropped, Fit::Inside);
        assert!(
            of_crop > of_whole - 0.5 && of_crop > 38.0,
            "{width}×{height}: {of_crop:.1} dB, and {of_whole:.1} dB of the cropped source"
        );
    }
}

fn rgb_of(image: &DynamicImage) -> Picture {
    Picture {
        width: image.width() as usize,
        height: image.height() as usize,
        channels: 3,
        samples: image.to_rgb8().into_raw(),
    }
}

#[test]
fn alpha_is_kept_or_laid_on_the_background() {
    // Red on the left, nothing on the right.
    let mut picture = image::RgbaImage::new(64, 32);
    for (x, _, pixel) in picture.enumerate_pixels_mut() {
        *pixel = image::Rgba(if x < 32 {
            [200, 20, 20, 255]
        } else {
            [0, 0, 0, 0]
        });
    }
    let mut png = Vec::new();
    DynamicImage::from(picture)
        .write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png)
        .unwrap();
    for format in [Format::Png, Format::Webp] {
        let shown = decoded(&render(&png, &variant(Fit::Inside, 64, 64, format))).to_rgba8();
        let (left, right) = (shown.get_pixel(8, 16).0, shown.get_pixel(56, 16).0);
        assert_eq!((left[3], right[3]), (255, 0), "{format:?}");
        assert!(left[0].abs_diff(200) < 8 && left[1] < 40, "{left:?}");
    }
    let green = Variant {
        background: Color::parse("#00c000"),
        ..variant(Fit::Inside, 64, 64, Format::Jpeg)
    };
    let shown = decoded(&render(&png, &green)).to_rgb8();
    let right = shown.get_pixel(56, 16).0;
    assert!(
        right[0] < 12 && right[1].abs_diff(0xc0) < 8 && right[2] < 12,
        "{right:?}"
    );
    let shown = decoded(&render(&png, &variant(Fit::Inside, 64, 64, Format::Jpeg))).to_rgb8();
    assert!(shown.get_pixel(56, 16).0.iter().all(|sample| *sample > 247));
}

#[test]
fn auto_means_webp_and_a_fallback_that_keeps_alpha() {
    let auto = Variant {
        formats: Formats::Auto,
        ..variant(Fit::Inside, 64, 64, Format::Jpeg)
    };
    let formats = |name| -> Vec<Format> {
        let files = render(&fixture(name), &auto).files;
        files.iter().map(|file| file.format).collect()
    };
    assert_eq!(formats("Landscape_1.jpg"), [Format::Webp, Format::Jpeg]);
    assert_eq!(formats("basn6a16.png"), [Format::Webp, Format::Png]);
}

#[test]
fn an_avif_is_one() {
    let avif = render(
        &fixture("Landscape_1.jpg"),
        &variant(Fit::Inside, 64, 64, Format::Avif),
    );
    assert_eq!(&avif.files[0].bytes[4..12], b"ftypavif");
}

#[test]
fn the_smallest_sources_go_through_every_fit() {
    let pixel = Picture::of(1, 1, |_, _| [200, 100, 50]).to_png();
    for fit in [Fit::Inside, Fit::Cover, Fit::Contain, Fit::Fill] {
        for format in [Format::Jpeg, Format::Png, Format::Webp, Format::Avif] {
            for enlarge in [false, true] {
                let variant = Variant {
                    enlarge,
                    gravity: Gravity::Attention,
                    ..variant(fit, 20, 30, format)
                };
                let made = render(&pixel, &variant);
                let expected = match (fit, enlarge) {
                    (Fit::Contain, _) | (Fit::Cover | Fit::Fill, true) => (20, 30),
                    (Fit::Inside, true) => (20, 20),
                    _ => (1, 1),
                };
                assert_eq!((made.width, made.height), expected, "{fit:?} {format:?}");
            }
        }
    }
    let long = Picture::of(65_000, 1, |x, _| [(x % 256) as u8, 9, 9]).to_png();
    let made = render(&long, &variant(Fit::Cover, 320, 320, Format::Webp));
    assert_eq!((made.width, made.height), (1, 1));
}

#[test]
fn what_a_format_or_a_limit_does_not_hold_is_refused_before_it_is_made() {
    let tall = Picture::of(1, 20_000, |_, _| [9; 3]).to_png();
    let only_width = Variant {
        height: None,
        ..variant(Fit::Inside, 320, 1, Format::Webp)
    };
    let refused = try_render(&tall, &only_width).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::OutputTooManyPixels, "{refused}");
    let pixel = Picture::of(1, 1, |_, _| [9; 3]).to_png();
    for (side, format, fits) in [
        (8192, Format::Avif, false),
        (8192, Format::Jpeg, false),
        (4000, Format::Jpeg, true),
    ] {
        let large = Variant {
            enlarge: true,
            ..variant(Fit::Fill, side, side, format)
        };
        match try_render(&pixel, &large) {
            Ok(_) => assert!(fits, "{side} {format:?}"),
            Err(error) => {
                assert!(!fits, "{side} {format:?}: {error}");
                assert_eq!(error.kind(), ErrorKind::OutputTooManyPixels, "{error}");
            }
        }
    }
}

#[test]
fn a_file_is_as_good_as_its_bytes_allow() {
    let source = Picture::textured(600, 400).to_jpeg(ColorType::Rgb);
    for format in [Format::Jpeg, Format::Webp] {
        let full = render(&source, &variant(Fit::Inside, 300, 300, format));
        let full = full.files[0].bytes.len() as u64;
        let bounded = Variant {
            max_bytes: Some(full / 2),
            ..variant(Fit::Inside, 300, 300, format)
        };
        let half = render(&source, &bounded).files[0].bytes.len() as u64;
        assert!(
            half <= full / 2 && half > full / 4,
            "{format:?}: {half} of {full}"
        );
    }
    for format in [Format::Jpeg, Format::Webp, Format::Png, Format::Avif] {
        let impossible = Variant {
            max_bytes: Some(100),
            ..variant(Fit::Inside, 100, 100, format)
        };
        let refused = try_render(&source, &impossible).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::OutputTooManyBytes, "{refused}");
    }
}

#[test]
fn png_takes_the_fewest_channels_that_lose_nothing() {
    for (picture, expected) in [
        (
            Picture::of(40, 40, |_, _| [7; 3]),
            png::ColorType::Grayscale,
        ),
        (fields(40, 40), png::ColorType::Indexed),
        (Picture::textured(40, 40), png::ColorType::Rgb),
    ] {
        let source = picture.to_png();
        let made = render(&source, &variant(Fit::Inside, 40, 40, Format::Png));
        let bytes = &made.files[0].bytes;
        let reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        assert_eq!(reader.info().color_type, expected);
        assert_eq!(decoded(&made).to_rgb8().into_raw(), picture.samples);
    }
}

#[test]
fn each_coding_of_a_jpeg_shows_the_same_in_fewer_bytes() {
    let source = Picture::textured(600, 400).to_jpeg(ColorType::Rgb);
    let mut sizes = Vec::new();
    let mut pictures = Vec::new();
    for jpeg_coding in [
        JpegCoding::Baseline,
        JpegCoding::Optimized,
        JpegCoding::Progressive,
    ] {
        let variant = Variant {
            jpeg_coding,
            ..variant(Fit::Inside, 300, 300, Format::Jpeg)
        };
        let made = render(&source, &variant);
        sizes.push(made.files[0].bytes.len());
        pictures.push(Picture::rgb(&made.files[0].bytes).samples);
    }
    assert!(pictures[0] == pictures[1] && pictures[0] == pictures[2]);
    assert!(sizes[1] < sizes[0], "{sizes:?}");
    assert!(sizes[2] < sizes[0], "{sizes:?}");
}

#[test]
fn effects_show() {
    let source = Picture::textured(400, 400).to_jpeg(ColorType::Rgb);
    let plain = variant(Fit::Inside, 200, 200, Format::Png);
    let luma = |variant: &Variant| decoded(&render(&source, variant)).to_luma8().into_raw();
    let detail = |samples: &[u8]| -> u64 {
        let pairs = samples.windows(2);
        pairs.map(|pair| u64::from(pair[0].abs_diff(pair[1]))).sum()
    };
    let usual = detail(&luma(&plain));
    let blurred = detail(&luma(&Variant {
        blur: Some(4.0),
        ..plain.clone()
    }));
    let sharpened = detail(&luma(&Variant {
        sharpen: Some(1.0),
        ..plain.clone()
    }));
    assert!(
        blurred < usual / 2 && sharpened > usual,
        "{blurred} {usual} {sharpened}"
    );
    let grey = Variant {
        grayscale: true,
        formats: Formats::List(vec![Format::Jpeg]),
        ..plain
    };
    let grey = decoded(&render(&source, &grey)).to_rgb8();
    assert!(
        grey.pixels()
            .all(|pixel| pixel.0[0].abs_diff(pixel.0[2]) <= 3)
    );
}

#[test]
fn many_variants_are_as_each_alone() {
    let source = Picture::textured(1600, 1200).to_jpeg(ColorType::Rgb);
    let variants = [
        variant(Fit::Inside, 256, 256, Format::Png),
        variant(Fit::Cover, 320, 320, Format::Png),
        variant(Fit::Inside, 1024, 1024, Format::Png),
    ];
    let together = make(&source, &variants, &Limits::default()).unwrap();
    for (variant, made) in variants.iter().zip(&together.renditions) {
        let alone = decoded(&render(&source, variant)).to_rgb8();
        let (width, height) = (alone.width() as usize, alone.height() as usize);
        let as_picture = |samples: Vec<u8>| Picture {
            width,
            height,
            channels: 3,
            samples,
        };
        let alone = as_picture(alone.into_raw());
        let similarity = psnr(&as_picture(decoded(made).to_rgb8().into_raw()), &alone);
        assert!(similarity > 38.0, "{width} × {height}: {similarity:.1} dB");
    }
}
