//! The fault suite: processes and servers are killed, frozen and cut off under a steady load, and
//! then every accepted job is audited. One line a fault is printed: `fault N: recovered in X s,
//! slowest job Y s, API outage Z s`.
//!
//! | variable | effect |
//! | --- | --- |
//! | `THUMBFORGE_FAULT_SEED` | repeats a schedule of fault 18 |
//! | `THUMBFORGE_FAULT_SECONDS` | length of fault 18 |
//! | `THUMBFORGE_FAULT_REPORT` | file whose list of figures is brought up to date |

#![expect(
    clippy::disallowed_methods,
    reason = "tests play the world around the service"
)]

#[path = "../support/mod.rs"]
mod support;

mod audit;
mod audit_events;
mod flood;
mod ledger;
mod load;
mod meddler;
mod report;
mod schedule;
mod stage;
mod yardstick;

mod clock_and_disk;
mod database_away;
mod database_server;
mod lost_claims;
mod lost_ids;
mod origin_breaker;
mod origin_caps;
mod origin_fairness;
mod origin_refuses;
mod origin_silent;
mod orphaned_files;
mod queue_failover;
mod queue_server;
mod random;
mod readiness;
mod rolling_upgrade;
mod sqlite;
mod stopping;
mod workers;
mod workers_panic;
mod workers_stopped;
