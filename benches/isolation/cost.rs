//! What children cost: a start, a warm picture, memory, and the price of `DECODE_ISOLATION=all`.
//!
//! `cargo run --profile dist --example isolation_cost -- PROGRAM FILE…`: PROGRAM is the built
//! `thumbforge`. Each file is decoded in turns by this process (if it may) and by a child, so that
//! a busy machine slows both. Prints medians.

#![expect(clippy::print_stdout, reason = "a program for people who measure")]

use std::path::Path;
use std::time::{Duration, Instant};

use thumbforge::isolation::{CHILD_BYTES, ChildLimits, Pool, Program};
use thumbforge_imaging::{Limits, Scratch, Source, Variant};

const ROUNDS: usize = 31;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments
        .next()
        .ok_or_else(|| anyhow::anyhow!("PROGRAM FILE…"))?;
    let children = ChildLimits {
        memory_bytes: (512 << 20) + (32 << 20) + CHILD_BYTES,
        timeout: Duration::from_secs(15),
    };
    let program = Program::at(std::path::absolute(program)?, &children);
    let starts = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        Pool::open(program.clone()).map(|_| began.elapsed())
    });
    let starts = starts.collect::<Result<_, _>>()?;
    println!("start, lock and greeting: {:.2} ms", median(starts));
    let pool = Pool::open(program)?;
    println!("idle: {} KiB", resident(&pool, "VmRSS:")?);
    for file in arguments {
        measure(&pool, Path::new(&file))?;
    }
    Ok(())
}

fn measure(pool: &Pool, file: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(file)?;
    let limits = Limits::default();
    let variants = [Variant::thumbnail(256, 85)];
    let (mut here, mut there) = (Vec::new(), Vec::new());
    let mut scratch = Scratch::default();
    let mut planned = 0;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let source = Source::open(&bytes, &limits)?;
        let plan = source
            .plan(&variants, &limits)
            .map_err(|refused| refused.error)?;
        planned = source.confined_memory_bytes(&plan);
        let picture = pool.decode(&source, &plan, &limits)?;
        picture.render(&variants[0], &limits)?;
        there.push(began.elapsed());
        if source.format().needs_lockdown() {
            continue;
        }
        let began = Instant::now();
        let source = Source::open(&bytes, &limits)?;
        let plan = source
            .plan(&variants, &limits)
            .map_err(|refused| refused.error)?;
        let picture = source.decode(&plan, &limits, &mut scratch)?;
        picture.render(&variants[0], &limits)?;
        here.push(began.elapsed());
    }
    let there = median(there);
    let name = file.display();
    print!("{name}: child {there:.2} ms");
    if !here.is_empty() {
        let here = median(here);
        print!(", this process {here:.2} ms, {:.3} times", there / here);
    }
    match resident(pool, "VmHWM:") {
        Ok(peak) => println!(", peak so far {peak} KiB, planned {} KiB", planned >> 10),
        // One that took much does not wait for more.
        Err(_) => println!(", planned {} KiB", planned >> 10),
    }
    Ok(())
}

/// Memory of the child that waits, in KiB.
fn resident(pool: &Pool, kind: &str) -> anyhow::Result<u64> {
    let process = pool
        .idle()
        .pop()
        .ok_or_else(|| anyhow::anyhow!("no child waits"))?;
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(kind));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number
        .ok_or_else(|| anyhow::anyhow!("no {kind}"))?
        .parse()?)
}

/// In milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}
