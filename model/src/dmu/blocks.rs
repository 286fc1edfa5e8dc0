//! The level-0 blocks of a file: block size, births, holes, copy on write.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::compress::{self, Compression};
use super::data::{Piece, Pieces, Source, push, push_range, to_bytes};
use super::indirect::{self, Indirect, Indirects, Place, Pointer};
use super::space::{Held, Synced};
use super::storage::{Figure, Storage};
use super::weight::OfBlock;
use super::{ObjectId, Weight};
use crate::dsl::dataset::DatasetId;
use crate::fault::Fault;
use crate::maps::Radix;
use crate::release::Release;

/// The smallest block, in bytes (`SPA_MINBLOCKSIZE`).
pub const MIN_BLOCK: u64 = 512;

/// Blocks of this size are written one by one where a file is extended (`SPA_OLD_MAXBLOCKSIZE`).
const WHOLE: u64 = 128 << 10;

/// What a write needs to know of the dataset and the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The open transaction group: what is written is born in it.
    pub txg: u64,
    /// Property `recordsize`, in bytes.
    pub recordsize: u64,
    /// How blocks are stored.
    pub policy: Policy,
    /// Seconds since the machine's epoch.
    pub now: u64,
    /// Which reading of the files into memory it goes by: another one after each mount and rollback.
    pub reading: u64,
    /// The dataset that is written.
    pub dataset: DatasetId,
}

/// How the blocks of a file are stored (`dmu_write_policy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How they are compressed. All-zero blocks become holes, unless they are not.
    pub compression: Compression,
    /// Whether a block pointer may hold a small block: feature `embedded_data`.
    pub embeds: bool,
    /// The same of a block of metadata, which are not deduplicated.
    pub embeds_metadata: bool,
    /// Its checksum, when that tells blocks with the same content for sure, and they are not deduplicated
    /// (`ZCHECKSUM_FLAG_NOPWRITE`); else nothing.
    pub strong_checksum: Option<Strong>,
    /// The checksum by which it is one with others that are the same, if it is: property `dedup`.
    pub deduplicates: Option<Strong>,
    /// How often a block is stored: property `copies`.
    pub copies: u8,
    /// How often an indirect block above them is: that, and one more as `redundant_metadata` says.
    pub copies_above: u8,
    /// The same at level 2 and above.
    pub copies_far_above: u8,
    /// How often a block of dnodes or of a directory is.
    pub copies_of_metadata: u8,
    /// How often other metadata are.
    pub copies_of_tables: u8,
}

impl Policy {
    /// No compression, and copies as they are by default.
    pub const PLAIN: Policy = Policy {
        compression: Compression::Off,
        embeds: true,
        embeds_metadata: true,
        strong_checksum: None,
        deduplicates: None,
        copies: 1,
        copies_above: 2,
        copies_far_above: 2,
        copies_of_metadata: 2,
        copies_of_tables: 2,
    };

    fn copies_at(&self, level: u32) -> u8 {
        if level > 1 {
            self.copies_far_above
        } else {
            self.copies_above
        }
    }
}

/// A checksum that no two blocks share that differ (`ZCHECKSUM_FLAG_NOPWRITE`).
#[allow(missing_docs, reason = "their names say all")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strong {
    Sha256,
    Sha512,
    Skein,
    Edonr,
    Blake3,
}

/// A block on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The transaction group that wrote it.
    pub birth: u64,
    /// Its bytes; together as long as the file's block size.
    pub pieces: Pieces,
    /// How it is stored.
    pub policy: Policy,
    /// The dataset in which it was written.
    dataset: DatasetId,
    /// What it weighs, once it is on disk.
    weight: Option<OfBlock>,
    /// Where it came from, if it was cloned from another block.
    pub cloned: Option<Box<Cloned>>,
}

impl Block {
    /// What it weighs, once it is on disk.
    fn weight(&self) -> Option<Weight> {
        self.weight.map(Weight::from)
    }

    /// The size at which it is stored, once it is on disk.
    pub(crate) fn stored(&self) -> Figure {
        self.weight().unwrap_or_default().physical
    }

    /// How it was compressed, once it is on disk; not at all if that saved nothing.
    pub(crate) fn compressed(&self, size: u64) -> Option<Compression> {
        (self.stored().least < size).then_some(self.policy.compression)
    }

    /// Whether the block that is there stays when this one is written in its place, because they are the same
    /// (`zio_nop_write`); none when that is unknown.
    fn is_kept(&self, new: &Block, size: u64) -> Option<bool> {
        let may_be = new.policy.compression.compresses()
            && new.policy.strong_checksum.is_some()
            && new.policy.strong_checksum == self.policy.strong_checksum
            && new.policy.copies == self.policy.copies
            && new.stored().most > 0
            && (new.pieces == self.pieces || to_bytes(&new.pieces) == to_bytes(&self.pieces));
        match (self.compressed(size), new.compressed(size)) {
            _ if !may_be => Some(false),
            (old, new) if old == new => Some(true),
            // How far they shrink it, if at all.
            (old, new) if [old, new].into_iter().flatten().all(Compression::is_known) => {
                Some(false)
            }
            _ => None,
        }
    }
}

