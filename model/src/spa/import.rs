//! Exporting and importing pools (`spa_export`, `spa_import`), and going back to a checkpoint.

use std::sync::Arc;

use crate::dsl::dataset::DatasetId;
use crate::dsl::names;
use crate::dsl::op::Result;
use crate::dsl::reason::Reason;
use crate::dsl::room::Fits;
use crate::fault::Fault;
use crate::machine::State;
use crate::spa::Pool;
use crate::zvol;

/// Properties that a pool has only as long as it stays imported.
const OF_IMPORT: [&str; 4] = ["altroot", "cachefile", "readonly", "tname"];

impl State {
    /// Takes a pool in which nothing is mounted or open off the machine; its devices keep it, and whether it
    /// was destroyed (`spa_export_common`).
    pub(crate) fn export_pool(&mut self, name: &str, destroyed: bool) -> Result {
        let pool = self
            .pools
            .get(name)
            .ok_or_else(|| Reason::NoSuchPool(name.into()))?;
        if pool.datasets.keys().any(|id| self.holds(id)) {
            return Err(Reason::PoolBusy);
        }
        if let Some(mut pool) = self.pools.remove(name) {
            let exported = Arc::make_mut(&mut pool);
            exported.close_txg();
            exported.discarding = false;
            exported.destroyed = destroyed;
            if !self.faulty(Fault::ExportKeepsAltroot) {
                exported.forget_import();
            }
            let label = exported.label.clone();
            exported.rename(&label);
            // One that was read-only is destroyed in memory alone.
            self.exported
                .push(exported.on_devices.take().unwrap_or(pool));
        }
        Ok(())
    }

    /// The pools whose devices lie in one of these directories, or are these files, by name: those that were
    /// exported, or those that were destroyed.
    #[must_use]
    pub fn importable(&self, places: &[&str], destroyed: bool) -> Vec<&Pool> {
        let lies = |device: &str| {
            places.iter().any(|place| {
                let place = place.trim_end_matches('/');
                let file = device.strip_prefix(place);
                file.is_some_and(|rest| {
                    rest.is_empty() || rest.strip_prefix('/').is_some_and(|it| !it.contains('/'))
                })
            })
        };
        let mut found: Vec<&Pool> = self
            .exported
            .iter()
            .map(|pool| &**pool)
            .filter(|pool| pool.destroyed == destroyed)
            .filter(|pool| pool.devices().any(|it| lies(it) && self.labels(pool, it)))
            .collect();
        found.sort_by(|left, right| left.name.cmp(&right.name));
        found
    }

    /// The pool that is not imported of which a device tells; of those that had it the last one.
    fn labelled(&self, device: &str) -> Option<&Pool> {
        let mut exported = self.exported.iter().rev().map(|pool| &**pool);
        let last = exported.find(|pool| pool.devices().any(|it| it == device))?;
        let tells = self.vdevs.contains_key(device)
            && self.owner_of_vdev(device).is_none()
            && !last.unlabelled.contains(device);
        tells.then_some(last)
    }

    /// Whether a device is there and tells of this pool.
    fn labels(&self, pool: &Pool, device: &str) -> bool {
        self.labelled(device)
            .is_some_and(|last| last.root == pool.root)
    }

    /// Makes a device tell nothing of a pool that is not imported.
    pub(crate) fn clear_label(&mut self, device: &Arc<str>) -> Result {
        if self.owner_of_vdev(device).is_some() {
            return Ok(());
        }
        let Some(root) = self.labelled(device).map(|pool| pool.root) else {
            return Err(Reason::NoLabel(device.clone()));
        };
        let mut exported = self.exported.iter_mut();
        if let Some(pool) = exported.find(|pool| pool.root == root) {
            Arc::make_mut(pool).unlabelled.insert(device.clone());
        }
        Ok(())
    }

    /// Whether all devices of a pool that is not imported tell of it.
    #[must_use]
    pub fn is_whole(&self, pool: &Pool) -> bool {
        pool.devices().all(|device| self.labels(pool, device))
    }

