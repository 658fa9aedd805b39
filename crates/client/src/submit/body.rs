//! What of a line is sent, and under which key.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The body of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// For people; empty if there is none.
    pub url: String,
    pub json: String,
    /// The variants or the preset of the line itself, as JSON, if it has any.
    pub own_pictures: Option<String>,
}

/// What says which pictures are made. They exclude each other.
const OF_PICTURES: [&str; 2] = ["preset", "variants"];

/// A line is a URL, or an object as the API takes it, whose members win.
///
/// # Errors
/// What is wrong with the line. What a URL or a member may be is left to the API.
pub fn of_line(text: &str, members: &Map<String, Value>) -> Result<Body, String> {
    let mut body = match text.starts_with('{') {
        true => serde_json::from_str::<Map<String, Value>>(text)
            .map_err(|error| format!("the line is no JSON object: {error}"))?,
        false => Map::from_iter([("url".to_owned(), Value::from(text))]),
    };
    let own = body.iter();
    let own: Map<_, _> = own
        .filter(|(name, _)| OF_PICTURES.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, value) in members {
        let is_of_pictures = OF_PICTURES.contains(&name.as_str());
        let is_overruled = body.contains_key(name) || is_of_pictures && !own.is_empty();
        if !is_overruled {
            body.insert(name.clone(), value.clone());
        }
    }
    let url = body.get("url").and_then(Value::as_str).unwrap_or_default();
    Ok(Body {
        url: url.to_owned(),
        json: Value::Object(body.clone()).to_string(),
        own_pictures: (!own.is_empty()).then(|| Value::Object(own).to_string()),
    })
}

/// The same for the same text in the same run, wherever in the input it stands.
pub fn key(run: &str, body: &Body) -> String {
    let mut hash = Sha256::new();
    hash.update(run.as_bytes());
    hash.update([0]);
    hash.update(body.json.as_bytes());
    hex(&hash.finalize())
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn an_object_has_its_own_members_before_those_of_all() {
        let all = members(json!({"preset": "gallery", "tags": ["a"], "priority": 3}));
        let body = of_line(r#"{"url": "x", "variants": [], "priority": 7}"#, &all).unwrap();
        let sent: Value = serde_json::from_str(&body.json).unwrap();
        let expected = json!({"url": "x", "variants": [], "priority": 7, "tags": ["a"]});
        assert_eq!((body.url.as_str(), sent), ("x", expected));
        assert!(of_line("{\"url\": ", &all).unwrap_err().contains("no JSON"));
    }

    #[test]
    fn a_key_depends_on_the_run_and_on_what_is_sent() {
        let none = Map::new();
        let a = of_line("http://a", &none).unwrap();
        let b = of_line("http://b", &none).unwrap();
        assert_eq!(key("run", &a), key("run", &a.clone()));
        assert_ne!(key("run", &a), key("run", &b));
        assert_ne!(key("run", &a), key("another", &a));
        assert_eq!(key("run", &a).len(), 64);
    }
}
