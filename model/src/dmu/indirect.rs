//! Indirect blocks: which there are, and what they take on disk.

use std::ops::RangeInclusive;

use super::Weight;
use super::data::Source;
use super::storage::{Figure, Storage};
use super::{compress, lz4};
use crate::fault::Fault;
use crate::maps::Radix;
use crate::release::Release;

/// The pointers in an indirect block, as a power of two (`dn_indblkshift` less `SPA_BLKPTRSHIFT`).
const POINTERS: u32 = 10;

/// The size of an indirect block that is not compressed, in bytes.
pub(super) const SIZE: u64 = 128 << 10;

/// An indirect block on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indirect {
    /// The transaction group that wrote it.
    pub birth: u64,
    /// How often it is stored.
    pub copies: u8,
    /// What it weighs, once it is on disk.
    pub weight: Option<Weight>,
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

/// The levels of an object whose last block has this number (`dnode_new_blkid`), when its dnode has so many pointers
/// (`dn_nblkptr`).
pub(super) fn levels(last: u64, pointers: u64) -> u32 {
    let mut levels = 1;
    while above(last, levels - 1) >= pointers {
        levels += 1;
    }
    levels
}

/// What is one level below an indirect block.
pub(super) fn children<V: Clone>(
    of: &Radix<Place, V>,
    above: Place,
) -> impl Iterator<Item = (u64, &V)> {
    let level = above.level - 1;
    let numbers = below(1, above.number);
    let place = |&number: &u64| Place { level, number };
    let found = of.range(place(numbers.start())..=place(numbers.end()));
    let found = found.filter(move |(place, _)| place.level == level);
    found.map(|(place, block)| (place.number, block))
}

/// The indirect blocks of a file. Those that would hold nothing are not there.
pub(super) type Indirects = Radix<Place, Indirect>;

/// Where an indirect block stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The level, below 8.
    pub level: u32,
    /// The number at that level.
    pub number: u64,
}

impl From<Place> for u64 {
    /// The level stands behind the number, so that the numbers stay small.
    fn from(place: Place) -> u64 {
        place.number << 3 | u64::from(place.level)
    }
}

impl From<u64> for Place {
    #[allow(clippy::cast_possible_truncation, reason = "it is below 8")]
    fn from(key: u64) -> Place {
        Place {
            level: (key & 7) as u32,
            number: key >> 3,
        }
    }
}

/// A block pointer, as far as it is known: not where its block lies, nor its checksum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pointer {
    /// The size of the block as it is stored; 0 when the pointer holds it.
    pub stored: Figure,
    /// How many bytes it then holds.
    pub holds: u64,
    /// How often it is stored.
    pub copies: u8,
    /// The transaction group that wrote it.
    pub birth: u64,
    /// What it holds: equal numbers for equal blocks, 0 for zeros.
    pub content: u64,
}

/// What an indirect block with these pointers, by the number of the block below, takes on disk, once. `size` is
/// that of each block below.
///
/// It is always compressed with lz4. What nobody knows in it are checksums and the places of blocks: others of
/// their kind stand for them, and compress nearly as well.
pub(super) fn stored(pointers: &[(u64, Pointer)], size: u64, on: &Storage) -> Figure {
    if on.faulty(Fault::IndirectIsFree) {
        return Figure::default();
    }
    let sectors =
        |compressed: Figure| compressed.map(|bytes| bytes.next_multiple_of(on.unit()).min(SIZE));
    // A long run of zeros is a byte for each 255 of them.
    let count = pointers.len() as u64;
    let zeros = (SIZE - 128 * count.min(1 << POINTERS)) / 255;
    let surely = sectors(Figure {
        least: zeros + 20 + 5 * count,
        most: zeros + 60 + 130 * count,
    });
    if !on.metadata_lz4 {
        // `lzjb` has short runs only.
        return sectors(Figure {
            least: 1,
            most: SIZE,
        });
    }
    let known = |to: &Pointer| to.stored.least == to.stored.most;
    if surely.least == surely.most || !pointers.iter().all(|(_, to)| known(to)) {
        return surely;
    }
    let compressed = PLACES.map(|place| {
        let image = image(pointers, size, place, on);
        lz4::size(&image, SIZE - SIZE / 8).unwrap_or(SIZE)
    });
    let least = compressed.into_iter().min().unwrap_or(0);
    let most = compressed.into_iter().max().unwrap_or(SIZE);
    // What was not written together does not lie together, nor do blocks of other sizes (`metaslab_df_alloc`).
    let apart = pointers.windows(2);
    let kind = |to: &Pointer| (to.birth, to.stored);
    let apart = apart.filter(|two| kind(&two[0].1) != kind(&two[1].1));
    let apart = apart.count() as u64;
    let places = pointers.iter().map(|(_, to)| u64::from(to.copies)).sum();
    let unsure = UNSURE + count.max(places);
    // Since 2.3 many blocks of one transaction group do not lie in their order.
    let shuffled = if on.release >= Release::V2_3 && count > IN_ORDER {
        SHUFFLED * count
    } else {
        0
    };
    sectors(Figure {
        least: least - least.min(unsure),
        most: most + unsure + (APART * apart).max(shuffled),
    })
}

