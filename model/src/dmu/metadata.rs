//! The blocks of an objset besides those of files: dnodes, what is above them, directories, tables.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::attributes::{self, Attribute, Layout};
use super::blocks::Policy;
use super::deadlist::Deadlist;
use super::indirect::{self, Place};
use super::leaves::Leaves;
use super::space::{Freed, Held, Synced};
use super::storage::{Figure, Storage};
use super::{Inner, ObjectId, ROOT, Weight, compress, directory, dnode, lz4};
use crate::fault::Fault;
use crate::maps::Radix;
use crate::release::Release;
use crate::zpl::znode::{Body, Znode};

/// The levels of the object that holds the dnodes (`dn_nlevels` of the meta-dnode).
const LEVELS: u32 = 6;

/// The size of the block of the objset itself, in bytes (`objset_phys_t`).
const OBJSET: u64 = 4096;

/// The object that holds the numbers of those without a name.
pub(super) const DELETE_QUEUE: ObjectId = 33;

/// The object of a volume that holds its size.
pub(super) const VOLUME_SIZE: ObjectId = 2;

/// The object that tells which attributes there are. It stands behind the root directory, as what follows.
pub(super) const REGISTRY: ObjectId = 35;

/// The largest sector there can be, in bytes (`ASHIFT_MAX`).
const LARGEST_SECTOR: u64 = 64 << 10;

/// The object that tells which attributes stand where, layout by layout.
pub(super) const LAYOUTS: ObjectId = 36;

/// The objects that tell how much each user and each group uses (`DMU_USERUSED_OBJECT`,
/// `DMU_GROUPUSED_OBJECT`). Their dnodes stand in the block of the objset.
const USED: [ObjectId; 2] = [u64::MAX, u64::MAX - 1];

/// What an objset has on disk besides the blocks of files, and what the next sync has to do.
#[derive(Clone, Debug, Default)]
pub(super) struct Metadata {
    /// The block that all else is reached from; none before the first sync.
    objset: Option<Held>,
    /// Blocks of dnodes at level 0, and those above them, by their places.
    dnodes: Radix<Place, Held>,
    /// The blocks of objects that are no files.
    others: Radix<ObjectId, Arc<[Held]>>,
    /// The leaves of large directories.
    leaves: Radix<ObjectId, Arc<Leaves>>,
    /// The same of those that are gone.
    freed_leaves: Vec<Freed>,
    /// The objects whose dnodes have changed, and whether the intent log tells of that.
    dirty: Radix<ObjectId, bool>,
    /// Whether the header of the intent log in the objset's own block has changed.
    header: bool,
    /// Blocks of objects that are gone.
    freed: Deadlist,
    /// At most what counts for blocks that had changed, or had to change, when their files went.
    gone: u64,
    /// The blocks of attributes that do not fit into dnodes.
    spills: Radix<ObjectId, Held>,
    /// Whether the search for a free dnode goes on where a block turns out to be full (not in 2.1; measured on 2.3.9).
    pub(super) backtracks: bool,
    /// The objects that went in the last sync that wrote any, and its transaction group.
    went: (u64, Radix<ObjectId, ()>),
    /// The objects whose attributes have changed.
    laid_out: Radix<ObjectId, ()>,
    /// The layouts of attributes that there ever were, but for that of the root directory.
    layouts: BTreeSet<Vec<Attribute>>,
    /// By how much the numbers of what stands behind the root directory are larger: by its slots but one.
    pub(super) behind_root: u64,
    /// Whether its root directory has fewer attributes than what is made in it: no project.
    pub(super) root_is_old: bool,
    /// The users and the groups that ever owned something.
    owners: [Radix<u64, ()>; 2],
}

impl Metadata {
    /// That of a new filesystem whose root directory takes so many slots.
    pub(super) fn behind_root(slots: u64) -> Metadata {
        Metadata {
            behind_root: slots - 1,
            ..Metadata::default()
        }
    }

    /// The dnode of an object changes.
    pub(super) fn dirty(&mut self, object: ObjectId) {
        self.dirty.insert(object, true);
    }

    /// The access time of an object changes, of which the intent log does not tell (`zfs_dirty_inode`).
    pub(super) fn access(&mut self, object: ObjectId) {
        if !self.is_dirty_object(object) {
            self.dirty.insert(object, false);
        }
    }

    /// The layout of an object's attributes.
    fn layout(&self, object: ObjectId, znode: &Znode) -> Layout {
        let is_other = matches!(znode.body, Body::Link(_) | Body::Special(_));
        let has_none = is_other || object == ROOT && self.root_is_old;
        Layout::of(znode, !has_none)
    }

