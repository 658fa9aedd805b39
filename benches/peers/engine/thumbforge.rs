//! ThumbForge as a contender of the engine comparison: see `engine/contenders.py`.
//!
//! Reads commands from stdin, one JSON object a line, and answers each with a line.

use std::io::BufRead;
use std::time::Instant;

use serde::Deserialize;
use serde_json::json;
use thumbforge_imaging::{Fit, Format, Formats, Limits, Variant, make};

#[derive(Deserialize)]
struct Command {
    file: String,
    /// Make thumbnails for this long and report how many.
    seconds: Option<f64>,
    /// Make one and save it here.
    save: Option<String>,
    /// Of the JPEG, 1–100; 85 without it.
    quality: Option<u8>,
    /// Make these of the [`variant`]s at once; the 256 px thumbnail without it.
    #[serde(default)]
    outputs: Vec<String>,
}

/// What the contenders know by name. The sizes and formats are the same in each.
fn variant(name: &str) -> anyhow::Result<Variant> {
    let webp = |variant: Variant| Variant {
        formats: Formats::List(vec![Format::Webp]),
        ..variant
    };
    Ok(match name {
        "256 inside JPEG" => Variant::thumbnail(256, 85),
        "320×320 cover WebP" => webp(Variant {
            fit: Fit::Cover,
            ..Variant::thumbnail(320, 80)
        }),
        "1024 inside WebP" => webp(Variant::thumbnail(1024, 80)),
        _ => anyhow::bail!("no output has the name {name}"),
    })
}

fn main() -> anyhow::Result<()> {
    let limits = Limits::default();
    println!("{}", json!({"ready": true}));
    for line in std::io::stdin().lock().lines() {
        let command: Command = serde_json::from_str(&line?)?;
        let variants = match &command.outputs[..] {
            [] => vec![Variant::thumbnail(256, command.quality.unwrap_or(85))],
            names => names
                .iter()
                .map(|name| variant(name))
                .collect::<anyhow::Result<_>>()?,
        };
        let source = std::fs::read(&command.file)?;
        let begun = Instant::now();
        let mut images = 0_u64;
        loop {
            let made = make(&source, &variants, &limits)?;
            images += 1;
            if let Some(path) = &command.save {
                std::fs::write(path, &made.renditions[0].files[0].bytes)?;
            }
            let seconds = begun.elapsed().as_secs_f64();
            if seconds >= command.seconds.unwrap_or(0.0) {
                println!("{}", json!({"images": images, "seconds": seconds}));
                break;
            }
        }
    }
    Ok(())
}
