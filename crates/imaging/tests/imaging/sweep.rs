//! Every file of a folder of images goes through the engine, in a child process.
//!
//! The folder is `THUMBFORGE_SWEEP_DIR`, else the corpus beside the checkout if there is one,
//! else `tests/fixtures`. The child runs under an address-space limit, so that a forgotten
//! limit of ours is an abort there and a failure here.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::picture::{probe, thumbnail};
use thumbforge_imaging::{ErrorKind, Limits};

use crate::hostile::metadata_bombs;
use crate::picture::SPEC;
use crate::spent::Spent;

/// Our own code is not optimised in development builds.
const SLOWEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 5 });
/// The engine's default budget is 512 MiB; the rest is the program itself.
const ADDRESS_SPACE_KIB: u64 = 1 << 20;
/// How far the peak may exceed the estimate: pages that the allocator keeps, code paged in.
const UNESTIMATED_KIB: u64 = 8 << 10;

const CHILD_DIR: &str = "THUMBFORGE_SWEEP_CHILD_DIR";

fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("THUMBFORGE_SWEEP_DIR") {
        return folder.into();
    }
    let checkout = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let corpus = checkout.join("../shared/corpus");
    if corpus.is_dir() {
        corpus
    } else {
        checkout.join("tests/fixtures")
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// What the child reports of one file, a line each.
#[derive(Debug)]
pub struct Report {
    pub path: String,
    /// `ok`, or the failure's code.
    pub outcome: String,
    pub millis: u64,
    /// Growth of the resident memory at its peak.
    pub peak_kib: u64,
    pub estimate_kib: u64,
}

impl Report {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.strip_prefix("file\t")?.split('\t');
        Some(Self {
            outcome: fields.next()?.to_owned(),
            millis: fields.next()?.parse().ok()?,
            peak_kib: fields.next()?.parse().ok()?,
            estimate_kib: fields.next()?.parse().ok()?,
            path: fields.next()?.to_owned(),
        })
    }
}

/// Sends the files of a folder through the engine, all in one child process. Reports on them, and
/// holds each to its time and its memory.
pub fn sweep(folder: &Path) -> Vec<Report> {
    let files = files_in(folder);
    assert!(!files.is_empty(), "{} holds no files", folder.display());
    let limited = format!("ulimit -v {ADDRESS_SPACE_KIB}; exec \"$0\" \"$@\"");
    let child = Command::new("sh")
        .args(["-c", &limited])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "sweep::no_file_crashes_hangs_or_bloats_the_engine",
        ])
        .arg("--nocapture")
        .env(CHILD_DIR, folder)
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    let reports: Vec<Report> = output.lines().filter_map(Report::parse).collect();
    assert!(
        child.status.success(),
        "the child ended with {} behind {:?}\n{}",
        child.status,
        reports.last(),
        String::from_utf8_lossy(&child.stderr)
    );
    assert_eq!(reports.len(), files.len(), "files without a report");
    summarise(folder, &reports);
    for report in &reports {
        assert!(report.millis < SLOWEST.as_millis() as u64, "{report:?}");
        assert!(
            report.peak_kib <= report.estimate_kib + UNESTIMATED_KIB,
            "more memory than reserved: {report:?}"
        );
    }
    reports
}

/// Also of the child that it, and every other sweep, starts.
#[test]
fn no_file_crashes_hangs_or_bloats_the_engine() {
    if let Some(folder) = std::env::var_os(CHILD_DIR) {
        return report_all(Path::new(&folder));
    }
    for report in &sweep(&folder()) {
        if let Some(expected) = expectation(&report.path) {
            assert!(expected.contains(&report.outcome.as_str()), "{report:?}");
        }
    }
}

/// Inflated data counts too: the memory shows whether a bomb went off.
#[test]
fn compressed_metadata_takes_no_more_memory_than_was_reserved() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in metadata_bombs(64 << 20) {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let reports = sweep(folder.path());
    assert!(
        reports.iter().all(|report| report.outcome == "ok"),
        "{reports:?}"
    );
}

fn summarise(folder: &Path, reports: &[Report]) {
    let refused = reports
        .iter()
        .filter(|report| report.outcome != "ok")
        .count();
    let slowest = reports.iter().max_by_key(|report| report.millis).unwrap();
    let largest = reports.iter().max_by_key(|report| report.peak_kib).unwrap();
    println!(
        "{}: {} files, {refused} refused\nslowest {} ms: {}\nlargest {} KiB: {}",
        folder.display(),
        reports.len(),
        slowest.millis,
        slowest.path,
        largest.peak_kib,
        largest.path
    );
    let mut codes: Vec<&str> = reports
        .iter()
        .map(|report| report.outcome.as_str())
        .collect();
    codes.sort_unstable();
    for group in codes.chunk_by(|one, next| one == next) {
        println!("{:>6} {}", group.len(), group[0]);
    }
}

const OK: &[&str] = &["ok"];
const CORRUPT: &[&str] = &["corrupt"];
const TOO_LARGE: &[&str] = &["too large"];
const UNSUPPORTED: &[&str] = &["unsupported"];
const CORRUPT_OR_UNSUPPORTED: &[&str] = &["corrupt", "unsupported"];
const CORRUPT_OR_TOO_LARGE: &[&str] = &["corrupt", "too large"];
const OK_OR_TOO_LARGE: &[&str] = &["ok", "too large"];

