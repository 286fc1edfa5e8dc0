//! Pools: their vdevs, their datasets, and transaction groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::dmu::storage::Figure;
use crate::dsl::dataset::{Dataset, DatasetId};
use crate::dsl::space::Space;
use crate::maps::Radix;
use import::Checkpoint;
use scan::Scan;
use sharing::Sharing;
use size::Metaslabs;

pub mod create;
pub mod feature;
pub mod import;
pub mod op;
pub mod property;
pub mod scan;
pub mod sharing;
pub mod size;
pub mod txg;
pub mod vdev;

/// How vdevs stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One device.
    Single,
    /// Copies on all of them.
    Mirror,
    /// That many of them may fail.
    Raidz(u8),
    /// The same, and each row of sectors goes to some of them.
    Draid(Draid),
}

/// How a draid spreads its rows (`vdev_draid_config_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draid {
    /// The sectors of parity in a row.
    pub parity: u64,
    /// The sectors of data in a row.
    pub data: u64,
    /// The devices whose space is spread over all and kept for when one fails.
    pub spares: u64,
}

/// A top-level vdev.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vdev {
    /// How its devices stand together.
    pub shape: Shape,
    /// The devices: absolute paths of vdev files.
    pub devices: Vec<Arc<str>>,
}

/// The number of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guid {
    /// The pool drew it at random; this one is the model's.
    Drawn(u64),
    /// It was given.
    Given(u64),
}

impl Guid {
    /// The number, be it the model's.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Guid::Drawn(number) | Guid::Given(number) => number,
        }
    }
}

/// A pool, imported or not.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// The name that its devices have, which may be another one while it is imported.
    pub label: Arc<str>,
    /// Its number.
    pub guid: Guid,
    /// Whether it was destroyed, and only its devices tell of it.
    pub destroyed: bool,
    /// What its devices tell of it, where it is imported read-only; they go on telling that.
    pub on_devices: Option<Arc<Pool>>,
    /// The open transaction group; what is written now is born in it. Counts from 1.
    pub open_txg: u64,
    /// The transaction group that was opened when a clone was destroyed: what only that had is freed in the background, in
    /// more transaction groups (`spa_livelist_delete_cb`).
    pub freeing: Option<u64>,
    /// The datasets that have changed since they were last brought to disk, with the transaction group of that.
    pub dirty: BTreeMap<DatasetId, u64>,
    /// What changed before this transaction group is on disk.
    pub synced_before: u64,
    /// At most what the changes count for that are not on disk.
    pub(crate) in_flight: u64,
    /// What datasets gave up lately, at most: in the transaction group that is open, and in those before it.
    pub(crate) freed: [u64; 3],
    /// The transaction group of which nobody knows whether it was closed, because so much was dirty.
    pub(crate) doubt: Option<u64>,
    /// The datasets that ever had a quota.
    pub(crate) limited: BTreeSet<DatasetId>,
    /// What its datasets take on disk.
    pub space: Space,
    /// Every dataset, snapshots included.
    pub datasets: Radix<DatasetId, Arc<Dataset>>,
    /// The filesystem that carries the pool's name.
    pub root: DatasetId,
    /// Its top-level vdevs.
    pub vdevs: Vec<Vdev>,
    /// How many of them it was made with.
    pub first_vdevs: usize,
    /// Those of its devices that tell nothing of it, until it is exported again.
    pub unlabelled: BTreeSet<Arc<str>>,
    /// A sector has `1 << ashift` bytes.
    pub ashift: u32,
    /// The properties of the pool that are set, by name, a user's among them.
    pub settings: BTreeMap<Arc<str>, Arc<str>>,
    /// Whether there ever was a limit, so that what is made is counted (feature `filesystem_limits`).
    pub counts: bool,
    /// Blocks that stand for several, apart from snapshots and clones.
    pub sharing: Sharing,
    /// The dataset to boot from.
    pub bootfs: Option<DatasetId>,
    /// The features that are enabled, by name.
    pub features: BTreeSet<&'static str>,
    /// Those of them that were enabled when the pool was there already.
    pub enabled_later: BTreeSet<&'static str>,
    /// The state that is kept to go back to.
    pub checkpoint: Option<Checkpoint>,
    /// The last scan.
    pub scan: Option<Scan>,
    /// Whether a checkpoint is being discarded; nobody knows for how long.
    pub discarding: bool,
    /// The commands that changed it, counted from 0, with when that was, in seconds since the machine's epoch.
    pub history: Radix<u64, (u64, Arc<str>)>,
    /// What each top-level vdev is divided into.
    pub metaslabs: Vec<Metaslabs>,
}

impl Pool {
    /// Whether it may still close transaction groups by itself, to free something.
    #[must_use]
    pub fn is_freeing(&self) -> bool {
        self.freeing == Some(self.open_txg)
    }

    /// Whether it may still close transaction groups by itself, also because it was just made (measured: `traces/space/new-pool`).
    #[must_use]
    pub fn is_restless(&self) -> bool {
        self.is_freeing() || self.open_txg == create::FIRST_TXG
    }

    /// The dataset with this number, if it is this pool's.
    #[must_use]
    pub fn dataset(&self, id: DatasetId) -> Option<&Dataset> {
        self.datasets.get(&id).map(|dataset| &**dataset)
    }

    /// Its own name, where it is imported under another one for a time.
    #[must_use]
    pub fn lasting_name(&self) -> Option<&str> {
        (*self.label != *self.name).then_some(&*self.label)
    }

    /// Whether it is imported read-only (`spa_writeable`).
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.on_devices.is_some()
    }

    /// The vdev files that it lives in.
    pub fn devices(&self) -> impl Iterator<Item = &str> {
        self.vdevs
            .iter()
            .flat_map(|vdev| vdev.devices.iter().map(|device| &**device))
    }

    /// Whether any filesystem has a list of bookmarks, be it empty.
    #[must_use]
    pub fn has_bookmarks(&self) -> bool {
        let mut datasets = self.datasets.values();
        datasets.any(|it| it.filesystem().is_some_and(|it| it.lists_bookmarks))
    }

    /// What the pool takes for itself: what it knows of its datasets, its history, and the maps of its space.
    #[must_use]
    pub fn own_metadata(&self) -> Figure {
        let datasets = self.datasets.len() as u64;
        let commands = self.history.len() as u64;
        let maps = self.space.used(self.root).most >> 8;
        Figure {
            least: 32 << self.ashift,
            most: ((128 + 12 * datasets + commands / 2) << self.ashift.max(12)) + maps,
        }
    }

    /// What an empty filesystem takes, in bytes: twelve blocks of metadata, each twice. Small sectors let
    /// compression save some.
    #[must_use]
    pub fn least_filesystem(&self) -> u64 {
        Self::least(self.ashift)
    }

    pub(crate) fn least(ashift: u32) -> u64 {
        (24 << ashift).max(24 << 10)
    }
}
