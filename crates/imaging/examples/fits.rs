//! Makes `docs/fits.webp`: what each fit makes of one photo, in the same box.
//!
//! ```text
//! cargo run -p thumbforge-imaging --example fits
//! ```

mod sheet;

use std::path::Path;

use anyhow::Context;
use sheet::{Sheet, render};
use thumbforge_imaging::{Color, Fit, Gravity, Variant};

const BOX: (u32, u32) = (110, 165);
const GAP: u32 = 18;
const FITS: [(Fit, Gravity); 5] = [
    (Fit::Inside, Gravity::Center),
    (Fit::Cover, Gravity::Center),
    (Fit::Cover, Gravity::Attention),
    (Fit::Contain, Gravity::Center),
    (Fit::Fill, Gravity::Center),
];

fn main() -> anyhow::Result<()> {
    let checkout = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let photo = std::fs::read(checkout.join("tests/fixtures/jpeg/cat.jpg"))?;
    let source = render(&photo, Variant::thumbnail(BOX.1 * 4 / 3, 85))?;
    let width = source.width() + FITS.len() as u32 * (BOX.0 + GAP) + 2 * GAP;
    let mut sheet = Sheet::new(width, BOX.1 + 2 * GAP);
    sheet.put(&source, GAP, GAP);
    let mut left = GAP + source.width() + GAP;
    for (fit, gravity) in FITS {
        let variant = Variant {
            width: Some(BOX.0),
            height: Some(BOX.1),
            fit,
            gravity,
            background: Color::parse("#c8d8e8"),
            ..Variant::thumbnail(1, 85)
        };
        let made = render(&photo, variant).with_context(|| format!("{fit:?}"))?;
        // A picture that does not fill the box lies in its middle.
        let free = (BOX.0 - made.width(), BOX.1 - made.height());
        sheet.put(&made, left + free.0 / 2, GAP + free.1 / 2);
        sheet.outline(left, GAP, BOX);
        left += BOX.0 + GAP;
    }
    sheet.save(&checkout.join("docs/fits.webp"))
}
