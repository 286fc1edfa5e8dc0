//! From a lot to an operation, with the machine in view.

use std::sync::Arc;

use super::lot::Choices;
use super::world::Place;
use super::{Lot, World};
use crate::dmu::{ObjectId, Objset, ROOT};
use crate::dsl::dataset::{Dataset, DatasetId, Filesystem};
use crate::dsl::op::DslOp;
use crate::dsl::properties::{Class, Key};
use crate::machine::State;
use crate::op::Op;
use crate::spa::op::PoolOp;
use crate::zpl::mount::MountOptions;
use crate::zpl::op::{At, FileOp, Opening, Renaming, Target, Unmount};
use crate::zpl::open::Handle;
use crate::zpl::znode::{Body, Special, Znode};

/// Which operations come, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Mix {
    /// Datasets: what is made, destroyed, renamed, promoted, held and set.
    #[default]
    Administration,
    /// System calls on files.
    Files,
    /// What drivers of containers do: snapshots, clones, mounts, and a few files in each.
    Layers,
    /// What changes how much datasets take.
    Space,
}

impl Mix {
    /// All of them.
    pub const ALL: [Mix; 4] = [Mix::Administration, Mix::Files, Mix::Layers, Mix::Space];

    /// Its name, as on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Mix::Administration => "administration",
            Mix::Files => "files",
            Mix::Layers => "layers",
            Mix::Space => "space",
        }
    }
}

/// A kind of operation; none when what it needs is not there.
type Rule = fn(&mut Chooser<'_>) -> Option<Op>;

/// The kinds, simple ones first, with how often each comes in the four mixes.
const RULES: [([u16; 4], Rule); 33] = [
    ([12, 5, 9, 10], |it| it.snapshot()),
    ([14, 10, 12, 12], |it| it.clone_snapshot()),
    ([3, 9, 8, 7], |it| it.mount()),
    ([6, 5, 5, 14], |it| it.create()),
    ([3, 16, 12, 18], |it| it.write()),
    ([5, 1, 4, 4], |it| it.destroy_snapshot()),
    ([3, 1, 3, 3], |it| it.destroy()),
    ([4, 1, 2, 5], |it| it.promote()),
    ([4, 1, 1, 4], |it| it.rollback()),
    ([4, 0, 1, 2], |it| it.rename()),
    ([3, 0, 0, 1], |it| it.rename_snapshot()),
    ([4, 0, 1, 0], |it| it.hold()),
    ([3, 0, 1, 0], |it| it.release()),
    ([4, 1, 1, 4], |it| it.set()),
    ([2, 0, 0, 2], |it| it.inherit()),
    ([3, 0, 0, 3], |it| it.bookmark()),
    ([2, 0, 0, 1], |it| it.destroy_bookmark()),
    ([2, 0, 1, 2], |it| it.snapshots()),
    ([2, 0, 1, 2], |it| it.destroy_snapshots()),
    ([2, 1, 4, 2], |it| it.unmount()),
    ([1, 2, 1, 6], |it| it.sync()),
    ([0, 6, 2, 4], |it| it.truncate()),
    ([0, 4, 0, 3], |it| it.punch()),
    ([0, 6, 2, 0], |it| it.read()),
    ([1, 6, 4, 3], |it| it.unlink()),
    ([1, 5, 3, 1], |it| it.make_directory()),
    ([0, 3, 2, 0], |it| it.remove_directory()),
    ([0, 5, 2, 1], |it| it.rename_file()),
    ([0, 4, 1, 0], |it| it.link()),
    ([0, 2, 2, 0], |it| it.whiteout()),
    ([0, 3, 1, 0], |it| it.set_mode()),
    ([1, 6, 1, 0], |it| it.open()),
    ([1, 6, 1, 0], |it| it.close()),
];

/// What is chosen from.
struct Chooser<'a> {
    world: &'a World,
    state: &'a State,
    /// Whether names are taken whatever they lead to.
    blindly: bool,
    choices: Choices,
}

