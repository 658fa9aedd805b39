//! The bodies that make and change receivers of events.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use serde_json::{Number, Value};
use utoipa::ToSchema;

use crate::event_type::EventType;
use crate::label_schema;
use crate::labels::is_tag;
use crate::members::{Member, ObjectBody};
use crate::requests::{NO_MOMENT, whole_moment};
use crate::timestamp::Timestamp;

const MAX_WORDS: usize = 10;
const LONGEST_DESCRIPTION: usize = 200;
/// How long an old secret may sign beside the new one.
const LONGEST_OVERLAP: Duration = Duration::from_secs(7 * 24 * 3600);
const USUAL_OVERLAP: Duration = Duration::from_secs(24 * 3600);

const NO_STRING: &str = "must be a string";
const NO_EVENTS: &str = "must be null, or 1 to 4 different ones of image.completed, image.failed, \
     image.cancelled and batch.finished";
const NO_TAGS: &str = "must be null, or 1 to 10 different texts of 1 to 64 characters, none of them a control character";
const NO_DESCRIPTION: &str = "must be null or a text of at most 200 characters, without U+0000";
const NO_FLAG: &str = "must be true or false";
const NO_OVERLAP: &str = "must be a whole number from 0 to 604800";

/// A receiver of events.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhook)]
pub struct WebhookBody {
    /// Where deliveries are posted: http or https, at most 8192 bytes, without user name and
    /// password.
    #[schema(
        format = "uri",
        pattern = "^[Hh][Tt][Tt][Pp][Ss]?:",
        min_length = 1,
        max_length = 8192,
        example = "https://example.org/thumbforge"
    )]
    pub url: String,
    #[serde(default, deserialize_with = "read_description")]
    #[schema(value_type = Option<String>, max_length = 200, pattern = "^[^\\x00]*$", example = "the shop")]
    pub description: Given<String>,
    #[serde(default, deserialize_with = "read_events")]
    #[schema(schema_with = label_schema::wanted_events)]
    pub events: Given<Vec<EventType>>,
    #[serde(default, deserialize_with = "read_tags")]
    #[schema(schema_with = label_schema::wanted_tags)]
    pub tags: Given<Vec<String>>,
}

/// What changes of a receiver. A member that is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookChange)]
pub struct WebhookPatch {
    #[serde(default, deserialize_with = "read_given")]
    #[schema(
        format = "uri",
        pattern = "^[Hh][Tt][Tt][Pp][Ss]?:",
        min_length = 1,
        max_length = 8192,
        nullable = false,
        example = "https://example.org/thumbforge"
    )]
    pub url: Option<String>,
    #[serde(default, deserialize_with = "read_description")]
    #[schema(value_type = Option<String>, max_length = 200, pattern = "^[^\\x00]*$", example = "the shop")]
    pub description: Given<String>,
    #[serde(default, deserialize_with = "read_events")]
    #[schema(schema_with = label_schema::wanted_events)]
    pub events: Given<Vec<EventType>>,
    #[serde(default, deserialize_with = "read_tags")]
    #[schema(schema_with = label_schema::wanted_tags)]
    pub tags: Given<Vec<String>>,
    /// Whether anything is sent to it.
    #[serde(default, deserialize_with = "read_given")]
    #[schema(nullable = false, example = false)]
    pub disabled: Option<bool>,
}

/// A type of event, as it is described.
#[derive(ToSchema)]
pub enum EventWord {
    #[schema(rename = "image.completed")]
    ImageCompleted,
    #[schema(rename = "image.failed")]
    ImageFailed,
    #[schema(rename = "image.cancelled")]
    ImageCancelled,
    #[schema(rename = "batch.finished")]
    BatchFinished,
}

/// How a secret is exchanged.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Rotation)]
pub struct RotateBody {
    /// For how many seconds the old secret signs too; by default a day.
    #[serde(default, deserialize_with = "read_overlap")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 604_800, default = 86_400, example = 86_400)]
    overlap_seconds: Option<Duration>,
}

