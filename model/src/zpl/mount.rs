//! The mount table, as Linux keeps it: mounts stand on mounts.
//!
//! Outside of all mounts lies a file system of which the model knows nothing: every directory
//! there exists when it is asked for, and changes there leave no trace.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::dmu::ObjectId;
use crate::dsl::dataset::DatasetId;
use crate::dsl::property::{Property, Value};
use crate::fault::Fault;
use crate::machine::State;
use crate::maps::{Names, Radix};
use crate::zpl::open::OpenFiles;

/// The number of a mount, never used twice on a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MountId(pub u64);

impl From<MountId> for u64 {
    fn from(id: MountId) -> u64 {
        id.0
    }
}

impl From<u64> for MountId {
    fn from(number: u64) -> MountId {
        MountId(number)
    }
}

/// A dataset mounted somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its number; a later mount has a higher one.
    pub id: MountId,
    /// The mounted filesystem or snapshot.
    pub dataset: DatasetId,
    /// Where it is mounted: an absolute path.
    pub path: String,
    /// Its options.
    pub options: MountOptions,
    /// Whether it was read-only when it was mounted. A rollback goes back to that (`zfs_register_callbacks`).
    pub was_read_only: bool,
    /// When it was mounted, if others were at the same time: nobody knows in which order they stand.
    pub beside: Option<u64>,
    /// The mount it stands on, with the directory there that it covers; none outside.
    pub on: Option<(MountId, ObjectId)>,
    /// Of a snapshot that ZFS mounted below `.zfs`: the full name that it had then (`se_name`).
    pub automatic: Option<Arc<str>>,
}

/// The options of a mount that properties speak of too. `zfs get` believes them (`get_numeric_property`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "they are flags of the kernel's"
)]
pub struct MountOptions {
    /// `ro`
    pub read_only: bool,
    /// `noatime`
    pub noatime: bool,
    /// `relatime`
    pub relatime: bool,
    /// `nodev`
    pub nodevices: bool,
    /// `noexec`
    pub noexec: bool,
    /// `nosuid`
    pub nosetuid: bool,
}

impl MountOptions {
    /// The properties that it has an option for.
    pub const PROPERTIES: [Property; 6] = [
        Property::Atime,
        Property::Relatime,
        Property::Devices,
        Property::Exec,
        Property::Setuid,
        Property::Readonly,
    ];

    /// Those of `mount(2)` without flags, or with `MS_RDONLY`.
    #[must_use]
    pub fn plain(read_only: bool) -> Self {
        MountOptions {
            read_only,
            relatime: true,
            ..MountOptions::default()
        }
    }

    /// Those of a mount that nobody sees, through which what is hidden is reached (`fsmount(2)`). It agrees with the others
    /// whether it is read-only.
    #[must_use]
    pub fn unseen(state: &State, id: DatasetId) -> Self {
        MountOptions {
            relatime: true,
            read_only: state.superblock_read_only(id) == Some(true),
            ..MountOptions::default()
        }
    }

    /// Those that a dataset's properties ask for (`zfs_add_options`).
    #[must_use]
    pub fn of(state: &State, id: DatasetId) -> Self {
        let mut options = MountOptions::default();
        for property in Self::PROPERTIES {
            options.follow(state, id, property);
        }
        options
    }

    /// Takes over what one property asks for (`zfs_add_options_setattr`).
    pub fn follow(&mut self, state: &State, id: DatasetId, property: Property) {
        let on = |property| state.property(id, property).0 == Value::Word("on");
        match property {
            Property::Atime | Property::Relatime => {
                self.noatime = !on(Property::Atime);
                self.relatime = !self.noatime && on(Property::Relatime);
            }
            Property::Devices => self.nodevices = !on(property),
            Property::Exec => self.noexec = !on(property),
            Property::Setuid => self.nosetuid = !on(property),
            Property::Readonly => self.read_only = on(property),
            _ => {}
        }
    }

    /// The value that `zfs get` believes in against the property's own, which is `on` or not
    /// (`get_numeric_property`): most options show in the mount table only when they forbid.
    #[must_use]
    pub fn overrides(self, property: Property, on: bool) -> Option<&'static str> {
        match property {
            Property::Readonly => (self.read_only && !on).then_some("on"),
            Property::Relatime => (self.relatime && !on).then_some("on"),
            Property::Atime => (self.noatime && on).then_some("off"),
            Property::Devices => (self.nodevices && on).then_some("off"),
            Property::Exec => (self.noexec && on).then_some("off"),
            Property::Setuid => (self.nosetuid && on).then_some("off"),
            _ => None,
        }
    }
}

