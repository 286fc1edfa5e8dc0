//! Finding datasets: by name, by number, and from one another.

use std::sync::Arc;

use crate::dsl::dataset::{Dataset, DatasetId, Filesystem, Kind, Snapshot};
use crate::machine::State;
use crate::spa::Pool;

impl State {
    /// The dataset called `name`: a filesystem such as `tank/a`, a snapshot such as `tank/a@s`, or a
    /// bookmark such as `tank/a#b`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<DatasetId> {
        let mark = name.bytes().position(|byte| matches!(byte, b'@' | b'#'));
        let (path, rest) = name.split_at(mark.unwrap_or(name.len()));
        let mut components = path.split('/');
        let pool = self.pools.get(components.next()?)?;
        let mut dataset = pool.dataset(pool.root)?;
        for component in components {
            let below = dataset.filesystem()?.children.get(component)?;
            dataset = pool.dataset(*below)?;
        }
        if let Some(bookmark) = rest.strip_prefix('#') {
            dataset.filesystem()?.bookmarks.get(bookmark).copied()
        } else if let Some(snapshot) = rest.strip_prefix('@') {
            dataset.filesystem()?.snapshots.get(snapshot)
        } else {
            Some(dataset.id)
        }
    }

    /// The dataset with this number.
    #[must_use]
    pub fn dataset(&self, id: DatasetId) -> Option<&Dataset> {
        self.pools.values().find_map(|pool| pool.dataset(id))
    }

    /// The dataset with this number, to be changed.
    pub fn dataset_mut(&mut self, id: DatasetId) -> Option<&mut Dataset> {
        self.pool_of_mut(id)?
            .datasets
            .get_mut(&id)
            .map(Arc::make_mut)
    }

    /// The pool that holds this dataset.
    #[must_use]
    pub fn pool_of(&self, id: DatasetId) -> Option<&Pool> {
        self.pools
            .values()
            .find(|pool| pool.datasets.contains_key(&id))
            .map(|pool| &**pool)
    }

    /// The pool that holds this dataset, to be changed.
    pub fn pool_of_mut(&mut self, id: DatasetId) -> Option<&mut Pool> {
        self.pools
            .values_mut()
            .find(|pool| pool.datasets.contains_key(&id))
            .map(Arc::make_mut)
    }

    /// The full name of a dataset, such as `tank/a@s`.
    #[must_use]
    pub fn name_of(&self, id: DatasetId) -> Option<String> {
        let pool = self.pool_of(id)?;
        let dataset = pool.dataset(id)?;
        if let Some(snapshot) = dataset.snapshot() {
            return Some(format!(
                "{}@{}",
                self.name_of(snapshot.filesystem)?,
                dataset.component
            ));
        }
        if let Some(bookmark) = dataset.bookmark() {
            return Some(format!(
                "{}#{}",
                self.name_of(bookmark.filesystem)?,
                dataset.component
            ));
        }
        let mut components = vec![&*dataset.component];
        let mut above = dataset.filesystem()?.parent;
        while let Some(parent) = above.and_then(|parent| pool.dataset(parent)) {
            components.push(&parent.component);
            above = parent.filesystem().and_then(|filesystem| filesystem.parent);
        }
        components.reverse();
        Some(components.join("/"))
    }

    /// The filesystem of this number, if it is one.
    #[must_use]
    pub fn filesystem(&self, id: DatasetId) -> Option<&Filesystem> {
        self.dataset(id)?.filesystem()
    }

    pub(crate) fn filesystem_mut(&mut self, id: DatasetId) -> Option<&mut Filesystem> {
        self.dataset_mut(id)?.filesystem_mut()
    }

    /// The snapshot of this number, if it is one.
    #[must_use]
    pub fn snapshot(&self, id: DatasetId) -> Option<&Snapshot> {
        self.dataset(id)?.snapshot()
    }

    pub(crate) fn snapshot_mut(&mut self, id: DatasetId) -> Option<&mut Snapshot> {
        self.dataset_mut(id)?.snapshot_mut()
    }

    /// The filesystem itself, or the one a snapshot or bookmark belongs to.
    #[must_use]
    pub fn filesystem_of(&self, id: DatasetId) -> Option<DatasetId> {
        Some(match &self.dataset(id)?.kind {
            Kind::Filesystem(_) => id,
            Kind::Snapshot(snapshot) => snapshot.filesystem,
            Kind::Bookmark(bookmark) => bookmark.filesystem,
        })
    }

    /// The snapshot that a filesystem is a clone of; for a snapshot, that of its filesystem.
    #[must_use]
    pub fn origin_of(&self, id: DatasetId) -> Option<DatasetId> {
        self.filesystem(self.filesystem_of(id)?)?.origin
    }

    /// Whether a snapshot, or what a bookmark marks, is an earlier state of `dataset`: an older snapshot of
    /// the same filesystem, or of the chain of origins it comes from. A dataset is not an ancestor of itself.
    /// (`dsl_dataset_is_before`.)
    #[must_use]
    pub fn is_before(&self, earlier: DatasetId, dataset: DatasetId) -> bool {
        let (Some(earlier), Some(mut at)) = (self.dataset(earlier), self.dataset(dataset)) else {
            return false;
        };
        let home = match &earlier.kind {
            Kind::Filesystem(_) => return false,
            Kind::Snapshot(snapshot) => snapshot.filesystem,
            Kind::Bookmark(bookmark) => bookmark.filesystem,
        };
        if earlier.id == dataset {
            return false;
        }
        loop {
            if let Some(snapshot) = at.snapshot()
                && snapshot.filesystem == home
            {
                return earlier.creation_txg <= at.creation_txg;
            }
            if at.id == home {
                return true;
            }
            let origin = self.origin_of(at.id).and_then(|it| self.dataset(it));
            match origin {
                // Snapshots are younger than the origin of their filesystem: a wrong rule ends here, too.
                Some(it) if !at.is_snapshot() || it.creation_txg < at.creation_txg => at = it,
                _ => return false,
            }
        }
    }

    /// The filesystem and all below it, each before what is below it, siblings in the order of their names.
    #[must_use]
    pub fn subtree(&self, id: DatasetId) -> Vec<DatasetId> {
        let mut found = vec![id];
        let mut at = 0;
        while let Some(&next) = found.get(at) {
            at += 1;
            if let Some(filesystem) = self.filesystem(next) {
                let children: Vec<_> = filesystem.children.values().copied().collect();
                found.splice(at..at, children);
            }
        }
        found
    }
}
