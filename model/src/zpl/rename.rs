//! Giving something another name.

use crate::dmu::ObjectId;
use crate::dsl::assign::Change;
use crate::dsl::dataset::DatasetId;
use crate::fault::Fault;
use crate::machine::State;
use crate::outcome::Errno;
use crate::release::Release;
use crate::zpl::files::{
    Found, allocate, drop_link, enter, leave, objset_mut, reach, walk, znode, znode_mut,
};
use crate::zpl::op::{At, Renaming, Result};
use crate::zpl::permission::WRITE;
use crate::zpl::znode::{Body, Special};

/// A name in a directory, and what it leads to.
struct Named {
    directory: ObjectId,
    name: String,
    object: Option<ObjectId>,
}

/// `do_renameat2`, `vfs_rename`, `zfs_rename`.
pub(super) fn rename(state: &mut State, from: &At, to: &At, how: Renaming) -> Result {
    let source = reach(state, &from.dataset)?;
    let old = walk(state, source, |walk| walk.parent(&from.path))?;
    let target = reach(state, &to.dataset)?;
    let new = walk(state, target, |walk| walk.parent(&to.path))?;
    if source.dataset != target.dataset || source.mount != target.mount {
        return Err(Errno::EXDEV.into());
    }
    let Some(old_name) = old.name else {
        return Err(Errno::EBUSY.into());
    };
    let Some(new_name) = new.name else {
        let is_kept = how == Renaming::Keep;
        return Err(if is_kept { Errno::EEXIST } else { Errno::EBUSY }.into());
    };
    source.may_change()?;
    let id = source.dataset;
    let (object, replaced) = walk(state, source, |walk| {
        let object = walk
            .lookup(old.directory, &old_name)?
            .ok_or(Errno::ENOENT)?;
        let replaced = walk.lookup(new.directory, &new_name)?;
        if how == Renaming::Keep && replaced.is_some() {
            return Err(Errno::EEXIST);
        }
        if how == Renaming::Exchange && replaced.is_none() {
            return Err(Errno::ENOENT);
        }
        if walk.is_beneath(new.directory, object) {
            return Err(Errno::EINVAL);
        }
        if replaced.is_some_and(|replaced| walk.is_beneath(old.directory, replaced)) {
            let is_exchange = how == Renaming::Exchange;
            return Err(if is_exchange {
                Errno::EINVAL
            } else {
                Errno::ENOTEMPTY
            });
        }
        Ok((object, replaced))
    })?;
    if replaced == Some(object) {
        return Ok(None);
    }
    let old = Named {
        directory: old.directory,
        name: old_name,
        object: Some(object),
    };
    let new = Named {
        directory: new.directory,
        name: new_name,
        object: replaced,
    };
    check(state, id, &old, &new, how)?;
    match (how, replaced) {
        (Renaming::Exchange, Some(replaced)) => exchange(state, id, &old, &new, object, replaced),
        (_, Some(replaced))
            if znode(state, id, replaced)?.is_directory()
                && znode(state, id, replaced)?.size() > 2 =>
        {
            refuse(state, id, &old, object)
        }
        _ => replace(state, id, &old, &new, object, how),
    }
}

/// What Linux and ZFS look at before anything changes.
fn check(state: &State, id: DatasetId, old: &Named, new: &Named, how: Renaming) -> Found<()> {
    let is_directory = |object: Option<ObjectId>| match object {
        Some(object) => Ok(znode(state, id, object)?.is_directory()),
        None => Ok(false),
    };
    let moves = is_directory(old.object)?;
    if let Some(object) = old.object {
        state.may_delete(id, old.directory, object)?;
    }
    match new.object {
        None => state.may_create(id, new.directory)?,
        Some(replaced) => {
            state.may_delete(id, new.directory, replaced)?;
            match (moves, is_directory(new.object)?) {
                _ if how == Renaming::Exchange => {}
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                _ => {}
            }
        }
    }
    // A directory that moves gets another `..`.
    if old.directory != new.directory {
        let exchanged = new.object.filter(|_| how == Renaming::Exchange);
        for object in old.object.into_iter().chain(exchanged) {
            if znode(state, id, object)?.is_directory() {
                state.may(id, object, WRITE)?;
            }
        }
    }
    let both = [old.object, new.object];
    if both
        .into_iter()
        .flatten()
        .any(|it| state.mounts.covers(id, it))
    {
        return Err(Errno::EBUSY);
    }
    if how != Renaming::Replace
        && (state.release < Release::V2_3 || state.faulty(Fault::NoExchange))
    {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// A directory that is not empty stays. Since 2.2 that is seen when what moves has lost its old name, which it
/// gets again (`zfs_do_rename_impl`).
fn refuse(state: &mut State, id: DatasetId, old: &Named, object: ObjectId) -> Result {
    if state.release >= Release::V2_3 {
        state.assign(id, Change::tables(2))?;
        let now = state.now;
        for object in [old.directory, object] {
            let znode = znode_mut(state, id, object)?;
            if object == old.directory {
                znode.modified(now);
            } else {
                znode.changed(now);
            }
        }
    }
    Err(Errno::ENOTEMPTY.into())
}

fn replace(
    state: &mut State,
    id: DatasetId,
    old: &Named,
    new: &Named,
    object: ObjectId,
    how: Renaming,
) -> Result {
    state.assign(id, Change::tables(2))?;
    let now = state.now;
    if new.object.is_some() {
        leave(objset_mut(state, id)?, new.directory, &new.name, now)?;
    }
    state.tell_real_size(id, object);
    let objset = objset_mut(state, id)?;
    // For a moment it has both names.
    enter(objset, new.directory, &new.name, object, now)?;
    leave(objset, old.directory, &old.name, now)?;
    znode_mut(state, id, object)?.changed(now);
    if how == Renaming::Whiteout {
        let whiteout = Body::Special(Special::CharacterDevice(0, 0));
        let whiteout = allocate(state, id, old.directory, whiteout, 0)?;
        enter(
            objset_mut(state, id)?,
            old.directory,
            &old.name,
            whiteout,
            now,
        )?;
    }
    if let Some(replaced) = new.object {
        drop_link(state, id, replaced)?;
    }
    Ok(None)
}

fn exchange(
    state: &mut State,
    id: DatasetId,
    old: &Named,
    new: &Named,
    object: ObjectId,
    replaced: ObjectId,
) -> Result {
    state.assign(id, Change::tables(2))?;
    let now = state.now;
    for object in [object, replaced] {
        state.tell_real_size(id, object);
    }
    let objset = objset_mut(state, id)?;
    leave(objset, new.directory, &new.name, now)?;
    leave(objset, old.directory, &old.name, now)?;
    enter(objset, new.directory, &new.name, object, now)?;
    enter(objset, old.directory, &old.name, replaced, now)?;
    for object in [object, replaced] {
        znode_mut(state, id, object)?.changed(now);
    }
    Ok(None)
}
