use std::io::Cursor;
use std::time::{Duration, Instant};

use image_webp::{LoopCount, WebPDecoder};

use super::*;
use crate::make;

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const SIDE: u16 = 32;

fn variant() -> Variant {
    Variant {
        animated: true,
        formats: Formats::List(vec![Format::Webp]),
        ..Variant::thumbnail(32, 90)
    }
}

fn made(bytes: &[u8], variant: &Variant, limits: &Limits) -> Result<Vec<u8>, ImagingError> {
    let mut made = make(bytes, std::slice::from_ref(variant), limits)?;
    Ok(made.renditions.remove(0).files.remove(0).bytes)
}

/// The whole canvas in red; green on the right, which is cleared; blue below, of no duration.
fn gif(repeat: gif::Repeat) -> Vec<u8> {
    let palette: Vec<u8> = [RED, GREEN, BLUE].concat();
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, SIDE, SIDE, &palette).unwrap();
    encoder.set_repeat(repeat).unwrap();
    let half = SIDE / 2;
    for (index, place, dispose, delay) in [
        (0, (0, 0, SIDE, SIDE), gif::DisposalMethod::Keep, 5),
        (
            1,
            (half, 0, half, SIDE),
            gif::DisposalMethod::Background,
            30,
        ),
        (2, (0, half, SIDE, half), gif::DisposalMethod::Keep, 0),
    ] {
        let (left, top, width, height) = place;
        encoder
            .write_frame(&gif::Frame {
                delay,
                dispose,
                left,
                top,
                width,
                height,
                buffer: vec![index; usize::from(width) * usize::from(height)].into(),
                ..gif::Frame::default()
            })
            .unwrap();
    }
    drop(encoder);
    bytes
}

struct Seen {
    plays: LoopCount,
    /// RGBA of each frame, and how long it is seen.
    frames: Vec<(Vec<u8>, u32)>,
}

fn seen(webp: &[u8]) -> Seen {
    let mut decoder = WebPDecoder::new(Cursor::new(webp)).unwrap();
    assert!(decoder.is_animated());
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let mut frames = Vec::new();
    for _ in 0..decoder.num_frames() {
        let mut buffer = vec![0; decoder.output_buffer_size().unwrap()];
        let milliseconds = decoder.read_frame(&mut buffer).unwrap();
        let rgba = buffer.chunks_exact(channels).flat_map(|pixel| {
            let alpha = pixel.get(3).copied().unwrap_or(255);
            [pixel[0], pixel[1], pixel[2], alpha]
        });
        frames.push((rgba.collect(), milliseconds));
    }
    Seen {
        plays: decoder.loop_count(),
        frames,
    }
}

fn at(frame: &[u8], x: usize, y: usize) -> [u8; 4] {
    let start = (y * usize::from(SIDE) + x) * 4;
    [0, 1, 2, 3].map(|channel| frame[start + channel])
}

fn is_near(pixel: [u8; 4], colour: [u8; 3]) -> bool {
    let channels = pixel.iter().zip(colour);
    pixel[3] == 255
        && channels
            .into_iter()
            .all(|(one, other)| one.abs_diff(other) < 24)
}

#[test]
fn a_gif_moves_as_browsers_show_it() {
    for (repeat, plays) in [
        (gif::Repeat::Infinite, LoopCount::Forever),
        (
            gif::Repeat::Finite(2),
            LoopCount::Times(3.try_into().unwrap()),
        ),
    ] {
        let webp = made(&gif(repeat), &variant(), &Limits::default()).unwrap();
        let seen = seen(&webp);
        assert_eq!(format!("{:?}", seen.plays), format!("{plays:?}"));
        let durations: Vec<u32> = seen.frames.iter().map(|(_, seen)| *seen).collect();
        assert_eq!(durations, [50, 300, 100]);
        let [first, second, third] = [0, 1, 2].map(|frame: usize| &seen.frames[frame].0);
        assert!(is_near(at(first, 4, 4), RED) && is_near(at(first, 28, 28), RED));
        assert!(is_near(at(second, 4, 4), RED) && is_near(at(second, 28, 4), GREEN));
        assert!(is_near(at(third, 4, 4), RED) && is_near(at(third, 28, 28), BLUE));
        assert_eq!(at(third, 28, 4)[3], 0, "the second was cleared");
    }
}