    /// The layout of the root directory when it was new.
    fn layout_of_root(&self) -> &'static [Attribute] {
        if self.root_is_old {
            &[Attribute::Plain, Attribute::Rights]
        } else {
            &[Attribute::Plain, Attribute::Project, Attribute::Rights]
        }
    }

    /// The attributes of an object change.
    pub(super) fn lay_out(&mut self, object: ObjectId, znode: &mut Znode) {
        let layout = self.layout(object, znode);
        let size = attributes::spill_size(znode.xattrs.as_deref(), &layout);
        let left = znode.xattrs.as_ref();
        let left = left.map(|it| it.left.behind(znode, &layout));
        if let (Some(xattrs), Some(left)) = (&mut znode.xattrs, left) {
            (xattrs.spill, xattrs.left) = (size, left);
        }
        // A link is made first, and gets its target then (`zfs_symlink`).
        let is_link = matches!(znode.body, Body::Link(_));
        let made = is_link.then(|| vec![Attribute::Plain, Attribute::Rights]);
        for attributes in made.into_iter().chain([layout.bonus, layout.spill]) {
            let is_new = !attributes.is_empty() && attributes != self.layout_of_root();
            if is_new && self.layouts.insert(attributes) {
                self.dirty(LAYOUTS + self.behind_root);
            }
        }
        self.dirty(object);
        self.laid_out.insert(object, ());
    }

    /// The number of the layout that the attributes in the dnode of an object have, and the bytes of their header.
    pub(super) fn layout_of(&self, object: ObjectId, znode: &Znode) -> (u64, u64) {
        let layout = self.layout(object, znode).bonus;
        let number = self.layouts.iter().position(|it| *it == layout);
        let number = number.map_or(2, |number| 3 + number as u64);
        (number, attributes::header_of(&layout))
    }

    /// To how many bytes the table of layouts compresses.
    fn layouts_size(&self) -> Figure {
        let mut all = vec![self.layout_of_root()];
        all.extend(self.layouts.iter().map(Vec::as_slice));
        attributes::layouts_size(&all)
    }

    /// The spill block of an object on disk.
    pub(super) fn spilled(&self, object: ObjectId) -> Option<&Held> {
        self.spills.get(&object)
    }

    /// The extended attributes that stand in the dnode of an object.
    pub(super) fn inline(&self, object: ObjectId, znode: &Znode) -> Vec<u8> {
        let xattrs = znode.xattrs.as_ref().and_then(|it| it.inline.as_deref());
        let xattrs = xattrs.filter(|_| self.layout(object, znode).has_inline());
        xattrs.map_or_else(Vec::new, attributes::packed)
    }

    /// The extended attributes that stood in the dnode of an object and are in its spill block by now, and where they did.
    pub(super) fn left<'a>(&self, object: ObjectId, znode: &'a Znode) -> (usize, &'a [u8]) {
        let xattrs = znode.xattrs.as_ref().filter(|it| it.spill > 0);
        let xattrs = xattrs.filter(|_| !self.layout(object, znode).has_inline());
        xattrs.map_or((0, &[]), |it| (it.left.bonus.0, &it.left.bonus.1))
    }

    /// What the spill block of an object weighs once it is on disk.
    fn spill(&self, of: &Inner, object: ObjectId, on: &Storage, how: &Policy) -> Option<Weight> {
        let znode = of.objects.get(&object)?;
        let (size, likely) = self.compressed_spill(object, znode);
        if size == 0 || on.faulty(Fault::SpillIsFree) {
            return None;
        }
        let compressed = Figure {
            least: likely.saturating_sub(2),
            most: likely + 2,
        };
        let stored = compress::metadata(compressed, size, how.embeds_metadata, on);
        Some(Weight::of_metadata(stored, how.copies_of_metadata, on))
    }

    /// The size of the spill block of an object, and to how many bytes it compresses, more or less; 0 where there is none.
    pub(super) fn compressed_spill(&self, object: ObjectId, znode: &Znode) -> (u64, u64) {
        let layout = self.layout(object, znode);
        let size = attributes::spill_size(znode.xattrs.as_deref(), &layout);
        let mut bytes = attributes::spilled(znode, &layout);
        let left = znode.xattrs.as_ref().map(|it| &it.left.spill[..]);
        bytes.extend(
            left.and_then(|it| it.get(bytes.len()..))
                .unwrap_or_default(),
        );
        bytes.resize(usize::try_from(size).unwrap_or(bytes.len()), 0);
        (size, lz4::size(&bytes, size).unwrap_or(size))
    }

    /// An object goes, with all that it has on disk.
    pub(super) fn free(&mut self, object: ObjectId, znode: &Znode) {
        self.dirty.insert(object, true);
        let others = self.others.remove(&object);
        for &held in others.iter().flat_map(|blocks| blocks.iter()) {
            self.freed.insert(held.birth, held.weight);
        }
        if let Some(leaves) = self.leaves.remove(&object) {
            self.freed_leaves.extend(leaves.free());
        }
        self.laid_out.remove(&object);
        if let Some(spill) = self.spills.remove(&object) {
            self.freed.insert(spill.birth, spill.weight);
        }
        if let Body::File(blocks) = &znode.body {
            for held in blocks.held() {
                self.freed.insert(held.birth, held.weight);
            }
            self.gone += blocks.dirty_space(|size| size.max(LARGEST_SECTOR));
            self.gone += blocks.indirect_bytes();
        }
    }

    /// The blocks of an object that is no file.
    pub(super) fn blocks(&self, object: ObjectId) -> &[Held] {
        self.others.get(&object).map_or(&[], |blocks| blocks)
    }

    /// Whether the number of one of these objects cannot be taken yet: the object that had it goes, or went with the
    /// last transaction group (`dnode_check_slots_free`).
    pub(super) fn goes(&self, objects: Range<ObjectId>, open_txg: u64) -> bool {
        let (txg, went) = &self.went;
        let just_went = txg + 1 == open_txg && went.range(objects.clone()).next().is_some();
        just_went || self.dirty.range(objects).next().is_some()
    }

    /// Which of these objects have changed, or go.
    pub(super) fn changed(&self, objects: Range<ObjectId>) -> impl Iterator<Item = ObjectId> {
        self.dirty.range(objects).map(|(id, _)| id)
    }

    /// Whether a sync would write anything.
    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || self.header || self.objset.is_none()
    }

    /// Whether the dnode of an object is to be written.
    pub(super) fn is_dirty_object(&self, object: ObjectId) -> bool {
        self.dirty.contains_key(&object)
    }

    /// Whether an object has changed, which the intent log tells of, too.
    pub(super) fn has_dirty_objects(&self) -> bool {
        self.dirty.values().any(|&is_told| is_told)
    }

    /// The header of the intent log changes.
    pub(super) fn dirty_header(&mut self) {
        self.header = true;
    }

    /// All that is on disk.
    pub(super) fn held(&self) -> impl Iterator<Item = Held> {
        let others = self.others.values().flat_map(|blocks| blocks.iter());
        let blocks = self.dnodes.values().chain(self.spills.values());
        let all = self.objset.iter().chain(blocks).chain(others);
        let leaves = self.leaves.values().flat_map(|leaves| leaves.held());
        let freed = self.freed_leaves.iter().map(|it| (it.birth, it.weight));
        let counted = self.freed.iter().chain(leaves).chain(freed);
        let counted = counted.map(|(birth, weight)| Held { birth, weight });
        all.copied().chain(counted)
    }
}

