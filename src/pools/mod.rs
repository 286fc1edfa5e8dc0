//! What can be driven: the model, a kernel's pools, a guest's pools.
//!
//! One trait, so that one test body and one comparison serve them all.

use bytes::Bytes;
use ztwin_model::Release;
use ztwin_model::layer::Tree;
use ztwin_model::outcome::Errno;

mod arm;
pub mod blobs;
pub mod guest;
pub mod kernel;
pub mod model;
mod open;
mod pointers;
mod print;
pub mod verb;

pub use blobs::Blobs;
pub use guest::GuestPools;
pub use kernel::KernelPools;
pub use model::ModelPools;
pub use open::{open, open_model, open_real};
pub use verb::Verb;

/// One step as it is run: the words after `$`, the process that runs it, and named streams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Command {
    /// The process of the step: empty for the first, `p2` for a step that starts with `p2$`.
    pub process: String,
    /// The words, unquoted: `["zfs", "create", "tank/a"]`. Never empty.
    pub words: Vec<String>,
    /// `< @name`: the kept stream that is standard input.
    pub input: Option<String>,
    /// `> @name`: the name under which standard output is kept.
    pub output: Option<String>,
}

/// What a step printed, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Printed {
    /// Standard output, as bytes.
    pub out: Vec<u8>,
    /// Standard error, as bytes.
    pub err: Vec<u8>,
    /// How the step ended.
    pub end: End,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum End {
    /// It ended with this exit code.
    Exit(u8),
    /// The kernel below it panicked.
    Panic,
    /// The model does not know the answer. Never from a real pool; counts as a failure.
    NotModelled,
}

impl Default for End {
    fn default() -> Self {
        End::Exit(0)
    }
}

/// Why steps could not be run at all. This says nothing about ZFS: exit code 3.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Unavailable {
    /// What was wrong and what to do, for people.
    pub message: String,
}

/// The kernel and the distribution that a real pool runs on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct System {
    /// The kernel's version, major and minor: `6.12`.
    pub linux: String,
    /// The distribution's name, as Debian's `VERSION_CODENAME`: `trixie`.
    pub name: String,
}

/// Something with pools on which the steps of a trace can be run.
pub trait Pools {
    /// The exact OpenZFS version behind it, such as `2.3.9`; for the model, that of the line.
    fn version(&self) -> String;

    /// The release line of [`Pools::version`].
    fn release(&self) -> Release;

    /// What it runs on, as it stands behind `@ recorded`; `None` for the model, from which nothing is
    /// ever recorded.
    fn system(&self) -> Option<System> {
        None
    }

    /// Runs a whole trace from a fresh start (no pools, no vdevs, no mounts, no kept streams),
    /// hands each outcome to `seen` with its index, in order, and removes what it created.
    fn play(
        &mut self,
        commands: &[Command],
        seen: &mut dyn FnMut(usize, Printed),
    ) -> Result<(), Unavailable>;
}

/// An arm in the middle of a trace: what [`Pools::play`] feeds step by step, and what drivers run on.
pub trait Session {
    /// The release line that it runs.
    fn release(&self) -> Release;

    /// Runs one step: `zfs`, `zpool`, a verb, or a driver's. Words that it cannot understand print
    /// `ztwin: ...` and end with exit code 2. A kept stream is taken from and put where `command` says.
    fn step(&mut self, command: &Command) -> Result<Printed, Unavailable>;

    /// Runs one verb for a process (empty for the first), without going through words. A write may
    /// carry any bytes this way.
    fn verb(&mut self, process: &str, verb: &Verb) -> Result<Printed, Unavailable>;

    /// Everything in a filesystem or snapshot, with access to the content; a filesystem that is not
    /// mounted is `ENOENT`.
    fn tree(&mut self, dataset: &str) -> Result<Result<Tree, Errno>, Unavailable>;

    /// Where a filesystem is mounted first, if it is.
    fn mountpoint(&mut self, dataset: &str) -> Result<Option<String>, Unavailable>;

    /// Whether a filesystem of the pools is mounted at a path.
    fn is_mounted(&mut self, path: &str) -> Result<bool, Unavailable>;

    /// The bytes that `data=hash:` names.
    fn blob(&self, name: &str) -> Result<Bytes, blobs::Error>;

    /// A kept stream.
    fn stream(&self, name: &str) -> Option<Bytes>;

    /// Keeps a stream.
    fn keep(&mut self, name: &str, bytes: Bytes);

    /// Runs one step of the first process, without streams.
    fn run(&mut self, words: &[&str]) -> Result<Printed, Unavailable> {
        self.step(&Command {
            words: words.iter().map(|&word| word.to_owned()).collect(),
            ..Command::default()
        })
    }
}

impl Printed {
    /// Nothing on standard output, a line on standard error, and an exit code.
    #[must_use]
    pub fn failed(line: &str, code: u8) -> Printed {
        Printed {
            out: Vec::new(),
            err: format!("{line}\n").into_bytes(),
            end: End::Exit(code),
        }
    }

    /// A line on standard output.
    #[must_use]
    pub fn line(line: &str) -> Printed {
        Printed {
            out: format!("{line}\n").into_bytes(),
            ..Printed::default()
        }
    }

    /// Whether it ended with exit code 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.end == End::Exit(0)
    }
}
