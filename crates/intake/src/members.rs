//! Reads a JSON object into its type, and reports every fault of its members with a pointer.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::request_fault::RequestFault;

/// The body of a request: one object whose members are all known.
pub trait ObjectBody: DeserializeOwned {
    /// What to send, as a sentence.
    const SHAPE: &'static str;
    const MEMBERS: &'static [Member];

    /// True if its members may stand beside each other; if not, [`Self::deeper_faults`] gives the
    /// reason.
    fn is_consistent(&self) -> bool {
        true
    }

    /// Faults below the members, and between them.
    fn deeper_faults(_given: &Map<String, Value>) -> Vec<RequestFault> {
        Vec::new()
    }
}

/// A member, and what is wrong with its value, if anything.
pub struct Member {
    pub name: &'static str,
    pub is_required: bool,
    pub fault: fn(&Value) -> Option<&'static str>,
}

/// Why a body is not the expected one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyRefusal {
    /// It is not JSON; a sentence says where it breaks off.
    NoJson(String),
    /// It is JSON of another kind.
    Faults {
        /// What to send, as a sentence.
        shape: &'static str,
        /// Never empty.
        faults: Vec<RequestFault>,
    },
}

/// Reads the type first and looks for faults only if that fails: most bodies have none.
///
/// # Errors
/// Text that is not JSON, or every fault of its members.
pub fn parse<T: ObjectBody>(bytes: &[u8]) -> Result<T, BodyRefusal> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    match serde_json::from_slice(bytes) {
        // serde would take an array for a struct, member by member.
        Ok(body) if first == Some(&b'{') && T::is_consistent(&body) => Ok(body),
        Ok(_) if first == Some(&b'{') => Err(explain::<T>(bytes, "contradicts itself")),
        Ok(_) => Err(explain::<T>(bytes, "must be an object")),
        Err(error) => Err(explain::<T>(bytes, &error.to_string())),
    }
}

/// Reads the body anew as any JSON. The first parser stops at the first fault, even if the text is
/// not JSON further on, and it can't point at the fault.
fn explain<T: ObjectBody>(bytes: &[u8], first: &str) -> BodyRefusal {
    let value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => return BodyRefusal::NoJson(sentence(&error)),
    };
    let mut faults = faults(&value, T::MEMBERS);
    if let Value::Object(given) = &value {
        faults.extend(T::deeper_faults(given));
    }
    if faults.is_empty() {
        faults.push(RequestFault::in_body("#", first));
    }
    BodyRefusal::Faults {
        shape: T::SHAPE,
        faults,
    }
}

pub(super) fn sentence(error: &serde_json::Error) -> String {
    if error.is_eof() {
        String::from("The JSON ends too early.")
    } else {
        format!(
            "There is a syntax error at line {}, column {}.",
            error.line(),
            error.column()
        )
    }
}

fn faults(value: &Value, members: &[Member]) -> Vec<RequestFault> {
    let Value::Object(given) = value else {
        return vec![RequestFault::in_body("#", "must be an object")];
    };
    let wrong = members.iter().filter_map(|member| {
        let detail = match given.get(member.name) {
            None => member.is_required.then_some("is required"),
            Some(value) => (member.fault)(value),
        };
        detail.map(|detail| RequestFault::in_body(pointer(member.name), detail))
    });
    let is_known = |name: &String| members.iter().any(|member| member.name == name);
    let unknown = given.keys().filter(|name| !is_known(name));
    let unknown = unknown.map(|name| RequestFault::in_body(pointer(name), "is not known"));
    wrong.chain(unknown).collect()
}

/// JSON pointer to the value that is reached through these members, as URI fragment.
pub(super) fn pointer_through<'a>(members: impl IntoIterator<Item = &'a str>) -> String {
    let steps = members
        .into_iter()
        .map(|member| pointer(member).split_off(1));
    format!("#{}", steps.collect::<String>())
}

/// JSON pointer to a member, as URI fragment (RFC 6901, sections 3 and 6).
fn pointer(member: &str) -> String {
    let escaped = member.replace('~', "~0").replace('/', "~1");
    let encoded: String = url::form_urlencoded::byte_serialize(escaped.as_bytes()).collect();
    // The encoder is one for forms: a fragment has spaces as %20 and may have `~` as it is.
    format!("#/{}", encoded.replace('+', "%20").replace("%7E", "~"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::SubmitBody;

    fn is_no_json(bytes: &[u8]) -> bool {
        matches!(parse::<SubmitBody>(bytes), Err(BodyRefusal::NoJson(_)))
    }

    fn faults_of(text: &str) -> Vec<RequestFault> {
        match parse::<SubmitBody>(text.as_bytes()) {
            Err(BodyRefusal::Faults { faults, .. }) => faults,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn text_that_is_no_json_is_malformed() {
        for text in [
            "",
            "{",
            "{\"url\": }",
            "url",
            "{\"url\": \"\u{1}\"}",
            "\u{feff}{}",
            "[7",
            "{\"url\": 7",
            "{\"url\": \"a\"} {}",
        ] {
            assert!(is_no_json(text.as_bytes()), "{text}");
        }
        let deep = "[".repeat(10_000);
        assert!(is_no_json(deep.as_bytes()));
    }

    #[test]
    fn invalid_utf8_is_malformed() {
        assert!(is_no_json(b"{\"url\": \"\xff\"}"));
    }

    #[test]
    fn every_fault_of_the_fields_is_pointed_at() {
        for (text, expected) in [
            ("[]", vec![("#", "must be an object")]),
            (
                " [\"https://a.example/\"]",
                vec![("#", "must be an object")],
            ),
            ("null", vec![("#", "must be an object")]),
            ("{}", vec![("#/url", "is required")]),
            ("{\"url\": 1}", vec![("#/url", "must be a string")]),
            (
                "{\"url\": null, \"a/b c~\": 1}",
                vec![
                    ("#/url", "must be a string"),
                    ("#/a~1b%20c~0", "is not known"),
                ],
            ),
        ] {
            let faults = faults_of(text);
            let faults: Vec<_> = faults
                .iter()
                .map(|fault| (fault.pointer.as_deref().unwrap(), fault.detail.as_str()))
                .collect();
            assert_eq!(faults, expected, "{text}");
        }
    }

    #[test]
    fn a_member_given_twice_is_refused() {
        assert_eq!(faults_of("{\"url\": \"a\", \"url\": \"b\"}").len(), 1);
    }
}
