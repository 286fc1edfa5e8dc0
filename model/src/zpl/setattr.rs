//! Changing what a file is besides its content: mode, owner, times and size (`notify_change`, `zfs_setattr`).

use crate::dsl::assign::Change;
use crate::fault::Fault;
use crate::machine::State;
use crate::outcome::Errno;
use crate::zpl::files::{MAX_SIZE, aim, aim_open, frees, objset_mut, terms, znode, znode_mut};
use crate::zpl::op::{Failure, NewTime, Result, Target};
use crate::zpl::permission::{GROUP_EXEC, SET_GID, SET_UID, WRITE, without_privileges};
use crate::zpl::xattr;
use crate::zpl::znode::{Body, Time};

/// `fchmodat(2)`: set-group-ID of a group that the user is not in goes (`setattr_prepare`).
pub(super) fn set_mode(state: &mut State, file: &Target, mode: u32) -> Result {
    let (reached, object) = aim(state, file, true)?;
    reached.may_change()?;
    let id = reached.dataset;
    state.must_own(id, object)?;
    // Rights may take another layout of attributes (`dmu_tx_hold_sa`).
    state.assign(id, Change::tables(2))?;
    let (now, user) = (state.now, state.user.clone());
    let znode = znode_mut(state, id, object)?;
    let mut mode = mode & 0o7777;
    if !user.may_set_group(znode.gid) {
        mode &= !SET_GID;
    }
    let before = std::mem::replace(&mut znode.mode, mode);
    znode.changed(now);
    objset_mut(state, id)?.lay_out_rights(object, before);
    Ok(None)
}

/// `chown_common`: an executable loses set-user-ID and set-group-ID, even when root changes it.
pub(super) fn set_owner(state: &mut State, file: &Target, uid: u32, gid: u32) -> Result {
    let (reached, object) = aim(state, file, false)?;
    reached.may_change()?;
    let id = reached.dataset;
    let (now, user) = (state.now, state.user.clone());
    let before = znode(state, id, object)?;
    let owns = user.uid == before.uid;
    let allowed = owns && uid == before.uid && (gid == before.gid || user.is_in(gid));
    if !allowed && !user.is_root() {
        return Err(Errno::EPERM.into());
    }
    state.assign(id, Change::tables(0))?;
    let znode = znode_mut(state, id, object)?;
    let was_in = user.may_set_group(znode.gid);
    znode.uid = uid;
    znode.gid = gid;
    znode.changed(now);
    // Who is not root loses both, also of a directory, with a group that is not the first one: `groupmember` knows only
    // the others (`secpolicy_setid_clear`).
    if !user.is_root() && user.groups.contains(&gid) {
        znode.mode &= !(SET_UID | SET_GID);
    }
    if !znode.is_directory() {
        znode.mode &= !SET_UID;
        if znode.mode & GROUP_EXEC != 0 || !was_in {
            znode.mode &= !SET_GID;
        }
        xattr::drop_capability(state, id, object)?;
    }
    Ok(None)
}

/// `utimensat(2)`: to set both to the time now takes less than to set them to another one (`vfs_utimes`).
pub(super) fn set_times(
    state: &mut State,
    file: &Target,
    modification: NewTime,
    access: NewTime,
) -> Result {
    let (reached, object) = aim(state, file, false)?;
    if (modification, access) == (NewTime::Keep, NewTime::Keep) {
        return Ok(None);
    }
    reached.may_change()?;
    let id = reached.dataset;
    if state.must_own(id, object).is_err() {
        if (modification, access) != (NewTime::Now, NewTime::Now) {
            return Err(Errno::EPERM.into());
        }
        state.may(id, object, WRITE)?;
    }
    state.assign(id, Change::tables(0))?;
    let now = state.now;
    let time = |new, before| match new {
        NewTime::Keep => before,
        NewTime::Now => Time::Happened(now),
        NewTime::Seconds(seconds) => Time::Set(seconds),
    };
    let znode = znode_mut(state, id, object)?;
    znode.times.modification = time(modification, znode.times.modification);
    znode.times.access = time(access, znode.times.access);
    znode.changed(now);
    Ok(None)
}

/// `ftruncate(2)`
pub(super) fn truncate(state: &mut State, file: &Target, size: u64) -> Result {
    let (reached, object) = match aim_open(state, file, WRITE) {
        // By a handle that is not for writing.
        Err(Errno::EBADF) if is_open(state, file) => return Err(Errno::EINVAL.into()),
        found => found?,
    };
    if size > MAX_SIZE || !matches!(znode(state, reached.dataset, object)?.body, Body::File(_)) {
        return Err(Errno::EINVAL.into());
    }
    reached.may_change()?;
    let is_same = znode(state, reached.dataset, object)?.size() == size;
    if is_same && !is_open(state, file) && state.faulty(Fault::SameSizeIsNoChange) {
        return Ok(None);
    }
    cut(state, reached.dataset, object, size)
}

fn is_open(state: &State, file: &Target) -> bool {
    matches!(file, Target::Open(handle) if state.open_files.get(handle).is_some())
}

/// Gives a file another size (`zfs_freesp`).
pub(super) fn cut(
    state: &mut State,
    id: crate::dsl::dataset::DatasetId,
    object: crate::dmu::ObjectId,
    size: u64,
) -> Result {
    xattr::drop_capability(state, id, object)?;
    let before = znode(state, id, object)?.size();
    if size != before {
        let change = if size > before {
            Change::tables(0)
        } else {
            frees(state, id, object)
        };
        let assigned = state.assign(id, change);
        if let Err(Failure::Errno(_)) = assigned {
            state.tell_size(id, object, size);
        }
        assigned?;
        let terms = terms(state, id);
        if let Body::File(blocks) = &mut znode_mut(state, id, object)?.body {
            blocks.truncate(size, terms);
        }
    }
    // What was cut off stays off where there is no space for the time of that (`zfs_setattr`).
    state.assign(id, Change::tables(0))?;
    let mode = without_privileges(state, id, object)?;
    let now = state.now;
    let znode = znode_mut(state, id, object)?;
    znode.modified(now);
    if let Some(mode) = mode {
        znode.mode = mode;
    }
    Ok(None)
}
