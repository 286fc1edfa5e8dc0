//! What depends on a dataset, in the order in which libzfs meets it (`libzfs_iter.c`).

use ztwin_model::dsl::dataset::{Dataset, DatasetId};

use crate::programs::console::Console;

impl Console<'_> {
    /// The filesystems right below one. ZFS meets them in the order of a hash with a random salt; here
    /// it is that of their names.
    pub fn children(&self, id: DatasetId) -> Vec<DatasetId> {
        let filesystem = self
            .state()
            .dataset(id)
            .and_then(|dataset| dataset.filesystem());
        filesystem
            .into_iter()
            .flat_map(|it| it.children.values().copied())
            .collect()
    }

    /// The snapshots of a filesystem, oldest first.
    pub fn snapshots(&self, id: DatasetId) -> Vec<DatasetId> {
        let filesystem = self
            .state()
            .dataset(id)
            .and_then(|dataset| dataset.filesystem());
        filesystem
            .into_iter()
            .flat_map(|it| it.snapshots.iter().copied())
            .collect()
    }

    /// The clones of a snapshot.
    pub fn clones(&self, id: DatasetId) -> Vec<DatasetId> {
        let snapshot = self
            .state()
            .dataset(id)
            .and_then(|dataset| dataset.snapshot());
        snapshot
            .into_iter()
            .flat_map(|it| it.clones.iter().copied())
            .collect()
    }

    /// `zfs_iter_dependents`: everything that must go before `id` can, each before what it depends on.
    /// A clone below a filesystem that is on the way already is left out.
    pub fn dependents(&self, id: DatasetId) -> Vec<DatasetId> {
        let mut found = Vec::new();
        self.depend(id, &mut Vec::new(), &mut found);
        // The last one is `id` itself.
        found.pop();
        found
    }

    fn depend(&self, id: DatasetId, way: &mut Vec<DatasetId>, found: &mut Vec<DatasetId>) {
        let snapshot = self.state().dataset(id).is_some_and(Dataset::is_snapshot);
        if snapshot {
            for clone in self.clones(id) {
                self.depend(clone, way, found);
            }
        } else {
            if way.contains(&id) {
                return;
            }
            way.push(id);
            for child in self.children(id) {
                self.depend(child, way, found);
            }
            for snapshot in self.snapshots(id) {
                self.depend(snapshot, way, found);
            }
            way.pop();
        }
        found.push(id);
    }
}
