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

/// By how many bytes times that are one moment compress better, at most.
const TICK: u64 = 32;

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
    let here = objset.objects.range(objects(block));
    let inline: Vec<_> = here
        .map(|(id, znode)| {
            let (_, left) = objset.metadata.left(id, znode);
            (objset.metadata.inline(id, znode).len() + left.len()) as u64
        })
        .collect();
    let dnodes = (tables_in(block, objset).count() + inline.len()) as u64;
    if dnodes == 0 {
        return None;
    }
    let fits = |compressed| compress::metadata(compressed, SIZE, false, on);
    // Where it is one sector, there is no need to look.
    let surely = fits(Figure {
        least: 1,
        most: 200 + 420 * dnodes + inline.iter().sum::<u64>(),
    });
    if surely.least == surely.most {
        return Some(surely);
    }
    let size = |at_once| lz4::size(&image(block, objset, at_once, on), SIZE).unwrap_or(SIZE);
    let unsure = 8 + UNSURE * dnodes;
    let between = |least: u64, most: u64| {
        fits(Figure {
            least: least.saturating_sub(unsure),
            most: most + unsure,
        })
    };
    // What is changed right after it was made may be so in the same tick of the clock. Where that shows in no sector, there
    // is no need to look.
    let apart = size(false);
    let here = objset.objects.range(objects(block));
    let changed = here.filter(|(_, znode)| !znode.times.is_as_made).count() as u64;
    let nearly = between(apart.saturating_sub(TICK * changed), apart);
    if changed == 0 || nearly.least == nearly.most {
        return Some(nearly);
    }
    let at_once = size(true);
    Some(between(apart.min(at_once), apart.max(at_once)))
}

/// The bytes of a block of dnodes, with what nobody knows made up (`dnode_phys_t`).
fn image(block: u64, objset: &Inner, at_once: bool, on: &Storage) -> Vec<u8> {
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
            _ => fill(&mut image[start(id)..], id, znode, objset, at_once, on),
        }
    }
    image
}

/// The dnode of the data of a volume, which has no attributes.
fn fill_volume(dnode: &mut [u8], blocks: &Blocks, on: &Storage) {
    dnode[16..24].copy_from_slice(&blocks.last_on_disk().to_le_bytes());
    dnode[24..32].copy_from_slice(&blocks.charged().most.to_le_bytes());
    let (pointers, size) = blocks.roots();
    for (at, (_, pointer)) in (POINTER..).step_by(128).zip(pointers) {
        pointer.print(&mut dnode[at..at + 128], size, PLACE, on);
    }
    head(dnode, DATA, 0, blocks.block_size() >> 9, blocks.levels());
}

