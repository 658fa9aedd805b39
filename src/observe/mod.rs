//! What this process counts about itself, in the form that Prometheus reads.
//!
//! The parts get handles and count with atomic additions; nothing is held over a wait. No label
//! holds what a stranger wrote: no URL, host, id or name of a key.
//!
//! | file | thought |
//! | --- | --- |
//! | `durations` | a histogram of atomics |
//! | `work` | what the workers count: outcomes, stages, bytes, leases |
//! | `deliveries` | what the deliverer of webhooks counts |
//! | `requests` | what the HTTP server counts: requests by route, method and status |
//! | `reading` | values that a part knows, asked for when somebody looks |
//! | `shared` | what only the database knows, asked for at most once a second |
//! | `process` | since when the process runs, and what it takes |
//! | `exposition` | all of it as text |

mod deliveries;
mod durations;
mod exposition;
mod process;
mod reading;
mod requests;
mod shared;
mod work;

pub use deliveries::{DeliveryMeters, DeliveryOutcome};
pub use exposition::{Exposition, Form};
pub use requests::{RequestMeters, RouteMeters};
pub use shared::{AskDatabase, SharedNumbers};
pub use work::{Stage, WorkMeters, WorkOutcome};
