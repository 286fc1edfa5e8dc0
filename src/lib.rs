//! The harness of ztwin: traces, programs, pools that can be driven, and their comparison.

pub mod archive;
pub mod capture;
pub mod cli;
pub mod compare;
pub mod drivers;
pub mod exit;
pub mod explain;
pub mod explore;
pub mod generate;
pub mod guest;
pub mod image;
pub mod pools;
pub mod programs;
pub mod script;
pub mod shrink;
pub mod sim;
pub mod trace;
#[cfg(feature = "zstd")]
mod zstd;