/// What is known of a block that was cloned (`brt.c`). On disk it is one with that from which it was cloned, and
/// so are their bytes in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cloned {
    /// The transaction group that wrote the block on disk (`BP_GET_PHYSICAL_BIRTH`).
    pub physical_birth: u64,
    /// The copying that did it.
    pub copying: u64,
    /// Where the block on disk was written.
    written: Written,
}

/// Where and when a block on disk was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Written {
    birth: u64,
    dataset: DatasetId,
    object: ObjectId,
    number: u64,
}

impl Block {
    /// Whether its pointer holds it, so that it takes nothing.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.weight().is_some_and(|it| it.physical == Figure::ZERO)
    }

    /// What it takes on disk, all copies together; none if it takes nothing, or is not there yet.
    pub(crate) fn size_on_disk(&self) -> Option<Figure> {
        let size = self.weight()?.size;
        (size != Figure::ZERO).then_some(size)
    }

    /// Where the block on disk was written, if this one stands here.
    pub(crate) fn written(&self, object: ObjectId, number: u64) -> Written {
        let here = Written {
            birth: self.birth,
            dataset: self.dataset,
            object,
            number,
        };
        self.cloned.as_ref().map_or(here, |it| it.written)
    }
}

/// What the next sync of a file has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Pending {
    /// Numbers of blocks that were written.
    written: Radix<u64, ()>,
    /// The indirect blocks above them.
    above: Radix<Place, ()>,
    /// Blocks that were on disk and are given up: a list, because the first one then costs little.
    freed: Radix<u64, (u64, Weight)>,
    /// Blocks on disk that may stay, by number: if what is written in their place is the same.
    before: Radix<u64, Block>,
    /// Numbers of blocks that are on disk, and are written over or given up.
    on_disk: Radix<u64, ()>,
    /// Numbers of blocks of zeros that were written: they become holes, and are dirty until then.
    zeros: Radix<u64, ()>,
}

/// The content of a file. Cloning shares every block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Length of the file in bytes.
    size: u64,
    /// Whether it was cut off to nothing.
    was_longer: bool,
    /// Block size in bytes. Never shrinks; frozen once there is a second block.
    block_size: u64,
    /// Number of the last block that ever was (`dn_maxblkid`), in this reading of the file into memory.
    last: u64,
    /// The same on disk, where it falls when blocks are freed to the end.
    last_on_disk: u64,
    /// The reading in which `last` holds.
    reading: u64,
    /// The blocks by number; absent ones are holes.
    allocated: Radix<u64, Block>,
    /// Levels of blocks, those of the data included (`dn_nlevels`). Never falls.
    levels: u32,
    /// The pointers in its dnode (`dn_nblkptr`).
    roots: u64,
    /// The indirect blocks above them.
    indirect: Indirects,
    /// What all of them took when they were last synced (`DN_USED_BYTES`).
    used: Figure,
    /// What has changed since then.
    pending: Option<Box<Pending>>,
}

impl Default for Blocks {
    fn default() -> Self {
        Blocks {
            size: 0,
            was_longer: false,
            block_size: MIN_BLOCK,
            last: 0,
            last_on_disk: 0,
            reading: 0,
            allocated: Radix::new(),
            levels: 1,
            roots: 1,
            indirect: Indirects::new(),
            used: Figure::default(),
            pending: None,
        }
    }
}

impl Blocks {
    /// The data of a volume: the size of its blocks never changes, and there are no attributes in its dnode, which
    /// leaves room for three pointers (`zvol_create_cb`, `dnode_allocate`).
    #[must_use]
    pub fn of_volume(size: u64, block_size: u64) -> Blocks {
        Blocks {
            size,
            block_size,
            roots: 3,
            ..Blocks::default()
        }
    }

    /// Length of the file in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The block size in bytes.
    #[must_use]
    pub fn block_size(&self) -> u64 {
        self.block_size
    }

