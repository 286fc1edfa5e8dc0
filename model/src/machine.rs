//! The machine: pools, vdev files, mounts, open files, a clock, and the release it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::dmu::ObjectId;
use crate::dmu::compress::Zstd;
use crate::dsl::dataset::DatasetId;
use crate::fault::Fault;
use crate::op::Op;
use crate::outcome::Outcome;
use crate::release::Release;
use crate::spa::Pool;
use crate::zpl::mount::Mounts;
use crate::zpl::open::OpenFiles;
use crate::zpl::permission::Credentials;

/// A machine with pools, as a value.
///
/// Cloning is O(1): the copies share everything until one of them is changed.
#[derive(Clone, Debug)]
pub struct Machine {
    state: Arc<State>,
}

/// Everything a [`Machine`] holds.
#[derive(Clone, Debug)]
pub struct State {
    /// The OpenZFS release whose rules apply.
    pub release: Release,
    /// Seconds since the machine's epoch; advances by one with each step of a trace.
    pub now: u64,
    /// Vdev files by absolute path, with their size in bytes.
    pub vdevs: BTreeMap<String, u64>,
    /// Directories outside of all datasets that were made as mountpoints, or to reach one, by absolute path.
    pub directories: BTreeSet<String>,
    /// Imported pools by name.
    pub pools: BTreeMap<String, Arc<Pool>>,
    /// Exported pools, the last one last.
    pub exported: Vec<Arc<Pool>>,
    /// Who makes the system calls on files.
    pub user: Credentials,
    /// The mount table.
    pub mounts: Mounts,
    /// Open files, by the process and the name of the handle.
    pub open_files: OpenFiles,
    /// The sizes of files that `stat` tells although they are others, by the reading into memory and the object: those to
    /// which the files could not be extended.
    pub(crate) told_sizes: BTreeMap<(u64, ObjectId), u64>,
    /// The number that the next dataset gets.
    pub next_dataset: u64,
    /// How far zstd shrinks a block, if that is known.
    pub zstd: Option<Zstd>,
    /// The planted fault, if any; part of the value, so that no global is needed.
    pub fault: Option<Fault>,
}

impl Machine {
    /// A machine without pools that runs `release`.
    #[must_use]
    pub fn new(release: Release) -> Self {
        Machine {
            state: Arc::new(State {
                release,
                now: 0,
                vdevs: BTreeMap::new(),
                directories: BTreeSet::new(),
                pools: BTreeMap::new(),
                exported: Vec::new(),
                user: Credentials::default(),
                mounts: Mounts::default(),
                open_files: OpenFiles::default(),
                told_sizes: BTreeMap::new(),
                next_dataset: 1,
                zstd: None,
                fault: None,
            }),
        }
    }

    /// The same machine, which knows how far zstd shrinks a block.
    #[must_use]
    pub fn with_zstd(mut self, zstd: Zstd) -> Self {
        Arc::make_mut(&mut self.state).zstd = Some(zstd);
        self
    }

    /// The same machine with `fault` planted in its rules.
    #[cfg(feature = "faults")]
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        Arc::make_mut(&mut self.state).fault = Some(fault);
        self
    }

    /// What the machine holds, to be read.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Applies one operation. Total: what ZFS refuses is refused with the same reason, and a refused
    /// operation changes nothing.
    pub fn apply(&mut self, op: &Op) -> Outcome {
        op.apply(Arc::make_mut(&mut self.state))
    }
}

impl State {
    /// Whether this fault is planted. Without the feature `faults` it never is, and the check vanishes.
    #[must_use]
    pub fn faulty(&self, fault: Fault) -> bool {
        cfg!(feature = "faults") && self.fault == Some(fault)
    }

    /// Whether nothing is known to lie in a directory outside of all datasets.
    #[must_use]
    pub fn is_outside_empty(&self, path: &str) -> bool {
        let below = |it: &String| {
            let rest = it.strip_prefix(path);
            rest.is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
        };
        !self.directories.iter().any(below) && !self.vdevs.keys().any(below)
    }

    /// Makes the files of a filesystem those of another reading into memory.
    pub(crate) fn read_again(&mut self, id: DatasetId) {
        let reading = self.number().0;
        if let Some(filesystem) = self.filesystem_mut(id) {
            filesystem.reading = reading;
        }
    }

    /// The size that `stat` tells of a file, if it is another one than that which it has.
    pub(crate) fn told_size(&self, id: DatasetId, object: ObjectId) -> Option<u64> {
        let reading = self.filesystem(id)?.reading;
        self.told_sizes.get(&(reading, object)).copied()
    }

    /// Lets `stat` tell a size that a file did not get (`truncate_setsize` behind a failed `zfs_extend`).
    pub(crate) fn tell_size(&mut self, id: DatasetId, object: ObjectId, size: u64) {
        if let Some(reading) = self.filesystem(id).map(|it| it.reading)
            && !self.faulty(Fault::RefusedSizeIsHidden)
        {
            self.told_sizes.insert((reading, object), size);
        }
    }

    /// Lets `stat` tell the size that a file has (`zfs_znode_update_vfs`).
    pub(crate) fn tell_real_size(&mut self, id: DatasetId, object: ObjectId) {
        if self.told_sizes.is_empty() {
            return;
        }
        if let Some(reading) = self.filesystem(id).map(|it| it.reading) {
            self.told_sizes.remove(&(reading, object));
        }
    }

    /// A number for a new dataset.
    pub(crate) fn number(&mut self) -> DatasetId {
        let id = DatasetId(self.next_dataset);
        self.next_dataset += 1;
        id
    }
}
