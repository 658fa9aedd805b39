//! How many connections this process can hold without starving its other parts of descriptors.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many connections fit, `most` at most: three of four descriptors. The rest is for databases,
/// downloads and files, which a flood of connections would otherwise take down too.
pub fn connections_that_fit(most: usize) -> usize {
    share_of(raise_open_files(), most)
}

/// Raises the limit on open files as far as an unprivileged process may, and returns it; `None` is
/// no limit.
pub fn raise_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit on open files could not be raised");
            limit.current
        }
    }
}

/// `None` means unlimited.
fn share_of(open_files: Option<u64>, most: usize) -> usize {
    let share = open_files.map_or(u64::MAX, |files| files - files / 4);
    usize::try_from(share)
        .unwrap_or(usize::MAX)
        .clamp(16, most.max(16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_is_left_to_others() {
        assert_eq!(share_of(Some(1024), 10_000), 768);
        assert_eq!(share_of(Some(1_048_576), 10_000), 10_000);
        assert_eq!(share_of(None, 10_000), 10_000);
        assert_eq!(share_of(Some(4), 10_000), 16);
        assert_eq!(share_of(None, 1), 16);
    }
}
