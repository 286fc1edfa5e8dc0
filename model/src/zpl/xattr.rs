//! Extended attributes: the checks of Linux's VFS, then where ZFS puts them (`zpl_xattr.c`).

use std::sync::Arc;

use crate::dmu::attributes::packed_size;
use crate::dmu::data::Piece;
use crate::dmu::{Blocks, ObjectId, Objset};
use crate::dsl::dataset::DatasetId;
use crate::dsl::property::{Property, Value};
use crate::fault::Fault;
use crate::machine::State;
use crate::outcome::Errno;
use crate::release::Release;
use crate::zpl::files::{
    Found, create, drop_link, find_link, leave, objset, objset_mut, peek, terms, znode,
};
use crate::zpl::op::{At, Failure, FileResult, Result};
use crate::zpl::permission::{READ, STICKY, WRITE};
use crate::zpl::znode::{Body, Xattrs, Znode};

/// The capabilities of a program.
const CAPABILITY: &str = "security.capability";

/// The longest name, in bytes (`XATTR_NAME_MAX`).
const MAX_NAME: usize = 255;

/// The longest value, in bytes (`XATTR_SIZE_MAX`).
const MAX_VALUE: u64 = 64 << 10;

/// The longest value that stands among a file's own attributes, in bytes (`DXATTR_MAX_ENTRY_SIZE`).
const MAX_INLINE: u64 = 32 << 10;

/// How much those may take that stand there: before another one, and with it (`DXATTR_MAX_SA_SIZE`,
/// `SA_ATTR_MAX_LEN`).
const MAX_ALL_INLINE: [u64; 2] = [64 << 10, (64 << 10) - 1];

/// What `security.capability` holds: the version of its layout, and the size that this has
/// (`VFS_CAP_REVISION_2`, `VFS_CAP_REVISION_3`).
const LAYOUTS: [(u8, u64); 2] = [(2, 20), (3, 24)];

/// Where new extended attributes go (property `xattr`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Inline,
    InDirectory,
    /// Those of users are off; where others go is what it was before.
    Off,
}

fn kept(state: &State, id: DatasetId) -> Kept {
    match state.property(id, Property::Xattr).0 {
        Value::Word("off") => Kept::Off,
        Value::Word("sa") => Kept::Inline,
        // Until 2.1 `on` is a directory.
        Value::Word("on") if state.release >= Release::V2_3 => Kept::Inline,
        _ => Kept::InDirectory,
    }
}

/// What about extended attributes of this name the model does not know.
pub(super) fn not_modelled(
    state: &State,
    at: &At,
    name: &str,
    value: Option<&Piece>,
) -> Option<&'static str> {
    if name.starts_with("system.posix_acl") {
        return Some("access control lists");
    }
    let modules = ["selinux", "SMACK64", "ima", "evm", "apparmor"];
    let security = name.strip_prefix("security.");
    if security.is_some_and(|name| modules.iter().any(|it| name.starts_with(it))) {
        return Some("attributes of security modules");
    }
    let value = value?;
    if name == CAPABILITY && (value.len == 0 || version(value) == Some(LAYOUTS[1].0)) {
        return Some("capabilities that are empty, or bound to a user namespace");
    }
    let (reached, _) = peek(state, at, false).ok()?;
    if reached.read_only && (check_name(name).is_err() || value.len > MAX_VALUE) {
        return Some(
            "whether Linux looks at an extended attribute before it sees that it cannot be set",
        );
    }
    let others = ["trusted.", "security."];
    let is_other = others
        .iter()
        .any(|it| name.len() > it.len() && name.starts_with(it));
    (is_other && kept(state, reached.dataset) == Kept::Off)
        .then_some("where an extended attribute goes with xattr=off")
}

/// The version of the layout of `security.capability`, when it has the size of that.
fn version(value: &Piece) -> Option<u8> {
    let mut head = [0; 4];
    value.source.read(value.position, &mut head);
    let found = LAYOUTS.iter().find(|it| **it == (head[3], value.len));
    found.map(|it| it.0)
}

