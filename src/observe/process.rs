//! Since when this process runs, and what it takes: under the names that every exporter uses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use rustix::param::clock_ticks_per_second;
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::reading::Reading;

/// Where Linux describes a process to itself.
const STAT: &str = "/proc/self/stat";
const STATUS: &str = "/proc/self/status";
const OPEN_FILES: &str = "/proc/self/fd";

pub(super) fn register(registry: &mut Registry) {
    let started = started();
    registry.register(
        "process_start_time_seconds",
        "When this process started, in seconds since the Unix epoch, by its own clock",
        Reading::gauge(move || started),
    );
    registry.register(
        "process_cpu_seconds",
        "Processor time that this process has used",
        Reading::counter(cpu_seconds),
    );
    registry.register(
        "process_resident_memory_bytes",
        "Memory that this process holds; absent where the system does not tell",
        Reading::optional_gauge(resident_bytes),
    );
    registry.register(
        "process_open_fds",
        "Open files and sockets; absent where the system does not tell",
        Reading::optional_gauge(open_files),
    );
}

pub(super) fn register_version(registry: &mut Registry) {
    registry.register(
        "build",
        "The version of this program",
        Info::new([("version", env!("CARGO_PKG_VERSION"))]),
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "no job's time: monitors compare it with their own clocks"
)]
fn started() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs_f64();
    now - age().unwrap_or_default().as_secs_f64()
}

/// For how long this process has run: it may have waited for its database since. `None` where the
/// system does not tell.
fn age() -> Option<Duration> {
    let stat = std::fs::read_to_string(STAT).ok()?;
    // The name, in brackets, may contain anything. See proc_pid_stat(5): `starttime` is field 22,
    // in ticks since boot, and the first one after the name is field 3.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: f64 = fields.split_whitespace().nth(22 - 3)?.parse().ok()?;
    let began = ticks / clock_ticks_per_second() as f64;
    let since_boot = seconds(clock_gettime(ClockId::Boottime));
    Duration::try_from_secs_f64(since_boot - began).ok()
}

fn cpu_seconds() -> f64 {
    seconds(clock_gettime(ClockId::ProcessCPUTime))
}

fn seconds(time: Timespec) -> f64 {
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string(STATUS).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

fn open_files() -> Option<f64> {
    Some(std::fs::read_dir(OPEN_FILES).ok()?.count() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_no_older_than_its_machine_and_takes_memory_and_files() {
        let since_boot = seconds(clock_gettime(ClockId::Boottime));
        let age = age().unwrap().as_secs_f64();
        assert!(age < since_boot, "{age} of {since_boot} s");
        assert!(age < 3600.0, "a run of tests takes no hour: {age} s");
        assert!(resident_bytes().unwrap() > 1e6);
        assert!(open_files().unwrap() >= 3.0);
    }
}
