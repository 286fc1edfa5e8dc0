//! Making filesystems (`dmu_objset_create_check`, `dmu_objset_create_sync`).

use std::sync::Arc;

use crate::dmu::Objset;
use crate::dsl::dataset::{Dataset, DatasetId, Filesystem, Kind};
use crate::dsl::names::{self, Expected};
use crate::dsl::op::Result;
use crate::dsl::properties::Key;
use crate::dsl::property::{Property, Value};
use crate::dsl::reason::Reason;
use crate::machine::State;
use crate::spa::Pool;

impl State {
    pub(crate) fn create(&mut self, name: &str, settings: &[(Key, Value)]) -> Result {
        let parent = self.parent_for(name)?;
        self.check_sizes(parent, settings)?;
        let txg = self.pool_of(parent).map_or(0, |pool| pool.open_txg);
        let objset = Objset::new_filesystem(txg, self.now);
        self.add_filesystem(parent, name, settings, objset, None);
        Ok(())
    }

    /// A quota that is less than an empty filesystem takes, or a reservation for which there cannot be room
    /// (`dsl_dir_set_quota_check`, `dsl_dir_set_reservation_check`). How much is free is not known.
    fn check_sizes(&self, parent: DatasetId, settings: &[(Key, Value)]) -> Result {
        let given = |wanted| {
            settings.iter().find_map(|(key, value)| match value {
                Value::Number(bytes) if *key == Key::Native(wanted) && *bytes != 0 => Some(*bytes),
                _ => None,
            })
        };
        let least = self.pool_of(parent).map_or(0, Pool::least_filesystem);
        let quota = given(Property::Quota);
        let refquota = given(Property::Refquota);
        let room = self
            .largest_reservation(parent)
            .min(quota.unwrap_or(u64::MAX));
        let own_room = room.min(refquota.unwrap_or(u64::MAX));
        let fits = quota.is_none_or(|bytes| bytes >= least)
            && refquota.is_none_or(|bytes| bytes >= least)
            && given(Property::Reservation).is_none_or(|bytes| bytes <= room)
            && given(Property::Refreservation).is_none_or(|bytes| bytes <= own_room);
        if fits {
            Ok(())
        } else {
            Err(Reason::OutOfSpace)
        }
    }

    /// The filesystem in which `name` can be made.
    pub(crate) fn parent_for(&self, name: &str) -> Result<DatasetId> {
        names::check_new(name, Expected::Filesystem)?;
        let Some(above) = names::parent(name) else {
            return Err(Reason::NoDatasetName);
        };
        let pool = names::pool(name);
        if !self.pools.contains_key(pool) {
            return Err(Reason::NoSuchPool(pool.into()));
        }
        let parent = self.find(above).ok_or(Reason::NoParent)?;
        names::check_size(name)?;
        if self.find(name).is_some() {
            return Err(Reason::AlreadyExists);
        }
        Ok(parent)
    }

    /// Adds a filesystem below `parent` and closes the transaction group.
    pub(crate) fn add_filesystem(
        &mut self,
        parent: DatasetId,
        name: &str,
        settings: &[(Key, Value)],
        objset: Objset,
        origin: Option<DatasetId>,
    ) {
        let id = self.number();
        let now = self.now;
        let component: Arc<str> = name.rsplit('/').next().unwrap_or(name).into();
        let Some(pool) = self.pool_of_mut(parent) else {
            return;
        };
        let dataset = Dataset {
            id,
            component: component.clone(),
            creation_txg: pool.open_txg,
            created: now,
            settings: settings.iter().cloned().collect(),
            objset,
            kind: Kind::Filesystem(Filesystem {
                parent: Some(parent),
                origin,
                ..Filesystem::default()
            }),
        };
        pool.datasets.insert(id, Arc::new(dataset));
        pool.close_txg();
        if let Some(above) = self.filesystem_mut(parent) {
            above.children.insert(component, id);
        }
        if let Some(snapshot) = origin.and_then(|origin| self.snapshot_mut(origin)) {
            snapshot.clones.insert(id);
        }
    }
}
