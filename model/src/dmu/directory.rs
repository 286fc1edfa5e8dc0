//! The blocks of a directory: a table of names and objects (`zap_micro.c`, `zap.c`).

use super::storage::{Figure, Storage};
use super::{ObjectId, Objects, compress, indirect, lz4};
use crate::maps::Names;
use crate::zpl::znode::Body;

/// An entry of a small table, or its header, in bytes (`MZAP_ENT_LEN`).
const ENTRY: usize = 64;

/// A name in a small table is shorter than so many bytes (`MZAP_NAME_LEN`).
const NAME: usize = 50;

/// The largest block of a small table, in bytes (`MZAP_MAX_BLKSZ`).
const LARGEST: u64 = 128 << 10;

/// The size of a block of a large table, in bytes.
const LARGE: u64 = 16 << 10;

/// A leaf holds so many chunks of 24 bytes (`ZAP_LEAF_NUMCHUNKS`): one for an entry, one for each 21 bytes of
/// its name, one for its value.
const CHUNKS: u64 = 638;

/// What a leaf compresses to: its free chunks are linked, which does not compress at all.
const LEAF: u64 = 3500;

/// By how many bytes the compressed size of a small table is off at most.
const UNSURE: u64 = 3;

/// How far the table of a directory has grown. It never shrinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The most names that it ever had.
    most: u64,
    /// Whether it is large: for too many names, or for a long one.
    large: bool,
    /// The chunks that its names take in a large table, and the most that they ever took.
    chunks: (u64, u64),
    /// Whether it has changed since it was last written.
    pub(super) dirty: bool,
}

impl Table {
    /// A name is added, and there are so many then.
    pub fn enter(&mut self, name: &str, count: usize) {
        self.most = self.most.max(count as u64);
        self.large |= name.len() >= NAME || self.size() > LARGEST;
        let chunks = self.chunks.0 + chunks(name);
        self.chunks = (chunks, self.chunks.1.max(chunks));
        self.dirty = true;
    }

    /// A name is taken away.
    pub fn leave(&mut self, name: &str) {
        self.chunks.0 -= chunks(name).min(self.chunks.0);
        self.dirty = true;
    }

    /// What its blocks that have changed count for, each as `count` says of its size: of a large one the header, a
    /// leaf and what is above them, and the leaves that it may be split into.
    pub(super) fn dirty_space(&self, count: impl Fn(u64) -> u64) -> Figure {
        let size = self.size();
        match (self.dirty, self.large) {
            // It may have been made, with an empty table.
            (false, _) => Figure {
                least: 0,
                most: count(size),
            },
            (true, false) => Figure::exact(count(size)),
            (true, true) => {
                let leaves = 1 + 2 * self.chunks.1.div_ceil(CHUNKS);
                let least = 2 * count(LARGE) + count(indirect::SIZE);
                Figure {
                    least,
                    most: least + leaves * count(LARGE) + count(size.min(LARGEST)),
                }
            }
        }
    }

    /// The size of its one block, when it is small.
    fn size(&self) -> u64 {
        (ENTRY as u64 * (self.most + 1)).next_multiple_of(512)
    }
}

/// The chunks that a name takes in a large table.
fn chunks(name: &str) -> u64 {
    2 + (name.len() as u64 + 1).div_ceil(21)
}

/// The sizes at which the blocks of a directory are stored.
pub(super) fn stored(
    id: ObjectId,
    entries: &Names<ObjectId>,
    table: Table,
    objects: &Objects,
    embeds: bool,
    on: &Storage,
) -> Vec<Figure> {
    let count = entries.len() as u64;
    if table.large {
        return large(table, on);
    }
    let size = table.size();
    let likely = likely(id, entries, table, objects);
    // The more names, the more it hangs on their order.
    let unsure = UNSURE + (count * count / 16).min(count / 4 + 2);
    let compressed = Figure {
        least: likely.saturating_sub(unsure),
        most: likely + unsure,
    };
    vec![compress::metadata(compressed, size, embeds, on)]
}

