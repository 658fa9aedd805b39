//! Checks what a visitor may see and do. The scopes are those of the API; a browser shows a cookie instead of a
//! key.

use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};
use tokio::sync::OnceCell;

use super::pages::{errors, sign_in};
use super::session::{COOKIE, Session};
use crate::http::ApiState;
use crate::http::foreign;
use crate::http::shared::{Caller, Problem, ProblemKind, Scope, Scopes, is_changing};

/// What stands before the pages of a process.
pub struct Door {
    /// The service listens on this machine's own address alone.
    is_local: bool,
    secret: OnceCell<String>,
}

impl Door {
    pub fn new(is_local: bool) -> Self {
        Self {
            is_local,
            secret: OnceCell::new(),
        }
    }

    /// What cookies are signed with.
    pub async fn secret(&self, state: &ApiState) -> Result<&str, Problem> {
        let asked = || state.ask(|database| async move { database.dashboard_secret().await });
        Ok(self.secret.get_or_try_init(asked).await?)
    }

    /// True if nobody but this machine's own people can have sent the request: no proxy passed it
    /// on, and no name of a stranger's DNS led to it.
    fn is_from_here(&self, request: &HttpRequest, state: &ApiState) -> bool {
        const FORWARDED: [&str; 2] = ["forwarded", "via"];
        let headers = request.headers();
        let was_passed_on = headers.keys().any(|name| {
            let name = name.as_str();
            FORWARDED.contains(&name) || name.starts_with("x-forwarded-") || name == "x-real-ip"
        });
        self.is_local && !was_passed_on && foreign::is_known_host(headers, &state.settings)
    }
}

/// The visitor of a page.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    /// The name of the key; `None` where no keys are needed.
    pub key_name: Option<Arc<str>>,
    scopes: Option<Scopes>,
}

impl Visitor {
    pub fn of(request: &HttpRequest) -> Self {
        request.extensions().get().cloned().unwrap_or_default()
    }

    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.is_some_and(|scopes| scopes.include(scope))
    }

    fn everybody() -> Self {
        Self {
            key_name: None,
            scopes: Some(Scopes::ALL),
        }
    }
}

/// Why nobody is let in yet.
enum Closed {
    SignIn,
    Refused(Problem),
    /// Without keys the pages are for this machine alone.
    NotFromHere,
}

/// Middleware: lets a request pass if its visitor may do what it asks for.
pub async fn admit(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = match judge(request.request()).await {
        Ok(visitor) => {
            // The handlers of the API read it.
            if visitor.key_name.is_some() {
                let caller = Caller {
                    name: visitor.key_name.clone(),
                    is_operator: visitor.may(Scope::Operate),
                };
                request.extensions_mut().insert(caller);
            }
            request.extensions_mut().insert(visitor);
            return next.call(request).await;
        }
        Err(Closed::SignIn) => sign_in::first(request.request()),
        Err(Closed::NotFromHere) => errors::not_from_here(request.request()),
        Err(Closed::Refused(problem)) => return Ok(request.error_response(problem)),
    };
    Ok(request.into_response(response))
}

async fn judge(request: &HttpRequest) -> Result<Visitor, Closed> {
    let (Some(state), Some(door)) = (
        request.app_data::<web::Data<ApiState>>(),
        request.app_data::<web::Data<Door>>(),
    ) else {
        return Err(Closed::Refused(Problem::internal()));
    };
    refuse_other_pages(request, state).map_err(Closed::Refused)?;
    let Some(keys) = state.settings.api_keys.current() else {
        return match door.is_from_here(request, state) {
            true => Ok(Visitor::everybody()),
            false => Err(Closed::NotFromHere),
        };
    };
    let session = cookie(request).and_then(Session::read);
    let session = session.ok_or(Closed::SignIn)?;
    let secret = door.secret(state).await.map_err(Closed::Refused)?;
    let (hash, scopes) = keys.named(&session.key_name).ok_or(Closed::SignIn)?;
    if !session.is_of(secret, hash) {
        return Err(Closed::SignIn);
    }
    let visitor = Visitor {
        key_name: Some(session.key_name.into()),
        scopes: Some(scopes),
    };
    // Decoded, as the router sees it: an encoded letter leads to the same route.
    let path = request.match_info().as_str();
    let needed = needed(request.method(), path);
    if !visitor.may(needed) {
        let detail = format!("The key lacks the scope `{}`.", needed.as_str());
        return Err(Closed::Refused(Problem::new(
            ProblemKind::Forbidden,
            detail,
        )));
    }
    if let (Some(limit), Some(name)) = (&state.rate_limit, &visitor.key_name)
        && !is_picture(path)
    {
        limit.admit(name).map_err(Closed::Refused)?;
    }
    Ok(visitor)
}

