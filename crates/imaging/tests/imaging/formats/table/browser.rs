//! Files of the formats that browsers show.

use heifer::heifer_isobmff::HeifFile;

use super::super::heif_file::{Container, Item, box_of, numbers, size};
use super::super::{HEIGHT, WIDTH, colour, colours};
use super::blocks::{
    self, exif, jpeg_exif, jpeg_profile, swapped, swapped_colour, swapping_profile, turned,
};
use super::samples::{Sample, Samples};
use crate::picture::{Picture, fixture};

pub fn jpeg() -> Samples {
    let of = |segments: &[_]| blocks::jpeg(&colours(), segments);
    Samples {
        metadata: Sample::Of(of(&[jpeg_exif(1)])),
        orientation: Sample::Shows(blocks::jpeg(&turned(), &[jpeg_exif(6)]), colours()),
        colour: Sample::Shows(of(&[jpeg_profile()]), swapped()),
        ..Samples::of_picture(of(&[]))
    }
}

pub fn png() -> Samples {
    Samples {
        metadata: Sample::Of(blocks::png(&colours(), Some(exif(1)), None)),
        alpha: Sample::Of(fixture("basn6a16.png")),
        orientation: Sample::Shows(blocks::png(&turned(), Some(exif(6)), None), colours()),
        colour: Sample::Shows(
            blocks::png(&colours(), None, Some(swapping_profile())),
            swapped(),
        ),
        animated: Sample::Of(fixture("fcTL-dispose-in-region-none.png")),
        ..Samples::of_picture(blocks::png(&colours(), None, None))
    }
}

/// Squares of eight pixels in the colours of the picture.
fn gif_of(frames: usize) -> Vec<u8> {
    let palette: Vec<u8> = (0..WIDTH * HEIGHT / 64)
        .flat_map(|index| colour(index % 8 * 8, index / 8 * 8))
        .collect();
    let pixels = |frame: usize| {
        let pixels = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
        pixels
            .map(|(x, y)| ((x / 8 + y / 8 * 8 + frame) % 48) as u8)
            .collect::<Vec<u8>>()
    };
    let (width, height) = (WIDTH as u16, HEIGHT as u16);
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, width, height, &palette).unwrap();
    for frame in 0..frames {
        let frame = gif::Frame::from_indexed_pixels(width, height, pixels(frame), None);
        encoder.write_frame(&frame).unwrap();
    }
    drop(encoder);
    bytes
}

pub fn gif() -> Samples {
    // An application extension (GIF89a, section 26) that colour profiles have: "ICCRGBG1012".
    let mut profiled = gif_of(1);
    let mut extension = b"\x21\xff\x0bICCRGBG1012".to_vec();
    for part in swapping_profile().chunks(255) {
        extension.push(part.len() as u8);
        extension.extend(part);
    }
    extension.push(0);
    let palette_bytes = 3 << ((profiled[10] & 7) + 1);
    profiled.splice(13 + palette_bytes..13 + palette_bytes, extension);
    let swapped = Picture::of(WIDTH, HEIGHT, |x, y| {
        swapped_colour(colour(x / 8 * 8, y / 8 * 8))
    });
    Samples {
        alpha: Sample::Of(fixture("alpha_gif_a.gif")),
        colour: Sample::Shows(profiled, swapped),
        animated: Sample::Of(gif_of(2)),
        ..Samples::of_picture(gif_of(1))
    }
}

fn webp_of(
    picture: &Picture,
    build: impl FnOnce(&mut image_webp::WebPEncoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = image_webp::WebPEncoder::new(&mut bytes);
    build(&mut encoder);
    encoder
        .encode(
            &picture.samples,
            picture.width as u32,
            picture.height as u32,
            image_webp::ColorType::Rgb8,
        )
        .unwrap();
    bytes
}

pub fn webp() -> Samples {
    let lossy = fixture("vp8/701x467.webp");
    let length = lossy.len() * 3 / 4;
    Samples {
        metadata: Sample::Of(webp_of(&colours(), |webp| webp.set_exif_metadata(exif(1)))),
        alpha: Sample::Of(fixture("lossy_alpha.webp")),
        orientation: Sample::Shows(
            webp_of(&turned(), |webp| webp.set_exif_metadata(exif(6))),
            colours(),
        ),
        colour: Sample::Shows(
            webp_of(&colours(), |webp| webp.set_icc_profile(swapping_profile())),
            swapped(),
        ),
        truncated: Sample::Cut(lossy, length),
        animated: Sample::Of(fixture("two_frames.webp")),
        ..Samples::of_picture(webp_of(&colours(), |_| ()))
    }
}

fn avif_file(name: &str) -> Vec<u8> {
    fixture(&format!("avif/{name}.avif"))
}

/// The picture of a file, and EXIF beside it.
fn avif_with_exif() -> Vec<u8> {
    let bytes = avif_file("444");
    let parsed = HeifFile::parse(&bytes).unwrap();
    let picture = Item {
        kind: b"av01",
        data: parsed.item_data(parsed.primary_id).unwrap().into_owned(),
        properties: vec![0, 1, 2],
    };
    let block = Item {
        kind: b"Exif",
        // How far the block lies behind this number.
        data: [&[0; 4], &exif(1)[..]].concat(),
        properties: Vec::new(),
    };
    let container = Container {
        properties: vec![
            box_of(&bytes, b"av1C"),
            size(WIDTH as u32, HEIGHT as u32),
            numbers(1, 13, 6),
        ],
        items: vec![picture, block],
        references: vec![(b"cdsc", 2, vec![1])],
    };
    container.file(b"avif")
}

pub fn avif() -> Samples {
    let quarter = |x: usize, y: usize| match (x < 24, y < 32) {
        // Red and green above, blue and white below, a quarter against the clock.
        (true, true) => [0, 255, 0],
        (false, true) => [255; 3],
        (true, false) => [255, 0, 0],
        (false, false) => [0, 0, 255],
    };
    Samples {
        metadata: Sample::Of(avif_with_exif()),
        alpha: Sample::Of(avif_file("alpha")),
        orientation: Sample::Shows(avif_file("turned"), Picture::of(HEIGHT, WIDTH, quarter)),
        // (200, 100, 100) of Display P3, by CSS Color 4.
        colour: Sample::Shows(
            avif_file("p3_soft"),
            Picture::of(WIDTH, HEIGHT, |_, _| [215, 93, 97]),
        ),
        animated: Sample::Of(avif_file("animated")),
        ..Samples::of_picture(avif_file("444"))
    }
}

pub fn pdf() -> Samples {
    Samples::of_picture(fixture("pdf/quarters.pdf"))
}

pub fn svg() -> Samples {
    let moving = br#"<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48">
        <rect width="9" height="9"><animate attributeName="x" to="50" dur="1s"/></rect></svg>"#;
    Samples {
        alpha: Sample::Of(fixture("svg/transparent.svg")),
        animated: Sample::Of(moving.to_vec()),
        ..Samples::of_picture(fixture("svg/quarters.svg"))
    }
}
