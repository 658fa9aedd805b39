//! Our JPEG decoder beside the reference one.
//!
//! The rule is that of the codecs' `tests/mutation.rs`: where neither complains, both show the same
//! picture.

#[allow(dead_code)] // The tests use all of it.
#[path = "../../crates/codecs/src/jpeg/tests/reference.rs"]
mod reference;

use reference::Boxed;
use thumbforge_codecs::jpeg::{Decoded, Header, Scale, Scratch, decode_scaled, read_header};

/// Root mean square difference of luma that two decoders may show, in 1/255.
const MAX_RMSE: f64 = 3.0;
/// Small, so that many files a second are tried.
const MAX_BYTES: usize = 1 << 20;

/// Decodes at every scale, and compares at full size.
///
/// # Errors
/// A sentence, if the two decoders show different pictures without a complaint.
///
/// # Panics
/// If the decoder breaks a promise of its own.
pub fn compare(bytes: &[u8], scratch: &mut Scratch) -> Result<(), String> {
    let Ok(header) = read_header(bytes) else {
        return Ok(());
    };
    if header.memory_estimate(Scale::FULL) > MAX_BYTES {
        return Ok(());
    }
    for eighths in [1, 2, 3, 4, 5, 6] {
        let scale = Scale::new(eighths).ok_or("no such scale")?;
        if let Ok(decoded) = decode_scaled(bytes, &header, scale, scratch) {
            check_promises(&decoded, &header);
        }
    }
    let Ok(decoded) = decode_scaled(bytes, &header, Scale::FULL, scratch) else {
        return Ok(());
    };
    check_promises(&decoded, &header);
    if decoded.stopped.is_some() || decoded.is_smoothed || reference_is_wrong_on(bytes, &header) {
        return Ok(());
    }
    let Ok(reference) = reference::decode(bytes, header.color_kind(), true) else {
        return Ok(());
    };
    let plane = &decoded.planes[0];
    let expected = reference.boxed(0, plane);
    let shown = rows_shown(&expected);
    let ours = |x: usize, y: usize| f64::from(plane.data[y * plane.stride + x]);
    let (rmse, largest) = reference::difference(&expected, |x, y| {
        if y >= shown || is_clipped(&expected, &ours, x, y) {
            f64::NAN
        } else {
            ours(x, y)
        }
    });
    if rmse > MAX_RMSE {
        return Err(format!("RMSE {rmse}, largest difference {largest}"));
    }
    Ok(())
}

fn check_promises(decoded: &Decoded<'_>, header: &Header) {
    assert!(decoded.rows_decoded <= header.height);
    assert!(decoded.stopped.is_some() || decoded.rows_decoded == header.height);
    assert_eq!(decoded.planes.len(), header.components.len());
    for plane in &decoded.planes {
        assert!(plane.width <= plane.stride);
        assert!(plane.stride * plane.height <= plane.data.len());
    }
}

/// Rows down to the last that is not mid-grey throughout: zune-jpeg leaves the end of some damaged
/// files grey without a complaint, where libjpeg-turbo shows what we show.
fn rows_shown(theirs: &Boxed) -> usize {
    let rows = theirs.data.rchunks_exact(theirs.width.max(1));
    let grey = rows.take_while(|row| row.iter().all(|sample| *sample == 128.0));
    theirs.height - grey.count()
}

/// Coefficients too large for any picture: we clip the result, others let it wrap around. So a
/// block with black or white in it, of ours or of theirs, does not count.
fn is_clipped(theirs: &Boxed, ours: &impl Fn(usize, usize) -> f64, x: usize, y: usize) -> bool {
    let (left, top) = (x / 8 * 8, y / 8 * 8);
    let columns = left..(left + 8).min(theirs.width);
    (top..(top + 8).min(theirs.height)).any(|y| {
        columns.clone().any(|x| {
            let is_end = |sample: f64| sample <= 0.0 || sample >= 255.0;
            is_end(ours(x, y)) || is_end(theirs.data[y * theirs.width + x])
        })
    })
}

/// zune-jpeg 0.5.15 shows luma wrong where a subsampled sequential file has a scan for each
/// component, where one has restart markers and 4:1:1 (see `tests/matrix.rs`), and where luma has
/// fewer samples than another component, which libjpeg-turbo shows as we do.
fn reference_is_wrong_on(bytes: &[u8], header: &Header) -> bool {
    let luma = &header.components[0];
    if header
        .components
        .iter()
        .any(|c| c.h > luma.h || c.v > luma.v)
    {
        return true;
    }
    let is_subsampled = header.components.iter().any(|c| (c.h, c.v) != (1, 1));
    let scans = bytes.windows(2).filter(|pair| *pair == [0xff, 0xda]);
    let restarts = bytes.windows(2).any(|pair| pair == [0xff, 0xdd]);
    is_subsampled && ((!header.progressive && scans.count() > 1) || restarts)
}
