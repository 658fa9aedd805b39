#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::{Corpus, fuzz_target};
use thumbforge_codecs::vp8::Scratch;
use thumbforge_fuzz::vp8_reference::compare;
use thumbforge_imaging::Format;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

fuzz_target!(|data: &[u8]| -> Corpus {
    if let Err(difference) = SCRATCH.with_borrow_mut(|scratch| compare(data, scratch)) {
        panic!("not what the reference shows: {difference}");
    }
    thumbforge_fuzz::check_image(Format::Webp, data)
});
