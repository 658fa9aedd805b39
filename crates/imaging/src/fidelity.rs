//! How near the scaled decode comes to the long path: all pixels decoded, then Lanczos3. Compared
//! before the thumbnail is encoded.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::decode;
use super::geometry::{Size, thumbnail_size};
use super::limits::Limits;
use super::picture::Scratch;
use super::raster::{Layout, Raster, Ycc};
use super::render::flatten::flatten;
use super::render::resample::{Region, resample_raster};
use super::source::Source;
use super::variant::{Color, Variant};

/// What a thumbnail must reach against the long path, in dB over all samples of its three planes,
/// when the scaled picture is at least twice as large as the thumbnail.
const LEAST_DB: f64 = 40.0;
/// What each plane alone must reach.
const LEAST_DB_OF_A_PLANE: f64 = 38.0;

/// A computed picture with the traits of photographs: the spectrum of natural scenes (amplitude as
/// 1/f; D. J. Field, 1987), an edge, and grain.
fn photograph(width: usize, height: usize) -> Vec<u8> {
    let mut seed = 9_u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / (1 << 24) as f32
    };
    // Waves of octaves from the picture's size down to four pixels.
    let mut waves = Vec::new();
    let mut length = width.max(height) as f32;
    let mut amplitude = 26.0;
    while length >= 4.0 {
        for _ in 0..2 {
            let (turn, phase) = (random() * 6.3, random() * 6.3);
            let step = std::f32::consts::TAU / length;
            waves.push((turn.cos() * step, turn.sin() * step, phase, amplitude));
        }
        length /= 2.0;
        amplitude *= 0.62;
    }
    let mut pixels = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let light: f32 = waves
                .iter()
                .map(|(a, b, phase, amplitude)| {
                    (x as f32 * a + y as f32 * b + phase).sin() * amplitude
                })
                .sum();
            let edge = if x * 3 > y * 2 + width / 2 { 30.0 } else { 0.0 };
            let grain = random() * 6.0 - 3.0;
            for tint in [12.0, 0.0, -14.0] {
                let colour = tint * (light / 40.0 + x as f32 / width as f32);
                pixels.push((118.0 + light + edge + grain + colour).clamp(0.0, 255.0) as u8);
            }
        }
    }
    pixels
}

fn jpeg(size: Size, sampling: SamplingFactor, progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 88);
    encoder.set_sampling_factor(sampling);
    encoder.set_progressive(progressive);
    let pixels = photograph(size.width as usize, size.height as usize);
    let (width, height) = (size.width as u16, size.height as u16);
    encoder
        .encode(&pixels, width, height, ColorType::Rgb)
        .unwrap();
    bytes
}

/// The engine's path, up to the planes that are encoded.
fn short_way(bytes: &[u8], target: Size) -> Ycc {
    let limits = Limits::default();
    let source = Source::open(bytes, &limits).unwrap();
    let variant = Variant::thumbnail(target.width.max(target.height), 85);
    let plan = source.plan(&[variant], &limits).unwrap();
    let mut scratch = Scratch::default();
    let picture = source.decode(&plan, &limits, &mut scratch).unwrap();
    assert!(!picture.source().truncated);
    let small = picture
        .stored(Region::whole(picture.size), target, true)
        .unwrap();
    flatten(small, Color::WHITE).with_halved_chroma()
}

fn resize(raster: Raster, source: Size, target: Size) -> Vec<u8> {
    let resized = resample_raster(&raster, source, Region::whole(source), target).unwrap();
    resized.pixels
}

/// All pixels by the reference decoder, each channel to the thumbnail's size.
fn long_way(bytes: &[u8], target: Size) -> Ycc {
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::YCbCr);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let pixels = decoder.decode().unwrap();
    let (width, height) = decoder.dimensions().unwrap();
    let source = Size::new(width as u32, height as u32);
    let plane = |channel: usize| {
        let samples = pixels.iter().skip(channel).step_by(3).copied().collect();
        resize(Raster::whole(source, Layout::Luma, samples), source, target)
    };
    Ycc {
        size: target,
        chroma: target,
        y: plane(0),
        cb: plane(1),
        cr: plane(2),
    }
    .with_halved_chroma()
}

