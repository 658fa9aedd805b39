//! How long a worker may hold a job without renewing its claim.

use std::time::Duration;

/// No lease is ever longer.
pub const LONGEST_LEASE: Duration = Duration::from_secs(3600);
