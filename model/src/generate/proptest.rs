//! Sequences for `proptest`.

use std::ops::Range;
use std::sync::Arc;

use ::proptest::prelude::Rng as _;
use ::proptest::strategy::{NewTree, Strategy, ValueTree};
use ::proptest::test_runner::TestRunner;

use super::shrink::{Shrinking, simpler};
use super::{Lots, Mix, Sequence, World};
use crate::op::Op;
use crate::release::Release;

/// Sequences of a mix, of so many operations.
#[must_use]
pub fn sequences(
    world: &Arc<World>,
    mix: Mix,
    release: Release,
    length: Range<usize>,
) -> Sequences {
    Sequences {
        world: Arc::clone(world),
        mix,
        release,
        length,
    }
}

/// What [`sequences`] returns.
#[derive(Clone, Debug)]
pub struct Sequences {
    world: Arc<World>,
    mix: Mix,
    release: Release,
    length: Range<usize>,
}

impl Strategy for Sequences {
    type Tree = SequenceTree;
    type Value = Sequence;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let mut lots = Lots::new(runner.rng().next_u64());
        let lengths = (self.length.end.saturating_sub(self.length.start)).max(1);
        let more = usize::try_from(lots.number() % lengths as u64).unwrap_or(0);
        let lots = lots.take(self.length.start + more);
        let sequence = Sequence::from_lots(&self.world, self.mix, self.release, lots);
        Ok(SequenceTree {
            shrinking: Shrinking::new(sequence.ops.clone(), simpler),
            sequence,
        })
    }
}

/// A sequence, and what is to be tried to make it smaller.
#[derive(Clone, Debug)]
pub struct SequenceTree {
    sequence: Sequence,
    shrinking: Shrinking<Op>,
}

impl SequenceTree {
    /// Goes on to what is to be tried next; back to what failed when there is nothing.
    fn advance(&mut self) -> bool {
        let next = self.shrinking.offer().map(<[Op]>::to_vec);
        let found = next.is_some();
        self.sequence.ops = next.unwrap_or_else(|| self.shrinking.best().to_vec());
        found
    }
}

impl ValueTree for SequenceTree {
    type Value = Sequence;

    fn current(&self) -> Sequence {
        self.sequence.clone()
    }

    fn simplify(&mut self) -> bool {
        self.shrinking.accept();
        self.advance()
    }

    fn complicate(&mut self) -> bool {
        self.advance()
    }
}
