//! A dataset: a filesystem, a volume or a snapshot; and a bookmark, which has a name as if it were one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dmu::{Objset, Volume};
use crate::dsl::properties::{Key, Kinds, Value};
use crate::dsl::property;
use crate::maps::{Names, Radix};

/// The number of a dataset, unique on its machine for all time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatasetId(pub u64);

impl From<DatasetId> for u64 {
    fn from(id: DatasetId) -> u64 {
        id.0
    }
}

impl From<u64> for DatasetId {
    fn from(number: u64) -> DatasetId {
        DatasetId(number)
    }
}

/// A dataset of a pool.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its number.
    pub id: DatasetId,
    /// The last component of its name: what follows the last `/` or the `@`.
    pub component: Arc<str>,
    /// The transaction group in which it was created. A snapshot holds the blocks born up to it.
    pub creation_txg: u64,
    /// When it was created, in seconds since the machine's epoch.
    pub created: u64,
    /// The properties set on it, by name.
    pub settings: BTreeMap<Key, Value>,
    /// Its files. A snapshot's never change.
    pub objset: Objset,
    /// What it is.
    pub kind: Kind,
}

/// What a dataset is, with what only such a one has.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A filesystem, or a volume, which stands among filesystems as one.
    Filesystem(Filesystem),
    /// A snapshot of a filesystem.
    Snapshot(Snapshot),
    /// A bookmark. It has the transaction group and the time of what it marks, and no files.
    Bookmark(Bookmark),
}

/// The place of a filesystem among the others.
#[derive(Clone, Debug, Default)]
pub struct Filesystem {
    /// The filesystem above it; none for a pool's root.
    pub parent: Option<DatasetId>,
    /// The filesystems right below it, by component.
    pub children: Names<DatasetId>,
    /// Its snapshots.
    pub snapshots: Snapshots,
    /// The snapshot that it is a clone of.
    pub origin: Option<DatasetId>,
    /// Its bookmarks, by component.
    pub bookmarks: Names<DatasetId>,
    /// Whether there is a list for them on disk (`ds_bookmarks_obj`). A promotion may leave it empty.
    pub lists_bookmarks: bool,
    /// Whether what is below it is counted (`dsl_dir_init_fs_ss_count`).
    pub counted: bool,
    /// Which reading of its files into memory this is: they are read again after an unmount and a rollback.
    pub reading: u64,
    /// When a snapshot of it was last made or destroyed (`dd_snap_cmtime`).
    pub snapshots_changed: Option<u64>,
}

/// The snapshots of a filesystem, in their order and by name.
#[derive(Clone, Debug, Default)]
pub struct Snapshots {
    /// By the transaction group that made them.
    by_age: Radix<u64, DatasetId>,
    by_name: Names<DatasetId>,
}

impl Snapshots {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_age.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_age.is_empty()
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = DatasetId> {
        self.by_age.values().copied()
    }

    /// The newest.
    #[must_use]
    pub fn last(&self) -> Option<DatasetId> {
        self.by_age.last().copied()
    }

    /// The one of this name: what stands behind the `@`.
    #[must_use]
    pub fn get(&self, component: &str) -> Option<DatasetId> {
        self.by_name.get(component).copied()
    }

    /// Adds one that was made in this transaction group.
    pub(crate) fn insert(&mut self, txg: u64, component: Arc<str>, id: DatasetId) {
        self.by_age.insert(txg, id);
        self.by_name.insert(component, id);
    }

    /// Takes away what was added so.
    pub(crate) fn remove(&mut self, txg: u64, component: &str) {
        self.by_age.remove(&txg);
        self.by_name.remove(component);
    }
}

/// What a snapshot belongs to, and what keeps it.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Its filesystem.
    pub filesystem: DatasetId,
    /// The filesystems that have it as origin.
    pub clones: Radix<DatasetId, ()>,
    /// User holds: the tag, and when it was placed.
    pub holds: BTreeMap<Arc<str>, u64>,
    /// There was a hold at some time: the table of them stays (`ds_userrefs_obj`).
    pub was_held: bool,
    /// It is destroyed as soon as no clone and no hold needs it.
    pub deferred: bool,
}

/// A bookmark: it remembers a snapshot, and does not keep it.
#[derive(Clone, Debug, Default)]
pub struct Bookmark {
    /// The filesystem that has it.
    pub filesystem: DatasetId,
    /// The snapshot that it marks, which may be gone: it has the same GUID.
    pub snapshot: DatasetId,
}

impl Dataset {
    /// Whether it is a snapshot.
    #[must_use]
    pub fn is_snapshot(&self) -> bool {
        matches!(self.kind, Kind::Snapshot(_))
    }

    /// The volume that it is or was, if it is one or the snapshot of one.
    #[must_use]
    pub fn volume(&self) -> Option<Volume> {
        self.objset.volume()
    }

    /// What kind of dataset it is, as properties are for some; a bookmark is of none.
    #[must_use]
    pub fn kinds(&self) -> Kinds {
        match &self.kind {
            Kind::Filesystem(_) if self.volume().is_some() => property::VOLUME,
            Kind::Filesystem(_) => property::FILESYSTEM,
            Kind::Snapshot(_) => property::SNAPSHOT,
            Kind::Bookmark(_) => 0,
        }
    }

    /// It as a filesystem or volume.
    #[must_use]
    pub fn filesystem(&self) -> Option<&Filesystem> {
        match &self.kind {
            Kind::Filesystem(filesystem) => Some(filesystem),
            _ => None,
        }
    }

    /// It as a filesystem, to be changed.
    pub fn filesystem_mut(&mut self) -> Option<&mut Filesystem> {
        match &mut self.kind {
            Kind::Filesystem(filesystem) => Some(filesystem),
            _ => None,
        }
    }

    /// It as a snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Option<&Snapshot> {
        match &self.kind {
            Kind::Snapshot(snapshot) => Some(snapshot),
            _ => None,
        }
    }

    /// It as a snapshot, to be changed.
    pub fn snapshot_mut(&mut self) -> Option<&mut Snapshot> {
        match &mut self.kind {
            Kind::Snapshot(snapshot) => Some(snapshot),
            _ => None,
        }
    }

    /// It as a bookmark.
    #[must_use]
    pub fn bookmark(&self) -> Option<&Bookmark> {
        match &self.kind {
            Kind::Bookmark(bookmark) => Some(bookmark),
            _ => None,
        }
    }
}
