//! What is seen, in lines.

use serde_json::Value;

use super::Sight;
use crate::output::{cell, rows, table};

/// Jobs that are shown where the screen sets no limit.
const JOBS: usize = 10;

/// Workers that are shown: there may be hundreds.
const WORKERS: usize = 8;

/// `height` in lines, if there is an end.
pub fn lines(sight: &Sight, server: &str, height: Option<usize>) -> Vec<String> {
    let count = |name: &str| cell(&sight.counts, &format!("/{name}"));
    let mut lines = vec![format!("ThumbForge at {server}")];
    if sight.is_paused {
        lines.push("PAUSED: no job starts until `thumbforge queue resume`".to_owned());
    }
    lines.push(format!(
        "pending {}   processing {}   completed {}   failed {}   cancelled {}",
        count("pending"),
        count("processing"),
        count("completed"),
        count("failed"),
        count("cancelled")
    ));
    let seconds = |name: &str| match sight.counts[name].as_f64() {
        Some(seconds) => format!("{seconds:.1} s"),
        None => "-".to_owned(),
    };
    let rate = sight
        .rate
        .map(|rate| format!("   {rate:.1} ended a second"));
    lines.push(format!(
        "oldest pending {}   oldest parked {}   workers {}{}",
        seconds("oldest_pending_seconds"),
        seconds("oldest_parked_seconds"),
        count("workers_alive"),
        rate.unwrap_or_default()
    ));
    if sight.counts["workers_alive"] == 0 && sight.counts["pending"].as_u64() > Some(0) {
        lines.push("NO WORKER: nothing is made of what is pending".to_owned());
    }
    lines.push(String::new());
    section(
        &sight.workers,
        &[
            ("WORKER", "/id"),
            ("HOST", "/host"),
            ("STATE", "/state"),
            ("JOBS", "/jobs"),
            ("VERSION", "/version"),
        ],
        WORKERS,
        &mut lines,
    );
    section(
        &sight.origins,
        &[
            ("ORIGIN", "/origin"),
            ("IN WORK", "/in_flight"),
            ("QUEUED", "/queued"),
            ("FAILED 1H", "/failed_last_hour"),
            ("PARKED", "/park_reason"),
        ],
        usize::MAX,
        &mut lines,
    );
    // One line for the heading, one so that the screen does not scroll.
    let room = height.map_or(JOBS, |height| height.saturating_sub(lines.len() + 2));
    section(&sight.jobs, &crate::jobs::COLUMNS, room, &mut lines);
    lines.pop_if(|line| line.is_empty());
    lines
}

fn section(items: &[Value], columns: &[(&str, &str)], limit: usize, lines: &mut Vec<String>) {
    if items.is_empty() {
        return;
    }
    let shown = rows(&items[..items.len().min(limit)], columns, true);
    lines.extend(table(&shown).lines().map(str::to_owned));
    lines.push(String::new());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sight(workers: u64, jobs: usize) -> Sight {
        let job = json!({"id": "1", "status": "pending", "url": "http://a/\u{1b}[2J"});
        Sight {
            counts: json!({"pending": 3, "workers_alive": workers, "oldest_pending_seconds": 1.26}),
            jobs: vec![job; jobs],
            origins: Vec::new(),
            workers: vec![json!({"id": "w-1", "host": "box", "state": "ready", "jobs": 4})],
            is_paused: true,
            rate: Some(12.0),
        }
    }

    #[test]
    fn what_an_operator_must_know_is_said() {
        let text = lines(&sight(0, 1), "http://x", None).join("\n");
        for part in [
            "w-1     box   ready  4",
            "PAUSED",
            "NO WORKER",
            "pending 3",
            "1.3 s",
            "12.0 ended a second",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains('\u{1b}'), "{text:?}");
        let text = lines(&sight(1, 1), "http://x", None).join("\n");
        assert!(!text.contains("NO WORKER"), "{text}");
    }

    #[test]
    fn it_fits_on_the_screen() {
        for height in [1, 5, 8, 24, 50] {
            let lines = lines(&sight(1, 40), "http://x", Some(height));
            assert!(lines.len() <= height.max(11), "{height}: {}", lines.len());
        }
    }
}
