//! Which states are one but for the names that were given, and for when things happened.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use crate::dmu::Objset;
use crate::dsl::dataset::{Dataset, DatasetId};
use crate::machine::State;
use crate::spa::Pool;
use crate::zpl::znode::Body;

/// Which names stand for which: those of [`super::World::small`] can be exchanged two by two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Renaming {
    /// `tank/a` and `tank/b`.
    pub filesystems: bool,
    /// `@s` and `@t`.
    pub snapshots: bool,
}

impl Renaming {
    /// All of them; the first leaves everything as it is.
    pub const ALL: [Renaming; 4] = {
        const fn of(filesystems: bool, snapshots: bool) -> Renaming {
            Renaming {
                filesystems,
                snapshots,
            }
        }
        [
            of(false, false),
            of(true, false),
            of(false, true),
            of(true, true),
        ]
    };

    fn component(self, component: &str) -> &str {
        match component {
            "a" if self.filesystems => "b",
            "b" if self.filesystems => "a",
            "s" if self.snapshots => "t",
            "t" if self.snapshots => "s",
            other => other,
        }
    }

    /// A full name, or a path in which names stand, under the other names.
    #[must_use]
    pub fn name(self, name: &str) -> String {
        let mut renamed = String::with_capacity(name.len());
        let mut rest = name;
        while let Some(end) = rest.find(['/', '@', '#', ':', ' ', ',', '-']) {
            renamed.push_str(self.component(&rest[..end]));
            renamed.push_str(&rest[end..=end]);
            rest = &rest[end + 1..];
        }
        renamed.push_str(self.component(rest));
        renamed
    }
}

/// What a state comes to under other names: names, origins, holds, settings, mounts, open files, and all files with
/// the order in which their blocks and the snapshots came to be. What the clock tells, and the numbers of datasets,
/// are left out.
pub fn describe(state: &State, renaming: Renaming, to: &mut impl Hasher) {
    for pool in state.pools.values() {
        let mut names: Vec<(String, DatasetId)> = pool
            .datasets
            .keys()
            .filter_map(|id| Some((renaming.name(&state.name_of(id)?), id)))
            .collect();
        names.sort_unstable();
        let name = |id: DatasetId| names.iter().find(|it| it.1 == id).map(|it| &it.0);
        let ages = ages(pool);
        let age = |txg: u64| ages.iter().position(|&it| it == txg);
        for (full, id) in &names {
            full.hash(to);
            let Some(dataset) = pool.dataset(*id) else {
                continue;
            };
            describe_dataset(dataset, &name, &age, to);
        }
        pool.dirty.len().hash(to);
        pool.is_freeing().hash(to);
        let mut mounts: Vec<_> = state
            .mounts
            .iter()
            .map(|it| {
                (
                    renaming.name(&it.path),
                    name(it.dataset),
                    it.options.read_only,
                )
            })
            .collect();
        mounts.sort_unstable();
        mounts.hash(to);
        for (handle, file) in state.open_files.iter() {
            handle.hash(to);
            name(file.dataset).hash(to);
            (file.object, file.readable, file.writable).hash(to);
        }
    }
}

/// The transaction groups that matter: those that made snapshots, and those that wrote blocks of files.
fn ages(pool: &Pool) -> Vec<u64> {
    let mut ages = BTreeSet::new();
    for dataset in pool.datasets.values() {
        if dataset.filesystem().is_none() {
            ages.insert(dataset.creation_txg);
        }
        for (_, znode) in dataset.objset.iter() {
            if let Body::File(blocks) = &znode.body {
                ages.extend(blocks.iter().map(|(_, block)| block.birth));
            }
        }
    }
    ages.into_iter().collect()
}

fn describe_dataset<'n>(
    dataset: &Dataset,
    name: &impl Fn(DatasetId) -> Option<&'n String>,
    age: &impl Fn(u64) -> Option<usize>,
    to: &mut impl Hasher,
) {
    for (key, value) in &dataset.settings {
        format!("{key:?}={value:?}").hash(to);
    }
    if let Some(filesystem) = dataset.filesystem() {
        filesystem.origin.map(name).hash(to);
        filesystem.lists_bookmarks.hash(to);
    } else {
        age(dataset.creation_txg).hash(to);
    }
    if let Some(snapshot) = dataset.snapshot() {
        snapshot.deferred.hash(to);
        for tag in snapshot.holds.keys() {
            tag.hash(to);
        }
    }
    if let Some(bookmark) = dataset.bookmark() {
        name(bookmark.snapshot).hash(to);
        return;
    }
    describe_files(&dataset.objset, age, to);
}

fn describe_files(objset: &Objset, age: &impl Fn(u64) -> Option<usize>, to: &mut impl Hasher) {
    objset.is_dirty().hash(to);
    for (object, znode) in objset.iter() {
        (object, znode.mode, znode.links).hash(to);
        objset.is_queued(object).hash(to);
        match &znode.body {
            Body::File(blocks) => {
                (blocks.size(), blocks.block_size()).hash(to);
                for (number, block) in blocks.iter() {
                    (number, age(block.birth)).hash(to);
                    for piece in block.pieces.iter() {
                        piece.hash(to);
                    }
                }
            }
            Body::Directory { entries, .. } => {
                for (name, object) in entries {
                    (name, object).hash(to);
                }
            }
            Body::Link(target) => target.hash(to),
            Body::Special(special) => special.hash(to),
        }
    }
}
