//! What each system call does: the checks of Linux's VFS in their order, then those of ZFS.

use std::cell::RefCell;
use std::sync::Arc;

use crate::dmu::data::Piece;
use crate::dmu::storage::Storage;
use crate::dmu::{ObjectId, Objset, ROOT, Terms};
use crate::dsl::assign::Change;
use crate::dsl::dataset::{Dataset, DatasetId};
use crate::dsl::property::{Property, Value};
use crate::fault::Fault;
use crate::machine::State;
use crate::outcome::Errno;
use crate::release::Release;
use crate::zpl::control;
use crate::zpl::copy;
use crate::zpl::fold::Folding;
use crate::zpl::mount::MountId;
use crate::zpl::mounting;
use crate::zpl::op::{At, CALL, Failure, FileOp, FileResult, Opening, Renaming, Result, Target};
use crate::zpl::open::Handle;
use crate::zpl::open::{OpenFile, open, open_at};
use crate::zpl::permission::{READ, SET_GID, WRITE, without_privileges};
use crate::zpl::rename;
use crate::zpl::seek;
use crate::zpl::setattr;
use crate::zpl::telling;
use crate::zpl::walk::{Name, Trail, Walk};
use crate::zpl::xattr;
use crate::zpl::znode::{Body, Special, Znode};
use crate::zvol;

/// What new files do not get (`umask(2)`).
const UMASK: u32 = 0o022;

/// The largest size of a file, in bytes (`MAXOFFSET_T` of Linux).
pub(super) const MAX_SIZE: u64 = i64::MAX as u64;

/// What looking for something gives.
pub(crate) type Found<T = Option<FileResult>> = std::result::Result<T, Errno>;

/// A dataset as a system call reaches it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reached {
    pub dataset: DatasetId,
    /// The mount it goes through; none for a snapshot that is reached without one.
    pub mount: Option<MountId>,
    /// Whether changes are refused.
    pub read_only: bool,
}

/// What about a system call the model does not know.
pub(super) fn not_modelled(op: &FileOp, state: &State) -> Option<&'static str> {
    // Linux 6.1 lets users do what later ones refuse, where a module has a say in it.
    const OF_MODULES: &str = "what users may do to the attributes of security modules";
    let folds = |at: &&At| {
        let found = state.find(&at.dataset);
        found.is_some_and(|id| !Folding::of(state, id).knows(&at.path))
    };
    if op.paths().iter().any(folds) {
        return Some("which names with these letters are the same");
    }
    let is_of_module = |name: &str| name.starts_with("security.") && !state.user.is_root();
    let is_lost = |target: &Target| {
        let Target::Open(handle) = target else {
            return false;
        };
        let file = state.open_files.get(handle);
        file.is_some_and(|it| {
            let there = objset(state, it.dataset)
                .ok()
                .and_then(|all| all.get(it.object));
            there.is_none_or(|there| there.generation != it.generation)
        })
    };
    let is_data = matches!(op, FileOp::Write { .. } | FileOp::Read { .. });
    if !is_data && op.target().is_some_and(is_lost) {
        return Some("an open file that a rollback took away, but reading and writing it");
    }
    let is_told_wrong = |at: &At| {
        let found = peek(state, at, true).ok();
        found.is_some_and(|(it, object)| state.told_size(it.dataset, object).is_some())
    };
    let wrong = match op {
        FileOp::SetXattr { at, .. }
        | FileOp::RemoveXattr { at, .. }
        | FileOp::Punch {
            file: Target::Path(at),
            ..
        } => is_told_wrong(at),
        FileOp::Copy { from, to, .. } | FileOp::Reflink { from, to } => {
            is_told_wrong(from) || is_told_wrong(to)
        }
        _ => false,
    };
    if wrong {
        return Some("a file that could not be extended, and tells another size than it has");
    }
    match op {
        FileOp::Mount { path, .. }
        | FileOp::MakeMountpoint { path }
        | FileOp::RemoveMountpoint { path }
        | FileOp::Unmount { path, .. }
            if control::is_below(state, path) =>
        {
            Some("a mountpoint in a control directory")
        }
        FileOp::Rename {
            from,
            how: Renaming::Replace,
            ..
        } => {
            let (reached, object) = peek(state, from, false).ok()?;
            let through = state.mounts.get(reached.mount?)?;
            let moves = znode(state, reached.dataset, object).ok()?.is_directory();
            let top = format!("{}{}/", through.path.trim_end_matches('/'), from.path);
            let mut mounts = state.mounts.iter();
            let below = mounts.any(|mount| {
                mount.on.is_some_and(|(on, _)| on == through.id) && mount.path.starts_with(&top)
            });
            (moves && below).then_some("the rename of a directory with a mount below it")
        }
        FileOp::Blocks { at } => {
            let unlike = Storage::of(state, state.find(&at.dataset)?).is_none();
            unlike.then_some("which of several unlike vdevs takes a block")
        }
        FileOp::Copy {
            from,
            offset,
            to,
            at,
            len,
        } => copy::not_modelled(state, from, *offset, to, *at, *len),
        FileOp::Reflink { from, to } => copy::not_modelled(state, from, 0, to, 0, MAX_SIZE),
        FileOp::SetXattr { name, .. } if is_of_module(name) => Some(OF_MODULES),
        FileOp::SetXattr { at, name, value } => xattr::not_modelled(state, at, name, Some(value)),
        FileOp::RemoveXattr { name, .. } if is_of_module(name) => Some(OF_MODULES),
        FileOp::GetXattr { at, name } | FileOp::RemoveXattr { at, name } => {
            xattr::not_modelled(state, at, name, None)
        }
        _ => None,
    }
}

