//! Pictures whose correct look is known.

use crate::picture::probe;
use jpeg_encoder::ColorType;
use thumbforge_imaging::Format;
use thumbforge_imaging::Limits;

use crate::picture::{Picture, SPEC, fixture, psnr, thumbnail_of};

#[test]
fn all_eight_orientations_come_out_upright() {
    let upright = thumbnail_of(&fixture("Landscape_1.jpg"));
    let expected = Picture::rgb(&upright.jpeg);
    for orientation in 1..=8 {
        let turned = thumbnail_of(&fixture(&format!("Landscape_{orientation}.jpg")));
        assert_eq!(turned.source.orientation, orientation);
        assert_eq!(
            (turned.source.width, turned.source.height),
            (upright.source.width, upright.source.height)
        );
        let similarity = psnr(&Picture::rgb(&turned.jpeg), &expected);
        // The files differ by the number that is written on them. Mirrored they reach 11 dB.
        assert!(similarity > 22.0, "{orientation}: {similarity:.1} dB");
    }
}

/// The JPEG with an EXIF block that holds only an orientation.
pub fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend(b"\x12\x01\x03\0\x01\0\0\0");
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let length = (exif.len() + 2) as u16;
    let segment = [&b"\xff\xe1"[..], &length.to_be_bytes(), &exif].concat();
    [&jpeg[..2], &segment, &jpeg[2..]].concat()
}

#[test]
fn turning_moves_no_colour_against_its_shape() {
    for (width, height) in [(700, 455), (1024, 768), (201, 101)] {
        let source = Picture::of(width, height, |x, y| {
            let field = (x * 8 / width + y * 6 / height) % 3;
            [[230, 40, 40], [40, 200, 40], [40, 40, 230]][field]
        });
        let jpeg = source.to_jpeg(ColorType::Rgb);
        let stored = Picture::rgb(&thumbnail_of(&jpeg).jpeg);
        for (orientation, seen) in [
            (1, stored.clone()),
            (2, stored.mirrored()),
            (3, stored.mirrored().upside_down()),
            (4, stored.upside_down()),
            (5, stored.transposed()),
            (6, stored.transposed().mirrored()),
            (7, stored.transposed().mirrored().upside_down()),
            (8, stored.transposed().upside_down()),
        ] {
            let turned = thumbnail_of(&with_orientation(&jpeg, orientation));
            assert_eq!(turned.source.orientation, orientation);
            let similarity = psnr(&Picture::rgb(&turned.jpeg), &seen);
            // A wrong turn is below 12 dB. Chroma of an odd side is averaged in other pairs, which
            // shows at edges as hard as these.
            assert!(
                similarity > 23.0,
                "{width} × {height}, {orientation}: {similarity:.1} dB"
            );
        }
    }
}

#[test]
fn an_embedded_profile_decides_what_is_red() {
    let thumbnail = thumbnail_of(&fixture("rgb-to-gbr-test.jpg"));
    assert_eq!(thumbnail.source.icc_profile.as_deref(), Some("RGB-to-GBR"));
    let picture = Picture::rgb(&thumbnail.jpeg);
    for (x, y, strongest) in [(128, 8, 0), (8, 190, 1), (248, 200, 2)] {
        let colour = picture.at(x, y);
        assert!(colour[strongest] > 200, "{colour:?} at {x}, {y}");
        assert!(
            (0..3).all(|channel| channel == strongest || colour[channel] < 110),
            "{colour:?} at {x}, {y}"
        );
    }
}

#[test]
fn a_profile_with_chunks_out_of_order_is_not_used() {
    let thumbnail = thumbnail_of(&fixture("icc_chunk_order.jpeg"));
    assert_eq!(thumbnail.source.width, 1);
}

