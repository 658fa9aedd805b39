//! ThumbForge as a contender of the engine comparison: see `engine/contenders.py`.
//!
//! Reads commands from stdin, one JSON object a line, and answers each with a line. Its argument is
//! the built `thumbforge`, which decodes what only a locked-down process may.

use std::io::BufRead;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Deserialize;
use serde_json::json;
use thumbforge::isolation::{CHILD_BYTES, ChildLimits, Pool, Program};
use thumbforge_imaging::{Fit, Format, Formats, Limits, Rendition, Source, Variant, make};

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

/// Children with the limits of a default service.
fn children(program: &Path) -> anyhow::Result<Pool> {
    let limits = ChildLimits {
        memory_bytes: Limits::default().max_memory_bytes as u64 + (32 << 20) + CHILD_BYTES,
        timeout: Duration::from_secs(15),
    };
    Ok(Pool::open(Program::at(
        std::path::absolute(program)?,
        &limits,
    ))?)
}

fn renditions(
    bytes: &[u8],
    variants: &[Variant],
    limits: &Limits,
    children: &Pool,
) -> anyhow::Result<Vec<Rendition>> {
    if !Format::of(bytes)?.needs_lockdown() {
        return Ok(make(bytes, variants, limits)?.renditions);
    }
    let source = Source::open(bytes, limits)?;
    let plan = source
        .plan(variants, limits)
        .map_err(|refused| refused.error)?;
    let picture = children.decode(&source, &plan, limits)?;
    picture.summary()?;
    let rendered = variants
        .iter()
        .map(|variant| source.render(&picture, variant, limits));
    Ok(rendered.collect::<Result<_, _>>()?)
}

fn main() -> anyhow::Result<()> {
    let program = std::env::args_os()
        .nth(1)
        .context("which program decodes?")?;
    let children = children(Path::new(&program))?;
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
            let made = renditions(&source, &variants, &limits, &children)?;
            images += 1;
            if let Some(path) = &command.save {
                std::fs::write(path, &made[0].files[0].bytes)?;
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