impl World {
    /// The operation that a lot stands for in this state.
    #[must_use]
    pub fn choose(&self, mix: Mix, lot: Lot, state: &State) -> Op {
        let column = mix as usize;
        let mut choices = Choices::new(lot);
        let sum: u16 = RULES.iter().map(|(weights, _)| weights[column]).sum();
        let mut at = u16::try_from(choices.below(usize::from(sum))).unwrap_or(0);
        let drawn = RULES.iter().position(|(weights, _)| {
            let found = at < weights[column];
            at = at.saturating_sub(weights[column]);
            found
        });
        // One operation of seven is drawn without a look at what is there.
        let blindly = choices.chance(37);
        // What cannot be done, as nothing is there for it, gives way to the next kind that can.
        let (before, behind) = RULES.split_at(drawn.unwrap_or(0));
        for (_, rule) in behind.iter().chain(before) {
            let mut chooser = Chooser {
                world: self,
                state,
                blindly,
                choices: choices.clone(),
            };
            if let Some(op) = rule(&mut chooser) {
                return op;
            }
        }
        Op::Pool(PoolOp::Sync {
            pool: self.pool.to_string(),
        })
    }
}

// What is there.
impl<'a> Chooser<'a> {
    fn dataset(&self, name: &str) -> Option<&'a Dataset> {
        self.state.dataset(self.state.find(name)?)
    }

    fn filesystem(&self, place: &Place) -> Option<(DatasetId, &'a Filesystem)> {
        let dataset = self.dataset(&place.name)?;
        Some((dataset.id, dataset.filesystem()?))
    }

    fn is_there(&self, name: &str) -> bool {
        self.state.find(name).is_some()
    }

    /// Whether a filesystem can be made there.
    fn is_free(&self, place: &Place) -> bool {
        let parent = place.parent.as_ref();
        !self.is_there(&place.name) && parent.is_none_or(|parent| self.is_there(parent))
    }

    fn is_mounted(&self, place: &Place) -> bool {
        let id = self.state.find(&place.name);
        id.is_some_and(|id| self.state.mounts.is_mounted(id))
    }

    /// Whether files there can be changed.
    fn is_writable(&self, place: &Place) -> bool {
        let id = self.state.find(&place.name);
        let mount = id.and_then(|id| self.state.mounts.first(id));
        mount.is_some_and(|it| !it.options.read_only && !self.state.is_readonly(it.dataset))
    }

    /// One of the places of which this holds.
    fn place(&mut self, holds: impl Fn(&Self, &Place) -> bool) -> Option<&'a Place> {
        let (world, blindly) = (self.world, self.blindly);
        let mut choices = self.choices.clone();
        let found = choices.one_of_which(&world.places, blindly, |place| holds(self, place));
        self.choices = choices;
        found
    }

    /// One of the names of a place of which this holds.
    fn name<'n>(
        &mut self,
        names: &'n [Arc<str>],
        holds: impl Fn(&Self, &Arc<str>) -> bool,
    ) -> Option<&'n Arc<str>> {
        let blindly = self.blindly;
        let mut choices = self.choices.clone();
        let found = choices.one_of_which(names, blindly, |name| holds(self, name));
        self.choices = choices;
        found
    }

    /// One of the snapshots of which this holds.
    fn snapshot_of_which(
        &mut self,
        holds: impl Fn(&Self, &Dataset) -> bool,
    ) -> Option<&'a Arc<str>> {
        let holds = |it: &Self, name: &Arc<str>| it.dataset(name).is_some_and(|one| holds(it, one));
        let any = |it: &Self, place: &Place| place.snapshots.iter().any(|name| holds(it, name));
        let place = self.place(any)?;
        self.name(&place.snapshots, holds)
    }

    fn size(&mut self) -> u64 {
        self.choices.one(&self.world.sizes).copied().unwrap_or(0)
    }

    /// One of the files of filesystems that are mounted: of those that are there, or of those that are not.
    fn file(&mut self, changes: bool, holds: impl Fn(&Objset, &At) -> bool) -> Option<&'a At> {
        let of = |it: &Self, place: &Place| {
            let reached = if changes {
                it.is_writable(place)
            } else {
                it.is_mounted(place)
            };
            let objset = it.dataset(&place.name).filter(|_| reached);
            objset.map(|it| &it.objset)
        };
        let place = self.place(|it, place| {
            let objset = of(it, place);
            objset.is_some_and(|objset| place.files.iter().any(|at| holds(objset, at)))
        })?;
        let objset = of(self, place);
        self.choices.one_of_which(&place.files, self.blindly, |at| {
            objset.is_some_and(|objset| holds(objset, at))
        })
    }
}

