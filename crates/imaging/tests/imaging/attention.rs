//! How much of a photo's subject stays in a crop, with `attention` and with `center`.

use std::path::Path;

use image::GrayImage;
use thumbforge_imaging::{Fit, Format, Formats, Gravity, Limits, Source, Variant, make};

use crate::subjects::{CORPUS, FIXTURES, Subject, corpus, fixtures};

/// Width and height of the crops, in parts.
const SHAPES: [(u32, u32); 3] = [(1, 1), (2, 1), (1, 2)];
/// From this share on, a subject counts as kept.
const KEPT: f64 = 0.9;

/// Shares of a subject that stay in crops by one gravity, one for each of [`SHAPES`].
type Shares = [f64; 3];

fn whole_pixels(bytes: &[u8], variant: &Variant) -> GrayImage {
    let made = make(bytes, std::slice::from_ref(variant), &Limits::default()).unwrap();
    let png = &made.renditions[0].files[0].bytes;
    image::load_from_memory(png).unwrap().to_luma8()
}

fn variant(gravity: Gravity, width: u32, height: u32) -> Variant {
    Variant {
        width: Some(width),
        height: Some(height),
        fit: Fit::Cover,
        gravity,
        formats: Formats::List(vec![Format::Png]),
        ..Variant::thumbnail(1, 85)
    }
}

/// Where the crop lies in the picture, by its pixels: only one of left and top is not 0.
fn find(crop: &GrayImage, whole: &GrayImage) -> (u32, u32) {
    let (free_x, free_y) = (whole.width() - crop.width(), whole.height() - crop.height());
    assert!(free_x == 0 || free_y == 0);
    let difference = |left: u32, top: u32| -> u64 {
        let places = (0..crop.height()).step_by(5).flat_map(|y| {
            let columns = (0..crop.width()).step_by(5);
            columns.map(move |x| (x, y))
        });
        let differences = places.map(|(x, y)| {
            let (ours, theirs) = (crop.get_pixel(x, y), whole.get_pixel(left + x, top + y));
            u64::from(ours.0[0].abs_diff(theirs.0[0]))
        });
        differences.sum()
    };
    let places = (0..=free_x).flat_map(|left| (0..=free_y).map(move |top| (left, top)));
    places
        .min_by_key(|(left, top)| difference(*left, *top))
        .unwrap()
}

fn shares(bytes: &[u8], subject: &Subject, gravity: Gravity) -> Shares {
    let facts = Source::open(bytes, &Limits::default()).unwrap().facts();
    let (width, height) = (facts.width, facts.height);
    let whole = whole_pixels(bytes, &variant(Gravity::Center, width, height));
    SHAPES.map(|(across, down)| {
        let unit = (f64::from(width) / f64::from(across)).min(f64::from(height) / f64::from(down));
        let side = |parts: u32| (f64::from(parts) * unit).round() as u32;
        let crop = whole_pixels(bytes, &variant(gravity, side(across), side(down)));
        let (left, top) = find(&crop, &whole);
        let kept = |start: u32, part: u32, side: u32, from: f64, to: f64| {
            let (start, side) = (f64::from(start), f64::from(side));
            let (from, to) = (from * side, to * side);
            (to.min(start + f64::from(part)) - from.max(start)).max(0.0) / (to - from)
        };
        kept(left, crop.width(), width, subject.left, subject.right)
            * kept(top, crop.height(), height, subject.top, subject.bottom)
    })
}

/// What stays of each subject: with `center`, and with `attention`.
fn all_shares(folder: &Path, subjects: &[Subject]) -> Vec<(Shares, Shares)> {
    let mut all = Vec::new();
    for subject in subjects {
        let bytes = std::fs::read(folder.join(subject.file)).unwrap();
        let center = shares(&bytes, subject, Gravity::Center);
        let attention = shares(&bytes, subject, Gravity::Attention);
        let percent = |shares: Shares| {
            shares
                .map(|share| format!("{:3.0}", share * 100.0))
                .join(" ")
        };
        println!(
            "{:40} {:16} center {}   attention {}",
            subject.file,
            subject.what,
            percent(center),
            percent(attention)
        );
        all.push((center, attention));
    }
    all
}

fn check(all: &[(Shares, Shares)]) {
    let sum = |shares: &dyn Fn(&(Shares, Shares)) -> Shares| -> (f64, usize, usize) {
        let all: Vec<Shares> = all.iter().map(shares).collect();
        let flat = || all.iter().flatten();
        (
            flat().sum::<f64>() / flat().count() as f64,
            flat().filter(|share| **share >= KEPT).count(),
            all.iter().filter(|shares| shares[0] >= KEPT).count(),
        )
    };
    let (center, attention) = (sum(&|both| both.0), sum(&|both| both.1));
    println!(
        "center {center:.3?}, attention {attention:.3?} of {}",
        all.len()
    );
    assert!(attention.0 > center.0, "{attention:?} {center:?}");
    assert!(attention.1 >= center.1, "{attention:?} {center:?}");
    assert!(attention.2 >= center.2, "{attention:?} {center:?}");
}

#[test]
fn attention_keeps_more_of_subjects_than_the_centre() {
    let mut all = all_shares(&fixtures(), &FIXTURES);
    check(&all);
    let folder = corpus();
    if folder.is_dir() {
        all.extend(all_shares(&folder, &CORPUS));
        check(&all);
    } else {
        for subject in CORPUS {
            eprintln!("skipped, because it is not here: {}", subject.file);
        }
    }
}
