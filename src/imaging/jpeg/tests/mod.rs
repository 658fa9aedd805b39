//! The decoder against another one (`zune-jpeg`) and against the definition of its scaled transforms.

mod matrix;
mod pictures;
mod reference;