/// The sectors of 512 bytes from which on blocks lie one behind the other that compress well or badly. The number of
/// a sector below 32M takes two bytes: what is equal in two pointers is then interrupted at another place.
const PLACES: [u64; 2] = [0x0021_8768, 0x1e0d];

/// The same of so many pointers to blocks of metadata, of which nothing else is known.
pub(super) fn of_unknown(count: Figure, on: &Storage) -> Figure {
    let of_block = |count: Figure| {
        let zeros = |count: u64| (SIZE - 128 * count.min(1 << POINTERS)) / 255;
        let compressed = Figure {
            least: zeros(count.least) + 20 + 35 * count.least,
            most: zeros(count.most) + 60 + 64 * count.most,
        };
        compress::metadata(compressed, SIZE, false, on)
    };
    let blocks = count.map(|count| count.div_ceil(1 << POINTERS));
    if blocks.most == 1 {
        return of_block(count);
    }
    let full = of_block(Figure::exact(1 << POINTERS));
    let least = of_block(Figure::exact(count.least.min(1 << POINTERS)));
    Figure {
        least: least.least,
        most: blocks.most * full.most + of_block(blocks).most,
    }
}

/// So many blocks lie one behind the other, as far as measured; eighty do not.
const IN_ORDER: u64 = 64;

/// By how many bytes it is off for each pointer when they do not: twice what was measured.
const SHUFFLED: u64 = 4;

/// By how many bytes it is off for each pointer to a block that does not lie behind the one before.
const APART: u64 = 8;

/// By how many bytes the compressed size of an indirect block is off at most, and by one for each place in a pointer.
const UNSURE: u64 = 8;

/// The bytes of an indirect block, with places and checksums made up.
fn image(pointers: &[(u64, Pointer)], size: u64, mut place: u64, on: &Storage) -> Vec<u8> {
    let mut image = vec![0; 128 << POINTERS];
    for (number, pointer) in pointers {
        let start = usize::try_from(number % (1 << POINTERS)).map_or(0, |at| 128 * at);
        pointer.print(&mut image[start..], size, place, on);
        place += on.allocated(pointer.stored.most) >> 9;
    }
    image
}

impl Pointer {
    /// One that holds so many bytes instead.
    pub(super) fn holding(holds: u64, content: u64) -> Pointer {
        Pointer {
            stored: Figure::ZERO,
            holds: holds.min(compress::EMBEDDED),
            copies: 0,
            birth: 0,
            content,
        }
    }

    /// Writes it as it may stand on disk (`blkptr_t`), to a block of `size` bytes that lies at `place`.
    pub(super) fn print(&self, to: &mut [u8], size: u64, place: u64, on: &Storage) {
        let mut words = [0_u64; 16];
        let stored = self.stored.most;
        let sectors = on.allocated(stored) >> 9;
        let noise = |word: u64| noise(self.content, word);
        if stored == 0 {
            // The block itself stands where places and checksum do.
            for (word, before) in payload().zip((0..self.holds).step_by(8)) {
                let bits = 8 * (self.holds - before).min(8);
                words[word] = noise(word as u64) >> (64 - bits);
            }
        } else {
            for copy in 0..usize::from(self.copies.min(3)) {
                words[2 * copy] = sectors;
                words[2 * copy + 1] = place + ((copy as u64) << 20);
            }
            words[11] = 1;
            // Fletcher's sums of so many words of 32 bits, each over the one before it.
            let count = u64::from((stored / 4).max(1).ilog2());
            for (sum, word) in (1..).zip(&mut words[12..]) {
                let bits = 31 + sum * count - [0, 0, 1, 2, 4][usize::try_from(sum).unwrap_or(4)];
                if self.content > 0 {
                    *word = noise(12 + sum) >> (64 - bits.min(64));
                }
            }
        }
        let half = |bytes: u64| (bytes >> 9).saturating_sub(1) & 0xffff;
        words[6] = (half(size) | half(stored) << 16) | 0x8013_0702 << 32;
        words[10] = self.birth;
        for (bytes, word) in to.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }
}

/// The words of a pointer that hold a block.
fn payload() -> impl Iterator<Item = usize> {
    (0..6).chain(7..10).chain(11..16)
}

/// Writes what a pointer holds into it.
pub(super) fn hold(to: &mut [u8], bytes: &[u8]) {
    for (word, bytes) in payload().zip(bytes.chunks(8)) {
        to[8 * word..8 * word + bytes.len()].copy_from_slice(bytes);
    }
}

