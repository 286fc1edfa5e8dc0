//! Changes between trees, whiteouts, tar in and out.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

mod apply;
mod changes;
mod daemon;
mod differences;
mod export;
mod member;
pub mod overlay;

pub use apply::{ApplyError, plan};
pub use changes::{CAPABILITY, Change, Kind, changes, changes_for, changes_size};
pub use daemon::Daemon;
pub use differences::differences;
pub use export::{Attributes, LayerContent, LayerEntry, export, layer};
pub use member::{Member, MemberContent, OPAQUE, WHITEOUT, entries, members, unpacked_size};

use crate::dmu::data::Piece;
use crate::zpl::op::FileKind;
use crate::zpl::znode::Special;

/// Everything in a directory, itself included, sorted by path bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The entries.
    pub entries: Vec<Entry>,
}

/// One file, directory or symbolic link of a [`Tree`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path from the tree's root: `/` for the root, `/bin/sh`.
    pub path: Arc<str>,
    /// Its content.
    pub content: Content,
    /// Permission bits, 12.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Link count.
    pub links: u64,
    /// Size as `stat` tells it.
    pub size: u64,
    /// The object's number: names with the same one are hard links of each other.
    pub object: u64,
    /// When the content was last changed: seconds and nanoseconds. The model's clock has no nanoseconds.
    pub mtime: (i64, u32),
    /// Extended attributes by their names.
    pub xattrs: BTreeMap<Arc<str>, Bytes>,
}

/// What an [`Entry`] holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A regular file's bytes.
    File(Arc<[Piece]>),
    /// A directory.
    Directory,
    /// A symbolic link's target.
    Link(Arc<str>),
    /// A device, FIFO or socket.
    Special(Special),
}

impl Entry {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> FileKind {
        match self.content {
            Content::File(_) => FileKind::File,
            Content::Directory => FileKind::Directory,
            Content::Link(_) => FileKind::Link,
            Content::Special(special) => FileKind::Special(special),
        }
    }
}

impl Tree {
    /// The entry at a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Entry> {
        let found = self
            .entries
            .binary_search_by(|entry| entry.path.as_bytes().cmp(path.as_bytes()));
        found.ok().map(|index| &self.entries[index])
    }
}

#[cfg(test)]
mod tests;
