#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| thumbforge_fuzz::check_render(data));
