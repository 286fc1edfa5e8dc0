//! `cargo fuzz run --sanitizer none trace`

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ztwin_fuzz::trace::run(data));
