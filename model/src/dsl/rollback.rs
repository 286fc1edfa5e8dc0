//! Rolling back (`dsl_dataset_rollback_check`, `dsl_dataset_rollback_sync`).

use crate::dsl::dataset::{Dataset, DatasetId};
use crate::dsl::names::{self, Expected};
use crate::dsl::op::Result;
use crate::dsl::reason::Reason;
use crate::dsl::room::Fits;
use crate::fault::Fault;
use crate::machine::State;
use crate::zpl::mounting;

impl State {
    /// Only the newest snapshot can be rolled back to; newer ones, and bookmarks of newer ones, are destroyed
    /// before.
    pub(crate) fn rollback(&mut self, to: &str) -> Result {
        names::check(to, Expected::Snapshot)?;
        let snapshot = self.find(to).ok_or(Reason::NoSuchDataset)?;
        let home = self.snapshot(snapshot).map(|it| it.filesystem);
        let Some((home, filesystem)) = home.and_then(|id| Some((id, self.filesystem(id)?))) else {
            return Err(Reason::WrongType);
        };
        if filesystem.snapshots.last() != Some(snapshot) && !self.faulty(Fault::RollbackKeepsNewer)
        {
            return Err(Reason::NewerSnapshot(to.into()));
        }
        let latest = self.dataset(snapshot).map_or(0, |it| it.creation_txg);
        let is_newer = |&it: &_| self.dataset(it).is_some_and(|it| it.creation_txg > latest);
        if filesystem.bookmarks.values().any(is_newer) {
            return Err(Reason::NewerSnapshot(to.into()));
        }
        if self.fits_rollback(home, snapshot) == Fits::No {
            // What was dirty is on disk by now (`zfs_suspend_fs`).
            self.close_txg_at(home);
            self.read_again(home);
            self.resume(home);
            return Err(Reason::OutOfSpace);
        }
        let Some(mut objset) = self.dataset(snapshot).map(|it| it.objset.clone()) else {
            return Err(Reason::NoSuchDataset);
        };
        objset.clear_log();
        if self.faulty(Fault::RollbackKeepsSize)
            && let Some(volume) = self.dataset(home).and_then(Dataset::volume)
        {
            objset.resize(volume.size);
        }
        if let Some(dataset) = self.dataset_mut(home) {
            dataset.objset = objset;
        }
        self.read_again(home);
        if let Some(pool) = self.pool_of_mut(home) {
            // What was dirty is on disk and gone.
            pool.dirty.remove(&home);
            pool.space.rollback(home);
            pool.dirty(home);
            pool.close_txg();
        }
        self.resume(home);
        Ok(())
    }

    /// Goes through the delete queue of a filesystem whose files are read again (`zfs_resume_fs`). What there is no space for
    /// stays.
    fn resume(&mut self, home: DatasetId) {
        self.forget_control(home);
        let mount = self.mounts.first(home);
        if mount.is_some_and(|it| it.options.read_only) || self.is_readonly(home) {
            self.mounts.keep_read_only(home);
        }
        if self.mounts.is_mounted(home) && !self.is_readonly(home) {
            self.write_closed();
            let _ = mounting::drain(self, home);
        }
    }
}
