//! Operations on pools.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::dsl::dataset::DatasetId;
use crate::dsl::properties::Key;
use crate::dsl::property::Value;
use crate::dsl::room::Fits;
use crate::machine::State;
use crate::outcome::Outcome;
use crate::release::Release;
use crate::spa::Vdev;
use crate::spa::import::ImportAs;
use crate::spa::scan::Function;

/// An operation on pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolOp {
    /// Makes a pool with its root filesystem (`spa_create`).
    Create {
        /// Its name.
        name: Arc<str>,
        /// Its top-level vdevs.
        vdevs: Vec<Vdev>,
        /// Properties of the pool.
        properties: Vec<(Arc<str>, Arc<str>)>,
        /// The features that are enabled.
        features: BTreeSet<&'static str>,
        /// What is set on the root filesystem.
        settings: Vec<(Key, Value)>,
    },
    /// Makes exported pools lose these devices, as a pool does that is refused once it has written its own
    /// labels to them (`vdev_label_init`).
    OverwriteLabels {
        /// Their paths.
        devices: Vec<Arc<str>>,
    },
    /// Sets a property of a pool (`spa_prop_set`).
    Set {
        /// The pool.
        pool: Arc<str>,
        /// The property.
        name: Arc<str>,
        /// Its value.
        text: Arc<str>,
    },
    /// Destroys a pool in which nothing is mounted or open (`spa_destroy`).
    Destroy {
        /// Its name.
        name: Arc<str>,
    },
    /// Takes a pool in which nothing is mounted or open off the machine (`spa_export`).
    Export {
        /// Its name.
        name: Arc<str>,
    },
    /// Brings an exported pool back (`spa_import`).
    Import {
        /// The number of its root filesystem.
        root: DatasetId,
        /// The name it gets.
        name: Arc<str>,
        /// Properties that it gets.
        properties: Vec<(Arc<str>, Arc<str>)>,
        /// How.
        how: ImportAs,
    },
    /// Keeps the present state of a pool (`spa_checkpoint`).
    Checkpoint {
        /// The pool.
        pool: Arc<str>,
    },
    /// Lets the kept state of a pool go (`spa_checkpoint_discard`).
    DiscardCheckpoint {
        /// The pool.
        pool: Arc<str>,
        /// Wait until it is gone.
        wait: bool,
    },
    /// Forgets what went wrong, of one device or of all (`zfs_ioc_clear`).
    Clear {
        /// The pool.
        pool: Arc<str>,
        /// The device.
        device: Option<Arc<str>>,
    },
    /// Opens the devices of a pool again (`vdev_reopen`).
    Reopen {
        /// The pool.
        pool: Arc<str>,
    },
    /// Adds top-level vdevs to a pool (`spa_vdev_add`).
    Add {
        /// The pool.
        pool: Arc<str>,
        /// The vdevs.
        vdevs: Vec<Vdev>,
    },
    /// Puts a device beside another one, or in its place (`spa_vdev_attach`).
    Attach {
        /// The pool.
        pool: Arc<str>,
        /// The device that is there.
        device: Arc<str>,
        /// The new one.
        new: Arc<str>,
        /// Whether it takes the place of the other one.
        replaces: bool,
    },
    /// Takes a device out of a mirror (`spa_vdev_detach`).
    Detach {
        /// The pool.
        pool: Arc<str>,
        /// The device.
        device: Arc<str>,
    },
    /// Gives a pool another number (`spa_change_guid`).
    Reguid {
        /// The pool.
        pool: Arc<str>,
        /// The number; none to draw one.
        guid: Option<u64>,
    },
    /// Reads all of a pool and repairs what is damaged (`spa_scan`).
    Scrub {
        /// The pool.
        pool: Arc<str>,
    },
    /// Ends that (`spa_scan_stop`).
    StopScrub {
        /// The pool.
        pool: Arc<str>,
    },
    /// Waits for what is done in the background (`spa_wait`).
    Wait {
        /// The pool.
        pool: Arc<str>,
        /// Wait for scans for this.
        functions: Vec<Function>,
        /// Wait until a checkpoint is discarded.
        checkpoint: bool,
    },
    /// Writes a command into a pool's history (`spa_history_log`).
    Log {
        /// The number of its root filesystem.
        root: DatasetId,
        /// The command.
        command: Arc<str>,
    },
    /// Makes a device of a pool that is not imported tell nothing of it (`zpool_clear_label`). That of one that
    /// is imported is written again.
    ClearLabel {
        /// The device.
        device: Arc<str>,
    },
    /// A file outside of all pools, in which pools may live: it has this size by now, or is gone. That of
    /// a pool stays.
    HostFile {
        /// Its absolute path.
        path: Arc<str>,
        /// Its size in bytes; none when there is no such file.
        size: Option<u64>,
    },
    /// Closes the open transaction group of a pool and waits until it is on disk.
    Sync {
        /// The pool.
        pool: String,
    },
}

