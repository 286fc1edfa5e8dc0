//! The blocks of a directory: a table of names and objects (`zap_micro.c`, `zap.c`).

use std::sync::Arc;

use super::blocks::Policy;
use super::leaves::Change;
use super::storage::{Figure, Storage};
use super::{ObjectId, Objects, Weight, compress, indirect, lz4};
use crate::maps::Names;
use crate::release::Release;
use crate::zpl::znode::Body;

/// An entry of a small table, or its header, in bytes (`MZAP_ENT_LEN`).
const ENTRY: usize = 64;

/// A name in a small table is shorter than so many bytes (`MZAP_NAME_LEN`).
const NAME: usize = 50;

/// The largest block of a small table, in bytes (`MZAP_MAX_BLKSZ`).
const LARGEST: u64 = 128 << 10;

/// The size of a block of a large table, in bytes.
pub(super) const LARGE: u64 = 16 << 10;

/// The leaves that a header has room for pointers to (`ZAP_EMBEDDED_PTRTBL_SHIFT`).
const POINTERS: u64 = 1 << 10;

/// A leaf of which there are so many chunks in use on average is never empty.
const FULL: u64 = 48;

/// A leaf holds so many chunks of 24 bytes (`ZAP_LEAF_NUMCHUNKS`): one for an entry, one for each 21 bytes of
/// its name, one for its value.
const CHUNKS: u64 = 638;

/// The bytes of a chunk (`ZAP_LEAF_CHUNKSIZE`).
const CHUNK: usize = 24;

/// Where the chunks of a leaf begin: behind its header and 512 numbers of chunks.
const FIRST_CHUNK: usize = 48 + 2 * 512;

/// So many names tell well enough how those of a directory compress.
const SAMPLE: usize = 1 << 14;

/// By how many bytes the compressed size of a small table is off at most.
const UNSURE: u64 = 3;

/// By how many bytes less it is for one salt of a hundred: lz4 then comes to look where more of it stands twice.
const LUCK: u64 = 6;

/// How far the table of a directory has grown. It never shrinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The most names that it ever had.
    most: u64,
    /// Whether it is large: for too many names, or for a long one.
    large: bool,
    /// The chunks that its names take in a large table, and the most that they ever took.
    chunks: (u64, u64),
    /// The most chunks that a name of it ever took.
    widest: u64,
    /// What has happened since it was last written.
    news: News,
    /// Whether it has changed since it was last written.
    pub(super) dirty: bool,
}

/// What happens to a table in a transaction group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct News {
    /// So many names were added.
    entered: u64,
    /// So many were taken away.
    left: u64,
    /// The most chunks that they took meanwhile.
    most: u64,
    /// The fewest.
    fewest: u64,
}

impl Table {
    /// A name is added, and there are so many then.
    pub fn enter(&mut self, name: &str, count: usize) {
        self.most = self.most.max(count as u64);
        self.large |= name.len() >= NAME || self.size() > LARGEST;
        let chunks = self.chunks.0 + chunks(name);
        self.chunks = (chunks, self.chunks.1.max(chunks));
        self.widest = self.widest.max(self::chunks(name));
        self.news.entered += 1;
        self.news.most = self.news.most.max(chunks);
        self.dirty = true;
    }

    /// A name is taken away.
    pub fn leave(&mut self, name: &str) {
        self.chunks.0 -= chunks(name).min(self.chunks.0);
        self.news.left += 1;
        self.news.fewest = self.news.fewest.min(self.chunks.0);
        self.dirty = true;
    }