/// Runs one system call. On an error nothing has changed but when the links on the way were read.
pub(super) fn apply(op: &FileOp, state: &mut State) -> Result {
    match op {
        FileOp::Write {
            to: Target::Path(at),
            offset,
            data,
        } => write(state, at, *offset, data),
        FileOp::Write {
            to: Target::Open(handle),
            offset,
            data,
        } => write_open(state, handle, *offset, data),
        FileOp::Read {
            from: Target::Volume(volume),
            offset,
            len,
        } => Ok(zvol::read(state, volume, *offset, *len)?),
        FileOp::Read { from, offset, len } => read(state, from, *offset, *len),
        FileOp::Write {
            to: Target::Volume(volume),
            offset,
            data,
        } => zvol::write(state, volume, *offset, data),
        FileOp::Discard {
            volume,
            offset,
            len,
        } => zvol::discard(state, volume, *offset, *len),
        FileOp::Truncate { file, size } => setattr::truncate(state, file, *size),
        FileOp::MakeDirectory { at } => make(state, at, Body::directory(ROOT), 0o755),
        FileOp::MakeSpecial { at, special, mode } => make_special(state, at, *special, *mode),
        FileOp::Symlink { target, at } => symlink(state, target, at),
        FileOp::RemoveDirectory { at } => remove_directory(state, at),
        FileOp::Unlink { at } => unlink(state, at),
        FileOp::Rename { from, to, how } => rename::rename(state, from, to, *how),
        FileOp::Link { from, to } => link(state, from, to),
        FileOp::ReadLink { at } => {
            let (reached, object) = find_link(state, at)?;
            let Body::Link(target) = &znode(state, reached.dataset, object)?.body else {
                return Err(Errno::EINVAL.into());
            };
            let target = target.clone();
            state.was_read(reached.dataset, reached.mount, object);
            Ok(Some(FileResult::Text(target)))
        }
        FileOp::SetMode { file, mode } => setattr::set_mode(state, file, *mode),
        FileOp::SetOwner { file, uid, gid } => setattr::set_owner(state, file, *uid, *gid),
        FileOp::SetTimes {
            file,
            modification,
            access,
        } => setattr::set_times(state, file, *modification, *access),
        FileOp::Stat { file } => telling::tell(state, file),
        FileOp::Times { file } => telling::times(state, file),
        FileOp::Compare { one, other } => telling::compare(state, one, other),
        FileOp::StatFilesystem { at } => telling::stat_filesystem(state, at),
        FileOp::Seek { file, offset, hole } => seek::seek(state, file, *offset, *hole),
        FileOp::ReadDirectory { directory } => telling::read_directory(state, directory),
        FileOp::Tree { at } => {
            let (reached, object) = find_link(state, at)?;
            let objset = objset(state, reached.dataset)?;
            let mut tree = objset.tree(object);
            if object == ROOT
                && let Some(root) = tree.entries.first_mut()
            {
                root.links += state.control_links(reached.dataset);
            }
            for entry in &mut tree.entries {
                let told = state.told_size(reached.dataset, entry.object);
                entry.size = told.unwrap_or(entry.size);
            }
            let objects = tree.entries.iter().map(|entry| entry.object);
            telling::was_walked(state, reached, objects);
            Ok(Some(FileResult::Tree(tree)))
        }
        FileOp::Open { handle, at, how } => open(state, handle, at, *how),
        FileOp::Close { handle } => close(state, handle),
        FileOp::Shared { at, snapshot } => Ok(telling::shared(state, at, snapshot)?),
        FileOp::Punch { file, offset, len } => punch(state, file, *offset, *len),
        FileOp::Blocks { at } => Ok(telling::blocks(state, at)?),
        FileOp::Copy {
            from,
            offset,
            to,
            at,
            len,
        } => copy::copy_file_range(state, from, *offset, to, *at, *len),
        FileOp::Reflink { from, to } => copy::reflink(state, from, to),
        FileOp::SetXattr { at, name, value } => xattr::set(state, at, name, value),
        FileOp::GetXattr { at, name } => Ok(xattr::get(state, at, name)?),
        FileOp::RemoveXattr { at, name } => xattr::remove(state, at, name),
        FileOp::ListXattr { at } => Ok(xattr::list(state, at)?),
        FileOp::Mount {
            dataset,
            path,
            options,
            beside,
        } => {
            let path = state.resolve(path, true)?;
            mounting::mount(state, dataset, &path, *options, *beside)
        }
        FileOp::Remount { path, options } => {
            let path = state.resolve(path, true)?;
            let mount = state.mounts.at(&path).ok_or(Errno::EINVAL)?;
            let (id, becomes) = (mount.id, options.read_only && !mount.options.read_only);
            // `mnt_hold_writers`; a remount of a superblock that is read-only by now does not look.
            let by_now = state.release == Release::V2_1 && state.is_readonly(mount.dataset);
            if becomes && !by_now && state.open_files.writes_through(id) {
                return Err(Errno::EBUSY.into());
            }
            state.mounts.remount(id, *options);
            Ok(None)
        }
        FileOp::Unmount { path, how } => {
            let path = state.resolve(path, false)?;
            Ok(mounting::unmount(state, &path, *how)?)
        }
        FileOp::MakeMountpoint { path } => {
            // What a path climbs out of has to be there, too.
            for (end, _) in path.match_indices("/..") {
                let above = state.resolve(&path[..end], true)?;
                mounting::make_mountpoint(state, &above)?;
            }
            let path = state.resolve(path, true)?;
            mounting::make_mountpoint(state, &path)
        }
        FileOp::RemoveMountpoint { path } => {
            let path = state.resolve(path, false)?;
            mounting::remove_mountpoint(state, &path)
        }
        FileOp::MakeVdev { path, size } => {
            if state.vdevs.contains_key(&**path) {
                return Err(Errno::EEXIST.into());
            }
            state.vdevs.insert(path.to_string(), *size);
            Ok(None)
        }
    }
}

