//! The memory of the layers that drawing takes, before it is taken.

use resvg::usvg::{ClipPath, Group, Mask, Node, Transform};

/// A layer reaches no further beyond the picture than the renderer lets it: five times each side.
const MOST_OF_PICTURE: f64 = 25.0;

/// The most bytes of layers that drawing this group holds at once, at a scale, on a picture of so
/// many pixels.
pub(super) fn bytes(group: &Group, scale: f64, area: f64) -> f64 {
    let own = if group.should_isolate() {
        own_pixels(group, scale, area) * 4.0
    } else {
        0.0
    };
    let children = group.children().iter().map(|node| match node {
        Node::Group(group) => bytes(group, scale, area),
        Node::Text(text) => bytes(text.flattened(), scale, area),
        Node::Path(_) | Node::Image(_) => 0.0,
    });
    let deepest = children.fold(0.0, f64::max);
    let mask = group.mask().map_or(0.0, |mask| of_mask(mask, scale, area));
    let clip = group.clip_path().map_or(0.0, |clip| of_clip(clip, area));
    own + deepest.max(mask).max(clip)
}

/// Itself, and what each step of its filters leaves.
fn own_pixels(group: &Group, scale: f64, area: f64) -> f64 {
    let bounds = group.abs_layer_bounding_box();
    let pixels = f64::from(bounds.width()) * f64::from(bounds.height()) * scale * scale;
    let steps = group.filters().iter();
    let steps = steps.map(|filter| filter.primitives().len() + 2).max();
    pixels.min(MOST_OF_PICTURE * area) * (1 + steps.unwrap_or(0)) as f64
}

/// A mask is drawn on a layer of its group's size, at most that of the picture and its surroundings.
fn of_mask(mask: &Mask, scale: f64, area: f64) -> f64 {
    let further = mask.mask().map_or(0.0, |mask| of_mask(mask, scale, area));
    area * 4.0 + bytes(mask.root(), scale, area).max(further)
}

fn of_clip(clip: &ClipPath, area: f64) -> f64 {
    let further = clip.clip_path().map_or(0.0, |clip| of_clip(clip, area));
    area * 4.0 + further
}

/// How much a transform enlarges.
pub(super) fn scale_of(transform: Transform) -> f64 {
    f64::from(transform.sx.abs().max(transform.sy.abs()))
}