    /// Imports an exported pool, known by the number of its root, perhaps under another name.
    pub(crate) fn import_pool(
        &mut self,
        root: DatasetId,
        name: &str,
        properties: &[(Arc<str>, Arc<str>)],
        how: ImportAs,
    ) -> Result {
        let at = self.exported.iter().position(|pool| pool.root == root);
        let Some(at) = at else {
            return Err(Reason::NoSuchPool(name.into()));
        };
        names::check_pool(name)?;
        if self.pools.contains_key(name) {
            return Err(Reason::PoolExists(name.into()));
        }
        let checkpoint = self.exported[at].checkpoint.clone();
        if how.rewind && checkpoint.is_none() {
            return Err(Reason::NoCheckpoint);
        }
        let mut pool = self.exported.remove(at);
        let on_devices = pool.clone();
        let label = pool.label.clone();
        let rewind = how.rewind && !self.faulty(Fault::RewindKeepsNewer);
        if let Some(checkpoint) = checkpoint.filter(|_| rewind) {
            // What the labels of the vdevs say stays.
            let comment = pool.settings.get("comment").cloned();
            pool = checkpoint.pool;
            let rewound = Arc::make_mut(&mut pool);
            rewound.settings.remove("comment");
            if let Some(comment) = comment {
                rewound.settings.insert("comment".into(), comment);
            }
        }
        let imported = Arc::make_mut(&mut pool);
        if !self.faulty(Fault::ExportKeepsAltroot) {
            imported.forget_import();
        }
        imported.close_txg();
        imported.destroyed = false;
        imported.label = if how.temporary { label } else { name.into() };
        if self.faulty(Fault::ImportKeepsRootName) {
            name.clone_into(&mut imported.name);
        } else {
            imported.rename(name);
        }
        let release = self.release;
        let read_only =
            |(name, text): &(Arc<str>, Arc<str>)| &**name == "readonly" && &**text == "on";
        let read_only = properties.iter().any(read_only);
        for (name, text) in properties {
            // What cannot be written is not set (`spa_prop_set`).
            if !read_only || OF_IMPORT.contains(&&**name) {
                imported.set(name, text, release);
            }
        }
        imported.on_devices = read_only.then_some(on_devices);
        if !read_only {
            zvol::begin_logs(imported);
            imported.close_txg();
        }
        self.pools.insert(name.to_owned(), pool);
        Ok(())
    }

    /// The exported pool that a vdev file belongs to. That of a destroyed one is free.
    #[must_use]
    pub fn exported_owner_of_vdev(&self, device: &str) -> Option<&Pool> {
        self.labelled(device).filter(|pool| !pool.destroyed)
    }

    /// Whether the pool of this name, if there is one, can be changed (`pool_status_check`).
    pub(crate) fn check_writable(&self, pool: &str) -> Result {
        let read_only = self.pools.get(pool).is_some_and(|pool| pool.is_read_only());
        if read_only && !self.faulty(Fault::ReadOnlyPoolChanges) {
            return Err(Reason::PoolReadOnly);
        }
        Ok(())
    }

    /// Keeps the present state of a pool (`spa_checkpoint`).
    pub(crate) fn checkpoint(&mut self, name: &str) -> Result {
        self.check_writable(name)?;
        let now = self.now;
        let needs_no_feature = self.faulty(Fault::CheckpointNeedsNoFeature);
        let Some(pool) = self.pools.get_mut(name) else {
            return Err(Reason::NoSuchPool(name.into()));
        };
        if pool.checkpoint.is_some() {
            return Err(Reason::CheckpointExists);
        }
        if !pool.features.contains("zpool_checkpoint") && !needs_no_feature {
            return Err(Reason::NotSupportedByPool);
        }
        let kept = pool.clone();
        if self.has_space_for(&kept, 0, 0) == Fits::No {
            self.close_txg_at(kept.root);
            return Err(Reason::OutOfSpace);
        }
        let Some(pool) = self.pools.get_mut(name).map(Arc::make_mut) else {
            return Err(Reason::NoSuchPool(name.into()));
        };
        pool.checkpoint = Some(Checkpoint {
            created: now,
            pool: kept,
        });
        pool.close_txg();
        Ok(())
    }

    /// Lets the kept state of a pool go (`spa_checkpoint_discard`).
    pub(crate) fn discard_checkpoint(&mut self, name: &str, wait: bool) -> Result {
        self.check_writable(name)?;
        let Some(pool) = self.pools.get_mut(name) else {
            return Err(Reason::NoSuchPool(name.into()));
        };
        let pool = Arc::make_mut(pool);
        if pool.checkpoint.take().is_none() {
            return Err(Reason::NoCheckpoint);
        }
        pool.discarding = !wait;
        pool.close_txg();
        Ok(())
    }
}

/// How a pool is imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportAs {
    /// Go back to its checkpoint.
    pub rewind: bool,
    /// Its name lasts until it is exported.
    pub temporary: bool,
}

impl Pool {
    /// Gives it another name, and its root filesystem.
    fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        if let Some(dataset) = self.datasets.get_mut(&self.root) {
            Arc::make_mut(dataset).component = name.into();
        }
    }

    /// Forgets what it had only as long as it stayed imported.
    fn forget_import(&mut self) {
        for name in OF_IMPORT {
            self.settings.remove(name);
        }
    }
}

/// A state of a pool that is kept.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// When it was taken, in seconds since the machine's epoch.
    pub created: u64,
    /// The pool as it was.
    pub pool: Arc<Pool>,
}

impl Checkpoint {
    /// A bound, in bytes, of what it keeps from being used again: all that the pool took then.
    pub(super) fn used_at_most(&self) -> u64 {
        let pool = &self.pool;
        (pool.space.used(pool.root) + pool.own_metadata()).most
    }
}