/// The name that a new pool has until it is exported, if it is another one.
pub(super) fn temporary(properties: &[(Arc<str>, Arc<str>)]) -> Option<&str> {
    let mut given = properties.iter();
    let (_, name) = given.find(|(property, _)| &**property == "tname")?;
    Some(name)
}

impl PoolOp {
    /// The pool whose history tells of it. Until 2.3 that of a new one with a temporary name tells nothing.
    #[must_use]
    pub fn logged_in(&self, release: Release) -> Option<&str> {
        match self {
            PoolOp::Create { properties, .. }
                if release >= Release::V2_4 && temporary(properties).is_some() =>
            {
                temporary(properties)
            }
            PoolOp::Create { name, .. }
            | PoolOp::Destroy { name }
            | PoolOp::Export { name }
            | PoolOp::Import { name, .. } => Some(name),
            PoolOp::Set { pool, .. }
            | PoolOp::Clear { pool, .. }
            | PoolOp::Reopen { pool }
            | PoolOp::Add { pool, .. }
            | PoolOp::Attach { pool, .. }
            | PoolOp::Detach { pool, .. }
            | PoolOp::Reguid { pool, .. }
            | PoolOp::Scrub { pool }
            | PoolOp::StopScrub { pool }
            | PoolOp::Checkpoint { pool }
            | PoolOp::DiscardCheckpoint { pool, .. } => Some(pool),
            PoolOp::OverwriteLabels { .. }
            | PoolOp::Log { .. }
            | PoolOp::Wait { .. }
            | PoolOp::ClearLabel { .. }
            | PoolOp::HostFile { .. }
            | PoolOp::Sync { .. } => None,
        }
    }

    pub(crate) fn apply(&self, state: &mut State) -> Outcome {
        let kept = match self {
            PoolOp::Checkpoint { pool } => state.pools.get(&**pool),
            _ => None,
        };
        let fits = kept.map(|pool| state.has_space_for(pool, 0, 0));
        let done = match self {
            PoolOp::Checkpoint { .. } if fits == Some(Fits::Unknown) => {
                return Outcome::NotModelled("whether a pool has the space for a checkpoint");
            }
            PoolOp::Create {
                name,
                vdevs,
                properties,
                features,
                settings,
            } => state.create_pool(name, vdevs, properties, features, settings),
            PoolOp::OverwriteLabels { devices } => {
                state.take_devices(devices);
                Ok(())
            }
            PoolOp::Set { pool, name, text } => state.set_of_pool(pool, name, text),
            PoolOp::Destroy { name } => state.export_pool(name, true),
            PoolOp::Export { name } => state.export_pool(name, false),
            PoolOp::Import {
                root,
                name,
                properties,
                how,
            } => state.import_pool(*root, name, properties, *how),
            PoolOp::Checkpoint { pool } => state.checkpoint(pool),
            PoolOp::DiscardCheckpoint { pool, wait } => state.discard_checkpoint(pool, *wait),
            PoolOp::Clear { pool, device } => state.clear(pool, device.as_ref()),
            // All devices are there.
            PoolOp::Reopen { .. } => Ok(()),
            PoolOp::Add { pool, vdevs } => state.add_vdevs(pool, vdevs),
            PoolOp::Attach {
                pool,
                device,
                new,
                replaces,
            } => state.attach(pool, device, new, *replaces),
            PoolOp::Detach { pool, device } => state.detach(pool, device),
            PoolOp::Reguid { pool, guid } => state.reguid(pool, *guid),
            PoolOp::Scrub { pool } => state.scrub(pool),
            PoolOp::StopScrub { pool } => state.stop_scrub(pool),
            PoolOp::Wait {
                pool,
                functions,
                checkpoint,
            } => state.wait_for_pool(pool, functions, *checkpoint),
            PoolOp::Log { root, command } => {
                let now = state.now;
                // One that was just exported or destroyed has it, too.
                let mut pools = state.pools.values_mut().chain(&mut state.exported);
                if let Some(pool) = pools.find(|pool| pool.root == *root) {
                    Arc::make_mut(pool).history.push((now, command.clone()));
                }
                Ok(())
            }
            PoolOp::ClearLabel { device } => state.clear_label(device),
            PoolOp::HostFile { path, size } => {
                if state.owner_of_vdev(path).is_none() {
                    match size {
                        Some(size) => state.vdevs.insert(path.to_string(), *size),
                        None => state.vdevs.remove(&**path),
                    };
                }
                Ok(())
            }
            PoolOp::Sync { pool } => state.sync_pool(pool),
        };
        match done {
            Ok(()) => Outcome::Done,
            Err(reason) => Outcome::Refused(reason),
        }
    }
}
