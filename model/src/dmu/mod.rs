//! Objects and blocks: block size, births, holes, sharing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::layer::{Content, Entry, Tree};
use crate::maps::Radix;
use crate::zpl::znode::{Body, Time, Znode};

mod allocate;
pub(crate) mod attributes;
pub mod blocks;
pub mod compress;
pub mod data;
pub mod deadlist;
mod directory;
mod dnode;
mod gzip;
mod indirect;
mod leaves;
mod lz4;
mod metadata;
pub mod space;
pub mod storage;
mod weight;
mod zle;

use allocate::Cursor;
use metadata::Metadata;
use space::Synced;
use storage::{Figure, Storage};

pub use blocks::{Block, Blocks, Policy, Strong, Terms};
pub use directory::Table;
pub use weight::Weight;

/// The number of an object in its objset.
pub type ObjectId = u64;

/// The object that is the root directory.
pub const ROOT: ObjectId = 34;

/// The object that is the data of a volume (`ZVOL_OBJ`).
pub const VOLUME_DATA: ObjectId = 1;

/// The size of a volume and of its blocks, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume {
    /// A multiple of the block size.
    pub size: u64,
    /// A power of two.
    pub block_size: u64,
}

/// The objects of one filesystem or snapshot. Cloning is O(1) and shares every block.
#[derive(Clone, Debug, Default)]
pub struct Objset {
    inner: Arc<Inner>,
    /// The transaction group of the last snapshot of it.
    since: u64,
}

/// Objects by their numbers.
type Objects = Radix<ObjectId, Arc<Znode>>;

#[derive(Clone, Debug, Default)]
struct Inner {
    objects: Objects,
    /// What is on disk besides the blocks of files.
    metadata: Metadata,
    /// Objects without a name that are still open (the delete queue).
    unlinked: BTreeSet<ObjectId>,
    /// Where new objects go.
    cursor: Cursor,
    /// It is a volume's, and has no files.
    volume: Option<Volume>,
    /// Whether the intent log has a block (`zh_log`).
    has_log: bool,
}

impl Objset {
    /// The objset of a new filesystem: a root directory 0755 that root owns, whose dnode takes so many slots.
    #[must_use]
    pub fn new_filesystem(txg: u64, now: u64, slots: u64) -> Self {
        let root = Znode {
            slots,
            ..Znode::new(Body::directory(ROOT), 0o755, 0, 0, txg, now)
        };
        Objset {
            inner: Arc::new(Inner {
                objects: Radix::from_iter([(ROOT, Arc::new(root))]),
                metadata: Metadata::behind_root(slots),
                ..Inner::default()
            }),
            since: 0,
        }
    }

    /// Lets what is made in a filesystem have one attribute more than its root directory: the project, where that
    /// was made before the pool got its features (`spa_create`, `zfs_mknode`).
    pub(crate) fn grow_attributes(&mut self) {
        Arc::make_mut(&mut self.inner).metadata.root_is_old = true;
    }

    /// The objset of a new volume.
    #[must_use]
    pub fn new_volume(volume: Volume) -> Self {
        let blocks = Blocks::of_volume(volume.size, volume.block_size);
        let data = Znode::new(Body::File(blocks), 0, 0, 0, 0, 0);
        let mut inner = Inner {
            objects: Radix::from_iter([(VOLUME_DATA, Arc::new(data))]),
            volume: Some(volume),
            ..Inner::default()
        };
        inner.metadata.dirty(VOLUME_DATA);
        Objset {
            inner: Arc::new(inner),
            since: 0,
        }
    }

    /// A snapshot of it is made in a transaction group.
    pub(crate) fn mark(&mut self, txg: u64) {
        self.since = txg;
    }

