//! What a sequence was drawn from.

use std::sync::Arc;

use super::{Lot, Mix, Sequence, World};
use crate::release::Release;

/// What a sequence is drawn from in a world: little enough to be kept, and enough to have it again with the same
/// version of this crate. What found something is better kept as a trace, which every version understands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Recipe {
    /// Which operations come, and how often.
    pub mix: Mix,
    /// The release whose rules choose them.
    pub release: Release,
    /// One for each operation.
    pub lots: Vec<Lot>,
}

impl Recipe {
    /// The sequence.
    #[must_use]
    pub fn sequence(&self, world: &Arc<World>) -> Sequence {
        Sequence::from_lots(world, self.mix, self.release, self.lots.iter().copied())
    }
}