fn fill(
    dnode: &mut [u8],
    id: ObjectId,
    znode: &Znode,
    objset: &Inner,
    at_once: bool,
    on: &Storage,
) {
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
    let moment = u64::from(!at_once && !znode.times.is_as_made);
    for (number, change) in [0, moment, moment, 0].into_iter().enumerate() {
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
        pointer.print(&mut dnode[end..end + 128], 512, place, on);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dmu::blocks::{Policy, Terms};
    use crate::dmu::data::Source;
    use crate::dmu::{Objset, Volume, attributes};
    use crate::dsl::dataset::DatasetId;
    use crate::zpl::znode::Xattrs;

    const TERMS: Terms = Terms {
        txg: 1,
        recordsize: 16 << 10,
        policy: Policy::PLAIN,
        now: 0,
        reading: 0,
        dataset: DatasetId(1),
    };

    /// The number that stands at a place of a dnode.
    fn word(dnode: &[u8], at: usize) -> u64 {
        dnode[at..]
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// The dnode of an object with these attributes in a new filesystem that is on disk, with sectors of 512 bytes.
    fn dnode(znode: Znode) -> (Vec<u8>, ObjectId, Objset) {
        let on = Storage::single(9);
        let mut objset = Objset::new_filesystem(1, 0, 1);
        let slots = usize::try_from(znode.slots).unwrap_or(1);
        let id = objset.add(znode, 1);
        objset.lay_out(id);
        objset.sync(1, &on, &Policy::PLAIN);
        let image = image(block(id), &objset.inner, false, &on);
        let start = SLOT * usize::try_from(id % 32).unwrap_or(0);
        (image[start..start + SLOT * slots].to_vec(), id, objset)
    }

    fn file(mode: u32) -> Znode {
        Znode::new(Body::File(Blocks::default()), mode, 0, 0, 1, 0)
    }

    fn xattrs(value: u64) -> Xattrs {
        let inline = vec![("user.a".into(), Source::Random(3).piece(value))];
        Xattrs {
            inline: Some(inline),
            ..Xattrs::default()
        }
    }

    #[test]
    fn a_dnode_has_its_attributes_where_a_layout_puts_them() {
        // Behind a header of 16 bytes, as two of them have no fixed size: from mode to links and the number of rights
        // 136 bytes, the project 8, eight for each right, the extended attributes (`sa_build_layouts`).
        for (mode, rights) in [(0o644, 3), (0o077, 4), (0o007, 5), (0o707, 5)] {
            let znode = Znode {
                xattrs: Some(Box::new(xattrs(20))),
                ..file(mode)
            };
            let packed = attributes::packed(&[("user.a".into(), Source::Random(3).piece(20))]);
            let (dnode, ..) = dnode(znode);
            let at = BONUS + 16 + 136 + 8 + 8 * rights;
            assert_eq!(dnode[at..at + packed.len()], packed, "{mode:o}");
        }
        // A link has no project.
        let target = "some/where/else";
        let link = Znode::new(Body::Link(target.into()), 0o777, 0, 0, 1, 0);
        let (link, ..) = dnode(Znode {
            xattrs: Some(Box::new(xattrs(20))),
            slots: 2,
            ..link
        });
        let at = BONUS + 16 + 136 + 8 * 3;
        assert_eq!(&link[at..at + target.len()], target.as_bytes());
        let packed = attributes::packed(&[("user.a".into(), Source::Random(3).piece(20))]);
        let at = at + target.len().next_multiple_of(8);
        assert_eq!(link[at..at + packed.len()], packed);
    }

    #[test]
    fn a_right_more_is_a_word_more_of_its_own() {
        // Behind the three that each file has; of what others may and those before them may not.
        let rights = |mode: u32| {
            let (dnode, ..) = dnode(file(mode));
            let at = BONUS + 8 + 136 + 8 + 8 * 3;
            [0, 8, 16].map(|word| self::word(&dnode, at + word))
        };
        let (two, one, none) = (rights(0o007), rights(0o077), rights(0o644));
        assert!(
            two[0] != two[1] && two[0] > 0 && two[1] > 0 && two[2] == 0,
            "{two:x?}"
        );
        assert!(
            one[0] > 0 && one[1..] == [0, 0] && one[0] != two[0],
            "{one:x?}"
        );
        assert_eq!(none, [0; 3]);
    }

    #[test]
    fn the_pointer_to_a_spill_block_stands_at_the_end_of_all_slots() {
        for slots in [1, 2, 4] {
            let mut blocks = Blocks::default();
            blocks.write(0, &Source::Random(1).piece(3072), TERMS);
            let (dnode, ..) = dnode(Znode {
                slots,
                xattrs: Some(Box::new(xattrs(3000))),
                body: Body::File(blocks),
                ..file(0o644)
            });
            let pointer = &dnode[dnode.len() - 128..];
            // Where the block lies, when it was written, and a checksum; 3000 bytes and what is before them.
            assert_eq!(word(pointer, 80), 1);
            assert_eq!(word(pointer, 48) >> 16 & 0xffff, 3072 / 512 - 1);
            assert!((1 << 16..1 << 24).contains(&word(pointer, 8)));
            // Its checksum is not that of the file's own block.
            let sums = |pointer: &[u8]| [96, 104, 112, 120].map(|at| word(pointer, at));
            let (spill, file) = (sums(pointer), sums(&dnode[POINTER..]));
            assert!(spill.iter().all(|&sum| sum > 0) && file.iter().all(|&sum| sum > 0));
            assert_ne!(spill, file);
        }
    }

    #[test]
    fn the_dnode_of_a_volume_tells_of_its_blocks() {
        let volume = Volume {
            size: 1 << 20,
            block_size: 16 << 10,
        };
        let on = Storage::single(9);
        let mut objset = Objset::new_volume(volume);
        objset.sync(1, &on, &Policy::PLAIN);
        let blocks = objset.volume_data_mut().expect("it is a volume");
        blocks.write(
            5 << 14,
            &Source::Random(1).piece(1 << 14),
            Terms { txg: 2, ..TERMS },
        );
        objset.sync(2, &on, &Policy::PLAIN);
        let image = image(0, &objset.inner, false, &on);
        let data = &image[SLOT..2 * SLOT];
        // `dnode_phys_t`: type `DMU_OT_ZVOL`, two levels, blocks of 32 sectors; the last of them, what it takes.
        assert_eq!((data[0], data[2], &data[8..10]), (23, 2, &[32, 0][..]));
        assert_eq!(word(data, 16), 5);
        // The block and two copies of the one above it.
        assert_eq!(word(data, 24), (16 << 10) + 2 * 1024);
        // The first pointer: two copies, born in 2, somewhere on a device of less than 8G.
        assert!(word(data, POINTER) > 0 && word(data, POINTER + 16) > 0);
        assert_eq!(word(data, POINTER + 80), 2);
        assert!((1 << 16..1 << 24).contains(&word(data, POINTER + 8)));
    }

    #[test]
    fn a_block_of_dnodes_takes_what_lz4_makes_of_it() {
        // The quick answer is the long one, whatever is in it.
        for ashift in [9, 10, 11, 12, 13, 14] {
            let on = Storage::single(ashift);
            for files in [0, 1, 5, 20, 27, 59, 91] {
                for (slots, value, target) in [
                    (1, 0, 0),
                    (1, 60, 0),
                    (1, 88, 0),
                    (2, 300, 0),
                    (1, 0, 120),
                    (1, 0, 20),
                ] {
                    let mut objset = Objset::new_filesystem(1, 0, 1);
                    for number in 0..files {
                        let inline = vec![("user.a".into(), Source::Random(number).piece(value))];
                        let xattrs = Xattrs {
                            inline: Some(inline),
                            ..Xattrs::default()
                        };
                        let name: String = (0..target)
                            .map(|at| {
                                char::from(b'0' + (indirect::noise(number, at) >> 56) as u8 % 64)
                            })
                            .collect();
                        let body = if target > 0 {
                            Body::Link(name.into())
                        } else {
                            Body::File(Blocks::default())
                        };
                        let znode = Znode {
                            slots,
                            xattrs: (value > 0).then(|| Box::new(xattrs)),
                            ..Znode::new(body, 0o644, 0, 0, 1, 0)
                        };
                        let id = objset.add(znode, 1);
                        objset.lay_out(id);
                    }
                    objset.sync(1, &on, &Policy::PLAIN);
                    for number in 0..4 {
                        let objset = &objset.inner;
                        let dnodes = tables_in(number, objset).count()
                            + objset.objects.range(objects(number)).count();
                        let Some(stored) = stored(number, objset, &on) else {
                            assert_eq!(dnodes, 0);
                            continue;
                        };
                        let likely = lz4::size(&image(number, objset, false, &on), 16 << 10)
                            .unwrap_or(16 << 10);
                        let unsure = 8 + 12 * dnodes as u64;
                        let bytes = Figure {
                            least: likely.saturating_sub(unsure),
                            most: likely + unsure,
                        };
                        assert_eq!(
                            stored,
                            compress::metadata(bytes, 16 << 10, false, &on),
                            "{files} files, {ashift}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn without_lz4_little_is_known_of_a_block_of_dnodes() {
        // `lzjb` has made one of 27 files 2048 to 3072 bytes.
        let mut on = Storage::single(9);
        on.metadata_lz4 = false;
        let mut objset = Objset::new_filesystem(1, 0, 1);
        (0..27).for_each(|_| _ = objset.add(file(0o644), 1));
        objset.sync(1, &on, &Policy::PLAIN);
        let stored = stored(1, &objset.inner, &on);
        assert_eq!(
            stored,
            Some(Figure {
                least: 512,
                most: 16 << 10
            })
        );
    }
}
