//! Blocks of dnodes: what they hold, as far as it tells how well they compress.

use super::indirect::{self, Pointer};
use super::metadata::{LAYOUTS, REGISTRY, VOLUME_SIZE};
use super::storage::{Figure, Storage};
use super::{Blocks, Inner, ObjectId, attributes, compress, directory, lz4};
use crate::zpl::znode::{Body, Znode};

/// The dnodes in a block, as a power of two (`DNODES_PER_BLOCK_SHIFT`).
const SHIFT: u32 = 5;

/// The size of a block of dnodes, in bytes (`DNODE_BLOCK_SIZE`).
pub(super) const SIZE: u64 = 16 << 10;

/// The size of a dnode, or of one of its slots, in bytes (`DNODE_MIN_SIZE`).
const SLOT: usize = 512;

/// Where in a dnode its block pointer stands.
const POINTER: usize = 64;

/// Somewhere on disk, in sectors of 512 bytes.
const PLACE: u64 = 0x0021_8768;

/// How many bytes of a table its pointer holds, more or less.
const HELD: u64 = 40;

/// The type of the data of a volume.
const DATA: u8 = 23;

/// Where its attributes stand.
const BONUS: usize = 192;

/// The objects of every filesystem besides its root directory, with type (`dmu_object_type_t`), and size of
/// their blocks in units of 512 bytes: the master node, that of attributes, the delete queue, and the
/// attributes' registry and layouts.
const TABLES: [(ObjectId, u8, u8); 5] = [
    (1, 21, 1),
    (32, 45, 1),
    (33, 22, 1),
    (REGISTRY, 46, 3),
    (LAYOUTS, 47, 32),
];

/// The same of a volume besides its data: its size.
const OF_VOLUME: [(ObjectId, u8, u8); 1] = [(VOLUME_SIZE, 24, 1)];

/// By how many bytes the compressed size of a block of dnodes is off at most, for each of them.
const UNSURE: u64 = 12;

/// The block that the dnode of an object lies in.
pub(super) fn block(object: ObjectId) -> u64 {
    object >> SHIFT
}

/// The objects of a block.
fn objects(block: u64) -> std::ops::Range<ObjectId> {
    block << SHIFT..(block + 1) << SHIFT
}

/// The objects that are no files.
pub(super) fn tables(objset: &Inner) -> impl Iterator<Item = ObjectId> + use<> {
    all_tables(objset).map(|(id, ..)| id)
}

fn all_tables(objset: &Inner) -> impl Iterator<Item = (ObjectId, u8, u8)> + use<> {
    let all: &[_] = match objset.volume {
        Some(_) => &OF_VOLUME,
        None => &TABLES,
    };
    // What is made after the root directory stands behind it, however large that is.
    let behind = objset.metadata.behind_root;
    let place = move |&(id, kind, size): &(ObjectId, u8, u8)| match id {
        REGISTRY.. => (id + behind, kind, size),
        _ => (id, kind, size),
    };
    all.iter().map(place)
}

/// Those of a block.
fn tables_in(block: u64, objset: &Inner) -> impl Iterator<Item = (ObjectId, u8, u8)> + use<> {
    let here = move |(id, ..): &(ObjectId, u8, u8)| objects(block).contains(id);
    all_tables(objset).filter(here)
}

/// The size at which a block of dnodes is stored; none when there is no dnode in it.
pub(super) fn stored(block: u64, objset: &Inner, on: &Storage) -> Option<Figure> {
    let tables = tables_in(block, objset).count() as u64;
    let znodes = objset.objects.range(objects(block)).count() as u64;
    if tables + znodes == 0 {
        return None;
    }
    let fits = |compressed| compress::metadata(compressed, SIZE, false, on);
    let here = objset.objects.range(objects(block));
    let inline = here.map(|(id, znode)| {
        let (inline, (_, left)) = (
            objset.metadata.inline(id, znode),
            objset.metadata.left(id, znode),
        );
        (inline.len() + left.len()) as u64
    });
    let inline = inline.sum::<u64>();
    let surely = fits(Figure {
        least: 100 + 20 * (tables + znodes),
        most: 200 + 150 * tables + 420 * znodes + inline,
    });
    if surely.least == surely.most || !on.metadata_lz4 {
        return Some(surely);
    }
    let likely = lz4::size(&image(block, objset, on), SIZE).unwrap_or(SIZE);
    let unsure = 8 + UNSURE * (tables + znodes);
    Some(fits(Figure {
        least: likely.saturating_sub(unsure),
        most: likely + unsure,
    }))
}

