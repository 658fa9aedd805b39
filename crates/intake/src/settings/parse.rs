//! From the text of a setting to its value, or to a sentence about what was expected.

use super::redacted::SecretText;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use crate::PathPrefix;

pub(super) type Parsed<T> = Result<T, String>;

/// A whole number from `min` to `max`; `u64::MAX` stands for "no upper limit".
pub(super) fn integer<T>(min: u64, max: u64) -> impl Fn(&str) -> Parsed<T>
where
    T: TryFrom<u64>,
{
    move |text| {
        text.parse::<u64>()
            .ok()
            .filter(|number| (min..=max).contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| match max {
                u64::MAX => format!("expected a whole number, at least {min}"),
                _ => format!("expected a whole number from {min} to {max}"),
            })
    }
}

/// Seconds, decimals allowed.
pub(super) fn seconds(min: f64, max: f64) -> impl Fn(&str) -> Parsed<Duration> {
    move |text| {
        text.parse::<f64>()
            .ok()
            .filter(|seconds| (min..=max).contains(seconds))
            .map(Duration::from_secs_f64)
            .ok_or_else(|| format!("expected seconds from {min} to {max}"))
    }
}

/// So many a second, decimals allowed.
pub(super) fn rate(text: &str) -> Parsed<f64> {
    text.parse::<f64>()
        .ok()
        .filter(|rate| (0.01..=1_000_000.0).contains(rate))
        .ok_or_else(|| "expected a number from 0.01 to 1000000".to_owned())
}

/// Longest time that can be set: a hundred years.
const LONGEST_KEEPING: Duration = Duration::from_secs(36_500 * 24 * 3600);

/// A whole number and its unit, `s`, `m`, `h` or `d`. `0` means for ever, and is `None`.
pub(super) fn keeping(text: &str) -> Parsed<Option<Duration>> {
    if text == "0" {
        return Ok(None);
    }
    let mut characters = text.chars();
    let unit = match characters.next_back() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 24 * 3600,
        _ => 0,
    };
    let digits = characters.as_str();
    Some(digits)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse::<u64>().ok())
        .and_then(|number| number.checked_mul(unit))
        .map(Duration::from_secs)
        // A zero with a unit is more likely a mistake than a wish to keep nothing.
        .filter(|keeping| !keeping.is_zero() && *keeping <= LONGEST_KEEPING)
        .map(Some)
        .ok_or_else(|| {
            "expected a time such as 30d, 12h, 45m or 90s, at most 36500d, or 0: for ever"
                .to_owned()
        })
}

/// Long enough to be no word that somebody thought of.
pub(super) fn secrets_key(text: &str) -> Parsed<SecretText> {
    match text.chars().count() >= 32 {
        true => Ok(SecretText::new(text.to_owned())),
        false => Err("expected at least 32 characters, e.g. by openssl rand -base64 32".to_owned()),
    }
}

/// A type that reads itself.
pub(super) fn word<T>(text: &str) -> Parsed<T>
where
    T: FromStr<Err: Display>,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// The empty text means unset, as `THUMBFORGE_REDIS_URL=` in a compose file does.
pub(super) fn optional<T>(parse: impl Fn(&str) -> Parsed<T>) -> impl Fn(&str) -> Parsed<Option<T>> {
    move |text| match text {
        "" => Ok(None),
        text => parse(text).map(Some),
    }
}

/// Parts between commas; the empty text is the empty list.
pub(super) fn list<T>(parse: impl Fn(&str) -> Parsed<T>) -> impl Fn(&str) -> Parsed<Vec<T>> {
    move |text| match text.trim() {
        "" => Ok(Vec::new()),
        text => text.split(',').map(|part| parse(part.trim())).collect(),
    }
}

pub(super) fn boolean(text: &str) -> Parsed<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

pub(super) fn path(text: &str) -> Parsed<PathBuf> {
    match text {
        "" => Err("expected a path".to_owned()),
        text => Ok(PathBuf::from(text)),
    }
}

/// The text of a `User-Agent`, which may contain a contact.
pub(super) fn user_agent(text: &str) -> Parsed<String> {
    let is_visible = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if text.trim().is_empty() || !is_visible {
        return Err("expected visible ASCII".to_owned());
    }
    Ok(text.trim().to_owned())
}

pub(super) fn queue_name(text: &str) -> Parsed<String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("expected a Redis key: some text without control characters".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn socket_address(text: &str) -> Parsed<SocketAddr> {
    let literal = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    literal
        .parse()
        .map_err(|_| "expected an IP address and a port, e.g. 127.0.0.1:8000".to_owned())
}

/// A CIDR block, or one address.
pub(super) fn network(text: &str) -> Parsed<IpNet> {
    text.parse::<IpNet>()
        .map(|network| network.trunc())
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| {
            "expected networks separated by commas, e.g. 127.0.0.0/8,10.1.0.0/16".to_owned()
        })
}