fn psnr(one: &[u8], other: &[u8]) -> f64 {
    assert_eq!(one.len(), other.len());
    let squares = one.iter().zip(other);
    let sum: f64 = squares
        .map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2))
        .sum();
    10.0 * (255.0_f64.powi(2) * one.len() as f64 / sum.max(1e-9)).log10()
}

fn check(bytes: &[u8], source: Size, max_side: u32, what: &str) {
    let target = thumbnail_size(source, max_side);
    let (short, long) = (short_way(bytes, target), long_way(bytes, target));
    assert_alike(&short, &long, &format!("{what} to {max_side}"));
}

fn assert_alike(short: &Ycc, long: &Ycc, what: &str) {
    for (plane, one, other, least) in [
        ("Y", &short.y, &long.y, LEAST_DB_OF_A_PLANE),
        ("Cb", &short.cb, &long.cb, LEAST_DB_OF_A_PLANE),
        ("Cr", &short.cr, &long.cr, LEAST_DB_OF_A_PLANE),
        ("all", &all(short), &all(long), LEAST_DB),
    ] {
        let similarity = psnr(one, other);
        assert!(similarity >= least, "{what}, {plane}: {similarity:.1} dB");
    }
}

fn all(picture: &Ycc) -> Vec<u8> {
    [picture.y.as_slice(), &picture.cb, &picture.cr].concat()
}

#[test]
fn every_scale_comes_within_forty_decibels_of_the_long_way() {
    let size = Size::new(1024, 683);
    for (sampling, progressive) in [
        (SamplingFactor::F_2_2, false),
        (SamplingFactor::F_2_2, true),
        (SamplingFactor::F_1_1, false),
        (SamplingFactor::F_2_1, false),
    ] {
        let bytes = jpeg(size, sampling, progressive);
        // Twice these is N/8 of 1024, for N = 1, 2, 3, 4, 5, 6 and 8.
        for max_side in [64, 128, 192, 256, 320, 384, 500] {
            check(
                &bytes,
                size,
                max_side,
                &format!("{sampling:?} {progressive}"),
            );
        }
    }
}

#[test]
fn odd_sizes_lose_nothing_at_their_edges() {
    for (width, height) in [(1023, 681), (681, 1023), (1017, 700), (521, 1031)] {
        let size = Size::new(width, height);
        let bytes = jpeg(size, SamplingFactor::F_2_2, false);
        check(&bytes, size, 62, &format!("{width} × {height}"));
        check(&bytes, size, 125, &format!("{width} × {height}"));
    }
}

/// The same file with another size in its frame header: everything outside that becomes padding, as
/// after a lossless crop.
fn cropped(mut bytes: Vec<u8>, size: Size) -> Vec<u8> {
    let frame = bytes
        .windows(2)
        .position(|marker| marker == [0xFF, 0xC0] || marker == [0xFF, 0xC2])
        .unwrap();
    bytes[frame + 5..frame + 7].copy_from_slice(&(size.height as u16).to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&(size.width as u16).to_be_bytes());
    bytes
}

/// A white picture with black around it, up to the end of its last blocks.
fn framed_in_black(size: Size, progressive: bool) -> Vec<u8> {
    let coded = Size::new(
        size.width.next_multiple_of(8),
        size.height.next_multiple_of(8),
    );
    let mut pixels = vec![0; coded.area()];
    for row in pixels
        .chunks_exact_mut(coded.width as usize)
        .take(size.height as usize)
    {
        row[..size.width as usize].fill(255);
    }
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 95);
    encoder.set_progressive(progressive);
    let (width, height) = (coded.width as u16, coded.height as u16);
    encoder
        .encode(&pixels, width, height, ColorType::Luma)
        .unwrap();
    cropped(bytes, size)
}

