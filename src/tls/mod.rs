//! TLS as a client: which certificates are trusted, and how. Sources, Postgres and Redis share it.
//!
//! | file | thought |
//! | --- | --- |
//! | `roots` | the authorities that may vouch for a server |
//! | `pem` | certificates and keys from files |
//! | `verifier` | how much of a server's certificate is checked |
//! | `client` | all of that together |
//! | `fault` | why no TLS came about, in words |

mod client;
mod fault;
mod pem;
mod roots;
mod verifier;

pub use client::{ClientTls, Versions};
pub use fault::{TlsFault, explain};
pub use pem::{Identity, PemError, read_certificates};
pub use roots::{public_roots, roots_of, system_roots};
pub use verifier::Verification;