/// What the blocks that have changed count for until they are on disk, each as `count` says of its size
/// (`dbuf_dirty`, `dmu_objset_willuse_space`).
pub(super) fn dirty_space(objset: &Inner, count: impl Fn(u64) -> u64) -> Figure {
    let metadata = &objset.metadata;
    let mut numbers: BTreeSet<u64> = metadata.dirty.keys().map(dnode::block).collect();
    if numbers.is_empty() {
        return Figure::ZERO;
    }
    let mut sum = numbers.len() as u64 * count(dnode::SIZE);
    for _ in 1..LEVELS {
        numbers = numbers.iter().map(|&it| indirect::above(it, 1)).collect();
        sum += numbers.len() as u64 * count(indirect::SIZE);
    }
    let mut unsure = 0;
    for object in metadata.laid_out.keys() {
        if let Some(znode) = objset.objects.get(&object) {
            let layout = metadata.layout(object, znode);
            let size = attributes::spill_size(znode.xattrs.as_deref(), &layout);
            unsure += if size > 0 { count(size) } else { 0 };
        }
    }
    for object in metadata.dirty.keys() {
        match objset.objects.get(&object).map(|znode| &znode.body) {
            Some(Body::File(blocks)) => sum += blocks.dirty_space(&count),
            Some(Body::Directory { table, .. }) => {
                let changes = table.dirty_space(&count);
                sum += changes.least;
                unsure += changes.most - changes.least;
            }
            None if object == DELETE_QUEUE => sum += count(512),
            None if object == LAYOUTS + metadata.behind_root => {
                sum += 2 * count(16 << 10) + count(indirect::SIZE);
            }
            _ => {}
        }
    }
    Figure {
        least: sum,
        most: sum + unsure + metadata.gone,
    }
}

