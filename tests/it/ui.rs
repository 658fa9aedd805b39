//! The dashboard as a browser gets it, over a socket.

mod access;
mod browser;
mod flow;
mod job_pages;
mod operation;
mod overview;

use thumbforge::http::{ApiKeys, ApiSettings};

use crate::api::harness::{Api, settings};
use crate::support::http_client::{Answer, request};

pub const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// By `printf %s KEY | sha256sum` of `secret-one`, `secret-two` and `secret-three`.
const KEYS: &str = "
operator:ea77193cc4e6f18656f3130e296203880c4b9b3772afc855211b82fdd46e9185:read,submit,operate
reader:cebdf378f2d2bd60d3e3693349e8f20f329daf11a276f849996f0a6377e2155b:read
submitter:2a32a097d0e385878ded206d7c22422ba962802dce9707796c3e10324a6b7478:read,submit";

pub const OPERATOR: &str = "secret-one";
pub const READER: &str = "secret-two";
pub const SUBMITTER: &str = "secret-three";

pub fn keyed() -> ApiSettings {
    ApiSettings {
        api_keys: ApiKeys::parse(KEYS).unwrap().into(),
        ..settings()
    }
}

/// Open to this machine.
pub async fn open() -> Api {
    Api::on_sqlite(settings()).await
}

/// Open to whoever has a key.
pub async fn guarded() -> Api {
    Api::on_sqlite(keyed()).await
}

/// A page, as text, of a status that is expected.
pub fn html(answer: &Answer, status: u16) -> String {
    let text = String::from_utf8(answer.body.clone()).unwrap();
    assert_eq!(answer.status, status, "{text}");
    let kind = answer.header("content-type");
    assert_eq!(kind, Some("text/html; charset=utf-8"), "{text}");
    let policy = answer.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
    // What the policy would stop.
    for inline in [" style=", "<style", "<script>", " onclick=", "javascript:"] {
        assert!(!text.contains(inline), "{inline}: {text}");
    }
    text
}

/// Signs in; the cookie as a header's value.
pub async fn sign_in(api: &Api, key: &str) -> String {
    let body = format!("key={key}");
    let answer = request(api.address, "POST", "/ui/sign-in", &[FORM], body.as_bytes()).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let cookie = answer.header("set-cookie").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// Presses a button of a page.
pub async fn press(api: &Api, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let origin = format!("http://{}", api.address);
    let all = [
        &[FORM, ("Origin", &origin), ("Sec-Fetch-Site", "same-origin")],
        headers,
    ]
    .concat();
    request(api.address, "POST", target, &all, body.as_bytes()).await
}
