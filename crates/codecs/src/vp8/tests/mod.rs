//! The planes beside those of the complete decoder.

mod planes;
mod reference;
