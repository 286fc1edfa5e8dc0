//! What each fuzz target does with its bytes; a bench runs the same (`benches/searches.rs`).

pub mod operations;
pub mod programs;
pub mod state;
pub mod tar;
pub mod trace;
