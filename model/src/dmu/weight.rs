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
    pub(super) fn of_data(stored: Figure, size: u64, copies: u8, on: &Storage) -> Weight {
        Weight {
            size: stored.map(|bytes| on.charged(bytes) * u64::from(copies)),
            logical: Figure::exact(size),
            physical: stored,
        }
    }

    /// Of a block of metadata.
    pub(super) fn of_metadata(stored: Figure, copies: u8, on: &Storage) -> Weight {
        Weight {
            logical: stored,
            ..Weight::of_data(stored, 0, copies, on)
        }
    }
}

/// The weight of one block in half the room: a block has at most 16M, and no more than three copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfBlock {
    size: [u32; 2],
    logical: [u32; 2],
    physical: [u32; 2],
}

impl From<Weight> for OfBlock {
    fn from(weight: Weight) -> OfBlock {
        let bound = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
        let pack = |figure: Figure| [bound(figure.least), bound(figure.most)];
        OfBlock {
            size: pack(weight.size),
            logical: pack(weight.logical),
            physical: pack(weight.physical),
        }
    }
}

impl From<OfBlock> for Weight {
    fn from(weight: OfBlock) -> Weight {
        let unpack = |[least, most]: [u32; 2]| Figure {
            least: least.into(),
            most: most.into(),
        };
        Weight {
            size: unpack(weight.size),
            logical: unpack(weight.logical),
            physical: unpack(weight.physical),
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
