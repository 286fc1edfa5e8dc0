//! Operations on datasets.

use std::sync::Arc;

use crate::dmu::Volume;
use crate::dsl::names;
use crate::dsl::properties::Key;
use crate::dsl::property::{Property, Value};
use crate::dsl::reason::Reason;
use crate::dsl::room::Fits;
use crate::machine::State;
use crate::outcome::Outcome;

/// An operation on datasets and their properties: one sync task each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DslOp {
    /// Makes a filesystem or a volume (`dmu_objset_create`).
    Create {
        /// Its full name.
        name: Arc<str>,
        /// It is to be a volume, of this size.
        volume: Option<Volume>,
        /// What is set on it.
        settings: Vec<(Key, Value)>,
    },
    /// Makes a clone (`dmu_objset_clone`).
    Clone {
        /// Its full name.
        name: Arc<str>,
        /// The snapshot.
        origin: Arc<str>,
        /// What is set on it.
        settings: Vec<(Key, Value)>,
    },
    /// Makes snapshots of different filesystems of one pool, all or none (`dsl_dataset_snapshot`).
    Snapshot {
        /// Their full names.
        names: Vec<Arc<str>>,
        /// The user's properties that are set on each.
        settings: Vec<(Key, Value)>,
    },
    /// Destroys a filesystem that nothing depends on (`dsl_destroy_head`).
    Destroy {
        /// Its full name.
        name: Arc<str>,
    },
    /// Destroys snapshots, all or none; missing ones do not matter (`dsl_destroy_snapshots_nvl`).
    DestroySnapshots {
        /// Their full names.
        names: Vec<Arc<str>>,
        /// One that is still needed is destroyed when it no longer is.
        defer: bool,
    },
    /// Makes the newest snapshot the content of its filesystem again (`dsl_dataset_rollback`).
    Rollback {
        /// The snapshot's full name.
        to: Arc<str>,
    },
    /// Makes a clone the owner of its origin (`dsl_dataset_promote`).
    Promote {
        /// The clone's full name.
        name: Arc<str>,
    },
    /// Renames a filesystem with all below it (`dsl_dir_rename`).
    Rename {
        /// Its full name.
        from: Arc<str>,
        /// The full name it gets.
        to: Arc<str>,
    },
    /// Renames a snapshot (`dsl_dataset_rename_snapshot`).
    RenameSnapshot {
        /// The full name of its filesystem.
        filesystem: Arc<str>,
        /// What follows the `@`.
        from: Arc<str>,
        /// What will follow it.
        to: Arc<str>,
        /// Rename those of this name in all filesystems below too.
        recursive: bool,
    },
    /// Sets properties (`dsl_props_set`).
    Set {
        /// The full name of a filesystem or snapshot.
        name: Arc<str>,
        /// The properties with their values.
        settings: Vec<(Key, Value)>,
    },
    /// Removes what is set on a dataset itself (`dsl_prop_inherit`).
    Inherit {
        /// The full name of a filesystem or snapshot.
        name: Arc<str>,
        /// The property.
        key: Key,
    },
    /// Makes a bookmark (`dsl_bookmark_create`).
    Bookmark {
        /// Its full name.
        name: Arc<str>,
        /// The full name of the snapshot or bookmark that is marked.
        source: Arc<str>,
    },
    /// Destroys a bookmark; a missing one does not matter (`dsl_bookmark_destroy`).
    DestroyBookmark {
        /// Its full name.
        name: Arc<str>,
    },
    /// Places holds on snapshots, all or none (`dsl_dataset_user_hold`).
    Hold {
        /// The full names of the snapshots.
        names: Vec<Arc<str>>,
        /// The tag.
        tag: Arc<str>,
    },
    /// Releases holds, all or none (`dsl_dataset_user_release`).
    Release {
        /// The full names of the snapshots.
        names: Vec<Arc<str>>,
        /// The tag.
        tag: Arc<str>,
    },
}

/// Whether only the sync task refuses a snapshot for this reason (`dsl_dataset_snapshot_check_impl`).
fn is_found_late(reason: &Reason) -> bool {
    matches!(reason, Reason::AlreadyExists | Reason::OutOfSpace)
}

/// Whether a property is a limit or a promise of space.
fn limits(key: &Key) -> bool {
    let limits = [
        Property::Quota,
        Property::Refquota,
        Property::Reservation,
        Property::Refreservation,
    ];
    limits.map(Key::Native).contains(key)
}

/// How an operation ended, before it becomes an [`Outcome`].
pub(crate) type Result<T = ()> = std::result::Result<T, Reason>;

