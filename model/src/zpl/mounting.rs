//! Mounting and unmounting, and the directories on which that is done.

use crate::dmu::{ObjectId, ROOT};
use crate::dsl::assign::Change;
use crate::dsl::dataset::{Dataset, DatasetId};
use crate::dsl::property::{Property, Value};
use crate::fault::Fault;
use crate::machine::State;
use crate::outcome::Errno;
use crate::release::Release;
use crate::zpl::files::{
    Found, Reached, create, drop_link, free, leave, look, objset, objset_mut, walk, znode,
};
use crate::zpl::mount::{MountId, MountOptions};
use crate::zpl::op::{Result, Unmount};
use crate::zpl::walk::Name;
use crate::zpl::znode::Body;

/// `zpl_mount`, `zfs_domount`. All mounts of a filesystem have one superblock, so they must agree with it
/// whether it is read-only, which property `readonly` makes it too; a snapshot's always is, and since 2.3 takes
/// both (`zpl_mount_impl`). What was told when it was mounted holds until its properties are told anew. A second mount at the same place is refused by Linux (`graft_tree`).
pub(super) fn mount(
    state: &mut State,
    name: &str,
    path: &str,
    options: MountOptions,
    beside: bool,
) -> Result {
    let on = covered(state, path)?;
    let id = state.find(name).ok_or(Errno::ENOENT)?;
    // `zfs_domount` owns objsets of files only.
    if state.dataset(id).and_then(Dataset::volume).is_some() {
        return Err(Errno::EINVAL.into());
    }
    let is_snapshot = state.dataset(id).is_some_and(Dataset::is_snapshot);
    let superblock = state.superblock_read_only(id);
    if let Some(superblock) = superblock
        && (!is_snapshot || state.release < Release::V2_3)
        && options.read_only != (superblock || state.is_readonly(id))
        && !state.faulty(Fault::MountsDiffer)
    {
        return Err(Errno::EBUSY.into());
    }
    let is_once = state.faulty(Fault::MountedOnlyOnce) && state.mounts.is_mounted(id);
    if state
        .mounts
        .at(path)
        .is_some_and(|there| there.dataset == id)
        || is_once
    {
        return Err(Errno::EBUSY.into());
    }
    let beside = beside.then_some(state.now);
    if superblock.is_none()
        && !is_snapshot
        && state.pool_of(id).is_some_and(|it| !it.is_read_only())
    {
        let begun = state
            .dataset_mut(id)
            .is_some_and(|it| it.objset.begin_log());
        if let Some(pool) = state.pool_of_mut(id).filter(|_| begun) {
            pool.dirty(id);
        }
        if !options.read_only && !state.is_readonly(id) {
            drain(state, id)?;
        }
    }
    state.mounts.add(id, path, options, on, beside);
    Ok(None)
}

/// Frees what waits in the delete queue (`zfs_unlinked_drain`).
pub(crate) fn drain(state: &mut State, id: DatasetId) -> Result<()> {
    let queued = objset(state, id)?.queued();
    let closed = queued.filter(|&object| !state.open_files.has(id, object));
    let closed: Vec<_> = closed.collect();
    let open_txg = |state: &State| state.pool_of(id).map(|pool| pool.open_txg);
    let before = open_txg(state);
    for object in closed {
        free(state, id, object)?;
    }
    // A thread does that, and nobody waits for it: if it has to wait for a sync, that comes some time.
    if open_txg(state) != before {
        state.doubt(id);
    }
    Ok(())
}

/// What a mount at `path` would cover: a directory of a mounted dataset, or one outside.
fn covered(state: &State, path: &str) -> Found<Option<(MountId, ObjectId)>> {
    let place = state.mounts.locate(path);
    let Some(mount) = place.mount else {
        return Ok(None);
    };
    let reached = Reached {
        dataset: mount.dataset,
        mount: None,
        read_only: false,
    };
    let object = look(state, reached, |walk| walk.find(place.inside))?.0?;
    if !znode(state, mount.dataset, object)?.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    Ok(Some((mount.id, object)))
}

pub(super) fn unmount(state: &mut State, path: &str, how: Unmount) -> Found {
    // A path that leads nowhere, as far as it lies in a pool, or to something that is no mountpoint.
    covered(state, path)?;
    let mount = state.mounts.at(path).ok_or(Errno::EINVAL)?.id;
    let asks = match how {
        Unmount::Plain => true,
        Unmount::Force => !state.faulty(Fault::ForceClosesFiles),
        Unmount::Lazy => false,
    };
    if asks {
        // Snapshots that ZFS mounted below it go first, also when it stays itself (`shrink_submounts`).
        for idle in state.mounts.automatic_on(mount) {
            if !state.mounts.is_busy(idle, &state.open_files) {
                take_off(state, idle);
            }
        }
    }
    if asks && state.mounts.is_busy(mount, &state.open_files) {
        return Err(Errno::EBUSY);
    }
    take_off(state, mount);
    Ok(None)
}