/// The bytes of a block of dnodes, with what nobody knows made up (`dnode_phys_t`).
fn image(block: u64, objset: &Inner, on: &Storage) -> Vec<u8> {
    let mut image = vec![0; 32 * SLOT];
    let start = |id: ObjectId| usize::try_from(id % 32).map_or(0, |at| at * SLOT);
    for (id, kind, sectors) in tables_in(block, objset) {
        let dnode = &mut image[start(id)..];
        let size = u64::from(sectors) << 9;
        let blocks = objset.metadata.blocks(id);
        for (at, block) in (POINTER..).step_by(128).zip(blocks) {
            let pointer = block.pointer(id + at as u64);
            pointer.print(&mut dnode[at..at + 128], size, PLACE, on);
        }
        if blocks.is_empty() {
            let pointer = Pointer::holding(HELD, id);
            pointer.print(&mut dnode[POINTER..BONUS], size, PLACE, on);
        }
        head(dnode, kind, 0, u64::from(sectors), 1);
    }
    for (id, znode) in objset.objects.range(objects(block)) {
        match &znode.body {
            Body::File(blocks) if objset.volume.is_some() => {
                fill_volume(&mut image[start(id)..], blocks, on);
            }
            _ => fill(&mut image[start(id)..], id, znode, objset, on),
        }
    }
    image
}

/// The dnode of the data of a volume, which has no attributes.
fn fill_volume(dnode: &mut [u8], blocks: &Blocks, on: &Storage) {
    dnode[16..24].copy_from_slice(&blocks.last_on_disk().to_le_bytes());
    dnode[24..32].copy_from_slice(&blocks.charged().most.to_le_bytes());
    let (pointers, size) = blocks.roots();
    for (at, (number, pointer)) in (POINTER..).step_by(128).zip(pointers) {
        let place = PLACE + (indirect::noise(number, 9) >> 46);
        pointer.print(&mut dnode[at..at + 128], size, place, on);
    }
    head(dnode, DATA, 0, blocks.block_size() >> 9, blocks.levels());
}

