//! Open files.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dmu::{Blocks, ObjectId};
use crate::dsl::assign::Change;
use crate::dsl::dataset::DatasetId;
use crate::fault::Fault;
use crate::machine::State;
use crate::outcome::Errno;
use crate::zpl::files::{
    Found, Reached, allocate, create, may_open, objset_mut, reach, walk, znode, znode_mut,
};
use crate::zpl::mount::MountId;
use crate::zpl::op::{At, Opening, Result};
use crate::zpl::permission::{READ, WRITE};
use crate::zpl::setattr::cut;
use crate::zpl::znode::Body;

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
#[allow(
    clippy::struct_excessive_bools,
    reason = "they are flags of the kernel's"
)]
pub struct OpenFile {
    /// Its dataset.
    pub dataset: DatasetId,
    /// Its object there.
    pub object: ObjectId,
    /// The object's generation when it was opened; another one now means it is gone.
    pub generation: u64,
    /// The mount it was opened through; none for a snapshot that was reached without one.
    pub mount: Option<MountId>,
    /// Whether it was opened to be read.
    pub readable: bool,
    /// Whether it was opened to be written.
    pub writable: bool,
    /// Whether what is written goes to its end.
    pub append: bool,
    /// Whether it may get a name although it has none (`I_LINKABLE`).
    pub linkable: bool,
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

    /// The superblock of a dataset follows its property from now on.
    pub(crate) fn follow_property(&mut self, dataset: DatasetId) {
        let files = self.files.values_mut();
        for file in files.filter(|file| file.dataset == dataset) {
            file.read_only = false;
        }
    }

    pub(crate) fn insert(&mut self, handle: Handle, file: OpenFile) {
        self.files.insert(handle, file);
    }

    pub(crate) fn remove(&mut self, handle: &Handle) -> Option<OpenFile> {
        self.files.remove(handle)
    }
}

/// What is opened: there, or about to be made.
pub(super) enum Opened {
    /// An object.
    There(ObjectId),
    /// A new name in a directory.
    Missing(DatasetId, ObjectId, String),
}

impl Opened {
    /// The object, which is made when it is missing.
    pub fn ready(self, state: &mut State) -> Result<ObjectId> {
        match self {
            Opened::There(object) => Ok(object),
            Opened::Missing(id, directory, name) => {
                let body = Body::File(Blocks::default());
                create(state, id, directory, &name, body, MODE)
            }
        }
    }
}

/// The mode of a new file.
const MODE: u32 = 0o644;

/// Looks for what is opened, and whether that is allowed (`path_openat`, `do_open`). Nothing is made yet.
pub(super) fn open_at(state: &mut State, at: &At, how: Opening) -> Found<(Reached, Opened)> {
    let reached = reach(state, &at.dataset)?;
    let id = reached.dataset;
    let follow = !(how.no_follow || how.create && how.exclusive);
    let (name, found) = walk(state, reached, |walk| {
        if follow {
            return walk.target(&at.path);
        }
        let name = walk.parent(&at.path)?;
        let found = match &name.name {
            Some(last) => walk.lookup(name.directory, last)?,
            None => Some(name.directory),
        };
        Ok((name, found))
    })?;
    let Some(object) = found else {
        if !how.create {
            return Err(Errno::ENOENT);
        }
        reached.may_change()?;
        state.may_create(id, name.directory)?;
        let last = name.name.ok_or(Errno::ENOENT)?;
        return Ok((reached, Opened::Missing(id, name.directory, last)));
    };
    if how.create && how.exclusive {
        return Err(Errno::EEXIST);
    }
    let is_directory = znode(state, id, object)?.is_directory();
    if how.create {
        // A link is looked at further down.
        if is_directory {
            return Err(Errno::EISDIR);
        }
        state.may_open_in_sticky(id, name.directory, object)?;
    }
    if how.directory && !is_directory {
        return Err(Errno::ENOTDIR);
    }
    let read = if how.read { READ } else { 0 };
    let write = if how.write || how.truncate { WRITE } else { 0 };
    may_open(state, reached, object, read | write)?;
    Ok((reached, Opened::There(object)))
}

/// `open(2)`
pub(super) fn open(state: &mut State, handle: &Handle, at: &At, how: Opening) -> Result {
    if state.open_files.get(handle).is_some() {
        return Err(Errno::EEXIST.into());
    }
    let (reached, object) = if how.temporary {
        make_temporary(state, at, how)?
    } else {
        let (reached, opened) = open_at(state, at, how)?;
        let is_there = matches!(opened, Opened::There(_));
        let object = opened.ready(state)?;
        let is_file = matches!(znode(state, reached.dataset, object)?.body, Body::File(_));
        if how.truncate && is_there && is_file {
            cut(state, reached.dataset, object, 0)?;
        }
        (reached, object)
    };
    let generation = znode(state, reached.dataset, object)?.generation;
    let file = OpenFile {
        dataset: reached.dataset,
        object,
        generation,
        mount: reached.mount,
        readable: how.read,
        writable: how.write,
        append: how.append,
        linkable: how.temporary && !how.exclusive,
        read_only: reached.read_only && !state.is_readonly(reached.dataset),
    };
    state.open_files.insert(handle.clone(), file);
    Ok(None)
}

/// `do_tmpfile`: a file without a name, which waits in the delete queue (`zfs_tmpfile`).
fn make_temporary(state: &mut State, at: &At, how: Opening) -> Result<(Reached, ObjectId)> {
    let reached = reach(state, &at.dataset)?;
    let directory = walk(state, reached, |walk| {
        if how.no_follow {
            walk.find_link(&at.path)
        } else {
            walk.find(&at.path)
        }
    })?;
    if !how.write {
        return Err(Errno::EINVAL.into());
    }
    let id = reached.dataset;
    if !znode(state, id, directory)?.is_directory() {
        return Err(Errno::ENOTDIR.into());
    }
    reached.may_change()?;
    state.may_create(id, directory)?;
    state.assign(id, Change::tables(2))?;
    let mode = if state.faulty(Fault::TemporaryIgnoresUmask) {
        0o666
    } else {
        MODE
    };
    let object = allocate(state, id, directory, Body::File(Blocks::default()), mode)?;
    znode_mut(state, id, object)?.links = 0;
    objset_mut(state, id)?.queue(object);
    Ok((reached, object))
}
