//! Files of the formats of cameras, printers and image editors.

use super::super::heif_file::{media_box, track_of};
use super::super::psd::{Document, channel};
use super::super::raw::{appended, camera, sensor, with_appended};
use super::super::tiff_file::{Directory, file as tiff_file};
use super::super::{HEIGHT, WIDTH, colour, colours, file, heif as heif_pictures, jxl as jxl_files};
use super::blocks::{
    self, exif, jpeg_profile, lightened, seen_turned, swapped, swapping_profile, translucent,
    turned,
};
use super::samples::{Sample, Samples};
use crate::picture::Picture;

/// Pixels as they are, behind the directory.
fn tiff_of(picture: &Picture, samples: &[u8], more: impl Fn(Directory) -> Directory) -> Vec<u8> {
    let channels = samples.len() / picture.width / picture.height;
    let directory = |at: u32| {
        let directory = Directory::default()
            .with(256, picture.width as u16)
            .with(257, picture.height as u16)
            .with(258, &[8_u16; 4][..channels])
            .with(259, 1_u16)
            .with(262, 2_u16)
            .with(273, at)
            .with(277, channels as u16)
            .with(279, samples.len() as u32);
        tiff_file(b"II*\0", &[more(directory)])
    };
    let at = directory(0).len() as u32;
    [&directory(at), samples].concat()
}

pub fn tiff() -> Samples {
    let of = |picture: &Picture, more: &dyn Fn(Directory) -> Directory| {
        tiff_of(picture, &picture.samples, more)
    };
    let profile = swapping_profile();
    Samples {
        metadata: Sample::Of(of(&colours(), &|image| image.with(271, &b"Canon\0"[..]))),
        // Tag 338: the fourth sample is alpha, by which nothing was multiplied.
        alpha: Sample::Of(tiff_of(&colours(), &translucent(), |image| {
            image.with(338, 2_u16)
        })),
        orientation: Sample::Shows(of(&turned(), &|image| image.with(274, 6_u16)), colours()),
        colour: Sample::Shows(
            of(&colours(), &|image| image.with(34_675, &profile[..])),
            swapped(),
        ),
        ..Samples::of_picture(of(&colours(), &|image| image))
    }
}

/// A file of a camera, whose preview is its end.
fn arw(orientation: u16, jpeg: &[u8]) -> Vec<u8> {
    with_appended(jpeg, |at| {
        let camera = camera("SONY").with(274, orientation);
        let mut arw = appended(camera, at, jpeg);
        arw.children = vec![sensor().with(259, 32_767_u16)];
        tiff_file(b"II*\0", &[arw])
    })
}

pub fn raw() -> Samples {
    let jpeg = blocks::jpeg(&colours(), &[]);
    let large = blocks::jpeg(&Picture::textured(200, 150), &[]);
    let whole = arw(1, &large);
    let length = whole.len() - large.len() / 4;
    Samples {
        metadata: Sample::Of(arw(1, &jpeg)),
        orientation: Sample::Shows(arw(6, &jpeg), seen_turned(&colours())),
        colour: Sample::Shows(
            arw(1, &blocks::jpeg(&colours(), &[jpeg_profile()])),
            swapped(),
        ),
        truncated: Sample::Cut(whole, length),
        ..Samples::of_picture(arw(1, &jpeg))
    }
}

pub fn heif() -> Samples {
    let tiles = heif_pictures::tiled(6).file_with_data_last(b"heic");
    // In the last of its six tiles.
    let length = tiles.len() - 60;
    let still = heif_pictures::single(Vec::new()).file(b"hevc");
    let sequence = [still.clone(), track_of(2)].concat();
    Samples {
        metadata: Sample::Of(file("exif.heic")),
        alpha: Sample::Of(file("alpha.heic")),
        orientation: Sample::Shows(file("exif.heic"), seen_turned(&colours())),
        colour: Sample::Shows(file("profile.heic"), swapped()),
        truncated: Sample::Cut(tiles, length),
        animated: Sample::Of(sequence),
        ..Samples::of_picture(file("plain.heic"))
    }
}

