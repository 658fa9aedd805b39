//! How near our planes must be to the reference decoder's.

use super::super::{Header, Plane, Scale, Scratch, decode_scaled};
use super::reference::{self, Reference};

/// Compares at each scale.
pub fn check(bytes: &[u8], header: &Header, reference: &Reference, name: &str) {
    check_full(bytes, header, reference, name);
    for eighths in [1, 2, 3, 4, 5, 6] {
        check_scaled(bytes, header, reference, eighths, name);
    }
}

fn sample(plane: &Plane<'_>, x: usize, y: usize) -> f64 {
    f64::from(plane.data[y * plane.stride + x])
}

/// zune-jpeg brings chroma up with a triangle filter; averaged back over a pixel pair, a sample has
/// 6/8 of itself and 1/8 of each neighbour. Does the same to ours, for the directions that are
/// subsampled.
fn blurred(plane: &Plane<'_>, x: usize, y: usize, across: bool, down: bool) -> f64 {
    let row = |y: usize| {
        if !across {
            return sample(plane, x, y);
        }
        let (left, right) = (x.saturating_sub(1), (x + 1).min(plane.width - 1));
        (sample(plane, left, y) + 6.0 * sample(plane, x, y) + sample(plane, right, y)) / 8.0
    };
    if !down {
        return row(y);
    }
    let (up, below) = (y.saturating_sub(1), (y + 1).min(plane.height - 1));
    (row(up) + 6.0 * row(y) + row(below)) / 8.0
}

fn check_full(bytes: &[u8], header: &Header, reference: &Reference, name: &str) {
    let mut scratch = Scratch::default();
    let decoded = decode_scaled(bytes, header, Scale::FULL, &mut scratch).unwrap();
    assert_eq!(
        (decoded.stopped, decoded.rows_decoded),
        (None, header.height),
        "{name}"
    );
    for (channel, plane) in decoded.planes.iter().enumerate() {
        let (c, first) = (header.components[channel], header.components[0]);
        let (across, down) = (c.h < first.h, c.v < first.v);
        let boxed = reference.boxed(channel, plane);
        let (rmse, largest) =
            reference::difference(&boxed, |x, y| blurred(plane, x, y, across, down));
        // Two transforms and a filter, each with its own rounding.
        let bound = if across || down {
            (1.0, 3.0)
        } else {
            (0.6, 2.0)
        };
        assert!(
            rmse <= bound.0 && largest <= bound.1,
            "{name}, plane {channel}: RMSE {rmse}, largest {largest}"
        );
    }
}

/// At N/8 a plane must be what the N-point transform of the reference's lowest frequencies is. For
/// N = 1 that is the mean over the block. The reference has rounded and clipped before: hence RMSE
/// 1 rather than nothing.
fn check_scaled(bytes: &[u8], header: &Header, reference: &Reference, eighths: u8, name: &str) {
    let mut scratch = Scratch::default();
    let decoded = decode_scaled(bytes, header, Scale::new(eighths).unwrap(), &mut scratch).unwrap();
    assert_eq!(
        (decoded.stopped, decoded.rows_decoded),
        (None, header.height),
        "{name}"
    );
    let first = header.components[0];
    for (channel, plane) in decoded.planes.iter().enumerate() {
        // The reference shows subsampled chroma only filtered: that is compared at full size. It
        // shows RGB clipped.
        if (header.components[channel].h, header.components[channel].v) != (first.h, first.v) {
            continue;
        }
        let scaled = reference.transformed(channel, usize::from(eighths));
        let (rmse, _) = reference::difference(&scaled, |x, y| sample(plane, x, y));
        assert!(
            rmse <= 1.0,
            "{name} at {eighths}/8, plane {channel}: RMSE {rmse}"
        );
    }
}
