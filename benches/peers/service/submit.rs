//! A client that submits images as fast as the service answers, and counts.
//!
//! ```text
//! submit_load --port PORT --connections 32 (--requests N | --seconds S) [--batch N] URL…
//! ```
//!
//! Each connection is a thread with one request on its way. The URLs take turns; each gets a
//! query of its own, so that no two submissions of a run are duplicates. Prints one line of JSON.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use serde_json::json;

#[derive(Parser)]
struct Arguments {
    #[arg(required = true)]
    urls: Vec<String>,
    #[arg(long)]
    port: u16,
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// How many submissions; without it, as many as fit into `--seconds`.
    #[arg(long)]
    requests: Option<u64>,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Items of each request to `/v1/batches`; without it, single submissions.
    #[arg(long)]
    batch: Option<u64>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    ensure!(
        arguments.connections > 0,
        "--connections must be at least 1"
    );
    let next = AtomicU64::new(0);
    let begun = Instant::now();
    let mut latencies = std::thread::scope(|scope| {
        let connections: Vec<_> = (0..arguments.connections)
            .map(|_| scope.spawn(|| submit(&arguments, &next, begun)))
            .collect();
        let mut all = Vec::new();
        for connection in connections {
            all.extend(connection.join().expect("a connection never panics")?);
        }
        anyhow::Ok(all)
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let millis = |share: f64| {
        let index = (latencies.len() as f64 * share) as usize;
        latencies
            .get(index)
            .map(|latency| latency.as_secs_f64() * 1e3)
    };
    let report = json!({
        "accepted": latencies.len() as u64 * arguments.batch.unwrap_or(1), "seconds": seconds,
        "p50_ms": millis(0.5), "p99_ms": millis(0.99),
    });
    println!("{report}");
    Ok(())
}

/// Submits over one connection until the work is done; the time that each answer took.
fn submit(
    arguments: &Arguments,
    next: &AtomicU64,
    begun: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(("127.0.0.1", arguments.port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut latencies = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let is_done = match arguments.requests {
            Some(requests) => number >= requests,
            None => begun.elapsed().as_secs_f64() >= arguments.seconds,
        };
        if is_done {
            return Ok(latencies);
        }
        let item = |number: u64| {
            let url = &arguments.urls[number as usize % arguments.urls.len()];
            format!(r#"{{"url":"{url}?n={number}"}}"#)
        };
        let (path, body) = match arguments.batch {
            None => ("images", item(number)),
            Some(count) => {
                let items: Vec<String> = (0..count).map(|n| item(number * count + n)).collect();
                ("batches", format!(r#"{{"items":[{}]}}"#, items.join(",")))
            }
        };
        let request = format!(
            "POST /v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let sent = Instant::now();
        stream.write_all(request.as_bytes())?;
        read_accepted(&mut stream, &mut buffer)?;
        latencies.push(sent.elapsed());
    }
}

/// Reads one answer to its end; anything but `202` spoils the measurement.
fn read_accepted(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<()> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..])?;
        ensure!(read > 0, "the service closed the connection");
        filled += read;
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head) = response.parse(&buffer[..filled])? else {
            continue;
        };
        let length: usize = response
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("content-length"))
            .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok())
            .context("an answer without Content-Length")?;
        if filled < head + length {
            continue;
        }
        if response.code != Some(202) {
            bail!(
                "not accepted: {}",
                String::from_utf8_lossy(&buffer[..filled])
            );
        }
        return Ok(());
    }
}
