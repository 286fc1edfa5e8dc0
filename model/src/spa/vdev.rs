//! Adding, attaching, replacing and detaching devices (`spa_vdev_add`, `spa_vdev_attach`, `spa_vdev_detach`).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::dsl::op::Result;
use crate::dsl::reason::Reason;
use crate::machine::State;
use crate::spa::scan::Function;
use crate::spa::size::Metaslabs;
use crate::spa::{Pool, Shape, Vdev};

/// The smallest device (`SPA_MINDEVSIZE`), in bytes.
const SMALLEST_DEVICE: u64 = 64 << 20;

impl State {
    /// What these vdevs are divided into, or why they cannot be: a device is there twice, or too many are too small.
    pub(super) fn divide(&self, vdevs: &[Vdev], ashift: u32) -> Result<Vec<Metaslabs>> {
        let mut devices = BTreeSet::new();
        if !vdevs
            .iter()
            .flat_map(|vdev| &vdev.devices)
            .all(|device| devices.insert(device))
        {
            return Err(Reason::VdevTwice);
        }
        for vdev in vdevs {
            let sizes = vdev.devices.iter().map(|device| self.size_of(device));
            let small = sizes.filter(|&size| size < SMALLEST_DEVICE).count();
            // `vdev_create`: one that opens without all of its devices is not healthy enough.
            let spared = match vdev.shape {
                Shape::Single => 0,
                Shape::Mirror => vdev.devices.len() - 1,
                Shape::Raidz(parity) => usize::from(parity),
                Shape::Draid(draid) => usize::try_from(draid.parity).unwrap_or(0),
            };
            if small > spared {
                return Err(Reason::VdevTooSmall);
            } else if small > 0 {
                return Err(Reason::VdevDegraded);
            }
        }
        let divided = vdevs.iter().map(|vdev| self.metaslabs_of(vdev, ashift));
        Ok(divided.collect())
    }

    /// The bytes of a device.
    pub(super) fn size_of(&self, device: &str) -> u64 {
        self.vdevs.get(device).copied().unwrap_or(0)
    }

    /// Whoever had these devices and is not imported, has them no longer.
    pub(super) fn take_devices(&mut self, devices: &[Arc<str>]) {
        for exported in &mut self.exported {
            if exported
                .devices()
                .any(|it| devices.iter().any(|new| &**new == it))
            {
                Arc::make_mut(exported)
                    .unlabelled
                    .extend(devices.iter().cloned());
            }
        }
        self.exported
            .retain(|pool| pool.devices().any(|it| !pool.unlabelled.contains(it)));
    }

    /// Adds top-level vdevs to a pool.
    pub(crate) fn add_vdevs(&mut self, name: &str, vdevs: &[Vdev]) -> Result {
        self.check_vdevs(vdevs)?;
        self.check_writable(name)?;
        let ashift = self.pools.get(name).map_or(0, |pool| pool.ashift);
        let metaslabs = self.divide(vdevs, ashift)?;
        let devices = vdevs.iter().flat_map(|vdev| vdev.devices.clone());
        let devices: Vec<_> = devices.collect();
        let pool = self.pool_to_change(name)?;
        pool.vdevs.extend(vdevs.iter().cloned());
        pool.metaslabs.extend(metaslabs);
        pool.close_txg();
        self.take_devices(&devices);
        Ok(())
    }

    /// Puts a device beside another, which makes a mirror of a single one, or in its place.
    pub(crate) fn attach(
        &mut self,
        name: &str,
        device: &Arc<str>,
        new: &Arc<str>,
        replaces: bool,
    ) -> Result {
        let at = self.find_device(name, device)?;
        self.check_changeable(name)?;
        let (size, now) = (self.size_of(new), self.now);
        let vdev = &self.pools[name].vdevs[at];
        let sizes = vdev.devices.iter().map(|device| self.size_of(device));
        let smallest = sizes.min().unwrap_or(0);
        if !replaces && matches!(vdev.shape, Shape::Raidz(_) | Shape::Draid(_)) {
            return Err(Reason::NotAttachable);
        }
        if size < smallest {
            return Err(Reason::DeviceTooSmall);
        }
        let pool = self.pool_to_change(name)?;
        let vdev = &mut pool.vdevs[at];
        if replaces {
            vdev.replace(device, new);
        } else {
            vdev.shape = Shape::Mirror;
            vdev.devices.push(new.clone());
        }
        pool.start(Function::Resilver, now);
        self.take_devices(std::slice::from_ref(new));
        Ok(())
    }

    /// Takes a device out of a mirror; of two that leaves a single one.
    pub(crate) fn detach(&mut self, name: &str, device: &Arc<str>) -> Result {
        let at = self.find_device(name, device)?;
        self.check_changeable(name)?;
        let pool = self.pool_to_change(name)?;
        let vdev = &mut pool.vdevs[at];
        if vdev.shape != Shape::Mirror {
            return Err(Reason::NotDetachable);
        }
        vdev.devices.retain(|it| it != device);
        if vdev.devices.len() == 1 {
            vdev.shape = Shape::Single;
        }
        pool.close_txg();
        Ok(())
    }

    /// Forgets what went wrong, which is nothing.
    pub(crate) fn clear(&self, name: &str, device: Option<&Arc<str>>) -> Result {
        if let Some(device) = device {
            self.find_device(name, device)?;
        }
        self.check_writable(name)
    }

    /// The top-level vdev with a device (`zpool_find_vdev`).
    fn find_device(&self, pool: &str, device: &Arc<str>) -> Result<usize> {
        let pool = self.pools.get(pool);
        let pool = pool.ok_or_else(|| Reason::NoSuchPool(device.clone()))?;
        let mut vdevs = pool.vdevs.iter();
        let at = vdevs.position(|vdev| vdev.devices.contains(device));
        at.ok_or(Reason::NoSuchDevice)
    }

    /// Whether the devices of a pool may change: not while it has a checkpoint.
    fn check_changeable(&self, pool: &str) -> Result {
        self.check_writable(pool)?;
        let pool = self.pools.get(pool);
        if pool.is_some_and(|pool| pool.checkpoint.is_some()) {
            return Err(Reason::CheckpointExists);
        }
        Ok(())
    }

    fn pool_to_change(&mut self, name: &str) -> Result<&mut Pool> {
        let pool = self.pools.get_mut(name).map(Arc::make_mut);
        pool.ok_or_else(|| Reason::NoSuchPool(name.into()))
    }
}

impl Vdev {
    fn replace(&mut self, device: &Arc<str>, new: &Arc<str>) {
        for it in self.devices.iter_mut().filter(|it| *it == device) {
            *it = new.clone();
        }
    }
}
