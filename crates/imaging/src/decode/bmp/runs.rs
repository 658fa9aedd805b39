//! Pixels coded as runs: a count and what it repeats, or codes that move on.

use super::header::BmpHeader;
use crate::decode::ROWS_PER_DEADLINE_CHECK;
use crate::error::ImagingError;
use crate::limits::Limits;

/// Bits a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Four,
    Eight,
    /// Of OS/2: colours in place of indices.
    TwentyFour,
}

/// All rows in their order in the file. A pixel that codes leave out has the first colour, as in
/// Pillow; rows that the file does not have are white.
pub(super) struct Picture {
    pub rgb: Vec<u8>,
    /// Rows that were read before the data ended; all if their coding ended by itself.
    pub rows: u32,
}

const END_OF_ROW: u8 = 0;
const END_OF_PICTURE: u8 = 1;
const MOVE: u8 = 2;

/// Decodes runs of `depth`. Pixels beyond the edge of a row or below the picture are dropped.
pub(super) fn decode(
    bytes: &[u8],
    header: &BmpHeader,
    depth: Depth,
    limits: &Limits,
) -> Result<Picture, ImagingError> {
    let size = header.size;
    let mut canvas = Canvas {
        rgb: header.palette.colour(0).repeat(size.area()),
        width: size.width as usize,
        height: size.height as usize,
        x: 0,
        y: 0,
    };
    let mut data = Data(bytes.get(header.data_at..).unwrap_or_default());
    let mut steps = 0_usize;
    let is_whole = loop {
        steps += 1;
        if steps.is_multiple_of(ROWS_PER_DEADLINE_CHECK * 64) {
            limits.check_deadline()?;
        }
        if canvas.y >= canvas.height {
            break true;
        }
        match step(&mut data, &mut canvas, header, depth) {
            Some(true) => {}
            Some(false) => break true,
            None => break false,
        }
    };
    let rows = if is_whole { canvas.height } else { canvas.y };
    if !is_whole {
        // Whole rows count, as where they are stored plainly.
        canvas.rgb[rows * canvas.width * 3..].fill(255);
    }
    Ok(Picture {
        rgb: canvas.rgb,
        rows: rows as u32,
    })
}

/// One code. False if it ends the picture, `None` if the data ends in it.
fn step(
    data: &mut Data<'_>,
    canvas: &mut Canvas,
    header: &BmpHeader,
    depth: Depth,
) -> Option<bool> {
    let count = data.byte()?;
    if count > 0 {
        let colours = match depth {
            Depth::TwentyFour => [data.colour()?; 2],
            Depth::Eight => [header.palette.colour(data.byte()?); 2],
            Depth::Four => {
                let pair = data.byte()?;
                [
                    header.palette.colour(pair >> 4),
                    header.palette.colour(pair & 15),
                ]
            }
        };
        for index in 0..usize::from(count) {
            canvas.put(colours[index % 2]);
        }
        return Some(true);
    }
    match data.byte()? {
        END_OF_ROW => (canvas.x, canvas.y) = (0, canvas.y + 1),
        END_OF_PICTURE => return Some(false),
        MOVE => {
            canvas.x += usize::from(data.byte()?);
            canvas.y += usize::from(data.byte()?);
        }
        count => {
            let count = usize::from(count);
            let length = match depth {
                Depth::Four => count.div_ceil(2),
                Depth::Eight => count,
                Depth::TwentyFour => 3 * count,
            };
            let mut pixels = Data(data.take(length)?);
            for index in 0..count {
                canvas.put(match depth {
                    Depth::TwentyFour => pixels.colour()?,
                    Depth::Eight => header.palette.colour(pixels.byte()?),
                    Depth::Four if index % 2 == 0 => header.palette.colour(pixels.0.first()? >> 4),
                    Depth::Four => header.palette.colour(pixels.byte()? & 15),
                });
            }
            // They are padded to an even number of bytes.
            if length % 2 == 1 {
                data.take(1);
            }
        }
    }
    Some(true)
}

struct Data<'a>(&'a [u8]);

impl<'a> Data<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn colour(&mut self) -> Option<[u8; 3]> {
        let &[b, g, r] = self.take(3)? else {
            return None;
        };
        Some([r, g, b])
    }
}

struct Canvas {
    rgb: Vec<u8>,
    width: usize,
    height: usize,
    x: usize,
    y: usize,
}

impl Canvas {
    fn put(&mut self, colour: [u8; 3]) {
        if self.x < self.width && self.y < self.height {
            let at = (self.y * self.width + self.x) * 3;
            self.rgb[at..at + 3].copy_from_slice(&colour);
            self.x += 1;
        }
    }
}
