//! Reports to other services what happened, as Standard Webhooks 1.0.0 says
//! (<https://www.standardwebhooks.com>).
//!
//! Deliveries are rows with leases: whatever dies, each is made at least once, always with the same
//! id. Every receiver has its own deliveries and its own share of those in flight, so that a slow one
//! delays no other.
//!
//! | file | what |
//! | --- | --- |
//! | `deliverer` | finds what is to be sent, and sends it |
//! | `delivery` | one try |
//! | `signature` | signs what is sent |
//! | `secrets` | how the signing secrets are kept |

mod deliverer;
mod delivery;
mod secrets;
mod signature;

use std::sync::Arc;

use crate::domain::PublicEvent;

pub use deliverer::{Deliverer, test_delivery};
pub use secrets::{SecretBox, SecretError};

/// The JSON of an event, as receivers get it.
pub type Render = Arc<dyn Fn(&PublicEvent) -> Result<String, String> + Send + Sync>;