/// A name has a length that one may have (`setxattr_copy`, `getxattr`).
fn check_name(name: &str) -> Found<()> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(Errno::ERANGE);
    }
    Ok(())
}

/// Which of them there are (`xattr_permission`, `xattr_resolve_name`, `zpl_xattr_user_get` and their like).
/// `denied` is what a link says that can have none of users.
fn resolve(state: &State, id: DatasetId, znode: &Znode, name: &str, denied: Errno) -> Found<()> {
    if name.starts_with("user.") && matches!(znode.body, Body::Link(_) | Body::Special(_)) {
        return Err(denied);
    }
    let namespaces = ["user.", "trusted.", "security."];
    let rest = namespaces.iter().find_map(|it| name.strip_prefix(it));
    match rest {
        None => Err(Errno::EOPNOTSUPP),
        Some("") => Err(Errno::EINVAL),
        Some(_) if name.starts_with("user.") && kept(state, id) == Kept::Off => {
            Err(Errno::EOPNOTSUPP)
        }
        Some(_) => Ok(()),
    }
}

/// Whether the user may change an attribute (`xattr_permission`, `cap_inode_setxattr`).
fn may_change(state: &State, file: &Znode, name: &str) -> Found<()> {
    let user = &state.user;
    if user.is_root() || name.starts_with("system.") {
        return Ok(());
    }
    if name.starts_with("trusted.") || name.starts_with("security.") {
        return Err(Errno::EPERM);
    }
    if name.starts_with("user.") {
        let has_some = matches!(file.body, Body::File(_) | Body::Directory { .. });
        let is_kept = file.is_directory() && file.mode & STICKY != 0 && !user.owns(file);
        if !has_some || is_kept {
            return Err(Errno::EPERM);
        }
    }
    user.may(file, WRITE)
}

/// Whether the user may read an attribute (`xattr_permission`).
fn may_read(state: &State, file: &Znode, name: &str) -> Found<()> {
    let user = &state.user;
    if user.is_root() || name.starts_with("system.") || name.starts_with("security.") {
        return Ok(());
    }
    let has_some = matches!(file.body, Body::File(_) | Body::Directory { .. });
    if name.starts_with("trusted.") || name.starts_with("user.") && !has_some {
        return Err(Errno::ENODATA);
    }
    user.may(file, READ)
}

/// The value of an attribute that stands among a file's own.
fn inline<'a>(znode: &'a Znode, name: &str) -> Option<&'a Piece> {
    let inline = znode.xattrs.as_ref()?.inline.as_ref()?;
    inline.iter().find(|it| &*it.0 == name).map(|it| &it.1)
}

/// The directory of a file's attributes, and what it has under a name.
fn in_directory(objset: &Objset, znode: &Znode, name: &str) -> Option<(ObjectId, ObjectId)> {
    let directory = znode.xattrs.as_ref()?.directory?;
    match &objset.get(directory)?.body {
        Body::Directory { entries, .. } => Some((directory, *entries.get(name)?)),
        _ => None,
    }
}

/// `lgetxattr(2)`
pub(super) fn get(state: &mut State, at: &At, name: &str) -> Found {
    let (reached, object) = find_link(state, at)?;
    check_name(name)?;
    let id = reached.dataset;
    let file = znode(state, id, object)?;
    may_read(state, file, name)?;
    resolve(state, id, file, name, Errno::ENODATA)?;
    let found = match inline(file, name) {
        Some(value) => Some(
            vec![value.clone()]
                .into_iter()
                .filter(|it| it.len > 0)
                .collect(),
        ),
        None => in_directory(objset(state, id)?, file, name).and_then(|(_, it)| {
            match &znode(state, id, it).ok()?.body {
                Body::File(blocks) => Some(blocks.read(0, u64::MAX)),
                _ => None,
            }
        }),
    };
    found.map(FileResult::Data).map(Some).ok_or(Errno::ENODATA)
}

