//! The `ztwin` program.

fn main() {}
