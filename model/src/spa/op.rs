//! Operations on pools and vdev files.

use crate::machine::State;
use crate::outcome::Outcome;

/// An operation on pools or vdev files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolOp {
    /// Closes the open transaction group of a pool and waits until it is on disk.
    Sync {
        /// The pool.
        pool: String,
    },
}

impl PoolOp {
    pub(crate) fn apply(&self, _state: &mut State) -> Outcome {
        Outcome::NotModelled("pools")
    }
}