/// The sizes at which the blocks of an object that is no file are stored, and how often.
fn blocks(objset: &Inner, object: ObjectId, on: &Storage, how: &Policy) -> (Vec<Figure>, u8) {
    let fits = |compressed, size| compress::metadata(compressed, size, how.embeds_metadata, on);
    let raw = |size| fits(Figure::exact(size), size);
    let body = objset.objects.get(&object).map(|znode| &znode.body);
    let sizes = match (object, body) {
        (_, Some(Body::Directory { entries, table, .. })) => {
            let objects = &objset.objects;
            let leaves = objset.metadata.leaves.get(&object);
            let leaves = leaves.map_or(Figure::ZERO, |leaves| leaves.count());
            let table = (*table, leaves);
            directory::stored(object, entries, table, objects, how.embeds_metadata, on)
        }
        // A master node, and the registry of attributes with their layouts: a header and a leaf.
        // Since 2.4 with the quotas that users get.
        (1, _) if on.release >= Release::V2_4 => vec![fits(Figure::exact(500), 1024)],
        (1, _) => vec![raw(512)],
        (id, _) if id == REGISTRY + objset.metadata.behind_root => {
            vec![fits(Figure::exact(500), 1536)]
        }
        (id, _) if id == LAYOUTS + objset.metadata.behind_root => vec![
            fits(Figure::exact(500), 16 << 10),
            fits(objset.metadata.layouts_size(), directory::LARGE),
        ],
        (DELETE_QUEUE, _) => table(objset.unlinked.len(), 4, how, on),
        (id, _) if id == USED[0] => table(2 * objset.metadata.owners[0].len(), 2, how, on),
        (id, _) if id == USED[1] => table(2 * objset.metadata.owners[1].len(), 2, how, on),
        _ => Vec::new(),
    };
    let copies = if body.is_some() {
        how.copies_of_metadata
    } else {
        how.copies_of_tables
    };
    (sizes, copies)
}

/// A table of at most so many entries, of which so many surely fit into a pointer.
fn table(entries: usize, fit: usize, how: &Policy, on: &Storage) -> Vec<Figure> {
    if entries <= fit {
        return Vec::new();
    }
    let size = (64 * (entries as u64 + 1)).next_multiple_of(512);
    vec![compress::metadata(
        Figure {
            least: 20,
            most: size,
        },
        size,
        how.embeds_metadata,
        on,
    )]
}

/// Writes the blocks of an object anew, in the transaction group `txg`; the last snapshot is that of `since`.
fn sync_object(
    objset: &mut Inner,
    object: ObjectId,
    (since, txg): (u64, u64),
    on: &Storage,
    how: &Policy,
    synced: &mut Synced,
) {
    if objset.metadata.laid_out.contains_key(&object) {
        let spill = objset.metadata.spill(objset, object, on, how);
        let new = spill.map(|weight| Held { birth: txg, weight });
        let spills = &mut objset.metadata.spills;
        let old = match new {
            Some(new) => spills.insert(object, new),
            None => spills.remove(&object),
        };
        synced.replace(old, new);
        objset.metadata.laid_out.remove(&object);
    }
    if let Some(znode) = objset.objects.get_mut(&object) {
        let (uid, gid) = (znode.uid, znode.gid);
        let [users, groups] = &mut objset.metadata.owners;
        users.insert(uid.into(), ());
        groups.insert(gid.into(), ());
        // The dnode may have changed alone.
        let is_there = objset.metadata.others.contains_key(&object);
        let is_dirty = match &znode.body {
            Body::File(blocks) => blocks.is_dirty(),
            Body::Directory { table, .. } => table.dirty || !is_there,
            Body::Link(_) | Body::Special(_) => false,
        };
        if !is_dirty {
            return;
        }
        match &mut Arc::make_mut(znode).body {
            Body::File(blocks) => return blocks.sync(on, synced),
            Body::Directory { entries, table, .. } => {
                let leaves = objset.metadata.leaves.get(&object).cloned();
                let mut leaves = leaves.unwrap_or_default();
                if let Some(change) = directory::change(entries, *table, leaves.count(), on, how) {
                    let (born, freed) = Arc::make_mut(&mut leaves).sync(change, since, txg);
                    synced.born += born;
                    synced.leaves.extend(freed);
                    objset.metadata.leaves.insert(object, leaves);
                }
                table.is_on_disk();
            }
            Body::Link(_) | Body::Special(_) => {}
        }
    }
    let (sizes, copies) = blocks(objset, object, on, how);
    let hold = |stored| Held {
        birth: txg,
        weight: Weight::of_metadata(stored, copies, on),
    };
    let new: Arc<[Held]> = sizes.into_iter().map(hold).collect();
    for &held in &*new {
        synced.replace(None, Some(held));
    }
    let others = &mut objset.metadata.others;
    let old = if new.is_empty() {
        others.remove(&object)
    } else {
        others.insert(object, new)
    };
    for &held in old.iter().flat_map(|old| &**old) {
        synced.replace(Some(held), None);
    }
}

