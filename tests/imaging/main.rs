//! The image engine against real and hostile files.

mod corrupt;
mod golden;
mod hostile;
mod memory;
mod picture;
mod profiles;
mod sweep;
mod unusual;
