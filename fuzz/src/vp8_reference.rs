//! Our VP8 decoder beside the complete one.

#[allow(dead_code)] // The tests use all of it.
#[path = "../../crates/codecs/src/vp8/tests/reference.rs"]
mod reference;

use thumbforge_codecs::vp8::{Scratch, read_size};

/// Small, so that many files a second are tried.
const MAX_PIXELS: u32 = 1 << 18;

/// Compares the first lossy picture of a WebP file: where neither decoder complains, both show the
/// same.
///
/// # Errors
/// A sentence, if they do not.
pub fn compare(file: &[u8], scratch: &mut Scratch) -> Result<(), String> {
    let Some(at) = file.windows(4).position(|kind| kind == b"VP8 ") else {
        return Ok(());
    };
    let data = file.get(at + 8..).unwrap_or_default();
    let Ok(size) = read_size(data) else {
        return Ok(());
    };
    if u32::from(size.width) * u32::from(size.height) > MAX_PIXELS {
        return Ok(());
    }
    match reference::compare(data, scratch) {
        Some(Err(plane)) => Err(format!("{plane} differs")),
        _ => Ok(()),
    }
}