#[test]
fn what_lies_outside_of_the_picture_does_not_show() {
    for progressive in [false, true] {
        for (width, height) in [(1025, 769), (1026, 770), (1030, 774), (769, 1031)] {
            let size = Size::new(width, height);
            let bytes = framed_in_black(size, progressive);
            for max_side in [32, 64, 128, 256, 300] {
                let target = thumbnail_size(size, max_side);
                let thumbnail = short_way(&bytes, target);
                let darkest = thumbnail.y.iter().min().unwrap();
                assert!(*darkest > 235, "{size:?} to {max_side}: {darkest}");
            }
        }
    }
}

#[test]
fn narrow_pictures_come_within_forty_decibels_too() {
    for (width, height) in [
        (4000, 1),
        (4000, 3),
        (2, 4000),
        (4000, 20),
        (3000, 127),
        (3000, 129),
    ] {
        let size = Size::new(width, height);
        for progressive in [false, true] {
            let bytes = jpeg(size, SamplingFactor::F_2_2, progressive);
            check(&bytes, size, 256, &format!("{width} × {height}"));
        }
        let white = short_way(&framed_in_black(size, false), thumbnail_size(size, 256));
        assert!(white.y.iter().all(|luma| *luma > 250), "{width} × {height}");
    }
}

#[test]
fn real_photographs_come_within_forty_decibels_too() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    for name in [
        "Landscape_1.jpg",
        "jpeg/portrait_2.jpg",
        "jpeg/progressive.jpg",
    ] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let header = decode::inspect(&bytes, &Limits::default()).unwrap();
        let longest = header.size.width.max(header.size.height);
        for eighths in [1, 2, 4] {
            let max_side = longest * eighths / 16;
            // This says nothing about icons.
            if max_side >= 32 {
                check(&bytes, header.size, max_side, name);
            }
        }
    }
}

/// A lossy WebP on the long path: all samples by the complete decoder, each plane to the
/// thumbnail's size, then to full range.
fn long_way_of_webp(data: &[u8], target: Size) -> Ycc {
    let frame = image_webp::vp8::Vp8Decoder::decode_frame(data).unwrap();
    let source = Size::new(frame.width.into(), frame.height.into());
    let stride = source.width.next_multiple_of(16) as usize;
    let plane = |samples: &[u8], shrunk: usize, from: f64, to: f64, steps: f64| {
        let size = Size::new(
            source.width.div_ceil(shrunk as u32),
            source.height.div_ceil(shrunk as u32),
        );
        let rows = samples
            .chunks_exact(stride / shrunk)
            .take(size.height as usize);
        let pixels = rows.flat_map(|row| &row[..size.width as usize]);
        let full = pixels.map(|sample| {
            let sample = (f64::from(*sample) - from) * 255.0 / steps + to;
            sample.round() as u8
        });
        let raster = Raster {
            size,
            span: (
                f64::from(source.width) / shrunk as f64,
                f64::from(source.height) / shrunk as f64,
            ),
            layout: Layout::Luma,
            pixels: full.collect(),
        };
        resize(raster, source, target)
    };
    Ycc {
        size: target,
        chroma: target,
        y: plane(&frame.ybuf, 1, 16.0, 0.0, 219.0),
        cb: plane(&frame.ubuf, 2, 128.0, 128.0, 224.0),
        cr: plane(&frame.vbuf, 2, 128.0, 128.0, 224.0),
    }
    .with_halved_chroma()
}

#[test]
fn lossy_webp_comes_within_forty_decibels_with_its_loop_filter_and_without() {
    let path = "../../tests/fixtures/vp8/701x467.webp";
    let file = std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let header = decode::inspect(&file, &Limits::default()).unwrap();
    // The only chunk.
    let data = &file[20..];
    // From 116 downwards it is left out.
    for max_side in [350, 300, 256, 200, 176, 175, 128, 117, 116, 100, 64] {
        let target = thumbnail_size(header.size, max_side);
        let (short, long) = (short_way(&file, target), long_way_of_webp(data, target));
        assert_alike(&short, &long, &format!("{path} to {max_side}"));
    }
}
