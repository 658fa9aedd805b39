//! The decoder against another one (`zune-jpeg`) and against the definition of its scaled
//! transforms.

mod comparison;
mod edges;
mod files;
mod matrix;
mod mutation;
mod pictures;
mod reference;
mod restarts;
mod smoothing;
