//! The body that asks for a change of many jobs.

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Number, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::job_filter::JobFilter;
use crate::members::{Member, ObjectBody, pointer_through};
use crate::query::set_filter;
use crate::request_fault::RequestFault;
use crate::unique_value::UniqueValue;

/// Most ids in one action.
const MAX_IDS: usize = 1000;

const NO_ACTION: &str = "must be retry, cancel or delete";
const NO_IDS: &str = "must be 1 to 1000 different job ids (UUIDs)";
const NO_COUNT: &str = "must be a whole number of at least 0";
const NO_FLAG: &str = "must be true or false";
const NO_FILTER: &str = "must be an object with at least one member";
const NEITHER: &str = "is required, or `filter` is";
const NOT_BOTH: &str = "can't be given together with ids";

/// What to do to which jobs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ActionRequest)]
pub struct ActionBody {
    #[schema(example = "retry")]
    pub action: ActionWord,
    /// The jobs, by their ids; instead of `filter`.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 1000, example = json!(null))]
    pub ids: Option<Vec<Uuid>>,
    /// The jobs, as lists are filtered. Jobs that are created later are not concerned.
    #[serde(default)]
    #[schema(value_type = Option<FilterSchema>)]
    pub filter: Option<Filter>,
    /// Nothing is done if not exactly so many jobs match.
    #[serde(default, deserialize_with = "read_count")]
    #[schema(value_type = Option<u64>, example = 344)]
    pub expected_count: Option<u64>,
    /// Only count the jobs.
    #[serde(default)]
    #[schema(example = true)]
    pub dry_run: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ActionWord)]
pub enum ActionWord {
    Retry,
    Cancel,
    Delete,
}

/// The members of a filter of lists, not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(pub JobFilter);

/// A member given twice is refused.
impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match UniqueValue::deserialize(from)?.0 {
            Value::Object(members) => Self::read(&members).map_err(de::Error::custom),
            _ => Err(de::Error::custom(NO_FILTER)),
        }
    }
}

/// The filter as it is described.
#[derive(ToSchema)]
#[schema(as = ActionFilter)]
#[expect(dead_code, reason = "it is only described")]
pub struct FilterSchema {
    #[schema(
        pattern = "^(pending|processing|completed|failed|cancelled)$",
        example = "failed"
    )]
    status: Option<String>,
    #[schema(nullable = false, format = DateTime)]
    created_after: Option<String>,
    #[schema(nullable = false, format = DateTime)]
    created_before: Option<String>,
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 512,
        pattern = "^[^\\x00]*$"
    )]
    error_code: Option<String>,
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 512,
        pattern = "^[^\\x00]*$"
    )]
    host: Option<String>,
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 512,
        pattern = "^[^\\x00]*$"
    )]
    tag: Option<String>,
    #[schema(nullable = false)]
    batch_id: Option<Uuid>,
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 512,
        pattern = "^[^\\x00]*$"
    )]
    submitted_by: Option<String>,
}

impl Filter {
    fn read(members: &Map<String, Value>) -> Result<Self, &'static str> {
        let mut filter = JobFilter::default();
        for (name, value) in members {
            set(&mut filter, name, value)?;
        }
        match filter.is_empty() {
            true => Err(NO_FILTER),
            false => Ok(Self(filter)),
        }
    }
}

fn read_count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<Number>::deserialize(from)?;
    let read = number.map(|number| count(&number)).transpose();
    read.map_err(de::Error::custom)
}

/// JSON knows one kind of number: 344.0 is 344. No table has so many rows that a float of 64 bits
/// can't tell them apart.
fn count(number: &Number) -> Result<u64, &'static str> {
    let whole = |value: &f64| value.fract() == 0.0 && (0.0..=9.0e15).contains(value);
    let rounded = || number.as_f64().filter(whole).map(|value| value as u64);
    number.as_u64().or_else(rounded).ok_or(NO_COUNT)
}

fn set(filter: &mut JobFilter, name: &str, value: &Value) -> Result<(), &'static str> {
    match value {
        Value::Null => Ok(()),
        Value::String(text) => set_filter(filter, name, text).unwrap_or(Err("is not known")),
        _ => Err("must be a string"),
    }
}