fn fill(dnode: &mut [u8], id: ObjectId, znode: &Znode, objset: &Inner, on: &Storage) {
    // What is written over has been there up to where the pointer to the spill block stands.
    let (at, left) = objset.metadata.left(id, znode);
    let end = SLOT * usize::try_from(znode.slots).unwrap_or(1) - 128;
    let room = end.saturating_sub(BONUS + at).min(left.len());
    dnode[BONUS + at..BONUS + at + room].copy_from_slice(&left[..room]);
    let mut put = |at: usize, word: u64| dnode[at..at + 8].copy_from_slice(&word.to_le_bytes());
    let (mode, parent) = match &znode.body {
        Body::File(_) => (0o100_000, 0),
        Body::Directory { parent, .. } => (0o040_000, *parent),
        Body::Link(_) => (0o120_000, 0),
        Body::Special(special) => (special.type_of_mode(), 0),
    };
    // A header with the number of their layout, its own size and that of the rights, and the attributes.
    let (layout, in_header) = objset.metadata.layout_of(id, znode);
    let rights = attributes::rights(znode.mode);
    let attributes = [
        0x002f_505a | layout << 32 | in_header << 39 | rights << 51,
        u64::from(znode.mode | mode),
        znode.size(),
        znode.generation,
        u64::from(znode.uid),
        u64::from(znode.gid),
        parent,
        0x0408_0000_0144,
    ];
    for (word, value) in attributes.into_iter().enumerate() {
        put(BONUS + 8 * word, value);
    }
    // When it was read, changed, changed in any way, and made: what changes it, changes two of them.
    for (number, change) in [0, 1, 1, 0].into_iter().enumerate() {
        let at = BONUS + 64 + 16 * number;
        put(at, 0x6b00_0000 + znode.times.modification.seconds());
        put(at + 8, indirect::noise(id, change) >> 34);
    }
    // Links, and who may do what (`zfs_ace_t`).
    let may = |flags: u64, all: u64, shift: u32| {
        let bits = [(4, 1), (2, 6), (1, 0x20)].into_iter();
        let bits = bits.filter(|(bit, _)| znode.mode >> shift & bit > 0);
        flags << 16 | (all | bits.map(|(_, mask)| mask).sum::<u64>()) << 32
    };
    let shown = [
        znode.links,
        0,
        rights,
        may(0x1000, 0x1e_0198, 6),
        may(0x2040, 0x12_0088, 3),
        may(0x4000, 0x12_0088, 0),
    ];
    for (word, value) in shown.into_iter().enumerate() {
        put(BONUS + 128 + 8 * word, value);
    }
    // What others may and those before them may not, in more of them.
    let exceptions = rights - 3;
    for right in 0..exceptions {
        let word = 0x12_0000_0001 ^ u64::from(znode.mode) << 40 ^ right << 16;
        put(BONUS + 176 + 8 * usize::try_from(right).unwrap_or(0), word);
    }
    let place = PLACE + (indirect::noise(id, 9) >> 46);
    let of_spill = objset.metadata.spilled(id);
    let of_spill = of_spill.map_or(0, |held| held.weight.size.most);
    put(24, of_spill);
    match &znode.body {
        Body::File(blocks) => {
            put(16, blocks.last_on_disk());
            put(24, blocks.charged().most + of_spill);
            let (pointers, size) = blocks.roots();
            if let Some((_, pointer)) = pointers.first() {
                let pointer = Pointer {
                    content: id,
                    ..*pointer
                };
                pointer.print(&mut dnode[POINTER..BONUS], size, place, on);
            }
            head(dnode, 19, 176, blocks.block_size() >> 9, blocks.levels());
        }
        Body::Directory { entries, table, .. } => {
            let block = objset.metadata.blocks(id).last();
            let to = &mut dnode[POINTER..BONUS];
            if let Some(block) = block.filter(|it| it.weight.physical.most > 0) {
                block.pointer(id).print(to, 512, place, on);
            } else {
                Pointer::holding(0, id).print(to, 512, place, on);
                let held = directory::held(id, entries, *table, &objset.objects);
                indirect::hold(to, &held);
            }
            head(dnode, 20, 176, 1, 1);
        }
        Body::Link(target) => {
            let room = &mut dnode[BONUS + 176..SLOT];
            let shown = target.len().min(room.len());
            room[..shown].copy_from_slice(&target.as_bytes()[..shown]);
            head(dnode, 19, 176, 1, 1);
        }
        Body::Special(_) => head(dnode, 19, 176, 1, 1),
    }
    let inline = objset.metadata.inline(id, znode);
    let at = attributes::inline_at(znode);
    // How long the attributes are (`dn_bonuslen`), and whether there is a spill block (`DNODE_FLAG_SPILL_BLKPTR`).
    let mut bonus = match &znode.body {
        Body::File(_) | Body::Directory { .. } | Body::Special(_) if inline.is_empty() => 176,
        _ => at + inline.len(),
    };
    if let Some(spill) = objset.metadata.spilled(id) {
        bonus = end - BONUS;
        dnode[7] |= 4;
        let pointer = match spill.weight.physical.most {
            0 => Pointer::holding(objset.metadata.compressed_spill(id, znode).1, !id),
            _ => spill.pointer(!id),
        };
        pointer.print(&mut dnode[end..end + 128], 512, place + 64, on);
    }
    let bonus = u16::try_from(bonus).unwrap_or(0);
    dnode[10..12].copy_from_slice(&bonus.to_le_bytes());
    dnode[BONUS + at..BONUS + at + inline.len()].copy_from_slice(&inline);
}

/// What stands in front: types of object and attributes, sizes, levels.
fn head(dnode: &mut [u8], kind: u8, attributes: u8, sectors: u64, levels: u32) {
    let of_attributes = if attributes > 0 { 44 } else { 0 };
    let levels = u8::try_from(levels).unwrap_or(u8::MAX);
    dnode[..8].copy_from_slice(&[kind, 17, levels, 1, of_attributes, 0, 0, 11]);
    let sectors = u16::try_from(sectors).unwrap_or(u16::MAX);
    dnode[8..10].copy_from_slice(&sectors.to_le_bytes());
    dnode[10] = attributes;
}
