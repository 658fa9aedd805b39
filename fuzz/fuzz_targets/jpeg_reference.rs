#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use thumbforge_codecs::jpeg::Scratch;
use thumbforge_fuzz::jpeg_reference::compare;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

fuzz_target!(|data: &[u8]| {
    if let Err(difference) = SCRATCH.with_borrow_mut(|scratch| compare(data, scratch)) {
        panic!("not what the reference shows: {difference}");
    }
});