/// The size at which a block above blocks of dnodes is stored; none when there is nothing below it.
fn indirect_stored(metadata: &Metadata, level: u32, number: u64, on: &Storage) -> Option<Figure> {
    let above = Place { level, number };
    let pointers: Vec<_> = indirect::children(&metadata.dnodes, above)
        .map(|(at, held)| (at, held.pointer(at + 1)))
        .collect();
    (!pointers.is_empty()).then(|| indirect::stored(&pointers, dnode::SIZE, on))
}

/// Brings what has changed to disk (`dmu_objset_sync`).
pub(super) fn sync(
    objset: &mut Inner,
    (since, txg): (u64, u64),
    on: &Storage,
    how: &Policy,
) -> Synced {
    let mut synced = Synced::default();
    if !objset.metadata.is_dirty() {
        return synced;
    }
    synced.freed = std::mem::take(&mut objset.metadata.freed);
    synced.leaves = std::mem::take(&mut objset.metadata.freed_leaves);
    let mut dirty = std::mem::take(&mut objset.metadata.dirty);
    objset.metadata.header = false;
    objset.metadata.gone = 0;
    if objset.metadata.objset.is_none() {
        for object in dnode::tables(objset) {
            dirty.insert(object, true);
        }
    }
    for object in dirty.keys().chain(USED) {
        sync_object(objset, object, (since, txg), on, how, &mut synced);
    }
    let mut numbers: BTreeSet<u64> = dirty.keys().map(dnode::block).collect();
    for level in 0..LEVELS {
        for &number in &numbers {
            let stored = if level == 0 {
                dnode::stored(number, objset, on)
            } else {
                indirect_stored(&objset.metadata, level, number, on)
            };
            let copies = match level {
                1.. if on.release >= Release::V2_3 => how.copies_of_tables,
                _ => how.copies_of_metadata,
            };
            let new = stored.map(|stored| Held {
                birth: txg,
                weight: Weight::of_metadata(stored, copies, on),
            });
            let dnodes = &mut objset.metadata.dnodes;
            let place = Place { level, number };
            let old = match new {
                Some(new) => dnodes.insert(place, new),
                None => dnodes.remove(&place),
            };
            synced.replace(old, new);
        }
        numbers = numbers.iter().map(|&it| indirect::above(it, 1)).collect();
    }
    objset.metadata.backtracks = on.release >= Release::V2_3;
    // 2.4 asks how often a dnode is dirty, and not since when (`DNODE_IS_DIRTY`).
    if on.release < Release::V2_4 {
        let went = dirty.keys().filter(|id| !objset.objects.contains_key(id));
        objset.metadata.went = (txg, went.map(|id| (id, ())).collect());
    }
    // Its four dnodes and the header of the intent log are short.
    let stored = compress::metadata(Figure::exact(500), OBJSET, false, on);
    let new = Held {
        birth: txg,
        weight: Weight::of_metadata(stored, how.copies_of_tables, on),
    };
    let old = objset.metadata.objset.replace(new);
    synced.replace(old, Some(new));
    synced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_to_blocks_of_dnodes_take_the_same_whichever_these_are() {
        // To the byte, on sectors that small. The first one is no other than the rest.
        let on = Storage::single(0);
        for count in [1, 2, 5, 20] {
            let above = |first: u64| {
                let weight = Weight::of_metadata(Figure::exact(1024), 2, &on);
                let held = Held { birth: 7, weight };
                let dnodes =
                    (first..first + count).map(|number| (Place { level: 0, number }, held));
                let metadata = Metadata {
                    dnodes: dnodes.collect(),
                    ..Metadata::default()
                };
                indirect_stored(&metadata, 1, 0, &on).expect("something is below")
            };
            let figures = [0, 1, 2, 100].map(above);
            let apart = |one: u64, other: u64| one.abs_diff(other) <= 6;
            assert!(
                figures
                    .iter()
                    .all(|it| apart(it.least, figures[1].least) && apart(it.most, figures[1].most)),
                "{count}: {figures:?}"
            );
        }
    }
}