impl State {
    /// Whether anything holds the dataset so that it cannot be destroyed or exported: a mount, or a
    /// file that is still open below a mount that was lazily unmounted.
    #[must_use]
    pub fn holds(&self, dataset: DatasetId) -> bool {
        let open = || self.open_files.on_dataset(dataset);
        self.mounts.is_mounted(dataset) || (open() && !self.faulty(Fault::DetachedIsFree))
    }

    /// Whether the superblock of a dataset is read-only by an option; none when it has none, being neither mounted nor open.
    pub(super) fn superblock_read_only(&self, dataset: DatasetId) -> Option<bool> {
        let by_mount = self.mounts.superblock_read_only(dataset);
        by_mount.or_else(|| self.open_files.read_only(dataset))
    }
}

/// A place in the machine's path space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'m, 'p> {
    /// The mount that the path leads into; none outside of all mounts.
    pub mount: Option<&'m Mount>,
    /// The rest of the path within it: `/` for its root.
    pub inside: &'p str,
}

/// The mounted datasets, in the order in which they were mounted.
#[derive(Clone, Debug, Default)]
pub struct Mounts {
    table: Radix<MountId, Arc<Mount>>,
    by_dataset: Radix<DatasetId, Set>,
    by_path: Names<Set>,
    /// What stands on a mount, by the directory that it covers.
    standing: Radix<MountId, Radix<ObjectId, Set>>,
    /// The datasets whose superblock follows the property `readonly`, whatever their mounts were told.
    following: BTreeSet<DatasetId>,
    /// What was looked up in the control directories of mounted filesystems, by the name from there.
    seen: Radix<DatasetId, Names<Option<ObjectId>>>,
    /// The snapshots that ZFS mounted by itself, as long as they are mounted anywhere (`zfs_snapshots_by_objsetid`).
    automatic: BTreeSet<DatasetId>,
    next: u64,
}

/// Mounts, oldest first.
type Set = Radix<MountId, ()>;

/// What of `path` lies beneath `top`: `/` for `top` itself.
fn beneath<'a>(path: &'a str, top: &str) -> Option<&'a str> {
    let rest = if top == "/" {
        path
    } else {
        path.strip_prefix(top)?
    };
    match rest {
        "" => Some("/"),
        _ => rest.starts_with('/').then_some(rest),
    }
}

