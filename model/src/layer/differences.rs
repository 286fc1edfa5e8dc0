//! What changed from one tree to another, and the layer of that, as containerd sees it: contents are read
//! where times may have been cut off.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::changes::{above, differ_in_status, is_directory};
use super::export::told;
use super::{Change, Content, Daemon, Entry, Kind, LayerContent, LayerEntry, Tree};
use crate::dmu::data::{Piece, to_bytes};
use crate::zpl::znode::Special;

/// How a path differs for containerd: `None` is one that does not, though it may be a name of a file that does.
type Difference<'a> = (&'a str, Option<Kind>);

/// What the upper tree changes of the lower one, in the order of a walk (`fs.Changes` of continuity). Of a
/// directory only what is its own counts, and of a removed one nothing below it.
#[must_use]
pub fn differences(lower: Option<&Tree>, upper: &Tree) -> Vec<Change> {
    let all = found(lower, upper).into_iter();
    all.filter_map(|(path, kind)| {
        let path = path.into();
        kind.map(|kind| Change { path, kind })
    })
    .collect()
}

/// The entries of a tree as a walk comes by them, without the root.
fn walk(tree: &Tree) -> Vec<&Entry> {
    let mut entries: Vec<&Entry> = tree.entries.iter().filter(|it| &*it.path != "/").collect();
    entries.sort_by(|a, b| order(&a.path, &b.path));
    entries
}

fn order(a: &str, b: &str) -> Ordering {
    a.split('/').cmp(b.split('/'))
}

fn found<'a>(lower: Option<&'a Tree>, upper: &'a Tree) -> Vec<Difference<'a>> {
    let mut news = walk(upper).into_iter().peekable();
    let Some(lower) = lower else {
        return news.map(|it| (&*it.path, Some(Kind::Added))).collect();
    };
    let mut olds = walk(lower).into_iter().peekable();
    let mut all = Vec::new();
    // What went as a whole, with a `/` at its end.
    let mut gone = String::new();
    loop {
        let order = match (olds.peek(), news.peek()) {
            (None, None) => return all,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => order(&old.path, &new.path),
        };
        match order {
            Ordering::Less => {
                let Some(old) = olds.next() else { continue };
                if !gone.is_empty() && old.path.starts_with(&gone) {
                    continue;
                }
                gone.clear();
                if is_directory(old) {
                    gone = format!("{}/", old.path);
                }
                all.push((&*old.path, Some(Kind::Deleted)));
            }
            Ordering::Greater => {
                let Some(new) = news.next() else { continue };
                gone.clear();
                all.push((&*new.path, Some(Kind::Added)));
            }
            Ordering::Equal => {
                let (Some(old), Some(new)) = (olds.next(), news.next()) else {
                    continue;
                };
                gone.clear();
                if is_directory(old) && !is_directory(new) {
                    gone = format!("{}/", old.path);
                }
                let kind = (!is_same(old, new)).then_some(Kind::Modified);
                all.push((&*new.path, kind));
            }
        }
    }
}

/// Whether two entries at one path are the same (`sameFile` of continuity).
fn is_same(old: &Entry, new: &Entry) -> bool {
    if differ_in_status(old, new) {
        return false;
    }
    if is_directory(new) {
        return true;
    }
    if old.size != new.size || old.mtime != new.mtime {
        return false;
    }
    // A whole second may be what is left of a time.
    if new.mtime.1 != 0 || old.size == 0 {
        return true;
    }
    match (&old.content, &new.content) {
        (Content::Link(old), Content::Link(new)) => old == new,
        (Content::File(old), Content::File(new)) => is_same_content(old, new),
        _ => true,
    }
}

fn is_same_content(old: &[Piece], new: &[Piece]) -> bool {
    old == new || to_bytes(old) == to_bytes(new)
}

/// The archive that is being made (`ChangeWriter` of containerd).
struct Writer<'a> {
    upper: &'a Tree,
    daemon: Daemon,
    /// The name under which the archive has an object.
    first: BTreeMap<u64, Arc<str>>,
    /// The names of objects that the archive does not have yet, which have not changed.
    waiting: BTreeMap<u64, Vec<&'a Entry>>,
    /// Directories that it has.
    directories: BTreeSet<&'a str>,
    entries: Vec<LayerEntry>,
}

/// The layer that turns the lower tree into `upper`: each directory above an entry comes before it, and all
/// names of a file that changed are in it.
pub(super) fn export(lower: Option<&Tree>, upper: &Tree, daemon: Daemon) -> Vec<LayerEntry> {
    let mut writer = Writer {
        upper,
        daemon,
        first: BTreeMap::new(),
        waiting: BTreeMap::new(),
        directories: BTreeSet::new(),
        entries: Vec::new(),
    };
    for (path, kind) in found(lower, upper) {
        if kind == Some(Kind::Deleted) {
            // Its directory is in the upper tree.
            if let Some(directory) = above(path) {
                writer.directory(directory);
            }
            let whiteout = LayerEntry::new(path, LayerContent::Whiteout);
            writer.entries.push(whiteout);
        } else if let Some(entry) = upper.get(path) {
            writer.entry(entry, kind.is_none());
        }
    }
    writer.entries
}

impl<'a> Writer<'a> {
    /// Has a directory in the archive, and those above it.
    fn directory(&mut self, path: &str) {
        if path == "/" || self.directories.contains(path) {
            return;
        }
        if let Some(entry) = self.upper.get(path) {
            self.directories.insert(&entry.path);
            self.entry(entry, false);
        }
    }

    fn entry(&mut self, entry: &'a Entry, unmodified: bool) {
        if matches!(entry.content, Content::Special(Special::Socket)) {
            return;
        }
        let has_names = entry.links > 1 && !is_directory(entry);
        let known = has_names
            .then(|| self.first.get(&entry.object).cloned())
            .flatten();
        if unmodified && known.is_none() {
            if has_names {
                self.waiting.entry(entry.object).or_default().push(entry);
            }
            return;
        }
        let is_first = has_names && known.is_none();
        self.push(entry, known);
        if is_first {
            self.first.insert(entry.object, entry.path.clone());
            for other in self.waiting.remove(&entry.object).unwrap_or_default() {
                self.push(other, Some(entry.path.clone()));
            }
        }
    }

    fn push(&mut self, entry: &'a Entry, first: Option<Arc<str>>) {
        if let Some(directory) = above(&entry.path) {
            self.directory(directory);
        }
        if is_directory(entry) {
            self.directories.insert(&entry.path);
        }
        self.entries.push(told(entry, first, self.daemon));
    }
}
