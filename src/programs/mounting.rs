//! Mounting as libzfs does it: mountpoints that are made and removed, and what is taken off and put back
//! around a change (`libzfs_mount.c`, `libzfs_changelist.c`).

use ztwin_model::Release;
use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::properties::{Key, Property, Source, Value};
use ztwin_model::dsl::reason::Reason;
use ztwin_model::fault::Fault;
use ztwin_model::machine::State;
use ztwin_model::outcome::{Errno, Outcome};
use ztwin_model::spa::Pool;
use ztwin_model::zpl::mount::MountOptions;
use ztwin_model::zpl::op::{At, FileKind, FileOp, FileResult, Target, Unmount};

use super::console::{Console, NotModelled};

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
    pub fn mount(&mut self, id: DatasetId) -> bool {
        self.mount_with(id, &Asked::default())
    }

    /// As [`Console::mount`], as asked for.
    pub fn mount_with(&mut self, id: DatasetId, asked: &Asked) -> bool {
        match self.mountable(id) {
            Some(path) => self.mount_at(id, &path, asked),
            None => true,
        }
    }

    /// `zfs_mount_at`.
    fn mount_at(&mut self, id: DatasetId, path: &str, asked: &Asked) -> bool {
        let name = self.name(id);
        if !self.exists(path)
            && let Err(errno) = self.make_mountpoint(path)
        {
            self.refuse(
                &format!("cannot mount '{path}'"),
                &Reason::NoMountpoint(errno),
            );
            return false;
        }
        if !asked.overlay
            && !asked.remount
            && self.is(id, Property::Overlay, "off")
            && !self.is_empty(path)
        {
            self.refuse(
                &format!("cannot mount '{path}'"),
                &Reason::MountpointNotEmpty,
            );
            return false;
        }
        let mounted = match asked.options(self.state(), id) {
            None => Err(Errno::EINVAL),
            Some(options) if asked.remount => self.call(remounting(path, options)),
            Some(options) => self.call(FileOp::Mount {
                dataset: name.as_str().into(),
                path: path.into(),
                options,
                beside: asked.beside,
            }),
        };
        match mounted {
            Ok(_) => {
                // `libzfs_mnttab_add`
                let mnttab = self.mnttab.get_mut();
                if !mnttab.is_empty() {
                    mnttab.entry(id).or_insert_with(|| path.to_owned());
                }
                true
            }
            Err(errno) => {
                self.refuse(
                    &format!("cannot mount '{name}'"),
                    &Reason::MountFailed(errno),
                );
                false
            }
        }
    }

    /// `mkdirp`, which needs a path in characters of the locale.
    fn make_mountpoint(&mut self, path: &str) -> Result<(), Errno> {
        if !path.is_ascii() && self.is_locale_c() {
            if self.state().mounts.locate(path).mount.is_none() {
                self.missing
                    .set(Some("a mountpoint outside of the pools that is not ASCII"));
            }
            return Err(Errno::EILSEQ);
        }
        let path = path.into();
        self.call(FileOp::MakeMountpoint { path }).map(drop)
    }

    /// `zfs_mount_setattr`: gives what is mounted the options that changed properties ask for, whatever it
    /// was mounted with. Until 2.1 `zfs_mount` with `remount`: all options, if the last property that
    /// changes is one of them.
    pub fn remount(&mut self, id: DatasetId, changed: &[Key]) -> bool {
        let name = self.name(id);
        let changed = if self.state().faulty(Fault::LastPropertyRemounts) {
            &changed[changed.len().saturating_sub(1)..]
        } else {
            changed
        };
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
            let asked = Asked {
                remount: true,
                ..Asked::default()
            };
            let path = self.mountable(id).filter(|_| last && !mounted.is_empty());
            return path.is_none_or(|path| self.mount_at(id, &path, &asked));
        }
        // `zfs_add_options_setattr`: nothing to change, not even where it would fail.
        if with_option.is_empty() {
            return true;
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

    /// Whether there is something at a path in a pool, be it a symbolic link.
    fn exists(&mut self, path: &str) -> bool {
        matches!(self.stat(path, false), Some(Ok(())))
    }

    /// `stat`, without `follow` `lstat`; nothing is known of a path outside of all datasets.
    pub fn stat(&mut self, path: &str, follow: bool) -> Option<Result<(), Errno>> {
        let path = match self.state().resolve(path, follow) {
            Ok(path) => path,
            Err(errno) => return Some(Err(errno)),
        };
        let place = self.state().mounts.locate(&path);
        let at = At {
            dataset: self.name(place.mount?.dataset).into(),
            path: place.inside.into(),
        };
        Some(
            self.call(FileOp::Stat {
                file: Target::Path(at),
            })
            .map(|_| ()),
        )
    }

    /// Whether the directory at a path has no entries; outside of the pools, none that mountpoints needed.
    pub fn is_empty(&mut self, path: &str) -> bool {
        let Ok(path) = self.state().resolve(path, true) else {
            return true;
        };
        let place = self.state().mounts.locate(&path);
        let Some(dataset) = place.mount.map(|mount| self.name(mount.dataset)) else {
            return self.state().is_outside_empty(&path);
        };
        let at = At {
            dataset: dataset.into(),
            path: place.inside.into(),
        };
        // `dir_is_empty_stat`: with `.` and `..`.
        match self.call(FileOp::Stat {
            file: Target::Path(at),
        }) {
            Ok(Outcome::File(FileResult::Stat(stat))) => {
                stat.kind != FileKind::Directory || stat.size <= 2
            }
            _ => true,
        }
    }

    /// `libzfs_mnttab_find`: where it is mounted first. The program reads the mount table once, and keeps its
    /// copy by what it mounts and takes off by name, until nothing is left of the copy. What is mounted more than
    /// once, or over another, may be elsewhere than the copy says.
    pub fn first_mount(&self, id: DatasetId) -> Option<String> {
        let mut mnttab = self.mnttab.borrow_mut();
        if mnttab.is_empty() {
            for mount in self.state().mounts.iter() {
                mnttab.entry(mount.dataset).or_insert(mount.path.clone());
            }
        }
        mnttab.get(&id).cloned()
    }

    /// `zfs_unmount` without a mountpoint: takes its first mount off; none is fine.
    pub fn unmount(&mut self, id: DatasetId, force: bool) -> bool {
        let Some(path) = self.first_mount(id) else {
            return true;
        };
        let done = self.unmount_path(&path, force);
        if done {
            self.mnttab.get_mut().remove(&id);
        }
        done
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
        if self.is(id, Property::Canmount, "on") && !self.mount(id) {
            self.complain("filesystem successfully created, but not mounted");
            return failed;
        }
        0
    }
}

