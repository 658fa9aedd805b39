//! Embedded ICC profiles, in all kinds of pictures.

use std::borrow::Cow;

use jpeg_encoder::{ColorType, Encoder};
use moxcms::ColorProfile;

use crate::picture::{Picture, thumbnail_of};

fn flat(channels: usize, colour: &[u8]) -> Picture {
    Picture {
        width: 64,
        height: 64,
        channels,
        samples: colour.repeat(64 * 64),
    }
}

fn jpeg_with(picture: &Picture, color: ColorType, profile: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 95);
    encoder.add_icc_profile(profile).unwrap();
    encoder.encode(&picture.samples, 64, 64, color).unwrap();
    bytes
}

fn png_with(picture: &Picture, color: png::ColorType, profile: &[u8]) -> Vec<u8> {
    let mut info = png::Info::with_size(64, 64);
    info.color_type = color;
    info.bit_depth = png::BitDepth::Eight;
    info.icc_profile = Some(Cow::Borrowed(profile));
    let mut bytes = Vec::new();
    let mut writer = png::Encoder::with_info(&mut bytes, info)
        .unwrap()
        .write_header()
        .unwrap();
    writer.write_image_data(&picture.samples).unwrap();
    writer.finish().unwrap();
    bytes
}

fn assert_shows(bytes: &[u8], expected: [f64; 3], tolerance: f64, what: &str) {
    let picture = Picture::rgb(&thumbnail_of(bytes).jpeg);
    let colour = picture.at(32, 32);
    for (shown, expected) in colour.iter().zip(expected) {
        assert!(
            (f64::from(*shown) - expected).abs() <= tolerance,
            "{what}: {colour:?} instead of {expected:?}"
        );
    }
}

/// IEC 61966-2-1, both ways, for values of 0 to 1.
fn to_linear(encoded: f64) -> f64 {
    if encoded <= 0.04045 {
        encoded / 12.92
    } else {
        ((encoded + 0.055) / 1.055).powf(2.4)
    }
}

fn to_encoded(linear: f64) -> f64 {
    let linear = linear.clamp(0.0, 1.0);
    if linear <= 0.003_130_8 {
        12.92 * linear
    } else {
        1.055 * linear.powf(1.0 / 2.4) - 0.055
    }
}

/// Display P3 has sRGB's curve and white; the matrix is that of CSS Color 4, section 10.
fn srgb_of_p3(colour: [u8; 3]) -> [f64; 3] {
    const P3_TO_SRGB: [[f64; 3]; 3] = [
        [1.224_940, -0.224_940, 0.0],
        [-0.042_057, 1.042_057, 0.0],
        [-0.019_638, -0.078_636, 1.098_274],
    ];
    let linear = colour.map(|sample| to_linear(f64::from(sample) / 255.0));
    P3_TO_SRGB.map(|row| {
        let sum: f64 = row.iter().zip(linear).map(|(m, sample)| m * sample).sum();
        255.0 * to_encoded(sum)
    })
}

#[test]
fn a_wide_gamut_comes_out_in_srgb() {
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    for colour in [
        [200, 100, 50],
        [60, 160, 90],
        [90, 90, 200],
        [128, 128, 128],
    ] {
        let expected = srgb_of_p3(colour);
        let opaque = flat(3, &colour);
        let alpha = flat(4, &[colour[0], colour[1], colour[2], 255]);
        assert_shows(
            &jpeg_with(&opaque, ColorType::Rgb, &profile),
            expected,
            3.0,
            "JPEG",
        );
        assert_shows(
            &png_with(&opaque, png::ColorType::Rgb, &profile),
            expected,
            3.0,
            "PNG",
        );
        assert_shows(
            &png_with(&alpha, png::ColorType::Rgba, &profile),
            expected,
            3.0,
            "PNG with alpha",
        );
    }
    // Beyond sRGB: cut off, not wrapped around.
    let green = png_with(&flat(3, &[0, 255, 0]), png::ColorType::Rgb, &profile);
    assert_shows(&green, [0.0, 255.0, 0.0], 6.0, "pure green");
}

#[test]
fn a_grey_profile_decides_how_bright_grey_is() {
    let profile = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    // Linear light: 50 of 255 is a middle grey.
    let expected = [255.0 * to_encoded(50.0 / 255.0); 3];
    for (bytes, what) in [
        (
            jpeg_with(&flat(1, &[50]), ColorType::Luma, &profile),
            "JPEG",
        ),
        (
            png_with(&flat(1, &[50]), png::ColorType::Grayscale, &profile),
            "PNG",
        ),
        (
            png_with(
                &flat(2, &[50, 255]),
                png::ColorType::GrayscaleAlpha,
                &profile,
            ),
            "PNG with alpha",
        ),
    ] {
        assert_shows(&bytes, expected, 3.0, what);
    }
    // Half transparent: the converted grey is laid on white.
    let half = png_with(
        &flat(2, &[50, 128]),
        png::ColorType::GrayscaleAlpha,
        &profile,
    );
    let expected = expected.map(|grey| (grey * 128.0 + 255.0 * 127.0) / 255.0);
    assert_shows(&half, expected, 4.0, "half transparent");
}

