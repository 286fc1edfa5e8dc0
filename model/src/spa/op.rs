//! Operations on pools.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::dsl::dataset::DatasetId;
use crate::dsl::properties::Key;
use crate::dsl::property::Value;
use crate::machine::State;
use crate::outcome::Outcome;
use crate::release::Release;
use crate::spa::Vdev;
use crate::spa::import::ImportAs;

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
    /// Writes a command into a pool's history (`spa_history_log`).
    Log {
        /// The number of its root filesystem.
        root: DatasetId,
        /// The command.
        command: Arc<str>,
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
            | PoolOp::Checkpoint { pool }
            | PoolOp::DiscardCheckpoint { pool, .. } => Some(pool),
            PoolOp::Log { .. } | PoolOp::HostFile { .. } | PoolOp::Sync { .. } => None,
        }
    }

    pub(crate) fn apply(&self, state: &mut State) -> Outcome {
        let done = match self {
            PoolOp::Create {
                name,
                vdevs,
                properties,
                features,
                settings,
            } => state.create_pool(name, vdevs, properties, features, settings),
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
            PoolOp::Log { root, command } => {
                let now = state.now;
                // One that was just exported or destroyed has it, too.
                let mut pools = state.pools.values_mut().chain(&mut state.exported);
                if let Some(pool) = pools.find(|pool| pool.root == *root) {
                    Arc::make_mut(pool).history.push((now, command.clone()));
                }
                Ok(())
            }
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
