//! An encoder of thumbnails: YCbCr 4:2:0 or grey; sequential or progressive.
//!
//! ```text
//! blocks ─ forward ─ tables   planes → blocks of quantised coefficients
//! sequential, progressive     blocks → symbols
//! symbols ─ huffman ─ bits    symbols → bits
//! tokens ─ optimal            the same with tables made for the picture
//! header                      the segments before the data
//! ```

mod bits;
mod blocks;
mod forward;
mod header;
mod huffman;
mod optimal;
mod picture;
mod progressive;
mod sequential;
mod symbols;
mod tables;
mod tokens;

use blocks::Source;
pub use picture::{GreyPlane, Picture, Planes};

/// How coefficients are written. The pixels are the same with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Coding {
    /// Sequential, with the standard's own Huffman tables: the fastest.
    #[default]
    Baseline,
    /// Sequential, with Huffman tables made for the picture.
    Optimized,
    /// In scans that each show more of the picture, with Huffman tables made for each: mostly the
    /// smallest.
    Progressive,
}

/// The picture as a baseline JFIF file, at a quality of 1 to 100 on libjpeg's scale.
pub fn encode(picture: &Planes<'_>, quality: u8) -> Vec<u8> {
    encode_as(*picture, quality, Coding::Baseline)
}

/// As [`encode`], of [`Planes`] or a [`GreyPlane`], with a choice of the coding.
pub fn encode_as<'a>(picture: impl Into<Picture<'a>>, quality: u8, coding: Coding) -> Vec<u8> {
    encode_picture(picture.into(), quality, coding)
}

/// Compiled here once, not where it is called.
fn encode_picture(picture: Picture<'_>, quality: u8, coding: Coding) -> Vec<u8> {
    let source = Source::new(picture, quality);
    let (width, height) = source.picture.size();
    let mut file = Vec::with_capacity(usize::from(width) * usize::from(height) / 4 + 1024);
    match coding {
        Coding::Baseline => sequential::write_baseline(&mut file, &source),
        Coding::Optimized => sequential::write_optimized(&mut file, &source),
        Coding::Progressive => progressive::write(&mut file, &source),
    }
    file.extend_from_slice(&header::END_OF_IMAGE);
    file
}

#[cfg(test)]
mod tests;
