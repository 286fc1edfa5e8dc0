//! Operations: one kernel operation each (one sync task, or one system call on a file).

use crate::dsl::op::DslOp;
use crate::machine::State;
use crate::outcome::Outcome;
use crate::spa::op::PoolOp;
use crate::zpl::op::FileOp;
use crate::zpl::permission::Credentials;

/// One operation on a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// On pools and vdev files.
    Pool(PoolOp),
    /// On datasets and their properties.
    Dataset(DslOp),
    /// On files, directories, mounts and open files.
    File(FileOp),
    /// System calls on files are made by somebody else from now on.
    Become(Credentials),
    /// That many seconds pass.
    Wait(u64),
}

impl Op {
    pub(crate) fn apply(&self, state: &mut State) -> Outcome {
        let outcome = match self {
            Op::Pool(op) => op.apply(state),
            Op::Dataset(op) => op.apply(state),
            Op::File(op) => op.apply(state),
            Op::Become(user) => {
                state.user = user.clone();
                Outcome::Done
            }
            Op::Wait(seconds) => {
                state.now = state.now.saturating_add(*seconds);
                Outcome::Done
            }
        };
        state.write_closed();
        outcome
    }
}
