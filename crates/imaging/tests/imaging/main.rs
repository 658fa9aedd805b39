//! The image engine against real and hostile files.

mod corrupt;
mod deadline;
mod golden;
mod hostile;
mod memory;
mod picture;
mod profiles;
mod sweep;
mod unusual;
mod variants;
