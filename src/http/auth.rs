//! Asks for an API key, where keys are configured, and for the scope that a request needs.

use actix_web::dev::ServiceRequest;
use actix_web::http::header;

use super::api_keys::ApiKeys;
use super::caller::Caller;
use super::problem::Problem;
use super::problem_kind::ProblemKind;
use super::scope::Scope;

/// Whose request it is.
///
/// # Errors
/// Why the request is refused.
pub(super) fn caller(request: &ServiceRequest, keys: &ApiKeys) -> Result<Caller, Problem> {
    let unauthorized = |detail| Err(Problem::new(ProblemKind::Unauthorized, detail));
    let Some(token) = bearer_token(request) else {
        return unauthorized("Send the key as `Authorization: Bearer <key>`.");
    };
    let Some((name, scopes)) = keys.find(token) else {
        return unauthorized("The key is unknown.");
    };
    tracing::debug!(api_key.name = &**name, "caller known by its key");
    // Decoded, as the router sees it: an encoded letter leads to the same route.
    let needed = Scope::needed(request.method(), request.match_info().as_str());
    if !scopes.include(needed) {
        let detail = format!("The key lacks the scope `{}`.", needed.as_str());
        return Err(Problem::new(ProblemKind::Forbidden, detail));
    }
    Ok(Caller {
        name: Some(name.clone()),
        is_operator: scopes.include(Scope::Operate),
    })
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
