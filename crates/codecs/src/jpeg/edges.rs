//! Blocks that lie partly outside the picture.
//!
//! A scaled sample is made from up to 8 × 8 pixels, and at the right and lower edge some of them
//! may be padding. The padding is not part of the picture: the encoder may have written anything
//! there, or what a lossless crop cut off. So samples that contain padding are replaced by their
//! neighbours. At 2/8 and above the other samples of such a block still have some of the padding in
//! them, because a low frequency covers the whole block.

use super::plane::{ComponentLayout, Layout};

/// Repeats the last whole samples in place of those that lie partly outside the picture. A side
/// without a whole sample stays as it is; [`super::Header::scale_for`] chooses no such scale.
pub fn repeat_whole_samples(layout: &Layout, samples: &mut [u8]) {
    for component in &layout.components {
        let plane = &mut samples[component.start..component.start + component.samples()];
        repeat_column(component, plane);
        repeat_row(component, plane);
    }
}

fn repeat_column(component: &ComponentLayout, plane: &mut [u8]) {
    let whole = component.whole_width;
    if whole == 0 || whole == component.width {
        return;
    }
    for row in plane.chunks_exact_mut(component.stride()) {
        row[whole] = row[whole - 1];
    }
}

fn repeat_row(component: &ComponentLayout, plane: &mut [u8]) {
    let whole = component.whole_height;
    if whole == 0 || whole == component.height {
        return;
    }
    let stride = component.stride();
    plane.copy_within((whole - 1) * stride..whole * stride, whole * stride);
}