impl Mounts {
    /// All mounts, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Mount> {
        self.table.values().map(|mount| &**mount)
    }

    /// A mount by its number.
    #[must_use]
    pub fn get(&self, id: MountId) -> Option<&Mount> {
        self.table.get(&id).map(|mount| &**mount)
    }

    fn those<'a>(&'a self, set: Option<&'a Set>) -> impl Iterator<Item = &'a Mount> {
        let ids = set.into_iter().flat_map(Radix::keys);
        ids.filter_map(|id| self.get(id))
    }

    /// The mounts of a dataset, oldest first.
    pub fn of(&self, dataset: DatasetId) -> impl Iterator<Item = &Mount> {
        self.those(self.by_dataset.get(&dataset))
    }

    /// The oldest mount of a dataset: the one through which file steps reach it.
    #[must_use]
    pub fn first(&self, dataset: DatasetId) -> Option<&Mount> {
        self.of(dataset).next()
    }

    /// Whether the superblock of a mounted dataset is read-only by an option, and not by its property.
    #[must_use]
    pub fn superblock_read_only(&self, dataset: DatasetId) -> Option<bool> {
        let first = self.first(dataset)?;
        Some(first.options.read_only && !self.following.contains(&dataset))
    }

    /// Whether the superblock of a mounted dataset follows its property, although a mount was told to be read-only.
    #[must_use]
    pub fn follows_property(&self, dataset: DatasetId) -> bool {
        self.following.contains(&dataset)
    }

    /// The superblock of a dataset follows its property from now on (`readonly_changed_cb`).
    pub(crate) fn follow_property(&mut self, dataset: DatasetId) {
        if self.is_mounted(dataset) {
            self.following.insert(dataset);
        }
    }

    /// Whether a dataset is mounted anywhere.
    #[must_use]
    pub fn is_mounted(&self, dataset: DatasetId) -> bool {
        self.first(dataset).is_some()
    }

    /// Where an absolute path leads that has no symbolic links on the way ([`State::resolve`]).
    #[must_use]
    pub fn locate<'m, 'p>(&'m self, path: &'p str) -> Place<'m, 'p> {
        let mut place = Place {
            mount: None,
            inside: path,
        };
        // A walk along the path meets the shortest mountpoint first.
        let ends = path.match_indices('/').map(|(end, _)| end.max(1));
        for end in ends.chain([path.len()]) {
            let at = &path[..end];
            while let Some(mount) = self
                .those(self.by_path.get(at))
                .find(|mount| mount.on.map(|(below, _)| below) == place.mount.map(|mount| mount.id))
            {
                place = Place {
                    mount: Some(mount),
                    inside: beneath(path, at).unwrap_or("/"),
                };
            }
        }
        place
    }

    /// The topmost mount whose root is at `path`.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Mount> {
        let place = self.locate(path);
        place.mount.filter(|_| place.inside == "/")
    }

    /// Whether its path leads to it, and no other mount hides it.
    #[must_use]
    pub fn is_seen(&self, mount: &Mount) -> bool {
        self.at(&mount.path).is_some_and(|it| it.id == mount.id)
    }

    /// Whether another mount stands on this one, or a file is open through it: `umount` without a
    /// flag is then refused with `EBUSY`.
    #[must_use]
    pub fn is_busy(&self, id: MountId, open: &OpenFiles) -> bool {
        self.standing.contains_key(&id) || open.through(id)
    }

    /// Whether something is mounted on this directory of a dataset, through any of its mounts.
    #[must_use]
    pub fn covers(&self, dataset: DatasetId, directory: ObjectId) -> bool {
        self.of(dataset)
            .any(|below| self.crosses(below.id, directory))
    }

    /// The directories of a dataset on which something is mounted, through any of its mounts.
    pub(super) fn covered(&self, dataset: DatasetId) -> impl Iterator<Item = ObjectId> {
        let standing = self.of(dataset).filter_map(|it| self.standing.get(&it.id));
        standing.flat_map(Radix::keys)
    }

    /// Whether something is mounted on this directory as seen through this mount.
    #[must_use]
    pub fn crosses(&self, through: MountId, directory: ObjectId) -> bool {
        let standing = self.standing.get(&through);
        standing.is_some_and(|standing| standing.contains_key(&directory))
    }

    /// The topmost mount on this directory as seen through this mount.
    #[must_use]
    pub fn on(&self, through: MountId, directory: ObjectId) -> Option<&Mount> {
        let standing = self.standing.get(&through)?;
        self.those(standing.get(&directory)).last()
    }

    /// Those on this one that ZFS mounted by itself.
    pub(super) fn automatic_on(&self, below: MountId) -> Vec<MountId> {
        let standing = self.standing.get(&below).into_iter();
        let all = standing.flat_map(Radix::values);
        let all = all.flat_map(|set| self.those(Some(set)));
        let all = all.filter(|mount| mount.automatic.is_some());
        all.map(|mount| mount.id).collect()
    }

    /// ZFS made this mount by itself, of a snapshot of that name.
    pub(super) fn is_automatic(&mut self, id: MountId, name: Arc<str>) {
        if let Some(mount) = self.table.get_mut(&id) {
            self.automatic.insert(mount.dataset);
            Arc::make_mut(mount).automatic = Some(name);
        }
    }

    /// Whether ZFS takes a snapshot for one that it has mounted: it does not notice the end of its own mount before that
    /// of the last one.
    pub(super) fn is_taken_for_automatic(&self, snapshot: DatasetId) -> bool {
        self.automatic.contains(&snapshot)
    }

    /// The directory of a dataset that something may be mounted on has another name.
    pub(super) fn rename_standing(&mut self, dataset: DatasetId, directory: ObjectId, name: &str) {
        let all = self
            .of(dataset)
            .filter_map(|below| self.on(below.id, directory));
        let all: Vec<Mount> = all.cloned().collect();
        for mut mount in all {
            self.find_by(&mount, false);
            let end = mount.path.rfind('/').map_or(0, |end| end + 1);
            mount.path.replace_range(end.., name);
            self.find_by(&mount, true);
            self.table.insert(mount.id, Arc::new(mount));
        }
    }

    /// What Linux remembers of a name in the control directory of a filesystem: the number of what it found there, or
    /// that it found nothing.
    #[allow(
        clippy::option_option,
        reason = "to have found nothing is not the same as not to have looked"
    )]
    pub(super) fn seen(&self, filesystem: DatasetId, name: &str) -> Option<Option<ObjectId>> {
        self.seen.get(&filesystem)?.get(name).copied()
    }

    /// Linux remembers that.
    pub(super) fn see(&mut self, filesystem: DatasetId, name: Arc<str>, found: Option<ObjectId>) {
        let mut names = self.seen.get(&filesystem).cloned().unwrap_or_default();
        names.insert(name, found);
        self.seen.insert(filesystem, names);
    }

    /// Linux forgets the names of this object. Tells whether there was one.
    pub(super) fn unsee(&mut self, filesystem: DatasetId, object: ObjectId) -> bool {
        let Some(mut names) = self.seen.get(&filesystem).cloned() else {
            return false;
        };
        let old = names.iter().filter(|(_, found)| **found == Some(object));
        let old: Vec<Arc<str>> = old.map(|(name, _)| name.clone()).collect();
        for name in &old {
            names.remove(name);
        }
        self.seen.insert(filesystem, names);
        !old.is_empty()
    }

    /// Linux forgets what it remembers of the names in the control directory of a filesystem, but where it found one of
    /// these objects.
    pub(super) fn remember_only(&mut self, filesystem: DatasetId, held: &BTreeSet<ObjectId>) {
        if let Some(names) = self.seen.get(&filesystem) {
            let is_held = |found: &Option<ObjectId>| found.is_some_and(|it| held.contains(&it));
            let kept = names.iter().filter(|(_, found)| is_held(found));
            let kept = kept.map(|(name, found)| (name.clone(), *found)).collect();
            self.seen.insert(filesystem, kept);
        }
    }

    /// Adds a mount; the rules were checked before.
    pub(crate) fn add(
        &mut self,
        dataset: DatasetId,
        path: &str,
        options: MountOptions,
        on: Option<(MountId, ObjectId)>,
        beside: Option<u64>,
    ) -> MountId {
        let id = MountId(self.next);
        self.next += 1;
        let mount = Arc::new(Mount {
            id,
            dataset,
            path: path.to_owned(),
            options,
            was_read_only: options.read_only,
            beside,
            on,
            automatic: None,
        });
        self.find_by(&mount, true);
        self.table.insert(id, mount);
        id
    }

    /// Lets a mount be found by all that it can be found by, or no longer.
    fn find_by(&mut self, mount: &Mount, there: bool) {
        let with = |set: Option<&Set>| {
            let mut set = set.cloned().unwrap_or_default();
            if there {
                set.insert(mount.id, ());
            } else {
                set.remove(&mount.id);
            }
            Some(set).filter(|set| !set.is_empty())
        };
        match with(self.by_dataset.get(&mount.dataset)) {
            Some(set) => self.by_dataset.insert(mount.dataset, set),
            None => self.by_dataset.remove(&mount.dataset),
        };
        match with(self.by_path.get(&mount.path)) {
            Some(set) => self.by_path.insert(mount.path.as_str().into(), set),
            None => self.by_path.remove(&mount.path),
        };
        let Some((below, directory)) = mount.on else {
            return;
        };
        let mut standing = self.standing.get(&below).cloned().unwrap_or_default();
        match with(standing.get(&directory)) {
            Some(set) => standing.insert(directory, set),
            None => standing.remove(&directory),
        };
        if standing.is_empty() {
            self.standing.remove(&below);
        } else {
            self.standing.insert(below, standing);
        }
    }

    /// What is read-only now is so again behind each rollback from now on (`zfs_register_callbacks`).
    pub(crate) fn keep_read_only(&mut self, dataset: DatasetId) {
        let all: Vec<_> = self
            .iter()
            .filter(|it| it.dataset == dataset)
            .map(|it| it.id)
            .collect();
        for id in all {
            if let Some(mount) = self.table.get_mut(&id).map(Arc::make_mut) {
                mount.was_read_only = true;
            }
        }
    }

    /// Gives a mount other options.
    pub(crate) fn remount(&mut self, id: MountId, options: MountOptions) {
        if let Some(mount) = self.table.get_mut(&id) {
            Arc::make_mut(mount).options = options;
        }
    }

    /// Takes a mount off, with all that stand on it. Gives the datasets that were mounted there.
    pub(crate) fn detach(&mut self, id: MountId) -> BTreeSet<DatasetId> {
        let mut gone = vec![id];
        let mut at = 0;
        while let Some(&id) = gone.get(at) {
            let standing = self.standing.get(&id).into_iter().flat_map(Radix::values);
            gone.extend(standing.flat_map(Radix::keys));
            at += 1;
        }
        let mut datasets = BTreeSet::new();
        for id in gone {
            if let Some(mount) = self.table.remove(&id) {
                self.find_by(&mount, false);
                datasets.insert(mount.dataset);
            }
        }
        for dataset in &datasets {
            if !self.is_mounted(*dataset) {
                self.following.remove(dataset);
                self.seen.remove(dataset);
                self.automatic.remove(dataset);
            }
        }
        datasets
    }
}
