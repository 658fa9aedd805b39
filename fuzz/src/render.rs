//! Plans and renditions, by the check of the tests.

#[path = "../../crates/imaging/tests/imaging/any_render.rs"]
mod any_render;

use thumbforge_imaging::Scratch;

use crate::image::MEMORY;
use any_render::Case;

/// Tables and buffers that a thread keeps from picture to picture.
const UNESTIMATED_BYTES: usize = 8 << 20;

/// Any small source gives its variants the size that was planned, in the memory that was reserved.
pub fn check_render(bytes: &[u8]) {
    let case = Case::of(bytes);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let reserved = case.check(&mut Scratch::default());
    let used = MEMORY.peak_usage().saturating_sub(before);
    if let Some(reserved) = reserved {
        assert!(
            used <= reserved + UNESTIMATED_BYTES,
            "{used} bytes used, {reserved} reserved"
        );
    }
}
