//! Files of the formats that hold little but pixels.

use super::super::{HEIGHT, WIDTH, colours, file};
use super::blocks::{self, exif, lightened, swapped, swapping_profile, translucent, turned};
use super::samples::{Sample, Samples};
use crate::picture::Picture;

/// A `BITMAPV5HEADER` with a profile, and pixels of blue, green, red and maybe alpha.
fn bitmap(picture: &Picture, profile: &[u8]) -> Vec<u8> {
    const HEADER_BYTES: usize = 124;
    let rows = picture.samples.chunks(picture.width * picture.channels);
    let pixels: Vec<u8> = rows
        .rev()
        .flat_map(|row| row.chunks(picture.channels))
        .flat_map(|pixel| [&[pixel[2], pixel[1], pixel[0]], &pixel[3..]].concat())
        .collect();
    let is_masked = picture.channels == 4;
    let pixels_at = 14 + HEADER_BYTES;
    let words = [
        HEADER_BYTES,
        picture.width,
        picture.height,
        1 | (picture.channels * 8) << 16,
        if is_masked { 3 } else { 0 },
        pixels.len(),
        0,
        0,
        0,
        0,
        0xff_0000,
        0xff00,
        0xff,
        if is_masked { 0xff00_0000 } else { 0 },
        // "MBED": a profile is in the file; else "sRGB".
        if profile.is_empty() {
            0x7352_4742
        } else {
            0x4d42_4544
        },
    ];
    let header = words.iter().flat_map(|word| (*word as u32).to_le_bytes());
    let mut bytes = b"BM\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend((pixels_at as u32).to_le_bytes());
    bytes.extend(header);
    // Primaries, curves, and what is meant by the colours.
    bytes.resize(14 + HEADER_BYTES - 12, 0);
    for word in [HEADER_BYTES + pixels.len(), profile.len(), 0] {
        bytes.extend((word as u32).to_le_bytes());
    }
    [&bytes, &pixels, profile].concat()
}

fn see_through() -> Picture {
    Picture {
        channels: 4,
        samples: translucent(),
        ..colours()
    }
}

pub fn bmp() -> Samples {
    Samples {
        alpha: Sample::Of(bitmap(&see_through(), &[])),
        colour: Sample::Shows(bitmap(&colours(), &swapping_profile()), swapped()),
        ..Samples::of_picture(bitmap(&colours(), &[]))
    }
}

/// An icon of one PNG.
fn icon(png: Vec<u8>) -> Vec<u8> {
    let mut bytes = vec![0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 32, 0];
    bytes.extend((png.len() as u32).to_le_bytes());
    bytes.extend(22_u32.to_le_bytes());
    [bytes, png].concat()
}

pub fn ico() -> Samples {
    let bitmap = file("bitmap.ico");
    // The larger of two, behind the smaller.
    let length = bitmap.len() * 3 / 4;
    Samples {
        metadata: Sample::Of(icon(blocks::png(&colours(), Some(exif(1)), None))),
        alpha: Sample::Of(bitmap.clone()),
        orientation: Sample::Shows(icon(blocks::png(&turned(), Some(exif(6)), None)), colours()),
        colour: Sample::Shows(
            icon(blocks::png(&colours(), None, Some(swapping_profile()))),
            swapped(),
        ),
        truncated: Sample::Cut(bitmap, length),
        ..Samples::of_picture(icon(blocks::png(&colours(), None, None)))
    }
}

pub fn pnm() -> Samples {
    let head = format!(
        "P7\nWIDTH {WIDTH}\nHEIGHT {HEIGHT}\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
    );
    Samples {
        alpha: Sample::Of([head.as_bytes(), &translucent()].concat()),
        ..Samples::of_picture(file("colour.ppm"))
    }
}

/// Truevision TGA 2.0, without runs; the last byte of the header says in which corner it begins.
fn tga_of(picture: &Picture, corner: u8) -> Vec<u8> {
    let mut bytes = vec![0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend((picture.width as u16).to_le_bytes());
    bytes.extend((picture.height as u16).to_le_bytes());
    bytes.extend([24, corner]);
    let pixels = picture.samples.chunks(3);
    bytes.extend(pixels.flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]));
    bytes
}

/// With an extension area (C.6) whose field 23, gamma, is 1: light as it is.
fn tga_of_light() -> Vec<u8> {
    const AREA_BYTES: usize = 495;
    let mut bytes = tga_of(&colours(), 0x20);
    let at = bytes.len();
    let mut area = vec![0; AREA_BYTES];
    area[..2].copy_from_slice(&(AREA_BYTES as u16).to_le_bytes());
    area[478..482].copy_from_slice(&[10, 0, 10, 0]);
    bytes.extend(area);
    bytes.extend((at as u32).to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(b"TRUEVISION-XFILE.\0");
    bytes
}

pub fn tga() -> Samples {
    // From the lower right corner.
    let backwards = tga_of(&colours().mirrored().upside_down(), 0x10);
    Samples {
        alpha: Sample::Of(file("alpha.tga")),
        orientation: Sample::Shows(backwards, colours()),
        colour: Sample::Shows(tga_of_light(), lightened()),
        ..Samples::of_picture(file("plain.tga"))
    }
}

pub fn qoi() -> Samples {
    let mut linear = file("colour.qoi");
    // Its last field: all channels are linear.
    linear[13] = 1;
    Samples {
        alpha: Sample::Of(file("alpha.qoi")),
        colour: Sample::Shows(linear, lightened()),
        ..Samples::of_picture(file("colour.qoi"))
    }
}

pub fn dds() -> Samples {
    Samples {
        alpha: Sample::Of(file("dxt5.dds")),
        ..Samples::of_picture(file("dxt1.dds"))
    }
}
