//! What is put into files: EXIF, profiles, and pictures that these change.

use super::super::jxl::from_linear;
use super::super::tiff_file::{Directory, file as tiff};
use super::super::{HEIGHT, WIDTH, colour, colours, file};
use crate::picture::Picture;

/// An EXIF block with a camera.
pub fn exif(orientation: u16) -> Vec<u8> {
    let image = Directory::default()
        .with(271, &b"Canon\0"[..])
        .with(274, orientation);
    tiff(b"MM\0*", &[image])
}

/// The picture as it is stored under orientation 6.
pub fn turned() -> Picture {
    colours().transposed().upside_down()
}

/// The picture as it is seen where the file says 6 of what is stored upright.
pub fn seen_turned(picture: &Picture) -> Picture {
    picture.transposed().mirrored()
}

/// An ICC profile whose first channel is blue, second red, third green; by `make.py`.
pub fn swapping_profile() -> Vec<u8> {
    let tiff = file("profile.tif");
    let at = tiff.windows(4).position(|four| four == b"acsp").unwrap() - 36;
    let length = u32::from_be_bytes(tiff[at..at + 4].try_into().unwrap()) as usize;
    tiff[at..at + length].to_vec()
}

/// What that profile makes of a colour.
pub fn swapped_colour([first, second, third]: [u8; 3]) -> [u8; 3] {
    [second, third, first]
}

/// What that profile makes of the picture.
pub fn swapped() -> Picture {
    Picture::of(WIDTH, HEIGHT, |x, y| swapped_colour(colour(x, y)))
}

/// What the picture is if its samples are linear light.
pub fn lightened() -> Picture {
    Picture::of(WIDTH, HEIGHT, |x, y| colour(x, y).map(from_linear))
}

/// The picture with alpha that grows to the right, in RGBA.
pub fn translucent() -> Vec<u8> {
    let pixels = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
    pixels
        .flat_map(|(x, y)| {
            let [red, green, blue] = colour(x, y);
            [red, green, blue, (4 * x) as u8]
        })
        .collect()
}

/// A JPEG with segments behind its first marker: kind and data.
pub fn jpeg(picture: &Picture, segments: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = picture.to_jpeg(jpeg_encoder::ColorType::Rgb);
    for (kind, data) in segments {
        let length = (data.len() as u16 + 2).to_be_bytes();
        bytes.splice(2..2, [&[0xff, *kind], &length[..], data].concat());
    }
    bytes
}

pub fn jpeg_exif(orientation: u16) -> (u8, Vec<u8>) {
    (0xe1, [b"Exif\0\0", &exif(orientation)[..]].concat())
}

pub fn jpeg_profile() -> (u8, Vec<u8>) {
    let first_of_one = b"ICC_PROFILE\0\x01\x01";
    (0xe2, [first_of_one, &swapping_profile()[..]].concat())
}

/// A PNG with metadata.
pub fn png(picture: &Picture, exif: Option<Vec<u8>>, profile: Option<Vec<u8>>) -> Vec<u8> {
    let mut info = png::Info::with_size(picture.width as u32, picture.height as u32);
    info.color_type = if picture.channels == 4 {
        png::ColorType::Rgba
    } else {
        png::ColorType::Rgb
    };
    info.bit_depth = png::BitDepth::Eight;
    info.exif_metadata = exif.map(Into::into);
    info.icc_profile = profile.map(Into::into);
    let mut bytes = Vec::new();
    let encoder = png::Encoder::with_info(&mut bytes, info).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&picture.samples).unwrap();
    writer.finish().unwrap();
    bytes
}