#[test]
fn a_webp_that_was_made_moves_alike_when_it_is_made_again() {
    let once = made(&gif(gif::Repeat::Infinite), &variant(), &Limits::default()).unwrap();
    let again = made(&once, &variant(), &Limits::default()).unwrap();
    let (once, again) = (seen(&once), seen(&again));
    assert_eq!(once.frames.len(), again.frames.len());
    for (one, other) in once.frames.iter().zip(&again.frames) {
        assert_eq!(one.1, other.1);
        for (x, y) in [(4, 4), (28, 4), (4, 28), (28, 28)] {
            let (one, other) = (at(&one.0, x, y), at(&other.0, x, y));
            let is_alike = one.iter().zip(other).all(|(a, b)| a.abs_diff(b) < 24);
            assert!(
                is_alike || one[3] == 0 && other[3] == 0,
                "{one:?} {other:?}"
            );
        }
    }
}

#[test]
fn an_opaque_frame_of_a_canvas_with_alpha_is_shown() {
    let still = Variant {
        width: Some(16),
        ..variant()
    };
    let palette: Vec<u8> = RED.to_vec();
    let mut red = Vec::new();
    let mut encoder = gif::Encoder::new(&mut red, 16, 16, &palette).unwrap();
    let frame = gif::Frame::from_indexed_pixels(16, 16, vec![0; 256], None);
    encoder.write_frame(&frame).unwrap();
    drop(encoder);
    let picture = made(&red, &still, &Limits::default()).unwrap();
    let mut moving = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x12\0\0\0\x1f\0\0\x1f\0\0".to_vec();
    moving.extend(b"ANIM\x06\0\0\0\0\0\0\0\0\0");
    for left in [0_u8, 8] {
        let place = [left, 0, 0, 0, 0, 0, 15, 0, 0, 15, 0, 0, 50, 0, 0, 0];
        moving.extend(b"ANMF");
        moving.extend((16 + picture.len() as u32 - 12).to_le_bytes());
        moving.extend(place);
        moving.extend(&picture[12..]);
    }
    let length = (moving.len() as u32 - 8).to_le_bytes();
    moving[4..8].copy_from_slice(&length);
    assert!(&picture[12..16] == b"VP8 ", "the frame has no alpha");
    let first = Variant {
        animated: false,
        formats: Formats::List(vec![Format::Png]),
        ..variant()
    };
    let png = made(&moving, &first, &Limits::default()).unwrap();
    let image = image::load_from_memory(&png).unwrap().to_rgba8();
    assert!(is_near(image.get_pixel(4, 4).0, RED));
    assert_eq!(image.get_pixel(24, 4).0[3], 0);
    let seen = seen(&made(&moving, &variant(), &Limits::default()).unwrap());
    assert!(is_near(at(&seen.frames[1].0, 28, 4), RED));
}

/// With a default picture that is no frame.
fn apng() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDE.into(), SIDE.into());
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_animated(2, 4).unwrap();
    encoder.set_sep_def_img(true).unwrap();
    let mut writer = encoder.write_header().unwrap();
    let area = usize::from(SIDE) * usize::from(SIDE);
    writer
        .write_image_data(&[0, 255, 0, 255].repeat(area))
        .unwrap();
    writer.set_frame_delay(1, 20).unwrap();
    writer
        .write_image_data(&[255, 0, 0, 255].repeat(area))
        .unwrap();
    writer.set_frame_dimension(16, 16).unwrap();
    writer.set_frame_position(16, 16).unwrap();
    writer.set_blend_op(png::BlendOp::Over).unwrap();
    // Half of blue over red.
    writer
        .write_image_data(&[0, 0, 255, 128].repeat(16 * 16))
        .unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn an_apng_moves_without_a_default_picture_that_is_no_frame() {
    let seen = seen(&made(&apng(), &variant(), &Limits::default()).unwrap());
    assert_eq!(format!("{:?}", seen.plays), "Times(4)");
    assert_eq!(seen.frames.len(), 2);
    let (first, duration) = &seen.frames[0];
    assert_eq!(*duration, 50);
    assert!(is_near(at(first, 4, 4), RED));
    let (second, _) = &seen.frames[1];
    assert!(is_near(at(second, 4, 4), RED));
    assert!(
        is_near(at(second, 24, 24), [127, 0, 128]),
        "{:?}",
        at(second, 24, 24)
    );
}

