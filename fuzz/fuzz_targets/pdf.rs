#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use thumbforge_imaging::Format;

fuzz_target!(|data: &[u8]| -> Corpus { thumbforge_fuzz::check_measure(Format::Pdf, data) });
