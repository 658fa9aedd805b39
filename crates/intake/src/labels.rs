//! What clients write on their jobs: tags, metadata, how long to keep them.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use serde_json::{Number, Value};

use crate::unique_value::UniqueValue;

const MAX_TAGS: usize = 10;
/// In characters.
const LONGEST_TAG: usize = 64;
/// As JSON without spaces.
const MAX_METADATA_BYTES: usize = 4096;
/// As it was written.
const MAX_WRITTEN_BYTES: usize = 64 * 1024;
/// About ten years, in seconds.
const LONGEST_KEPT: u32 = 3653 * 24 * 60 * 60;

const NO_TAGS: &str = "must be at most 10 different texts of 1 to 64 characters, without control \
    characters";
const NO_METADATA: &str = "must be an object";
const TOO_MUCH: &str = "may take at most 4096 bytes as JSON without spaces";
const NO_DURATION: &str = "must be a whole number of seconds from 1 to 315619200";

/// Texts by which jobs are found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(pub Vec<String>);

/// A JSON object, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata(pub String);

/// What is wrong with `value` as tags.
pub(crate) fn tags_fault(value: &Value) -> Option<&'static str> {
    tags(value).err()
}

/// What is wrong with `value` as metadata.
pub(crate) fn metadata_fault(value: &Value) -> Option<&'static str> {
    metadata(value).err()
}

/// What is wrong with `value` as a time for which a job is kept.
pub(crate) fn kept_fault(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => None,
        Value::Number(number) => kept(number).err(),
        _ => Some(NO_DURATION),
    }
}

fn tags(value: &Value) -> Result<Tags, &'static str> {
    let list = match value {
        Value::Null => return Ok(Tags::default()),
        Value::Array(list) if list.len() <= MAX_TAGS => list,
        _ => return Err(NO_TAGS),
    };
    let mut tags: Vec<String> = Vec::with_capacity(list.len());
    for tag in list {
        let tag = tag.as_str().ok_or(NO_TAGS)?;
        if !is_tag(tag) || tags.iter().any(|known| known == tag) {
            return Err(NO_TAGS);
        }
        tags.push(tag.to_owned());
    }
    Ok(Tags(tags))
}

/// Whether a job may have this tag.
pub(crate) fn is_tag(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= LONGEST_TAG && !text.contains(char::is_control)
}

fn metadata(value: &Value) -> Result<Option<Metadata>, &'static str> {
    match value {
        Value::Null => Ok(None),
        Value::Object(_) => match value.to_string() {
            long if long.len() > MAX_METADATA_BYTES => Err(TOO_MUCH),
            text => Ok(Some(Metadata(text))),
        },
        _ => Err(NO_METADATA),
    }
}

/// Metadata of something other than a job.
pub(crate) fn metadata_of(text: &str) -> Result<Option<Metadata>, String> {
    if text.len() > MAX_WRITTEN_BYTES {
        return Err(TOO_MUCH.to_owned());
    }
    let UniqueValue(value) = serde_json::from_str(text).map_err(|error| error.to_string())?;
    metadata(&value).map_err(str::to_owned)
}

/// JSON knows one kind of number: 60.0 is 60.
fn kept(number: &Number) -> Result<Duration, &'static str> {
    let whole = number.as_f64().filter(|value| value.fract() == 0.0);
    let seconds = whole.filter(|value| (1.0..=f64::from(LONGEST_KEPT)).contains(value));
    seconds.map(Duration::from_secs_f64).ok_or(NO_DURATION)
}

pub(crate) fn read_tags<'de, D: Deserializer<'de>>(from: D) -> Result<Tags, D::Error> {
    let value = Value::deserialize(from)?;
    tags(&value).map_err(de::Error::custom)
}

pub(crate) fn read_metadata<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Metadata>, D::Error> {
    let UniqueValue(value) = UniqueValue::deserialize(from)?;
    metadata(&value).map_err(de::Error::custom)
}

pub(crate) fn read_kept<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let number = Option::<Number>::deserialize(from)?;
    let read = number.map(|number| kept(&number)).transpose();
    read.map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tags_are_few_short_and_different() {
        let ten: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        let longest = "ä".repeat(64);
        for fine in [
            json!(null),
            json!([]),
            json!(["a b", "/", longest]),
            json!(ten),
        ] {
            assert_eq!(tags_fault(&fine), None, "{fine}");
        }
        let eleven: Vec<String> = (0..11).map(|number| number.to_string()).collect();
        let too_long = "ä".repeat(65);
        for wrong in [
            json!("a"),
            json!({}),
            json!([1]),
            json!([""]),
            json!(["a", "a"]),
            json!(["a\0"]),
            json!(["a\n"]),
            json!([too_long]),
            json!(eleven),
        ] {
            assert_eq!(tags_fault(&wrong), Some(NO_TAGS), "{wrong}");
        }
    }

    #[test]
    fn metadata_is_a_small_object() {
        let whole = json!({ "a": "x".repeat(4096 - 8) });
        assert_eq!(metadata_fault(&whole), None);
        assert_eq!(
            metadata_fault(&json!({ "a": "x".repeat(4096 - 7) })),
            Some(TOO_MUCH)
        );
        for wrong in [json!([]), json!("x"), json!(1), json!(true)] {
            assert_eq!(metadata_fault(&wrong), Some(NO_METADATA), "{wrong}");
        }
    }

    #[test]
    fn a_job_is_kept_for_whole_seconds() {
        for fine in [json!(null), json!(1), json!(60.0), json!(LONGEST_KEPT)] {
            assert_eq!(kept_fault(&fine), None, "{fine}");
        }
        for wrong in [
            json!(0),
            json!(-1),
            json!(0.5),
            json!("60"),
            json!(LONGEST_KEPT + 1),
        ] {
            assert_eq!(kept_fault(&wrong), Some(NO_DURATION), "{wrong}");
        }
    }
}