/// `llistxattr(2)`
pub(super) fn list(state: &mut State, at: &At) -> Found {
    let (reached, object) = find_link(state, at)?;
    let id = reached.dataset;
    let xattrs = znode(state, id, object)?.xattrs.as_deref();
    let inline = xattrs.and_then(|it| it.inline.as_ref());
    let mut names: Vec<Arc<str>> = inline
        .into_iter()
        .flatten()
        .map(|it| it.0.clone())
        .collect();
    let directory = xattrs.and_then(|it| it.directory);
    if let Some(Body::Directory { entries, .. }) = directory
        .and_then(|it| objset(state, id).ok()?.get(it))
        .map(|it| &it.body)
    {
        names.extend(entries.keys().cloned());
    }
    names.retain(|name| kept(state, id) != Kept::Off || !name.starts_with("user."));
    names.retain(|name| state.user.is_root() || !name.starts_with("trusted."));
    names.sort();
    Ok(Some(FileResult::Names(names)))
}

/// `lsetxattr(2)`
pub(super) fn set(state: &mut State, at: &At, name: &Arc<str>, value: &Piece) -> Result {
    let (reached, object) = find_link(state, at)?;
    check_name(name)?;
    if value.len > MAX_VALUE {
        return Err(Errno::E2BIG.into());
    }
    reached.may_change()?;
    let id = reached.dataset;
    // `cap_convert_nscap`
    if &**name == CAPABILITY && version(value).is_none() {
        return Err(Errno::EINVAL.into());
    }
    let file = znode(state, id, object)?;
    may_change(state, file, name)?;
    resolve(state, id, file, name, Errno::EPERM)?;
    check_limits(state, id)?;
    let was_inline = inline(file, name).is_some();
    let old = in_directory(objset(state, id)?, file, name);
    if kept(state, id) == Kept::Inline && set_inline(state, id, object, name, value)? {
        if let Some((directory, _)) = old {
            remove_from(state, id, directory, name)?;
        }
        return Ok(None);
    }
    let file = if let Some((_, file)) = old {
        file
    } else {
        let directory = make_directory(state, id, object)?;
        let body = Body::File(Blocks::default());
        create(state, id, directory, name, body, 0o644)?
    };
    let (terms, now) = (terms(state, id), state.now);
    let objset = objset_mut(state, id)?;
    if let Some(Body::File(blocks)) = objset.get_mut(file).map(|it| &mut it.body) {
        blocks.truncate(0, terms);
        blocks.write(0, value, terms);
    }
    objset.get_mut(object).ok_or(Errno::EIO)?.changed(now);
    if was_inline {
        remove_inline(state, id, object, name)?;
    }
    Ok(None)
}

/// `lremovexattr(2)`
pub(super) fn remove(state: &mut State, at: &At, name: &str) -> Result {
    let (reached, object) = find_link(state, at)?;
    check_name(name)?;
    reached.may_change()?;
    let id = reached.dataset;
    let file = znode(state, id, object)?;
    may_change(state, file, name)?;
    resolve(state, id, file, name, Errno::EPERM)?;
    if remove_from_object(state, id, object, name)? {
        Ok(None)
    } else {
        Err(Errno::ENODATA.into())
    }
}

/// Which quotas are in the way of it is not modelled.
fn check_limits(state: &State, id: DatasetId) -> Result<()> {
    if state.is_limited(id) {
        return Err(Failure::NotModelled("extended attributes below a quota"));
    }
    Ok(())
}

/// What was allowed to a program is no more once it is cut off or has another owner (`cap_inode_killpriv`).
pub(super) fn drop_capability(state: &mut State, id: DatasetId, object: ObjectId) -> Result<()> {
    if znode(state, id, object)?.xattrs.is_some() {
        remove_from_object(state, id, object, CAPABILITY)?;
    }
    Ok(())
}

