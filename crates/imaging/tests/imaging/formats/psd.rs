//! PSD and PSB: composites of each kind, written as Photoshop does.

use std::time::{Duration, Instant};

use thumbforge_imaging::{ErrorKind, Format, ImagingError, Limits};

use super::table::blocks::swapping_profile;
use super::tiff_file::{Directory, file as tiff};
use super::{
    HEIGHT, WIDTH, assert_cuts, assert_shows, colour, colours, grey, greys, kind_of_failure, rgba,
    shown, squares, torture, try_shown,
};
use crate::picture::Picture;
use crate::spent::Spent;

/// A document; the rows of each channel, one channel after another.
#[derive(Clone)]
pub struct Document {
    mode: u16,
    bits: u16,
    palette: Vec<u8>,
    pub resources: Vec<(u16, Vec<u8>)>,
    /// Negative where the channel behind the colours is alpha.
    pub layers: i16,
    /// Behind the list of layers: a key and data.
    blocks: Vec<(&'static [u8; 4], Vec<u8>)>,
    pub channels: Vec<Vec<Vec<u8>>>,
    is_packed: bool,
    is_large: bool,
}

impl Document {
    pub fn of(mode: u16, bits: u16, channels: Vec<Vec<Vec<u8>>>) -> Self {
        Self {
            mode,
            bits,
            palette: Vec::new(),
            resources: Vec::new(),
            layers: 0,
            blocks: Vec::new(),
            channels,
            is_packed: false,
            is_large: false,
        }
    }

