//! The pixels of GIF pictures. The blocks around them are the caller's to walk.

mod lzw;
mod sub_blocks;

pub use lzw::{Lzw, memory_bytes};
