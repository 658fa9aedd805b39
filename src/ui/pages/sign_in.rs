//! Signing in with an API key, and out again.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::http::ApiState;
use crate::http::shared::{Prefix, Problem, ProblemKind, Scope, is_changing};
use crate::ui::frame::{Frame, Section, answer, see};
use crate::ui::gate::{Door, refuse_other_pages};
use crate::ui::session::{self, COOKIE, LIFETIME};

const HOME: &str = "/ui";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    next: String,
    fault: Option<&'static str>,
}

#[derive(Deserialize)]
pub struct SignInForm {
    key: String,
    #[serde(default)]
    next: String,
}

/// Leads to the page where one signs in, and back from there.
pub fn first(request: &HttpRequest) -> HttpResponse {
    // What a form sends can't be asked for again.
    let asked = request.uri().path_and_query();
    let wanted = asked
        .filter(|_| !is_changing(request.method()))
        .map_or(HOME, |path| path.as_str());
    let next: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
    let path = match wanted == HOME {
        true => "/ui/sign-in".to_owned(),
        false => format!("/ui/sign-in?next={next}"),
    };
    // A part of a page is not exchanged for another page.
    if request.headers().contains_key("hx-request") {
        return HttpResponse::NoContent()
            .insert_header(("HX-Redirect", Prefix::of(request).link(&path)))
            .finish();
    }
    see(&path)
}

pub async fn show(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    if !state.settings.api_keys.are_needed() {
        return Ok(see(HOME));
    }
    let query = url::form_urlencoded::parse(request.query_string().as_bytes());
    let next = query.into_iter().find(|(name, _)| name == "next");
    let next = next.map_or_else(String::new, |(_, next)| own_page(&next).to_owned());
    page(&request, StatusCode::OK, next, None)
}

fn page(
    request: &HttpRequest,
    status: StatusCode,
    next: String,
    fault: Option<&'static str>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::of(request, Section::Other, "Sign in");
    answer(status, &SignInPage { frame, next, fault })
}

pub async fn sign_in(
    request: HttpRequest,
    state: web::Data<ApiState>,
    door: web::Data<Door>,
    form: web::Form<SignInForm>,
) -> Result<HttpResponse, Problem> {
    refuse_other_pages(&request, &state)?;
    let SignInForm { key, next } = form.into_inner();
    let next = own_page(&next).to_owned();
    let Some(keys) = state.settings.api_keys.current() else {
        return Ok(see(HOME));
    };
    let Some((name, scopes)) = keys.find(key.trim()) else {
        let fault = "This key is unknown. It is the key itself that is asked for, not its hash.";
        return page(&request, StatusCode::UNAUTHORIZED, next, Some(fault));
    };
    if !scopes.include(Scope::Read) {
        let fault = "This key lacks the scope `read`: it can see nothing here.";
        return page(&request, StatusCode::FORBIDDEN, next, Some(fault));
    }
    let Some((hash, _)) = keys.named(name) else {
        return Err(Problem::new(
            ProblemKind::Unauthorized,
            "The key is unknown.",
        ));
    };
    let now = state
        .ask(|database| async move { database.now().await })
        .await?;
    let value = session::cookie(door.secret(&state).await?, now, name, hash);
    tracing::info!(api_key.name = &**name, "signed in to the dashboard");
    let mut response = see(&next);
    set_cookie(&mut response, &request, &state, &value, LIFETIME.as_secs())?;
    Ok(response)
}

pub async fn sign_out(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    refuse_other_pages(&request, &state)?;
    let mut response = see("/ui/sign-in");
    set_cookie(&mut response, &request, &state, "", 0)?;
    Ok(response)
}

/// For the dashboard alone: the API takes no cookie. `seconds` is how long it is kept.
fn set_cookie(
    response: &mut HttpResponse,
    request: &HttpRequest,
    state: &ApiState,
    value: &str,
    seconds: u64,
) -> Result<(), Problem> {
    let path = Prefix::of(request).link(HOME);
    let secure = if came_by_tls(request, state) {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!(
        "{COOKIE}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    );
    let cookie = header::HeaderValue::from_str(&cookie).map_err(|error| {
        tracing::error!(%error, "a cookie could not be set");
        Problem::internal()
    })?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(())
}

/// Whether the browser speaks TLS, to us or to a proxy. A client that lies harms itself alone.
pub(super) fn came_by_tls(request: &HttpRequest, state: &ApiState) -> bool {
    let says = |name: header::HeaderName, start: &str| {
        let value = request.headers().get(name);
        value.is_some_and(|value| value.as_bytes().starts_with(start.as_bytes()))
    };
    let public = state.settings.public_url.as_ref();
    public.is_some_and(|url| url.scheme() == "https")
        || says(header::ORIGIN, "https://")
        || says(header::X_FORWARDED_PROTO, "https")
}

/// A page of the dashboard, if `path` is one; else the first.
fn own_page(path: &str) -> &str {
    let rest = path.strip_prefix(HOME).unwrap_or("x");
    let is_own = rest.is_empty() || rest.starts_with(['/', '?']);
    let is_plain = path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_own && is_plain { path } else { HOME }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for path in ["/ui", "/ui/jobs?status=failed", "/ui?x"] {
            assert_eq!(own_page(path), path);
        }
        for path in [
            "",
            "/",
            "//evil.example",
            "https://evil.example",
            "/uix",
            "/ui\\x",
            "/ui/\r\nX: y",
            "/v1/images",
        ] {
            assert_eq!(own_page(path), HOME, "{path}");
        }
    }
}
