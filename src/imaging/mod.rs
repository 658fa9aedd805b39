//! The image engine: bytes in, thumbnail and metadata out. Pure functions, no I/O, no async.

pub mod jpeg;
