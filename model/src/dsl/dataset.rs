//! A dataset: a filesystem or a snapshot.

use crate::dmu::Objset;

/// The number of a dataset, unique on its machine for all time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatasetId(pub u64);

/// A dataset of a pool.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its number.
    pub id: DatasetId,
    /// Its files. A snapshot's never change.
    pub objset: Objset,
}
