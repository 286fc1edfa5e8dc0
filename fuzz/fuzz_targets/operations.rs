//! `cargo fuzz run --sanitizer none operations`

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ztwin_fuzz::operations::run(data));
