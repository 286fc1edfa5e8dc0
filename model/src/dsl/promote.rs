//! Promoting a clone (`dsl_dataset_promote_check`, `dsl_dataset_promote_sync`).

use crate::dsl::dataset::{DatasetId, Kind, Snapshots};
use crate::dsl::names::{self, Expected};
use crate::dsl::op::Result;
use crate::dsl::reason::Reason;
use crate::dsl::room::Fits;
use crate::fault::Fault;
use crate::machine::State;

impl State {
    /// The snapshots up to the origin move to the clone, and the filesystem they came from becomes a
    /// clone of the origin. Other clones keep their origins, which now have another name.
    pub(crate) fn promote(&mut self, name: &str) -> Result {
        names::check(name, Expected::Filesystem)?;
        let clone = self.find(name).ok_or(Reason::NoSuchDataset)?;
        let origin = self.origin_of(clone).ok_or(Reason::NotAClone)?;
        let home = self.snapshot(origin).map(|it| it.filesystem);
        // `zfs_ioc_promote`
        let all = home.and_then(|home| Some(self.filesystem(home)?.snapshots.clone()));
        for id in all.iter().flat_map(Snapshots::iter) {
            self.unmount_automatic(id);
        }
        let (Some(home), Some(target)) = (home, self.filesystem(clone)) else {
            return Err(Reason::NotAClone);
        };
        let Some(source) = self.filesystem(home) else {
            return Err(Reason::NotAClone);
        };
        let through = source
            .snapshots
            .iter()
            .position(|id| id == origin)
            .map_or(0, |at| at + 1);
        let through = if self.faulty(Fault::PromoteMovesOneTooMany) {
            (through + 1).min(source.snapshots.len())
        } else {
            through
        };
        let moved: Vec<_> = source
            .snapshots
            .iter()
            .take(through)
            .filter_map(|id| self.dataset(id))
            .map(|it| (it.creation_txg, it.component.clone(), it.id))
            .collect();
        // Only the sync task looks at mounts, names and for space (`dsl_dataset_promote_check`).
        if moved.iter().any(|(.., id)| self.holds(*id)) {
            self.close_txg_at(clone);
            return Err(Reason::Busy);
        }
        // The newest first (`snaplist_make`).
        let mut components = moved.iter().rev().map(|(_, component, _)| component);
        let longest = components.clone().map(|it| it.len()).max().unwrap_or(0);
        if name.len() + 1 + longest > names::MAX_NAME {
            self.close_txg_at(clone);
            return Err(Reason::TooLongOrDeep);
        }
        if let Some(component) = components.find(|it| target.snapshots.get(it).is_some()) {
            let component = component.clone();
            let origin = self.name_of(origin).unwrap_or_default();
            self.close_txg_at(clone);
            return Err(Reason::ConflictingSnapshot(component, origin.into()));
        }
        if self.fits_promoted(clone) == Fits::No {
            self.close_txg_at(clone);
            return Err(Reason::OutOfSpace);
        }
        let above = source.origin;
        // `dsl_bookmark_node_add` asserts that the name is free, and no check made sure of it.
        let stays = |bookmark: &DatasetId| self.marks_after(*bookmark, origin);
        let mut marks = source.bookmarks.iter().filter(|(_, it)| !stays(it));
        if marks.any(|(component, _)| target.bookmarks.contains_key(component)) {
            return Err(Reason::KernelPanic);
        }

        let now = self.now;
        let Some(source) = self.filesystem_mut(home) else {
            return Err(Reason::NotAClone);
        };
        for (txg, component, _) in &moved {
            source.snapshots.remove(*txg, component);
        }
        source.origin = Some(origin);
        source.snapshots_changed = Some(now);
        for (_, _, id) in &moved {
            if let Some(snapshot) = self.snapshot_mut(*id) {
                snapshot.filesystem = clone;
            }
        }
        let leaves = self.faulty(Fault::PromoteLeavesOrigin);
        if let Some(target) = self.filesystem_mut(clone) {
            for (txg, component, id) in moved {
                target.snapshots.insert(txg, component, id);
            }
            if !leaves {
                target.origin = above;
            }
        }
        if let Some(snapshot) = self.snapshot_mut(origin) {
            snapshot.clones.insert(home, ());
            if !leaves {
                snapshot.clones.remove(&clone);
            }
        }
        self.move_bookmarks(origin, home, clone);
        if let Some(snapshot) = above.and_then(|above| self.snapshot_mut(above)) {
            snapshot.clones.remove(&home);
            snapshot.clones.insert(clone, ());
        }
        if let Some(pool) = self.pool_of_mut(clone) {
            pool.space.promote(clone);
            pool.close_txg();
        }
        Ok(())
    }

    /// Those that mark the origin or something before it go with the snapshots.
    fn move_bookmarks(&mut self, origin: DatasetId, from: DatasetId, to: DatasetId) {
        let bookmarks = self.filesystem(from).map(|it| &it.bookmarks);
        let older: Vec<_> = bookmarks
            .into_iter()
            .flatten()
            .filter(|(_, bookmark)| !self.marks_after(**bookmark, origin))
            .map(|(component, id)| (component.clone(), *id))
            .collect();
        for (component, id) in older {
            if let Some(from) = self.filesystem_mut(from) {
                from.bookmarks.remove(&component);
            }
            if let Some(to) = self.filesystem_mut(to) {
                to.bookmarks.insert(component, id);
                to.lists_bookmarks = true;
            }
            if let Some(Kind::Bookmark(bookmark)) = self.dataset_mut(id).map(|it| &mut it.kind) {
                bookmark.filesystem = to;
            }
        }
    }

    /// Whether a bookmark marks something younger than a snapshot.
    fn marks_after(&self, bookmark: DatasetId, snapshot: DatasetId) -> bool {
        if self.faulty(Fault::PromoteLeavesBookmarks) {
            return true;
        } else if self.faulty(Fault::PromoteMovesAllBookmarks) {
            return false;
        }
        let txg = |id| self.dataset(id).map(|it| it.creation_txg);
        txg(bookmark) > txg(snapshot)
    }
}
