//! Asks for an API key, where keys are configured, and for the scope that a request needs.

use actix_web::dev::ServiceRequest;
use actix_web::http::header;

use super::problem::Problem;
use super::problem_kind::ProblemKind;
use super::scope::Scope;
use super::state::ApiSettings;

/// Why a request is refused, if it is.
pub(super) fn refusal(request: &ServiceRequest, settings: &ApiSettings) -> Option<Problem> {
    let keys = settings.api_keys.as_ref()?;
    let unauthorized = |detail| Some(Problem::new(ProblemKind::Unauthorized, detail));
    let Some(token) = bearer_token(request) else {
        return unauthorized("Send the key as `Authorization: Bearer <key>`.");
    };
    let Some((name, scopes)) = keys.find(token) else {
        return unauthorized("The key is unknown.");
    };
    tracing::debug!(api_key.name = name, "caller known by its key");
    let needed = Scope::needed(request.method(), request.path());
    if scopes.include(needed) {
        return None;
    }
    let detail = format!("The key lacks the scope `{}`.", needed.as_str());
    Some(Problem::new(ProblemKind::Forbidden, detail))
}

fn bearer_token(request: &ServiceRequest) -> Option<&str> {
    let value = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start())
}
