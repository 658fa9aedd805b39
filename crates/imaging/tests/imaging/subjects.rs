//! Photos, and where in each of them the subject is.
//!
//! The boxes were drawn by eye, before anything was cropped. `tests/fixtures/NOTICE` says where the
//! photos come from, and why some are not among the fixtures.

use std::path::{Path, PathBuf};

/// Shares of width and height, from the upper left.
#[derive(Debug, Clone, Copy)]
pub struct Subject {
    /// Below `tests/fixtures`, or below the corpus beside the checkout.
    pub file: &'static str,
    pub what: &'static str,
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

const fn subject(file: &'static str, what: &'static str, sides: [f64; 4]) -> Subject {
    let [left, top, right, bottom] = sides;
    Subject {
        file,
        what,
        left,
        top,
        right,
        bottom,
    }
}

/// In every checkout.
pub const FIXTURES: [Subject; 12] = [
    subject("Landscape_1.jpg", "waterfall", [0.57, 0.06, 0.84, 1.0]),
    subject("jpeg/cat.jpg", "cat", [0.12, 0.17, 0.54, 0.93]),
    subject("jpeg/portrait_2.jpg", "waterfall", [0.33, 0.25, 0.60, 0.72]),
    subject("subjects/astronaut.jpg", "face", [0.29, 0.02, 0.61, 0.40]),
    subject(
        "subjects/camera.jpg",
        "head and camera",
        [0.30, 0.12, 0.66, 0.45],
    ),
    subject("subjects/chelsea.jpg", "face", [0.28, 0.20, 0.82, 0.95]),
    subject("subjects/coffee.jpg", "cup", [0.28, 0.04, 0.72, 0.60]),
    subject(
        "subjects/pram.jpg",
        "man with a pram",
        [0.53, 0.20, 0.78, 0.96],
    ),
    subject("subjects/printer.jpg", "printer", [0.22, 0.12, 0.80, 0.90]),
    subject("subjects/rocket.jpg", "rocket", [0.47, 0.30, 0.53, 1.0]),
    subject("subjects/tabby.jpg", "face", [0.15, 0.30, 0.90, 0.80]),
    subject("subjects/walker.jpg", "person", [0.36, 0.61, 0.50, 0.89]),
];

/// Only beside a checkout that has the corpus: the licences of these photos are not known.
pub const CORPUS: [Subject; 5] = [
    subject(
        "webp/image-webp/gallery1/2.webp",
        "canoeist",
        [0.36, 0.11, 0.69, 0.64],
    ),
    subject(
        "webp/image-webp/gallery1/3.webp",
        "jogger",
        [0.45, 0.44, 0.52, 0.62],
    ),
    subject(
        "webp/image-webp/gallery1/4.webp",
        "tree",
        [0.08, 0.04, 0.88, 0.93],
    ),
    subject(
        "webp/image-webp/gallery1/5.webp",
        "fire-eater",
        [0.42, 0.17, 0.95, 0.90],
    ),
    subject(
        "webp/image-webp/gallery2/1_webp_a.webp",
        "rose",
        [0.0, 0.08, 0.76, 1.0],
    ),
];

pub fn fixtures() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join("tests/fixtures")
}

pub fn corpus() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join("../shared/corpus")
}