/// Whether there was such an attribute.
fn remove_from_object(
    state: &mut State,
    id: DatasetId,
    object: ObjectId,
    name: &str,
) -> Result<bool> {
    check_limits(state, id)?;
    let file = znode(state, id, object)?;
    let is_kept = kept(state, id) == Kept::InDirectory && state.faulty(Fault::InlineIsNotRemoved);
    if inline(file, name).is_some() && !is_kept {
        remove_inline(state, id, object, name)?;
        return Ok(true);
    }
    let Some((directory, _)) = in_directory(objset(state, id)?, file, name) else {
        if state.faulty(Fault::RemovalMakesDirectory) {
            make_directory(state, id, object)?;
        }
        return Ok(false);
    };
    remove_from(state, id, directory, name)?;
    let now = state.now;
    let objset = objset_mut(state, id)?;
    objset.get_mut(object).ok_or(Errno::EIO)?.changed(now);
    Ok(true)
}

/// Whether there was room for it among the file's own (`zpl_xattr_set_sa`).
fn set_inline(
    state: &mut State,
    id: DatasetId,
    object: ObjectId,
    name: &Arc<str>,
    value: &Piece,
) -> Result<bool> {
    let now = state.now;
    let objset = objset_mut(state, id)?;
    let file = objset.get(object).ok_or(Errno::EIO)?;
    let old = file.xattrs.as_ref().and_then(|it| it.inline.as_deref());
    let mut all = old.unwrap_or(&[]).to_vec();
    let before = packed_size(&all);
    all.retain(|it| it.0 != *name);
    all.push((name.clone(), value.clone()));
    let [most_before, most] = MAX_ALL_INLINE;
    if value.len > MAX_INLINE || before > most_before || packed_size(&all) > most {
        return Ok(false);
    }
    let file = objset.get_mut(object).ok_or(Errno::EIO)?;
    file.changed(now);
    file.xattrs_mut().inline = Some(all);
    objset.lay_out(object);
    Ok(true)
}

fn remove_inline(state: &mut State, id: DatasetId, object: ObjectId, name: &str) -> Result<()> {
    let now = state.now;
    let objset = objset_mut(state, id)?;
    let file = objset.get_mut(object).ok_or(Errno::EIO)?;
    file.changed(now);
    let xattrs = file.xattrs_mut();
    if let Some(inline) = &mut xattrs.inline {
        inline.retain(|it| &*it.0 != name);
    }
    objset.lay_out(object);
    Ok(())
}

/// Removes a file from a directory of attributes.
fn remove_from(state: &mut State, id: DatasetId, directory: ObjectId, name: &str) -> Result<()> {
    let now = state.now;
    let file = leave(objset_mut(state, id)?, directory, name, now)?;
    drop_link(state, id, file)
}

/// The directory of a file's attributes, made when there is none (`zfs_make_xattrdir`).
fn make_directory(state: &mut State, id: DatasetId, object: ObjectId) -> Result<ObjectId> {
    let (terms, slots) = (terms(state, id), state.dnode_slots(id));
    let objset = objset_mut(state, id)?;
    let file = objset.get(object).ok_or(Errno::EIO)?;
    if let Some(directory) = file.xattrs.as_ref().and_then(|it| it.directory) {
        return Ok(directory);
    }
    let body = Body::directory(object);
    let directory = Znode {
        slots,
        parent: object,
        ..Znode::new(body, 0o1777, file.uid, file.gid, terms.txg, terms.now)
    };
    let directory = objset.add(directory, terms.reading);
    let xattrs = objset.get_mut(object).ok_or(Errno::EIO)?.xattrs_mut();
    xattrs.directory = Some(directory);
    xattrs.directory_first = xattrs.inline.is_none();
    objset.lay_out(object);
    Ok(directory)
}

impl Znode {
    fn xattrs_mut(&mut self) -> &mut Xattrs {
        self.xattrs.get_or_insert_default()
    }
}