    /// The data of a volume.
    #[must_use]
    pub fn volume_data(&self) -> Option<&Blocks> {
        self.volume()?;
        match &self.get(VOLUME_DATA)?.body {
            Body::File(blocks) => Some(blocks),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn volume_data_mut(&mut self) -> Option<&mut Blocks> {
        self.volume()?;
        match &mut self.get_mut(VOLUME_DATA)?.body {
            Body::File(blocks) => Some(blocks),
            _ => None,
        }
    }

    /// The volume, if it is one's.
    #[must_use]
    pub fn volume(&self) -> Option<Volume> {
        self.inner.volume
    }

    /// Gives a volume another size.
    pub(crate) fn resize(&mut self, size: u64) {
        let inner = Arc::make_mut(&mut self.inner);
        if let Some(volume) = &mut inner.volume {
            volume.size = size;
            inner.metadata.dirty(metadata::VOLUME_SIZE);
        }
        if let Some(Body::File(blocks)) = inner
            .objects
            .get_mut(&VOLUME_DATA)
            .map(Arc::make_mut)
            .map(|it| &mut it.body)
        {
            blocks.extend(size);
        }
    }

    /// Lets the data of a volume end where nothing of it lies behind.
    pub(crate) fn end_at(&mut self, size: u64) {
        let inner = Arc::make_mut(&mut self.inner);
        let data = inner.objects.get_mut(&VOLUME_DATA).map(Arc::make_mut);
        if let Some(Body::File(blocks)) = data.map(|it| &mut it.body) {
            blocks.end_at(size);
        }
    }

    /// An object.
    #[must_use]
    pub fn get(&self, id: ObjectId) -> Option<&Znode> {
        self.inner.objects.get(&id).map(|znode| &**znode)
    }

    /// An object, to be changed. It is copied when a snapshot or clone shares it.
    pub fn get_mut(&mut self, id: ObjectId) -> Option<&mut Znode> {
        let inner = Arc::make_mut(&mut self.inner);
        inner.metadata.dirty(id);
        let znode = inner.objects.get_mut(&id).map(Arc::make_mut)?;
        znode.was_read = false;
        Some(znode)
    }

    /// Gives an object a new access time.
    pub(crate) fn access(&mut self, id: ObjectId, now: u64) {
        let inner = Arc::make_mut(&mut self.inner);
        inner.metadata.access(id);
        if let Some(znode) = inner.objects.get_mut(&id) {
            let znode = Arc::make_mut(znode);
            znode.was_read = true;
            znode.times.access = Time::Happened(now);
        }
    }

    /// Adds an object, in a reading of the filesystem into memory, and returns its number.
    pub fn add(&mut self, znode: Znode, reading: u64) -> ObjectId {
        let inner = Arc::make_mut(&mut self.inner);
        let mut cursor = inner.cursor;
        if cursor.reading != reading {
            cursor = Cursor::new(reading);
        }
        let id = cursor.allocate(znode.slots, znode.generation, inner);
        inner.cursor = cursor;
        inner.metadata.dirty(id);
        let lays_out =
            inner.metadata.root_is_old || matches!(znode.body, Body::Link(_) | Body::Special(_));
        inner.objects.insert(id, Arc::new(znode));
        if lays_out {
            self.lay_out(id);
        }
        id
    }

    /// Puts the attributes of a file where there is room for them, after they changed.
    pub(crate) fn lay_out(&mut self, id: ObjectId) {
        let inner = Arc::make_mut(&mut self.inner);
        if let Some(znode) = inner.objects.get_mut(&id) {
            inner.metadata.lay_out(id, Arc::make_mut(znode));
        }
    }

    /// The same after its mode changed from this one: if its rights take other room by now; else they are written over
    /// where they stand (`sa_attr_op`).
    pub(crate) fn lay_out_rights(&mut self, id: ObjectId, before: u32) {
        let moves = |it: &Znode| {
            it.xattrs.is_some() && attributes::rights(it.mode) != attributes::rights(before)
        };
        if self.get(id).is_some_and(moves) {
            self.lay_out(id);
        }
    }

    /// What the spill block of a file takes on disk.
    pub(crate) fn spill_charged(&self, id: ObjectId) -> Figure {
        let spill = self.inner.metadata.spilled(id);
        spill.map_or(Figure::ZERO, |held| held.weight.size)
    }

    /// Frees an object.
    pub fn free(&mut self, id: ObjectId) {
        let inner = Arc::make_mut(&mut self.inner);
        inner.unlinked.remove(&id);
        // The directory with its attributes goes, and what is in it.
        let xattrs = inner.objects.get(&id).and_then(|it| it.xattrs.as_ref());
        if let Some(directory) = xattrs.and_then(|it| it.directory) {
            if let Some(Body::Directory { entries, .. }) = self.get(directory).map(|it| &it.body) {
                for file in entries.values().copied().collect::<Vec<_>>() {
                    self.free(file);
                }
            }
            self.free(directory);
        }
        let inner = Arc::make_mut(&mut self.inner);
        // What goes is in the delete queue, be it for a moment.
        inner.metadata.dirty(metadata::DELETE_QUEUE);
        if let Some(znode) = inner.objects.remove(&id) {
            inner.metadata.free(id, &znode);
        }
    }

    /// Whether anything has changed since the last sync.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.inner.metadata.is_dirty()
    }

    /// Whether an object has changed since the last sync (`dnode_is_dirty`).
    #[must_use]
    pub fn is_dirty_object(&self, id: ObjectId) -> bool {
        self.inner.metadata.is_dirty_object(id)
    }

    /// What the blocks that have changed count for until they are on disk, each as `count` says of its size.
    pub(crate) fn dirty_space(&self, count: impl Fn(u64) -> u64) -> Figure {
        metadata::dirty_space(&self.inner, count)
    }

    /// Brings all that has changed to disk in a transaction group, and tells what that wrote and gave up.
    pub fn sync(&mut self, txg: u64, on: &Storage, how: &Policy) -> Synced {
        if !self.is_dirty() {
            return Synced::default();
        }
        metadata::sync(Arc::make_mut(&mut self.inner), (self.since, txg), on, how)
    }

    /// Commits what changed since it was last brought to disk to the intent log, as an unmount does
    /// (`zil_close`). The log then has a block for good.
    pub(crate) fn commit(&mut self) {
        if self.inner.metadata.has_dirty_objects() {
            self.log();
        }
    }

    /// Writes something to the intent log (`zil_commit`).
    pub(crate) fn log(&mut self) {
        let inner = Arc::make_mut(&mut self.inner);
        inner.has_log = true;
        inner.metadata.dirty_header();
    }

    /// Begins the log anew, as a mount does (`zil_destroy`). Whether that changes anything.
    pub(crate) fn begin_log(&mut self) -> bool {
        if self.inner.has_log {
            Arc::make_mut(&mut self.inner).metadata.dirty_header();
        }
        self.inner.has_log
    }

    /// Takes the log's block away, as a clone and a rollback do (`dsl_dataset_zero_zil`).
    pub(crate) fn clear_log(&mut self) {
        if self.begin_log() {
            Arc::make_mut(&mut self.inner).has_log = false;
        }
    }

    /// What all blocks on disk weigh. This looks at each of them.
    #[must_use]
    pub fn held(&self) -> Weight {
        self.blocks_on_disk().map(|(_, weight)| weight).sum()
    }

    /// All blocks on disk: the transaction group that wrote each, and what it weighs. Those of which nobody knows
    /// how many there are come together.
    pub fn blocks_on_disk(&self) -> impl Iterator<Item = (u64, Weight)> {
        let files = self
            .inner
            .objects
            .values()
            .filter_map(|znode| match &znode.body {
                Body::File(blocks) => Some(blocks.held()),
                _ => None,
            });
        let all = self.inner.metadata.held().chain(files.flatten());
        all.map(|held| (held.birth, held.weight))
    }

    /// Puts an object without a name into the delete queue: it lives until its last close.
    pub fn queue(&mut self, id: ObjectId) {
        let inner = Arc::make_mut(&mut self.inner);
        inner.unlinked.insert(id);
        inner.metadata.dirty(metadata::DELETE_QUEUE);
    }

    /// Takes an object that gets a name out of the delete queue.
    pub(crate) fn unqueue(&mut self, id: ObjectId) {
        let inner = Arc::make_mut(&mut self.inner);
        inner.unlinked.remove(&id);
        inner.metadata.dirty(metadata::DELETE_QUEUE);
    }

    /// The objects that wait in the delete queue.
    pub(crate) fn queued(&self) -> impl Iterator<Item = ObjectId> {
        self.inner.unlinked.iter().copied()
    }

    /// Whether an object waits in the delete queue.
    #[must_use]
    pub fn is_queued(&self, id: ObjectId) -> bool {
        self.inner.unlinked.contains(&id)
    }

    /// How many objects there are, those without files among them (`BP_GET_FILL` of the root block).
    #[must_use]
    pub fn count(&self) -> u64 {
        self.inner.objects.iter().count() as u64 + dnode::tables(&self.inner).count() as u64
    }

    /// Every object, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (ObjectId, &Znode)> {
        self.inner.objects.iter().map(|(id, znode)| (id, &**znode))
    }