/// What `zfs mount` is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// `-O`: also over what is there.
    pub overlay: bool,
    /// Whether `-o` says so: what is mounted gets other options.
    pub remount: bool,
    /// Several are mounted at the same time.
    pub beside: bool,
    /// All of `-o`, between commas.
    words: String,
}

/// What an option of `zfs mount -o` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Nothing,
    ReadOnly,
    NoDevices,
    NoExec,
    NoSetuid,
    NoAtime,
    StrictAtime,
    Remount,
    /// Something that is not modelled.
    Other,
}

/// The options of `zfs mount -o` in the order in which they are looked for (`option_map`).
const OPTIONS: [(&str, Does); 42] = [
    ("noauto", Does::Nothing),
    ("defaults", Does::Nothing),
    ("nodev", Does::NoDevices),
    ("dev", Does::Nothing),
    ("dirsync", Does::Other),
    ("noexec", Does::NoExec),
    ("exec", Does::Nothing),
    ("group", Does::Other),
    ("_netdev", Does::Nothing),
    ("nofail", Does::Nothing),
    ("nosuid", Does::NoSetuid),
    ("suid", Does::Nothing),
    ("owner", Does::Other),
    ("remount", Does::Remount),
    ("ro", Does::ReadOnly),
    ("rw", Does::Nothing),
    ("sync", Does::Other),
    ("user", Does::Other),
    ("acl", Does::Other),
    ("noacl", Does::Other),
    ("posixacl", Does::Other),
    ("casesensitive", Does::Other),
    ("caseinsensitive", Does::Other),
    ("casemixed", Does::Other),
    ("noatime", Does::NoAtime),
    ("atime", Does::Nothing),
    ("nodiratime", Does::Other),
    ("diratime", Does::Nothing),
    ("relatime", Does::Nothing),
    ("norelatime", Does::Nothing),
    ("strictatime", Does::StrictAtime),
    ("nostrictatime", Does::Nothing),
    ("lazytime", Does::Other),
    ("context", Does::Other),
    ("fscontext", Does::Other),
    ("defcontext", Does::Other),
    ("rootcontext", Does::Other),
    ("iversion", Does::Other),
    ("mand", Does::Other),
    ("nomand", Does::Nothing),
    ("bind", Does::Other),
    ("xattr", Does::Other),
];

