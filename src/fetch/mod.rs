//! The guarded download: address policy, resolver, redirects, limits.
//!
//! A small HTTP/1.1 client of our own, because the guard needs what general clients hide: how an
//! answer is framed, what an idle connection received, and which address each connection reached.
//! One request passes these gates, and every redirect passes all of them again:
//!
//! 1. [`SourcePolicy::check_url`]: port, host name, literal address (also at submission);
//! 2. [`resolver`]: every address of a name is judged; one forbidden answer refuses the name;
//! 3. [`connector`]: only a judged address is dialled, and the peer that was reached is judged;
//! 4. [`response`], [`body`]: the answer is bounded in bytes, fields and time.
//!
//! There are no proxies, cookies, credentials, `Referer` or content codings, and only HTTP/1.1 is
//! spoken: an image is one request, and every server that serves images speaks it.

mod address_policy;
mod body;
mod connection;
mod connector;
mod error;
mod fetcher;
mod fields;
mod framing;
mod hops;
mod pace;
mod pool;
mod request;
mod resolver;
mod response;
mod retry_after;
mod settings;
mod source_policy;
mod tls;

pub use address_policy::AddressPolicy;
pub use fetcher::{Download, Fetcher, Stopped};
pub use hops::{AnyHop, HopReport, Hops};
pub use resolver::{Resolve, Resolving, SystemResolver};
pub use settings::{FetchSettings, FetchSetupError};
pub use source_policy::{Forbidden, SourcePolicy};