/// A PNG of at most 256 pixels, decoded by other means and laid on white, in luma.
fn luma_on_white(bytes: &[u8]) -> Vec<f64> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
    let gamma = reader
        .info()
        .gama_chunk
        .map_or(1.0 / 2.2, |gamma| f64::from(gamma.into_value()));
    // Nearly: sRGB is no power. The files have 1.0 or nothing.
    let seen = |sample: f64| sample.powf(1.0 / gamma / 2.2);
    let info = reader.next_frame(&mut buffer).unwrap();
    let samples: Vec<f64> = if info.bit_depth == png::BitDepth::Sixteen {
        buffer
            .chunks_exact(2)
            .map(|pair| f64::from(u16::from_be_bytes([pair[0], pair[1]])) / 65535.0)
            .collect()
    } else {
        buffer
            .iter()
            .map(|sample| f64::from(*sample) / 255.0)
            .collect()
    };
    samples
        .chunks_exact(info.color_type.samples())
        .map(|pixel| {
            let (luma, alpha) = match *pixel {
                [luma] => (seen(luma), 1.0),
                [luma, alpha] => (seen(luma), alpha),
                [r, g, b] => (0.299 * seen(r) + 0.587 * seen(g) + 0.114 * seen(b), 1.0),
                [r, g, b, a] => (0.299 * seen(r) + 0.587 * seen(g) + 0.114 * seen(b), a),
                _ => unreachable!("PNG has one to four channels"),
            };
            255.0 * (luma * alpha + 1.0 - alpha)
        })
        .collect()
}

#[test]
fn png_alpha_palettes_and_depths_look_right() {
    for (name, has_alpha) in [
        ("tbbn0g04.png", true),
        ("tbyn3p08.png", true),
        ("tp0n2c08.png", false),
        ("tbbn2c16.png", true),
        ("basi4a16.png", true),
        ("basn4a08.png", true),
        ("basn6a16.png", true),
        ("basi6a16.png", true),
        ("bgan6a08.png", true),
        ("basn0g01.png", false),
        ("basn0g16.png", false),
        ("basn2c16.png", false),
        ("basn3p02.png", false),
        ("s09i3p02.png", false),
    ] {
        let bytes = fixture(name);
        let thumbnail = thumbnail_of(&bytes);
        assert_eq!(thumbnail.source.has_alpha, has_alpha, "{name}");
        let expected = luma_on_white(&bytes);
        let picture = Picture::ycc(&thumbnail.jpeg);
        assert_eq!(picture.samples.len(), expected.len() * 3, "{name}");
        let difference = picture
            .samples
            .chunks_exact(3)
            .zip(&expected)
            .map(|(pixel, luma)| (f64::from(pixel[0]) - luma).abs())
            .sum::<f64>()
            / expected.len() as f64;
        assert!(
            difference < 2.5,
            "{name}: {difference:.2} of 255 on average"
        );
    }
}

#[test]
fn inks_are_not_inverted() {
    // As Adobe stores them: 255 is no ink.
    let quarters = Picture {
        width: 64,
        height: 64,
        channels: 4,
        samples: (0..64 * 64)
            .flat_map(|index| match (index % 64 / 32, index / 64 / 32) {
                (0, 0) => [255, 255, 255, 255],
                (1, 0) => [0, 255, 255, 255],
                (0, _) => [255, 0, 255, 255],
                _ => [255, 255, 255, 0],
            })
            .collect(),
    };
    for color in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        // The encoder takes inks as ink and stores their complement.
        let inks = Picture {
            samples: quarters.samples.iter().map(|sample| 255 - sample).collect(),
            ..quarters.clone()
        };
        let picture = Picture::rgb(&thumbnail_of(&inks.to_jpeg(color)).jpeg);
        for (x, y, expected) in [
            (16, 16, [255, 255, 255]),
            (48, 16, [0, 255, 255]),
            (16, 48, [255, 0, 255]),
            (48, 48, [0, 0, 0]),
        ] {
            let colour = picture.at(x, y);
            assert!(
                colour.iter().zip(expected).all(|(a, b)| a.abs_diff(b) < 12),
                "{color:?}: {colour:?} at {x}, {y} instead of {expected:?}"
            );
        }
    }
    let page = Picture::rgb(&thumbnail_of(&fixture("jpg-cmyk-2.jpg")).jpeg);
    assert!(page.at(2, 2).iter().all(|sample| *sample > 250));
}

#[test]
fn grey_stays_grey_and_as_bright() {
    let ramp = Picture {
        width: 512,
        height: 384,
        channels: 1,
        samples: (0..512 * 384)
            .map(|index| (index % 512 / 2) as u8)
            .collect(),
    };
    let mut rgb = ramp.clone();
    rgb.channels = 3;
    rgb.samples = ramp.samples.iter().flat_map(|grey| [*grey; 3]).collect();
    for bytes in [
        ramp.to_png(),
        rgb.to_png(),
        ramp.to_jpeg(ColorType::Luma),
        rgb.to_jpeg(ColorType::Rgb),
    ] {
        let thumbnail = thumbnail_of(&bytes);
        let picture = Picture::ycc(&thumbnail.jpeg);
        for (index, pixel) in picture.samples.chunks_exact(3).enumerate() {
            let expected = (index % 256) as u8;
            assert!(
                pixel[0].abs_diff(expected) <= 3,
                "{:?}: {} instead of {expected}",
                thumbnail.source.format,
                pixel[0]
            );
            assert_eq!(&pixel[1..], [128, 128], "{:?}", thumbnail.source.format);
        }
    }
}