impl DslOp {
    /// The name of what it is about, or of the first thing.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            DslOp::Create { name, .. }
            | DslOp::Clone { name, .. }
            | DslOp::Destroy { name }
            | DslOp::Promote { name }
            | DslOp::Set { name, .. }
            | DslOp::Inherit { name, .. }
            | DslOp::Bookmark { name, .. }
            | DslOp::DestroyBookmark { name }
            | DslOp::Rollback { to: name }
            | DslOp::Rename { from: name, .. }
            | DslOp::RenameSnapshot {
                filesystem: name, ..
            } => name,
            DslOp::Snapshot { names, .. }
            | DslOp::DestroySnapshots { names, .. }
            | DslOp::Hold { names, .. }
            | DslOp::Release { names, .. } => names.first().map_or("", |name| name),
        }
    }

    pub(crate) fn apply(&self, state: &mut State) -> Outcome {
        let pool = names::pool(self.name());
        if let Err(reason) = state.check_writable(pool) {
            return Outcome::Refused(reason);
        }
        let used_by = |state: &State| {
            let pool = state.pools.get(pool);
            pool.map_or(0, |pool| pool.space.used(pool.root).most)
        };
        let before = used_by(state);
        let fits = match (self.needs(state), state.pools.get(pool)) {
            (Some((blocks, part)), Some(pool)) => state.has_space_for(pool, blocks, part),
            _ => Fits::Yes,
        };
        // Whatever else there is against it comes first.
        let done = if fits == Fits::Yes {
            self.run(state)
        } else {
            // What only the sync task finds comes after it.
            let trial = match self.run(&mut state.clone()) {
                Err(Reason::Snapshots(each)) if each.iter().all(|(_, it)| is_found_late(it)) => {
                    Ok(())
                }
                trial => trial,
            };
            match trial {
                Ok(()) if fits == Fits::Unknown => {
                    return Outcome::NotModelled("whether a pool has the space for that");
                }
                Ok(()) => {
                    if let Some(pool) = state.pools.get(pool) {
                        state.close_txg_at(pool.root);
                    }
                    Err(Reason::OutOfSpace)
                }
                refused => refused,
            }
        };
        let freed = before.saturating_sub(used_by(state));
        if let Some(pool) = state.pools.get_mut(pool) {
            let pool = Arc::make_mut(pool);
            pool.freed[0] = pool.freed[0].saturating_add(freed);
        }
        match done {
            Ok(()) => Outcome::Done,
            Err(reason) => Outcome::Refused(reason),
        }
    }

    /// How many blocks of the pool's own metadata it may change, and with which part of what is kept back (see
    /// [`crate::spa::Pool::fillable`]); none if it always may. What `dsl_sync_task` is called with.
    pub(super) fn needs(&self, state: &State) -> Option<(u64, u32)> {
        Some(match self {
            DslOp::Create { .. } | DslOp::Clone { .. } => (6, 0),
            DslOp::Snapshot { names, .. } => (3 * names.len() as u64, 0),
            DslOp::Bookmark { .. } => (1, 0),
            // By how many snapshots the clone has already.
            DslOp::Promote { name } => {
                let clone = state.find(name).and_then(|id| state.filesystem(id));
                (2 + clone.map_or(0, |it| it.snapshots.len() as u64), 1)
            }
            DslOp::Rename { .. } => (3, 1),
            DslOp::Set { settings, .. } if settings.iter().any(|(key, _)| limits(key)) => (0, 2),
            // If not all fit at once, each is tried alone (`zfs_set_prop_nvlist`).
            DslOp::Set { .. } | DslOp::Inherit { .. } => (2, 1),
            DslOp::DestroyBookmark { .. }
            | DslOp::Rollback { .. }
            | DslOp::RenameSnapshot { .. } => (1, 1),
            DslOp::Hold { names, .. } => (names.len() as u64, 1),
            DslOp::Release { .. } => (0, 2),
            DslOp::Destroy { .. } | DslOp::DestroySnapshots { .. } => return None,
        })
    }

    fn run(&self, state: &mut State) -> Result {
        match self {
            DslOp::Create {
                name,
                volume,
                settings,
            } => state.create(name, *volume, settings),
            DslOp::Clone {
                name,
                origin,
                settings,
            } => state.clone_snapshot(name, origin, settings),
            DslOp::Snapshot { names, settings } => state.snapshot_all(names, settings),
            DslOp::Destroy { name } => state.destroy(name),
            DslOp::DestroySnapshots { names, defer } => state.destroy_snapshots(names, *defer),
            DslOp::Rollback { to } => state.rollback(to),
            DslOp::Promote { name } => state.promote(name),
            DslOp::Rename { from, to } => state.rename(from, to),
            DslOp::RenameSnapshot {
                filesystem,
                from,
                to,
                recursive,
            } => state.rename_snapshots(filesystem, from, to, *recursive),
            DslOp::Set { name, settings } => state.set(name, settings),
            DslOp::Inherit { name, key } => state.inherit(name, key),
            DslOp::Bookmark { name, source } => state.bookmark(name, source),
            DslOp::DestroyBookmark { name } => state.destroy_bookmark(name),
            DslOp::Hold { names, tag } => state.hold(names, tag),
            DslOp::Release { names, tag } => state.release(names, tag),
        }
    }
}