/// An ICC profile (ICC.1:2022) for four inks whose only table (`mft1`, 10.11) has two steps a side:
/// `lab` gives the colour of each of the 16 corners. A, B are encoded with 128 for 0, L with 255
/// for 100.
fn ink_profile(lab: impl Fn([bool; 4]) -> [u8; 3]) -> Vec<u8> {
    let mut table = b"mft1\0\0\0\0\x04\x03\x02\0".to_vec();
    for index in 0..9 {
        let one = if index % 4 == 0 { 0x10000_u32 } else { 0 };
        table.extend(one.to_be_bytes());
    }
    let ramp: Vec<u8> = (0..=255).collect();
    table.extend(ramp.repeat(4));
    for corner in 0..16 {
        table.extend(lab([8, 4, 2, 1].map(|bit| corner & bit != 0)));
    }
    table.extend(ramp.repeat(3));
    let white = b"XYZ \0\0\0\0\0\0\xf6\xd6\0\x01\0\0\0\0\xd3\x2d";
    let tags: [(&[u8; 4], &[u8]); 2] = [(b"A2B0", &table), (b"wtpt", white)];

    let mut data = Vec::new();
    let mut directory = (tags.len() as u32).to_be_bytes().to_vec();
    let first = 128 + 4 + 12 * tags.len();
    for (name, bytes) in tags {
        directory.extend(name);
        directory.extend(((first + data.len()) as u32).to_be_bytes());
        directory.extend((bytes.len() as u32).to_be_bytes());
        data.extend(bytes);
        data.resize(data.len().next_multiple_of(4), 0);
    }
    let mut header = vec![0; 128];
    header[..4].copy_from_slice(&((first + data.len()) as u32).to_be_bytes());
    header[8] = 2;
    header[12..24].copy_from_slice(b"prtrCMYKLab ");
    header[36..40].copy_from_slice(b"acsp");
    // D50, as all connection spaces have it.
    header[68..80].copy_from_slice(&white[8..]);
    [header, directory, data].concat()
}

#[test]
fn an_ink_profile_decides_what_inks_look_like() {
    // Cyan that prints grey, on yellowish paper; all other inks print black.
    let profile =
        ink_profile(
            |[cyan, magenta, yellow, black]| match (cyan, magenta || yellow || black) {
                (false, false) => [255, 128, 148],
                (true, false) => [128, 128, 128],
                _ => [0, 128, 128],
            },
        );
    // The encoder takes inks as ink.
    for color in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let paper = jpeg_with(&flat(4, &[0, 0, 0, 0]), color, &profile);
        assert_shows(&paper, [255.0, 252.0, 214.0], 8.0, "paper");
        let cyan = jpeg_with(&flat(4, &[255, 0, 0, 0]), color, &profile);
        assert_shows(&cyan, [119.0; 3], 6.0, "cyan");
        let black = jpeg_with(&flat(4, &[0, 0, 0, 255]), color, &profile);
        assert_shows(&black, [0.0; 3], 6.0, "black");
    }
}

#[test]
fn a_profile_for_other_channels_is_ignored() {
    let grey = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    let bytes = png_with(&flat(3, &[50, 60, 70]), png::ColorType::Rgb, &grey);
    assert_shows(&bytes, [50.0, 60.0, 70.0], 3.0, "RGB with a grey profile");
}

#[test]
fn a_profile_of_rgb_counts_for_a_grey_picture() {
    let mut profile = ColorProfile::new_srgb();
    let light = moxcms::ToneReprCurve::Lut(vec![256]);
    profile.red_trc = Some(light.clone());
    profile.green_trc = Some(light.clone());
    profile.blue_trc = Some(light);
    profile.cicp = None;
    let profile = profile.encode().unwrap();
    let expected = [255.0 * to_encoded(50.0 / 255.0); 3];
    let grey = jpeg_with(&flat(1, &[50]), ColorType::Luma, &profile);
    assert_shows(&grey, expected, 3.0, "JPEG");
    let grey = png_with(
        &flat(2, &[50, 255]),
        png::ColorType::GrayscaleAlpha,
        &profile,
    );
    assert_shows(&grey, expected, 3.0, "PNG with alpha");
}