impl Asked {
    /// Whether it asks for a mount that can be written, whatever the property says.
    pub fn is_for_writing(&self) -> bool {
        self.words.contains("rw") && !self.words.split(',').any(|word| word == "ro")
    }

    /// `-o`; says what of it is not modelled.
    pub fn add(&mut self, words: &str) -> Result<(), NotModelled> {
        let other = |word: &&str| match Self::does(word) {
            Some(Does::Remount) => *word != "remount",
            does => does == Some(Does::Other),
        };
        if let Some(word) = words.split(',').find(other) {
            return Err(NotModelled(format!("the mount option '{word}'")));
        }
        self.remount |= words.split(',').any(|word| word == "remount");
        if !self.words.is_empty() {
            self.words.push(',');
        }
        self.words.push_str(words);
        Ok(())
    }

    /// `parse_option`: an option may be cut short.
    fn does(word: &str) -> Option<Does> {
        let name = word.split('=').next().unwrap_or(word);
        let found = OPTIONS.iter().find(|(option, _)| option.starts_with(name));
        found.map(|(_, does)| *does)
    }

    /// What is asked for, and what the properties do where nothing is (`zfs_add_options`); none where an
    /// option does not exist.
    fn options(&self, state: &State, id: DatasetId) -> Option<MountOptions> {
        let words: Vec<Does> = match &*self.words {
            "" => Vec::new(),
            words => words.split(',').map(Self::does).collect::<Option<_>>()?,
        };
        let given = |does| words.contains(&does);
        let said = |word: &str| self.words.contains(word);
        let wanted = MountOptions::of(state, id);
        let noatime = given(Does::NoAtime) || (!said("atime") && wanted.noatime);
        let relatime = state.property(id, Property::Relatime).0 == Value::Word("on");
        let says_how = said("relatime") || said("strictatime");
        let strict = given(Does::StrictAtime) || (!noatime && !says_how && !relatime);
        let pool = state.pool_of(id);
        Some(MountOptions {
            // In a pool that is read-only all mounts are (`zfs_mount_at`).
            read_only: pool.is_some_and(Pool::is_read_only)
                || given(Does::ReadOnly)
                || (!said("ro") && !said("rw") && wanted.read_only),
            noatime: noatime && !strict,
            relatime: !noatime && !strict,
            nodevices: given(Does::NoDevices) || (!said("dev") && wanted.nodevices),
            noexec: given(Does::NoExec) || (!said("exec") && wanted.noexec),
            nosetuid: given(Does::NoSetuid) || (!said("suid") && wanted.nosetuid),
        })
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
    /// Those of all whose name changes.
    former: Vec<String>,
    /// The name of the dataset that this mountpoint comes from; none where it is the default.
    source: String,
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
    /// inherit its mountpoint; of `zoned`, all below.
    pub fn of_mountpoint(console: &Console<'_>, id: DatasetId, property: Property) -> Self {
        let mut found = Vec::new();
        if property == Property::Zoned {
            // `cl_allchildren`
            found = console.state().subtree(id);
            found.retain(|&below| below != id);
        } else {
            inheriting(console, id, &mut found);
        }
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

    /// `changelist_gather` for a rename, or to unmount it: what is mounted at it and below it.
    pub fn of_mounted(console: &mut Console<'_>, id: DatasetId, force: bool) -> Self {
        // Until 2.1 it takes mounted snapshots for filesystems (`zfs_iter_mounted`).
        if console.release() == Release::V2_1 {
            let (top, state) = (console.name(id), console.state());
            let all = state.mounts.iter().map(|mount| console.name(mount.dataset));
            let rest = |name: &str| name.strip_prefix(&top).map(str::to_owned);
            let is_inside = |name: &String| rest(name).is_some_and(|it| it.starts_with(['/', '@']));
            let all: Vec<String> = all.filter(|it| it.contains('@') && is_inside(it)).collect();
            for name in all {
                console.refuse(&format!("cannot open '{name}'"), &Reason::SnapshotDelimiter);
            }
        }
        let mut found = console.state().subtree(id);
        found.retain(|&below| below != id && console.state().mounts.is_mounted(below));
        let mut changes = Self::new(console, id, found, false, force);
        changes.former = changes.mountpoints(console);
        changes
    }

    /// `changelist_gather` for a rename that leaves all mounted as it is.
    pub fn of_rename_in_place(console: &Console<'_>, id: DatasetId) -> Self {
        let mut found = console.state().subtree(id);
        found.retain(|&below| below != id);
        let mut changes = Self::new(console, id, found, false, false);
        changes.former = changes.mountpoints(console);
        changes.members.clear();
        changes.removable = None;
        changes
    }

    fn mountpoints(&self, console: &Console<'_>) -> Vec<String> {
        let members = self.members.iter();
        members
            .filter_map(|member| console.removable_mountpoint(member.id))
            .collect()
    }

    /// `changelist_rename`: the directories of the old names go, also of what stays unmounted. What then is
    /// removed before it is mounted is that of the new name: behind as many bytes as the name of the old
    /// source has, or where the new one is shorter what is left of the old one (`zfs_prop_get`).
    pub fn renamed(&mut self, console: &mut Console<'_>, from: &str, to: &str) {
        for path in std::mem::take(&mut self.former) {
            console.remove_mountpoint(Some(path));
        }
        let below = |name: &str| {
            let below = name.get(self.source.len()..)?;
            Some(below.strip_prefix('/').unwrap_or(below).to_owned())
        };
        let (before, after) = (below(from), below(to).or_else(|| below(from)));
        if let (Some(path), Some(before), Some(after)) = (&mut self.removable, before, after)
            && let Some(base) = path.strip_suffix(&before)
        {
            let removed = format!("{base}{after}");
            *path = match removed.trim_end_matches('/') {
                "" => "/".to_owned(),
                removed => removed.to_owned(),
            };
        }
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

    /// Nothing to be taken off.
    pub fn none() -> Self {
        Changelist {
            members: Vec::new(),
            removable: None,
            former: Vec::new(),
            source: String::new(),
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
        // The last mountpoint first, of a legacy one the last name; of two that are the same the second is
        // lost (`compare_mountpoints`, `compare_dataset_names`).
        let legacy = console.state().mountpoint(top).is_none();
        let key = |id: DatasetId| {
            if legacy {
                return console.name(id);
            }
            let path = console.state().mountpoint(id);
            path.unwrap_or_else(
                || match console.state().property(id, Property::Mountpoint).0 {
                    Value::Word(word) => word.to_owned(),
                    _ => String::new(),
                },
            )
        };
        found.push(top);
        let mut keyed: Vec<(String, DatasetId)> = Vec::new();
        for id in found {
            let key = key(id);
            if keyed.iter().all(|(known, _)| *known != key) {
                keyed.push((key, id));
            }
        }
        keyed.sort_by(|(one, _), (other, _)| other.cmp(one));
        let found = keyed.into_iter().map(|(_, id)| id);
        let members = found
            .map(|id| Member {
                id,
                mounted: console.state().mounts.is_mounted(id),
                pending: true,
            })
            .collect();
        let removable = console.removable_mountpoint(top);
        let source = match console.state().property(top, Property::Mountpoint).1 {
            Source::Inherited(from) => console.name(from),
            Source::Local | Source::Default => String::new(),
        };
        Changelist {
            members,
            removable,
            former: Vec::new(),
            source,
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
            if wanted && console.first_mount(id).is_none() && !console.mount(id) {
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