impl RotateBody {
    pub fn overlap(&self) -> Duration {
        self.overlap_seconds.unwrap_or(USUAL_OVERLAP)
    }
}

/// From when on a receiver gets what it missed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Recovery)]
pub struct RecoverBody {
    #[serde(deserialize_with = "read_moment")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T12:00:00Z")]
    pub since: Timestamp,
}

/// A member that may be left out, null, or there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Given<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

impl<T> Given<T> {
    /// Null and absence are the same.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }

    /// `None` if it is left out.
    pub fn change(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }
}

const URL: Member = Member {
    name: "url",
    is_required: true,
    fault: |value| (!value.is_string()).then_some(NO_STRING),
};
const DESCRIPTION: Member = Member {
    name: "description",
    is_required: false,
    fault: |value| description(value).err(),
};
const EVENTS: Member = Member {
    name: "events",
    is_required: false,
    fault: |value| events(value).err(),
};
const TAGS: Member = Member {
    name: "tags",
    is_required: false,
    fault: |value| tags(value).err(),
};

impl ObjectBody for WebhookBody {
    const SHAPE: &'static str =
        "Send an object with `url` and, if you like, `events`, `tags` and `description`.";
    const MEMBERS: &'static [Member] = &[URL, DESCRIPTION, EVENTS, TAGS];
}

impl ObjectBody for WebhookPatch {
    const SHAPE: &'static str =
        "Send an object with what changes: `url`, `events`, `tags`, `description` or `disabled`.";
    const MEMBERS: &'static [Member] = &[
        Member {
            is_required: false,
            ..URL
        },
        DESCRIPTION,
        EVENTS,
        TAGS,
        Member {
            name: "disabled",
            is_required: false,
            fault: |value| (!value.is_boolean()).then_some(NO_FLAG),
        },
    ];
}

impl ObjectBody for RotateBody {
    const SHAPE: &'static str = "Send an object with `overlap_seconds`, or nothing.";
    const MEMBERS: &'static [Member] = &[Member {
        name: "overlap_seconds",
        is_required: false,
        fault: |value| match value {
            Value::Null => None,
            Value::Number(number) => overlap(number).err(),
            _ => Some(NO_OVERLAP),
        },
    }];
}

impl ObjectBody for RecoverBody {
    const SHAPE: &'static str = "Send an object with `since`.";
    const MEMBERS: &'static [Member] = &[Member {
        name: "since",
        is_required: true,
        fault: |value| match value {
            Value::String(text) => whole_moment(text).err(),
            _ => Some(NO_MOMENT),
        },
    }];
}

type Read<T> = Result<Given<T>, &'static str>;

fn description(value: &Value) -> Read<String> {
    match value {
        Value::Null => Ok(Given::Null),
        Value::String(text)
            if text.chars().count() <= LONGEST_DESCRIPTION && !text.contains('\0') =>
        {
            Ok(Given::Value(text.clone()))
        }
        _ => Err(NO_DESCRIPTION),
    }
}

fn events(value: &Value) -> Read<Vec<EventType>> {
    let list = match value {
        Value::Null => return Ok(Given::Null),
        Value::Array(list) if !list.is_empty() => list,
        _ => return Err(NO_EVENTS),
    };
    let mut events = Vec::new();
    for word in list {
        let event: Option<EventType> = word.as_str().and_then(|word| word.parse().ok());
        match event {
            Some(event) if !events.contains(&event) => events.push(event),
            _ => return Err(NO_EVENTS),
        }
    }
    Ok(Given::Value(events))
}

fn tags(value: &Value) -> Read<Vec<String>> {
    let list = match value {
        Value::Null => return Ok(Given::Null),
        Value::Array(list) if (1..=MAX_WORDS).contains(&list.len()) => list,
        _ => return Err(NO_TAGS),
    };
    let mut tags: Vec<String> = Vec::new();
    for tag in list {
        let tag = tag.as_str().ok_or(NO_TAGS)?;
        if !is_tag(tag) || tags.iter().any(|known| known == tag) {
            return Err(NO_TAGS);
        }
        tags.push(tag.to_owned());
    }
    Ok(Given::Value(tags))
}

