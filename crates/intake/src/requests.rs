//! The bodies that clients send: the values of each member.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Number, Value};
use utoipa::ToSchema;

use crate::label_schema;
use crate::labels::{self, Metadata, Tags};
use crate::members::{Member, ObjectBody, pointer_through};
use crate::unique_value::UniqueValue;
use crate::variant_schema;
use crate::{DuplicateHandling, Origin, Priority, RequestFault, SourceUrl, Timestamp, Variants};

/// How far ahead a job may be put off: about ten years.
const LONGEST_AHEAD: Duration = Duration::from_secs(3653 * 24 * 60 * 60);

const NO_STRING: &str = "must be a string";
const NO_PRIORITY: &str = "must be a whole number from 0 to 9";
pub(crate) const NO_MOMENT: &str =
    "must be an RFC 3339 date and time with its offset, e.g. 2026-01-31T12:00:00Z";
const TOO_FAR: &str = "must be at most ten years ahead";
const NO_POLICY: &str = "must be allow-retry, reuse-completed or reject-active";
const NOT_BOTH: &str = "can't be given together with variants";
const NO_ORIGIN: &str =
    "must be the scheme, host and port of http or https, e.g. https://example.com:443";

/// An image to make thumbnails of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Submission)]
pub struct SubmitBody {
    /// Where the image is: http or https, at most 8192 bytes, without user name and password.
    #[schema(
        format = "uri",
        pattern = "^[Hh][Tt][Tt][Pp][Ss]?:",
        min_length = 1,
        max_length = 8192,
        example = "https://images.example.org/harbour.jpg"
    )]
    pub url: String,
    /// 0 runs first, 9 last. A job that has waited a minute longer comes before one that is one
    /// step more urgent.
    #[serde(default, deserialize_with = "read_priority")]
    #[schema(value_type = Option<u8>, minimum = 0, maximum = 9, default = 5, example = 5)]
    pub priority: Option<Priority>,
    /// No attempt before this moment. It may have passed, or lie ten years ahead.
    #[serde(default, deserialize_with = "read_moment")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-01-31T12:00:00Z")]
    pub not_before: Option<Timestamp>,
    #[serde(default, deserialize_with = "read_variants")]
    #[schema(schema_with = variant_schema::list)]
    pub variants: Option<Variants>,
    /// The name of the operator's variants; instead of `variants`.
    #[schema(example = json!(null))]
    pub preset: Option<String>,
    /// The policy if the same variants of the URL are known already; by default the service's.
    #[serde(default, deserialize_with = "read_policy")]
    #[schema(
        value_type = Option<String>,
        pattern = "^(allow-retry|reuse-completed|reject-active)$",
        example = "reuse-completed"
    )]
    pub duplicate: Option<DuplicateHandling>,
    #[serde(default, deserialize_with = "labels::read_tags")]
    #[schema(schema_with = label_schema::tags)]
    pub tags: Tags,
    /// Your own words, which come back with the job; at most 4096 bytes as JSON without spaces.
    #[serde(default, deserialize_with = "labels::read_metadata")]
    #[schema(value_type = Option<Object>, example = json!({"album": 7}))]
    pub metadata: Option<Metadata>,
    /// Seconds after its end after which the job and its files are deleted.
    #[serde(default, deserialize_with = "labels::read_kept")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 315_619_200, example = json!(null))]
    pub expires_in: Option<Duration>,
}

/// An origin to be paused, resumed or reset.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OriginName)]
pub struct OriginBody {
    /// Scheme, host and port; a default port may be left out.
    #[serde(deserialize_with = "read_origin")]
    #[schema(
        value_type = String,
        pattern = "^[Hh][Tt][Tt][Pp][Ss]?:",
        min_length = 1,
        max_length = 8192,
        example = "https://images.example.org:443"
    )]
    pub origin: Origin,
}

/// Nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Nothing)]
pub struct NothingBody {}