#[test]
fn size_and_effects_hold_for_every_frame() {
    let variant = Variant {
        width: Some(20),
        height: Some(10),
        fit: crate::Fit::Contain,
        grayscale: true,
        background: Some(crate::Color::WHITE),
        ..variant()
    };
    let webp = made(&gif(gif::Repeat::Infinite), &variant, &Limits::default()).unwrap();
    let decoder = WebPDecoder::new(Cursor::new(&webp)).unwrap();
    assert_eq!(decoder.dimensions(), (20, 10));
    assert_eq!(decoder.num_frames(), 3);
}

#[test]
fn what_does_not_move_or_need_not_is_a_picture() {
    let moving = gif(gif::Repeat::Infinite);
    let is_animated = |bytes: &[u8]| bytes.windows(4).any(|word| word == b"ANIM");
    let still = Variant {
        animated: false,
        ..variant()
    };
    let small = Variant {
        max_bytes: Some(150),
        ..variant()
    };
    for variant in [still, small] {
        let webp = made(&moving, &variant, &Limits::default()).unwrap();
        assert!(!is_animated(&webp), "{variant:?}");
    }
    let jpeg = Variant {
        formats: Formats::List(vec![Format::Jpeg]),
        ..variant()
    };
    assert!(
        made(&moving, &jpeg, &Limits::default())
            .unwrap()
            .starts_with(b"\xff\xd8")
    );
    let both = Variant {
        formats: Formats::Auto,
        ..variant()
    };
    let made_both = make(&moving, &[both], &Limits::default()).unwrap();
    let files = &made_both.renditions[0].files;
    assert!(is_animated(&files[0].bytes));
    assert!(!is_animated(&files[1].bytes));
}

#[test]
fn frames_and_their_pixels_are_bounded() {
    let moving = gif(gif::Repeat::Infinite);
    let frames = |limits: &Limits| {
        seen(&made(&moving, &variant(), limits).unwrap())
            .frames
            .len()
    };
    let by_count = Limits {
        max_animation_frames: 2,
        ..Limits::default()
    };
    assert_eq!(frames(&by_count), 2);
    let by_pixels = Limits {
        max_animation_pixels: 2 * 32 * 32 + 10,
        ..Limits::default()
    };
    assert_eq!(frames(&by_pixels), 2);
    let over = Limits {
        deadline: Some(Instant::now() - Duration::from_secs(1)),
        ..Limits::default()
    };
    assert_eq!(made(&moving, &variant(), &over), Err(ImagingError::Timeout));
    let needs = |animated: bool| {
        let limits = Limits::default();
        let source = Source::open(&moving, &limits).unwrap();
        let variant = Variant {
            animated,
            ..variant()
        };
        source.plan(&[variant], &limits).unwrap().memory_bytes
    };
    assert!(needs(true) > needs(false) + 4 * 4 * 32 * 32);
}

#[test]
fn damage_ends_an_animation_and_never_panics() {
    let webp = made(&gif(gif::Repeat::Infinite), &variant(), &Limits::default()).unwrap();
    for whole in [gif(gif::Repeat::Infinite), apng(), webp] {
        for length in 0..whole.len() {
            let _ = made(&whole[..length], &variant(), &Limits::default());
        }
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 0x5a;
            let _ = made(
                &broken,
                &variant(),
                &Limits {
                    max_pixels: 1 << 16,
                    ..Limits::default()
                },
            );
        }
    }
}

/// Memory is reserved for the canvas: a frame that is larger ends the animation before it is decoded.
#[test]
fn a_frame_that_is_larger_than_the_canvas_ends_the_animation() {
    let whole = gif(gif::Repeat::Infinite);
    assert_eq!(
        seen(&made(&whole, &variant(), &Limits::default()).unwrap())
            .frames
            .len(),
        3
    );
    // The place of the second frame: behind its separator, from the left and from above.
    let places = whole.windows(5).enumerate();
    let half = (SIDE / 2) as u8;
    let at = places
        .filter(|(_, bytes)| *bytes == [0x2c, half, 0, 0, 0])
        .map(|(at, _)| at)
        .next()
        .unwrap();
    let mut larger = whole;
    larger[at + 5..at + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0x0f]);
    let begun = Instant::now();
    let still = made(&larger, &variant(), &Limits::default()).unwrap();
    let decoder = WebPDecoder::new(Cursor::new(still)).unwrap();
    assert!(!decoder.is_animated());
    assert!(begun.elapsed() < Duration::from_secs(2));
}
