//! What datasets take, by the definitions: sets of blocks, and nothing else.
//!
//! A filesystem is a chain: the snapshot that it was cloned from, its own snapshots, the oldest first, and
//! what it holds now, its *head*. Each of them is a set of blocks. A block that is gone from one of them never
//! comes back further on. Every figure of `zfs list` is the size of a set:
//!
//! | figure | blocks |
//! |---|---|
//! | `referenced` | all that it holds |
//! | `written` | those that the one before it in the chain does not have |
//! | `written@s` | those that the snapshot `s` does not have |
//! | `written#b` | those that the snapshot did not have of which `b` is a bookmark |
//! | `usedbydataset` | those of the head that its origin is too old to have |
//! | `usedbysnapshots` | those of its snapshots that the head does not have, nor its origin |
//! | `used` of a snapshot | those that neither the one before it nor the one behind it has |
//!
//! and `used` is the sum of what it takes by itself, of what it reserves, and of its children. The set of the
//! blocks below any of these is weighed three times: in bytes on disk, in bytes before compression (`logical*`), and in bytes of one copy, which
//! those before compression are measured by (`compressratio`).
//!
//! This is slow and plain on purpose: what computes the same fast is compared with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::dsl::dataset::DatasetId;

mod pool;

pub use pool::{Disagreement, check};

/// A block on disk, of data or of metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// Its identity: a block that is written anew is another one.
    pub id: u64,
    /// The transaction group that wrote it.
    pub birth: u64,
    /// The bytes that a dataset is charged for it, all copies together (`bp_get_dsize_sync`).
    pub size: u64,
    /// Its bytes before compression (`BP_GET_UCSIZE`); of metadata, those of one copy.
    pub logical: u64,
    /// The bytes of one copy as it is stored (`BP_GET_PSIZE`).
    pub physical: u64,
}

/// The blocks of a head or of a snapshot.
pub type Blocks = BTreeSet<Block>;

/// How blocks are weighed.
pub type Weight = fn(&Block) -> u64;

/// In bytes on disk.
pub const SIZE: Weight = |block| block.size;

/// In bytes before compression.
pub const LOGICAL: Weight = |block| block.logical;

/// In bytes of one copy.
pub const PHYSICAL: Weight = |block| block.physical;

/// A filesystem or volume.
#[derive(Clone, Debug, Default)]
pub struct Filesystem {
    /// The one above it; of the root of the pool none.
    pub parent: Option<DatasetId>,
    /// The snapshot that it was cloned from.
    pub origin: Option<DatasetId>,
    /// Its snapshots, the oldest first.
    pub snapshots: Vec<DatasetId>,
    /// What it holds now.
    pub head: Blocks,
    /// Property `reservation`, in bytes.
    pub reservation: u64,
    /// Property `refreservation`, in bytes.
    pub refreservation: u64,
}

/// A snapshot.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The transaction group that made it; blocks born later are not in it.
    pub txg: u64,
    /// What it holds.
    pub blocks: Blocks,
}

/// The datasets of a pool.
#[derive(Clone, Debug, Default)]
pub struct Datasets {
    /// Filesystems and volumes.
    pub filesystems: BTreeMap<DatasetId, Filesystem>,
    /// Snapshots.
    pub snapshots: BTreeMap<DatasetId, Snapshot>,
    /// Bookmarks: they have what their snapshot had, and keep none of it.
    pub bookmarks: BTreeMap<DatasetId, Snapshot>,
}

/// The weight of all blocks together.
pub fn weigh<'a>(blocks: impl IntoIterator<Item = &'a Block>, weight: Weight) -> u64 {
    blocks.into_iter().map(weight).sum()
}

// The figures. An unknown dataset has no blocks, and takes nothing.
impl Datasets {
    fn filesystem(&self, id: DatasetId) -> &Filesystem {
        const NONE: &Filesystem = &Filesystem {
            parent: None,
            origin: None,
            snapshots: Vec::new(),
            head: Blocks::new(),
            reservation: 0,
            refreservation: 0,
        };
        self.filesystems.get(&id).unwrap_or(NONE)
    }

    /// The blocks of a dataset, be it a filesystem or a snapshot.
    #[must_use]
    pub fn blocks(&self, id: DatasetId) -> &Blocks {
        let snapshot = self.snapshots.get(&id).map(|it| &it.blocks);
        snapshot.unwrap_or(&self.filesystem(id).head)
    }

    /// The filesystem that a snapshot is of; a filesystem itself.
    #[must_use]
    pub fn home(&self, id: DatasetId) -> DatasetId {
        let mut all = self.filesystems.iter();
        let home = all.find(|(_, filesystem)| filesystem.snapshots.contains(&id));
        home.map_or(id, |(&home, _)| home)
    }