impl ObjectBody for ActionBody {
    const SHAPE: &'static str = "Send an object with `action`, either `ids` or `filter` and, if you \
         like, `expected_count` and `dry_run`.";
    const MEMBERS: &'static [Member] = &[
        Member {
            name: "action",
            is_required: true,
            fault: |value| match value.as_str() {
                Some("retry" | "cancel" | "delete") => None,
                _ => Some(NO_ACTION),
            },
        },
        Member {
            name: "ids",
            is_required: false,
            fault: |value| match value {
                Value::Null => None,
                Value::Array(ids) => {
                    let mut known: Vec<Uuid> = Vec::with_capacity(ids.len().min(MAX_IDS));
                    let is_new = |id: &Value| {
                        let id = id.as_str().and_then(|text| text.parse().ok());
                        id.is_some_and(|id| {
                            known.push(id);
                            true
                        })
                    };
                    let is_sound =
                        (1..=MAX_IDS).contains(&ids.len()) && ids.iter().all(is_new) && {
                            known.sort_unstable();
                            known.windows(2).all(|pair| pair[0] != pair[1])
                        };
                    (!is_sound).then_some(NO_IDS)
                }
                _ => Some(NO_IDS),
            },
        },
        // `deeper_faults` reports what is wrong with it.
        Member {
            name: "filter",
            is_required: false,
            fault: |value| match value {
                Value::Null => None,
                Value::Object(members) if members.values().any(|value| !value.is_null()) => None,
                _ => Some(NO_FILTER),
            },
        },
        Member {
            name: "expected_count",
            is_required: false,
            fault: |value| match value {
                Value::Null => None,
                Value::Number(number) => count(number).err(),
                _ => Some(NO_COUNT),
            },
        },
        Member {
            name: "dry_run",
            is_required: false,
            fault: |value| (!value.is_null() && !value.is_boolean()).then_some(NO_FLAG),
        },
    ];

    fn is_consistent(&self) -> bool {
        let ids_are_sound = self.ids.as_ref().is_none_or(|ids| {
            let mut sorted = ids.clone();
            sorted.sort_unstable();
            sorted.dedup();
            (1..=MAX_IDS).contains(&ids.len()) && sorted.len() == ids.len()
        });
        ids_are_sound && self.ids.is_some() != self.filter.is_some()
    }

    fn deeper_faults(given: &Map<String, Value>) -> Vec<RequestFault> {
        let is_given = |name: &str| given.get(name).filter(|value| !value.is_null());
        let mut faults = Vec::new();
        match (is_given("ids"), is_given("filter")) {
            (None, None) => faults.push(RequestFault::in_body("#/ids", NEITHER)),
            (Some(_), Some(_)) => faults.push(RequestFault::in_body("#/filter", NOT_BOTH)),
            _ => {}
        }
        if let Some(Value::Object(members)) = is_given("filter") {
            let mut unused = JobFilter::default();
            for (name, value) in members {
                if let Err(detail) = set(&mut unused, name, value) {
                    let pointer = pointer_through(["filter", name]);
                    faults.push(RequestFault::in_body(pointer, detail));
                }
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::{BodyRefusal, parse};

    fn read(text: &str) -> Result<ActionBody, Vec<String>> {
        parse(text.as_bytes()).map_err(|refusal| match refusal {
            BodyRefusal::NoJson(_) => Vec::new(),
            BodyRefusal::Faults { faults, .. } => {
                let pointers = faults.into_iter().map(|fault| fault.pointer);
                pointers.map(Option::unwrap).collect()
            }
        })
    }

    #[test]
    fn a_filter_is_that_of_lists() {
        let body = read(
            r#"{"action": "cancel", "filter": {"host": "A.example", "status": "failed", "tag": null},
                "expected_count": 3.0, "dry_run": true}"#,
        )
        .unwrap();
        let Some(Filter(filter)) = body.filter else {
            panic!("a filter");
        };
        assert_eq!(filter.host.as_deref(), Some("a.example"));
        assert!(filter.status.is_some() && filter.tag.is_none());
        assert_eq!((body.expected_count, body.dry_run), (Some(3), Some(true)));
        assert_eq!(body.action, ActionWord::Cancel);
    }

    #[test]
    fn a_member_given_twice_is_refused() {
        for text in [
            r#"{"action": "delete", "filter": {"tag": "a", "tag": "b"}}"#,
            r#"{"action": "retry", "action": "delete", "filter": {"tag": "a"}}"#,
        ] {
            assert_eq!(read(text).unwrap_err(), ["#"], "{text}");
        }
    }

    #[test]
    fn every_fault_has_its_pointer() {
        let id = Uuid::nil();
        for (text, expected) in [
            (r#"{"action": "retry"}"#.to_owned(), vec!["#/ids"]),
            (r#"{"ids": []}"#.to_owned(), vec!["#/action", "#/ids"]),
            (format!(r#"{{"action": "delete", "ids": ["{id}", "{id}"]}}"#), vec!["#/ids"]),
            (r#"{"action": "delete", "ids": ["1"]}"#.to_owned(), vec!["#/ids"]),
            (r#"{"action": "purge", "filter": {"tag": "x"}}"#.to_owned(), vec!["#/action"]),
            (r#"{"action": "delete", "filter": {}}"#.to_owned(), vec!["#/filter"]),
            (r#"{"action": "delete", "filter": {"tag": null}}"#.to_owned(), vec!["#/filter"]),
            (r#"{"action": "delete", "filter": {"tga": "x"}}"#.to_owned(), vec!["#/filter/tga"]),
            (r#"{"action": "delete", "filter": {"limit": "1"}}"#.to_owned(), vec!["#/filter/limit"]),
            (
                r#"{"action": "delete", "filter": {"status": "x", "host": 1}}"#.to_owned(),
                vec!["#/filter/host", "#/filter/status"],
            ),
            (
                format!(r#"{{"action": "retry", "ids": ["{id}"], "filter": {{"tag": "x"}}}}"#),
                vec!["#/filter"],
            ),
            (
                r#"{"action": "retry", "filter": {"tag": "x"}, "expected_count": -1, "dry_run": 1}"#
                    .to_owned(),
                vec!["#/expected_count", "#/dry_run"],
            ),
        ] {
            assert_eq!(read(&text).unwrap_err(), expected, "{text}");
        }
    }
}
