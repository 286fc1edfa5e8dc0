//! The leaves of a large table (`zap_leaf.c`): how many there are, and which transaction groups wrote them.
//!
//! Which leaf a name falls into is up to a hash with a salt that nobody knows. So two tables are kept. In the one as
//! few leaves as can be were written anew, those of the youngest first; in the other one as many as can be, the
//! oldest first. Whatever is asked of the blocks that a dataset holds and an older one does not lies between
//! what the two answer.

use super::Weight;
use super::space::Freed;
use super::storage::Figure;

/// The leaves of a table on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Leaves {
    /// The oldest first; those that no snapshot lies between are one.
    ages: Vec<Age>,
}

/// Leaves of one age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Age {
    /// The transaction group that wrote the last of them.
    birth: u64,
    /// How many there are in the two tables.
    count: Figure,
    /// How many there can be at most in any.
    ever: u64,
    /// What a leaf of them weighs.
    leaf: Weight,
}

/// What becomes of the leaves in a transaction group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// How many there are then.
    pub count: Figure,
    /// How many of those before are written anew, or go.
    pub touched: Figure,
    /// How many there are more at most.
    pub split: u64,
    /// What a leaf that is written weighs.
    pub leaf: Weight,
}

impl Age {
    fn weight(&self) -> Weight {
        times(self.leaf, self.count)
    }
}

/// So many leaves.
fn times(leaf: Weight, count: Figure) -> Weight {
    let times = |one: Figure| Figure {
        least: one.least * count.least,
        most: one.most * count.most,
    };
    Weight {
        size: times(leaf.size),
        logical: times(leaf.logical),
        physical: times(leaf.physical),
    }
}

/// Takes so many away from the first of these counts, and tells how many there were.
fn take<'a>(counts: impl Iterator<Item = &'a mut u64>, wanted: u64) -> u64 {
    let mut left = wanted;
    for count in counts {
        let taken = left.min(*count);
        *count -= taken;
        left -= taken;
    }
    wanted - left
}

/// Either of two weights.
fn either(one: Weight, other: Weight) -> Weight {
    let either = |one: Figure, other: Figure| Figure {
        least: one.least.min(other.least),
        most: one.most.max(other.most),
    };
    Weight {
        size: either(one.size, other.size),
        logical: either(one.logical, other.logical),
        physical: either(one.physical, other.physical),
    }
}

impl Leaves {
    /// How many there are.
    pub(super) fn count(&self) -> Figure {
        self.ages.iter().map(|age| age.count).sum()
    }

    /// What they weigh, each age with its birth.
    pub(super) fn held(&self) -> impl Iterator<Item = (u64, Weight)> {
        self.ages.iter().map(|age| (age.birth, age.weight()))
    }

    /// A transaction group writes some of them anew; `since` is that of the last snapshot. Returns what it wrote
    /// and what it gave up.
    pub(super) fn sync(&mut self, change: Change, since: u64, txg: u64) -> (Weight, Vec<Freed>) {
        let before = self.clone();
        let old = before.count();
        let there: u64 = before.ages.iter().map(|age| age.ever).sum();
        let young = self.ages.partition_point(|age| age.birth <= since);
        let mut new = Age {
            birth: txg,
            ever: change.touched.most + change.split,
            leaf: change.leaf,
            ..Age::default()
        };
        // Those that are gone, the youngest first.
        let gone = old.least.saturating_sub(change.count.least);
        take(
            self.ages.iter_mut().rev().map(|age| &mut age.count.least),
            gone,
        );
        for age in self.ages.drain(young..) {
            new.count = new.count + age.count;
            new.ever += age.ever;
            new.leaf = either(new.leaf, age.leaf);
        }
        new.ever = new.ever.min(change.count.most);
        let touched = change.touched.least.max(1).min(change.count.least);
        let wanted = touched.saturating_sub(new.count.least);
        new.count.least += take(
            self.ages.iter_mut().rev().map(|age| &mut age.count.least),
            wanted,
        );
        new.count.least += change.count.least.saturating_sub(old.least);
        // What one is split into are two that are written, also where there may have been as many before.
        let grows = change.count.most.saturating_sub(old.most);
        let anew = change.touched.most + change.split.saturating_sub(grows);
        let all = self.ages.iter_mut().map(|age| &mut age.count.most);
        new.count.most += take(all, anew) + grows;
        new.count.most = new.count.most.min(change.count.most);
        let freed = before.ages.iter().enumerate().map(|(at, age)| {
            let left = self.ages.get(at).map_or(Figure::ZERO, |age| age.count);
            let gone = Figure {
                least: change.touched.least.saturating_sub(there - age.ever),
                most: age.ever.min(change.touched.most),
            };
            Freed {
                birth: age.birth,
                weight: times(age.leaf, age.count.without(left)),
                gone: times(age.leaf, gone),
            }
        });
        let freed = freed.collect();
        if change.touched.least >= old.most {
            self.ages.clear();
        }
        self.ages.push(new);
        (new.weight(), freed)
    }

    /// All of them go.
    pub(super) fn free(&self) -> Vec<Freed> {
        let old = self.count();
        let there: u64 = self.ages.iter().map(|age| age.ever).sum();
        let freed = self.ages.iter().map(|age| Freed {
            birth: age.birth,
            weight: age.weight(),
            gone: times(
                age.leaf,
                Figure {
                    least: old.least.saturating_sub(there - age.ever),
                    most: age.ever,
                },
            ),
        });
        freed.collect()
    }
}
