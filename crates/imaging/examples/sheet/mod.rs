//! A sheet of renditions, as a WebP by the engine itself.

use std::path::Path;

use anyhow::Context;
use image::{Rgb, RgbImage};
use thumbforge_imaging::{Format, Formats, Limits, Variant, make};

const LINE: Rgb<u8> = Rgb([200, 60, 60]);

pub struct Sheet(RgbImage);

impl Sheet {
    pub fn new(width: u32, height: u32) -> Self {
        Self(RgbImage::from_pixel(width, height, Rgb([255; 3])))
    }

    pub fn put(&mut self, picture: &RgbImage, left: u32, top: u32) {
        image::imageops::replace(&mut self.0, picture, left.into(), top.into());
    }

    /// A line around a box, just outside of it.
    #[allow(dead_code, reason = "not every sheet has boxes")]
    pub fn outline(&mut self, left: u32, top: u32, (width, height): (u32, u32)) {
        for x in left - 1..=left + width {
            self.0.put_pixel(x, top - 1, LINE);
            self.0.put_pixel(x, top + height, LINE);
        }
        for y in top - 1..=top + height {
            self.0.put_pixel(left - 1, y, LINE);
            self.0.put_pixel(left + width, y, LINE);
        }
    }

    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let mut png = std::io::Cursor::new(Vec::new());
        self.0.write_to(&mut png, image::ImageFormat::Png)?;
        let (width, height) = self.0.dimensions();
        let variant = Variant {
            formats: Formats::List(vec![Format::Webp]),
            ..Variant::thumbnail(width.max(height), 80)
        };
        let made = make(png.get_ref(), &[variant], &Limits::default())?;
        let webp = &made.renditions[0].files[0].bytes;
        std::fs::write(path, webp).with_context(|| path.display().to_string())?;
        println!("{}: {} bytes", path.display(), webp.len());
        Ok(())
    }
}

/// Renders a variant in whole pixels.
pub fn render(bytes: &[u8], variant: Variant) -> anyhow::Result<RgbImage> {
    let variant = Variant {
        formats: Formats::List(vec![Format::Png]),
        ..variant
    };
    let made = make(bytes, &[variant], &Limits::default())?;
    let png = &made.renditions[0].files[0].bytes;
    Ok(image::load_from_memory(png)?.to_rgb8())
}
