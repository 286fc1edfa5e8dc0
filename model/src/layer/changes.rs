//! What changed from one tree to another, as Docker's drivers for plain file systems list it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::{Content, Daemon, Entry, Tree};
use crate::zpl::znode::Special;

/// The attribute that Docker and containerd look at, of all extended ones.
pub const CAPABILITY: &str = "security.capability";

/// The attributes that are users' own, at which containers/storage looks besides.
pub(super) fn of_users(entry: &Entry) -> impl Iterator<Item = (&Arc<str>, &Bytes)> {
    let all = entry.xattrs.iter();
    all.filter(|(name, _)| name.starts_with("user."))
}

/// A path that differs between two trees.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// The path, from `/`.
    pub path: Arc<str>,
    /// How.
    pub kind: Kind,
}

/// How a path differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Only the upper tree has it.
    Added,
    /// Both have it, and it differs; or it is a directory below which something differs.
    Modified,
    /// Only the lower tree has it. What was below it is not listed.
    Deleted,
}

impl Kind {
    /// The letter that `docker diff` prints.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Kind::Added => 'A',
            Kind::Modified => 'C',
            Kind::Deleted => 'D',
        }
    }
}

/// The entries of a tree by path.
fn by_path(tree: &Tree) -> BTreeMap<&str, &Entry> {
    tree.entries
        .iter()
        .map(|entry| (&*entry.path, entry))
        .collect()
}

/// Whether two entries at one path have another type, mode, owner, group, device number or capabilities.
pub(super) fn differ_in_status(lower: &Entry, upper: &Entry) -> bool {
    lower.kind() != upper.kind()
        || lower.mode != upper.mode
        || (lower.uid, lower.gid) != (upper.uid, upper.gid)
        || lower.xattrs.get(CAPABILITY) != upper.xattrs.get(CAPABILITY)
}

/// Whether two entries at one path count as different: in their status, or, unless they are directories, in
/// size or time (`statDifferent` of Docker). Content is never read, so a change that keeps size and time is
/// not seen. All but Docker 29 take block devices and sockets for directories here: their types have its bit.
fn differ(lower: &Entry, upper: &Entry, daemon: Daemon) -> bool {
    let is_directory = match upper.content {
        Content::Directory => true,
        Content::Special(Special::BlockDevice(..) | Special::Socket) => daemon != Daemon::Docker29,
        _ => false,
    };
    let same_second = lower.mtime.0 == upper.mtime.0;
    let same_time =
        same_second && (lower.mtime.1 == upper.mtime.1 || lower.mtime.1 == 0 || upper.mtime.1 == 0);
    let is_recent = daemon == Daemon::Storage57;
    differ_in_status(lower, upper)
        || (!same_time && (is_recent || !is_directory))
        || (lower.size != upper.size && !is_directory)
        || (is_recent && target(lower) != target(upper))
        || (daemon.is_storage() && of_users(lower).ne(of_users(upper)))
}

/// Where a link leads.
fn target(entry: &Entry) -> Option<&str> {
    match &entry.content {
        Content::Link(target) => Some(target),
        _ => None,
    }
}

pub(super) fn is_directory(entry: &Entry) -> bool {
    matches!(entry.content, Content::Directory)
}

/// The directory that a path is in; none for the root.
pub(super) fn above(path: &str) -> Option<&str> {
    let (above, name) = path.rsplit_once('/')?;
    match (above, name) {
        (_, "") => None,
        ("", _) => Some("/"),
        _ => Some(above),
    }
}

/// What the upper tree changes of the lower one for Docker up to 28, sorted by path. The roots themselves are
/// not compared.
#[must_use]
pub fn changes(lower: &Tree, upper: &Tree) -> Vec<Change> {
    changes_for(lower, upper, Daemon::Docker26)
}

/// The same for a version of Docker.
#[must_use]
pub fn changes_for(lower: &Tree, upper: &Tree, daemon: Daemon) -> Vec<Change> {
    let (old, new) = (by_path(lower), by_path(upper));
    let mut found: BTreeMap<&str, Kind> = BTreeMap::new();
    for (&path, entry) in new.iter().filter(|(path, _)| **path != "/") {
        match old.get(path) {
            None => {
                found.insert(path, Kind::Added);
            }
            Some(before) if differ(before, entry, daemon) => {
                found.insert(path, Kind::Modified);
            }
            Some(_) => {}
        }
    }
    for &path in old.keys().filter(|path| !new.contains_key(**path)) {
        // Only where a directory of both trees lacks it: what went with its directory is not listed.
        let parent = above(path).and_then(|above| new.get(above));
        if parent.is_some_and(|parent| is_directory(parent)) {
            found.insert(path, Kind::Deleted);
        }
    }
    let mut directories = Vec::new();
    for &path in found.keys() {
        let mut path = path;
        while let Some(directory) = above(path).filter(|directory| *directory != "/") {
            directories.push(directory);
            path = directory;
        }
    }
    for directory in directories {
        found.entry(directory).or_insert(Kind::Modified);
    }
    found
        .into_iter()
        .map(|(path, kind)| Change {
            path: path.into(),
            kind,
        })
        .collect()
}

/// How many bytes changes have for Docker (`DiffSize`): the sizes of what is no directory, a file with several
/// names once. It never asks ZFS.
#[must_use]
pub fn changes_size(upper: &Tree, changes: &[Change]) -> u64 {
    let mut seen = BTreeSet::new();
    changes
        .iter()
        .filter(|change| change.kind != Kind::Deleted)
        .filter_map(|change| upper.get(&change.path))
        .filter(|entry| !is_directory(entry))
        .filter(|entry| entry.links <= 1 || seen.insert(entry.object))
        .map(|entry| entry.size)
        .sum()
}
