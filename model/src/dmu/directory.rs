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

/// So many names compress much the same in whatever order.
const FEW: u64 = 12;

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
    /// The youngest object that a name of it ever was of.
    youngest: ObjectId,
    /// Whether names may not stand in the order of their objects, as those that were renamed into it, and what took the
    /// place of one that left.
    mixed: bool,
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
    /// A name of an object is added, and there are so many then.
    pub fn enter(&mut self, name: &str, object: ObjectId, count: usize) {
        self.mixed |= object <= self.youngest || count as u64 <= self.most;
        self.youngest = self.youngest.max(object);
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
    // The more names, the more it hangs on how they follow each other.
    let unsure = UNSURE + (count * count / 16).min(count / 4 + 2);
    let (mixed, unsure) = if table.mixed && count > FEW {
        let mixed = mixed(id, entries, table, objects);
        (mixed, unsure + count.saturating_sub(8) / 2)
    } else {
        (likely, unsure)
    };
    let compressed = Figure {
        least: likely.min(mixed).saturating_sub(unsure + LUCK),
        most: likely.max(mixed) + unsure,
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
    // They stand in the order in which they came, more or less.
    let image = image(id, entries, objects, size, |object| object);
    lz4::size(&image, size).unwrap_or(size)
}

/// The same when they stand in no order.
fn mixed(id: ObjectId, entries: &Names<ObjectId>, table: Table, objects: &Objects) -> u64 {
    let size = table.size();
    let image = image(id, entries, objects, size, |object| {
        indirect::noise(object, 1)
    });
    lz4::size(&image, size).unwrap_or(size)
}

/// What the pointer to the block of a small table holds, more or less: what is not zero in it.
pub(super) fn held(
    id: ObjectId,
    entries: &Names<ObjectId>,
    table: Table,
    objects: &Objects,
) -> Vec<u8> {
    let mut held = image(id, entries, objects, table.size(), |object| object);
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
    let split = count.most - old.least.min(count.most);
    let stored = compress::metadata(leaf_size(entries, table, count), LARGE, false, on);
    Some(Change {
        count,
        touched,
        // A name splits one leaf, hardly ever two.
        split: if old.most == 0 {
            split
        } else {
            split.min(entered)
        },
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
        // The chunks in a bucket, what one has room for, and how far a standard deviation is.
        let (load, room) = (chunks / buckets, CHUNKS - table.widest.min(CHUNKS));
        let deviation = (load * table.widest).isqrt().max(1);
        if load.saturating_sub(room) / deviation >= 5 {
            // All are.
            count = count + Figure::exact(buckets);
            split = 2 * buckets;
            buckets *= 2;
            continue;
        }
        let some = match room.saturating_sub(load) / deviation {
            5.. => 0,
            4 => 3,
            3 => buckets / 256 + 3,
            2 => buckets / 16 + 4,
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

/// The bytes of a small table (`mzap_phys_t`) whose names stand in this order of their objects.
fn image(
    id: ObjectId,
    entries: &Names<ObjectId>,
    objects: &Objects,
    size: u64,
    order: impl Fn(ObjectId) -> u64,
) -> Vec<u8> {
    let mut image = vec![0; usize::try_from(size).unwrap_or(0)];
    let salt = indirect::noise(id, 0) >> 34 | 1;
    image[..8].copy_from_slice(&0x8000_0000_0000_0003_u64.to_le_bytes());
    image[8..16].copy_from_slice(&salt.to_le_bytes());
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by_key(|(_, object)| order(**object));
    for (entry, (name, object)) in image[ENTRY..].chunks_exact_mut(ENTRY).zip(sorted) {
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
    use crate::dmu::{Blocks, ROOT};
    use crate::zpl::znode::{Special, Znode};

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
        // So many names, each a twelfth more than the one before.
        let sizes = std::iter::successors(Some(42), |&names| Some(names + names / 12));
        let sizes: Vec<u64> = sizes.take_while(|&names| names < 30_000).collect();
        let hashes = |seed| {
            (0..30_000)
                .map(|name| indirect::noise(seed, name))
                .collect()
        };
        let hashes: [Vec<u64>; 20] = std::array::from_fn(|seed| hashes(seed as u64));
        for (width, wide) in [(3, 1196), (5, 2327), (12, 8921), (15, 11_116)] {
            let mut spread = Spread::default();
            for &names in &sizes {
                let table = Table {
                    widest: width,
                    ..Table::default()
                };
                let bounds = leaves(table, names * width);
                let count = |hashes: &Vec<u64>| {
                    split(&hashes[..usize::try_from(names).unwrap_or(0)], width, 0)
                };
                spread.check(
                    &format!("{names} names of {width}"),
                    bounds,
                    hashes.iter().map(count),
                );
            }
            assert_eq!(spread.told, wide, "{} found", spread.found);
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
                table.enter(&name, number + 40, entries.len() + 1);
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
                table.enter("f", first + number, entries.len());
            }
            let likely = likely(first - 1, &entries, table, &Objects::new());
            assert!(
                likely.abs_diff(measured) <= UNSURE,
                "{names} names: {likely}"
            );
        }
    }

    /// A directory with these names, of objects from 40 on.
    fn of(names: impl IntoIterator<Item = String>) -> (Names<ObjectId>, Table) {
        let (mut entries, mut table) = (Names::new(), Table::default());
        for (name, object) in names.into_iter().zip(40..) {
            table.enter(&name, object, entries.len() + 1);
            entries.insert(name.into(), object);
        }
        (entries, table)
    }

    fn number<const N: usize>(bytes: &[u8], at: usize) -> u64 {
        let mut word = [0; 8];
        word[..N].copy_from_slice(&bytes[at..at + N]);
        u64::from_le_bytes(word)
    }

    #[test]
    fn a_leaf_is_read_as_zap_leaf_does() {
        // Names of three chunks leave two free, two of four among them none.
        let of_length = |number: usize| move |len: usize| format!("{number:0len$}");
        for (names, lengths, fit) in [
            (0, [5, 5], 0),
            (1, [255, 5], 1),
            (7, [20, 21], 7),
            (212, [20, 20], 212),
            (213, [20, 20], 212),
            (212, [41, 20], 212),
        ] {
            let name = |at| of_length(at)(lengths[usize::from(at > 1)]);
            let (entries, table) = of((0..names).map(name));
            let leaf = leaf(entries.iter());
            assert_eq!(leaf.len(), 16 << 10);
            assert_eq!(number::<4>(&leaf, 24), 0x02AB_1EAF);
            // Behind a header of 48 bytes 512 hash buckets, then chunks of 24 bytes.
            let chunk =
                |number: u64| &leaf[48 + 1024 + 24 * usize::try_from(number).unwrap_or(0)..][..24];
            let array = |mut at: u64, len: u64| {
                let mut bytes = Vec::new();
                while at != 0xffff {
                    assert_eq!(chunk(at)[0], 251, "an array");
                    bytes.extend_from_slice(&chunk(at)[1..22]);
                    at = number::<2>(chunk(at), 22);
                }
                assert_eq!(bytes.len() as u64, len.next_multiple_of(21));
                bytes.truncate(usize::try_from(len).unwrap_or(0));
                bytes
            };
            let mut found = Names::new();
            let mut used = 0;
            for bucket in 0..512 {
                let at = number::<2>(&leaf, 48 + 2 * bucket);
                if at == 0xffff {
                    continue;
                }
                assert_eq!(chunk(at)[..2], [252, 8], "an entry");
            }
            for at in 0..638 {
                let entry = chunk(at);
                if entry[0] != 252 {
                    continue;
                }
                // Its name ends with a zero byte; its value is a number with the type in the four upmost bits.
                let name = array(number::<2>(entry, 4), number::<2>(entry, 6));
                let Some((0, name)) = name.split_last() else {
                    panic!("{name:?}");
                };
                let value = array(number::<2>(entry, 8), 8 * number::<2>(entry, 10));
                let value = value.try_into().map_or(0, u64::from_be_bytes);
                assert_eq!(value >> 60, 8, "a regular file (`DT_REG`)");
                let name = String::from_utf8_lossy(name);
                used += 2 + (name.len() as u64 + 1).div_ceil(21);
                found.insert((&*name).into(), value << 4 >> 4);
                // Its hash is in the bucket.
                assert!(number::<8>(entry, 16) > 0);
            }
            assert_eq!(found.len(), fit, "{names} names");
            assert!(
                found
                    .iter()
                    .all(|(name, object)| entries.get(name) == Some(object))
            );
            assert!(fit < names || table.chunks == (used, used));
            // The rest is free, each chunk with the next one.
            for at in used..638 {
                assert_eq!((chunk(at)[0], number::<2>(chunk(at), 22)), (253, at + 1));
            }
        }
    }

    #[test]
    fn a_small_table_is_read_as_zap_micro_does() {
        let bodies = [
            (Body::directory(ROOT), 4),
            (Body::File(Blocks::default()), 8),
            (Body::Link("x".into()), 10),
            (Body::Special(Special::Fifo), 1),
            (Body::Special(Special::CharacterDevice(1, 3)), 2),
            (Body::Special(Special::BlockDevice(1, 3)), 6),
            (Body::Special(Special::Socket), 12),
        ];
        let (entries, table) = of((0..7).map(|at| format!("name{at}")));
        let mut objects = Objects::new();
        for ((body, _), object) in bodies.iter().zip(40..) {
            objects.insert(
                object,
                Arc::new(Znode::new(body.clone(), 0o644, 0, 0, 1, 0)),
            );
        }
        for id in 34..60 {
            let image = image(id, &entries, &objects, table.size(), |object| object);
            // `mzap_phys_t`, and an `mzap_ent_phys_t` of 64 bytes for each name: eight make a sector.
            assert_eq!(image.len(), 512);
            assert_eq!(number::<8>(&image, 0), (1 << 63) + 3);
            assert_eq!(number::<8>(&image, 8) & 1, 1, "a salt is odd");
            for (at, (_, kind)) in bodies.iter().enumerate() {
                let entry = &image[64 * (at + 1)..][..64];
                assert_eq!(number::<8>(entry, 0), kind << 60 | (40 + at as u64));
                assert_eq!(entry[8..14], [0; 6], "no collision");
                let name = format!("name{at}");
                assert_eq!(&entry[14..14 + name.len()], name.as_bytes());
                assert!(entry[14 + name.len()..].iter().all(|&byte| byte == 0));
            }
        }
    }

    #[test]
    fn a_table_is_small_up_to_2047_names_of_49_bytes() {
        let with = |names: u64, len: usize| of((0..names).map(|at| format!("{at:0len$}"))).1;
        assert!(!with(2047, 49).large);
        assert!(with(2048, 1).large);
        assert!(with(1, 50).large);
        assert_eq!(with(2047, 49).size(), 128 << 10);
        // Once large, always: names that went have been there.
        let mut table = with(2048, 4);
        (0..2048).for_each(|at| table.leave(&format!("{at:04}")));
        assert!(table.large);
        assert_eq!(table.chunks, (0, 2048 * 3));
    }

    #[test]
    fn a_table_counts_for_the_blocks_that_a_change_may_dirty() {
        let sizes = |size| size;
        let of = |names: u64, len: usize| of((0..names).map(|at| format!("{at:0len$}"))).1;
        // A small one is one block, of 64 bytes for each name and its header; of a new one nobody knows.
        let mut table = of(7, 5);
        assert_eq!(table.dirty_space(sizes), Figure::exact(512));
        table.enter("more", 50, 8);
        assert_eq!(table.dirty_space(sizes), Figure::exact(1024));
        table.is_on_disk();
        assert_eq!(
            table.dirty_space(sizes),
            Figure {
                least: 0,
                most: 1024
            }
        );
        // Of a large one the header, a leaf, and the indirect block above; at most twice as many leaves as it fills, one
        // more, and the small table that it was.
        let (leaf, above) = (16 << 10, 128 << 10);
        for (names, len, leaves, was) in [
            (1, 50, 1, 512),
            (127, 60, 1, 8192),
            (128, 60, 2, 8704),
            (2048, 20, 10, above),
        ] {
            let least = 2 * leaf + above;
            let most = least + (1 + 2 * leaves) * leaf + was;
            assert_eq!(
                of(names, len).dirty_space(sizes),
                Figure { least, most },
                "{names} names"
            );
        }
    }

    #[test]
    fn above_leaves_are_a_header_and_what_points_to_them() {
        let mut on = Storage::single(9);
        on.release = Release::V2_3;
        let seeds = 0..12;
        for names in [1, 100, 300, 1000, 5000, 20_000, 60_000] {
            for seed in seeds.clone() {
                // The header of a table whose names have these hashes: in its second half 1024 pointers to leaves, by the
                // first bits of a hash, the leaves in the order in which they were split (`zap_phys_t`).
                let mut tree = Tree::new(seed);
                (0..names).for_each(|name| tree.enter(name, 3));
                let leaves = tree.leaves.len() as u64;
                let mut header = vec![0; 16 << 10];
                for (word, at) in [
                    (1 << 63 | 1, 0),
                    (0x0002_f52a_b2ab, 8),
                    (10, 32),
                    (leaves + 1, 56),
                    (leaves, 64),
                    (names, 72),
                    (seed << 40 | 1, 80),
                ] {
                    header[at..at + 8].copy_from_slice(&u64::to_le_bytes(word));
                }
                for at in 0..1024_u64 {
                    let leaf = tree.leaf(at << 54) as u64 + 1;
                    let to = (8 << 10) + 8 * usize::try_from(at).unwrap_or(0);
                    header[to..to + 8].copy_from_slice(&leaf.to_le_bytes());
                }
                let size = lz4::size(&header, 16 << 10).unwrap_or(16 << 10);
                let above = above(Figure::exact(leaves), &on);
                let stored = size.next_multiple_of(512);
                assert!(
                    (above[0].least..=above[0].most).contains(&stored),
                    "{leaves} leaves: {size}, not {:?}",
                    above[0]
                );
                assert!(
                    above[0].most <= 3 * above[0].least + 512,
                    "{leaves} leaves: {:?}",
                    above[0]
                );
                // A pointer to the header and one to each leaf.
                assert_eq!(
                    above[1..],
                    [indirect::of_unknown(Figure::exact(leaves + 1), &on)]
                );
            }
        }
    }

    #[test]
    fn beyond_1024_leaves_pointers_stand_in_blocks_of_their_own() {
        let on = Storage::single(12);
        let above = |leaves| {
            above(
                Figure {
                    least: leaves - 100,
                    most: leaves,
                },
                &on,
            )
        };
        assert_eq!(above(1024).len(), 2);
        // 2048 pointers of 8 bytes in a block of 16K. A table has at most twice as many pointers as the next power of
        // two, and another one twice as large while it grows (`zap_table_grow`).
        for (leaves, blocks) in [(1025, 2 + 4), (2048, 2 + 4), (2049, 4 + 8), (5000, 8 + 16)] {
            let above = above(leaves);
            assert_eq!(
                above[1],
                Figure {
                    least: 0,
                    most: blocks * (16 << 10)
                }
            );
            let pointers = Figure {
                least: 1 + leaves - 100,
                most: 1 + leaves + blocks,
            };
            assert_eq!(above[2..], [indirect::of_unknown(pointers, &on)]);
        }
    }

    /// A table as the kernel has it, with salted hashes (`zap_expand_leaf`, `zap_shrink`).
    #[derive(Clone)]
    struct Tree {
        salt: u64,
        /// Whether empty leaves are merged.
        merges: bool,
        /// The first bits of the hashes in a leaf, and how many these are, the names and their chunks.
        leaves: Vec<Leaf>,
        /// Leaves that were there at the last sync and are gone.
        gone: Vec<Leaf>,
        txg: u64,
    }

    #[derive(Clone, Default)]
    struct Leaf {
        prefix: u64,
        bits: u32,
        names: Vec<(u64, u64)>,
        /// The transaction group that wrote it last, and the one before that.
        birth: u64,
        /// When it was on disk before.
        before: u64,
    }

    impl Tree {
        fn new(salt: u64) -> Tree {
            Tree {
                salt,
                merges: false,
                leaves: vec![Leaf::default()],
                gone: Vec::new(),
                txg: 1,
            }
        }

        fn hash(&self, name: u64) -> u64 {
            indirect::noise(self.salt + 1, name)
        }

        /// Which leaf has a hash.
        fn leaf(&self, hash: u64) -> usize {
            let has = |leaf: &Leaf| hash.checked_shr(64 - leaf.bits).unwrap_or(0) == leaf.prefix;
            self.leaves.iter().position(has).unwrap_or(0)
        }

        fn write(&mut self, at: usize) {
            let leaf = &mut self.leaves[at];
            if leaf.birth < self.txg {
                leaf.before = leaf.birth;
                leaf.birth = self.txg;
            }
        }

        fn enter(&mut self, name: u64, chunks: u64) {
            let hash = self.hash(name);
            loop {
                let at = self.leaf(hash);
                self.write(at);
                let txg = self.txg;
                let leaf = &mut self.leaves[at];
                if leaf.names.iter().map(|it| it.1).sum::<u64>() + chunks <= 638 {
                    leaf.names.push((name, chunks));
                    return;
                }
                leaf.bits += 1;
                leaf.prefix *= 2;
                let (bits, prefix, salt) = (leaf.bits, leaf.prefix, self.salt);
                let goes =
                    |it: &(u64, u64)| indirect::noise(salt + 1, it.0) >> (64 - bits) & 1 == 1;
                let names = leaf.names.extract_if(.., |it| goes(it)).collect();
                self.leaves.push(Leaf {
                    prefix: prefix + 1,
                    bits,
                    names,
                    birth: txg,
                    before: 0,
                });
            }
        }

        fn leave(&mut self, name: u64) {
            let mut at = self.leaf(self.hash(name));
            self.write(at);
            self.leaves[at].names.retain(|it| it.0 != name);
            while self.merges && self.leaves[at].names.is_empty() && self.leaves[at].bits > 0 {
                let (prefix, bits) = (self.leaves[at].prefix, self.leaves[at].bits);
                let other = self.leaves.iter().position(|it| {
                    (it.prefix, it.bits) == (prefix ^ 1, bits) && it.names.is_empty()
                });
                let Some(other) = other else { return };
                let (stays, goes) = if prefix & 1 == 0 {
                    (at, other)
                } else {
                    (other, at)
                };
                self.write(stays);
                self.leaves[stays].prefix /= 2;
                self.leaves[stays].bits -= 1;
                let gone = self.leaves.remove(goes);
                self.gone.push(gone);
                at = stays - usize::from(goes < stays);
            }
        }
    }

    /// So many names come, so many of the oldest go, and come, in a transaction group.
    type Step = [u64; 3];

    /// How far apart two bounds are, what is told of something and what came of it.
    #[derive(Default)]
    struct Spread {
        told: u64,
        found: u64,
    }

    impl Spread {
        fn check(&mut self, what: &str, told: Figure, found: impl Iterator<Item = u64> + Clone) {
            let (least, most) = (found.clone().min().unwrap_or(0), found.max().unwrap_or(0));
            assert!(
                told.least <= least && most <= told.most,
                "{what}: {least} to {most}, not {told:?}"
            );
            self.told += told.most - told.least;
            self.found += most - least;
        }
    }

    /// Lets tables with many salts and the bounds go through these steps.
    fn follow(release: Release, len: usize, steps: &[Step]) -> [Spread; 4] {
        const SALTS: u64 = 24;
        let mut on = Storage::single(9);
        on.release = release;
        let mut spreads = <[Spread; 4]>::default();
        let (mut entries, mut table) = (Names::new(), Table::default());
        let mut leaves = crate::dmu::leaves::Leaves::default();
        let mut trees: Vec<_> = (0..SALTS).map(Tree::new).collect();
        let (mut first, mut next) = (0, 0);
        let name = |number: u64| format!("{number:0len$}");
        let width = chunks(&name(0));
        // A long name makes it large.
        table.large = true;
        // The transaction groups of snapshots.
        let mut since = vec![0];
        for (txg, &[come, go, come_again]) in (2..).zip(steps) {
            for tree in &mut trees {
                tree.merges = release >= Release::V2_3;
                tree.txg = txg;
                tree.gone.clear();
            }
            let comes = |at: &u64| *at < come || *at >= come + go;
            for comes in (0..come + go + come_again).map(|at| comes(&at)) {
                if comes {
                    table.enter(&name(next), 40 + next, entries.len() + 1);
                    entries.insert(name(next).into(), 40 + next);
                    for tree in &mut trees {
                        tree.enter(next, width);
                    }
                    next += 1;
                    continue;
                }
                table.leave(&name(first));
                entries.remove(&name(first));
                for tree in &mut trees {
                    tree.leave(first);
                }
                first += 1;
            }
            let what = |of: &str| format!("{of} of {} names of {len}, step {txg}", entries.len());
            let old = leaves.count();
            let mut change =
                change(&entries, table, old, &on, &Policy::PLAIN).expect("it is large");
            // One weighs 1.
            change.leaf = Weight {
                size: Figure::exact(1),
                ..Weight::ZERO
            };
            let count = trees.iter().map(|tree| tree.leaves.len() as u64);
            spreads[0].check(&what("count"), change.count, count);
            // Of the leaves before, those that were written anew, and those that are gone.
            let old = |leaf: &&Leaf| {
                leaf.birth == txg && leaf.before > 0 || leaf.birth < txg && leaf.birth > 0
            };
            let touched = |tree: &Tree| {
                let anew = tree
                    .leaves
                    .iter()
                    .filter(|it| it.birth == txg && it.before > 0)
                    .count();
                let gone = tree.gone.iter().filter(old).count();
                (anew + gone) as u64
            };
            if txg > 2 {
                spreads[1].check(&what("touched"), change.touched, trees.iter().map(touched));
            }
            for tree in &trees {
                let new = tree
                    .leaves
                    .iter()
                    .filter(|it| it.before == 0 && it.birth == txg)
                    .count() as u64;
                assert!(
                    txg == 2 || new <= change.split,
                    "{}: {new}, not {}",
                    what("split"),
                    change.split
                );
            }
            let ages: Vec<_> = leaves.held().map(|(birth, _)| birth).collect();
            let last = since.last().copied().unwrap_or(0);
            let (_, freed) = leaves.sync(change, last, txg);
            table.is_on_disk();
            // How many leaves are younger than each snapshot.
            for &since in &since {
                let told = leaves
                    .held()
                    .filter(|&(birth, _)| birth > since)
                    .map(|(_, it)| it.size)
                    .sum();
                let young =
                    |tree: &Tree| tree.leaves.iter().filter(|it| it.birth > since).count() as u64;
                spreads[2].check(&what("young"), told, trees.iter().map(young));
            }
            // How many of each age were given up.
            for (freed, after) in freed.iter().zip([0].into_iter().chain(ages)) {
                let of_age = |birth: u64| birth > after && birth <= freed.birth;
                let gone = |tree: &Tree| {
                    let anew = tree
                        .leaves
                        .iter()
                        .filter(|it| it.birth == txg && of_age(it.before));
                    let gone = tree.gone.iter();
                    let gone = gone
                        .filter(|it| of_age(if it.birth == txg { it.before } else { it.birth }));
                    (anew.count() + gone.count()) as u64
                };
                spreads[3].check(&what("gone"), freed.gone.size, trees.iter().map(gone));
            }
            if txg % 3 == 0 {
                since.push(txg);
            }
        }
        spreads
    }

    #[test]
    fn leaves_come_and_go_within_their_bounds() {
        let grows: &[Step] = &[
            [1, 0, 0],
            [100, 0, 0],
            [100, 0, 0],
            [20, 0, 0],
            [200, 0, 0],
            [1, 0, 0],
            [10, 0, 0],
            [1000, 0, 0],
            [50, 0, 0],
            [3000, 0, 0],
            [1, 0, 0],
            [500, 0, 0],
        ];
        let shrinks: &[Step] = &[
            [3000, 0, 0],
            [0, 1, 0],
            [0, 10, 0],
            [0, 500, 0],
            [0, 1000, 0],
            [0, 500, 0],
            [0, 800, 0],
            [0, 100, 0],
            [0, 60, 0],
            [0, 20, 0],
            [100, 0, 0],
            [0, 109, 0],
            [50, 0, 0],
        ];
        let both: &[Step] = &[
            [600, 0, 0],
            [0, 100, 100],
            [10, 10, 10],
            [0, 600, 1],
            [1, 2, 300],
            [500, 0, 0],
            [0, 700, 0],
            [0, 0, 700],
            [5, 5, 0],
            [1, 0, 0],
            [0, 1, 0],
            [0, 300, 300],
        ];
        // Of short names it is known how many leaves these are: 16.
        let few: &[Step] = &[
            [2400, 0, 0],
            [1, 0, 0],
            [1, 0, 0],
            [2, 0, 0],
            [1, 0, 0],
            [600, 0, 0],
        ];
        // And how wide these are in all: of the count, of what is written anew, of what is younger than snapshots, and of
        // what is given up. What they have to be, the salts show: a tenth of that.
        for (release, len, wide) in [
            (Release::V2_1, 4, [310, 399, 1382, 1228]),
            (Release::V2_1, 60, [528, 506, 1979, 1480]),
            (Release::V2_1, 250, [2385, 1577, 7950, 4116]),
            (Release::V2_3, 4, [362, 389, 1226, 1121]),
            (Release::V2_3, 60, [578, 500, 1805, 1370]),
            (Release::V2_3, 250, [2583, 1774, 7609, 4729]),
        ] {
            let spreads = [grows, shrinks, both, few].map(|steps| follow(release, len, steps));
            let sum = |of: fn(&Spread) -> u64| {
                [0, 1, 2, 3].map(|kind| spreads.iter().map(|it| of(&it[kind])).sum::<u64>())
            };
            let (told, found) = (sum(|it| it.told), sum(|it| it.found));
            assert_eq!(told, wide, "{release:?}, names of {len}: {found:?} found");
        }
    }

    #[test]
    fn what_a_leaf_takes_is_known_whatever_falls_into_it() {
        for (len, wide) in [(8, 39_333), (60, 47_880), (250, 33_636)] {
            let mut spread = Spread::default();
            for names in [1, 3, 40, 200, 500, 1500, 4000] {
                let (entries, table) =
                    of((0..names).map(|at| format!("n{at:04}{}", "x".repeat(len - 5))));
                for salt in 0..3 {
                    let mut tree = Tree::new(salt);
                    (0..names).for_each(|at| tree.enter(at, table.widest));
                    let count = tree.leaves.len() as u64;
                    let name = |at| format!("n{at:04}{}", "x".repeat(len - 5)).into();
                    let size = |leaf: &Leaf| {
                        let names: Vec<(Arc<str>, u64)> = leaf
                            .names
                            .iter()
                            .map(|it| (name(it.0), 40 + it.0))
                            .collect();
                        let image = self::leaf(names.iter().map(|it| (&it.0, &it.1)));
                        lz4::size(&image, 16 << 10).unwrap_or(16 << 10)
                    };
                    let told = leaf_size(&entries, table, Figure::exact(count));
                    spread.check(
                        &format!("{names} names of {len}"),
                        told,
                        tree.leaves.iter().map(size),
                    );
                }
            }
            assert_eq!(spread.told, wide, "{} found", spread.found);
        }
    }

    #[test]
    fn few_names_change_few_leaves() {
        let mut on = Storage::single(9);
        on.release = Release::V2_3;
        // A table on disk of so many names, of which so many come, or so many go.
        let changes = |names: u64, len: usize, come: u64, go: u64, old| {
            let name = |at: u64| format!("{at:0len$}");
            let (mut entries, mut table) = of((0..names).map(name));
            table.large = true;
            table.is_on_disk();
            for at in names..names + come {
                table.enter(&name(at), 40 + at, entries.len() + 1);
                entries.insert(name(at).into(), 40 + at);
            }
            for at in 0..go {
                table.leave(&name(at));
                entries.remove(&name(at));
            }
            change(&entries, table, old, &on, &Policy::PLAIN).expect("it is large")
        };
        // A name splits one leaf: two may make two more of what may be 14.
        let (least, most) = (8, 9);
        assert!(leaves(of((0..1002).map(|at| format!("{at:060}"))).1, 1002 * 5).most > 11);
        let two = changes(1000, 60, 2, 0, Figure { least, most });
        assert_eq!((two.count.most, two.split), (11, 2));
        // Of two leaves with 48 chunks on average none is empty, and of two with fewer one may be: then they are one.
        assert_eq!(
            changes(33, 5, 0, 1, Figure::exact(2)).count,
            Figure::exact(2)
        );
        assert_eq!(
            changes(32, 5, 0, 1, Figure::exact(2)).count,
            Figure { least: 1, most: 2 }
        );
        // The last name of a leaf lets it be merged with one after the other, at most four times of sixteen.
        let emptied = changes(100, 5, 0, 1, Figure::exact(16));
        assert_eq!(
            emptied.touched,
            Figure {
                least: 1,
                most: 2 + 4
            }
        );
    }

    #[test]
    fn what_a_small_table_takes_is_known_nearly() {
        // To the byte, on sectors that small.
        let on = Storage::single(0);
        for names in [0, 1, 2, 3, 5, 8, 12, 20, 40, 80, 160, 320, 640, 2000] {
            let (entries, mut table) = of((0..names).map(|at| format!("f{at}")));
            assert!(!table.mixed);
            let size = table.size();
            let objects = Objects::new();
            let known =
                |table| stored(34, &entries, (table, Figure::ZERO), &objects, false, &on)[0];
            // In the order of their objects within three bytes, and a quarter of one and two for each name of more than a few:
            // as far as measured. Six less where a salt of a hundred finds more.
            let told = known(table);
            let each = [0, 0, 0, 0, 1, 4, 5, 7, 12, 22, 42, 82, 162, 502];
            let at = [0, 1, 2, 3, 5, 8, 12, 20, 40, 80, 160, 320, 640, 2000];
            let more = at
                .iter()
                .zip(each)
                .find(|it| *it.0 == names)
                .map_or(0, |it| it.1);
            assert_eq!(told.most - told.least, 2 * (3 + more) + 6, "{names} names");
            // In whatever other order, too: where names are renamed into it, or take the place of others.
            table.enter("f0", 40, entries.len());
            assert!(table.mixed);
            let told = known(table);
            let mixed = |seed| {
                let order = |object| indirect::noise(seed, object);
                let image = image(34, &entries, &objects, size, order);
                lz4::size(&image, size).unwrap_or(size)
            };
            let mut spread = Spread::default();
            spread.check(&format!("{names} names"), told, (0..40).map(mixed));
            assert!(
                told.most - told.least <= 200 + 3 * names,
                "{names} names: {told:?}"
            );
        }
    }
}
