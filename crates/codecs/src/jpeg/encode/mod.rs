//! An encoder of thumbnails: baseline, YCbCr 4:2:0, the standard's own Huffman tables.
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
mod progressive;
mod sequential;
mod symbols;
mod tables;
mod tokens;

use blocks::Source;

/// A picture with halved chroma: `cb` and `cr` have ⌈width / 2⌉ × ⌈height / 2⌉ samples. Neither side is 0.
#[derive(Debug, Clone, Copy)]
pub struct Planes<'a> {
    pub width: u16,
    pub height: u16,
    pub y: &'a [u8],
    pub cb: &'a [u8],
    pub cr: &'a [u8],
}

/// How coefficients are written. The pixels are the same with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Coding {
    /// Sequential, with the standard's own Huffman tables: the fastest.
    #[default]
    Baseline,
    /// Sequential, with Huffman tables made for the picture.
    Optimized,
    /// In scans that each show more of the picture, with Huffman tables made for each: the smallest.
    Progressive,
}

/// The picture as a JFIF file, at a quality of 1 to 100 on libjpeg's scale.
pub fn encode(picture: &Planes<'_>, quality: u8) -> Vec<u8> {
    encode_as(picture, quality, Coding::Baseline)
}

/// As [`encode`], with a choice of the coding.
pub fn encode_as(picture: &Planes<'_>, quality: u8, coding: Coding) -> Vec<u8> {
    let (width, height) = (usize::from(picture.width), usize::from(picture.height));
    let mut file = Vec::with_capacity(width * height / 4 + 1024);
    let source = Source::new(picture, quality);
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
