//! The requests that carry text of a client's making.

use serde_json::Value;
use thumbforge::http::{list_query, submission};

const MAX_LIMIT: u32 = 100;

/// A body is read as any JSON reader reads it, or refused in a problem document; so is a query.
pub fn check_request(bytes: &[u8]) {
    match submission(bytes) {
        Ok(url) => {
            let value: Value = serde_json::from_slice(bytes).expect("accepted, so JSON");
            assert_eq!(value.as_object().map(|members| members.len()), Some(1));
            assert_eq!(value["url"], Value::String(url));
        }
        Err((status, document)) => {
            assert!(matches!(status, 400 | 422));
            check_document(status, &document);
        }
    }
    match list_query(&String::from_utf8_lossy(bytes), MAX_LIMIT) {
        Ok((limit, offset)) => {
            assert!((1..=MAX_LIMIT).contains(&limit));
            assert!(i64::try_from(offset).is_ok());
        }
        Err((status, document)) => {
            assert_eq!(status, 422);
            check_document(status, &document);
        }
    }
}

fn check_document(status: u16, document: &str) {
    let document: Value = serde_json::from_str(document).expect("a JSON document");
    assert_eq!(document["status"], status);
    assert!(document["code"].is_string() && document["title"].is_string());
}