/// What no compressor shrinks.
pub(super) fn noise(content: u64, word: u64) -> u64 {
    let mut bytes = [0; 8];
    Source::Random(content).read(8 * word, &mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_more_with_each_factor_of_1024() {
        let file = |last| levels(last, 1);
        let found = [0, 1, 1023, 1024, (1 << 20) - 1, 1 << 20, 1 << 54].map(file);
        assert_eq!(found, [1, 2, 2, 3, 3, 4, 7]);
    }

    #[test]
    fn three_pointers_reach_three_times_as_far() {
        let found = [0, 2, 3, 3071, 3072, (3 << 20) - 1, 3 << 20].map(|last| levels(last, 3));
        assert_eq!(found, [1, 1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn what_is_above_a_block_has_it_below() {
        assert_eq!((above(5000, 1), above(5000, 2)), (4, 0));
        assert_eq!(below(1, 4), 4096..=5119);
        assert_eq!(below(2, 0), 0..=(1 << 20) - 1);
    }

    /// So many pointers to blocks that are stored so, each to its own.
    fn pointers(count: u64, stored: Figure, copies: u8) -> Vec<(u64, Pointer)> {
        let pointer = |number| Pointer {
            stored,
            holds: 0,
            copies,
            birth: 5,
            content: number + 1,
        };
        (0..count).map(|number| (number, pointer(number))).collect()
    }

    fn contains(wide: Figure, narrow: Figure) -> bool {
        wide.least <= narrow.least && narrow.most <= wide.most
    }

    #[test]
    fn of_blocks_of_unknown_size_it_is_known_in_between() {
        let unknown = Figure {
            least: 512,
            most: 128 << 10,
        };
        for ashift in [9, 12, 14] {
            let on = &Storage::single(ashift);
            for count in [1, 2, 10, 20, 40, 64, 65, 500, 1024] {
                let found = stored(&pointers(count, unknown, 1), 128 << 10, on);
                for size in [512, 4096, 128 << 10] {
                    let known = stored(&pointers(count, Figure::exact(size), 1), 128 << 10, on);
                    let told =
                        format!("{count} of {size}, ashift {ashift}: {known:?} in {found:?}");
                    assert!(contains(found, known), "{told}");
                    // At most all of it, and not so little as if it were free.
                    assert!(
                        found.most <= SIZE && 8 * found.least >= known.least,
                        "{told}"
                    );
                }
            }
            // 500 bytes for 128K of zeros, and 130 for a pointer at most.
            let few = stored(
                &pointers((on.unit().max(1024) - 600) / 130, unknown, 1),
                4096,
                on,
            );
            assert_eq!(
                few,
                Figure::exact(on.unit().max(few.least)),
                "ashift {ashift}"
            );
        }
    }

    #[test]
    fn of_unknown_pointers_to_metadata_it_is_known_in_between() {
        for ashift in [9, 12] {
            let on = &Storage::single(ashift);
            for count in [1, 2, 30, 100, 1024, 1025, 3000] {
                let all = pointers(count, Figure::exact(4096), 2);
                let below = all.chunks(1024).map(|part| stored(part, 16 << 10, on));
                let mut known = below.reduce(|a, b| a + b).unwrap_or_default();
                let blocks = count.div_ceil(1024);
                if blocks > 1 {
                    let above = pointers(blocks, Figure::exact(32 << 10), 2);
                    known = known + stored(&above, SIZE, on);
                }
                let found = of_unknown(Figure::exact(count), on);
                let told = format!("{count}, ashift {ashift}: {known:?} in {found:?}");
                // Of several the last one alone is sure.
                assert!(
                    found.least <= known.least && known.most <= found.most,
                    "{told}"
                );
                assert!(found.most <= 3 * known.most, "{told}");
                assert!(4 * found.least >= known.least / blocks, "{told}");
            }
        }
    }

    /// `blkptr_t`: a checksum of zeros is zero, and each place has the size of what is there.
    #[test]
    fn a_pointer_has_places_sizes_birth_and_sums() {
        let word = |bytes: &[u8], at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[8 * at..8 * at + 8]);
            u64::from_le_bytes(word)
        };
        let on = &Storage::single(12);
        let mut bytes = [0; 128];
        for content in [0, 1] {
            let all = pointers(2, Figure::exact(8192), 2);
            let pointer = Pointer {
                content,
                ..all[0].1
            };
            pointer.print(&mut bytes, 128 << 10, 1000, on);
            assert_eq!([0, 2, 4].map(|at| word(&bytes, at)), [16, 16, 0]);
            assert_eq!(word(&bytes, 1), 1000);
            // Sectors of 512 bytes less one, before and after compression.
            assert_eq!(word(&bytes, 6) & 0xffff_ffff, 255 | 15 << 16);
            assert_eq!(word(&bytes, 10), 5);
            let sums = (12..16).filter(|&at| word(&bytes, at) > 0).count();
            assert_eq!(sums, if content > 0 { 4 } else { 0 });
        }
    }
}
