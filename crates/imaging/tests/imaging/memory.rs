//! Large pictures in little memory.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use crate::picture::Picture;
use crate::sweep::sweep;

const WIDTH: u16 = 10_000;
/// Of one row of MCUs in 4:2:0.
const BAND: u16 = 16;

/// One row of MCUs of 10,000 pixels, such that a restart interval ends with each row of blocks of
/// each component.
fn band(progressive: bool) -> Vec<u8> {
    let picture = Picture::of(WIDTH.into(), BAND.into(), |x, y| {
        let shade = (x / 40 + y) as u8 % 200;
        [shade, 220 - shade, 128]
    });
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 85);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_progressive(progressive);
    encoder.set_restart_interval(WIDTH / BAND);
    encoder
        .encode(&picture.samples, WIDTH, BAND, ColorType::Rgb)
        .unwrap();
    bytes
}

/// Stacks a picture of one band `times` over itself: its restart intervals can be repeated as they
/// are, with their markers counted on.
fn stacked(band: &[u8], times: u16) -> Vec<u8> {
    let mut out = band[..2].to_vec();
    let mut at = 2;
    while band[at + 1] != 0xd9 {
        let kind = band[at + 1];
        let length = usize::from(u16::from_be_bytes([band[at + 2], band[at + 3]]));
        let mut segment = band[at..at + 2 + length].to_vec();
        if matches!(kind, 0xc0 | 0xc2) {
            segment[5..7].copy_from_slice(&(BAND * times).to_be_bytes());
        }
        out.extend(segment);
        at += 2 + length;
        if kind != 0xda {
            continue;
        }
        let mut intervals = vec![Vec::new()];
        while band[at] != 0xff || matches!(band[at + 1], 0 | 0xd0..=0xd7) {
            match (band[at], band[at + 1]) {
                (0xff, 0xd0..=0xd7) => {
                    intervals.push(Vec::new());
                    at += 2;
                }
                (byte, _) => {
                    intervals.last_mut().unwrap().push(byte);
                    at += 1;
                }
            }
        }
        let count = intervals.len() * usize::from(times);
        for (index, interval) in intervals.iter().cycle().take(count).enumerate() {
            if index > 0 {
                out.extend([0xff, 0xd0 + ((index - 1) % 8) as u8]);
            }
            out.extend(interval);
        }
    }
    out.extend([0xff, 0xd9]);
    out
}

/// In a child process, whose memory at its peak can be seen. The limits are for development builds
/// too.
#[test]
fn a_hundred_megapixels_fit_in_tens_of_megabytes() {
    const MAX_KIB: u64 = 24 << 10;
    let folder = tempfile::TempDir::new().unwrap();
    for (name, progressive) in [("sequential.jpg", false), ("progressive.jpg", true)] {
        let bytes = stacked(&band(progressive), WIDTH / BAND);
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    for report in sweep(folder.path()) {
        assert_eq!(report.outcome, "ok", "{report:?}");
        assert!(report.estimate_kib <= MAX_KIB, "{report:?}");
        assert!(report.peak_kib <= MAX_KIB, "{report:?}");
        println!("{report:?}");
    }
}

#[test]
fn a_lossy_webp_takes_little_more_than_a_row_of_its_macroblocks() {
    const MAX_KIB: u64 = 4 << 10;
    let folder = tempfile::TempDir::new().unwrap();
    let name = "webp_flat_4000x3000.webp";
    std::fs::write(folder.path().join(name), crate::picture::fixture(name)).unwrap();
    for report in sweep(folder.path()) {
        assert_eq!(report.outcome, "ok", "{report:?}");
        assert!(report.estimate_kib <= MAX_KIB, "{report:?}");
        println!("{report:?}");
    }
}
