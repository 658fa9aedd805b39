//! Tests that this machine can't run say so.

use std::io::Write;

/// Reports it where it is seen: what a test prints is hidden if it passes.
pub fn skipped(test: &str, reason: &str) {
    let line = format!("{test}: SKIPPED: {reason}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
