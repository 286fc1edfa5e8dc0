//! `cargo fuzz run --sanitizer none tar`

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ztwin_fuzz::tar::run(data));
