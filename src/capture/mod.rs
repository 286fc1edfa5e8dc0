//! Recording what a real driver does to ZFS, as traces.
//!
//! A session (a script that runs Docker, say) is run where ZFS is, in a mount namespace of its own in
//! which `zfs` and `zpool` are replaced by this program. What it records, in order:
//!
//! - every call of `zfs` and `zpool`: words, both streams, exit code ([`call`]; a lock serialises them, and the
//!   rest of the session stands [`still`] while one runs);
//! - every `mount(2)` and `umount2(2)` of ZFS, which drivers call themselves ([`mounts`], by `strace`);
//! - what changed in the datasets since the last call: before each call every dataset that was mounted
//!   in between is looked at ([`look`]) and compared with the last known tree; the file steps that lead
//!   from one to the other are worked out later ([`change`], with data by name: [`data`]);
//! - notes: `note TEXT` in the session becomes prose, `story NAME TEXT` starts a trace.
//!
//! The record of it is the [`journal`]; [`story`] turns it into traces, away from any ZFS.
//! `docs/capture.md` is the manual.

pub mod call;
pub mod change;
pub mod data;
pub mod journal;
pub mod look;
pub mod mounts;
pub mod session;
pub mod still;
pub mod story;

/// Where the recorder keeps its files while a session runs. Mounts below it are its own.
pub const HOME: &str = "/run/ztwin-capture";

/// Why a session could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or program failed below the recorder.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The session did something that a trace cannot say, or the record is not whole.
    #[error("{0}")]
    Session(String),
}

impl Error {
    /// Says what was being done.
    pub(crate) fn io<E: Into<std::io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Error {
        let what = what.into();
        move |source| Error::Io {
            what,
            source: source.into(),
        }
    }
}
