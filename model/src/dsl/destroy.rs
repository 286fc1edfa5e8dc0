//! Destroying (`dsl_destroy_head`, `dsl_destroy_snapshots_nvl`).

use std::sync::Arc;

use crate::dsl::dataset::DatasetId;
use crate::dsl::names::{self, Expected};
use crate::dsl::op::Result;
use crate::dsl::reason::Reason;
use crate::fault::Fault;
use crate::machine::State;

impl State {
    /// `dsl_destroy_head_check`: nothing may be mounted or open, and nothing may depend on it.
    pub(crate) fn destroy(&mut self, name: &str) -> Result {
        names::check(name, Expected::Filesystem)?;
        let id = self.find(name).ok_or(Reason::NoSuchDataset)?;
        let Some(filesystem) = self.filesystem(id) else {
            return Err(Reason::WrongType);
        };
        let Some(parent) = filesystem.parent else {
            return Err(Reason::Busy);
        };
        // `zfs_destroy_unmount_origin`
        let origin = filesystem
            .origin
            .filter(|it| self.snapshot(*it).is_some_and(|it| it.deferred));
        if let Some(origin) = origin {
            self.unmount_automatic(origin);
        }
        let Some(filesystem) = self.filesystem(id) else {
            return Err(Reason::WrongType);
        };
        if self.holds(id) {
            return Err(Reason::Busy);
        }
        if !filesystem.snapshots.is_empty() {
            return Err(Reason::Busy);
        }
        if !filesystem.children.is_empty() {
            return Err(Reason::HasChildren);
        }
        let origin = filesystem.origin;
        let bookmarks: Vec<DatasetId> = filesystem.bookmarks.values().copied().collect();
        if let Some(pool) = self.pool_of_mut(id) {
            pool.datasets.remove(&id);
            pool.dirty.remove(&id);
            pool.space.destroy(id);
            for bookmark in bookmarks {
                pool.datasets.remove(&bookmark);
            }
            pool.close_txg();
            if origin.is_some() {
                pool.freeing = Some(pool.open_txg);
            }
        }
        if let Some(above) = self.filesystem_mut(parent) {
            above.children.remove(names::component(name));
        }
        if let Some(origin) = origin {
            let takes_origin = self.faulty(Fault::LastCloneTakesOrigin);
            if let Some(snapshot) = self.snapshot_mut(origin) {
                snapshot.clones.remove(&id);
                snapshot.deferred |= takes_origin;
            }
            self.reap(origin);
        }
        Ok(())
    }

    /// `dsl_destroy_snapshot_check`: a snapshot with holds or clones can only be deferred.
    pub(crate) fn destroy_snapshots(&mut self, names: &[Arc<str>], defer: bool) -> Result {
        self.unmount_automatic_of(names);
        let mut found = Vec::new();
        let mut refused = Vec::new();
        for name in names {
            names::check(name, Expected::Snapshot)?;
            let Some(id) = self.find(name) else {
                continue;
            };
            let Some(snapshot) = self.snapshot(id) else {
                return Err(Reason::WrongType);
            };
            // A mount is a long hold, which forbids the deferred form too
            // (`dsl_destroy_snapshot_check_impl`).
            if self.holds(id) && !(defer && self.faulty(Fault::DeferralReachesMounted)) {
                refused.push((name.clone(), Reason::Busy));
            } else if !defer && !snapshot.holds.is_empty() && !self.faulty(Fault::HoldsKeepNothing)
            {
                refused.push((name.clone(), Reason::Held(name.clone())));
            } else if !defer
                && !snapshot.clones.is_empty()
                && !self.faulty(Fault::ClonesKeepNothing)
            {
                refused.push((name.clone(), Reason::Cloned));
            } else {
                found.push(id);
            }
        }
        if !refused.is_empty() && !self.faulty(Fault::BatchGoesPartly) {
            // Only the sync task looks (`dsl_destroy_snapshots_nvl`).
            self.close_txg_named(&names[0]);
            return Err(Reason::Snapshots(refused));
        }
        for id in &found {
            if let Some(snapshot) = self.snapshot_mut(*id) {
                snapshot.deferred = true;
            }
            self.reap_if(*id, !defer || self.faulty(Fault::DeferredFiresEarly));
        }
        if let Some(pool) = names
            .first()
            .and_then(|name| self.pools.get_mut(names::pool(name)))
        {
            Arc::make_mut(pool).close_txg();
        }
        if !refused.is_empty() {
            return Err(Reason::Snapshots(refused));
        }
        Ok(())
    }

    /// Destroys a deferred snapshot that nothing needs any longer: when its last clone is destroyed
    /// (`dsl_destroy_head_sync_impl`) or its last hold released (`dsl_dataset_user_release_sync_one`).
    pub(crate) fn reap(&mut self, id: DatasetId) {
        if !self.faulty(Fault::DeferredNeverFires) {
            self.reap_if(id, false);
        }
    }

    fn reap_if(&mut self, id: DatasetId, anyway: bool) {
        let Some((dataset, snapshot)) = self.dataset(id).and_then(|it| Some((it, it.snapshot()?)))
        else {
            return;
        };
        let unneeded = snapshot.deferred && snapshot.clones.is_empty() && snapshot.holds.is_empty();
        if !unneeded && !anyway {
            return;
        }
        let home = snapshot.filesystem;
        let clones = snapshot.clones.clone();
        let (txg, component) = (dataset.creation_txg, dataset.component.clone());
        let now = self.now;
        if let Some(pool) = self.pool_of_mut(id) {
            pool.datasets.remove(&id);
            pool.space.destroy_snapshot(id);
        }
        if let Some(filesystem) = self.filesystem_mut(home) {
            filesystem.snapshots.remove(txg, &component);
            filesystem.snapshots_changed = Some(now);
        }
        for clone in clones.keys() {
            if let Some(filesystem) = self.filesystem_mut(clone) {
                filesystem.origin = None;
            }
        }
    }
}
