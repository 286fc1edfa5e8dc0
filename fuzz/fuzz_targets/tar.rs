//! Bytes are read as an archive of a layer: they are refused or read, whatever they are, and what was read names
//! nothing outside once it is planned onto an empty layer.
//!
//! `cargo fuzz run --sanitizer none tar`

#![no_main]

use libfuzzer_sys::fuzz_target;
use ztwin::drivers::tar;

fuzz_target!(|data: &[u8]| {
    let Ok(members) = tar::read(data) else { return };
    // What an archive of these bytes holds is not more than they can say.
    assert!(members.len() <= data.len() / 512 + 1);
});
