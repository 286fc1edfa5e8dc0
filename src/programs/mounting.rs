//! Mounting as libzfs does it: mountpoints that are made and removed, and what is taken off and put back
//! around a change (`libzfs_mount.c`, `libzfs_changelist.c`).

use ztwin_model::Release;
use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::properties::{Key, Property, Source, Value};
use ztwin_model::dsl::reason::Reason;
use ztwin_model::outcome::{Errno, Outcome};
use ztwin_model::zpl::mount::MountOptions;
use ztwin_model::zpl::op::{At, FileOp, FileResult, Unmount};

use super::console::Console;

impl Console<'_> {
    /// Whether a property of words has this word.
    pub fn is(&self, id: DatasetId, property: Property, word: &str) -> bool {
        matches!(self.state().property(id, property).0, Value::Word(value) if value == word)
    }

    /// `zfs_is_mountable`: where ZFS mounts it, if it may.
    pub fn mountable(&self, id: DatasetId) -> Option<String> {
        let path = self.state().mountpoint(id)?;
        (!self.is(id, Property::Canmount, "off")).then_some(path)
    }

    /// `zfs_mount`: mounts it where it belongs; one that is not to be mounted is fine.
    pub fn mount(&mut self, id: DatasetId, overlay: bool) -> bool {
        self.mount_with(id, overlay, false)
    }

    /// As [`Console::mount`]; with `read_only` whatever the property says.
    pub fn mount_with(&mut self, id: DatasetId, overlay: bool, read_only: bool) -> bool {
        match self.mountable(id) {
            Some(path) => self.mount_at(id, &path, overlay, read_only),
            None => true,
        }
    }

    /// `zfs_mount_at`.
    fn mount_at(&mut self, id: DatasetId, path: &str, overlay: bool, read_only: bool) -> bool {
        let name = self.name(id);
        if !self.exists(path)
            && let Err(errno) = self.call(FileOp::MakeMountpoint { path: path.into() })
        {
            self.refuse(
                &format!("cannot mount '{path}'"),
                &Reason::NoMountpoint(errno),
            );
            return false;
        }
        if !overlay && self.is(id, Property::Overlay, "off") && !self.is_empty(path) {
            self.refuse(
                &format!("cannot mount '{path}'"),
                &Reason::MountpointNotEmpty,
            );
            return false;
        }
        let mut options = MountOptions::of(self.state(), id);
        options.read_only |= read_only;
        let mount = FileOp::Mount {
            dataset: name.as_str().into(),
            path: path.into(),
            options,
        };
        match self.call(mount) {
            Ok(_) => true,
            Err(errno) => {
                self.refuse(
                    &format!("cannot mount '{name}'"),
                    &Reason::MountFailed(errno),
                );
                false
            }
        }
    }

    /// `zfs_mount_setattr`: gives what is mounted the options that changed properties ask for, whatever it
    /// was mounted with. Until 2.1 `zfs_mount` with `remount`: all options, if the last property that
    /// changes is one of them.
    pub fn remount(&mut self, id: DatasetId, changed: &[Key]) -> bool {
        let name = self.name(id);
        let with_option: Vec<Property> = changed
            .iter()
            .filter_map(|key| match key {
                Key::Native(property) if MountOptions::PROPERTIES.contains(property) => {
                    Some(*property)
                }
                _ => None,
            })
            .collect();
        let mounts = self.state().mounts.of(id);
        let mounted: Vec<_> = mounts
            .map(|mount| (mount.path.clone(), mount.options))
            .collect();
        if self.release() == Release::V2_1 {
            // Where the property says that it is mounted, if it is mounted anywhere.
            let last = changed.last().is_some_and(|key| {
                let other = [Property::Xattr, Property::Nbmand].map(Key::Native);
                other.contains(key) || with_option.iter().any(|it| *key == Key::Native(*it))
            });
            let options = MountOptions::of(self.state(), id);
            let path = self.mountable(id).filter(|_| last && !mounted.is_empty());
            let failed = path.map(|path| self.call(remounting(&path, options)));
            return match failed {
                Some(Err(errno)) => {
                    let heading = format!("cannot mount '{name}'");
                    self.refuse(&heading, &Reason::MountFailed(errno));
                    false
                }
                _ => true,
            };
        }
        // Of a legacy one all mounts.
        let legacy = self.is(id, Property::Mountpoint, "legacy");
        let count = if legacy { mounted.len() } else { 1 };
        for (path, mut options) in mounted.into_iter().take(count) {
            for property in &with_option {
                options.follow(self.state(), id, *property);
            }
            if self.call(remounting(&path, options)).is_err() {
                let heading = format!("cannot set mount attributes for '{name}'");
                self.refuse(&heading, &Reason::MountAttributes);
                return false;
            }
        }
        true
    }

    /// Whether there is something at a path in a pool.
    fn exists(&mut self, path: &str) -> bool {
        let place = self.state().mounts.locate(path);
        let Some(dataset) = place.mount.map(|mount| self.name(mount.dataset)) else {
            return false;
        };
        let at = At {
            dataset: dataset.into(),
            path: place.inside.into(),
        };
        self.call(FileOp::Stat { at }).is_ok()
    }

    /// Whether the directory at a path has no entries, as far as the path lies in a pool.
    pub fn is_empty(&mut self, path: &str) -> bool {
        let place = self.state().mounts.locate(path);
        let Some(dataset) = place.mount.map(|mount| self.name(mount.dataset)) else {
            return true;
        };
        let at = At {
            dataset: dataset.into(),
            path: place.inside.into(),
        };
        match self.call(FileOp::Tree { at }) {
            Ok(Outcome::File(FileResult::Tree(tree))) => tree.entries.len() <= 1,
            _ => true,
        }
    }

    /// `zfs_unmount` without a mountpoint: takes its first mount off; none is fine.
    pub fn unmount(&mut self, id: DatasetId, force: bool) -> bool {
        let mount = self
            .state()
            .mounts
            .first(id)
            .map(|mount| mount.path.clone());
        mount.is_none_or(|path| self.unmount_path(&path, force))
    }

    /// `unmount_one`.
    pub fn unmount_path(&mut self, path: &str, force: bool) -> bool {
        let how = if force {
            Unmount::Force
        } else {
            Unmount::Plain
        };
        match self.call(FileOp::Unmount {
            path: path.into(),
            how,
        }) {
            Ok(_) => true,
            Err(errno) => {
                let reason = match errno {
                    Errno::EBUSY => Reason::MountBusy,
                    Errno::ENOENT => Reason::NoSuchMountpoint,
                    _ => Reason::UnmountFailed,
                };
                self.refuse(&format!("cannot unmount '{path}'"), &reason);
                false
            }
        }
    }

    /// What `remove_mountpoint` would remove for a dataset as it is now: nothing where the mountpoint was
    /// set on the dataset itself.
    pub fn removable_mountpoint(&self, id: DatasetId) -> Option<String> {
        match self.state().property(id, Property::Mountpoint).1 {
            Source::Local => None,
            Source::Inherited(_) | Source::Default => self.mountable(id),
        }
    }

    /// Removes a directory, or leaves it.
    pub fn remove_mountpoint(&mut self, path: Option<String>) {
        if let Some(path) = path {
            // `remove_mountpoint` ignores why it could not.
            let _ = self.call(FileOp::RemoveMountpoint { path: path.into() });
        }
    }

    /// `zfs_mount_and_share`: mounts what was just made. Since 2.4 it is no failure of the command when that
    /// cannot be.
    pub fn mount_new(&mut self, name: &str) -> u8 {
        let failed = u8::from(self.release() < Release::V2_4);
        let Some(id) = self.state().find(name) else {
            return failed;
        };
        if self.is(id, Property::Canmount, "on") && !self.mount(id, false) {
            self.complain("filesystem successfully created, but not mounted");
            return failed;
        }
        0
    }
}

