//! What blocks weigh: on disk, before compression, and in one copy.

use std::ops::{Add, AddAssign, Sub, SubAssign};

use super::storage::{Figure, Storage};

/// What a block weighs, or several together. Where the number is not known, it lies between bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// The bytes that a dataset is charged, all copies together (`bp_get_dsize_sync`).
    pub size: Figure,
    /// The bytes before compression (`BP_GET_UCSIZE`).
    pub logical: Figure,
    /// The bytes of one copy as it is stored (`BP_GET_PSIZE`).
    pub physical: Figure,
}

impl Weight {
    /// That of no blocks.
    pub const ZERO: Weight = Weight {
        size: Figure::ZERO,
        logical: Figure::ZERO,
        physical: Figure::ZERO,
    };

    /// Of a block of data: `stored` bytes a copy, 0 when its pointer holds it.
    pub(super) fn of_data(stored: Figure, size: u64, copies: u64, on: &Storage) -> Weight {
        Weight {
            size: stored.map(|bytes| on.charged(bytes) * copies),
            logical: Figure::exact(size),
            physical: stored,
        }
    }

    /// Of a block of metadata.
    pub(super) fn of_metadata(stored: Figure, copies: u64, on: &Storage) -> Weight {
        Weight {
            logical: stored,
            ..Weight::of_data(stored, 0, copies, on)
        }
    }
}

impl Add for Weight {
    type Output = Weight;

    fn add(self, other: Weight) -> Weight {
        Weight {
            size: self.size + other.size,
            logical: self.logical + other.logical,
            physical: self.physical + other.physical,
        }
    }
}

/// What is left of some blocks when these of them are gone.
impl Sub for Weight {
    type Output = Weight;

    fn sub(self, other: Weight) -> Weight {
        Weight {
            size: self.size.without(other.size),
            logical: self.logical.without(other.logical),
            physical: self.physical.without(other.physical),
        }
    }
}

impl AddAssign for Weight {
    fn add_assign(&mut self, other: Weight) {
        *self = *self + other;
    }
}

impl SubAssign for Weight {
    fn sub_assign(&mut self, other: Weight) {
        *self = *self - other;
    }
}

impl std::iter::Sum for Weight {
    fn sum<I: Iterator<Item = Weight>>(weights: I) -> Weight {
        weights.fold(Weight::ZERO, Add::add)
    }
}
