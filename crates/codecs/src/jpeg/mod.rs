//! A JPEG decoder for thumbnails, which decodes only the frequencies that a picture of N/8 of the
//! size shows; and an encoder of thumbnails.
//!
//! A usual scaled decode spends nearly all its time on Huffman decoding of coefficients that are
//! then thrown away. This one steps over them several symbols at a time, and reads only the scans
//! of a progressive file that matter.
//!
//! ```text
//! header ─ markers      what the file declares
//! tables ─ huffman ─ steps ─ cache   the file's tables → look-up tables
//! bits ─ symbols        unstuffed bits → coefficients
//! intervals             where each begins after a restart marker, also after damage
//! sequential            scans of sequential files → samples, and means for them at 1/8
//! progression ─ progressive ─ progressive_dc   which scans matter; those → coefficients
//! smoothing             coefficients that no scan has, or coarsely
//! idct                  N × N coefficients → N × N samples
//! plane ─ edges         output geometry; samples in the padding
//! decode                the door
//! encode                the encoder, independent of the rest
//! ```
//!
//! Format: ITU-T T.81 (ISO/IEC 10918-1), JFIF 1.02, Adobe Technical Note 5116. Not supported, and
//! reported as [`JpegError::Unsupported`]: arithmetic, lossless, hierarchical and 12-bit coding,
//! two components, a height given after the first scan.

mod bits;
mod cache;
mod decode;
mod edges;
pub mod encode;
mod error;
mod header;
mod huffman;
mod idct;
mod intervals;
mod markers;
mod means;
mod plane;
mod progression;
mod progressive;
mod progressive_dc;
mod scan;
mod sequential;
mod smoothing;
mod steps;
mod symbols;
mod tables;
#[cfg(test)]
mod tests;

pub use decode::{Decoded, Scratch, decode_scaled, decode_scaled_until};
pub use error::{JpegError, MAX_SCANS};
pub use header::{ColorKind, Component, Header, read_header};
pub use plane::{MIN_OVERSAMPLING, Plane, Scale};
