//! Operations on pools.

use std::sync::Arc;

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
        /// What is set on the root filesystem.
        settings: Vec<(Key, Value)>,
    },
    /// Destroys a pool in which nothing is mounted or open (`spa_destroy`).
    Destroy {
        /// Its name.
        name: Arc<str>,
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
    pub(crate) fn apply(&self, state: &mut State) -> Outcome {
        let done = match self {
            PoolOp::Create {
                name,
                vdevs,
                properties,
                settings,
            } => state.create_pool(name, vdevs, properties, settings),
            PoolOp::Destroy { name } => state.destroy_pool(name),
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
