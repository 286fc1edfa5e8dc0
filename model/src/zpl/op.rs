//! System calls on files, directories and mounts.

use crate::machine::State;
use crate::outcome::Outcome;

/// One system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOp {}

/// What a system call returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileResult {}

impl FileOp {
    pub(crate) fn apply(&self, _state: &mut State) -> Outcome {
        Outcome::NotModelled("files")
    }
}