#[test]
fn the_first_frame_is_shown_and_all_are_counted() {
    for (name, format, frames) in [
        ("beacon.gif", Format::Gif, 2),
        ("interlaced.gif", Format::Gif, 1),
        ("anim.webp", Format::Webp, 6),
        ("lossy_alpha.webp", Format::Webp, 1),
        ("fcTL-dispose-in-region-none.png", Format::Png, 3),
    ] {
        let thumbnail = thumbnail_of(&fixture(name));
        assert_eq!(thumbnail.source.format, format, "{name}");
        assert_eq!(thumbnail.source.frames, frames, "{name}");
    }
}

#[test]
fn transparent_pixels_of_gif_and_webp_are_white() {
    for (name, x, y) in [("alpha_gif_a.gif", 250, 250), ("lossy_alpha.webp", 2, 2)] {
        let thumbnail = thumbnail_of(&fixture(name));
        assert!(thumbnail.source.has_alpha, "{name}");
        let picture = Picture::rgb(&thumbnail.jpeg);
        let colour = picture.at(x, y);
        assert!(
            colour.iter().all(|sample| *sample > 250),
            "{name}: {colour:?}"
        );
    }
}

#[test]
fn bitmaps_and_webp_of_all_kinds_are_read() {
    for (name, format, has_alpha) in [
        ("bmp24.bmp", Format::Bmp, false),
        ("bmprle8t.bmp", Format::Bmp, false),
        ("simple-rgb.webp", Format::Webp, false),
        ("2-color.webp", Format::Webp, false),
    ] {
        let thumbnail = thumbnail_of(&fixture(name));
        assert_eq!(thumbnail.source.format, format, "{name}");
        assert_eq!(thumbnail.source.has_alpha, has_alpha, "{name}");
        assert!(!thumbnail.source.truncated, "{name}");
    }
}

#[test]
fn lossy_webp_has_the_colours_that_the_complete_decoder_gives() {
    for name in [
        "vp8/177x150.webp",
        "vp8/65x65_four_partitions.webp",
        "simple-rgb.webp",
    ] {
        let bytes = fixture(name);
        let mut decoder = image_webp::WebPDecoder::new(std::io::Cursor::new(&bytes)).unwrap();
        let (width, height) = decoder.dimensions();
        let mut expected = Picture::of(width as usize, height as usize, |_, _| [0; 3]);
        decoder.read_image(&mut expected.samples).unwrap();
        let picture = Picture::rgb(&thumbnail_of(&bytes).jpeg);
        let similarity = psnr(&picture, &expected);
        // Luma that is taken for full range is below 25 dB.
        assert!(similarity > 34.0, "{name}: {similarity:.1} dB");
    }
}

#[test]
fn a_thumbnail_keeps_its_aspect_and_is_never_enlarged() {
    for ((width, height), expected) in [
        ((1000, 667), (256, 171)),
        ((667, 1000), (171, 256)),
        ((2000, 3), (256, 1)),
        ((1, 3000), (1, 256)),
        ((100, 30), (100, 30)),
        ((1, 1), (1, 1)),
        ((257, 256), (256, 255)),
    ] {
        let source = Picture::textured(width, height);
        for bytes in [source.to_png(), source.to_jpeg(ColorType::Rgb)] {
            let thumbnail = thumbnail_of(&bytes);
            assert_eq!((thumbnail.width, thumbnail.height), expected);
            let picture = Picture::rgb(&thumbnail.jpeg);
            assert_eq!((picture.width as u32, picture.height as u32), expected);
            let probe = probe(&bytes, &SPEC, &Limits::default()).unwrap();
            assert_eq!(
                (probe.width as usize, probe.height as usize),
                (width, height)
            );
        }
    }
}

