#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use thumbforge_fuzz::png_reference::compare;
use thumbforge_imaging::Format;

fuzz_target!(|data: &[u8]| -> Corpus {
    let file = thumbforge_fuzz::with_right_checksums(data);
    if let Err(difference) = compare(&file) {
        panic!("not what the png crate reads: {difference}");
    }
    thumbforge_fuzz::check_image(Format::Png, &file)
});
