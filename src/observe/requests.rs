//! What an HTTP server counts: requests by route, method and status.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::durations::{Durations, OF_REQUESTS};

/// The route of requests that lead nowhere.
const UNMATCHED: &str = "unmatched";
/// Whatever is not listed is the last.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "other"];
/// Statuses that are counted apart; all others together.
const STATUSES: [u16; 27] = [
    200, 201, 202, 204, 206, 304, 307, 400, 401, 403, 404, 405, 408, 409, 410, 411, 412, 413, 414,
    415, 416, 422, 429, 431, 500, 501, 503,
];

/// The requests to all routes of a process. Clones share the numbers.
#[derive(Clone, Default)]
pub struct RequestMeters(Arc<Meters>);

struct Meters {
    routes: Mutex<BTreeMap<&'static str, Arc<RouteMeters>>>,
    requests: Requests,
    durations: Took,
}

type Requests = Family<RequestLabels, Counter>;
type Took = Family<RouteLabels, Durations, fn() -> Durations>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
    method: &'static str,
}

/// The requests to one route. Each number is looked up once, when it is first needed.
pub struct RouteMeters {
    route: &'static str,
    requests: Requests,
    durations: Took,
    cells: [OfMethod; METHODS.len()],
}

#[derive(Default)]
struct OfMethod {
    /// The last is for all other statuses.
    answered: [OnceLock<Counter>; STATUSES.len() + 1],
    took: OnceLock<Durations>,
}

impl Default for Meters {
    fn default() -> Self {
        let new: fn() -> Durations = || Durations::new(OF_REQUESTS);
        Self {
            routes: Mutex::default(),
            requests: Family::default(),
            durations: Family::new_with_constructor(new),
        }
    }
}

impl RequestMeters {
    /// The meters of a route by its template. To be kept: the look-up takes a lock.
    pub fn route(&self, template: &'static str) -> Arc<RouteMeters> {
        let meters = &*self.0;
        let mut routes = meters.lock();
        let known = routes.entry(template).or_insert_with(|| {
            Arc::new(RouteMeters {
                route: template,
                requests: meters.requests.clone(),
                durations: meters.durations.clone(),
                cells: Default::default(),
            })
        });
        Arc::clone(known)
    }

    /// Those of requests that lead nowhere.
    pub fn unmatched(&self) -> Arc<RouteMeters> {
        self.route(UNMATCHED)
    }

    /// Those of a route that is known by this template.
    pub fn known(&self, template: &str) -> Option<Arc<RouteMeters>> {
        self.0.lock().get(template).cloned()
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "http_requests",
            "Answered requests by the template of their route; `unmatched` for all that lead \
             nowhere",
            self.0.requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "From the head of a request to the head of its answer",
            self.0.durations.clone(),
        );
    }
}

impl Meters {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<RouteMeters>>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RouteMeters {
    pub fn is_unmatched(&self) -> bool {
        self.route == UNMATCHED
    }

    /// Counts a request that was answered with `status` after `took`.
    pub fn note(&self, method: &str, status: u16, took: Duration) {
        let last = METHODS.len() - 1;
        let place = METHODS.iter().position(|known| *known == method);
        let place = place.unwrap_or(last);
        let cell = &self.cells[place];
        let (route, method) = (self.route, METHODS[place]);
        let known = STATUSES.iter().position(|known| *known == status);
        let answered = &cell.answered[known.unwrap_or(STATUSES.len())];
        answered
            .get_or_init(|| {
                let status = known.map_or_else(|| "other".to_owned(), |_| status.to_string());
                self.requests.get_or_create_owned(&RequestLabels {
                    route,
                    method,
                    status,
                })
            })
            .inc();
        cell.took
            .get_or_init(|| {
                self.durations
                    .get_or_create_owned(&RouteLabels { route, method })
            })
            .note(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_there_is_an_end_of_labels() {
        let meters = RequestMeters::default();
        let route = meters.unmatched();
        for method in ["GET", "PROPFIND", "X", "get"] {
            for status in 100..1000 {
                route.note(method, status, Duration::from_millis(1));
            }
        }
        let mut registry = Registry::default();
        meters.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let series = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!(series("http_requests_total{"), 2 * (STATUSES.len() + 1));
        assert_eq!(series("http_request_duration_seconds_count{"), 2);
        assert!(meters.known("/x").is_none());
        assert!(meters.known(UNMATCHED).is_some());
    }
}
