//! Deadlists: the blocks that a dataset has let go of and the snapshot before it has.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included};

use crate::dmu::Weight;

/// The weight of such blocks by the transaction group that wrote them: every question that is asked of a
/// deadlist is about a range of births.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Deadlist(BTreeMap<u64, Weight>);

impl Deadlist {
    /// One without blocks.
    pub const EMPTY: Deadlist = Deadlist(BTreeMap::new());

    /// `dsl_deadlist_insert`
    pub fn insert(&mut self, birth: u64, weight: Weight) {
        *self.0.entry(birth).or_default() += weight;
    }

    /// All of it (`dsl_deadlist_space`).
    pub fn space(&self) -> Weight {
        self.0.values().copied().sum()
    }

    /// Of blocks born after a transaction group, up to another one (`dsl_deadlist_space_range`).
    pub fn space_range(&self, after: u64, until: u64) -> Weight {
        if after >= until {
            return Weight::default();
        }
        let range = self.0.range((Excluded(after), Included(until)));
        range.map(|(_, &weight)| weight).sum()
    }

    /// Forgets the blocks born after a transaction group (`dsl_deadlist_move_bpobj`).
    pub fn free_after(&mut self, txg: u64) {
        self.0.split_off(&txg.saturating_add(1));
    }

    /// Takes over another one (`dsl_deadlist_merge`), the shorter one into the longer one.
    pub fn merge(&mut self, mut other: Deadlist) {
        if other.0.len() > self.0.len() {
            std::mem::swap(&mut self.0, &mut other.0);
        }
        for (birth, weight) in other.0 {
            self.insert(birth, weight);
        }
    }
}
