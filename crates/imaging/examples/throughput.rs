//! How many thumbnails a second the engine makes of each file, and where the time goes.
//!
//! ```text
//! cargo run --release --example throughput -- FILE… [--seconds S] [--threads N] [--size N]
//! ```
//!
//! The files are in memory; nothing is written. The steps are measured on one thread after the
//! throughput, and include everything.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use thumbforge_imaging::{Limits, Scratch, Source, Variant, make};

#[derive(Parser)]
struct Arguments {
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// How long to work on each file.
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
    let variants = [Variant::thumbnail(arguments.size, arguments.quality)];
    println!(
        "{:<32} {:>9} {:>9} {:>10} {:>10} {:>9}",
        "file", "images/s", "ms", "decode ms", "render ms", "bytes out"
    );
    for path in &arguments.files {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        let made = make(&bytes, &variants, &Limits::default())
            .with_context(|| path.display().to_string())?;
        let rate = images_per_second(&bytes, &variants, &arguments);
        let (decode, render) = steps(&bytes, &variants)?;
        let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
        println!(
            "{:<32} {:>9.1} {:>9.3} {:>10.3} {:>10.3} {:>9}",
            path.file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy(),
            rate,
            arguments.threads as f64 * 1e3 / rate,
            millis(decode),
            millis(render),
            made.renditions[0].files[0].bytes.len()
        );
    }
    Ok(())
}

fn images_per_second(bytes: &[u8], variants: &[Variant], arguments: &Arguments) -> f64 {
    let made = AtomicU64::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                while begun.elapsed().as_secs_f64() < arguments.seconds {
                    let thumbnail = make(bytes, variants, &Limits::default());
                    std::hint::black_box(&thumbnail);
                    made.fetch_add(u64::from(thumbnail.is_ok()), Ordering::Relaxed);
                }
            });
        }
    });
    made.into_inner() as f64 / begun.elapsed().as_secs_f64()
}

/// The medians of decoding, with header and metadata, and of rendering.
fn steps(bytes: &[u8], variants: &[Variant]) -> anyhow::Result<(Duration, Duration)> {
    let limits = Limits::default();
    let mut scratch = Scratch::default();
    let (mut decodes, mut renders) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let begun = Instant::now();
        let source = Source::open(bytes, &limits)?;
        let plan = source
            .plan(variants, &limits)
            .map_err(|refused| refused.error)?;
        let picture = source.decode(&plan, &limits, &mut scratch)?;
        decodes.push(begun.elapsed());
        let begun = Instant::now();
        for variant in variants {
            std::hint::black_box(picture.render(variant, &limits)?);
        }
        renders.push(begun.elapsed());
    }
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    Ok((median(decodes), median(renders)))
}