/// What the block of a small table compresses to, more or less.
pub(super) fn likely(
    id: ObjectId,
    entries: &Names<ObjectId>,
    table: Table,
    objects: &Objects,
) -> u64 {
    let size = table.size();
    lz4::size(&image(id, entries, objects, size), size).unwrap_or(size)
}

/// What the pointer to the block of a small table holds, more or less: what is not zero in it.
pub(super) fn held(
    id: ObjectId,
    entries: &Names<ObjectId>,
    table: Table,
    objects: &Objects,
) -> Vec<u8> {
    let mut held = image(id, entries, objects, table.size());
    held.retain(|&byte| byte != 0);
    // Between them stands how they follow each other, much the same in each table.
    let size = likely(id, entries, table, objects).min(compress::EMBEDDED);
    let more = u8::try_from(size.saturating_sub(held.len() as u64)).unwrap_or(0);
    held.extend(0..more);
    held
}

/// A header, leaves, and a block above them. Into how many leaves names fall is up to a hash with a salt that
/// nobody knows.
fn large(table: Table, on: &Storage) -> Vec<Figure> {
    let (used, most) = table.chunks;
    let most = most.div_ceil(CHUNKS - CHUNKS / 16);
    let (least, most) = match most {
        0 | 1 => (1, 1),
        most => (1, 2 * most.next_power_of_two()),
    };
    let header = compress::metadata(Figure::exact(500), LARGE, false, on);
    // Once they are used, its chunks hold names, of which some are much like each other.
    let of_leaf = |each: u64, chunks: u64| LEAF + each * chunks.min(CHUNKS);
    let compressed = Figure {
        least: of_leaf(0, used),
        most: of_leaf(12, used),
    };
    let leaf = compress::metadata(compressed, LARGE, false, on);
    let leaves = Figure {
        least: leaf.least * least,
        most: leaf.most * most,
    };
    let above = compress::metadata(
        Figure {
            least: 520 + 5 * least,
            most: 600 + 60 * most,
        },
        indirect::SIZE,
        false,
        on,
    );
    vec![header, leaves, above]
}

/// The bytes of a small table (`mzap_phys_t`).
fn image(id: ObjectId, entries: &Names<ObjectId>, objects: &Objects, size: u64) -> Vec<u8> {
    let mut image = vec![0; usize::try_from(size).unwrap_or(0)];
    let salt = indirect::noise(id, 0) >> 34 | 1;
    image[..8].copy_from_slice(&0x8000_0000_0000_0003_u64.to_le_bytes());
    image[8..16].copy_from_slice(&salt.to_le_bytes());
    // They stand in the order in which they came, more or less.
    let mut order: Vec<_> = entries.iter().collect();
    order.sort_by_key(|(_, object)| **object);
    for (entry, (name, object)) in image[ENTRY..].chunks_exact_mut(ENTRY).zip(order) {
        // What it is stands in the four upmost bits.
        let kind = match objects.get(object).map(|it| &it.body) {
            Some(Body::Directory { .. }) => 4,
            Some(Body::Link(_)) => 10,
            _ => 8,
        };
        entry[..8].copy_from_slice(&(object | kind << 60).to_le_bytes());
        entry[14..14 + name.len()].copy_from_slice(name.as_bytes());
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_table_compresses_as_measured() {
        // On OpenZFS 2.3: directories of so many files f0, f1, ... and the numbers of the first.
        for (names, first, measured) in [
            (0, 34, 27),
            (1, 3, 42),
            (2, 5, 60),
            (3, 8, 74),
            (4, 12, 87),
            (5, 17, 103),
        ] {
            let mut entries = Names::new();
            let mut table = Table::default();
            for number in 0..names {
                entries.insert(format!("f{number}").into(), first + number);
                table.enter("f", entries.len());
            }
            let likely = likely(first - 1, &entries, table, &Objects::new());
            assert!(
                likely.abs_diff(measured) <= UNSURE,
                "{names} names: {likely}"
            );
        }
    }
}
