//! Any JSON as the variants of a request: refused with a pointer to each fault, or of one form.
//!
//! A file of the fuzz targets too, which draw better texts than the test here.

use serde_json::Value;
use thumbforge_intake::Variants;
use thumbforge_intake::variant::{MOST_VARIANTS, is_name, spec_hash};

/// Whether the text was accepted.
///
/// # Panics
/// If what was accepted is not read back as the same, or a fault points nowhere.
pub fn check_variants(text: &[u8]) -> bool {
    let Ok(list) = serde_json::from_slice::<Value>(text) else {
        return false;
    };
    match Variants::read(&list) {
        Ok(variants) => {
            check_accepted(&list, &variants);
            true
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            for fault in faults {
                assert!(!fault.detail.is_empty(), "{fault}");
                if let [index, ..] = &fault.place[..] {
                    let index: usize = index.parse().expect("a place begins with a number");
                    assert!(list.get(index).is_some(), "{fault}");
                }
            }
            false
        }
    }
}

fn check_accepted(list: &Value, variants: &Variants) {
    let count = variants.iter().len();
    assert_eq!(list.as_array().map(Vec::len), Some(count));
    assert!((1..=MOST_VARIANTS).contains(&count));
    let names: Vec<&str> = variants.iter().map(|named| named.name.as_str()).collect();
    for (index, name) in names.iter().enumerate() {
        assert!(is_name(name) && !names[..index].contains(name), "{names:?}");
    }
    let written = variants.to_json();
    let again = Variants::from_json(&written).unwrap_or_else(|| panic!("{written}"));
    assert_eq!(&again, variants);
    assert_eq!(again.to_json(), written);
    assert_eq!(spec_hash(Some(&again)), spec_hash(Some(variants)));
    // Preset files and requests spell the same by other words.
    let spelt: Value = serde_json::from_str(&written).expect("JSON of our own");
    assert_eq!(Variants::read(&spelt).as_ref(), Ok(variants));
}
