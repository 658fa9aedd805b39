//! What a client would like, if it can be had (RFC 7240): to wait for the end of its job.

use std::time::Duration;

use actix_web::http::header::HeaderMap;
use thumbforge_intake::LONGEST_WAIT;

const PREFER: &str = "prefer";

/// What is said of a preference that was followed.
pub(super) const APPLIED: &str = "preference-applied";

/// The seconds of `wait`, if the client sent a sound one; of several the first counts. Longer waits
/// are cut to half a minute.
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let given = headers
        .get_all(PREFER)
        .filter_map(|value| value.to_str().ok());
    let mut preferences = given.flat_map(|value| value.split(','));
    preferences.find_map(|preference| {
        // Parameters follow a semicolon; `wait` has none.
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("wait") {
            return None;
        }
        let digits = value.trim().trim_matches('"');
        let sound = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        sound.then(|| Duration::from_secs(digits.parse().unwrap_or(u64::MAX)).min(LONGEST_WAIT))
    })
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn read(values: &[&'static str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                HeaderName::from_static(PREFER),
                HeaderValue::from_static(value),
            );
        }
        wait(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_found_among_other_preferences() {
        assert_eq!(read(&["wait=10"]), Some(10));
        assert_eq!(read(&["respond-async, wait = \"5\""]), Some(5));
        assert_eq!(
            read(&["return=minimal", "WAIT=7; foo=bar, wait=8"]),
            Some(7)
        );
        assert_eq!(read(&["wait=99999999999999999999999"]), Some(30));
        for nonsense in ["", "wait", "wait=", "wait=-1", "wait=x", "awaits=3"] {
            assert_eq!(read(&[nonsense]), None, "{nonsense}");
        }
    }
}
