//! Pools: their vdevs, their datasets, and transaction groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dsl::dataset::{Dataset, DatasetId};

pub mod op;

/// An imported pool.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// The open transaction group; what is written now is born in it. Counts from 1.
    pub open_txg: u64,
    /// Every dataset, snapshots included.
    pub datasets: BTreeMap<DatasetId, Arc<Dataset>>,
    /// The filesystem that carries the pool's name.
    pub root: DatasetId,
}

impl Pool {
    /// The dataset with this number, if it is this pool's.
    #[must_use]
    pub fn dataset(&self, id: DatasetId) -> Option<&Dataset> {
        self.datasets.get(&id).map(|dataset| &**dataset)
    }

    /// Closes the open transaction group: what is written from now on is born in the next one.
    pub fn close_txg(&mut self) {
        self.open_txg += 1;
    }
}
