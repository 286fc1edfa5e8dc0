//! `cargo fuzz run --sanitizer none state`

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ztwin_fuzz::state::run(data));