/// Takes a mount off, with all that stand on it.
pub(super) fn take_off(state: &mut State, mount: MountId) {
    for id in state.mounts.detach(mount) {
        let_go(state, id);
    }
}

/// The superblock of a filesystem goes with its last mount and its last open file (`deactivate_super`).
pub(super) fn let_go(state: &mut State, id: DatasetId) {
    let lives = state.mounts.is_mounted(id) || state.open_files.on_dataset(id);
    if !lives && state.filesystem(id).is_some() {
        settle(state, id);
        state.read_again(id);
    }
}

/// What is dirty is committed to the intent log, and brought to disk (`zil_close`, `zfsvfs_teardown`). Where nothing
/// is, the log begins all the same (`zil_create`), which closes the transaction group.
fn settle(state: &mut State, id: DatasetId) {
    let logs = state.property(id, Property::Sync).0 != Value::Word("disabled");
    let is_dirty = state
        .pool_of(id)
        .is_some_and(|pool| pool.dirty.contains_key(&id));
    if !(is_dirty || logs) {
        return;
    }
    if is_dirty
        && logs
        && let Ok(objset) = objset_mut(state, id)
    {
        objset.commit();
    }
    if let Some(pool) = state.pool_of_mut(id).filter(|it| !it.is_read_only()) {
        pool.close_txg();
    }
}

/// `mkdirp`: every directory on the way that is missing.
pub(super) fn make_mountpoint(state: &mut State, path: &str) -> Result {
    let place = state.mounts.locate(path);
    let Some(mount) = place.mount else {
        let ends = path.match_indices('/').map(|(end, _)| end).skip(1);
        let all: Vec<String> = ends
            .chain([path.len()])
            .map(|end| path[..end].to_owned())
            .collect();
        state.directories.extend(all);
        return Ok(None);
    };
    let reached = Reached {
        dataset: mount.dataset,
        mount: None,
        read_only: mount.options.read_only || state.is_readonly(mount.dataset),
    };
    let inside = place.inside.to_owned();
    let mut directory = ROOT;
    for name in inside.split('/').filter(|name| !name.is_empty()) {
        let found = walk(state, reached, |walk| walk.lookup(directory, name))?;
        directory = if let Some(object) = found {
            object
        } else {
            reached.may_change()?;
            create(
                state,
                reached.dataset,
                directory,
                name,
                Body::directory(directory),
                0o755,
            )?
        };
    }
    if znode(state, reached.dataset, directory)?.is_directory() {
        Ok(None)
    } else {
        Err(Errno::ENOTDIR.into())
    }
}

pub(super) fn remove_mountpoint(state: &mut State, path: &str) -> Result {
    let place = state.mounts.locate(path);
    let Some(mount) = place.mount else {
        if !state.is_outside_empty(path) {
            return Err(Errno::ENOTEMPTY.into());
        }
        state.directories.remove(path);
        return Ok(None);
    };
    if place.inside == "/" {
        return Err(Errno::EBUSY.into());
    }
    let reached = Reached {
        dataset: mount.dataset,
        mount: None,
        read_only: mount.options.read_only || state.is_readonly(mount.dataset),
    };
    let inside = place.inside.to_owned();
    let Name { directory, name } = walk(state, reached, |walk| walk.parent(&inside))?;
    let name = name.ok_or(Errno::EBUSY)?;
    reached.may_change()?;
    let found = walk(state, reached, |walk| walk.lookup(directory, &name))?;
    let object = found.ok_or(Errno::ENOENT)?;
    if !znode(state, reached.dataset, object)?.is_directory() {
        return Err(Errno::ENOTDIR.into());
    }
    if state.mounts.covers(reached.dataset, object) {
        return Err(Errno::EBUSY.into());
    }
    if znode(state, reached.dataset, object)?.size() > 2 {
        return Err(Errno::ENOTEMPTY.into());
    }
    state.assign(reached.dataset, Change::frees(0))?;
    let now = state.now;
    leave(objset_mut(state, reached.dataset)?, directory, &name, now)?;
    drop_link(state, reached.dataset, object)?;
    Ok(None)
}
