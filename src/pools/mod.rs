//! What can be driven: the model, a kernel's pools, a guest's pools.
//!
//! One trait, so that one test body and one comparison serve them all.

use ztwin_model::Release;

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

/// Something with pools on which the steps of a trace can be run.
pub trait Pools {
    /// The exact OpenZFS version behind it, such as `2.3.9`; for the model, that of the line.
    fn version(&self) -> String;

    /// The release line of [`Pools::version`].
    fn release(&self) -> Release;

    /// Runs a whole trace from a fresh start (no pools, no vdevs, no mounts, no kept streams),
    /// hands each outcome to `seen` with its index, in order, and removes what it created.
    fn play(
        &mut self,
        commands: &[Command],
        seen: &mut dyn FnMut(usize, Printed),
    ) -> Result<(), Unavailable>;
}