/// Outcomes of the corpus by name, the first part of a path that matches; for other files any typed
/// outcome within bounds will do.
const EXPECTATIONS: &[(&str, &[&str])] = &[
    ("bombs/empty", &["empty"]),
    ("bombs/html_as", UNSUPPORTED),
    // Of those that only a locked-down process decodes, the header is read.
    ("bombs/svg_as", UNSUPPORTED),
    ("bombs/one_byte", UNSUPPORTED),
    ("bombs/tif_claim_", TOO_LARGE),
    ("bombs/tif_ifd_loop", CORRUPT),
    ("bombs/bmp_", CORRUPT_OR_TOO_LARGE),
    ("bombs/png_claim_", TOO_LARGE),
    ("bombs/png_zero_width", CORRUPT),
    ("bombs/png_idat_len_4g", CORRUPT),
    ("bombs/gif_65535x65535", TOO_LARGE),
    ("bombs/gif_claimframe", TOO_LARGE),
    ("bombs/jpg_h0", CORRUPT),
    ("bombs/jpg_claim_16000x3000_trunc", CORRUPT),
    ("bombs/jpg_claim_6", TOO_LARGE),
    ("bombs/jpg_scanbomb_7000x7000_x1000", CORRUPT_OR_TOO_LARGE),
    ("bombs/webp_16383x16383", TOO_LARGE),
    ("bombs/webp_anim_16383x16383", TOO_LARGE),
    ("bombs/webp_anim_7000x7000", OK_OR_TOO_LARGE),
    ("bombs/jpg_prog_7000x7000_flat", OK),
    ("bombs/png_", OK),
    ("bombs/apng_", OK),
    ("bombs/gif_7000x7000", OK),
    ("exif/", OK),
    ("icc/LICENSE", UNSUPPORTED),
    ("icc/", OK),
    ("apng/", OK),
    ("jpeg/reftest/", OK),
    ("jpeg/icc/", OK),
    ("jpeg/image-rs/", OK),
    ("png/pngsuite/PngSuite.LICENSE", UNSUPPORTED),
    // The data's checksum is wrong; all rows stand before it.
    ("png/pngsuite/xcsn0g01", OK),
    ("png/pngsuite/x", CORRUPT_OR_UNSUPPORTED),
    ("png/pngsuite/", OK),
    ("png/image-rs/", OK),
    ("gif/samples/", OK),
    ("gif/image-rs/", OK),
    ("webp/", OK),
    // Its number of colours is nonsense; more than 256 can't be meant.
    ("misc/bad/bmp/Bad_clrsUsed", OK),
    ("misc/bad/bmp/", &["corrupt", "unsupported", "too large"]),
    // Its bitmap says how large it is.
    ("misc/bad/ico/Bad_smile-incorrect-image-length", OK),
    // A file that its collection means to read one day.
    ("misc/bad/tiff/TODO", OK),
    ("misc/bad/", CORRUPT_OR_UNSUPPORTED),
    ("misc/iworsener/tests/srcimg/", OK),
];

fn expectation(path: &str) -> Option<&'static [&'static str]> {
    EXPECTATIONS
        .iter()
        .find(|(part, _)| path.contains(&format!("/{part}")))
        .map(|(_, outcomes)| *outcomes)
}

fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Empty => "empty",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::TooLarge => "too large",
        ErrorKind::Corrupt => "corrupt",
        ErrorKind::OutputTooManyPixels | ErrorKind::OutputTooManyBytes => "output",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Internal => "internal",
    }
}

/// The child's work, within its limits; [`Report`] reads the lines.
fn report_all(folder: &Path) {
    for path in files_in(folder) {
        let bytes = std::fs::read(&path).unwrap();
        let begun = Instant::now();
        let limits = Limits {
            deadline: Some(begun + 3 * SLOWEST),
            ..Limits::default()
        };
        let spent = Spent::now();
        let before = memory::reset_peak();
        let estimate = probe(&bytes, &SPEC, &limits).map_or(0, |probe| probe.memory_bytes);
        let outcome = match thumbnail(&bytes, &SPEC, &limits) {
            Ok(_) => "ok",
            Err(error) => word(error.kind()),
        };
        let millis = spent.elapsed().as_millis();
        let peak_kib = memory::peak_kib().saturating_sub(before);
        println!(
            "file\t{outcome}\t{millis}\t{peak_kib}\t{}\t{}",
            estimate >> 10,
            path.display()
        );
    }
}

/// Resident memory of this process. Only Linux gives its peak and lets it be reset; elsewhere the
/// address-space limit has to do.
mod memory {
    /// Forgets the peak so far, and returns the memory that is resident now, in KiB.
    pub fn reset_peak() -> u64 {
        if cfg!(target_os = "linux") {
            // proc(5): 5 resets the peak resident set size.
            std::fs::write("/proc/self/clear_refs", "5").unwrap();
        }
        status("VmRSS:")
    }

    pub fn peak_kib() -> u64 {
        status("VmHWM:")
    }

    fn status(field: &str) -> u64 {
        if !cfg!(target_os = "linux") {
            return 0;
        }
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse().ok()).unwrap()
    }
}
