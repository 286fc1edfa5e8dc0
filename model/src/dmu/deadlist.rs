//! Deadlists: blocks that are given up, by the transaction groups that wrote them.

use std::ops::Bound::{Excluded, Included, Unbounded};

use super::Weight;
use crate::maps::Radix;

/// The weight of such blocks by their birth: every question that is asked of a deadlist is about a range of
/// births. Cloning is O(1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deadlist {
    by_birth: Radix<u64, Weight>,
    all: Weight,
}

impl Deadlist {
    /// One without blocks.
    pub const EMPTY: Deadlist = Deadlist {
        by_birth: Radix::new(),
        all: Weight::ZERO,
    };

    /// `dsl_deadlist_insert`
    pub fn insert(&mut self, birth: u64, weight: Weight) {
        self.all += weight;
        match self.by_birth.get_mut(&birth) {
            Some(known) => *known += weight,
            None => {
                self.by_birth.insert(birth, weight);
            }
        }
    }

    /// Whether there are no blocks in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_birth.is_empty()
    }

    /// What all blocks of each birth weigh together, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Weight)> {
        self.by_birth.iter().map(|(birth, &weight)| (birth, weight))
    }

    /// All of it (`dsl_deadlist_space`).
    #[must_use]
    pub fn space(&self) -> Weight {
        self.all
    }

    /// Of blocks born after a transaction group, up to another one (`dsl_deadlist_space_range`).
    #[must_use]
    pub fn space_range(&self, after: u64, until: u64) -> Weight {
        let range = self.by_birth.range((Excluded(after), Included(until)));
        range.map(|(_, &weight)| weight).sum()
    }

    /// Forgets the blocks born after a transaction group (`dsl_deadlist_move_bpobj`).
    pub fn free_after(&mut self, txg: u64) {
        self.all -= self.space_range(txg, u64::MAX);
        self.by_birth.remove_range((Excluded(txg), Unbounded));
    }

    /// Takes over another one (`dsl_deadlist_merge`), the shorter one into the longer one.
    pub fn merge(&mut self, mut other: Deadlist) {
        if other.by_birth.len() > self.by_birth.len() {
            std::mem::swap(self, &mut other);
        }
        for (birth, weight) in other.iter() {
            self.insert(birth, weight);
        }
    }
}
