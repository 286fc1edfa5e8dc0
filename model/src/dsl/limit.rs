//! Limits of filesystems and snapshots, and the counts that are kept for them (`dsl_dir_activate_fs_ss_limit`,
//! `dsl_fs_ss_count_adjust`). Root, as whom all programs run, may exceed any limit.

use std::collections::BTreeMap;

use crate::dsl::dataset::DatasetId;
use crate::dsl::properties::Key;
use crate::dsl::property::{Property, Value};
use crate::machine::State;

/// Whether one of these settings is a limit.
pub(crate) fn is_limited(settings: &BTreeMap<Key, Value>) -> bool {
    settings.iter().any(|(key, value)| is_limit(key, value))
}

/// Whether this is a limit; `none` is no limit.
pub(crate) fn is_limit(key: &Key, value: &Value) -> bool {
    let limits = [Property::FilesystemLimit, Property::SnapshotLimit];
    limits.into_iter().any(|limit| *key == Key::Native(limit)) && *value != Value::Number(u64::MAX)
}

impl State {
    /// Counts what is below a dataset from now on, and all that is made in its pool.
    pub(crate) fn count_below(&mut self, id: DatasetId) {
        if let Some(pool) = self.pool_of_mut(id) {
            pool.counts = true;
        }
        for below in self.subtree(id) {
            if let Some(filesystem) = self.filesystem_mut(below) {
                filesystem.counted = true;
            }
        }
    }

    /// How many filesystems, volumes included, and snapshots are below a dataset, its own snapshots
    /// included; none where nobody counts.
    #[must_use]
    pub fn counts(&self, id: DatasetId) -> Option<(u64, u64)> {
        self.filesystem(id).filter(|it| it.counted)?;
        let subtree = self.subtree(id);
        let snapshots = subtree.iter().filter_map(|&id| self.filesystem(id));
        let snapshots: usize = snapshots.map(|it| it.snapshots.len()).sum();
        Some((subtree.len() as u64 - 1, snapshots as u64))
    }
}
