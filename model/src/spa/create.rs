//! Making and destroying pools (`spa_create`, `spa_destroy`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::dmu::Objset;
use crate::dsl::dataset::{Dataset, Filesystem, Kind};
use crate::dsl::names;
use crate::dsl::op::Result;
use crate::dsl::properties::{Key, needed_feature};
use crate::dsl::property::{Property, Value};
use crate::dsl::reason::Reason;
use crate::dsl::space::Space;
use crate::machine::State;
use crate::maps::Radix;
use crate::spa::feature::Feature;
use crate::spa::op::temporary;
use crate::spa::property::feature_name;
use crate::spa::{Draid, Guid, Pool, Shape, Sharing, Vdev};

/// The transaction group in which `zpool create` leaves a pool.
pub(super) const FIRST_TXG: u64 = 4;

impl State {
    pub(crate) fn create_pool(
        &mut self,
        name: &str,
        vdevs: &[Vdev],
        properties: &[(Arc<str>, Arc<str>)],
        features: &BTreeSet<&'static str>,
        settings: &[(Key, Value)],
    ) -> Result {
        names::check_pool(name)?;
        self.check_vdevs(vdevs)?;
        let label = name.into();
        let name = temporary(properties).unwrap_or(name);
        if self.pools.contains_key(name) {
            return Err(Reason::PoolExists(name.into()));
        }
        let given = properties.iter().find(|(name, _)| &**name == "ashift");
        let ashift = given.and_then(|(_, text)| text.parse().ok());
        let ashift: u32 = ashift
            .filter(|ashift| (9..=16).contains(ashift))
            .unwrap_or(9);
        let metaslabs = self.divide(vdevs, ashift)?;
        let size: u64 = metaslabs.iter().map(|it| it.size()).sum();
        let least = Pool::least(ashift);
        for (key, value) in settings {
            let (Key::Native(property), Value::Number(bytes)) = (key, value) else {
                continue;
            };
            let fits = match property {
                Property::Quota | Property::Refquota => *bytes == 0 || *bytes >= least,
                Property::Reservation | Property::Refreservation => *bytes <= size,
                _ => true,
            };
            if !fits {
                return Err(Reason::OutOfSpace);
            }
        }
        let given = properties.iter().filter(|(_, text)| &**text == "enabled");
        let given: BTreeSet<&str> = given.filter_map(|(name, _)| feature_name(name)).collect();
        let mut enabled = BTreeSet::new();
        for feature in Feature::all(self.release) {
            if features.contains(feature.name) || given.contains(feature.name) {
                feature.enable(&mut enabled, self.release);
            }
        }
        let mut needed = settings
            .iter()
            .filter_map(|(key, value)| needed_feature(key, value));
        if needed.any(|feature| !enabled.contains(feature)) {
            return Err(Reason::NotSupportedByPool);
        }
        let root = self.number();
        let dataset = Dataset {
            id: root,
            component: name.into(),
            creation_txg: 1,
            created: self.now,
            settings: BTreeMap::new(),
            objset: Objset::new_filesystem(1, self.now, 1),
            kind: Kind::Filesystem(Filesystem::default()),
        };
        let mut pool = Pool {
            name: name.to_owned(),
            label,
            guid: Guid::Drawn(root.0),
            destroyed: false,
            on_devices: None,
            open_txg: FIRST_TXG,
            synced_before: FIRST_TXG,
            in_flight: 0,
            freed: [0; 3],
            doubt: None,
            limited: BTreeSet::new(),
            freeing: None,
            datasets: Radix::from_iter([(root, Arc::new(dataset))]),
            dirty: BTreeMap::from([(root, FIRST_TXG - 1)]),
            space: Space::new(self.fault),
            root,
            vdevs: vdevs.to_vec(),
            first_vdevs: vdevs.len(),
            unlabelled: BTreeSet::new(),
            ashift,
            settings: BTreeMap::new(),
            bootfs: None,
            features: BTreeSet::new(),
            enabled_later: BTreeSet::new(),
            checkpoint: None,
            scan: None,
            discarding: false,
            history: Radix::new(),
            counts: false,
            metaslabs,
            sharing: Sharing::default(),
        };
        pool.space.create(root, None);
        for (name, text) in properties {
            pool.set(name, text, self.release);
        }
        for feature in Feature::all(self.release).filter(|it| features.contains(it.name)) {
            feature.enable(&mut pool.features, self.release);
        }
        if pool.features.contains("project_quota")
            && let Some(root) = pool.datasets.get_mut(&root)
        {
            Arc::make_mut(root).objset.grow_attributes();
        }
        let devices = vdevs.iter().flat_map(|vdev| vdev.devices.clone());
        self.take_devices(&devices.collect::<Vec<_>>());
        self.pools.insert(name.to_owned(), Arc::new(pool));
        self.write_open(root);
        if let Some(root) = self.dataset_mut(root) {
            root.settings = settings.iter().cloned().collect();
        }
        self.reserve(root);
        Ok(())
    }

