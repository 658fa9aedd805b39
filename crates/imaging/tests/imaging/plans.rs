//! Random sources and variants, by the check of the fuzz targets.

use proptest::prelude::*;
use thumbforge_imaging::Scratch;

use crate::any_render::Case;

proptest! {
    #[test]
    fn what_is_planned_is_made(bytes in proptest::collection::vec(any::<u8>(), 0..160)) {
        Case::of(&bytes).check(&mut Scratch::default());
    }
}

#[test]
fn a_case_without_choices_is_planned_and_made() {
    let reserved = Case::of(&[]).check(&mut Scratch::default());
    assert!(
        reserved.is_some_and(|bytes| bytes > 1 << 20),
        "{reserved:?}"
    );
}