    /// Whether it was never given a block size: `stat` then tells the record size.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.size == 0 && !self.was_longer && self.block_size == MIN_BLOCK
    }

    /// The blocks that are not holes, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Block)> {
        self.allocated.iter()
    }

    /// As if what is not on disk yet were not there (a planted fault).
    pub(crate) fn on_disk(&self) -> Blocks {
        let mut on_disk = self.clone();
        let all = self.allocated.iter();
        for (number, _) in all.filter(|(_, block)| block.weight.is_none()) {
            on_disk.allocated.remove(&number);
        }
        on_disk
    }

    /// The indirect blocks: the level of each, the number of the first block below it, and its birth.
    pub fn indirect(&self) -> impl Iterator<Item = (u32, u64, u64)> {
        let first = |place: Place| *indirect::below(place.level, place.number).start();
        let all = self.indirect.iter();
        all.map(move |(place, block)| (place.level, first(place), block.birth))
    }

    /// What is known of the file when it is read into memory (`dnode_create`).
    fn read_in(&mut self, terms: Terms) {
        if self.reading != terms.reading {
            self.reading = terms.reading;
            self.last = self.last_on_disk;
        }
    }

    /// The block size that fits a file that ends at `end`.
    fn grown(&self, end: u64, terms: Terms) -> u64 {
        let old = self.block_size;
        if self.size > old || self.last > 0 {
            return old;
        }
        // A block that is already larger than the record size only grows to the next power of two.
        let most = old.next_power_of_two().max(terms.recordsize);
        end.next_multiple_of(MIN_BLOCK).min(most).max(old)
    }

    /// How much of a write of `len` bytes at `offset` one transaction takes (`zfs_write`).
    #[must_use]
    pub fn one_transaction(&self, offset: u64, len: u64, terms: Terms, release: Release) -> u64 {
        if release == Release::V2_1 {
            return len.min(terms.recordsize - offset % terms.recordsize);
        }
        let block = self.grown(self.size.max(offset + len), terms);
        let appends = offset >= self.size && offset.is_multiple_of(block) && len >= block;
        if appends && (block >= WHOLE || len < 4 * block) {
            block
        } else {
            // A system call is shorter than what goes into one at most, which is half of `DMU_MAX_ACCESS`.
            len
        }
    }

    /// Makes the block size fit a file that ends at `end`, as long as there is one block only
    /// (`zfs_write`, `zfs_extend`, `zfs_grow_blocksize`, `dnode_set_blksz`).
    fn grow_block(&mut self, end: u64, terms: Terms) {
        let old = self.block_size;
        let new = self.grown(end, terms);
        if new == old {
            return;
        }
        self.set_block_size(new, terms);
    }

    /// Makes the block size fit a write that ends at `end`.
    pub(crate) fn make_room(&mut self, end: u64, terms: Terms) {
        self.read_in(terms);
        self.grow_block(self.size.max(end), terms);
    }

    /// Gives the one block there is another size.
    fn set_block_size(&mut self, new: u64, terms: Terms) {
        let more = new - self.block_size;
        self.block_size = new;
        if let Some(block) = self.allocated.get(&0) {
            let mut pieces = block.pieces.to_vec();
            push(&mut pieces, Piece::zeros(more));
            self.put_or_hole(0, pieces.into(), terms);
            self.settle(0, 0, terms);
        } else if self.was_on_disk(0) {
            // On disk it is still there, and is made larger: zeros take its place (`dnode_set_blksz`).
            self.splice(0, 0, Piece::zeros(new), terms);
            self.settle(0, 0, terms);
        }
    }

    /// Writes a block; zeros that are compressed are a hole.
    fn put_or_hole(&mut self, number: u64, pieces: Pieces, terms: Terms) {
        let holes = terms.policy.compression != Compression::Off;
        if holes && pieces.iter().all(Piece::is_zero) {
            self.give_up(number..=number);
            self.pending().zeros.insert(number, ());
        } else {
            self.put(number, pieces, terms);
        }
    }

    /// Writes a block, be it of zeros.
    fn put(&mut self, number: u64, pieces: Pieces, terms: Terms) {
        let block = Block {
            birth: terms.txg,
            pieces,
            policy: terms.policy,
            dataset: terms.dataset,
            weight: None,
            cloned: None,
        };
        self.put_block(number, block);
    }

    fn put_block(&mut self, number: u64, block: Block) {
        let may_stay = block.policy.strong_checksum.is_some();
        let old = self.allocated.insert(number, block);
        let pending = self.pending();
        pending.zeros.remove(&number);
        pending.written.insert(number, ());
        if old.as_ref().is_some_and(|it| it.weight.is_some()) {
            pending.on_disk.insert(number, ());
        }
        match old {
            Some(old) if may_stay && old.weight.is_some() => {
                pending.before.insert(number, old);
            }
            Some(Block {
                birth,
                weight: Some(weight),
                ..
            }) => pending.freed.push((birth, weight.into())),
            _ => {}
        }
    }

    /// Frees the blocks of a range.
    fn give_up(&mut self, range: RangeInclusive<u64>) {
        if let Some(pending) = self.pending.as_mut().filter(|it| !it.zeros.is_empty()) {
            let zeros = pending
                .zeros
                .range(range.clone())
                .map(|(number, ())| number);
            for number in zeros.collect::<Vec<_>>() {
                pending.zeros.remove(&number);
            }
        }
        let found = self.allocated.range(range);
        let numbers: Vec<u64> = found.map(|(number, _)| number).collect();
        for number in numbers {
            if let Some(Block {
                birth,
                weight: Some(weight),
                ..
            }) = self.allocated.remove(&number)
            {
                let pending = self.pending();
                pending.freed.push((birth, weight.into()));
                pending.on_disk.insert(number, ());
            }
        }
    }

    fn pending(&mut self) -> &mut Pending {
        self.pending.get_or_insert_default()
    }

    /// Puts the indirect blocks above blocks that were written or freed in order: they are written anew, and
    /// those without any are freed.
    fn settle(&mut self, first: u64, last: u64, terms: Terms) {
        let before = self.levels;
        self.levels = before.max(indirect::levels(self.last, self.roots));
        if self.levels == 1 {
            return;
        }
        if first == last && self.levels == before && self.allocated.contains_key(&first) {
            for level in 1..self.levels {
                let number = indirect::above(first, level);
                self.put_indirect(Place { level, number }, true, terms);
            }
            return;
        }
        let mut wrong = Vec::new();
        for level in 1..self.levels {
            // What is freed may reach far; where nothing is nothing changes.
            let (low, high) = (indirect::above(first, level), indirect::above(last, level));
            let place = |number| Place { level, number };
            let there = self.indirect.range(place(low)..=place(high));
            wrong.extend(there.map(|(place, _)| place).filter(|it| it.level == level));
            let blocks = self.allocated.range(first..=last);
            wrong.extend(blocks.map(|(number, _)| place(indirect::above(number, level))));
            // A file that grows in levels has what it was under the first block of the new ones.
            if level >= before {
                wrong.push(place(0));
            }
            wrong.dedup();
        }
        for place in wrong {
            let mut below = self
                .allocated
                .range(indirect::below(place.level, place.number));
            let holds = below.next().is_some();
            self.put_indirect(place, holds, terms);
        }
    }

    /// Writes an indirect block anew, or frees it if it holds nothing.
    fn put_indirect(&mut self, place: Place, holds: bool, terms: Terms) {
        let new = Indirect {
            birth: terms.txg,
            copies: terms.policy.copies_at(place.level),
            weight: None,
        };
        if holds && self.indirect.get(&place) == Some(&new) {
            // It is to be written already.
            return;
        }
        let old = if holds {
            self.indirect.insert(place, new)
        } else {
            self.indirect.remove(&place)
        };
        let pending = self.pending();
        pending.above.insert(place, ());
        if let Some(Indirect {
            birth,
            weight: Some(weight),
            ..
        }) = old
        {
            pending.freed.push((birth, weight));
        }
    }

    /// Whether a sync would write anything.
    pub(super) fn is_dirty(&self) -> bool {
        self.pending.is_some()
    }

    /// What the blocks that have changed count for until they are on disk, each as `count` says of its size.
    pub(super) fn dirty_space(&self, count: impl Fn(u64) -> u64) -> u64 {
        self.pending.as_ref().map_or(0, |pending| {
            let written = pending.written.len() as u64 * count(self.block_size);
            let above = pending.above.len() as u64 * count(indirect::SIZE);
            written + above
        })
    }

    /// The bytes of its indirect blocks before compression.
    pub(crate) fn indirect_bytes(&self) -> u64 {
        self.indirect.len() as u64 * indirect::SIZE
    }

    /// Brings what has changed to disk: how blocks are stored was settled when they were written.
    pub(super) fn sync(&mut self, on: &Storage, synced: &mut Synced) {
        let Some(mut pending) = self.pending.take() else {
            return;
        };
        let mut born = Weight::default();
        for number in pending.written.keys() {
            if let Some(block) = self
                .allocated
                .get_mut(&number)
                .filter(|it| it.weight.is_none())
            {
                let (how, embeds) = (block.policy.compression, block.policy.embeds);
                let stored = compress::stored(&block.pieces, self.block_size, how, embeds, on);
                let weight = Weight::of_data(stored, self.block_size, block.policy.copies, on);
                block.weight = Some(weight.into());
                let kept = match pending.before.get(&number) {
                    _ if on.faulty(Fault::SameIsWrittenAnew) => Some(false),
                    Some(old) if block.cloned.is_none() => old.is_kept(block, self.block_size),
                    _ => Some(false),
                };
                synced.is_unknown |= kept.is_none();
                if kept == Some(true)
                    && let Some(old) = pending.before.remove(&number)
                {
                    *block = old;
                } else {
                    born += weight;
                }
            }
        }
        for old in std::mem::take(&mut pending.before).values() {
            pending
                .freed
                .push((old.birth, old.weight().unwrap_or_default()));
        }
        let above = |level| {
            pending
                .above
                .keys()
                .filter(move |place| place.level == level)
        };
        for place in (1..self.levels).flat_map(above) {
            let (pointers, size) = self.pointers(place);
            if let Some(block) = self.indirect.get_mut(&place) {
                let stored = indirect::stored(&pointers, size, on);
                let weight = Weight::of_metadata(stored, block.copies, on);
                block.weight = Some(weight);
                born += weight;
            }
        }
        let mut freed = Weight::ZERO;
        for &(birth, weight) in pending.freed.values() {
            freed += weight;
            synced.freed.insert(birth, weight);
        }
        self.used = (self.used + born.size).without(freed.size);
        synced.born += born;
    }

    /// The number of the last block there was.
    pub(super) fn last_on_disk(&self) -> u64 {
        self.last_on_disk
    }

    /// Levels of blocks, those of the data included.
    pub(super) fn levels(&self) -> u32 {
        self.levels
    }

    /// The pointers in its dnode, and the size before compression of what they point to.
    pub(super) fn roots(&self) -> (Vec<(u64, Pointer)>, u64) {
        let level = self.levels;
        let (mut pointers, size) = self.pointers(Place { level, number: 0 });
        for (number, pointer) in &mut pointers {
            if pointer.stored.most == 0
                && let Some(block) = self.allocated.get(number)
            {
                pointer.holds = compress::held(&block.pieces, block.policy.compression);
            }
        }
        (pointers, size)
    }

    /// The pointers of an indirect block, and the size of what they point to.
    fn pointers(&self, of: Place) -> (Vec<(u64, Pointer)>, u64) {
        if of.level > 1 {
            let below = indirect::children(&self.indirect, of).map(|(at, block)| {
                let stored = block.weight.unwrap_or_default().physical;
                let pointer = Pointer {
                    stored,
                    holds: 0,
                    copies: block.copies,
                    birth: block.birth,
                    content: u64::MAX - at,
                };
                (at, pointer)
            });
            return (below.collect(), indirect::SIZE);
        }
        let mut contents: BTreeMap<&[Piece], u64> = BTreeMap::new();
        let below = self.allocated.range(indirect::below(1, of.number));
        let below = below.map(|(at, block)| {
            let zero = block.pieces.iter().all(|it| it.source == Source::Zero);
            let next = contents.len() as u64 + 1;
            let pointer = Pointer {
                stored: block.stored(),
                holds: compress::EMBEDDED,
                copies: block.policy.copies,
                birth: block.birth,
                content: if zero {
                    0
                } else {
                    *contents.entry(&block.pieces).or_insert(next)
                },
            };
            (at, pointer)
        });
        (below.collect(), self.block_size)
    }

    /// What is on disk, block by block; it goes with the file.
    pub(super) fn held(&self) -> impl Iterator<Item = Held> {
        let data = self.allocated.values().map(|it| (it.birth, it.weight()));
        let above = self.indirect.values().map(|it| (it.birth, it.weight));
        let synced = data
            .chain(above)
            .filter_map(|(birth, weight)| weight.map(|weight| Held { birth, weight }));
        // What was given up since the last sync is still there.
        let pending = self.pending.iter().flat_map(|it| it.freed.values());
        let before = self.pending.iter().flat_map(|it| it.before.values());
        let before = before.filter_map(|it| Some((it.birth, it.weight()?)));
        let pending = pending.copied().chain(before);
        synced.chain(pending.map(|(birth, weight)| Held { birth, weight }))
    }

    /// What its blocks and the indirect ones above them take on disk, as a dataset is charged for it
    /// (`DN_USED_BYTES`).
    #[must_use]
    pub fn charged(&self) -> Figure {
        self.used
    }

    /// Replaces bytes of block `number`, from `offset` within it on, by `with`.
    fn splice(&mut self, number: u64, offset: u64, with: Piece, terms: Terms) {
        let size = self.block_size;
        let pieces = if with.len == size {
            Pieces::One(with)
        } else {
            let hole = [Piece::zeros(size)];
            let old = self.allocated.get(&number);
            let old = old.map_or(&hole[..], |block| &block.pieces);
            let behind = offset + with.len;
            let mut pieces = Vec::new();
            push_range(&mut pieces, old, 0, offset);
            push(&mut pieces, with);
            push_range(&mut pieces, old, behind, size - behind);
            pieces.into()
        };
        self.put_or_hole(number, pieces, terms);
        self.last = self.last.max(number);
        self.last_on_disk = self.last_on_disk.max(number);
    }

    /// Writes `data` at `offset`. Nothing happens when it is empty.
    pub fn write(&mut self, offset: u64, data: &Piece, terms: Terms) {
        if data.len == 0 {
            return;
        }
        let end = offset + data.len;
        self.read_in(terms);
        self.grow_block(self.size.max(end), terms);
        let size = self.block_size;
        let mut at = offset;
        while at < end {
            let number = at / size;
            let within = at % size;
            let len = (size - within).min(end - at);
            self.splice(number, within, data.slice(at - offset, len), terms);
            at += len;
        }
        self.settle(offset / size, (end - 1) / size, terms);
        self.size = self.size.max(end);
    }

    /// Whether blocks of a range can be cloned only once they are on disk (`dmu_read_l0_bps`); those of zeros are among
    /// them, but for a planted fault.
    #[must_use]
    pub fn is_dirty_within(&self, offset: u64, len: u64, zeros_count: bool) -> bool {
        let numbers = offset / self.block_size..(offset + len).div_ceil(self.block_size);
        let pending = self.pending.as_ref().filter(|_| zeros_count);
        let zeros = pending.map(|it| &it.zeros);
        let mut blocks = self.allocated.range(numbers.clone());
        blocks.any(|(_, block)| block.weight.is_none() && block.cloned.is_none())
            || zeros.is_some_and(|zeros| zeros.range(numbers).next().is_some())
    }

    /// Whether there are holes in a range that nobody wrote, of which some were blocks when this was last brought to disk.
    #[must_use]
    pub fn may_be_freed_within(&self, offset: u64, len: u64) -> bool {
        let numbers = offset / self.block_size..(offset + len).div_ceil(self.block_size);
        // What was written as zeros is dirty, and comes to disk first.
        self.pending.as_ref().is_some_and(|pending| {
            let mut on_disk = pending.on_disk.range(numbers).map(|(number, ())| number);
            on_disk.any(|it| !self.allocated.contains_key(&it) && !pending.zeros.contains_key(&it))
        })
    }

    /// Whether blocks of this file can become blocks of another one: their sizes and all bounds agree
    /// (`zfs_clone_range`, `zfs_rangelock_cb`).
    #[must_use]
    pub fn can_clone(&self, offset: u64, to: &Blocks, at: u64, len: u64, recordsize: u64) -> bool {
        let (size, old) = (self.block_size, to.block_size);
        let may_grow = !old.is_power_of_two() || old < recordsize;
        let grows = to.size.max(at + len) > old && may_grow;
        let in_part = !len.is_multiple_of(size);
        // Behind the end of the target there is no end.
        let ends = len >= self.size.saturating_sub(offset)
            && to.size.checked_sub(at).is_some_and(|it| len >= it);
        let stays_small = len <= size && size < recordsize && to.size <= size && at + len > size;
        size >= old
            && (size == old || to.size <= old && grows && to.last == 0)
            && (at == 0 || size.is_power_of_two())
            && offset.is_multiple_of(size)
            && at.is_multiple_of(size)
            && (!in_part || ends)
            && !stays_small
    }

    /// Lets all blocks be as if they had been written so (a planted fault).
    pub(crate) fn store_as(&mut self, policy: Policy) {
        let blocks = self.allocated.iter().map(|(number, block)| {
            let block = block.clone();
            (number, Block { policy, ..block })
        });
        self.allocated = blocks.collect();
    }

    /// Makes blocks of another file blocks of this one, as far as [`Blocks::can_clone`] says that they can be
    /// (`dmu_brt_clone`).
    pub fn clone_from(
        &mut self,
        (object, from): (ObjectId, &Blocks),
        offset: u64,
        at: u64,
        len: u64,
        copying: u64,
        terms: Terms,
    ) {
        self.read_in(terms);
        if from.block_size > self.block_size {
            self.set_block_size(from.block_size, terms);
        }
        let size = self.block_size;
        let (first, last) = (at / size, (at + len - 1) / size);
        for number in first..=last {
            let source = offset / size + number - first;
            let Some(block) = from.allocated.get(&source) else {
                self.give_up(number..=number);
                continue;
            };
            let cloned = block.cloned.as_deref();
            let physical_birth = cloned.map_or(block.birth, |it| it.physical_birth);
            let block = Block {
                birth: terms.txg,
                weight: None,
                cloned: Some(Box::new(Cloned {
                    physical_birth,
                    copying,
                    written: block.written(object, source),
                })),
                ..block.clone()
            };
            self.put_block(number, block);
        }
        self.last = self.last.max(last);
        self.last_on_disk = self.last_on_disk.max(last);
        self.settle(first, last, terms);
        self.size = self.size.max(at + len);
    }

    /// Lets a volume be at least `size` bytes long.
    pub(super) fn extend(&mut self, size: u64) {
        self.size = self.size.max(size);
    }

    /// Lets a volume end where nothing lies behind.
    pub(super) fn end_at(&mut self, size: u64) {
        self.size = self.size.min(size);
    }

    /// Whether there ever was a block from `offset` on (`dmu_free_long_range_impl`).
    pub(crate) fn reaches(&self, offset: u64, terms: Terms) -> bool {
        let last = if self.reading == terms.reading {
            self.last
        } else {
            self.last_on_disk
        };
        offset / self.block_size <= last
    }

    /// Makes the file `size` bytes long (`zfs_freesp`): cut off, or extended by a hole.
    pub fn truncate(&mut self, size: u64, terms: Terms) {
        self.read_in(terms);
        if size > self.size {
            self.grow_block(size, terms);
            self.size = size;
            return;
        }
        if size == self.size {
            return;
        }
        let block = self.block_size;
        let kept = size.div_ceil(block);
        self.give_up(kept..=u64::MAX);
        let within = size % block;
        // The rest of the last block is zeroed in place.
        if within > 0 {
            self.clear(kept - 1, within, block - within, terms);
        }
        if kept <= self.last {
            self.settle(kept, u64::MAX, terms);
        }
        self.last_on_disk = self.last_on_disk.min(kept.saturating_sub(1));
        // A file of which nothing is left can have larger blocks again (`dmu_free_long_range`).
        if size == 0 {
            self.last = 0;
            self.was_longer = true;
        }
        self.size = size;
    }

    /// Whether a block is on disk that is written over or given up by now.
    fn was_on_disk(&self, number: u64) -> bool {
        let pending = self.pending.as_ref();
        pending.is_some_and(|it| it.on_disk.contains_key(&number))
    }

    /// Writes zeros over a part of a block, unless it is a hole (`dnode_partial_zero`), also on disk: of a block that was
    /// cut off since then a new one comes, of zeros. Returns whether it is none.
    fn clear(&mut self, number: u64, offset: u64, len: u64, terms: Terms) -> bool {
        let is_there =
            self.allocated.contains_key(&number) || number <= self.last && self.was_on_disk(number);
        if is_there {
            self.splice(number, offset, Piece::zeros(len), terms);
            self.settle(number, number, terms);
        }
        is_there
    }

    /// Makes a hole of `len` bytes from `offset` on (`zfs_free_range`, `dnode_free_range`): blocks that lie in
    /// it as a whole are freed, what lies in part is zeroed in place. Behind the end of the file nothing is, nor behind
    /// its last block. Returns whether anything was touched: what is zeroed in a hole is not.
    pub fn punch(&mut self, offset: u64, len: u64, terms: Terms) -> bool {
        let block = self.block_size;
        self.read_in(terms);
        let blocks = (self.last + 1).saturating_mul(block);
        let end = offset.saturating_add(len).min(self.size).min(blocks);
        if offset >= end {
            return false;
        }
        let (first, last) = (offset.div_ceil(block), end / block);
        if first > last {
            // Within one block.
            return self.clear(last, offset % block, end - offset, terms);
        }
        let mut touched = first < last;
        if !offset.is_multiple_of(block) {
            touched |= self.clear(first - 1, offset % block, block - offset % block, terms);
        }
        if first < last {
            self.give_up(first..=last - 1);
            // On disk it ends in front of what is freed to its end (`dnode_sync_free_range_impl`).
            if (first..last).contains(&self.last_on_disk) {
                self.last_on_disk = first.saturating_sub(1);
            }
        }
        if !end.is_multiple_of(block) {
            touched |= self.clear(last, 0, end % block, terms);
        }
        if first < last {
            self.settle(first, last - 1, terms);
        }
        touched
    }

    /// The bytes from `offset` on, at most `len` and not past the end of the file.
    #[must_use]
    pub fn read(&self, offset: u64, len: u64) -> Vec<Piece> {
        let end = offset.saturating_add(len).min(self.size);
        let mut pieces = Vec::new();
        let mut at = offset;
        while at < end {
            let number = at / self.block_size;
            // A hole that reaches over many blocks is one piece.
            let (start, block) = match self.allocated.range(number..).next() {
                Some((found, block)) => (found.saturating_mul(self.block_size), Some(block)),
                None => (u64::MAX, None),
            };
            if start > at {
                let hole = start.min(end) - at;
                push(&mut pieces, Piece::zeros(hole));
                at += hole;
            } else if let Some(block) = block {
                let within = at - start;
                let len = (self.block_size - within).min(end - at);
                push_range(&mut pieces, &block.pieces, within, len);
                at += len;
            }
        }
        pieces
    }

    /// The byte ranges, merged and ascending, of the blocks that `keep` says yes to.
    pub fn ranges(&self, mut keep: impl FnMut(&Block) -> bool) -> Vec<(u64, u64)> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for (number, block) in &self.allocated {
            if !keep(block) {
                continue;
            }
            let (start, end) = (number * self.block_size, (number + 1) * self.block_size);
            match ranges.last_mut() {
                Some(last) if last.1 == start => last.1 = end,
                _ => ranges.push((start, end)),
            }
        }
        ranges
    }

    /// Gives every block the birth `txg`, as if all were written anew.
    pub fn rewrite(&mut self, txg: u64) {
        let blocks = self.allocated.iter().map(|(number, block)| {
            let block = block.clone();
            (
                number,
                Block {
                    birth: txg,
                    ..block
                },
            )
        });
        self.allocated = blocks.collect();
        let indirect = self.indirect.iter();
        let indirect = indirect.map(|(place, &it)| (place, Indirect { birth: txg, ..it }));
        self.indirect = indirect.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dmu::data::Source;

    const TERMS: Terms = Terms {
        txg: 5,
        recordsize: 16 << 10,
        policy: Policy {
            compression: Compression::Lz4,
            ..Policy::PLAIN
        },
        now: 0,
        reading: 0,
        dataset: DatasetId(1),
    };

    const K: u64 = 1 << 10;

    /// A file of so many blocks of 16K on disk.
    fn file(blocks: u64) -> Blocks {
        let mut file = Blocks::default();
        file.write(0, &Source::Random(1).piece(blocks * 16 * K), TERMS);
        file.sync(&Storage::single(9), &mut Synced::default());
        file
    }

    /// `zfs_write`: whole blocks behind the end one by one, fewer than four of small ones only.
    #[test]
    fn a_transaction_takes_a_block_that_is_appended_or_the_whole_call() {
        let release = Release::V2_4;
        let takes = |file: &Blocks, offset, len, recordsize| {
            let terms = Terms {
                recordsize,
                ..TERMS
            };
            file.one_transaction(offset, len, terms, release)
        };
        let (small, large) = (16 * K, 128 * K);
        let new = Blocks::default();
        for (len, taken) in [(1, 1), (16, 16), (17, 16), (63, 16), (64, 64), (65, 65)] {
            assert_eq!(takes(&new, 0, len * K, small), taken * K, "{len}K");
        }
        for (len, taken) in [(127, 127), (128, 128), (129, 128), (1000, 128)] {
            assert_eq!(takes(&new, 0, len * K, large), taken * K, "{len}K");
        }
        let old = file(2);
        // Over what is there, behind it, and at no block's beginning.
        assert_eq!(takes(&old, 16 * K, 40 * K, small), 40 * K);
        assert_eq!(takes(&old, 32 * K, 40 * K, small), 16 * K);
        assert_eq!(takes(&old, 33 * K, 40 * K, small), 40 * K);
        let of_2_1 = old.one_transaction(17 * K, 40 * K, TERMS, Release::V2_1);
        assert_eq!(of_2_1, 15 * K);
    }

    #[test]
    fn what_is_given_up_may_be_freed_until_it_is_on_disk() {
        let mut old = file(8);
        assert!(!old.may_be_freed_within(0, 128 * K));
        old.punch(48 * K, 16 * K, TERMS);
        assert!(old.may_be_freed_within(48 * K, 1));
        assert!(old.may_be_freed_within(0, 128 * K));
        // Around it nothing is.
        assert!(!old.may_be_freed_within(0, 48 * K));
        assert!(!old.may_be_freed_within(64 * K, 64 * K));
        // Zeros that are written there are on their way to disk.
        old.write(48 * K, &Piece::zeros(16 * K), TERMS);
        assert!(!old.may_be_freed_within(0, 128 * K));
        old.punch(64 * K, 16 * K, TERMS);
        old.write(64 * K, &Source::Random(2).piece(16 * K), TERMS);
        assert!(!old.may_be_freed_within(0, 128 * K));
        old.punch(0, 16 * K, TERMS);
        old.sync(&Storage::single(9), &mut Synced::default());
        assert!(!old.may_be_freed_within(0, 128 * K));
    }

    #[test]
    fn punching_touches_blocks_and_not_holes() {
        let mut holes = Blocks::default();
        holes.truncate(128 * K, TERMS);
        holes.write(96 * K, &Source::Random(1).piece(32 * K), TERMS);
        // On both sides of where two holes meet, within one, and up to a block.
        assert!(!holes.punch(24 * K, 16 * K, TERMS));
        assert!(!holes.punch(17 * K, 2 * K, TERMS));
        assert!(holes.punch(90 * K, 7 * K, TERMS));
        assert!(holes.punch(0, 16 * K, TERMS));
        assert_eq!(holes.read(95 * K, 2 * K), [Piece::zeros(2 * K)]);
    }

    /// `dn_maxblkid` is what it was as long as a file is in memory.
    #[test]
    fn a_file_reaches_as_far_as_it_ever_did_until_it_is_read_anew() {
        let mut cut = file(8);
        cut.punch(64 * K, 64 * K, TERMS);
        let anew = Terms {
            reading: 1,
            ..TERMS
        };
        for (offset, now, then) in [(63, true, true), (64, true, false), (128, false, false)] {
            assert_eq!(cut.reaches(offset * K, TERMS), now, "{offset}K");
            assert_eq!(cut.reaches(offset * K, anew), then, "{offset}K");
        }
    }

    #[test]
    fn a_volume_is_as_long_as_it_was_made() {
        let volume = Blocks::of_volume(1 << 20, 16 * K);
        assert_eq!((volume.size(), volume.block_size()), (1 << 20, 16 * K));
        assert_eq!(volume.read(0, u64::MAX), [Piece::zeros(1 << 20)]);
    }

    /// One for each 1,024 blocks, and one above them.
    #[test]
    fn indirect_blocks_have_128k_each() {
        let mut small = Blocks::default();
        let terms = Terms {
            recordsize: 512,
            ..TERMS
        };
        small.write(0, &Source::Random(1).piece(512 * 4 * K), terms);
        assert_eq!(small.indirect_bytes(), 5 * 128 * K);
        assert_eq!(file(1).indirect_bytes(), 0);
    }
}
