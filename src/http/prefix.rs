//! Where clients see the API: behind a proxy, maybe under a path of its own.

use actix_web::HttpMessage;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, web};
use thumbforge_intake::PathPrefix;

use super::state::ApiState;

const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The path that leads every link in the answer to one request. Empty at the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefix(PathPrefix);

impl Prefix {
    /// As the envelope has noted it.
    pub fn of(request: &HttpRequest) -> Self {
        request.extensions().get().cloned().unwrap_or_default()
    }

    /// The path of `PUBLIC_URL`.
    pub(super) fn of_url(url: &url::Url) -> Self {
        Self(PathPrefix::parse(url.path()).unwrap_or_default())
    }

    /// `path` begins with a slash.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.0.as_str())
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Notes for the handlers where this request's client sees the API: where a trusted proxy says so,
/// and else the path of `PUBLIC_URL`.
pub(super) fn note(request: &ServiceRequest) {
    let Some(state) = request.app_data::<web::Data<ApiState>>() else {
        return;
    };
    let prefix = forwarded(request, state).or_else(|| {
        let url = state.settings.public_url.as_ref()?;
        Some(Prefix::of_url(url).0)
    });
    if let Some(prefix) = prefix
        && !prefix.as_str().is_empty()
    {
        request.extensions_mut().insert(Prefix(prefix));
    }
}

fn forwarded(request: &ServiceRequest, state: &ApiState) -> Option<PathPrefix> {
    let mut given = request.headers().get_all(FORWARDED_PREFIX);
    let value = given.next()?;
    let peer = request.peer_addr()?.ip().to_canonical();
    let trusted = &state.settings.trusted_proxies;
    if !trusted.iter().any(|network| network.contains(&peer)) {
        if state.is_first_untrusted_prefix() {
            tracing::warn!(
                %peer,
                "X-Forwarded-Prefix is ignored: THUMBFORGE_TRUSTED_PROXIES does not name its \
                 sender (said once)"
            );
        }
        return None;
    }
    let prefix = value.to_str().ok().and_then(PathPrefix::parse);
    // It is unknown which of several is meant.
    let prefix = prefix.filter(|_| given.next().is_none());
    if prefix.is_none() {
        tracing::debug!(%peer, "X-Forwarded-Prefix is no plain path and is ignored");
    }
    prefix
}

/// Handlers, and answers that were stored, name paths of this service: here they become paths that
/// the client can follow.
pub(super) fn put_before_location<B>(response: &mut ServiceResponse<B>) {
    let prefix = Prefix::of(response.request());
    if prefix.as_str().is_empty() {
        return;
    }
    let location = response.headers().get(header::LOCATION);
    let path = location.and_then(|location| location.to_str().ok());
    let Some(path) = path.filter(|path| path.starts_with('/')) else {
        return;
    };
    if let Ok(location) = HeaderValue::from_str(&prefix.link(path)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
}
