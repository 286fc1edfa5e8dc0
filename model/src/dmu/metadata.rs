//! The blocks of an objset besides those of files: dnodes, what is above them, directories, tables.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::blocks::Policy;
use super::indirect::{self, Place, Pointer};
use super::space::{Held, Synced};
use super::storage::{Figure, Storage};
use super::{Inner, ObjectId, Weight, compress, directory, dnode};
use crate::maps::Radix;
use crate::release::Release;
use crate::zpl::znode::{Body, Znode};

/// The levels of the object that holds the dnodes (`dn_nlevels` of the meta-dnode).
const LEVELS: u32 = 6;

/// The size of the block of the objset itself, in bytes: with the accounting of projects, of users only,
/// and without (`objset_phys_t`).
const OBJSET: u64 = 4096;

/// What an objset has on disk besides the blocks of files, and what the next sync has to do.
#[derive(Clone, Debug, Default)]
pub(super) struct Metadata {
    /// The block that all else is reached from; none before the first sync.
    objset: Option<Held>,
    /// Blocks of dnodes at level 0, and those above them, by their places.
    dnodes: Radix<Place, Held>,
    /// The blocks of objects that are no files.
    others: Radix<ObjectId, Arc<[Held]>>,
    /// The objects whose dnodes have changed.
    dirty: Radix<ObjectId, ()>,
    /// Blocks of objects that are gone.
    freed: Radix<u64, (u64, Weight)>,
}

impl Metadata {
    /// The dnode of an object changes.
    pub(super) fn dirty(&mut self, object: ObjectId) {
        self.dirty.insert(object, ());
    }

    /// An object goes, with all that it has on disk.
    pub(super) fn free(&mut self, object: ObjectId, znode: &Znode) {
        self.dirty.insert(object, ());
        let freed = |held: Held| (held.birth, held.weight);
        let others = self.others.remove(&object);
        for &held in others.iter().flat_map(|blocks| blocks.iter()) {
            self.freed.push(freed(held));
        }
        if let Body::File(blocks) = &znode.body {
            for held in blocks.held() {
                self.freed.push(freed(held));
            }
        }
    }

    /// Whether one of these objects has gone since the last sync.
    pub(super) fn goes(&self, objects: Range<ObjectId>) -> bool {
        self.dirty.range(objects).next().is_some()
    }

    /// Whether a sync would write anything.
    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || self.objset.is_none()
    }

    /// All that is on disk.
    pub(super) fn held(&self) -> impl Iterator<Item = Held> {
        let others = self.others.values().flat_map(|blocks| blocks.iter());
        let all = self.objset.iter().chain(self.dnodes.values()).chain(others);
        let freed = self.freed.values();
        let freed = freed.map(|&(birth, weight)| Held { birth, weight });
        all.copied().chain(freed)
    }
}

/// The blocks of the tables of a new filesystem, which hardly ever change: a master node, and the registry and
/// layouts of attributes. The others fit into pointers.
fn tables(objset: &mut Inner, txg: u64, on: &Storage, how: &Policy, synced: &mut Synced) {
    let all = |size| Figure {
        least: 113,
        most: size,
    };
    let blocks = [
        (1, 512, Figure::exact(512)),
        (35, 1536, all(1536)),
        (36, 16384, all(4096)),
        (36, 16384, all(4096)),
    ];
    for (object, size, compressed) in blocks {
        let stored = compress::metadata(compressed, size, how.embeds, on);
        let held = Held {
            birth: txg,
            weight: Weight::of_metadata(stored, how.copies_of_tables, on),
        };
        synced.replace(None, Some(held));
        let others = &mut objset.metadata.others;
        let before = others.get(&object).map_or(&[][..], |before| before);
        let blocks = before.iter().copied().chain([held]).collect();
        others.insert(object, blocks);
    }
}

/// The blocks of an object.
fn sync_object(
    objset: &mut Inner,
    object: ObjectId,
    txg: u64,
    on: &Storage,
    how: &Policy,
    synced: &mut Synced,
) {
    let Some(znode) = objset.objects.get_mut(&object) else {
        return;
    };
    let directory = match &znode.body {
        Body::File(blocks) => {
            if blocks.is_dirty()
                && let Body::File(blocks) = &mut Arc::make_mut(znode).body
            {
                blocks.sync(on, synced);
            }
            return;
        }
        Body::Directory { entries, .. } => entries.clone(),
        Body::Link(_) => return,
    };
    let sizes = directory::stored(object, &directory, &objset.objects, how.embeds, on);
    let new: Arc<[Held]> = sizes
        .into_iter()
        .map(|stored| Held {
            birth: txg,
            weight: Weight::of_metadata(stored, how.copies_of_metadata, on),
        })
        .collect();
    for &held in &*new {
        synced.replace(None, Some(held));
    }
    if let Some(old) = objset.metadata.others.insert(object, new) {
        for &held in &*old {
            synced.replace(Some(held), None);
        }
    }
}

/// The size at which a block above blocks of dnodes is stored; none when there is nothing below it.
fn indirect_stored(metadata: &Metadata, level: u32, number: u64, on: &Storage) -> Option<Figure> {
    let above = Place { level, number };
    let pointers: Vec<_> = indirect::children(&metadata.dnodes, above)
        .map(|(at, held)| {
            let pointer = Pointer {
                stored: held.weight.physical,
                copies: 2,
                birth: held.birth,
                content: at + 1,
            };
            (at, pointer)
        })
        .collect();
    let size = if level == 1 {
        dnode::SIZE
    } else {
        indirect::SIZE
    };
    (!pointers.is_empty()).then(|| indirect::stored(&pointers, size, on))
}

/// Brings what has changed to disk (`dmu_objset_sync`).
pub(super) fn sync(objset: &mut Inner, txg: u64, on: &Storage, how: &Policy) -> Synced {
    let mut synced = Synced::default();
    if !objset.metadata.is_dirty() {
        return synced;
    }
    let freed = std::mem::take(&mut objset.metadata.freed);
    synced.freed.extend(freed.values());
    let mut dirty = std::mem::take(&mut objset.metadata.dirty);
    if objset.metadata.objset.is_none() && objset.volume.is_none() {
        tables(objset, txg, on, how, &mut synced);
        for (object, ..) in dnode::TABLES {
            dirty.insert(object, ());
        }
    }
    for object in dirty.keys() {
        sync_object(objset, object, txg, on, how, &mut synced);
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
                0 if on.release >= Release::V2_3 => how.copies_of_metadata,
                _ => how.copies_of_tables,
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
    let stored = compress::metadata(
        Figure {
            least: 300,
            most: OBJSET,
        },
        OBJSET,
        false,
        on,
    );
    let new = Held {
        birth: txg,
        weight: Weight::of_metadata(stored, how.copies_of_tables, on),
    };
    let old = objset.metadata.objset.replace(new);
    synced.replace(old, Some(new));
    synced
}