/// JSON knows one kind of number: 60.0 is 60.
fn overlap(number: &Number) -> Result<Duration, &'static str> {
    let whole = number.as_f64().filter(|value| value.fract() == 0.0);
    whole
        .filter(|value| (0.0..=LONGEST_OVERLAP.as_secs_f64()).contains(value))
        .map(Duration::from_secs_f64)
        .ok_or(NO_OVERLAP)
}

/// If it is given, it is not null.
fn read_given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

fn read_description<'de, D: Deserializer<'de>>(from: D) -> Result<Given<String>, D::Error> {
    description(&Value::deserialize(from)?).map_err(de::Error::custom)
}

fn read_events<'de, D: Deserializer<'de>>(from: D) -> Result<Given<Vec<EventType>>, D::Error> {
    events(&Value::deserialize(from)?).map_err(de::Error::custom)
}

fn read_tags<'de, D: Deserializer<'de>>(from: D) -> Result<Given<Vec<String>>, D::Error> {
    tags(&Value::deserialize(from)?).map_err(de::Error::custom)
}

fn read_overlap<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let number = Option::<Number>::deserialize(from)?;
    let read = number.map(|number| overlap(&number)).transpose();
    read.map_err(de::Error::custom)
}

fn read_moment<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    whole_moment(&String::deserialize(from)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::{BodyRefusal, parse};

    fn pointers<T: ObjectBody + std::fmt::Debug>(text: &str) -> Vec<String> {
        match parse::<T>(text.as_bytes()) {
            Err(BodyRefusal::Faults { faults, .. }) => faults
                .into_iter()
                .map(|fault| fault.pointer.unwrap())
                .collect(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_receiver_is_read() {
        let text = r#"{"url": "https://a.example", "events": ["image.failed"], "tags": null}"#;
        let body: WebhookBody = parse(text.as_bytes()).unwrap();
        assert_eq!(body.events, Given::Value(vec![EventType::ImageFailed]));
        assert_eq!((body.tags, body.description), (Given::Null, Given::Absent));
        let patch: WebhookPatch = parse(br#"{"tags": ["a"], "disabled": true}"#).unwrap();
        assert_eq!(patch.tags.change(), Some(Some(vec!["a".to_owned()])));
        assert_eq!((patch.events.change(), patch.disabled), (None, Some(true)));
    }

    #[test]
    fn each_fault_has_its_pointer() {
        for (members, pointer) in [
            ("\"events\": []", "#/events"),
            ("\"events\": [\"image.deleted\"]", "#/events"),
            (
                "\"events\": [\"image.failed\", \"image.failed\"]",
                "#/events",
            ),
            ("\"events\": \"image.failed\"", "#/events"),
            ("\"tags\": []", "#/tags"),
            ("\"tags\": [\"\"]", "#/tags"),
            ("\"tags\": [1]", "#/tags"),
            ("\"description\": 7", "#/description"),
            ("\"secret\": \"whsec_x\"", "#/secret"),
        ] {
            let text = format!("{{\"url\": \"https://a.example\", {members}}}");
            assert_eq!(pointers::<WebhookBody>(&text), [pointer], "{members}");
        }
        assert_eq!(pointers::<WebhookBody>("{}"), ["#/url"]);
        assert_eq!(
            pointers::<WebhookPatch>("{\"disabled\": 1}"),
            ["#/disabled"]
        );
        assert_eq!(
            pointers::<RecoverBody>("{\"since\": \"2026-01-31T12:00:00\"}"),
            ["#/since"]
        );
        assert_eq!(
            pointers::<RotateBody>("{\"overlap_seconds\": 604801}"),
            ["#/overlap_seconds"]
        );
    }

    #[test]
    fn an_old_secret_signs_for_a_day_unless_told_otherwise() {
        let body: RotateBody = parse(b"{}").unwrap();
        assert_eq!(body.overlap(), USUAL_OVERLAP);
        let body: RotateBody = parse(b"{\"overlap_seconds\": 0.0}").unwrap();
        assert_eq!(body.overlap(), Duration::ZERO);
    }
}