    /// The origin, if it has one, the snapshots, and the filesystem itself.
    #[must_use]
    pub fn chain(&self, filesystem: DatasetId) -> Vec<DatasetId> {
        let it = self.filesystem(filesystem);
        let snapshots = it.origin.iter().chain(&it.snapshots);
        snapshots.copied().chain([filesystem]).collect()
    }

    /// What stands before a dataset in its chain, and what behind it.
    fn beside(&self, id: DatasetId) -> (Option<DatasetId>, Option<DatasetId>) {
        let chain = self.chain(self.home(id));
        let at = chain.iter().rposition(|&it| it == id).unwrap_or(0);
        let before = at.checked_sub(1).and_then(|at| chain.get(at));
        (before.copied(), chain.get(at + 1).copied())
    }

    /// Whether a block is younger than what a filesystem was cloned from, so that it is charged for it.
    fn is_own(&self, filesystem: DatasetId, block: &Block) -> bool {
        let origin = self.filesystem(filesystem).origin;
        origin.is_none_or(|origin| block.birth > self.snapshots[&origin].txg)
    }

    /// `referenced`, `logicalreferenced`.
    #[must_use]
    pub fn referenced(&self, id: DatasetId, weight: Weight) -> u64 {
        weigh(self.blocks(id), weight)
    }

    /// `written`: since the snapshot before it.
    #[must_use]
    pub fn written(&self, id: DatasetId) -> u64 {
        match self.beside(id).0 {
            Some(before) => self.written_since(id, before),
            None => self.referenced(id, SIZE),
        }
    }

    /// `written@snapshot`.
    #[must_use]
    pub fn written_since(&self, id: DatasetId, snapshot: DatasetId) -> u64 {
        weigh(self.blocks(id).difference(self.blocks(snapshot)), SIZE)
    }

    /// `written#bookmark`.
    #[must_use]
    pub fn written_since_bookmark(&self, id: DatasetId, bookmark: DatasetId) -> u64 {
        let marked = self.bookmarks.get(&bookmark);
        let had = |block: &&Block| marked.is_some_and(|it| it.blocks.contains(block));
        weigh(self.blocks(id).iter().filter(|block| !had(block)), SIZE)
    }

    /// `usedbydataset`.
    #[must_use]
    pub fn used_by_dataset(&self, filesystem: DatasetId, weight: Weight) -> u64 {
        let head = self.blocks(filesystem).iter();
        weigh(head.filter(|block| self.is_own(filesystem, block)), weight)
    }

    /// `usedbysnapshots`: what goes when all of them go.
    #[must_use]
    pub fn used_by_snapshots(&self, filesystem: DatasetId, weight: Weight) -> u64 {
        let it = self.filesystem(filesystem);
        let snapshots = it.snapshots.iter().flat_map(|&id| self.blocks(id));
        let all: Blocks = snapshots.copied().collect();
        let gone = all.difference(&it.head);
        weigh(gone.filter(|block| self.is_own(filesystem, block)), weight)
    }

    /// `usedbyrefreservation`: what it was promised and does not take. What a snapshot has, too, does not count
    /// as taken: it would not come back when the head lets go of it.
    #[must_use]
    pub fn used_by_refreservation(&self, filesystem: DatasetId) -> u64 {
        let taken = self.written(filesystem);
        let promised = self.filesystem(filesystem).refreservation;
        promised.saturating_sub(taken)
    }

    /// `usedbychildren`: a child takes at least what is reserved for it.
    #[must_use]
    pub fn used_by_children(&self, filesystem: DatasetId) -> u64 {
        let children = self.filesystems.iter();
        let children = children.filter(|(_, it)| it.parent == Some(filesystem));
        children
            .map(|(&id, it)| self.used(id).max(it.reservation))
            .sum()
    }

    /// `used` of a filesystem or of a snapshot.
    #[must_use]
    pub fn used(&self, id: DatasetId) -> u64 {
        if self.snapshots.contains_key(&id) {
            return self.unique(id, SIZE);
        }
        self.used_by_dataset(id, SIZE)
            + self.used_by_snapshots(id, SIZE)
            + self.used_by_refreservation(id)
            + self.used_by_children(id)
    }

    /// `logicalused` of a filesystem, and what `compressratio` divides it by: nothing is reserved in it.
    #[must_use]
    pub fn charged(&self, filesystem: DatasetId, weight: Weight) -> u64 {
        let children = self.filesystems.iter();
        let children = children.filter(|(_, it)| it.parent == Some(filesystem));
        self.used_by_dataset(filesystem, weight)
            + self.used_by_snapshots(filesystem, weight)
            + children
                .map(|(&id, _)| self.charged(id, weight))
                .sum::<u64>()
    }