impl Reached {
    /// `mnt_want_write`.
    pub(super) fn may_change(self) -> Found<()> {
        if self.read_only {
            Err(Errno::EROFS)
        } else {
            Ok(())
        }
    }

    /// Whether devices cannot be opened through its mount (`MNT_NODEV`).
    fn has_no_devices(self, state: &State) -> bool {
        let mount = self.mount.and_then(|mount| state.mounts.get(mount));
        mount.is_some_and(|it| it.options.nodevices)
    }
}

/// Reaches a dataset through its oldest mount, or where another mount hides that, through one that nobody sees; a snapshot
/// is reached without one, too.
pub(super) fn reach(state: &State, name: &str) -> Found<Reached> {
    let id = state.find(name).ok_or(Errno::ENOENT)?;
    match state.mounts.first(id) {
        Some(mount) => Ok(Reached {
            dataset: id,
            mount: state.mounts.is_seen(mount).then_some(mount.id),
            read_only: mount.options.read_only || state.is_readonly(id),
        }),
        None if state.dataset(id).is_some_and(Dataset::is_snapshot) => Ok(Reached {
            dataset: id,
            mount: None,
            read_only: true,
        }),
        None => Err(Errno::ENOENT),
    }
}

pub(super) fn objset(state: &State, id: DatasetId) -> Found<&Objset> {
    state
        .dataset(id)
        .map(|dataset| &dataset.objset)
        .ok_or(Errno::ENOENT)
}

pub(crate) fn objset_mut(state: &mut State, id: DatasetId) -> Found<&mut Objset> {
    if let Some(pool) = state.pool_of_mut(id) {
        pool.dirty(id);
    }
    state
        .dataset_mut(id)
        .map(|dataset| &mut dataset.objset)
        .ok_or(Errno::ENOENT)
}

/// An object that must be there; one that a rollback took away is `EIO` (`zfs_rezget`).
pub(super) fn znode(state: &State, id: DatasetId, object: ObjectId) -> Found<&Znode> {
    objset(state, id)?.get(object).ok_or(Errno::EIO)
}

pub(super) fn znode_mut(state: &mut State, id: DatasetId, object: ObjectId) -> Found<&mut Znode> {
    state.tell_real_size(id, object);
    objset_mut(state, id)?.get_mut(object).ok_or(Errno::EIO)
}

