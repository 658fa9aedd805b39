//! Requests that carry text written by clients.

use serde_json::Value;
use thumbforge_intake::members::{BodyRefusal, ObjectBody, parse};
use thumbforge_intake::query::{InvalidQuery, ListQuery};
use thumbforge_intake::requests::{NothingBody, OriginBody, SubmitBody};
use thumbforge_intake::{ActionBody, Filter, RequestFault};

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;

/// A body is read as any JSON reader reads it, or refused with every fault; so is a query.
pub fn check_request(bytes: &[u8]) {
    if let Some((body, value)) = check_body::<SubmitBody>(bytes) {
        assert_eq!(value["url"], Value::String(body.url));
        assert_eq!(is_given(&value, "priority"), body.priority.is_some());
        assert_eq!(is_given(&value, "not_before"), body.not_before.is_some());
    }
    if let Some((body, value)) = check_body::<OriginBody>(bytes) {
        assert!(value["origin"].is_string());
        let again = body.origin.as_str().parse();
        assert_eq!(again.as_ref(), Ok(&body.origin));
    }
    if let Some((body, value)) = check_body::<ActionBody>(bytes) {
        assert_ne!(is_given(&value, "ids"), is_given(&value, "filter"));
        assert!(body.filter.is_none_or(|Filter(filter)| !filter.is_empty()));
    }
    check_body::<NothingBody>(bytes);
    match ListQuery::parse(&String::from_utf8_lossy(bytes), DEFAULT_LIMIT, MAX_LIMIT) {
        Ok(list) => {
            assert!((1..=MAX_LIMIT).contains(&list.limit));
            assert!(i64::try_from(list.offset).is_ok());
        }
        Err(InvalidQuery(faults)) => {
            check_faults(&faults);
            assert!(faults.iter().all(|fault| fault.parameter.is_some()));
        }
    }
}

/// An accepted body, with what any JSON reader sees in it: an object without unknown members.
fn check_body<T: ObjectBody>(bytes: &[u8]) -> Option<(T, Value)> {
    match parse::<T>(bytes) {
        Ok(body) => {
            let value: Value = serde_json::from_slice(bytes).expect("accepted, so JSON");
            let members = value.as_object().expect("accepted, so an object");
            let is_known = |name: &String| T::MEMBERS.iter().any(|member| member.name == name);
            assert!(members.keys().all(is_known), "{value}");
            Some((body, value))
        }
        Err(BodyRefusal::NoJson(sentence)) => {
            assert!(serde_json::from_slice::<Value>(bytes).is_err());
            assert!(!sentence.is_empty());
            None
        }
        Err(BodyRefusal::Faults { faults, .. }) => {
            check_faults(&faults);
            let points = |fault: &RequestFault| {
                let pointer = fault.pointer.as_deref();
                pointer.is_some_and(|pointer| pointer.starts_with('#') && pointer.is_ascii())
            };
            assert!(faults.iter().all(points), "{faults:?}");
            None
        }
    }
}

fn check_faults(faults: &[RequestFault]) {
    assert!(!faults.is_empty());
    assert!(faults.iter().all(|fault| !fault.detail.is_empty()));
}

fn is_given(value: &Value, member: &str) -> bool {
    value.get(member).is_some_and(|value| !value.is_null())
}