    /// `used` of a snapshot: what only it has of its chain. Clones of it do not count.
    #[must_use]
    pub fn unique(&self, snapshot: DatasetId, weight: Weight) -> u64 {
        let (before, behind) = self.beside(snapshot);
        let has =
            |id: Option<DatasetId>, block| id.is_some_and(|id| self.blocks(id).contains(block));
        let blocks = self.blocks(snapshot).iter();
        weigh(
            blocks.filter(|block| !has(before, block) && !has(behind, block)),
            weight,
        )
    }

    /// What `zfs destroy` of these snapshots of one filesystem would free.
    #[must_use]
    pub fn reclaimed(&self, snapshots: &[DatasetId]) -> u64 {
        let all = |id: &DatasetId| !snapshots.contains(id);
        let left = self.snapshots.keys().filter(|id| all(id));
        let left = left.chain(self.filesystems.keys());
        let left: Blocks = left.flat_map(|&id| self.blocks(id)).copied().collect();
        let going = snapshots.iter().flat_map(|&id| self.blocks(id));
        let going: Blocks = going.copied().collect();
        weigh(going.difference(&left), SIZE)
    }
}

// What changes the sets. Whether ZFS allows it is decided elsewhere.
impl Datasets {
    /// A filesystem with these blocks below another one.
    pub fn create(&mut self, id: DatasetId, parent: Option<DatasetId>, head: Blocks) {
        let new = Filesystem {
            parent,
            head,
            ..Filesystem::default()
        };
        self.filesystems.insert(id, new);
    }

    /// Blocks of a head give way to others.
    pub fn write(&mut self, id: DatasetId, freed: &Blocks, born: &Blocks) {
        if let Some(filesystem) = self.filesystems.get_mut(&id) {
            filesystem.head.retain(|block| !freed.contains(block));
            filesystem.head.extend(born);
        }
    }

    /// A snapshot holds what the head does.
    pub fn snapshot(&mut self, of: DatasetId, id: DatasetId, txg: u64) {
        if let Some(filesystem) = self.filesystems.get_mut(&of) {
            filesystem.snapshots.push(id);
            let blocks = filesystem.head.clone();
            self.snapshots.insert(id, Snapshot { txg, blocks });
        }
    }

    /// A bookmark of a snapshot.
    pub fn bookmark(&mut self, id: DatasetId, snapshot: DatasetId) {
        if let Some(snapshot) = self.snapshots.get(&snapshot) {
            self.bookmarks.insert(id, snapshot.clone());
        }
    }

    /// A clone begins with what its origin holds.
    pub fn clone_of(&mut self, origin: DatasetId, id: DatasetId, parent: Option<DatasetId>) {
        self.create(id, parent, self.blocks(origin).clone());
        if let Some(clone) = self.filesystems.get_mut(&id) {
            clone.origin = Some(origin);
        }
    }

    /// A clone takes over its origin and the snapshots before that, and the filesystem that had them becomes a
    /// clone of the last of them.
    pub fn promote(&mut self, id: DatasetId) {
        let Some(origin) = self.filesystem(id).origin else {
            return;
        };
        let home = self.home(origin);
        let Some(left) = self.filesystems.get_mut(&home) else {
            return;
        };
        let count = left
            .snapshots
            .iter()
            .take_while(|&&it| it != origin)
            .count()
            + 1;
        let moved: Vec<_> = left
            .snapshots
            .drain(..count.min(left.snapshots.len()))
            .collect();
        let above = left.origin.replace(origin);
        if let Some(clone) = self.filesystems.get_mut(&id) {
            clone.snapshots.splice(..0, moved);
            clone.origin = above;
        }
    }

    /// The head becomes what its last snapshot holds.
    pub fn rollback(&mut self, id: DatasetId) {
        let Some(&last) = self.filesystem(id).snapshots.last() else {
            return;
        };
        let head = self.blocks(last).clone();
        if let Some(filesystem) = self.filesystems.get_mut(&id) {
            filesystem.head = head;
        }
    }

    /// A snapshot without clones, or a filesystem without anything that depends on it, goes; or a bookmark.
    pub fn destroy(&mut self, id: DatasetId) {
        self.bookmarks.remove(&id);
        self.filesystems.remove(&id);
        self.snapshots.remove(&id);
        for filesystem in self.filesystems.values_mut() {
            filesystem.snapshots.retain(|&it| it != id);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
