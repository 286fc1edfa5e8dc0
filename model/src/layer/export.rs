//! A layer: what a tar of it holds, in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Change, Content, Kind, Tree};
use crate::dmu::data::Piece;
use crate::zpl::znode::Special;

/// One entry of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerEntry {
    /// The path that it is about, from `/`. Of a whiteout: what it removes.
    pub path: Arc<str>,
    /// What it says.
    pub content: LayerContent,
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
    HardLink(Arc<str>),
}

/// What a layer tells of a file besides its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// The layer that turns the lower tree into `upper`, given what changed: entries in the order of their
/// paths, a whiteout for each deleted path, and never an opaque directory (`ExportChanges` of Docker).
#[must_use]
pub fn export(upper: &Tree, changes: &[Change]) -> Vec<LayerEntry> {
    // The first name of each object with more than one.
    let mut names: BTreeMap<u64, Arc<str>> = BTreeMap::new();
    let mut entries = Vec::new();
    for change in changes {
        if change.kind == Kind::Deleted {
            entries.push(LayerEntry {
                path: change.path.clone(),
                content: LayerContent::Whiteout,
            });
            continue;
        }
        // A change that is no deletion is about a path of the upper tree.
        let Some(entry) = upper.get(&change.path) else {
            continue;
        };
        let attributes = Attributes {
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime.0,
        };
        let known = match entry.content {
            Content::Directory => None,
            _ if entry.links > 1 => names.get(&entry.object).cloned(),
            _ => None,
        };
        let content = match (known, &entry.content) {
            (Some(first), _) => LayerContent::HardLink(first),
            (None, Content::Directory) => LayerContent::Directory(attributes),
            (None, Content::File(pieces)) => LayerContent::File(attributes, pieces.clone()),
            (None, Content::Special(special)) => LayerContent::Special(attributes, *special),
            (None, Content::Link(target)) => LayerContent::Link(attributes, target.clone()),
        };
        if entry.links > 1 && !matches!(entry.content, Content::Directory) {
            names
                .entry(entry.object)
                .or_insert_with(|| entry.path.clone());
        }
        entries.push(LayerEntry {
            path: entry.path.clone(),
            content,
        });
    }
    entries
}