    /// Everything from an object down by path, sorted.
    #[must_use]
    pub fn paths(&self, top: ObjectId) -> Vec<(Arc<str>, ObjectId)> {
        let mut paths = Vec::new();
        let mut rest: Vec<(Arc<str>, ObjectId)> = vec![("/".into(), top)];
        while let Some((path, object)) = rest.pop() {
            if let Some(Body::Directory { entries, .. }) = self.get(object).map(|it| &it.body) {
                let prefix = if &*path == "/" { "" } else { &path };
                let entries = entries.iter();
                rest.extend(entries.map(|(name, &id)| (format!("{prefix}/{name}").into(), id)));
            }
            paths.push((path, object));
        }
        paths.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
        paths
    }

    /// Everything from an object down, sorted by path.
    #[must_use]
    pub fn tree(&self, top: ObjectId) -> Tree {
        let mut entries = Vec::new();
        for (path, object) in self.paths(top) {
            let Some(znode) = self.get(object) else {
                continue;
            };
            let content = match &znode.body {
                Body::File(blocks) => Content::File(blocks.read(0, u64::MAX).into()),
                Body::Link(target) => Content::Link(target.clone()),
                Body::Directory { .. } => Content::Directory,
                Body::Special(special) => Content::Special(*special),
            };
            entries.push(Entry {
                path,
                content,
                mode: znode.mode,
                uid: znode.uid,
                gid: znode.gid,
                links: znode.links,
                size: znode.size(),
                object,
                mtime: (
                    i64::try_from(znode.times.modification.seconds()).unwrap_or(i64::MAX),
                    0,
                ),
                xattrs: self.xattrs(znode),
            });
        }
        Tree { entries }
    }

