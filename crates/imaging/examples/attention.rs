//! Makes `docs/attention.webp`: of each photo of the tests the crop by `center` and the one by
//! `attention`, in the shape that cuts the most away.
//!
//! ```text
//! cargo run -p thumbforge-imaging --example attention
//! ```

mod sheet;
#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../tests/imaging/subjects.rs"]
mod subjects;

use anyhow::Context;
use sheet::{Sheet, render};
use subjects::{FIXTURES, fixtures};
use thumbforge_imaging::{Fit, Gravity, Limits, Source, Variant};

/// Of a crop, in pixels; the two of a photo lie side by side, or one over the other.
const SHORT: u32 = 90;
const LONG: u32 = 182;
const BETWEEN: u32 = 2;
const GAP: u32 = 12;
const COLUMNS: u32 = 4;

fn main() -> anyhow::Result<()> {
    let rows = (FIXTURES.len() as u32).div_ceil(COLUMNS);
    let step = LONG + GAP;
    let mut sheet = Sheet::new(COLUMNS * step + GAP, rows * step + GAP);
    for (index, subject) in (0..).zip(FIXTURES) {
        let bytes = std::fs::read(fixtures().join(subject.file)).context(subject.file)?;
        let facts = Source::open(&bytes, &Limits::default())?.facts();
        let is_wide = facts.width > facts.height;
        let (width, height) = if is_wide {
            (SHORT, LONG)
        } else {
            (LONG, SHORT)
        };
        let (left, top) = (GAP + index % COLUMNS * step, GAP + index / COLUMNS * step);
        for (place, gravity) in [(0, Gravity::Center), (1, Gravity::Attention)] {
            let variant = Variant {
                width: Some(width),
                height: Some(height),
                fit: Fit::Cover,
                gravity,
                enlarge: true,
                ..Variant::thumbnail(1, 85)
            };
            let crop = render(&bytes, variant).context(subject.file)?;
            let moved = place * (SHORT + BETWEEN);
            if is_wide {
                sheet.put(&crop, left + moved, top);
            } else {
                sheet.put(&crop, left, top + moved);
            }
        }
    }
    sheet.save(&fixtures().join("../../docs/attention.webp"))
}