/// The object at a path, if it is there.
pub(crate) fn lookup(objset: &Objset, path: &str) -> Option<ObjectId> {
    let mut names = path.split('/').filter(|name| !name.is_empty());
    names.try_fold(ROOT, |directory, name| match &objset.get(directory)?.body {
        Body::Directory { entries, .. } => entries.get(name).copied(),
        _ => None,
    })
}

fn body<'o>(objset: &'o Objset, at: &At) -> Option<&'o Body> {
    Some(&objset.get(lookup(objset, &at.path)?)?.body)
}

fn is_file(objset: &Objset, at: &At) -> bool {
    matches!(body(objset, at), Some(Body::File(_)))
}

fn is_there(objset: &Objset, at: &At) -> bool {
    lookup(objset, &at.path).is_some()
}

/// Whether a name can be given there.
fn is_free(objset: &Objset, at: &At) -> bool {
    let parent = at.path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let parent = lookup(objset, parent).and_then(|id| objset.get(id));
    parent.is_some_and(Znode::is_directory) && !is_there(objset, at)
}

/// Whether a file is there, or can be made.
fn can_hold(objset: &Objset, at: &At) -> bool {
    is_file(objset, at) || is_free(objset, at) && !at.path.ends_with('d')
}

// Datasets.
impl Chooser<'_> {
    fn create(&mut self) -> Option<Op> {
        let name = self.place(Self::is_free)?.name.clone();
        let settings = if self.choices.chance(48) {
            let setting = self.choices.one(&self.world.settings);
            setting.cloned().into_iter().collect()
        } else {
            Vec::new()
        };
        Some(Op::Dataset(DslOp::Create {
            name,
            volume: None,
            settings,
        }))
    }

    fn snapshot(&mut self) -> Option<Op> {
        let free = |it: &Self, name: &Arc<str>| !it.is_there(name);
        let place = self.place(|it, place| {
            it.is_there(&place.name) && place.snapshots.iter().any(|name| free(it, name))
        })?;
        let name = self.name(&place.snapshots, free)?.clone();
        Some(snapshots(vec![name]))
    }

    /// Of two filesystems at once.
    fn snapshots(&mut self) -> Option<Op> {
        let first = self.place(|it, place| it.is_there(&place.name))?;
        let index = self.choices.below(self.world.snapshots.len());
        let second =
            self.place(|it, place| it.is_there(&place.name) && place.name != first.name)?;
        let names = [first, second].map(|place| place.snapshots.get(index).cloned());
        Some(snapshots(names.into_iter().flatten().collect()))
    }

    fn clone_snapshot(&mut self) -> Option<Op> {
        let origin = self.snapshot_of_which(|_, _| true)?.clone();
        let name = self.place(Self::is_free)?.name.clone();
        Some(Op::Dataset(DslOp::Clone {
            name,
            origin,
            settings: Vec::new(),
        }))
    }

    fn destroy(&mut self) -> Option<Op> {
        let place = self.place(|it, place| {
            place.parent.is_some()
                && it.filesystem(place).is_some_and(|(id, filesystem)| {
                    filesystem.children.is_empty()
                        && filesystem.snapshots.is_empty()
                        && !it.state.mounts.is_mounted(id)
                })
        })?;
        Some(Op::Dataset(DslOp::Destroy {
            name: place.name.clone(),
        }))
    }

    fn destroy_snapshot(&mut self) -> Option<Op> {
        let defer = self.choices.chance(64);
        let name = self.snapshot_of_which(|_, dataset| {
            let needed = dataset.snapshot();
            needed.is_some_and(|it| defer || it.clones.is_empty() && it.holds.is_empty())
        })?;
        Some(Op::Dataset(DslOp::DestroySnapshots {
            names: vec![name.clone()],
            defer,
        }))
    }

    /// Two of one filesystem.
    fn destroy_snapshots(&mut self) -> Option<Op> {
        let place = self.place(|it, place| {
            it.filesystem(place)
                .is_some_and(|(_, filesystem)| filesystem.snapshots.len() > 1)
        })?;
        let left_out = self.choices.below(place.snapshots.len());
        let names = place.snapshots.iter().enumerate();
        let names = names.filter(|(index, _)| *index != left_out);
        Some(Op::Dataset(DslOp::DestroySnapshots {
            names: names.map(|(_, name)| name.clone()).collect(),
            defer: self.choices.chance(64),
        }))
    }

    fn rollback(&mut self) -> Option<Op> {
        let to = self.snapshot_of_which(|it, dataset| {
            let of = dataset.snapshot().map(|snapshot| snapshot.filesystem);
            let of = of.and_then(|id| it.state.filesystem(id));
            of.is_some_and(|filesystem| filesystem.snapshots.last() == Some(dataset.id))
        })?;
        Some(Op::Dataset(DslOp::Rollback { to: to.clone() }))
    }

    fn promote(&mut self) -> Option<Op> {
        let place = self.place(|it, place| {
            it.filesystem(place)
                .is_some_and(|(_, filesystem)| filesystem.origin.is_some())
        })?;
        Some(Op::Dataset(DslOp::Promote {
            name: place.name.clone(),
        }))
    }

    fn rename(&mut self) -> Option<Op> {
        let from = self.place(|it, place| place.parent.is_some() && it.is_there(&place.name))?;
        let below = |place: &Place| {
            let rest = place.name.strip_prefix(&*from.name);
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        let to = self.place(|it, place| it.is_free(place) && !below(place))?;
        // libzfs has nothing to do then.
        if to.name == from.name {
            return None;
        }
        Some(Op::Dataset(DslOp::Rename {
            from: from.name.clone(),
            to: to.name.clone(),
        }))
    }

    fn rename_snapshot(&mut self) -> Option<Op> {
        let from = self.snapshot_of_which(|_, _| true)?;
        let (filesystem, from) = from.split_once('@')?;
        // libzfs has nothing to do for the same name.
        let others = self.world.snapshots.iter().filter(|it| ***it != *from);
        let others: Vec<&Arc<str>> = others.collect();
        let to = (*self.choices.one(&others)?).clone();
        Some(Op::Dataset(DslOp::RenameSnapshot {
            filesystem: filesystem.into(),
            from: from.into(),
            to,
            recursive: self.choices.chance(64),
        }))
    }

    fn hold(&mut self) -> Option<Op> {
        let tag = self.choices.one(&self.world.tags)?.clone();
        let name = self.snapshot_of_which(|_, dataset| {
            let snapshot = dataset.snapshot();
            snapshot.is_some_and(|it| !it.holds.contains_key(&tag))
        })?;
        Some(Op::Dataset(DslOp::Hold {
            names: vec![name.clone()],
            tag,
        }))
    }

    fn release(&mut self) -> Option<Op> {
        let name = self.snapshot_of_which(|_, dataset| {
            dataset.snapshot().is_some_and(|it| !it.holds.is_empty())
        })?;
        let holds = self.dataset(name).and_then(Dataset::snapshot);
        let held = |tag: &Arc<str>| holds.is_some_and(|it| it.holds.contains_key(tag));
        let mut choices = self.choices.clone();
        let tag = choices.one_of_which(&self.world.tags, self.blindly, held)?;
        Some(Op::Dataset(DslOp::Release {
            names: vec![name.clone()],
            tag: tag.clone(),
        }))
    }

    fn set(&mut self) -> Option<Op> {
        let place = self.place(|it, place| it.is_there(&place.name))?;
        let setting = self.choices.one(&self.world.settings)?.clone();
        Some(Op::Dataset(DslOp::Set {
            name: place.name.clone(),
            settings: vec![setting],
        }))
    }

    fn inherit(&mut self) -> Option<Op> {
        let place = self.place(|it, place| it.is_there(&place.name))?;
        let inherits = |(key, _): &(Key, _)| key.class() == Class::Inherited;
        let settings = &self.world.settings;
        let setting = self
            .choices
            .one_of_which(settings, self.blindly, inherits)?;
        Some(Op::Dataset(DslOp::Inherit {
            name: place.name.clone(),
            key: setting.0.clone(),
        }))
    }

    fn bookmark(&mut self) -> Option<Op> {
        let source = self.snapshot_of_which(|_, _| true)?;
        let filesystem = source.split('@').next()?;
        let places = &self.world.places;
        let place = places.iter().find(|place| *place.name == *filesystem)?;
        let name = self.name(&place.bookmarks, |it, name| !it.is_there(name))?;
        Some(Op::Dataset(DslOp::Bookmark {
            name: name.clone(),
            source: source.clone(),
        }))
    }

    fn destroy_bookmark(&mut self) -> Option<Op> {
        let place = self.place(|it, place| {
            it.filesystem(place)
                .is_some_and(|(_, filesystem)| !filesystem.bookmarks.is_empty())
        })?;
        let name = self.name(&place.bookmarks, |it, name| it.is_there(name))?;
        Some(Op::Dataset(DslOp::DestroyBookmark { name: name.clone() }))
    }

    #[allow(clippy::unnecessary_wraps, reason = "it is one of the rules")]
    fn sync(&mut self) -> Option<Op> {
        Some(Op::Pool(PoolOp::Sync {
            pool: self.world.pool.to_string(),
        }))
    }
}