    /// Devices that are not there, are too few, or belong to a pool (`make_root_vdev`).
    pub(crate) fn check_vdevs(&self, vdevs: &[Vdev]) -> Result {
        for vdev in vdevs {
            for device in &vdev.devices {
                if !self.vdevs.contains_key(&**device) {
                    return Err(Reason::NoSuchVdev(device.clone()));
                }
            }
            let (name, needed) = match vdev.shape {
                Shape::Single => ("disk", 1),
                Shape::Mirror => ("mirror", 2),
                Shape::Raidz(_) if vdev.devices.is_empty() => ("raidz", 2),
                Shape::Raidz(parity) => ("raidz", u64::from(parity) + 1),
                Shape::Draid(Draid {
                    parity,
                    data,
                    spares,
                }) => ("draid", parity.saturating_add(data).saturating_add(spares)),
            };
            if (vdev.devices.len() as u64) < needed {
                return Err(Reason::TooFewVdevs(name.into(), needed));
            }
        }
        for device in vdevs.iter().flat_map(|vdev| &vdev.devices) {
            if let Some(pool) = self.owner_of_vdev(device) {
                return Err(Reason::VdevInUse(device.clone(), pool.name.as_str().into()));
            }
        }
        Ok(())
    }

    /// The pool that a vdev file belongs to.
    #[must_use]
    pub fn owner_of_vdev(&self, device: &str) -> Option<&Pool> {
        let mut pools = self.pools.values().map(|pool| &**pool);
        pools.find(|pool| pool.devices().any(|it| it == device))
    }

    /// Gives a pool another number, this one or one that it draws (`spa_change_guid`).
    pub(crate) fn reguid(&mut self, name: &str, guid: Option<u64>) -> Result {
        self.check_writable(name)?;
        let drawn = Guid::Drawn(self.next_dataset);
        let taken = |pool: &Arc<Pool>| guid.is_some_and(|guid| pool.guid == Guid::Given(guid));
        let taken = self.pools.values().any(taken);
        let Some(pool) = self.pools.get_mut(name) else {
            return Err(Reason::NoSuchPool(name.into()));
        };
        if pool.checkpoint.is_some() {
            return Err(Reason::CheckpointExists);
        }
        if guid == Some(0) {
            return Err(Reason::InvalidForPool);
        }
        if taken {
            return Err(Reason::PoolExists(name.into()));
        }
        let pool = Arc::make_mut(pool);
        pool.guid = guid.map_or(drawn, Guid::Given);
        pool.close_txg();
        self.number();
        Ok(())
    }

    pub(crate) fn sync_pool(&mut self, name: &str) -> Result {
        self.check_writable(name)?;
        let pool = self
            .pools
            .get_mut(name)
            .ok_or_else(|| Reason::NoSuchPool(name.into()))?;
        Arc::make_mut(pool).close_txg();
        Ok(())
    }
}
