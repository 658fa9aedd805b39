//! The variants of a request, by the check of the tests.

#[path = "../../crates/intake/tests/variants/any_json.rs"]
mod any_json;

use libfuzzer_sys::Corpus;

/// Any JSON is refused with its faults, or written in a form that is read back as the same. Text
/// that is no JSON is kept out of the corpus: the target of whole bodies has it.
pub fn check_variants(text: &[u8]) -> Corpus {
    any_json::check_variants(text);
    if serde_json::from_slice::<serde_json::Value>(text).is_ok() {
        Corpus::Keep
    } else {
        Corpus::Reject
    }
}
