//! Snapshots (`dsl_dataset_snapshot_check`, `dsl_dataset_snapshot_sync`).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::dsl::dataset::{Dataset, DatasetId, Kind, Snapshot};
use crate::dsl::names::{self, Expected};
use crate::dsl::op::Result;
use crate::dsl::properties::Key;
use crate::dsl::property::Value;
use crate::dsl::reason::Reason;
use crate::dsl::room::Fits;
use crate::fault::Fault;
use crate::machine::State;

impl State {
    /// All of them in one transaction group, or none.
    pub(crate) fn snapshot_all(&mut self, names: &[Arc<str>], settings: &[(Key, Value)]) -> Result {
        // A name said twice is one snapshot, where it was said last: that is how lists of pairs with unique
        // names work.
        let names: Vec<&Arc<str>> = {
            let mut seen = BTreeSet::new();
            let last = names.iter().rev().filter(|name| seen.insert(&***name));
            let mut names: Vec<_> = last.collect();
            names.reverse();
            names
        };
        for name in &names {
            names::check_new(name, Expected::Snapshot)?;
        }
        let pools: BTreeSet<&str> = names.iter().map(|name| names::pool(name)).collect();
        let filesystems: BTreeSet<&str> = names.iter().map(|name| filesystem(name)).collect();
        if pools.len() > 1 || filesystems.len() < names.len() {
            return Err(Reason::SnapshotTwice);
        }
        let mut found = Vec::new();
        let mut refused = Vec::new();
        for name in &names {
            match self.find(filesystem(name)) {
                None => refused.push(((*name).clone(), Reason::NoSuchDataset)),
                Some(_) if self.find(name).is_some() => {
                    refused.push(((*name).clone(), Reason::AlreadyExists));
                }
                Some(id) if self.fits_snapshot(id) == Fits::No => {
                    refused.push(((*name).clone(), Reason::OutOfSpace));
                }
                Some(id) => found.push((id, *name)),
            }
        }
        if !refused.is_empty() {
            // Only the sync task looks at names and for space (`dsl_dataset_snapshot_check_impl`).
            let missing = |(_, reason): &(_, Reason)| *reason == Reason::NoSuchDataset;
            if !refused.iter().any(missing) {
                self.close_txg_named(names[0]);
            }
            return Err(Reason::Snapshots(refused));
        }
        if self.faulty(Fault::SnapshotMissesChild) && found.len() > 1 {
            found.pop();
        }
        for (id, name) in &found {
            self.write_open(*id);
            self.add_snapshot(*id, name, settings);
        }
        if let Some(pool) = found.first().and_then(|(id, _)| self.pool_of_mut(*id)) {
            pool.close_txg();
        }
        Ok(())
    }

    fn add_snapshot(&mut self, of: DatasetId, name: &str, settings: &[(Key, Value)]) {
        let txg = self.pool_of(of).map_or(0, |pool| pool.open_txg);
        let Some(dataset) = self.dataset_mut(of) else {
            return;
        };
        dataset.objset.mark(txg);
        let objset = dataset.objset.clone();
        let id = self.number();
        let now = self.now;
        let deferred = self.faulty(Fault::CloneInheritsDeferral) && self.has_deferred_origin(of);
        let Some(pool) = self.pool_of_mut(of) else {
            return;
        };
        let component = Arc::from(names::component(name));
        let dataset = Dataset {
            id,
            component: Arc::clone(&component),
            creation_txg: txg,
            created: now,
            settings: settings.iter().cloned().collect(),
            objset,
            kind: Kind::Snapshot(Snapshot {
                filesystem: of,
                deferred,
                ..Snapshot::default()
            }),
        };
        pool.datasets.insert(id, Arc::new(dataset));
        pool.space.snapshot(of, id, txg);
        if let Some(filesystem) = self.filesystem_mut(of) {
            filesystem.snapshots.insert(txg, component, id);
            filesystem.snapshots_changed = Some(now);
        }
    }

    /// Whether it is a clone of a deferred snapshot (for a planted fault).
    fn has_deferred_origin(&self, id: DatasetId) -> bool {
        let origin = self.origin_of(id).and_then(|origin| self.snapshot(origin));
        origin.is_some_and(|origin| origin.deferred)
    }
}

/// The name of a snapshot's filesystem.
fn filesystem(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}
