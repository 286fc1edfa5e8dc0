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
}
