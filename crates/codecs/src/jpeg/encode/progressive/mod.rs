//! Progressive coding: each scan brings more frequencies, or another bit of them (ITU-T T.81, annex
//! G).
//!
//! ```text
//! coefficients   all blocks of the picture, and which of their coefficients reach each bit
//! dc             the scans of DC coefficients
//! first ─ refine the scans of AC coefficients
//! eob_run        blocks that have nothing more in a band
//! ```

mod coefficients;
mod dc;
mod eob_run;
mod first;
mod refine;

use super::blocks::Source;
use super::header::{self, Scan};
use super::tokens::Tokens;
use coefficients::Coefficients;

/// The scans that libjpeg's `jpeg_simple_progression` writes of a YCbCr picture; the scans of luma
/// are those that it writes of a grey one.
const SCRIPT: [Scan; 10] = [
    Scan::new(0..3, [0, 0], [0, 1]),
    // A first look at luma, quickly.
    Scan::new(0..1, [1, 5], [0, 2]),
    // Chroma is too small for many scans.
    Scan::new(2..3, [1, 63], [0, 1]),
    Scan::new(1..2, [1, 63], [0, 1]),
    Scan::new(0..1, [6, 63], [0, 2]),
    Scan::new(0..1, [1, 63], [2, 1]),
    Scan::new(0..3, [0, 0], [1, 0]),
    Scan::new(2..3, [1, 63], [1, 0]),
    Scan::new(1..2, [1, 63], [1, 0]),
    // The largest at last.
    Scan::new(0..1, [1, 63], [1, 0]),
];

pub fn write(file: &mut Vec<u8>, source: &Source<'_>) {
    header::frame(file, header::SOF2, source);
    let mut picture = Coefficients::new(source);
    source.each_block(&mut picture);
    let mut tokens = Tokens::new();
    for scan in SCRIPT.iter().filter_map(|scan| scan.of(&source.picture)) {
        match (scan.first, scan.high) {
            (0, 0) => dc::first(&mut tokens, &picture, &scan),
            (0, _) => dc::refine(&mut tokens, &picture, &scan),
            (_, 0) => first::scan(&mut tokens, &picture, &scan),
            _ => refine::scan(&mut tokens, &picture, &scan),
        }
        tokens.write(file, &scan);
    }
}
