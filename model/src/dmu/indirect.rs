//! Indirect blocks: which there are, and what they take on disk.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::storage::{Figure, Storage};
use crate::fault::Fault;

/// The pointers in an indirect block, as a power of two (`dn_indblkshift` less `SPA_BLKPTRSHIFT`).
const POINTERS: u32 = 10;

/// The size of an indirect block that is not compressed, in bytes.
const SIZE: u64 = 128 << 10;

/// An indirect block on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indirect {
    /// The transaction group that wrote it.
    pub birth: u64,
    /// How often it is stored.
    pub copies: u64,
}

/// The number, at a level, of the block above or at block `number` of level 0.
pub(super) fn above(number: u64, level: u32) -> u64 {
    number.checked_shr(level * POINTERS).unwrap_or(0)
}

/// The blocks of level 0 below one.
pub(super) fn below(level: u32, number: u64) -> RangeInclusive<u64> {
    let shift = level * POINTERS;
    let first = number.checked_shl(shift).unwrap_or(0);
    let last = 1_u64
        .checked_shl(shift)
        .map_or(u64::MAX, |blocks| first + (blocks - 1));
    first..=last
}

/// The levels of a file whose last block has this number (`dnode_new_blkid`); a file of one block has one.
pub(super) fn levels(last: u64) -> u32 {
    let mut levels = 1;
    while above(last, levels - 1) > 0 {
        levels += 1;
    }
    levels
}

/// The indirect blocks of a file, by level and number. Those that would hold nothing are not there.
pub(super) type Indirects = BTreeMap<(u32, u64), Indirect>;

/// The pointers in an indirect block that are no holes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pointers {
    /// Those to a block.
    blocks: u64,
    /// Those that hold one, or may.
    embedded: u64,
}

impl Pointers {
    /// One more.
    pub fn add(&mut self, embedded: bool) {
        if embedded {
            self.embedded += 1;
        } else {
            self.blocks += 1;
        }
    }
}

/// What one with these pointers takes on disk, once.
///
/// It is always compressed with lz4, to which a long run of zeros is a byte for each 255 of them. Nobody knows
/// the checksums in it, but they are mostly what is left of a pointer, unless blocks are alike.
pub(super) fn stored(pointers: Pointers, on: &Storage) -> Figure {
    if on.faulty(Fault::IndirectIsFree) {
        return Figure::default();
    }
    let count = pointers.blocks + pointers.embedded;
    let zeros = (SIZE - 128 * count.min(1 << POINTERS)) / 255;
    let compressed = Figure {
        least: zeros + 20 + 5 * count,
        most: zeros + 60 + 44 * pointers.blocks + 130 * pointers.embedded,
    };
    compressed.map(|bytes| bytes.next_multiple_of(on.sector()).min(SIZE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_more_with_each_factor_of_1024() {
        let found = [0, 1, 1023, 1024, (1 << 20) - 1, 1 << 20, 1 << 54].map(levels);
        assert_eq!(found, [1, 2, 2, 3, 3, 4, 7]);
    }

    #[test]
    fn what_is_above_a_block_has_it_below() {
        assert_eq!((above(5000, 1), above(5000, 2)), (4, 0));
        assert_eq!(below(1, 4), 4096..=5119);
        assert_eq!(below(2, 0), 0..=(1 << 20) - 1);
    }
}
