//! How many connections this process can hold without starving its other parts of descriptors.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Most connections at once, whatever the system allows; each takes about 12 kB.
const MAX_CONNECTIONS: u64 = 10_000;

/// How many connections fit: three of four descriptors. The rest is for databases, downloads and
/// files, which a flood of connections would otherwise take down too.
pub fn connections_that_fit() -> usize {
    share_of(raise_open_files())
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
fn share_of(open_files: Option<u64>) -> usize {
    let share = open_files.map_or(MAX_CONNECTIONS, |files| files - files / 4);
    usize::try_from(share.clamp(16, MAX_CONNECTIONS)).unwrap_or(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_is_left_to_others() {
        assert_eq!(share_of(Some(1024)), 768);
        assert_eq!(share_of(Some(1_048_576)), 10_000);
        assert_eq!(share_of(None), 10_000);
        assert_eq!(share_of(Some(4)), 16);
    }
}
