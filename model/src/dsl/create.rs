//! Making filesystems and volumes (`dmu_objset_create_check`, `dmu_objset_create_sync`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dmu::{Objset, Volume};
use crate::dsl::dataset::{Dataset, DatasetId, Filesystem, Kind};
use crate::dsl::limit::is_limited;
use crate::dsl::names::{self, Expected};
use crate::dsl::op::Result;
use crate::dsl::properties::Key;
use crate::dsl::property::{Property, Value};
use crate::dsl::reason::Reason;
use crate::dsl::room::Fits;
use crate::fault::Fault;
use crate::machine::State;

impl State {
    /// Makes a filesystem, or a volume.
    pub(crate) fn create(
        &mut self,
        name: &str,
        volume: Option<Volume>,
        settings: &[(Key, Value)],
    ) -> Result {
        let parent = self.parent_for(name)?;
        // `dmu_objset_create_check`; of a clone nobody asks.
        if names::is_too_deep(name) {
            return Err(Reason::TooLongOrDeep);
        }
        // `zvol_check_volsize`, `zvol_check_volblocksize`
        if volume.is_some_and(|it| it.size == 0 || !it.size.is_multiple_of(it.block_size.max(1))) {
            return Err(Reason::InvalidArgument);
        }
        if self.new_fits(parent, settings, None) == Fits::No {
            // It was there already, and is destroyed again (`zfs_ioc_create`).
            self.close_txg_at(parent);
            return Err(Reason::OutOfSpace);
        }
        self.check_features(parent, settings)?;
        let txg = self.pool_of(parent).map_or(0, |pool| pool.open_txg);
        let objset = match volume {
            Some(volume) => Objset::new_volume(volume),
            // Its own settings come later (`zfs_ioc_create`).
            None => Objset::new_filesystem(txg, self.now, self.dnode_slots(parent)),
        };
        self.add_filesystem(parent, name, settings, objset, None);
        Ok(())
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
        if self.dataset(parent).and_then(Dataset::volume).is_some()
            && !self.faulty(Fault::VolumesHaveChildren)
        {
            return Err(Reason::ParentNotFilesystem);
        }
        if self.find(name).is_some() {
            return Err(Reason::AlreadyExists);
        }
        Ok(parent)
    }

    /// How names are compared is settled for good when a filesystem is made: as it says, as the one above it has it, or
    /// as the origin of a clone has it (`zfs_fill_zplprops`).
    fn settle_names(
        &self,
        settings: &mut BTreeMap<Key, Value>,
        parent: DatasetId,
        origin: Option<DatasetId>,
    ) {
        let normalization = Key::Native(Property::Normalization);
        let asks = |settings: &BTreeMap<Key, Value>| {
            let form = settings.get(&normalization);
            form.is_some_and(|form| *form != Value::Word("none"))
        };
        let utf8 = Key::Native(Property::Utf8only);
        if asks(settings) && !settings.contains_key(&utf8) {
            settings.insert(utf8, Value::Word("on"));
        }
        for property in Property::OF_NAMES {
            let value = self.property(origin.unwrap_or(parent), property).0;
            let key = Key::Native(property);
            if value != property.default_value(self.release) && !settings.contains_key(&key) {
                settings.insert(key, value);
            }
        }
    }

    /// Adds a filesystem below `parent` and closes the transaction group.
    pub(crate) fn add_filesystem(
        &mut self,
        parent: DatasetId,
        name: &str,
        settings: &[(Key, Value)],
        mut objset: Objset,
        origin: Option<DatasetId>,
    ) {
        let mut settings: BTreeMap<_, _> = settings.iter().cloned().collect();
        // A volume's size is not kept with its properties.
        if let Some(Value::Number(size)) = settings.remove(&Key::Native(Property::Volsize)) {
            objset.resize(size);
        }
        // Nor are its block size, and encryption that is off.
        settings.remove(&Key::Native(Property::Volblocksize));
        settings.remove(&Key::Native(Property::Encryption));
        if objset.volume().is_none() {
            self.settle_names(&mut settings, parent, origin);
        }
        let id = self.number();
        let now = self.now;
        let component: Arc<str> = names::component(name).into();
        let limited = is_limited(&settings);
        let Some(pool) = self.pool_of_mut(parent) else {
            return;
        };
        pool.counts |= limited;
        let counted = pool.counts;
        let dataset = Dataset {
            id,
            component: component.clone(),
            creation_txg: pool.open_txg,
            created: now,
            settings: BTreeMap::new(),
            objset,
            kind: Kind::Filesystem(Filesystem {
                parent: Some(parent),
                origin,
                counted,
                reading: id.0,
                ..Filesystem::default()
            }),
        };
        pool.datasets.insert(id, Arc::new(dataset));
        match origin {
            Some(origin) => pool.space.clone_of(origin, id, Some(parent)),
            None => pool.space.create(id, Some(parent)),
        }
        pool.dirty(id);
        if let Some(above) = self.filesystem_mut(parent) {
            above.children.insert(component, id);
        }
        if let Some(snapshot) = origin.and_then(|origin| self.snapshot_mut(origin)) {
            snapshot.clones.insert(id, ());
        }
        // It is there before anything is set on it (`zfs_ioc_create`).
        self.write_open(id);
        if let Some(dataset) = self.dataset_mut(id) {
            dataset.settings = settings;
        }
        self.reserve(id);
        if let Some(pool) = self.pool_of_mut(id) {
            pool.close_txg();
        }
    }
}
