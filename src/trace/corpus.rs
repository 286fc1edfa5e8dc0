//! The traces that are built into the program.

/// The corpus: the name of each trace, as `traces/zfs/create.trace`, and its text, in the order of names.
pub static CORPUS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/corpus.rs"));