fn snapshots(names: Vec<Arc<str>>) -> Op {
    Op::Dataset(DslOp::Snapshot {
        names,
        settings: Vec::new(),
    })
}

// Files and mounts.
impl Chooser<'_> {
    fn mount(&mut self) -> Option<Op> {
        let place = self.place(|it, place| {
            let there = it.state.find(&place.name);
            there.is_some_and(|id| !it.state.mounts.is_mounted(id))
                && it.state.mounts.at(&place.mountpoint).is_none()
        })?;
        Some(Op::File(FileOp::Mount {
            dataset: place.name.clone(),
            path: place.mountpoint.clone(),
            options: MountOptions::plain(self.choices.chance(24)),
            beside: false,
        }))
    }

    fn unmount(&mut self) -> Option<Op> {
        let place = self.place(|it, place| it.state.mounts.at(&place.mountpoint).is_some())?;
        let how = if self.choices.chance(48) {
            Unmount::Lazy
        } else {
            Unmount::Plain
        };
        Some(Op::File(FileOp::Unmount {
            path: place.mountpoint.clone(),
            how,
        }))
    }

    fn write(&mut self) -> Option<Op> {
        let to = Target::Path(self.file(true, can_hold)?.clone());
        let (offset, len) = (self.offset(), self.size());
        let source = self.choices.one(&self.world.data)?;
        Some(Op::File(FileOp::Write {
            to,
            offset,
            data: source.piece(len),
        }))
    }

    /// The beginning, or one of the sizes.
    fn offset(&mut self) -> u64 {
        if self.choices.chance(128) {
            self.size()
        } else {
            0
        }
    }

    fn truncate(&mut self) -> Option<Op> {
        let file = Target::Path(self.file(true, is_file)?.clone());
        let size = self.offset();
        Some(Op::File(FileOp::Truncate { file, size }))
    }

    fn punch(&mut self) -> Option<Op> {
        let file = Target::Path(self.file(true, is_file)?.clone());
        let (offset, len) = (self.offset(), self.size());
        Some(Op::File(FileOp::Punch { file, offset, len }))
    }

    fn read(&mut self) -> Option<Op> {
        let from = Target::Path(self.file(false, is_file)?.clone());
        let (offset, len) = (self.offset(), self.size());
        Some(Op::File(FileOp::Read { from, offset, len }))
    }

    fn unlink(&mut self) -> Option<Op> {
        let is_name = |objset: &Objset, at: &At| {
            let body = body(objset, at);
            body.is_some_and(|body| !matches!(body, Body::Directory { .. }))
        };
        let at = self.file(true, is_name)?.clone();
        Some(Op::File(FileOp::Unlink { at }))
    }

    fn make_directory(&mut self) -> Option<Op> {
        let at = self.file(true, is_free)?.clone();
        Some(Op::File(FileOp::MakeDirectory { at }))
    }

    fn remove_directory(&mut self) -> Option<Op> {
        let empty = |objset: &Objset, at: &At| match body(objset, at) {
            Some(Body::Directory { entries, .. }) => entries.is_empty(),
            _ => false,
        };
        let at = self.file(true, empty)?.clone();
        Some(Op::File(FileOp::RemoveDirectory { at }))
    }

    /// Another name in the same filesystem.
    fn beside(&mut self, at: &At) -> Option<At> {
        let places = &self.world.places;
        let place = places.iter().find(|place| place.name == at.dataset)?;
        let other = |it: &At| it.path != at.path && !it.path.starts_with(&*at.path);
        let found = self.choices.one_of_which(&place.files, self.blindly, other);
        found.cloned()
    }

    fn rename_file(&mut self) -> Option<Op> {
        let from = self.file(true, is_there)?.clone();
        let to = self.beside(&from)?;
        let how = [
            Renaming::Replace,
            Renaming::Replace,
            Renaming::Keep,
            Renaming::Exchange,
        ];
        let how = self.choices.one(&how).copied().unwrap_or_default();
        Some(Op::File(FileOp::Rename { from, to, how }))
    }

    fn link(&mut self) -> Option<Op> {
        let from = self.file(true, is_file)?.clone();
        let to = self.beside(&from)?;
        let from = Target::Path(from);
        Some(Op::File(FileOp::Link { from, to }))
    }

    fn whiteout(&mut self) -> Option<Op> {
        let at = self.file(true, is_free)?.clone();
        Some(Op::File(FileOp::MakeSpecial {
            at,
            special: Special::CharacterDevice(0, 0),
            mode: 0,
        }))
    }

    fn set_mode(&mut self) -> Option<Op> {
        let file = Target::Path(self.file(true, is_there)?.clone());
        let modes = [0o644, 0o600, 0o755, 0o4755];
        let mode = *self.choices.one(&modes)?;
        Some(Op::File(FileOp::SetMode { file, mode }))
    }

    fn handle(&mut self, open: bool) -> Option<Handle> {
        let handle = |name: &Arc<str>| Handle {
            process: "".into(),
            name: name.clone(),
        };
        let is = |name: &Arc<str>| self.state.open_files.get(&handle(name)).is_some() == open;
        let mut choices = self.choices.clone();
        let name = choices.one_of_which(&self.world.handles, self.blindly, is)?;
        self.choices = choices;
        Some(handle(name))
    }

    fn open(&mut self) -> Option<Op> {
        let handle = self.handle(false)?;
        let at = self.file(false, is_file)?.clone();
        let how = Opening::plain(self.choices.chance(64));
        Some(Op::File(FileOp::Open { handle, at, how }))
    }

    fn close(&mut self) -> Option<Op> {
        let handle = self.handle(true)?;
        Some(Op::File(FileOp::Close { handle }))
    }
}