/// An origin as browsers send it (RFC 6454): no path, no slash at the end.
pub(super) fn origin(text: &str) -> Parsed<String> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    url::Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .map(|url| url.origin().ascii_serialization())
        .filter(|origin| origin.eq_ignore_ascii_case(text))
        .ok_or_else(|| {
            "expected origins separated by commas, e.g. https://app.example, or *".to_owned()
        })
}

/// The URL of this service: without parts that may not be in links.
pub(super) fn public_url(text: &str) -> Parsed<url::Url> {
    let url = url::Url::parse(text).ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https"))
        .filter(|url| url.username().is_empty() && url.password().is_none())
        .filter(|url| url.query().is_none() && url.fragment().is_none())
        .filter(|url| PathPrefix::parse(url.path()).is_some())
        .ok_or_else(|| {
            "expected an http or https URL with a plain path or none, e.g. https://example.org/thumbs"
                .to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_range_and_type() {
        assert_eq!(integer::<u8>(1, 100)("85"), Ok(85));
        for text in [
            "0",
            "101",
            "-1",
            "1.5",
            "",
            " 7",
            "many",
            "18446744073709551616",
        ] {
            assert_eq!(
                integer::<u8>(1, 100)(text),
                Err("expected a whole number from 1 to 100".to_owned()),
                "{text}"
            );
        }
        assert!(integer::<u8>(1, u64::MAX)("256").is_err());
    }

    #[test]
    fn seconds_may_be_fractions_but_not_nonsense() {
        assert_eq!(seconds(0.1, 60.0)("2.5"), Ok(Duration::from_millis(2500)));
        for text in ["0", "-1", "61", "NaN", "inf", "5s", ""] {
            assert!(seconds(0.1, 60.0)(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_to_keep_have_a_unit_and_zero_is_for_ever() {
        let read = |text| keeping(text).map(|keeping| keeping.map(|time| time.as_secs()));
        assert_eq!(read("0"), Ok(None));
        assert_eq!(read("90s"), Ok(Some(90)));
        assert_eq!(read("45m"), Ok(Some(2700)));
        assert_eq!(read("12h"), Ok(Some(43_200)));
        assert_eq!(read("30d"), Ok(Some(2_592_000)));
        assert_eq!(read("36500d"), Ok(Some(LONGEST_KEEPING.as_secs())));
        for text in [
            "",
            "30",
            "d",
            "0d",
            "-1d",
            "+1d",
            "1.5h",
            "30 d",
            "30D",
            "1w",
            "1d12h",
            "36501d",
            "30é",
            "99999999999999999999d",
            "213503982334602d",
            "00",
        ] {
            assert!(keeping(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_empty_text_unsets_an_option_and_empties_a_list() {
        assert_eq!(optional(path)(""), Ok(None));
        assert_eq!(list(network)(" "), Ok(Vec::new()));
    }

    #[test]
    fn networks_are_blocks_or_single_addresses() {
        let read = list(network)("127.0.0.0/8, 10.1.2.3/16,::1").unwrap();
        let texts: Vec<_> = read.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["127.0.0.0/8", "10.1.0.0/16", "::1/128"]);
        for text in ["localhost", "10.0.0.0/33", "10.0.0.0/8,"] {
            assert!(list(network)(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_need_an_ip_and_a_port() {
        assert_eq!(
            socket_address("localhost:80"),
            Ok(SocketAddr::from(([127, 0, 0, 1], 80)))
        );
        assert!(socket_address("[::1]:8000").is_ok());
        for text in [
            "8000",
            ":8000",
            "127.0.0.1",
            "example.org:80",
            "127.0.0.1:99999",
        ] {
            assert!(socket_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_public_url_is_one_of_http() {
        for text in ["https://thumbs.example", "http://127.0.0.1:8000/thumbs/"] {
            assert!(public_url(text).is_ok(), "{text}");
        }
        for text in [
            "thumbs.example",
            "ftp://thumbs.example",
            "https://user:secret@thumbs.example",
            "https://thumbs.example/?a",
            "https://thumbs.example/#a",
            "https://thumbs.example//evil.example",
            "https://thumbs.example/a%2fb",
        ] {
            assert!(public_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn origins_have_no_path() {
        assert!(origin("https://app.example:8443").is_ok());
        assert!(origin("*").is_ok());
        for text in [
            "app.example",
            "https://app.example/",
            "ftp://app.example",
            "null",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}