/// The pictures of one page would use up what a key may ask for.
fn is_picture(path: &str) -> bool {
    path.starts_with("/ui/images/") && !path.ends_with("/events")
}

/// The value of our cookie (RFC 6265, section 4.2.1).
fn cookie(request: &HttpRequest) -> Option<&str> {
    let headers = request.headers().get_all(header::COOKIE);
    let mut pairs = headers
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// The scope that a request under `/ui` needs: that of the call of the API that it makes.
fn needed(method: &Method, path: &str) -> Scope {
    let is_of = |word: &str| {
        let rest = path
            .strip_prefix("/ui/")
            .and_then(|rest| rest.strip_prefix(word));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match is_changing(method) {
        // Their URLs may hold secrets.
        _ if is_of("webhooks") => Scope::Operate,
        // All jobs that fit are counted.
        _ if is_of("actions/new") => Scope::Operate,
        false => Scope::Read,
        // Of its own jobs; the handlers see to that.
        true if is_of("jobs") || is_of("batches") || is_of("submit") => Scope::Submit,
        true => Scope::Operate,
    }
}

/// Only our own pages change anything: a browser sends the cookie with whatever a page of the same
/// site asks for.
pub fn refuse_other_pages(request: &HttpRequest, state: &ApiState) -> Result<(), Problem> {
    if !is_changing(request.method()) {
        return Ok(());
    }
    let site = request.headers().get("sec-fetch-site");
    let is_ours = site.is_none_or(|site| site == "same-origin" || site == "none");
    match foreign::refusal(request.method(), request.headers(), &state.settings) {
        Some(problem) => Err(problem),
        None if is_ours => Ok(()),
        None => {
            let detail = "Only the dashboard's own pages change something.";
            Err(Problem::new(ProblemKind::ForeignRequest, detail))
        }
    }
}

/// Middleware: shows people a page where programs read a problem document.
pub async fn in_pages(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?;
    let status = response.status();
    let is_page = |value: &header::HeaderValue| value.as_bytes().starts_with(b"text/html");
    let kind = response.headers().get(header::CONTENT_TYPE);
    if !(status.is_client_error() || status.is_server_error()) || kind.is_some_and(is_page) {
        return Ok(response);
    }
    let problem = response
        .response()
        .error()
        .and_then(|error| error.as_error::<Problem>());
    let mut page: HttpResponse = errors::page(response.request(), status, problem);
    for name in [header::RETRY_AFTER, header::ALLOW, header::CONTENT_RANGE] {
        if let Some(value) = response.headers().get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    Ok(response.into_response(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_needs_what_its_call_of_the_api_needs() {
        for (method, path, scope) in [
            (Method::GET, "/ui", Scope::Read),
            (Method::GET, "/ui/jobs", Scope::Read),
            (Method::POST, "/ui/jobs/1/retry", Scope::Submit),
            (Method::POST, "/ui/jobsx/1/retry", Scope::Operate),
            (Method::POST, "/ui/batches/1/cancel", Scope::Submit),
            (Method::POST, "/ui/submit", Scope::Submit),
            (Method::POST, "/ui/actions", Scope::Operate),
            (Method::POST, "/ui/queue/pause", Scope::Operate),
            (Method::GET, "/ui/actions", Scope::Read),
            (Method::GET, "/ui/actions/new", Scope::Operate),
            (Method::GET, "/ui/webhooks", Scope::Operate),
            (Method::GET, "/ui/webhooks/1", Scope::Operate),
            (Method::POST, "/ui/unknown", Scope::Operate),
        ] {
            assert_eq!(needed(&method, path), scope, "{method} {path}");
        }
    }
}
