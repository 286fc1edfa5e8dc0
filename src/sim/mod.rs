//! One simulated machine for all processes that a command starts (`ztwin sim`).
//!
//! The [`Server`] lives in the process of `ztwin sim` and owns the [`Machine`]. Every call of `zfs` or
//! `zpool` is a process of its own: the [`client`], which is this same program under another name. It
//! sends its words and prints what comes back. A call is applied whole, one after the other.

use serde::{Deserialize, Serialize};

pub mod client;
mod home;
mod journal;
mod log;
mod machine;
pub mod namespace;
mod record;
mod server;

pub use home::{Home, VARIABLE};
pub use machine::{Clock, Machine, Options};
pub use server::Server;

/// A call of `zfs` or `zpool`, as the client sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// What stands on the real disk at the absolute paths that `zpool create` names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<(String, Found)>,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A regular file of this size, in bytes.
    File(u64),
    /// Something else.
    Other,
}

/// The head of an answer; standard output and standard error follow, each in a frame of raw bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    code: u8,
}

/// Why the simulated machine cannot be had, or no longer: what is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

impl Error {
    /// Something that was tried and failed.
    fn of(what: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> Error {
        move |error| Error(format!("cannot {what}: {error}"))
    }
}
