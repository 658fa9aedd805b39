//! One frame of AV1, decoded by `rav1d`.
//!
//! **Only for a process that may die**: `rav1d` aborts on some broken files
//! (<https://github.com/memorysafety/rav1d/issues/1497>), and what it publishes is C's interface.
//! All that is unsafe about it is in `raw`.

mod raw;

/// A decoded frame. Its rows are read while it lives.
pub struct Frame {
    picture: raw::Picture,
    /// In pixels, at least 1.
    pub width: u32,
    /// In pixels, at least 1.
    pub height: u32,
    /// Of each sample: 8, 10 or 12.
    pub bits: u8,
    pub chroma: Chroma,
    pub colors: Colors,
}

/// How many samples of chroma there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chroma {
    None,
    /// One for 2 × 2 pixels.
    Quarter,
    /// One for two pixels of a row.
    Half,
    Full,
}

/// What the samples mean, by the numbers of ITU-T H.273.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colors {
    pub primaries: u8,
    pub transfer: u8,
    pub matrix: u8,
    pub full_range: bool,
}

/// Samples of a row, in the depth of their frame.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    Bytes(&'a [u8]),
    Words(&'a [u16]),
}

/// Why there is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Av1Error {
    #[error("the decoder does not start")]
    NoDecoder,
    #[error("its code is broken")]
    Broken,
    #[error("it holds no frame")]
    NoFrame,
}

/// Decodes the first frame of a stream of open bitstream units. Two threads work on it.
///
/// # Errors
/// A broken stream, or a frame of more than `max_pixels`.
pub fn decode(stream: &[u8], max_pixels: u32) -> Result<Frame, Av1Error> {
    let picture = raw::decode(stream, max_pixels)?;
    let (width, height) = picture.size().ok_or(Av1Error::Broken)?;
    let frame = Frame {
        width,
        height,
        bits: picture.bits().ok_or(Av1Error::Broken)?,
        chroma: picture.chroma().ok_or(Av1Error::Broken)?,
        colors: picture.colors().ok_or(Av1Error::Broken)?,
        picture,
    };
    Ok(frame)
}

impl Frame {
    /// The size of a plane: 0 is luma, 1 and 2 are chroma.
    pub const fn plane_size(&self, plane: usize) -> (u32, u32) {
        let (width, height) = (self.width, self.height);
        match (plane, self.chroma) {
            (0, _) | (_, Chroma::Full) => (width, height),
            (_, Chroma::Half) => (width.div_ceil(2), height),
            (_, Chroma::Quarter) => (width.div_ceil(2), height.div_ceil(2)),
            (_, Chroma::None) => (0, 0),
        }
    }

    /// A row of a plane; empty outside of it.
    pub fn row(&self, plane: usize, row: u32) -> Row<'_> {
        let (width, height) = self.plane_size(plane);
        let width = if row < height { width as usize } else { 0 };
        self.picture.row(plane, row as usize, width, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_stream_is_an_error() {
        for stream in [&b""[..], b"not AV1", &[0; 100], &[0x12, 0]] {
            assert!(decode(stream, 1 << 20).is_err(), "{stream:?}");
        }
    }
}