    pub fn file(&self) -> Vec<u8> {
        let mut bytes = b"8BPS\0".to_vec();
        bytes.push(if self.is_large { 2 } else { 1 });
        bytes.extend([0; 6]);
        bytes.extend((self.channels.len() as u16).to_be_bytes());
        bytes.extend((HEIGHT as u32).to_be_bytes());
        bytes.extend((WIDTH as u32).to_be_bytes());
        bytes.extend(self.bits.to_be_bytes());
        bytes.extend(self.mode.to_be_bytes());
        bytes.extend((self.palette.len() as u32).to_be_bytes());
        bytes.extend(&self.palette);
        let mut resources = Vec::new();
        for (kind, data) in &self.resources {
            resources.extend(b"8BIM");
            resources.extend(kind.to_be_bytes());
            resources.extend([0, 0]);
            resources.extend((data.len() as u32).to_be_bytes());
            resources.extend(data);
            resources.resize(resources.len().next_multiple_of(2), 0);
        }
        bytes.extend((resources.len() as u32).to_be_bytes());
        bytes.extend(resources);
        let length = |number: usize| {
            if self.is_large {
                (number as u64).to_be_bytes().to_vec()
            } else {
                (number as u32).to_be_bytes().to_vec()
            }
        };
        // Its length, the number, and the length of the mask.
        let mut layers = [length(2), self.layers.to_be_bytes().to_vec(), vec![0; 4]].concat();
        for (key, data) in &self.blocks {
            layers.extend(b"8BIM");
            layers.extend(*key);
            // All that are used here have a long one in a large document.
            layers.extend(length(data.len()));
            layers.extend(data);
            layers.resize(
                layers.len() + data.len().next_multiple_of(4) - data.len(),
                0,
            );
        }
        bytes.extend(length(layers.len()));
        bytes.extend(layers);
        bytes.extend([0, u8::from(self.is_packed)]);
        let rows: Vec<Vec<u8>> = self.channels.concat();
        if self.is_packed {
            let packed: Vec<Vec<u8>> = rows.iter().map(|row| packed(row)).collect();
            for row in &packed {
                let length = (row.len() as u32).to_be_bytes();
                bytes.extend(&length[if self.is_large { 0 } else { 2 }..]);
            }
            bytes.extend(packed.concat());
        } else {
            bytes.extend(rows.concat());
        }
        bytes
    }
}

/// Runs where a byte comes twice, else literally.
fn packed(row: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for run in row.chunk_by(|one, next| one == next) {
        for part in run.chunks(128) {
            match part {
                [byte] => out.extend([0, *byte]),
                _ => out.extend([(257 - part.len()) as u8, part[0]]),
            }
        }
    }
    out
}

pub fn channel<const N: usize>(sample: impl Fn(usize, usize) -> [u8; N]) -> Vec<Vec<u8>> {
    (0..HEIGHT)
        .map(|y| (0..WIDTH).flat_map(|x| sample(x, y)).collect())
        .collect()
}

fn rgb() -> Vec<Vec<Vec<u8>>> {
    (0..3)
        .map(|index| channel(|x, y| [colour(x, y)[index]]))
        .collect()
}

fn assert_psd(document: &Document, expected: &Picture, most: u8, what: &str) {
    for (is_packed, is_large) in [(false, false), (true, false), (false, true), (true, true)] {
        let document = Document {
            is_packed,
            is_large,
            ..document.clone()
        };
        let what = format!("{what}, packed {is_packed}, large {is_large}");
        assert_shows(&document.file(), Format::Psd, expected, most, &what);
    }
}

#[test]
fn each_mode_and_depth_shows_its_picture() {
    assert_psd(&Document::of(3, 8, rgb()), &colours(), 0, "RGB");
    let shorts = (0..3)
        .map(|index| channel(|x, y| (u16::from(colour(x, y)[index]) * 257).to_be_bytes()))
        .collect();
    assert_psd(
        &Document::of(3, 16, shorts),
        &colours(),
        0,
        "RGB in 16 bits",
    );
    let floats = (0..3)
        .map(|index| channel(|x, y| (f32::from(colour(x, y)[index]) / 255.0).to_be_bytes()))
        .collect();
    assert_psd(
        &Document::of(3, 32, floats),
        &colours(),
        0,
        "RGB in 32 bits",
    );
    let greyscale = || vec![channel(|x, y| [grey(x, y)])];
    assert_psd(&Document::of(1, 8, greyscale()), &greys(), 0, "grey");
    assert_psd(&Document::of(8, 8, greyscale()), &greys(), 0, "duotone");
    let inks =
        |index: usize| channel(move |x, y| [if index < 3 { colour(x, y)[index] } else { 255 }]);
    assert_psd(
        &Document::of(4, 8, (0..4).map(inks).collect()),
        &colours(),
        0,
        "CMYK",
    );
    let bits = (0..HEIGHT)
        .map(|y| {
            (0..WIDTH / 8)
                .map(|x| if (x + y / 8) % 2 == 0 { 255 } else { 0 })
                .collect()
        })
        .collect();
    assert_psd(&Document::of(0, 1, vec![bits]), &squares(), 0, "bitmap");
    let lab = vec![
        channel(|_, _| [137]),
        channel(|_, _| [188]),
        channel(|_, _| [78]),
    ];
    let violet = Picture::of(WIDTH, HEIGHT, |_, _| [193, 79, 217]);
    assert_psd(&Document::of(9, 8, lab), &violet, 2, "Lab");
    let mut indexed = Document::of(2, 8, vec![channel(|x, _| [x as u8])]);
    indexed.palette = (0..3)
        .flat_map(|index| (0..256).map(move |x| colour(x % WIDTH, 7)[index]))
        .collect();
    let stripes = Picture::of(WIDTH, HEIGHT, |x, _| colour(x, 7));
    assert_psd(&indexed, &stripes, 0, "indexed");
}

#[test]
fn what_layers_leave_transparent_is_alpha_and_other_channels_are_not() {
    let alpha = |x: usize| (x * 4 + 3) as u8;
    // The composite lies on white.
    let on_white = |sample: u8, alpha: u8| {
        let (sample, alpha) = (u32::from(sample), u32::from(alpha));
        ((sample * alpha + 127) / 255 + 255 - alpha) as u8
    };
    let mut channels: Vec<_> = (0..3)
        .map(|index| channel(|x, y| [on_white(colour(x, y)[index], alpha(x))]))
        .collect();
    channels.push(channel(|x, _| [alpha(x)]));
    let mut document = Document::of(3, 8, channels);
    document.layers = -1;
    let (picture, source) = shown(&document.file());
    assert!(source.has_alpha);
    for (index, pixel) in rgba(&picture).iter().enumerate() {
        let (x, y) = (index % WIDTH, index / WIDTH);
        assert_eq!(pixel[3], alpha(x));
        let least = 3 + 255 / u16::from(alpha(x));
        for (got, expected) in pixel.iter().zip(colour(x, y)) {
            assert!(
                u16::from(got.abs_diff(expected)) <= least,
                "{pixel:?} at {x}, {y}"
            );
        }
    }
    let mut spot = Document::of(3, 8, [rgb(), vec![channel(|x, _| [alpha(x)])]].concat());
    spot.layers = 1;
    assert_psd(&spot, &colours(), 0, "a spot colour");
}

#[test]
fn files_of_16_and_32_bits_say_in_a_block_that_they_are_transparent() {
    let deep = |is_large, blocks: &[(&'static [u8; 4], &[u8])]| {
        let mut channels: Vec<_> = (0..3)
            .map(|index| channel(|x, y| [colour(x, y)[index], 0]))
            .collect();
        channels.push(channel(|x, _| [(x * 4 + 3) as u8, 0]));
        let mut document = Document::of(3, 16, channels);
        document.is_large = is_large;
        document.blocks = blocks
            .iter()
            .map(|(key, data)| (*key, data.to_vec()))
            .collect();
        shown(&document.file()).1.has_alpha
    };
    for is_large in [false, true] {
        assert!(deep(is_large, &[(b"Mt16", &[])]));
        assert!(deep(is_large, &[(b"FMsk", &[1, 2, 3]), (b"Mtrn", &[])]));
        assert!(deep(is_large, &[(b"Lr16", &[0xff, 0xfe, 0, 0])]));
        assert!(!deep(is_large, &[(b"Lr16", &[0, 2, 0, 0])]));
        assert!(!deep(is_large, &[]));
    }
}

#[test]
fn resources_hold_the_profile_and_exif() {
    let exif = tiff(
        b"MM\0*",
        &[Directory::default()
            .with(271, &b"Canon\0"[..])
            .with(274, 3_u16)],
    );
    let mut document = Document::of(3, 8, rgb());
    document.resources = vec![
        (1005, vec![1, 2, 3]),
        (1039, swapping_profile()),
        (1058, exif),
    ];
    let (picture, source) = shown(&document.file());
    assert!(source.icc_profile.is_some());
    assert_eq!(source.orientation, 3);
    assert_eq!(source.exif.unwrap().camera.as_deref(), Some("Canon"));
    let turned = picture.mirrored().upside_down();
    let [first, second, third] = colour(20, 30);
    let got = turned.at(20, 30);
    let near = got
        .iter()
        .zip([second, third, first])
        .all(|(a, b)| a.abs_diff(b) < 4);
    assert!(near, "{got:?}");
}

#[test]
fn without_a_composite_it_is_named() {
    let mut document = Document::of(3, 8, rgb());
    document.resources = vec![(1057, vec![0, 0, 0, 1, 0, 0, 0, 0, 0])];
    let error = try_shown(&document.file(), &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("composite"), "{error}");
}

#[test]
fn cut_files_show_the_rows_that_they_have() {
    for is_packed in [false, true] {
        let mut document = Document::of(1, 8, vec![channel(|x, y| [grey(x, y)])]);
        document.is_packed = is_packed;
        let bytes = document.file();
        let pixels = if is_packed { WIDTH * 2 } else { WIDTH } * HEIGHT;
        let start = bytes.len() - pixels;
        assert_cuts(&bytes, start + pixels * 3 / 4, start + pixels / 4, "grey");
    }
}

#[test]
fn damaged_files_never_panic() {
    let mut document = Document::of(3, 8, rgb());
    document.layers = -1;
    document.channels.push(channel(|x, _| [x as u8]));
    torture(&document.file(), "plain");
    document.is_packed = true;
    torture(&document.file(), "packed");
}

#[test]
fn headers_that_promise_too_much_are_refused() {
    let mut bytes = Document::of(3, 8, rgb()).file();
    bytes[14..22].copy_from_slice(&[0, 4, 0, 0, 0, 4, 0, 0]);
    assert_eq!(kind_of_failure(&bytes), ErrorKind::TooLarge);
    bytes[14..22].copy_from_slice(&[0, 0, 0x20, 0, 0, 0, 0x20, 0]);
    let begun = Spent::now();
    assert_eq!(kind_of_failure(&bytes), ErrorKind::Corrupt);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_passed_deadline_ends_the_work() {
    let limits = Limits {
        deadline: Some(Instant::now()),
        ..Limits::default()
    };
    let outcome = try_shown(&Document::of(3, 8, rgb()).file(), &limits).map(|_| "a picture");
    assert_eq!(outcome, Err(ImagingError::Timeout));
}
