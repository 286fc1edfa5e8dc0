//! Who may do what: the checks of Linux's VFS (`fs/namei.c`, `fs/attr.c`), which those of ZFS agree with as long as
//! nothing but the mode says who may do what (`zfs_zaccess`).

use std::sync::Arc;

use crate::dmu::{ObjectId, Objset};
use crate::dsl::dataset::DatasetId;
use crate::fault::Fault;
use crate::machine::State;
use crate::outcome::Errno;
use crate::zpl::files::{Found, objset, znode};
use crate::zpl::znode::{Body, Znode};

/// Set-user-ID.
pub(super) const SET_UID: u32 = 0o4000;
/// Set-group-ID.
pub(super) const SET_GID: u32 = 0o2000;
/// The sticky bit: in such a directory only owners remove.
pub(super) const STICKY: u32 = 0o1000;
/// The group may execute.
pub(super) const GROUP_EXEC: u32 = 0o010;
/// Others may write.
const OTHERS_WRITE: u32 = 0o002;

/// Who makes system calls. User 0 has every capability, all others have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// The user.
    pub uid: u32,
    /// The user's group, which new files get.
    pub gid: u32,
    /// Other groups that the user is in.
    pub groups: Arc<[u32]>,
}

impl Credentials {
    /// Whether it has all capabilities.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Whether it is in a group.
    #[must_use]
    pub fn is_in(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }

    /// Whether it is the owner, or may do as if (`inode_owner_or_capable`).
    #[must_use]
    pub fn owns(&self, znode: &Znode) -> bool {
        self.is_root() || self.uid == znode.uid
    }

    /// Whether set-group-ID of this group may stay (`in_group_or_capable`).
    #[must_use]
    pub fn may_set_group(&self, gid: u32) -> bool {
        self.is_root() || self.is_in(gid)
    }

    /// `generic_permission`: the bits of 7 that are asked for.
    pub(super) fn may(&self, znode: &Znode, asked: u32) -> Found<()> {
        let shift = if self.uid == znode.uid {
            6
        } else if self.is_in(znode.gid) {
            3
        } else {
            0
        };
        if znode.mode >> shift & asked == asked {
            return Ok(());
        }
        // Of what is no directory somebody must be able to execute it.
        let executable = znode.is_directory() || znode.mode & 0o111 != 0;
        if self.is_root() && (asked & EXECUTE == 0 || executable) {
            return Ok(());
        }
        Err(Errno::EACCES)
    }
}

/// Permission to read.
pub(super) const READ: u32 = 4;
/// Permission to write.
pub(super) const WRITE: u32 = 2;
/// Permission to execute, or to look something up in a directory.
pub(super) const EXECUTE: u32 = 1;

impl State {
    /// Whether the user may do something with an object.
    pub(super) fn may(&self, id: DatasetId, object: ObjectId, asked: u32) -> Found<()> {
        if self.faulty(Fault::EverybodyIsRoot) {
            return Ok(());
        }
        self.user.may(znode(self, id, object)?, asked)
    }

    /// Whether the user may add a name to a directory (`may_create`).
    pub(super) fn may_create(&self, id: DatasetId, directory: ObjectId) -> Found<()> {
        self.may(id, directory, WRITE | EXECUTE)
    }

    /// Whether the user may take a name out of a directory (`may_delete`, `__check_sticky`).
    pub(super) fn may_delete(
        &self,
        id: DatasetId,
        directory: ObjectId,
        object: ObjectId,
    ) -> Found<()> {
        self.may(id, directory, WRITE | EXECUTE)?;
        let above = znode(self, id, directory)?;
        let is_kept = above.mode & STICKY != 0 && !self.faulty(Fault::StickyIsIgnored);
        let owns = self.user.owns(above) || self.user.owns(znode(self, id, object)?);
        if is_kept && !owns {
            return Err(Errno::EPERM);
        }
        Ok(())
    }

    /// Whether the user owns an object, or may do as if.
    pub(super) fn must_own(&self, id: DatasetId, object: ObjectId) -> Found<()> {
        if self.user.owns(znode(self, id, object)?) {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }

    /// Whether the user may give an object another name (`may_linkat` with `protected_hardlinks`).
    pub(super) fn may_link(&self, id: DatasetId, object: ObjectId) -> Found<()> {
        let znode = znode(self, id, object)?;
        let is_safe = matches!(znode.body, Body::File(_))
            && znode.mode & SET_UID == 0
            && znode.mode & (SET_GID | GROUP_EXEC) != SET_GID | GROUP_EXEC
            && self.user.may(znode, READ | WRITE).is_ok();
        if is_safe || self.user.owns(znode) {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }

    /// Whether the user may open what is there already, when it could have been made
    /// (`may_create_in_sticky` with `protected_fifos` 1 and `protected_regular` 2).
    pub(super) fn may_open_in_sticky(
        &self,
        id: DatasetId,
        directory: ObjectId,
        object: ObjectId,
    ) -> Found<()> {
        let (above, file) = (znode(self, id, directory)?, znode(self, id, object)?);
        let is_open =
            above.mode & STICKY == 0 || file.uid == above.uid || file.uid == self.user.uid;
        if is_open || matches!(file.body, Body::Directory { .. }) {
            return Ok(());
        }
        let is_file = matches!(file.body, Body::File(_));
        let by_others = above.mode & OTHERS_WRITE != 0;
        let by_group = above.mode & 0o020 != 0 && is_file;
        if by_others || by_group {
            return Err(Errno::EACCES);
        }
        Ok(())
    }
}

/// Whether the user may follow a link at the end of a path (`may_follow_link` with `protected_symlinks`).
pub(super) fn may_follow(
    user: &Credentials,
    objset: &Objset,
    directory: ObjectId,
    link: ObjectId,
) -> Found<()> {
    let (Some(above), Some(link)) = (objset.get(directory), objset.get(link)) else {
        return Ok(());
    };
    let is_shared = above.mode & (STICKY | OTHERS_WRITE) == STICKY | OTHERS_WRITE;
    if is_shared && link.uid != user.uid && link.uid != above.uid {
        return Err(Errno::EACCES);
    }
    Ok(())
}

/// What a change of content does to set-user-ID and set-group-ID (`file_remove_privs`,
/// `zfs_clear_setid_bits_if_necessary`): root keeps them.
pub(super) fn without_privileges(
    state: &State,
    id: DatasetId,
    object: ObjectId,
) -> Found<Option<u32>> {
    let znode = objset(state, id)?.get(object).ok_or(Errno::EIO)?;
    if state.user.is_root() || state.faulty(Fault::SetUidStays) {
        return Ok(None);
    }
    let mut mode = znode.mode & !SET_UID;
    if mode & GROUP_EXEC != 0 {
        mode &= !SET_GID;
    }
    Ok((mode != znode.mode).then_some(mode))
}
