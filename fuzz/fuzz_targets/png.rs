#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use thumbforge::domain::SourceFormat;
use thumbforge::imaging::png::fuzzing::compare;

fuzz_target!(|data: &[u8]| -> Corpus {
    if let Err(difference) = compare(data) {
        panic!("not what the png crate reads: {difference}");
    }
    thumbforge_fuzz::check_image(SourceFormat::Png, data)
});