#[test]
fn the_output_is_a_baseline_420_jfif_file_without_metadata() {
    let jpeg = thumbnail_of(&fixture("Landscape_6.jpg")).jpeg;
    assert_eq!(&jpeg[..4], b"\xff\xd8\xff\xe0");
    assert_eq!(&jpeg[6..11], b"JFIF\0");
    let mut position = 2;
    let mut frame = None;
    while jpeg[position + 1] != 0xda {
        let kind = jpeg[position + 1];
        let length = usize::from(u16::from_be_bytes([jpeg[position + 2], jpeg[position + 3]]));
        assert!(!(0xe1..=0xef).contains(&kind), "segment {kind:x}");
        if kind == 0xc0 {
            frame = Some(&jpeg[position + 4..position + 2 + length]);
        }
        position += 2 + length;
    }
    let frame = frame.expect("a baseline frame header");
    let sampling: Vec<u8> = frame[6..]
        .chunks_exact(3)
        .map(|component| component[1])
        .collect();
    assert_eq!(sampling, [0x22, 0x11, 0x11]);
}

#[test]
fn a_jpeg_and_a_png_of_one_picture_look_alike() {
    let source = Picture::of(1203, 811, |x, y| {
        let wave = |phase: f64| {
            let angle = (x as f64 / 37.0 + phase).sin() + (y as f64 / 23.0 - phase).cos();
            (127.5 + 60.0 * angle) as u8
        };
        [wave(0.0), wave(1.0), wave(2.0)]
    });
    let [one, other] = [source.to_png(), source.to_jpeg(ColorType::Rgb)]
        .map(|bytes| Picture::rgb(&thumbnail_of(&bytes).jpeg));
    let similarity = psnr(&one, &other);
    assert!(similarity > 38.0, "{similarity:.1} dB");
}

#[test]
fn the_first_frame_looks_as_it_should() {
    let red = [220, 30, 30];
    let blue = [30, 30, 220];
    for (name, frames, points) in [
        (
            "two_frames.webp",
            2,
            [
                ((8, 8), red),
                ((24, 40), red),
                ((40, 24), blue),
                ((60, 44), blue),
            ],
        ),
        (
            "fcTL-dispose-in-region-none.png",
            3,
            [
                ((12, 6), [0, 255, 0]),
                ((64, 32), [255, 0, 0]),
                ((102, 19), [0, 255, 0]),
                ((38, 51), [0, 255, 0]),
            ],
        ),
    ] {
        let thumbnail = thumbnail_of(&fixture(name));
        assert_eq!(thumbnail.source.frames, frames, "{name}");
        let picture = Picture::rgb(&thumbnail.jpeg);
        for ((x, y), expected) in points {
            let colour = picture.at(x, y);
            assert!(
                colour.iter().zip(expected).all(|(a, b)| a.abs_diff(b) < 12),
                "{name}: {colour:?} at {x}, {y}"
            );
        }
    }
}

/// A screen of 100 × 80 whose first frame, 40 × 30 at 30, 20, is red, with a clear lower half; the
/// second is blue.
fn gif_with_a_small_first_frame() -> Vec<u8> {
    let palette = [255, 255, 0, 220, 20, 20, 20, 20, 220, 0, 0, 0];
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, 100, 80, &palette).unwrap();
    let first = [vec![1; 40 * 15], vec![3; 40 * 15]].concat();
    let mut frame = gif::Frame::from_indexed_pixels(40, 30, first, Some(3));
    (frame.left, frame.top) = (30, 20);
    frame.dispose = gif::DisposalMethod::Previous;
    encoder.write_frame(&frame).unwrap();
    let second = gif::Frame::from_indexed_pixels(100, 80, vec![2; 8000], None);
    encoder.write_frame(&second).unwrap();
    drop(encoder);
    bytes
}

#[test]
fn a_small_first_frame_stands_at_its_place_on_white() {
    let thumbnail = thumbnail_of(&gif_with_a_small_first_frame());
    assert_eq!((thumbnail.width, thumbnail.height), (100, 80));
    assert_eq!(thumbnail.source.frames, 2);
    assert!(thumbnail.source.has_alpha);
    let picture = Picture::rgb(&thumbnail.jpeg);
    for (x, y, expected) in [
        (50, 27, [220, 20, 20]),
        (34, 24, [220, 20, 20]),
        (66, 31, [220, 20, 20]),
        // The clear half, and beside the frame.
        (50, 44, [255; 3]),
        (10, 27, [255; 3]),
        (90, 27, [255; 3]),
        (50, 8, [255; 3]),
        (50, 70, [255; 3]),
    ] {
        let colour = picture.at(x, y);
        assert!(
            colour.iter().zip(expected).all(|(a, b)| a.abs_diff(b) < 16),
            "{colour:?} instead of {expected:?} at {x}, {y}"
        );
    }
}