    /// The extended attributes of an object, by their names.
    fn xattrs(&self, znode: &Znode) -> BTreeMap<Arc<str>, Bytes> {
        let bytes = |pieces: &[data::Piece]| Bytes::from(data::to_bytes(pieces));
        let Some(xattrs) = znode.xattrs.as_deref() else {
            return BTreeMap::new();
        };
        let mut all = BTreeMap::new();
        if let Some(Body::Directory { entries, .. }) = xattrs
            .directory
            .and_then(|it| self.get(it))
            .map(|it| &it.body)
        {
            for (name, &object) in entries {
                if let Some(Body::File(blocks)) = self.get(object).map(|it| &it.body) {
                    all.insert(name.clone(), bytes(&blocks.read(0, u64::MAX)));
                }
            }
        }
        for (name, value) in xattrs.inline.iter().flatten() {
            all.insert(name.clone(), bytes(std::slice::from_ref(value)));
        }
        all
    }

    /// A copy whose blocks are all born in `txg`: what a clone is *not* (a planted fault).
    #[must_use]
    pub fn copied(&self, txg: u64) -> Self {
        let mut copy = self.clone();
        for (id, _) in self.iter() {
            if let Some(Body::File(blocks)) = copy.get_mut(id).map(|it| &mut it.body) {
                blocks.rewrite(txg);
            }
        }
        copy
    }

    /// Whether two objsets are one and the same value in memory.
    #[must_use]
    pub fn shares_all(&self, other: &Objset) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

#[cfg(test)]
mod tests;
