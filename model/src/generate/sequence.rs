//! A sequence of operations.

use std::fmt;
use std::sync::Arc;

use super::{Lot, Lots, Mix, Step, World, apply};
use crate::machine::Machine;
use crate::op::Op;
use crate::outcome::Outcome;
use crate::release::Release;

/// Operations on the pool of a [`World`]. Its text is a trace, which `ztwin` replays.
#[derive(Clone)]
pub struct Sequence {
    /// The world, with what makes its pool.
    pub world: Arc<World>,
    /// The release whose rules chose the operations.
    pub release: Release,
    /// The operations.
    pub ops: Vec<Op>,
}

impl Sequence {
    /// The operations that lots stand for, each chosen in the state that the ones before it made.
    #[must_use]
    pub fn from_lots(
        world: &Arc<World>,
        mix: Mix,
        release: Release,
        lots: impl IntoIterator<Item = Lot>,
    ) -> Sequence {
        let mut machine = world.machine(release);
        let op = |lot| {
            let op = world.choose(mix, lot, machine.state());
            let _ = apply(&mut machine, &op);
            op
        };
        Sequence {
            ops: lots.into_iter().map(op).collect(),
            world: Arc::clone(world),
            release,
        }
    }

    /// A sequence of this length from a seed.
    #[must_use]
    pub fn from_seed(
        world: &Arc<World>,
        mix: Mix,
        release: Release,
        seed: u64,
        length: usize,
    ) -> Sequence {
        Sequence::from_lots(world, mix, release, Lots::new(seed).take(length))
    }

    /// A sequence from bytes, eight for each operation; what is left of them at the end counts as if zeros
    /// followed.
    #[must_use]
    pub fn from_bytes(world: &Arc<World>, mix: Mix, release: Release, bytes: &[u8]) -> Sequence {
        let lots = bytes.chunks(8).map(|chunk| {
            let mut lot = Lot::default();
            lot.0[..chunk.len()].copy_from_slice(chunk);
            lot
        });
        Sequence::from_lots(world, mix, release, lots)
    }

    /// What the model answers, operation by operation, and the machine that they leave.
    #[must_use]
    pub fn run(&self) -> (Machine, Vec<Outcome>) {
        let mut machine = self.world.machine(self.release);
        let outcomes = self.ops.iter().map(|op| apply(&mut machine, op)).collect();
        (machine, outcomes)
    }

    /// The steps of a trace that does the same, from the making of the pool on.
    pub fn steps(&self) -> impl Iterator<Item = Step> {
        let setup = self.world.setup(self.release);
        setup.into_iter().chain(self.ops.iter().cloned()).map(Step)
    }
}

/// A trace without outcomes.
impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.steps() {
            writeln!(f, "  $ {step}")?;
        }
        Ok(())
    }
}

/// The same: what a property test prints can be pasted into a trace.
impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}
