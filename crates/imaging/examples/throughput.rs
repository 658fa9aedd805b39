//! How many thumbnails a second the engine makes of each file, and where the time goes.
//!
//! ```text
//! cargo run --release --example throughput -- FILE… [--seconds S] [--threads N] [--size N]
//! ```
//!
//! The files are in memory; nothing is written. The stages are measured on one thread after
//! the throughput, and include everything: `decode` is the pixels, reduced on the way.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use thumbforge_imaging::{Limits, StageTimes, ThumbnailSpec, thumbnail, thumbnail_timed};

#[derive(Parser)]
struct Arguments {
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// How long each file is worked on.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Longest side of the thumbnail in pixels.
    #[arg(long, default_value_t = 256)]
    size: u32,
    #[arg(long, default_value_t = 85)]
    quality: u8,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.threads > 0, "--threads must be at least 1");
    let spec = ThumbnailSpec {
        max_side: arguments.size,
        jpeg_quality: arguments.quality,
    };
    println!(
        "{:<32} {:>9} {:>9} {:>10} {:>9} {:>9} {:>9} {:>9}",
        "file", "images/s", "ms", "decode ms", "resize", "colour", "encode", "bytes out"
    );
    for path in &arguments.files {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        let made = thumbnail(&bytes, &spec, &Limits::default())
            .with_context(|| path.display().to_string())?;
        let rate = images_per_second(&bytes, &spec, &arguments);
        let stages = stages(&bytes, &spec);
        let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
        println!(
            "{:<32} {:>9.1} {:>9.3} {:>10.3} {:>9.3} {:>9.3} {:>9.3} {:>9}",
            path.file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy(),
            rate,
            arguments.threads as f64 * 1e3 / rate,
            millis(stages.decode),
            millis(stages.resize),
            millis(stages.colour),
            millis(stages.encode),
            made.jpeg.len()
        );
    }
    Ok(())
}

fn images_per_second(bytes: &[u8], spec: &ThumbnailSpec, arguments: &Arguments) -> f64 {
    let made = AtomicU64::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                while begun.elapsed().as_secs_f64() < arguments.seconds {
                    let thumbnail = thumbnail(bytes, spec, &Limits::default());
                    std::hint::black_box(&thumbnail);
                    made.fetch_add(u64::from(thumbnail.is_ok()), Ordering::Relaxed);
                }
            });
        }
    });
    made.into_inner() as f64 / begun.elapsed().as_secs_f64()
}

/// The median of each stage.
fn stages(bytes: &[u8], spec: &ThumbnailSpec) -> StageTimes {
    let mut runs: Vec<StageTimes> = (0..9)
        .filter_map(|_| thumbnail_timed(bytes, spec, &Limits::default()).ok())
        .map(|(_, times)| times)
        .collect();
    let mut median = |stage: fn(&StageTimes) -> Duration| {
        runs.sort_by_key(stage);
        runs.get(runs.len() / 2).map(stage).unwrap_or_default()
    };
    StageTimes {
        decode: median(|times| times.decode),
        resize: median(|times| times.resize),
        colour: median(|times| times.colour),
        encode: median(|times| times.encode),
    }
}