impl ObjectBody for SubmitBody {
    const SHAPE: &'static str = "Send an object with `url` and, if you like, `variants` or `preset`, `duplicate`, `priority`, \
         `not_before`, `tags`, `metadata` and `expires_in`.";
    const MEMBERS: &'static [Member] = &[
        Member {
            name: "url",
            is_required: true,
            fault: |value| (!value.is_string()).then_some(NO_STRING),
        },
        Member {
            name: "priority",
            is_required: false,
            fault: |value| match value {
                Value::Null => None,
                Value::Number(number) => priority(number).err(),
                _ => Some(NO_PRIORITY),
            },
        },
        Member {
            name: "not_before",
            is_required: false,
            fault: |value| match value {
                Value::Null => None,
                Value::String(text) => moment(text).err(),
                _ => Some(NO_MOMENT),
            },
        },
        // `deeper_faults` reports what is wrong with them.
        Member {
            name: "variants",
            is_required: false,
            fault: |_| None,
        },
        Member {
            name: "preset",
            is_required: false,
            fault: |value| (!value.is_null() && !value.is_string()).then_some(NO_STRING),
        },
        Member {
            name: "duplicate",
            is_required: false,
            fault: |value| match value {
                Value::Null => None,
                Value::String(text) => policy(text).err(),
                _ => Some(NO_POLICY),
            },
        },
        Member {
            name: "tags",
            is_required: false,
            fault: labels::tags_fault,
        },
        Member {
            name: "metadata",
            is_required: false,
            fault: labels::metadata_fault,
        },
        Member {
            name: "expires_in",
            is_required: false,
            fault: labels::kept_fault,
        },
    ];

    /// Both define what to make.
    fn is_consistent(&self) -> bool {
        self.variants.is_none() || self.preset.is_none()
    }

    fn deeper_faults(given: &Map<String, Value>) -> Vec<RequestFault> {
        let is_given = |name: &str| given.get(name).filter(|value| !value.is_null());
        let Some(variants) = is_given("variants") else {
            return Vec::new();
        };
        let faults = Variants::read(variants).err().unwrap_or_default();
        let faults = faults.into_iter().map(|fault| {
            let steps = fault.place.iter().map(String::as_str);
            let pointer = pointer_through(std::iter::once("variants").chain(steps));
            RequestFault::in_body(pointer, fault.detail)
        });
        let both = is_given("preset").map(|_| RequestFault::in_body("#/preset", NOT_BOTH));
        faults.chain(both).collect()
    }
}

impl ObjectBody for OriginBody {
    const SHAPE: &'static str = "Send an object with one member, `origin`.";
    const MEMBERS: &'static [Member] = &[Member {
        name: "origin",
        is_required: true,
        fault: |value| match value {
            Value::String(text) => origin(text).err(),
            _ => Some(NO_STRING),
        },
    }];
}

impl ObjectBody for NothingBody {
    const SHAPE: &'static str = "Send no body, or an empty object.";
    const MEMBERS: &'static [Member] = &[];
}

fn read_priority<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Priority>, D::Error> {
    let number = Option::<Number>::deserialize(from)?;
    let read = number.map(|number| priority(&number)).transpose();
    read.map_err(de::Error::custom)
}

fn read_moment<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let read = text.map(|text| moment(&text)).transpose();
    read.map_err(de::Error::custom)
}

fn read_origin<'de, D: Deserializer<'de>>(from: D) -> Result<Origin, D::Error> {
    origin(&String::deserialize(from)?).map_err(de::Error::custom)
}

fn read_variants<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Variants>, D::Error> {
    let list = Option::<UniqueValue>::deserialize(from)?;
    let read = list.map(|UniqueValue(list)| Variants::read(&list));
    // All faults are looked for again, with their pointers.
    read.transpose().map_err(|faults| {
        de::Error::custom(faults.first().map_or(String::new(), ToString::to_string))
    })
}

fn read_policy<'de, D: Deserializer<'de>>(from: D) -> Result<Option<DuplicateHandling>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let read = text.map(|text| policy(&text)).transpose();
    read.map_err(de::Error::custom)
}

fn policy(text: &str) -> Result<DuplicateHandling, &'static str> {
    text.parse().map_err(|_| NO_POLICY)
}

/// JSON knows one kind of number: 5.0 is 5.
fn priority(number: &Number) -> Result<Priority, &'static str> {
    let whole = number.as_f64().filter(|value| value.fract() == 0.0);
    let value = whole.filter(|value| (0.0..=f64::from(Priority::LAST)).contains(value));
    value
        .and_then(|value| Priority::new(value as u8))
        .ok_or(NO_PRIORITY)
}

/// Without its offset a moment would be read as UTC, which is seldom meant.
pub(crate) fn whole_moment(text: &str) -> Result<Timestamp, &'static str> {
    let moment: Timestamp = text.parse().map_err(|_| NO_MOMENT)?;
    let (_, time) = text.split_once(['T', 't', ' ']).ok_or(NO_MOMENT)?;
    match time.contains(['Z', 'z', '+', '-']) {
        true => Ok(moment),
        false => Err(NO_MOMENT),
    }
}

/// Not so far ahead that it can't be meant.
fn moment(text: &str) -> Result<Timestamp, &'static str> {
    let moment = whole_moment(text)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "ten years are not held to the second"
    )]
    let latest = SystemTime::now() + LONGEST_AHEAD;
    let latest = latest.duration_since(UNIX_EPOCH).unwrap_or_default();
    match u128::try_from(moment.unix_micros()) {
        Ok(micros) if micros > latest.as_micros() => Err(TOO_FAR),
        _ => Ok(moment),
    }
}