/// A bare codestream whose header (ISO/IEC 18181-1, annex D) has an orientation.
fn turned_jxl(orientation: u8) -> Vec<u8> {
    let bytes = file("lossless.jxl");
    // 64 × 48, 8 bits, and all else by default, in 22 bits of three bytes.
    assert_eq!(bytes[..5], *b"\xff\x0a\xcb\x40\x24");
    let bits: Vec<u8> = (0..22)
        .map(|bit| bytes[2 + bit / 8] >> (bit % 8) & 1)
        .collect();
    let turn = orientation - 1;
    let header = [
        &bits[..10],
        // There are extra fields: this one, no size to show it in, no preview, no animation.
        &[1, turn & 1, turn >> 1 & 1, turn >> 2, 0, 0, 0],
        &bits[11..19],
        // Brightness by default.
        &[1],
        &bits[19..],
    ]
    .concat();
    let header = header.chunks(8).map(|bits| {
        let bits = bits.iter().enumerate();
        bits.fold(0, |byte, (place, bit)| byte | bit << place)
    });
    [&bytes[..2], &header.collect::<Vec<u8>>(), &bytes[5..]].concat()
}

pub fn jxl() -> Samples {
    let groups = file("groups.jxl");
    let length = groups.len() * 4 / 5;
    let block = media_box(b"Exif", &[&[0; 4], &exif(1)]);
    Samples {
        metadata: Sample::Of(jxl_files::contained("lossless.jxl", &block)),
        alpha: Sample::Of(file("alpha.jxl")),
        orientation: Sample::Shows(turned_jxl(6), seen_turned(&colours())),
        colour: Sample::Shows(file("linear.jxl"), lightened()),
        truncated: Sample::Cut(groups, length),
        animated: Sample::Of(file("frames.jxl")),
        ..Samples::of_picture(file("lossless.jxl"))
    }
}

/// A JP2 whose colours are those of a profile (ISO/IEC 15444-1, I.5.3.3) in place of sRGB.
fn profiled_jp2() -> Vec<u8> {
    let bytes = file("colour.jp2");
    let at = bytes.windows(4).position(|four| four == b"colr").unwrap() - 4;
    let colours = media_box(b"colr", &[&[2, 0, 0], &swapping_profile()]);
    let header_at = bytes.windows(4).position(|four| four == b"jp2h").unwrap() - 4;
    let header = [&bytes[header_at + 8..at], &colours].concat();
    [
        &bytes[..header_at],
        &media_box(b"jp2h", &[&header]),
        &bytes[at + 15..],
    ]
    .concat()
}

pub fn jpeg2000() -> Samples {
    let large = file("large.jp2");
    let length = large.len() * 3 / 4;
    let with_exif = |orientation| {
        let block = media_box(b"uuid", &[b"JpgTiffExif->JP2", &exif(orientation)]);
        [file("colour.jp2"), block].concat()
    };
    Samples {
        metadata: Sample::Of(with_exif(1)),
        alpha: Sample::Of(file("alpha.jp2")),
        orientation: Sample::Shows(with_exif(6), seen_turned(&colours())),
        colour: Sample::Shows(profiled_jp2(), swapped()),
        truncated: Sample::Cut(large, length),
        ..Samples::of_picture(file("colour.jp2"))
    }
}

fn psd_of(pixel: impl Fn(usize, usize) -> [u8; 3], change: impl FnOnce(&mut Document)) -> Vec<u8> {
    let channels = (0..3).map(|index| channel(|x, y| [pixel(x, y)[index]]));
    let mut document = Document::of(3, 8, channels.collect());
    change(&mut document);
    document.file()
}

pub fn psd() -> Samples {
    // A document of which the last plane is cut still has all rows of the others.
    let grey = Document::of(1, 8, vec![channel(|x, _| [x as u8 * 4])]).file();
    let length = grey.len() - WIDTH * HEIGHT / 4;
    Samples {
        metadata: Sample::Of(psd_of(colour, |psd| psd.resources = vec![(1058, exif(1))])),
        alpha: Sample::Of(psd_of(colour, |psd| {
            psd.layers = -1;
            psd.channels.push(channel(|x, _| [x as u8 * 4]));
        })),
        orientation: Sample::Shows(
            psd_of(
                |x, y| colour(WIDTH - 1 - x, HEIGHT - 1 - y),
                |psd| psd.resources = vec![(1058, exif(3))],
            ),
            colours(),
        ),
        colour: Sample::Shows(
            psd_of(colour, |psd| {
                psd.resources = vec![(1039, swapping_profile())];
            }),
            swapped(),
        ),
        truncated: Sample::Cut(grey, length),
        ..Samples::of_picture(psd_of(colour, |_| ()))
    }
}
