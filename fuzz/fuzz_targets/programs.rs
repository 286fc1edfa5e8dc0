//! `cargo fuzz run --sanitizer none programs`

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ztwin_fuzz::programs::run(data));
