//! Clones (`dmu_objset_clone_check`, `dmu_objset_clone_sync`).

use crate::dsl::names::{self, Expected};
use crate::dsl::op::Result;
use crate::dsl::properties::Key;
use crate::dsl::property::Value;
use crate::dsl::reason::Reason;
use crate::dsl::room::Fits;
use crate::fault::Fault;
use crate::machine::State;

impl State {
    /// A clone has the files of its origin; what it inherits comes from where it stands.
    pub(crate) fn clone_snapshot(
        &mut self,
        name: &str,
        origin: &str,
        settings: &[(Key, Value)],
    ) -> Result {
        names::check(origin, Expected::Snapshot)?;
        let origin = self.find(origin).ok_or(Reason::NoSuchDataset)?;
        let parent = self.parent_for(name)?;
        let (Some(pool), Some(snapshot)) = (self.pool_of(parent), self.dataset(origin)) else {
            return Err(Reason::NoSuchDataset);
        };
        if pool.dataset(origin).is_none() {
            return Err(Reason::PoolsDiffer);
        }
        if self.new_fits(parent, settings, Some(origin)) == Fits::No {
            // It was there already, and is destroyed again (`zfs_ioc_clone`).
            self.close_txg_at(parent);
            return Err(Reason::OutOfSpace);
        }
        self.check_features(parent, settings)?;
        let mut objset = snapshot.objset.clone();
        if self.faulty(Fault::CloneCopies) {
            objset = objset.copied(pool.open_txg);
        }
        objset.clear_log();
        self.add_filesystem(parent, name, settings, objset, Some(origin));
        Ok(())
    }
}
