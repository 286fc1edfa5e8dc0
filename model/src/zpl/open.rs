//! Open files.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dmu::ObjectId;
use crate::dsl::dataset::DatasetId;
use crate::zpl::mount::MountId;

/// The name of an open file: the process, and the handle's name in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle {
    /// The process; empty for the first.
    pub process: Arc<str>,
    /// The name given at `open`.
    pub name: Arc<str>,
}

/// An open file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFile {
    /// Its dataset.
    pub dataset: DatasetId,
    /// Its object there.
    pub object: ObjectId,
    /// The object's generation when it was opened; another one now means it is gone.
    pub generation: u64,
    /// The mount it was opened through; none for a snapshot that was reached without one.
    pub mount: Option<MountId>,
    /// Whether it was opened for writing too.
    pub writable: bool,
    /// Whether the dataset was mounted read-only then, and not because its property says so. Its superblock
    /// stays so as long as it is open; what the property makes of it follows the property.
    pub read_only: bool,
}

/// Open files by process and handle.
#[derive(Clone, Debug, Default)]
pub struct OpenFiles {
    files: BTreeMap<Handle, OpenFile>,
}

impl OpenFiles {
    /// The file behind a handle.
    #[must_use]
    pub fn get(&self, handle: &Handle) -> Option<&OpenFile> {
        self.files.get(handle)
    }

    /// All of them, by handle.
    pub fn iter(&self) -> impl Iterator<Item = (&Handle, &OpenFile)> {
        self.files.iter()
    }

    /// Whether a file of this dataset is open.
    #[must_use]
    pub fn on_dataset(&self, dataset: DatasetId) -> bool {
        self.files.values().any(|file| file.dataset == dataset)
    }

    /// Whether the superblock that open files of this dataset keep alive is read-only; none without any.
    #[must_use]
    pub fn read_only(&self, dataset: DatasetId) -> Option<bool> {
        let file = self.files.values().find(|file| file.dataset == dataset)?;
        Some(file.read_only)
    }

    /// Whether a file is open through this mount.
    #[must_use]
    pub fn through(&self, mount: MountId) -> bool {
        self.files.values().any(|file| file.mount == Some(mount))
    }

    /// Whether a file is open for writing through this mount.
    #[must_use]
    pub fn writes_through(&self, mount: MountId) -> bool {
        let mut files = self.files.values();
        files.any(|file| file.mount == Some(mount) && file.writable)
    }

    /// Whether this object is open.
    #[must_use]
    pub fn has(&self, dataset: DatasetId, object: ObjectId) -> bool {
        self.files
            .values()
            .any(|file| file.dataset == dataset && file.object == object)
    }

    pub(crate) fn insert(&mut self, handle: Handle, file: OpenFile) {
        self.files.insert(handle, file);
    }

    pub(crate) fn remove(&mut self, handle: &Handle) -> Option<OpenFile> {
        self.files.remove(handle)
    }
}