fn origin(text: &str) -> Result<Origin, &'static str> {
    if text.len() > SourceUrl::MAX_BYTES {
        return Err(NO_ORIGIN);
    }
    text.parse().map_err(|_| NO_ORIGIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::{BodyRefusal, parse};

    fn pointers(refusal: BodyRefusal) -> Vec<String> {
        match refusal {
            BodyRefusal::NoJson(_) => Vec::new(),
            BodyRefusal::Faults { faults, .. } => {
                let pointers = faults.into_iter().map(|fault| fault.pointer);
                pointers.map(Option::unwrap).collect()
            }
        }
    }

    fn submission(members: &str) -> Result<SubmitBody, Vec<String>> {
        let text = format!("{{\"url\": \"https://a.example/\", {members}}}");
        parse(text.as_bytes()).map_err(pointers)
    }

    #[test]
    fn a_priority_is_a_digit() {
        for (text, expected) in [("0", 0), ("9", 9), ("5.0", 5), ("7e0", 7), ("-0", 0)] {
            let body = submission(&format!("\"priority\": {text}")).unwrap();
            assert_eq!(body.priority.map(Priority::get), Some(expected), "{text}");
        }
        assert_eq!(submission("\"priority\": null").unwrap().priority, None);
        for text in [
            "10",
            "-1",
            "0.5",
            "1e400",
            "\"5\"",
            "true",
            "[5]",
            "{}",
            "99999999999999999999",
        ] {
            let refused = submission(&format!("\"priority\": {text}"));
            let malformed = text == "1e400";
            let expected = if malformed {
                vec![]
            } else {
                vec!["#/priority"]
            };
            assert_eq!(refused.unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn a_moment_has_its_offset_and_is_not_too_far() {
        for text in [
            "2020-01-31T12:00:00Z",
            "2020-01-31 12:00:00.5+02:00",
            "0000-01-01T00:00:00Z",
        ] {
            let body = submission(&format!("\"not_before\": \"{text}\"")).unwrap();
            assert!(body.not_before.is_some(), "{text}");
        }
        assert_eq!(submission("\"not_before\": null").unwrap().not_before, None);
        for text in [
            "\"2020-01-31T12:00:00\"",
            "\"2020-01-31\"",
            "\"tomorrow\"",
            "\"\"",
            "\"9999-12-31T23:59:59Z\"",
            "1700000000",
            "false",
            "[]",
        ] {
            let refused = submission(&format!("\"not_before\": {text}"));
            assert_eq!(refused.unwrap_err(), ["#/not_before"], "{text}");
        }
    }

    #[test]
    fn labels_are_read_and_their_faults_reported() {
        let body =
            submission("\"tags\": [\"a\"], \"metadata\": {\"b\": [1]}, \"expires_in\": 60.0");
        let body = body.unwrap();
        assert_eq!(body.tags, Tags(vec!["a".to_owned()]));
        assert_eq!(body.metadata, Some(Metadata("{\"b\":[1]}".to_owned())));
        assert_eq!(body.expires_in, Some(Duration::from_secs(60)));
        let none = submission("\"tags\": null, \"metadata\": null, \"expires_in\": null");
        assert_eq!(none.unwrap().tags, Tags::default());
        let refused = submission("\"tags\": [1], \"metadata\": [], \"expires_in\": 0");
        let expected = ["#/tags", "#/metadata", "#/expires_in"];
        assert_eq!(refused.unwrap_err(), expected);
        let twice = submission("\"metadata\": {\"a\": 1, \"a\": 2}");
        assert!(twice.is_err(), "a member twice");
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let refused = submission("\"priority\": -1, \"not_before\": 7, \"more\": 1");
        assert_eq!(
            refused.unwrap_err(),
            ["#/priority", "#/not_before", "#/more"]
        );
        let refused = submission("\"priority\": 1, \"priority\": 2");
        assert_eq!(refused.unwrap_err(), ["#"], "given twice");
    }

    #[test]
    fn an_origin_is_read_as_people_write_it() {
        let body: OriginBody = parse(b"{\"origin\": \"HTTPS://Example.com\"}").unwrap();
        assert_eq!(body.origin.as_str(), "https://example.com:443");
        let long = format!("\"https://{}\"", "a".repeat(2100));
        for text in [
            "\"\"",
            "\"*\"",
            "\"example.com\"",
            "\"https://a.example/x\"",
            "7",
            "null",
            &long,
        ] {
            let text = format!("{{\"origin\": {text}}}");
            let refused = parse::<OriginBody>(text.as_bytes()).unwrap_err();
            assert_eq!(pointers(refused), ["#/origin"], "{text}");
        }
    }
}
