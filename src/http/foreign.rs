//! Refuses changes for pages that are not our own. A browser sends a page's requests to whatever
//! its machine can reach: the local network, and services without keys.
//!
//! Programs other than browsers send neither `Origin` nor `Sec-Fetch-Site`.

use std::net::Ipv4Addr;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use url::{Host, Url};

use super::problem::Problem;
use super::problem_kind::ProblemKind;
use super::scope::is_changing;
use super::state::ApiSettings;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const FOREIGN_PAGE: &str = "The request comes from a page of another origin: name it in \
     THUMBFORGE_CORS_ALLOWED_ORIGINS, or in THUMBFORGE_PUBLIC_URL if it is this service's own.";
const FOREIGN_NAME: &str = "The service is not known under this host name: name it in \
     THUMBFORGE_PUBLIC_URL, or set API keys.";

/// Names that the public DNS does not have, so that it can't point them here from outside.
const LOCAL_SUFFIXES: [&str; 3] = [".localhost", ".local", ".internal"];

/// Why a request is refused, if it is. Requests that change nothing pass, and so do those of our
/// own and known pages.
pub(crate) fn refusal(
    method: &Method,
    headers: &HeaderMap,
    settings: &ApiSettings,
) -> Option<Problem> {
    if !is_changing(method) {
        return None;
    }
    let detail = fault(headers, settings)?;
    Some(Problem::new(ProblemKind::ForeignRequest, detail))
}

fn fault(headers: &HeaderMap, settings: &ApiSettings) -> Option<&'static str> {
    // It is unknown which of several a browser means.
    if headers.get_all(header::ORIGIN).count() > 1 {
        return Some(FOREIGN_PAGE);
    }
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let host = text(header::HOST);
    if let Some(origin) = text(header::ORIGIN) {
        if is_let_in(origin, &settings.cors_origins) {
            return None;
        }
        let own = settings.public_url.as_ref();
        if !own.is_some_and(|own| is_origin_of(origin, own)) && !is_of_host(origin, host) {
            return Some(FOREIGN_PAGE);
        }
    }
    if text(FETCH_SITE).is_some_and(|site| site.eq_ignore_ascii_case("cross-site")) {
        return Some(FOREIGN_PAGE);
    }
    let is_open = !settings.api_keys.are_needed();
    let is_strange = host.is_some_and(|host| !is_known_name(host, settings.public_url.as_ref()));
    (is_open && is_strange).then_some(FOREIGN_NAME)
}

/// True unless a stranger's DNS may have led a page to a service without keys.
pub(crate) fn is_known_host(headers: &HeaderMap, settings: &ApiSettings) -> bool {
    let host = headers.get(header::HOST);
    host.is_none_or(|host| {
        host.to_str()
            .is_ok_and(|host| is_known_name(host, settings.public_url.as_ref()))
    })
}

/// As the CORS setting allows.
fn is_let_in(origin: &str, allowed: &[String]) -> bool {
    let lets_in = |known: &String| known == "*" || known.eq_ignore_ascii_case(origin);
    allowed.iter().any(lets_in)
}

fn is_origin_of(origin: &str, url: &Url) -> bool {
    Url::parse(origin).is_ok_and(|origin| origin.origin() == url.origin())
}

/// True if the page came from where the request goes. A proxy may speak TLS for us, so the page's
/// scheme counts.
fn is_of_host(origin: &str, host: Option<&str>) -> bool {
    let Some((scheme @ ("http" | "https"), _)) = origin.split_once("://") else {
        return false;
    };
    let own = host.and_then(|host| authority(scheme, host));
    own.is_some_and(|own| is_origin_of(origin, &own))
}

fn authority(scheme: &str, host: &str) -> Option<Url> {
    let is_bare = !host.is_empty() && !host.contains(['/', '\\', '@', '?', '#']);
    let url = is_bare.then(|| Url::parse(&format!("{scheme}://{host}/")));
    url?.ok()
}

/// True unless a stranger's DNS may have led a page here.
fn is_known_name(host: &str, public: Option<&Url>) -> bool {
    let (before_port, _) = host.rsplit_once(':').unwrap_or((host, ""));
    if before_port.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    let Some(url) = authority("http", host) else {
        return false;
    };
    let name = match url.host() {
        Some(Host::Domain(name)) => name.trim_end_matches('.'),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => return true,
        None => return false,
    };
    let is_single = !name.is_empty() && !name.contains('.');
    let is_local = LOCAL_SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    is_single || is_local || public.and_then(Url::host_str) == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_our_own_if_it_came_from_the_host_that_it_asks() {
        for (origin, host) in [
            ("http://127.0.0.1:8000", "127.0.0.1:8000"),
            ("https://thumbs.example", "thumbs.example"),
            ("https://thumbs.example", "thumbs.example:443"),
            ("https://thumbs.example:8443", "THUMBS.example:8443"),
            ("http://[::1]:8000", "[::1]:8000"),
        ] {
            assert!(is_of_host(origin, Some(host)), "{origin} {host}");
        }
        for (origin, host) in [
            ("null", "thumbs.example"),
            ("", "thumbs.example"),
            ("https://evil.example", "thumbs.example"),
            ("https://thumbs.example.evil.example", "thumbs.example"),
            ("https://evil.example", "thumbs.example@evil.example"),
            ("http://127.0.0.1:3000", "127.0.0.1:8000"),
            ("https://thumbs.example", "thumbs.example:80"),
            ("file://thumbs.example", "thumbs.example"),
            ("https://thumbs.example", ""),
        ] {
            assert!(!is_of_host(origin, Some(host)), "{origin} {host}");
        }
        assert!(!is_of_host("https://thumbs.example", None));
    }

    #[test]
    fn names_that_strangers_can_own_are_not_known() {
        let public = Url::parse("https://Thumbs.Example:8443/path").unwrap();
        for host in [
            "127.0.0.1:8000",
            "[::1]",
            "192.0.2.7",
            "localhost:8000",
            "LOCALHOST.",
            "app.localhost",
            "api:8000",
            "printer.local",
            "thumbs.example",
            "thumbs.example.:80",
        ] {
            assert!(is_known_name(host, Some(&public)), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "thumbs.example.evil.example",
            "a/b",
            "api:x",
            "",
            ".",
        ] {
            assert!(!is_known_name(host, Some(&public)), "{host}");
        }
        assert!(!is_known_name("thumbs.example", None));
    }
}
