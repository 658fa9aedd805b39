//! The image engine against real and hostile files.

mod any_render;
mod attention;
mod bitmaps;
mod corrupt;
mod deadline;
mod formats;
mod golden;
mod hostile;
mod kinds;
mod memory;
mod picture;
mod plans;
mod profiles;
mod spent;
mod subjects;
#[expect(
    clippy::disallowed_methods,
    reason = "the folder and the child are named by variables"
)]
mod sweep;
mod unusual;
mod variants;
