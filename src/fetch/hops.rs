//! What a download asks about each origin that it visits, and what it reports.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::domain::Origin;

/// The caller's view of the requests of one download. The first request is asked for too: a
/// caller that has asked before answers at once.
pub trait Hops: Send + Sync {
    /// False if the origin may not be visited now. Then the download stops, and that is no failure.
    fn may_visit<'a>(&'a self, origin: &'a Origin) -> BoxFuture<'a, bool>;

    /// How a request went. A request is reported once when its answer's head is there, and again
    /// as [`HopReport::Failed`] if the body then breaks off or stops coming.
    fn report(&self, origin: &Origin, report: HopReport);
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HopReport {
    /// The head of an answer came, `after` this long from the start of the request.
    Answered {
        status: u16,
        /// `Retry-After`, if the answer has one.
        retry_after: Option<Duration>,
        after: Duration,
    },
    /// No answer, or only part of one: refused, reset, timed out, TLS. A name that does not exist,
    /// and an address that may not be fetched, are no failures of the origin and are not reported.
    Failed,
}

/// Every origin may be visited, and reports are dropped.
pub struct AnyHop;

impl Hops for AnyHop {
    fn may_visit<'a>(&'a self, _origin: &'a Origin) -> BoxFuture<'a, bool> {
        Box::pin(async { true })
    }

    fn report(&self, _origin: &Origin, _report: HopReport) {}
}
