//! Pictures that the tests make themselves.

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// A picture with a gradient and some texture, different for every seed.
pub fn picture(width: u32, height: u32, seed: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let texture = (x.wrapping_mul(31) ^ y.wrapping_mul(17) ^ seed.wrapping_mul(97)) % 29;
        Rgb([
            (x * 255 / width.max(1)) as u8,
            (y * 255 / height.max(1)) as u8,
            (texture * 8 + seed % 23) as u8,
        ])
    })
}

/// The same as a file.
pub fn encoded(width: u32, height: u32, seed: u32, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture(width, height, seed))
        .write_to(&mut bytes, format)
        .expect("the picture can be written");
    bytes.into_inner()
}

pub fn jpeg(width: u32, height: u32, seed: u32) -> Vec<u8> {
    encoded(width, height, seed, ImageFormat::Jpeg)
}
