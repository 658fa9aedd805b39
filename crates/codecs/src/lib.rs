//! Our own decoders and encoders: bytes on one side, samples on the other.
//!
//! | part | does |
//! | --- | --- |
//! | [`jpeg`] | decodes to N/8 of the size, into planes; encodes planes |
//! | [`vp8`] | decodes the key frames of lossy WebP, a row of samples at a time |
//! | [`vp8l`] | counts the codes of a lossless WebP stream before another decoder builds them |
//! | [`png`] | unfilters the rows of usual PNG files, several at a time |
//! | [`gif`] | decodes the LZW code of GIF, a row at a time |
//! | `simd` | the vectors of all of them |
//!
//! They hold no more than they declare, check the clock if they get a deadline, and never panic on
//! what they read.

pub mod gif;
pub mod jpeg;
pub mod png;
mod simd;
pub mod vp8;
pub mod vp8l;