/// What a write to this dataset needs to know.
pub(crate) fn terms(state: &State, id: DatasetId) -> Terms {
    let mut txg = state.pool_of(id).map_or(0, |pool| pool.open_txg);
    if state.faulty(Fault::BirthIsOfSnapshot) {
        let newest = state.filesystem(id).and_then(|it| it.snapshots.last());
        let newest = newest.or_else(|| state.origin_of(id));
        let made = newest.and_then(|it| state.dataset(it));
        txg = made.map_or(0, |it| it.creation_txg) + 1;
    }
    Terms {
        txg,
        recordsize: state.recordsize(id),
        policy: state.policy(id),
        now: state.now,
        reading: state.filesystem(id).map_or(0, |it| it.reading),
        dataset: id,
    }
}

/// Follows a path in the reached tree, and tells what it met.
pub(super) fn look<T>(
    state: &State,
    reached: Reached,
    follow: impl FnOnce(&Walk<'_>) -> Found<T>,
) -> Found<(Found<T>, Trail)> {
    let crosses = |directory| {
        reached
            .mount
            .is_some_and(|through| state.mounts.crosses(through, directory))
    };
    let dataset = state.dataset(reached.dataset).ok_or(Errno::ENOENT)?;
    let walk = Walk {
        objset: &dataset.objset,
        crosses: &crosses,
        folding: Folding::of(state, reached.dataset),
        user: &state.user,
        has_control: !dataset.is_snapshot(),
        trail: RefCell::default(),
    };
    Ok((follow(&walk), walk.trail.into_inner()))
}

/// Follows a path in the reached tree.
pub(super) fn walk<T>(
    state: &mut State,
    reached: Reached,
    follow: impl FnOnce(&Walk<'_>) -> Found<T>,
) -> Found<T> {
    let (found, trail) = look(state, reached, follow)?;
    for link in trail.followed {
        state.was_read(reached.dataset, reached.mount, link);
    }
    found
}

/// Where a path leads, as far as the model itself wants to know that: nothing is read.
pub(super) fn peek(state: &State, at: &At, follow: bool) -> Found<(Reached, ObjectId)> {
    let reached = reach(state, &at.dataset)?;
    let (found, _) = look(state, reached, |walk| {
        if follow {
            walk.find(&at.path)
        } else {
            walk.find_link(&at.path)
        }
    })?;
    Ok((reached, found?))
}

pub(super) fn find(state: &mut State, at: &At) -> Found<(Reached, ObjectId)> {
    let reached = reach(state, &at.dataset)?;
    Ok((reached, walk(state, reached, |walk| walk.find(&at.path))?))
}

pub(super) fn find_link(state: &mut State, at: &At) -> Found<(Reached, ObjectId)> {
    let reached = reach(state, &at.dataset)?;
    Ok((
        reached,
        walk(state, reached, |walk| walk.find_link(&at.path))?,
    ))
}

/// The file behind a handle. One whose object is gone since is `EIO`.
pub(super) fn open_file(state: &State, handle: &Handle) -> Found<OpenFile> {
    let file = state.open_files.get(handle).ok_or(Errno::EBADF)?;
    if znode(state, file.dataset, file.object)?.generation != file.generation {
        return Err(Errno::EIO);
    }
    Ok(file.clone())
}

/// Adds a name to a directory.
pub(super) fn enter(
    objset: &mut Objset,
    directory: ObjectId,
    name: &str,
    object: ObjectId,
    now: u64,
) -> Found<()> {
    let is_directory = objset.get(object).is_some_and(Znode::is_directory);
    let znode = objset.get_mut(directory).ok_or(Errno::ENOENT)?;
    let Body::Directory { entries, table, .. } = &mut znode.body else {
        return Err(Errno::ENOTDIR);
    };
    entries.insert(name.into(), object);
    table.enter(name, object, entries.len());
    znode.links += u64::from(is_directory);
    znode.modified(now);
    if let Some(znode) = objset.get_mut(object) {
        znode.parent = directory;
        if let Body::Directory { parent, .. } = &mut znode.body {
            *parent = directory;
        }
    }
    Ok(())
}

/// Takes a name out of a directory. The object stays.
pub(super) fn leave(
    objset: &mut Objset,
    directory: ObjectId,
    name: &str,
    now: u64,
) -> Found<ObjectId> {
    let znode = objset.get_mut(directory).ok_or(Errno::ENOENT)?;
    let Body::Directory { entries, table, .. } = &mut znode.body else {
        return Err(Errno::ENOTDIR);
    };
    let object = entries.remove(name).ok_or(Errno::ENOENT)?;
    table.leave(name);
    let is_directory = objset.get(object).is_some_and(Znode::is_directory);
    if let Some(znode) = objset.get_mut(directory) {
        znode.links -= u64::from(is_directory);
        znode.modified(now);
    }
    Ok(object)
}

/// A name less of an object: without any it is freed, or waits for its last close.
pub(super) fn drop_link(state: &mut State, id: DatasetId, object: ObjectId) -> Result<()> {
    let open = state.open_files.has(id, object);
    let now = state.now;
    let objset = objset_mut(state, id)?;
    let was_read = objset.get(object).is_some_and(|it| it.was_read);
    let znode = objset.get_mut(object).ok_or(Errno::ENOENT)?;
    znode.links = if znode.is_directory() {
        0
    } else {
        znode.links - 1
    };
    if znode.links > 0 {
        // The last one goes unnoticed (`zfs_drop_nlink_locked`).
        znode.changed(now);
        return Ok(());
    }
    znode.was_read = was_read;
    objset.queue(object);
    if open {
        Ok(())
    } else {
        free(state, id, object)
    }
}

/// The change that frees blocks of an object.
pub(super) fn frees(state: &State, id: DatasetId, object: ObjectId) -> Change {
    let indirect = match znode(state, id, object).map(|znode| &znode.body) {
        Ok(Body::File(blocks)) => blocks.indirect_bytes(),
        _ => 0,
    };
    Change::frees(indirect)
}

/// Frees an object that has no name: first its blocks, and then, in a change of its own, the rest. Where there is
/// no space for that it waits until it is mounted again (`zfs_rmnode`).
pub(super) fn free(state: &mut State, id: DatasetId, object: ObjectId) -> Result<()> {
    if state.is_tight(id, Change::tables(1)) {
        let terms = terms(state, id);
        // A directory is not dirty for that.
        let is_file = matches!(znode(state, id, object)?.body, Body::File(_));
        if is_file && let Body::File(blocks) = &mut znode_mut(state, id, object)?.body {
            blocks.truncate(0, terms);
        }
        match state.assign(id, Change::tables(1)) {
            Err(Failure::Errno(_)) => return Ok(()),
            assigned => assigned?,
        }
    }
    objset_mut(state, id)?.free(object);
    Ok(())
}

/// `filename_create`: where something new goes. What is there already is `EEXIST`, even when the
/// file system is read-only.
pub(super) fn new_name(state: &mut State, at: &At) -> Found<(Reached, ObjectId, String)> {
    let (reached, directory, name) = place(state, at)?;
    state.may_create(reached.dataset, directory)?;
    Ok((reached, directory, name))
}

/// The same without a look at what the user may do there.
fn place(state: &mut State, at: &At) -> Found<(Reached, ObjectId, String)> {
    let reached = reach(state, &at.dataset)?;
    let (directory, name) = walk(state, reached, |walk| {
        let Name { directory, name } = walk.parent(&at.path)?;
        let name = name.ok_or(Errno::EEXIST)?;
        match walk.lookup(directory, &name)? {
            Some(_) => Err(Errno::EEXIST),
            None => Ok((directory, name)),
        }
    })?;
    reached.may_change()?;
    Ok((reached, directory, name))
}

/// Makes a new object in a directory: of the user, and of the group of the directory if that has set-group-ID,
/// which a new directory takes over (`zpl_vap_init`, `zfs_acl_ids_create`).
pub(super) fn create(
    state: &mut State,
    id: DatasetId,
    directory: ObjectId,
    name: &str,
    body: Body,
    mode: u32,
) -> Result<ObjectId> {
    let tables = match &body {
        Body::Directory { .. } => 3,
        Body::File(_) | Body::Link(_) | Body::Special(_) => 2,
    };
    state.assign(id, Change::tables(tables))?;
    let now = state.now;
    let object = allocate(state, id, directory, body, mode)?;
    enter(objset_mut(state, id)?, directory, name, object, now)?;
    Ok(object)
}

/// Makes a new object that belongs into a directory, without a name there.
pub(super) fn allocate(
    state: &mut State,
    id: DatasetId,
    directory: ObjectId,
    body: Body,
    mode: u32,
) -> Result<ObjectId> {
    let Terms { txg, reading, .. } = terms(state, id);
    let (now, slots) = (state.now, state.dnode_slots(id));
    let user = state.user.clone();
    let objset = objset_mut(state, id)?;
    let above = objset.get(directory).ok_or(Errno::ENOENT)?;
    let inherits = above.mode & SET_GID != 0;
    let gid = if inherits { above.gid } else { user.gid };
    let is_directory = matches!(body, Body::Directory { .. });
    let mode = if inherits && is_directory {
        mode | SET_GID
    } else if user.may_set_group(gid) {
        mode
    } else {
        mode & !SET_GID
    };
    let znode = Znode {
        slots,
        reading,
        parent: directory,
        ..Znode::new(body, mode, user.uid, gid, txg, now)
    };
    Ok(objset.add(znode, reading))
}

/// `do_mknodat`: devices are for root, but for the whiteout of overlayfs.
fn make_special(state: &mut State, at: &At, special: Special, mode: u32) -> Result {
    let (reached, directory, name) = new_name(state, at)?;
    let is_whiteout = special == Special::CharacterDevice(0, 0);
    if special.device().is_some() && !is_whiteout && !state.user.is_root() {
        return Err(Errno::EPERM.into());
    }
    let mode = mode & !UMASK;
    create(
        state,
        reached.dataset,
        directory,
        &name,
        Body::Special(special),
        mode,
    )?;
    Ok(None)
}

fn make(state: &mut State, at: &At, body: Body, mode: u32) -> Result {
    let (reached, directory, name) = new_name(state, at)?;
    create(state, reached.dataset, directory, &name, body, mode)?;
    Ok(None)
}

fn symlink(state: &mut State, target: &Arc<str>, at: &At) -> Result {
    match target.len() {
        0 => Err(Errno::ENOENT.into()),
        1..=4095 => make(state, at, Body::Link(target.clone()), 0o777),
        _ => Err(Errno::ENAMETOOLONG.into()),
    }
}

/// `open(2)` for writing of a file that exists: `EISDIR` comes before `EROFS` (`may_open`).
pub(super) fn may_write(state: &State, reached: Reached, object: ObjectId) -> Found<()> {
    may_open(state, reached, object, WRITE)
}

/// `may_open`, and then what opening of a special file gives.
pub(super) fn may_open(state: &State, reached: Reached, object: ObjectId, asked: u32) -> Found<()> {
    let id = reached.dataset;
    let writes = asked & WRITE != 0;
    match &znode(state, id, object)?.body {
        // `O_NOFOLLOW`
        Body::Link(_) => return Err(Errno::ELOOP),
        Body::Directory { .. } if writes => return Err(Errno::EISDIR),
        Body::Special(special) if special.device().is_some() && reached.has_no_devices(state) => {
            return Err(Errno::EACCES);
        }
        Body::File(_) | Body::Directory { .. } if writes => reached.may_change()?,
        _ => {}
    }
    state.may(id, object, asked)?;
    match &znode(state, id, object)?.body {
        Body::Special(Special::Fifo) if asked & (READ | WRITE) == WRITE => Err(Errno::ENXIO),
        Body::Special(Special::Fifo) => Ok(()),
        Body::Special(_) => Err(Errno::ENXIO),
        _ => Ok(()),
    }
}

fn write(state: &mut State, at: &At, offset: u64, data: &Piece) -> Result {
    let how = Opening {
        write: true,
        create: true,
        ..Opening::default()
    };
    let (reached, found) = open_at(state, at, how)?;
    check_range(offset, data.len)?;
    let object = found.ready(state)?;
    write_object(state, reached.dataset, object, offset, data)
}

fn write_open(state: &mut State, handle: &Handle, offset: u64, data: &Piece) -> Result {
    let allowed = state.open_files.get(handle).is_some_and(|it| it.writable);
    if !allowed {
        return Err(Errno::EBADF.into());
    }
    check_range(offset, data.len)?;
    if data.len == 0 {
        return Ok(None);
    }
    let file = open_file(state, handle)?;
    if state.is_readonly(file.dataset) {
        return Err(Errno::EROFS.into());
    }
    let end = znode(state, file.dataset, file.object)?.size();
    let offset = if file.append { end } else { offset };
    check_range(offset, data.len)?;
    write_object(state, file.dataset, file.object, offset, data)
}

/// The range that a write may touch (`generic_write_checks`, `rw_verify_area`).
fn check_range(offset: u64, len: u64) -> Found<()> {
    match offset.checked_add(len) {
        Some(end) if end <= MAX_SIZE => Ok(()),
        _ => Err(Errno::EFBIG),
    }
}

pub(super) fn write_object(
    state: &mut State,
    id: DatasetId,
    object: ObjectId,
    offset: u64,
    data: &Piece,
) -> Result {
    state.tell_real_size(id, object);
    let mut terms = terms(state, id);
    if state.faulty(Fault::WriteReachesOrigin)
        && let Some(origin) = state.origin_of(id)
        && let Ok(Znode {
            body: Body::File(blocks),
            ..
        }) = znode_mut(state, origin, object)
    {
        blocks.write(offset, data, terms);
    }
    let mode = without_privileges(state, id, object)?;
    let (tight, release) = (state.is_tight(id, Change::writes(data.len)), state.release);
    let mut done = 0;
    while done < data.len {
        let (at, mut len) = (offset + done, data.len - done);
        let mut end = at + len;
        if tight {
            let Body::File(blocks) = &znode(state, id, object)?.body else {
                return Err(Errno::EISDIR.into());
            };
            let call = CALL as u64;
            len = len.min(call - done % call);
            end = at + len;
            len = blocks.one_transaction(at, len, terms, release);
            let assigned = state.assign(id, Change::writes(len));
            if !state.faulty(Fault::RefusedIsWritten) {
                assigned?;
            }
            terms = self::terms(state, id);
        }
        let znode = znode_mut(state, id, object)?;
        let Body::File(blocks) = &mut znode.body else {
            return Err(Errno::EISDIR.into());
        };
        // The first transaction makes the block large enough for all of the call.
        blocks.make_room(end, terms);
        blocks.write(at, &data.slice(done, len), terms);
        znode.modified(terms.now);
        if let Some(mode) = mode {
            znode.mode = mode;
        }
        done += len;
    }
    Ok(None)
}

/// A file as a system call reaches it, by path or by handle.
pub(super) fn aim(state: &mut State, target: &Target, follow: bool) -> Found<(Reached, ObjectId)> {
    match target {
        Target::Path(at) if follow => find(state, at),
        Target::Path(at) => find_link(state, at),
        Target::Open(handle) => {
            let file = open_file(state, handle)?;
            let is_snapshot = state
                .dataset(file.dataset)
                .is_some_and(Dataset::is_snapshot);
            let by_now = is_snapshot || state.is_readonly(file.dataset);
            let reached = Reached {
                dataset: file.dataset,
                mount: file.mount,
                read_only: file.read_only || by_now,
            };
            Ok((reached, file.object))
        }
        Target::Volume(_) => Err(Errno::EINVAL),
    }
}

/// The same when it is opened for this, or was opened such that this is allowed.
pub(super) fn aim_open(
    state: &mut State,
    target: &Target,
    asked: u32,
) -> Found<(Reached, ObjectId)> {
    if let Target::Open(handle) = target {
        // What a handle is for is looked at before the file is.
        let file = state.open_files.get(handle).ok_or(Errno::EBADF)?;
        let writes = asked == WRITE;
        if writes && !file.writable || !writes && !file.readable {
            return Err(Errno::EBADF);
        }
        return aim(state, target, true);
    }
    let (reached, object) = aim(state, target, true)?;
    may_open(state, reached, object, asked)?;
    Ok((reached, object))
}

fn read(state: &mut State, from: &Target, offset: u64, len: u64) -> Result {
    let (reached, object) = aim_open(state, from, READ)?;
    let data = match &znode(state, reached.dataset, object)?.body {
        Body::File(blocks) => blocks.read(offset, len),
        Body::Directory { .. } => return Err(Errno::EISDIR.into()),
        // Only a path ends at a link, and `open` followed it.
        Body::Link(_) => return Err(Errno::ELOOP.into()),
        Body::Special(_) => return Err(Failure::NotModelled("what comes out of a FIFO")),
    };
    state.was_read(reached.dataset, reached.mount, object);
    Ok(Some(FileResult::Data(data)))
}

/// `vfs_fallocate` with `FALLOC_FL_PUNCH_HOLE`, `zpl_fallocate_common`.
fn punch(state: &mut State, file: &Target, offset: u64, len: u64) -> Result {
    let (reached, object) = aim_open(state, file, WRITE)?;
    if len == 0 {
        return Err(Errno::EINVAL.into());
    }
    check_range(offset, len)?;
    // Behind the end there is nothing (`zpl_fallocate_common`).
    if offset > znode(state, reached.dataset, object)?.size() {
        return Ok(None);
    }
    reached.may_change()?;
    let id = reached.dataset;
    if let Body::File(blocks) = &znode(state, id, object)?.body
        && offset < blocks.size()
        && blocks.reaches(offset, terms(state, id))
    {
        let change = frees(state, id, object);
        state.assign(id, change)?;
    }
    let terms = terms(state, id);
    let zeros = state.faulty(Fault::PunchWritesZeros);
    let touches = state.faulty(Fault::PunchTouchesHoles);
    // What touches nothing leaves nothing dirty.
    let mut body = znode(state, id, object)?.body.clone();
    if let Body::File(blocks) = &mut body {
        if zeros {
            let len = len.min(blocks.size().saturating_sub(offset));
            blocks.write(offset, &Piece::zeros(len), terms);
        }
        if blocks.punch(offset, if zeros { 0 } else { len }, terms) || zeros || touches {
            znode_mut(state, id, object)?.body = body;
        }
    }
    // As in `truncate` (`zfs_freesp`).
    state.assign(id, Change::tables(0))?;
    znode_mut(state, id, object)?.modified(terms.now);
    Ok(None)
}

/// `do_rmdir`: the read-only check comes before the name is looked up.
fn remove_directory(state: &mut State, at: &At) -> Result {
    let reached = reach(state, &at.dataset)?;
    let Name { directory, name } = walk(state, reached, |walk| walk.parent(&at.path))?;
    let name = name.ok_or(Errno::EBUSY)?;
    reached.may_change()?;
    let found = walk(state, reached, |walk| walk.lookup(directory, &name))?;
    let object = found.ok_or(Errno::ENOENT)?;
    state.may_delete(reached.dataset, directory, object)?;
    let znode = znode(state, reached.dataset, object)?;
    let Body::Directory { entries, .. } = &znode.body else {
        return Err(Errno::ENOTDIR.into());
    };
    if state.mounts.covers(reached.dataset, object) {
        return Err(Errno::EBUSY.into());
    }
    if !entries.is_empty() {
        return Err(Errno::ENOTEMPTY.into());
    }
    state.assign(reached.dataset, Change::frees(0))?;
    let now = state.now;
    leave(objset_mut(state, reached.dataset)?, directory, &name, now)?;
    drop_link(state, reached.dataset, object)?;
    Ok(None)
}

/// `do_unlinkat`: the read-only check comes before the name is looked up.
fn unlink(state: &mut State, at: &At) -> Result {
    let reached = reach(state, &at.dataset)?;
    let Name { directory, name } = walk(state, reached, |walk| walk.parent(&at.path))?;
    let name = name.ok_or(Errno::EISDIR)?;
    reached.may_change()?;
    let found = walk(state, reached, |walk| walk.lookup(directory, &name))?;
    let object = found.ok_or(Errno::ENOENT)?;
    state.may_delete(reached.dataset, directory, object)?;
    if znode(state, reached.dataset, object)?.is_directory() {
        return Err(Errno::EISDIR.into());
    }
    let change = frees(state, reached.dataset, object);
    state.assign(reached.dataset, change)?;
    let now = state.now;
    if state.faulty(Fault::UnlinkShowsBelow)
        && let Some(origin) = state.origin_of(reached.dataset)
        && let Ok(objset) = objset_mut(state, origin)
    {
        // The origin may not have the name at all; then there is nothing to show.
        let _ = leave(objset, directory, &name, now);
    }
    leave(objset_mut(state, reached.dataset)?, directory, &name, now)?;
    drop_link(state, reached.dataset, object)?;
    Ok(None)
}

/// `do_linkat`: the file is looked up first, then the new name, then whether the two belong together.
fn link(state: &mut State, from: &Target, to: &At) -> Result {
    let (source, old) = match from {
        Target::Path(at) => {
            let source = reach(state, &at.dataset)?;
            let old = walk(state, source, |walk| {
                let name = walk.parent(&at.path)?;
                match &name.name {
                    Some(last) => walk.lookup(name.directory, last)?.ok_or(Errno::ENOENT),
                    None => Ok(name.directory),
                }
            })?;
            (source, old)
        }
        other => aim(state, other, true)?,
    };
    let id = source.dataset;
    let (target, directory, name) = place(state, to)?;
    if id != target.dataset
        || source.mount != target.mount
        || source
            .mount
            .is_some_and(|through| state.mounts.crosses(through, old))
    {
        return Err(Errno::EXDEV.into());
    }
    state.may_link(id, old)?;
    state.may_create(id, directory)?;
    let file = znode(state, id, old)?;
    if file.is_directory() {
        return Err(Errno::EPERM.into());
    }
    let is_temporary = match from {
        Target::Open(handle) => open_file(state, handle)?.linkable,
        _ => false,
    };
    let has_none = file.links == 0;
    if has_none && !is_temporary {
        return Err(Errno::ENOENT.into());
    }
    state.assign(id, Change::tables(1))?;
    let now = state.now;
    let objset = objset_mut(state, id)?;
    enter(objset, directory, &name, old, now)?;
    let file = znode_mut(state, id, old)?;
    file.links += 1;
    file.changed(now);
    if has_none {
        objset_mut(state, id)?.unqueue(old);
        if state.property(id, Property::Sync).0 != Value::Word("disabled")
            && let Some(pool) = state.pool_of_mut(id)
        {
            pool.close_txg();
        }
    }
    Ok(None)
}

fn close(state: &mut State, handle: &Handle) -> Result {
    let file = state.open_files.remove(handle).ok_or(Errno::EBADF)?;
    let (id, object) = (file.dataset, file.object);
    let waits = objset(state, id).is_ok_and(|objset| objset.is_queued(object));
    // On what is read-only by now it waits on, for the next mount (`zfs_zinactive`).
    let is_kept =
        (file.read_only || state.is_readonly(id)) && !state.faulty(Fault::ReadOnlyLosesUnlinked);
    if waits && !is_kept && !state.open_files.has(id, object) {
        free(state, id, object)?;
    }
    mounting::let_go(state, id);
    Ok(None)
}
