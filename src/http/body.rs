//! Reads the body of a submission: bounded in bytes and in time, and precise about its faults.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, Payload};
use serde_json::Value;

use super::dto::SubmitBody;
use super::problem::{Problem, RequestFault};
use super::problem_kind::ProblemKind;

/// A URL of the longest kind, with every byte escaped as `\u00xx`, fits.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// Bounds the reading, and so the handler. What a client sends after its answer is bounded by the
/// [`Pace`](super::paced_stream::Pace) of its connection.
pub(super) const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Reads and checks the body of `POST /v1/images`.
pub async fn read_submission(
    request: &HttpRequest,
    payload: Payload,
) -> Result<SubmitBody, Problem> {
    require_plain_json(request)?;
    let bytes = read_bytes(request, payload).await?;
    parse(&bytes)
}

fn require_plain_json(request: &HttpRequest) -> Result<(), Problem> {
    let header_text = |name| {
        request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let refuse = |detail| Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
    let Some(content_type) = header_text(header::CONTENT_TYPE) else {
        return refuse("Send the header `Content-Type: application/json`.");
    };
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !essence.trim().eq_ignore_ascii_case("application/json") {
        return refuse("Send the header `Content-Type: application/json`.");
    }
    let charset = parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    if charset
        .is_some_and(|(_, value)| !value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"))
    {
        return refuse("JSON is read as UTF-8 only.");
    }
    match header_text(header::CONTENT_ENCODING) {
        None => Ok(()),
        Some(encoding) if encoding.eq_ignore_ascii_case("identity") => Ok(()),
        Some(_) => refuse("Compressed bodies are not read; leave Content-Encoding out."),
    }
}

async fn read_bytes(request: &HttpRequest, payload: Payload) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(
            ProblemKind::BodyTooLarge,
            format!("The body may have {MAX_BODY_BYTES} bytes."),
        )
    };
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(too_large());
    }
    let reading = payload.to_bytes_limited(MAX_BODY_BYTES);
    match tokio::time::timeout(BODY_DEADLINE, reading).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(_broken_connection))) => Err(Problem::new(
            ProblemKind::BadRequest,
            "The body ended early or was framed wrongly.",
        )),
        Ok(Err(_limit_exceeded)) => Err(too_large()),
        Err(_elapsed) => Err(Problem::new(
            ProblemKind::RequestTimeout,
            "The body did not arrive in time.",
        )),
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<SubmitBody, Problem> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    match serde_json::from_slice(bytes) {
        // serde would take an array for a struct, member by member.
        Ok(body) if first == Some(&b'{') => Ok(body),
        Ok(_) => Err(explain(bytes, "must be an object")),
        Err(error) => Err(explain(bytes, &error.to_string())),
    }
}

/// Reads the body anew as any JSON: the first parser stops at the first fault, which may be the
/// wrong type of a member in what is no JSON further on, and it can't point at it.
fn explain(bytes: &[u8], first: &str) -> Problem {
    let value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => return Problem::new(ProblemKind::MalformedJson, sentence(&error)),
    };
    let mut faults = faults(&value);
    if faults.is_empty() {
        faults.push(RequestFault::in_body("#", first));
    }
    let detail = "Send an object with one member, `url`, that is a string.";
    Problem::new(ProblemKind::InvalidBody, detail).with_errors(faults)
}

fn sentence(error: &serde_json::Error) -> String {
    if error.is_eof() {
        String::from("The JSON ends too early.")
    } else {
        format!(
            "There is a syntax error at line {}, column {}.",
            error.line(),
            error.column()
        )
    }
}

fn faults(value: &Value) -> Vec<RequestFault> {
    let Value::Object(members) = value else {
        return vec![RequestFault::in_body("#", "must be an object")];
    };
    let url = match members.get("url") {
        None => Some("is required"),
        Some(Value::String(_)) => None,
        Some(_) => Some("must be a string"),
    };
    let url = url.map(|detail| RequestFault::in_body("#/url", detail));
    let unknown = members.keys().filter(|name| *name != "url");
    url.into_iter()
        .chain(unknown.map(|name| RequestFault::in_body(pointer(name), "is not known")))
        .collect()
}

/// JSON pointer to a member, as URI fragment (RFC 6901, sections 3 and 6).
fn pointer(member: &str) -> String {
    let escaped = member.replace('~', "~0").replace('/', "~1");
    let encoded: String = url::form_urlencoded::byte_serialize(escaped.as_bytes()).collect();
    // The encoder is one for forms: a fragment has spaces as %20 and may have `~` as it is.
    format!("#/{}", encoded.replace('+', "%20").replace("%7E", "~"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> (ProblemKind, Vec<RequestFault>) {
        match parse(text.as_bytes()) {
            Ok(body) => panic!("accepted {text} as {body:?}"),
            Err(problem) => (problem.kind, problem.errors),
        }
    }

    #[test]
    fn text_that_is_no_json_is_malformed() {
        for text in [
            "",
            "{",
            "{\"url\": }",
            "url",
            "{\"url\": \"\u{1}\"}",
            "\u{feff}{}",
            "[7",
            "{\"url\": 7",
            "{\"url\": \"a\"} {}",
        ] {
            assert_eq!(refusal(text).0, ProblemKind::MalformedJson, "{text}");
        }
        let deep = "[".repeat(10_000);
        assert_eq!(refusal(&deep).0, ProblemKind::MalformedJson);
    }

    #[test]
    fn invalid_utf8_is_malformed() {
        let kind = parse(b"{\"url\": \"\xff\"}").map_err(|problem| problem.kind);
        assert_eq!(kind.err(), Some(ProblemKind::MalformedJson));
    }

    #[test]
    fn every_fault_of_the_fields_is_pointed_at() {
        for (text, expected) in [
            ("[]", vec![("#", "must be an object")]),
            (
                " [\"https://a.example/\"]",
                vec![("#", "must be an object")],
            ),
            ("null", vec![("#", "must be an object")]),
            ("{}", vec![("#/url", "is required")]),
            ("{\"url\": 1}", vec![("#/url", "must be a string")]),
            (
                "{\"url\": null, \"a/b c~\": 1}",
                vec![
                    ("#/url", "must be a string"),
                    ("#/a~1b%20c~0", "is not known"),
                ],
            ),
        ] {
            let (kind, errors) = refusal(text);
            assert_eq!(kind, ProblemKind::InvalidBody, "{text}");
            let errors: Vec<_> = errors
                .iter()
                .map(|fault| (fault.pointer.as_deref().unwrap(), fault.detail.as_str()))
                .collect();
            assert_eq!(errors, expected, "{text}");
        }
    }

    #[test]
    fn a_member_given_twice_is_refused() {
        let (kind, errors) = refusal("{\"url\": \"a\", \"url\": \"b\"}");
        assert_eq!(kind, ProblemKind::InvalidBody);
        assert_eq!(errors.len(), 1);
    }
}
