//! Reads the body of a request: bounded in bytes and in time.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, Payload};
use thumbforge_intake::members::{self, ObjectBody};

use super::problem::Problem;
use super::problem_kind::ProblemKind;

/// The longest URL, with every byte escaped as `\u00xx`, fits, and so do 16 variants with every
/// member.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Bounds the reading, and so the handler. The [`Pace`](super::paced_stream::Pace) of its
/// connection bounds what a client sends after its answer.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Reads and checks a body that must be there.
pub async fn read_object<T: ObjectBody>(
    request: &HttpRequest,
    payload: Payload,
) -> Result<T, Problem> {
    Ok(members::parse(&read_json(request, payload).await?)?)
}

/// Reads the bytes of a JSON body that must be there.
pub async fn read_json(request: &HttpRequest, payload: Payload) -> Result<Bytes, Problem> {
    require_plain_json(request)?;
    read_bytes(request, payload).await
}

/// Reads and checks a body that may be left out.
pub async fn read_optional_object<T: ObjectBody>(
    request: &HttpRequest,
    payload: Payload,
) -> Result<Option<T>, Problem> {
    let bytes = read_bytes(request, payload).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    require_plain_json(request)?;
    Ok(Some(members::parse(&bytes)?))
}

pub(super) fn require_plain_json(request: &HttpRequest) -> Result<(), Problem> {
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
            format!("The body may have at most {MAX_BODY_BYTES} bytes."),
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
