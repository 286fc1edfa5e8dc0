//! Operations on pools.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::dsl::dataset::DatasetId;
use crate::dsl::properties::Key;
use crate::dsl::property::Value;
use crate::machine::State;
use crate::outcome::Outcome;
use crate::spa::Vdev;

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
        /// Properties that it has while it is imported.
        properties: Vec<(Arc<str>, Arc<str>)>,
        /// Go back to its checkpoint.
        rewind: bool,
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
        /// The pool.
        pool: Arc<str>,
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

impl PoolOp {
    /// The pool whose history tells of it.
    #[must_use]
    pub fn logged_in(&self) -> Option<&str> {
        match self {
            PoolOp::Create { name, .. } | PoolOp::Export { name } | PoolOp::Import { name, .. } => {
                Some(name)
            }
            PoolOp::Set { pool, .. }
            | PoolOp::Checkpoint { pool }
            | PoolOp::DiscardCheckpoint { pool, .. } => Some(pool),
            PoolOp::Destroy { .. }
            | PoolOp::Log { .. }
            | PoolOp::HostFile { .. }
            | PoolOp::Sync { .. } => None,
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
            PoolOp::Destroy { name } => state.destroy_pool(name),
            PoolOp::Export { name } => state.export_pool(name),
            PoolOp::Import {
                root,
                name,
                properties,
                rewind,
            } => state.import_pool(*root, name, properties, *rewind),
            PoolOp::Checkpoint { pool } => state.checkpoint(pool),
            PoolOp::DiscardCheckpoint { pool, wait } => state.discard_checkpoint(pool, *wait),
            PoolOp::Log { pool, command } => {
                let now = state.now;
                let exported = state.exported.iter_mut().rev();
                let known = state.pools.get_mut(&**pool);
                // One that was just exported has it, too.
                if let Some(pool) = known.or_else(|| {
                    let mut exported = exported;
                    exported.find(|it| it.name == **pool)
                }) {
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