fn remounting(path: &str, options: MountOptions) -> FileOp {
    FileOp::Remount {
        path: path.into(),
        options,
    }
}

/// What a change takes off first and puts back afterwards.
pub(super) struct Changelist {
    /// In the order in which they are taken off.
    members: Vec<Member>,
    /// The mountpoint of the dataset that changes, when ZFS made it.
    removable: Option<String>,
    /// Mount also those that were not mounted, when `canmount` is `on`.
    mounts_all: bool,
    force: bool,
}

struct Member {
    id: DatasetId,
    mounted: bool,
    pending: bool,
}

impl Changelist {
    /// `changelist_gather` for a change of `mountpoint` or `canmount`: the dataset, and those below that
    /// inherit its mountpoint.
    pub fn of_mountpoint(console: &Console<'_>, id: DatasetId, property: Property) -> Self {
        let mut found = Vec::new();
        inheriting(console, id, &mut found);
        let legacy = console.is(id, Property::Mountpoint, "legacy")
            || console.is(id, Property::Mountpoint, "none");
        let was_legacy = legacy && !console.is(id, Property::Canmount, "noauto");
        Self::new(
            console,
            id,
            found,
            // Until 2.1 what was not mounted stays so.
            was_legacy || (property == Property::Mountpoint && console.release() > Release::V2_1),
            false,
        )
    }

