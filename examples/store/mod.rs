//! A store of layers such as a driver's tests have in the place of ZFS: filesystems with files, snapshots and
//! clones of them, all in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ztwin_model::Op;
use ztwin_model::dmu::data::to_bytes;
use ztwin_model::dsl::op::DslOp;
use ztwin_model::oracle::{Answer, System};
use ztwin_model::zpl::op::{At, FileOp, Target};

/// The files of a filesystem or snapshot by path.
type Files = Arc<BTreeMap<String, Vec<u8>>>;

/// A filesystem.
#[derive(Clone, Debug, Default)]
struct Filesystem {
    /// The full name of the snapshot that it is a clone of.
    origin: Option<String>,
    files: Files,
    /// Where it is mounted, and whether that is read-only.
    mounted: Option<(String, bool)>,
}

/// The store. It begins with the filesystem `tank`.
#[derive(Clone, Debug)]
pub struct Store {
    filesystems: BTreeMap<String, Filesystem>,
    /// Snapshots by full name.
    snapshots: BTreeMap<String, Files>,
    /// The planted bug: a snapshot is destroyed although a clone needs it.
    forgets_clones: bool,
}

/// Nothing changed.
#[derive(Debug)]
pub struct Refused;

type Result<T = ()> = std::result::Result<T, Refused>;

fn check(holds: bool) -> Result {
    if holds { Ok(()) } else { Err(Refused) }
}

impl Store {
    /// An empty store, with the bug or without.
    pub fn new(forgets_clones: bool) -> Store {
        Store {
            filesystems: BTreeMap::from([("tank".to_owned(), Filesystem::default())]),
            snapshots: BTreeMap::new(),
            forgets_clones,
        }
    }

    /// Checks that a filesystem of this name can be made.
    fn check_free(&self, name: &str) -> Result {
        let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
        check(!self.filesystems.contains_key(name) && self.filesystems.contains_key(parent))
    }

    fn create(&mut self, name: &str) -> Result {
        self.check_free(name)?;
        self.filesystems
            .insert(name.to_owned(), Filesystem::default());
        Ok(())
    }

    fn clone_snapshot(&mut self, origin: &str, name: &str) -> Result {
        let files = self.snapshots.get(origin).ok_or(Refused)?.clone();
        self.check_free(name)?;
        let clone = Filesystem {
            origin: Some(origin.to_owned()),
            files,
            mounted: None,
        };
        self.filesystems.insert(name.to_owned(), clone);
        Ok(())
    }

    /// All or none, and no two of one filesystem.
    fn snapshot(&mut self, names: &[Arc<str>]) -> Result {
        let mut new = BTreeMap::new();
        let mut seen = BTreeSet::new();
        // A name that stands there twice counts once.
        for name in names.iter().collect::<BTreeSet<_>>() {
            let (of, _) = name.split_once('@').ok_or(Refused)?;
            let filesystem = self.filesystems.get(of).ok_or(Refused)?;
            check(seen.insert(of) && !self.snapshots.contains_key(&**name))?;
            new.insert(name.to_string(), filesystem.files.clone());
        }
        self.snapshots.append(&mut new);
        Ok(())
    }

