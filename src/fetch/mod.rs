//! The guarded download: address policy, resolver, redirects, limits.
//!
//! An HTTP client (reqwest) that can't get past these checks. Every request passes them all, and so
//! does every redirect:
//!
//! 1. [`SourcePolicy::check_url`]: port, host name, literal address (also at submission);
//! 2. [`judged_names`]: every address of a name is judged; one forbidden answer refuses the name;
//! 3. [`peer_guard`]: the peer that was reached is judged before a byte of the request is sent;
//! 4. [`head`], [`body`], [`coding`]: the answer is bounded in bytes, fields, memory and time.
//!
//! The client follows no redirects, and has no cookies, credentials, `Referer`, or proxies except
//! the operator's.

mod body;
mod clients;
mod coding;
mod download;
mod ended;
mod error;
mod fetcher;
mod head;
mod hop_clock;
mod hops;
mod judged_names;
mod kept_origins;
mod ledger;
mod memory;
mod pace;
mod peer_guard;
mod post;
mod request_fields;
mod resolver;
mod retry_after;
mod settings;
mod tls;
mod transport_error;
mod visit;

pub use thumbforge_intake::{AddressPolicy, Forbidden, SourcePolicy};

pub use download::Download;
pub use ended::Stopped;
pub use fetcher::Fetcher;
pub use hops::{AnyHop, HopReport, Hops};
pub use memory::DownloadMemory;
pub use post::{PostAnswer, Poster};
pub use resolver::{Resolve, Resolving, SystemResolver};
pub use settings::{FetchSettings, FetchSetupError};