    /// `changelist_gather` for a rename: what is mounted at it and below it.
    pub fn of_rename(console: &Console<'_>, id: DatasetId, force: bool) -> Self {
        let mut found = console.state().subtree(id);
        found.retain(|&below| below != id && console.state().mounts.is_mounted(below));
        Self::new(console, id, found, false, force)
    }

    /// `changelist_gather` with all that depends on a dataset, of which these are mounted.
    pub fn of_dependents(
        console: &Console<'_>,
        id: DatasetId,
        mounted: Vec<DatasetId>,
        force: bool,
    ) -> Self {
        Self::new(console, id, mounted, false, force)
    }

    /// `zfs_unmountall`: what is mounted at it and below it, unless it has a mountpoint of its own.
    pub fn of_unmount(console: &Console<'_>, id: DatasetId, force: bool) -> Self {
        let mut found = Vec::new();
        inheriting(console, id, &mut found);
        found.retain(|&below| console.state().mounts.is_mounted(below));
        Self::new(console, id, found, false, force)
    }

    /// Nothing to be taken off.
    pub fn none() -> Self {
        Changelist {
            members: Vec::new(),
            removable: None,
            mounts_all: false,
            force: false,
        }
    }

    fn new(
        console: &Console<'_>,
        top: DatasetId,
        mut found: Vec<DatasetId>,
        mounts_all: bool,
        force: bool,
    ) -> Self {
        let key = |id: &DatasetId| {
            (
                console.state().mountpoint(*id).unwrap_or_default(),
                console.name(*id),
            )
        };
        found.sort_by_key(|id| std::cmp::Reverse(key(id)));
        found.push(top);
        let members = found
            .into_iter()
            .map(|id| Member {
                id,
                mounted: console.state().mounts.is_mounted(id),
                pending: true,
            })
            .collect();
        let removable = console.removable_mountpoint(top);
        Changelist {
            members,
            removable,
            mounts_all,
            force,
        }
    }

    /// `changelist_prefix`: takes off what is mounted. When one cannot be, the others are put back.
    pub fn prefix(&mut self, console: &mut Console<'_>) -> bool {
        let mut failed = false;
        for member in &mut self.members {
            if failed {
                member.pending = false;
            } else if !console.unmount(member.id, self.force) {
                member.pending = false;
                failed = true;
            }
        }
        if failed {
            self.postfix(console);
        }
        !failed
    }

    /// `changelist_postfix`: puts back, those above first; whether all could be.
    pub fn postfix(&mut self, console: &mut Console<'_>) -> bool {
        console.remove_mountpoint(self.removable.take());
        let mut failed = false;
        for member in self
            .members
            .iter_mut()
            .rev()
            .filter(|member| member.pending)
        {
            member.pending = false;
            let id = member.id;
            let wanted =
                member.mounted || (self.mounts_all && console.is(id, Property::Canmount, "on"));
            if wanted && !console.state().mounts.is_mounted(id) && !console.mount(id, false) {
                failed = true;
            }
        }
        !failed
    }
}

/// The filesystems below `id` that inherit its mountpoint.
fn inheriting(console: &Console<'_>, id: DatasetId, found: &mut Vec<DatasetId>) {
    let state = console.state();
    let children = state.dataset(id).and_then(|dataset| dataset.filesystem());
    for &child in children.into_iter().flat_map(|it| it.children.values()) {
        if state.property(child, Property::Mountpoint).1 != Source::Local {
            found.push(child);
            inheriting(console, child, found);
        }
    }
}