    fn destroy(&mut self, name: &str) -> Result {
        check(name.contains('/') && self.filesystems.contains_key(name))?;
        let below = |it: &String| {
            let rest = it.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['/', '@']))
        };
        let names = self.filesystems.keys().chain(self.snapshots.keys());
        check(!names.into_iter().any(below))?;
        self.filesystems.remove(name);
        Ok(())
    }

    /// All or none of those that are there; at least one has to be.
    fn destroy_snapshots(&mut self, names: &[Arc<str>]) -> Result {
        let origins: BTreeSet<&String> = self
            .filesystems
            .values()
            .flat_map(|it| &it.origin)
            .collect();
        let there = names
            .iter()
            .filter(|name| self.snapshots.contains_key(&***name));
        let there: Vec<String> = there.map(ToString::to_string).collect();
        check(!there.is_empty())?;
        check(self.forgets_clones || !there.iter().any(|name| origins.contains(name)))?;
        self.snapshots.retain(|name, _| !there.contains(name));
        Ok(())
    }

    fn mount(&mut self, name: &str, path: &str, read_only: bool) -> Result {
        let filesystem = self.filesystems.get_mut(name).ok_or(Refused)?;
        check(filesystem.mounted.is_none())?;
        filesystem.mounted = Some((path.to_owned(), read_only));
        Ok(())
    }

    fn unmount(&mut self, path: &str) -> Result {
        let mut all = self.filesystems.values_mut();
        let found = all.find(|it| it.mounted.as_ref().is_some_and(|(at, _)| at == path));
        found.ok_or(Refused)?.mounted = None;
        Ok(())
    }

    /// The files of a filesystem that is mounted.
    fn files(&self, at: &At) -> Result<&BTreeMap<String, Vec<u8>>> {
        let filesystem = self.filesystems.get(&*at.dataset).ok_or(Refused)?;
        check(filesystem.mounted.is_some())?;
        Ok(&filesystem.files)
    }

    /// The same, to be changed.
    fn files_mut(&mut self, at: &At) -> Result<&mut BTreeMap<String, Vec<u8>>> {
        let filesystem = self.filesystems.get_mut(&*at.dataset).ok_or(Refused)?;
        check(matches!(filesystem.mounted, Some((_, false))))?;
        Ok(Arc::make_mut(&mut filesystem.files))
    }

    fn write(&mut self, at: &At, offset: usize, data: &[u8]) -> Result {
        // There are no directories but the root.
        check(at.path.matches('/').count() == 1)?;
        let file = self.files_mut(at)?.entry(at.path.to_string()).or_default();
        if !data.is_empty() {
            file.resize(file.len().max(offset + data.len()), 0);
            file[offset..offset + data.len()].copy_from_slice(data);
        }
        Ok(())
    }

    fn read(&self, at: &At, offset: usize, len: usize) -> Result<Vec<u8>> {
        let file = self.files(at)?.get(&*at.path).ok_or(Refused)?;
        let end = file.len().min(offset + len);
        Ok(file.get(offset..end).unwrap_or_default().to_vec())
    }

    fn truncate(&mut self, at: &At, size: usize) -> Result {
        let file = self.files_mut(at)?.get_mut(&*at.path).ok_or(Refused)?;
        file.resize(size, 0);
        Ok(())
    }

    fn unlink(&mut self, at: &At) -> Result {
        self.files_mut(at)?
            .remove(&*at.path)
            .map(drop)
            .ok_or(Refused)
    }

    /// Does what it can do; `None` for what a store has not.
    fn dispatch(&mut self, op: &Op) -> Option<Result<Option<Vec<u8>>>> {
        let size = |bytes: &u64| usize::try_from(*bytes).unwrap_or(usize::MAX);
        let done = match op {
            Op::Dataset(DslOp::Create { name, settings, .. }) if settings.is_empty() => {
                self.create(name)
            }
            Op::Dataset(DslOp::Clone { name, origin, .. }) => self.clone_snapshot(origin, name),
            Op::Dataset(DslOp::Snapshot { names, .. }) => self.snapshot(names),
            Op::Dataset(DslOp::Destroy { name }) => self.destroy(name),
            Op::Dataset(DslOp::DestroySnapshots {
                names,
                defer: false,
            }) => self.destroy_snapshots(names),
            Op::File(FileOp::Mount {
                dataset,
                path,
                options,
                ..
            }) => self.mount(dataset, path, options.read_only),
            Op::File(FileOp::Unmount { path, .. }) => self.unmount(path),
            Op::File(FileOp::Write {
                to: Target::Path(at),
                offset,
                data,
            }) => self.write(at, size(offset), &to_bytes(std::slice::from_ref(data))),
            Op::File(FileOp::Read {
                from: Target::Path(at),
                offset,
                len,
            }) => return Some(self.read(at, size(offset), size(len)).map(Some)),
            Op::File(FileOp::Truncate {
                file: Target::Path(at),
                size: bytes,
            }) => self.truncate(at, size(bytes)),
            Op::File(FileOp::Unlink { at }) => self.unlink(at),
            _ => return None,
        };
        Some(done.map(|()| None))
    }
}

impl System for Store {
    fn apply(&mut self, op: &Op) -> Answer {
        match self.dispatch(op) {
            None => Answer::Unsupported,
            Some(Ok(None)) => Answer::Done,
            Some(Ok(Some(bytes))) => Answer::Data(bytes),
            Some(Err(Refused)) => Answer::Refused,
        }
    }

    fn datasets(&mut self) -> Option<Vec<String>> {
        let names = self.filesystems.keys().chain(self.snapshots.keys());
        Some(names.cloned().collect())
    }
}
