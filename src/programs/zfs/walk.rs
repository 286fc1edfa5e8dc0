//! What depends on a dataset, in the order in which libzfs meets it (`libzfs_iter.c`).

use ztwin_model::Release;
use ztwin_model::dsl::dataset::{Dataset, DatasetId};

use crate::programs::console::Console;

/// What depends on a dataset, and whether ZFS would meet it in this order.
#[derive(Clone, Debug, Default)]
pub(super) struct Dependents {
    /// Each before what it depends on.
    pub found: Vec<DatasetId>,
    /// Somewhere on the way are several children or clones, which ZFS meets in an order that nobody can
    /// tell.
    pub shuffled: bool,
}

impl Dependents {
    /// What stands in front of each line of a list of them.
    pub fn marker(&self, console: &Console<'_>) -> &'static str {
        console.order(self.shuffled && self.found.len() > 1)
    }
}

impl Console<'_> {
    /// The filesystems right below one. ZFS meets them in the order of a hash with a random salt; here
    /// it is that of their names.
    pub fn children(&self, id: DatasetId) -> Vec<DatasetId> {
        let filesystem = self.state().filesystem(id).into_iter();
        filesystem
            .flat_map(|it| it.children.values().copied())
            .collect()
    }

    /// The snapshots of a filesystem, oldest first.
    pub fn snapshots(&self, id: DatasetId) -> Vec<DatasetId> {
        let filesystem = self.state().filesystem(id).into_iter();
        filesystem
            .flat_map(|it| it.snapshots.iter().copied())
            .collect()
    }

    /// The bookmarks of a filesystem. ZFS meets them in the order of their names.
    pub fn bookmarks(&self, id: DatasetId) -> Vec<DatasetId> {
        let filesystem = self.state().filesystem(id).into_iter();
        filesystem
            .flat_map(|it| it.bookmarks.values().copied())
            .collect()
    }

    /// The clones of a snapshot.
    pub fn clones(&self, id: DatasetId) -> Vec<DatasetId> {
        let snapshot = self.state().snapshot(id).into_iter();
        snapshot.flat_map(|it| it.clones.iter().copied()).collect()
    }

    /// `zfs_iter_dependents`: everything that must go before `id` can, each before what it depends on.
    /// A clone below a filesystem that is on the way already is left out.
    pub(super) fn dependents(&self, id: DatasetId) -> Dependents {
        let mut dependents = Dependents::default();
        self.depend(id, &mut Vec::new(), &mut dependents);
        // The last one is `id` itself.
        dependents.found.pop();
        dependents
    }

    fn depend(&self, id: DatasetId, way: &mut Vec<DatasetId>, dependents: &mut Dependents) {
        let snapshot = self.state().dataset(id).is_some_and(Dataset::is_snapshot);
        if snapshot {
            let clones = self.clones(id);
            dependents.shuffled |= clones.len() > 1;
            for clone in clones {
                self.depend(clone, way, dependents);
            }
        } else {
            if way.contains(&id) {
                return;
            }
            way.push(id);
            let children = self.children(id);
            dependents.shuffled |= children.len() > 1;
            for child in children {
                self.depend(child, way, dependents);
            }
            let snapshots = self.snapshots(id);
            // Only since 2.2 are they sorted (`iter_dependents_cb`).
            dependents.shuffled |= snapshots.len() > 1 && self.release() == Release::V2_1;
            for snapshot in snapshots {
                self.depend(snapshot, way, dependents);
            }
            way.pop();
        }
        dependents.found.push(id);
    }
}
