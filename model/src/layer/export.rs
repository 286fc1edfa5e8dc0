//! A layer: what a tar of it holds, in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::changes::{CAPABILITY, of_users};
use super::{Change, Content, Daemon, Entry, Kind, Tree, changes_for};
use crate::dmu::data::Piece;
use crate::zpl::znode::Special;

/// One entry of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerEntry {
    /// The path that it is about, from `/`. Of a whiteout: what it removes.
    pub path: Arc<str>,
    /// What it says.
    pub content: LayerContent,
    /// Extended attributes by their names.
    pub xattrs: BTreeMap<Arc<str>, Bytes>,
}

impl LayerEntry {
    /// One without extended attributes.
    #[must_use]
    pub fn new(path: impl Into<Arc<str>>, content: LayerContent) -> LayerEntry {
        LayerEntry {
            path: path.into(),
            content,
            xattrs: BTreeMap::new(),
        }
    }
}

/// What an entry of a layer says of its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerContent {
    /// `.wh.NAME`: what lower layers have there is gone.
    Whiteout,
    /// `.wh..wh..opq` in a directory: everything that lower layers have in it is gone.
    Opaque,
    /// A directory.
    Directory(Attributes),
    /// A regular file with its bytes.
    File(Attributes, Arc<[Piece]>),
    /// A symbolic link with its target.
    Link(Attributes, Arc<str>),
    /// A device, FIFO or socket.
    Special(Attributes, Special),
    /// Another name of a file that came before: the path of that.
    HardLink(Attributes, Arc<str>),
}

/// What a layer tells of a file besides its content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits, 12.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// When the content was last changed, in whole seconds.
    pub mtime: i64,
}

/// What a layer says of an entry of a tree; `first` is the name under which the layer has it already.
pub(super) fn told(entry: &Entry, first: Option<Arc<str>>, daemon: Daemon) -> LayerEntry {
    let attributes = Attributes {
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        mtime: entry.mtime.0,
    };
    let content = match (first, &entry.content) {
        (Some(first), _) => LayerContent::HardLink(attributes, first),
        (None, Content::Directory) => LayerContent::Directory(attributes),
        (None, Content::File(pieces)) => LayerContent::File(attributes, pieces.clone()),
        (None, Content::Special(special)) => LayerContent::Special(attributes, *special),
        (None, Content::Link(target)) => LayerContent::Link(attributes, target.clone()),
    };
    let mut told = LayerEntry::new(entry.path.clone(), content);
    if let Some(value) = entry.xattrs.get(CAPABILITY) {
        let value = capability(value, daemon);
        if !value.is_empty() {
            told.xattrs.insert(CAPABILITY.into(), value);
        }
    }
    if daemon.is_storage() {
        let owned = of_users(entry).map(|(name, value)| (name.clone(), value.clone()));
        // Since 1.57 without those that an overlay in a user namespace has for itself.
        let is_own = |name: &str| daemon == Daemon::Storage57 && name.starts_with("user.overlay.");
        told.xattrs.extend(owned.filter(|(name, _)| !is_own(name)));
    }
    told
}

/// Capabilities as they are written. For Docker the third version, which is for one user namespace, becomes
/// the second.
fn capability(value: &Bytes, daemon: Daemon) -> Bytes {
    if daemon.is_containerd() || daemon.is_storage() || value.get(3) != Some(&3) {
        return value.clone();
    }
    let mut older = value.to_vec();
    older[3] = 2;
    older.truncate(20);
    older.into()
}

/// The layer that turns the lower tree into `upper`, given what changed: entries in the order of their
/// paths, a whiteout for each deleted path, and never an opaque directory (`ExportChanges` of Docker).
#[must_use]
pub fn export(upper: &Tree, changes: &[Change], daemon: Daemon) -> Vec<LayerEntry> {
    // The first name of each object with more than one.
    let mut names: BTreeMap<u64, Arc<str>> = BTreeMap::new();
    let mut entries = Vec::new();
    for change in changes {
        if change.kind == Kind::Deleted {
            entries.push(LayerEntry::new(change.path.clone(), LayerContent::Whiteout));
            continue;
        }
        // A change that is no deletion is about a path of the upper tree.
        let Some(entry) = upper.get(&change.path) else {
            continue;
        };
        if matches!(entry.content, Content::Special(Special::Socket)) {
            // No archive has room for it; Docker only logs that.
            continue;
        }
        let has_names = entry.links > 1 && !matches!(entry.content, Content::Directory);
        let known = has_names.then(|| names.get(&entry.object).cloned());
        entries.push(told(entry, known.flatten(), daemon));
        if has_names {
            names
                .entry(entry.object)
                .or_insert_with(|| entry.path.clone());
        }
    }
    entries
}

/// The layer that a daemon makes of a tree and the one below it, if there is one: what its tar holds, in order.
#[must_use]
pub fn layer(lower: Option<&Tree>, upper: &Tree, daemon: Daemon) -> Vec<LayerEntry> {
    if daemon.is_containerd() {
        return super::differences::export(lower, upper, daemon);
    }
    let mut found = changes_for(lower.unwrap_or(&Tree::default()), upper, daemon);
    if lower.is_none() {
        // A whole tree is packed as a walk comes by it: `a/b` before `a-b`.
        found.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
    }
    export(upper, &found, daemon)
}