    /// It is written.
    pub(super) fn is_on_disk(&mut self) {
        self.dirty = false;
        self.news = News {
            most: self.chunks.0,
            fewest: self.chunks.0,
            ..News::default()
        };
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

/// The sizes at which the blocks of a directory are stored, but for the leaves.
pub(super) fn stored(
    id: ObjectId,
    entries: &Names<ObjectId>,
    (table, leaves): (Table, Figure),
    objects: &Objects,
    embeds: bool,
    on: &Storage,
) -> Vec<Figure> {
    let count = entries.len() as u64;
    if table.large {
        return above(leaves, on);
    }
    let size = table.size();
    let likely = likely(id, entries, table, objects);
    // The more names, the more it hangs on their order.
    let unsure = UNSURE + (count * count / 16).min(count / 4 + 2);
    let compressed = Figure {
        least: likely.saturating_sub(unsure + LUCK),
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

/// The header of a large table with its pointers to the leaves, and the blocks above all of them.
fn above(leaves: Figure, on: &Storage) -> Vec<Figure> {
    // A run of equal pointers for each leaf.
    let header = Figure {
        least: 60 + 4 * leaves.least,
        most: 150 + 9 * leaves.most,
    };
    let header = compress::metadata(header, LARGE, false, on);
    // Beyond a thousand leaves their pointers stand in blocks of their own, once and while they are copied to
    // twice as many (`zap_table_grow`).
    let of_pointers = if leaves.most > POINTERS {
        3 * (2 * leaves.most).next_power_of_two() / (LARGE / 8)
    } else {
        0
    };
    let blocks = Figure {
        least: 1 + leaves.least,
        most: 1 + leaves.most + of_pointers,
    };
    let mut above = vec![header];
    if of_pointers > 0 {
        above.push(Figure {
            least: 0,
            most: of_pointers * LARGE,
        });
    }
    above.push(indirect::of_unknown(blocks, on));
    above
}

/// What becomes of the leaves of a table, of which there were so many; nothing while it is small.
pub(super) fn change(
    entries: &Names<ObjectId>,
    table: Table,
    old: Figure,
    on: &Storage,
    how: &Policy,
) -> Option<Change> {
    if !table.large {
        return None;
    }
    let names = entries.len() as u64;
    let News {
        entered,
        left,
        most,
        fewest,
    } = table.news;
    // Since 2.3 two empty leaves become one, so that an empty table has one leaf (`zap_shrink`).
    let merges = on.release >= Release::V2_3 && left > 0;
    let once_empty = merges && fewest == 0;
    let grown = leaves(table, most.max(table.chunks.0));
    let changes = entered + left;
    let mut count = Figure {
        least: grown.least.max(old.least),
        most: if old.most == 0 {
            grown.most
        } else {
            old.most.max(grown.most.min(old.most + entered))
        },
    };
    let mut touched = Figure {
        least: occupied(entered.abs_diff(left).max(1), old),
        most: old.most.min(changes),
    };
    if names == 0 && merges {
        count = Figure::exact(1);
        touched = old;
    } else if once_empty {
        count.least = leaves(table, table.chunks.0).least;
        touched = old;
    } else if merges && fewest < FULL * old.most {
        // Some may have been empty.
        let names = fewest / table.widest.max(1);
        count.least = occupied(names.max(1), old).min(count.least);
        touched.most = old
            .most
            .min(changes * u64::from(2 + old.most.max(1).ilog2()));
    }
    count.least = count.least.min(count.most).max(1);
    let stored = compress::metadata(leaf_size(entries, table, count), LARGE, false, on);
    Some(Change {
        count,
        touched,
        split: count.most - old.least.min(count.most),
        leaf: Weight::of_metadata(stored, how.copies_of_metadata, on),
    })
}

/// How many leaves hold names that take so many chunks. Into which of them a name falls is up to a hash: they
/// are filled like buckets by chance, and one that is full is split.
fn leaves(table: Table, chunks: u64) -> Figure {
    if chunks <= CHUNKS {
        return Figure::exact(1);
    }
    let (mut count, mut buckets, mut split) = (Figure::exact(2), 2, 2);
    loop {
        // The chunks in a bucket, what one has room for, and by how many standard deviations they differ.
        let (load, room) = (chunks / buckets, CHUNKS - table.widest.min(CHUNKS));
        let deviation = (load * table.widest).isqrt().max(1);
        let apart = room.abs_diff(load) / deviation;
        if load > room && apart >= 5 {
            // All are.
            count = count + Figure::exact(buckets);
            split = 2 * buckets;
            buckets *= 2;
            continue;
        }
        let some = match apart {
            5.. if load < room => 0,
            4 if load < room => 3,
            3 if load < room => buckets / 256 + 3,
            2 if load < room => buckets / 16 + 4,
            _ => buckets,
        };
        split = 2 * some.min(split);
        count.most += split / 2;
        if split == 0 {
            return count;
        }
        buckets *= 2;
    }
}

/// How many leaves of so many at least hold one of some names.
fn occupied(names: u64, leaves: Figure) -> u64 {
    let (least, most) = (leaves.least, leaves.most.max(1));
    if names >= most * u64::from(2 * most.ilog2() + 30) {
        return least;
    }
    let on_average = least * names / (names + 2 * least).max(1);
    on_average
        .saturating_sub(3 * least.isqrt())
        .max(1)
        .min(least)
}

/// What a leaf compresses to.
fn leaf_size(entries: &Names<ObjectId>, table: Table, leaves: Figure) -> Figure {
    let names = entries.len() as u64;
    let each = (table.chunks.0 / names.max(1)).max(3);
    let load = if leaves.most == 1 {
        Figure::exact(names)
    } else {
        let (few, many) = (
            names / leaves.most.next_power_of_two(),
            names / (leaves.least + 1).next_power_of_two().max(2) * 2,
        );
        Figure {
            least: few.saturating_sub(5 * few.isqrt()),
            most: many + 5 * many.isqrt() + 5,
        }
    };
    let size = |load: u64| {
        let load = usize::try_from(load.min(CHUNKS / each)).unwrap_or(0);
        let sample = entries.iter().take(SAMPLE);
        let step = entries.len().min(SAMPLE) / load.max(1);
        let sample = sample.step_by(step.max(1)).take(load);
        lz4::size(&leaf(sample), LARGE).unwrap_or(LARGE)
    };
    let (least, most) = (size(load.least), size(load.most));
    Figure {
        least: least - least / 8,
        most: most + most / 8,
    }
}

/// The bytes of a leaf with these names.
fn leaf<'a>(names: impl Iterator<Item = (&'a Arc<str>, &'a ObjectId)>) -> Vec<u8> {
    leaf_of(names.enumerate().map(|(number, (name, object))| {
        let noise = indirect::noise(*object, number as u64);
        (name.as_bytes(), 8, (*object | 8 << 60).to_be_bytes(), noise)
    }))
}

/// The bytes of a leaf (`zap_leaf_phys_t`) with these names, how many bytes a number in their values has, the values, and
/// what stands for the hashes of the names.
pub(super) fn leaf_of<Name: AsRef<[u8]>, Value: AsRef<[u8]>>(
    entries: impl Iterator<Item = (Name, u8, Value, u64)>,
) -> Vec<u8> {
    let mut image = vec![0; usize::try_from(LARGE).unwrap_or(0)];
    image[..8].copy_from_slice(&0x8000_0000_0000_0000_u64.to_le_bytes());
    image[24..28].copy_from_slice(&0x02ab_1eaf_u32.to_le_bytes());
    image[48..FIRST_CHUNK].fill(0xff);
    let (mut free, mut count) = (0_u16, 0_u16);
    let at = |chunk: u16| FIRST_CHUNK + CHUNK * usize::from(chunk);
    let short = |number: usize| u16::try_from(number).unwrap_or(0);
    for (name, integer, of_name, noise) in entries {
        let (name, of_name) = (name.as_ref(), of_name.as_ref());
        let entry = free;
        let value = entry + 1 + short((name.len() + 1).div_ceil(21));
        let behind = value + short(of_name.len().div_ceil(21));
        if at(behind) > image.len() {
            break;
        }
        let numbers = of_name.len() / usize::from(integer);
        let head = [entry + 1, short(name.len() + 1), value, short(numbers)];
        let start = at(entry);
        image[start..start + 4].copy_from_slice(&[252, integer, 0xff, 0xff]);
        for (field, bytes) in head.into_iter().zip(image[start + 4..].chunks_exact_mut(2)) {
            bytes.copy_from_slice(&field.to_le_bytes());
        }
        image[start + 20..start + 24].copy_from_slice(&noise.to_le_bytes()[..4]);
        let bucket = 48 + 2 * usize::try_from(noise >> 55).unwrap_or(0);
        image[bucket..bucket + 2].copy_from_slice(&entry.to_le_bytes());
        for (chunks, mut bytes) in [(entry + 1..value, name), (value..behind, of_name)] {
            let end = chunks.end;
            for chunk in chunks {
                let start = at(chunk);
                let (part, rest) = bytes.split_at(bytes.len().min(21));
                image[start] = 251;
                image[start + 1..start + 1 + part.len()].copy_from_slice(part);
                let next = if chunk + 1 < end { chunk + 1 } else { 0xffff };
                image[start + 22..start + 24].copy_from_slice(&next.to_le_bytes());
                bytes = rest;
            }
        }
        free = behind;
        count += 1;
    }
    // Chunks that are free, entries, the length of the prefix, the first free chunk, and that entries are in their order.
    let chunks = short((image.len() - FIRST_CHUNK) / CHUNK);
    let head = [chunks - free, count, 0, free, 1];
    for (field, bytes) in head.into_iter().zip(image[28..].chunks_exact_mut(2)) {
        bytes.copy_from_slice(&field.to_le_bytes());
    }
    for chunk in free.. {
        let start = at(chunk);
        if start + CHUNK > image.len() {
            break;
        }
        image[start] = 253;
        image[start + 22..start + 24].copy_from_slice(&(chunk + 1).to_le_bytes());
    }
    image
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
            Some(Body::Special(special)) => u64::from(special.type_of_mode() >> 12),
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

    /// How many leaves hold names with these hashes, each of so many chunks.
    fn split(hashes: &[u64], width: u64, bit: u32) -> u64 {
        if hashes.len() as u64 * width <= CHUNKS {
            return 1;
        }
        let (left, right): (Vec<u64>, Vec<u64>) =
            hashes.iter().partition(|&hash| hash & 1 << bit == 0);
        split(&left, width, bit + 1) + split(&right, width, bit + 1)
    }

    #[test]
    fn leaves_are_as_many_as_hashes_let_them_be() {
        for width in [3, 5, 12, 15] {
            for names in [
                50, 100, 130, 200, 213, 430, 800, 1000, 2048, 3000, 5000, 9999, 20000,
            ] {
                let table = Table {
                    widest: width,
                    ..Table::default()
                };
                let bounds = leaves(table, names * width);
                for seed in 0..20 {
                    let hashes: Vec<u64> =
                        (0..names).map(|name| indirect::noise(seed, name)).collect();
                    let count = split(&hashes, width, 0);
                    assert!(
                        (bounds.least..=bounds.most).contains(&count),
                        "{names} names of {width}: {count}, not {bounds:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn leaves_compress_as_measured() {
        type Name = fn(u64) -> String;
        // On OpenZFS 2.3, sectors of 512 bytes: so many names in so many leaves, and what one compresses to.
        let of = |format: Name, names: u64| {
            let mut entries = Names::new();
            let mut table = Table::default();
            for number in 0..names {
                let name = format(number);
                table.enter(&name, entries.len() + 1);
                entries.insert(name.into(), number + 40);
            }
            (entries, table)
        };
        let short = |number| format!("n{number:04}xxx");
        let long = |number| format!("n{number:04}{}", "x".repeat(55));
        let cases: [(Name, u64, [u64; 3]); 6] = [
            (short, 3000, [16, 5633, 6656]),
            (short, 9999, [64, 5121, 6656]),
            (short, 2100, [16, 5121, 6144]),
            (long, 10, [1, 3073, 3584]),
            (long, 100, [1, 5121, 5632]),
            (long, 2000, [24, 4097, 6144]),
        ];
        for (format, names, [leaves, least, most]) in cases {
            let (entries, table) = of(format, names);
            let size = leaf_size(&entries, table, Figure::exact(leaves));
            assert!(
                size.least <= least + 511
                    && most <= size.most + 511
                    && 2 * size.most < 5 * size.least,
                "{names} names: {size:?}, not {least} to {most}"
            );
        }
    }

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
