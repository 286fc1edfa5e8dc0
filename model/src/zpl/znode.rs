//! Files, directories and symbolic links as objects.

use std::sync::Arc;

use crate::dmu::data::Piece;
use crate::dmu::{Blocks, ObjectId, Table};
use crate::maps::Names;

/// A file, directory or symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Znode {
    /// What it holds.
    pub body: Body,
    /// Permission bits with set-user-ID, set-group-ID and sticky: 12 bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Link count. A directory's is 2 and one for each directory in it.
    pub links: u64,
    /// When its content was last changed, in seconds since the machine's epoch (or as set).
    pub mtime: u64,
    /// Whether it was read since it was last changed: then its access time is later than its other times.
    pub was_read: bool,
    /// The transaction group that made it. With its number it identifies it for ever (`z_gen`).
    pub generation: u64,
    /// The slots of 512 bytes that its dnode takes.
    pub slots: u64,
    /// Its extended attributes, if it ever had some.
    pub xattrs: Option<Box<Xattrs>>,
}

/// Extended attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Xattrs {
    /// Those that stand among its own attributes, in the order in which they came (`ZPL_DXATTR`); none before
    /// the first.
    pub inline: Option<Vec<(Arc<str>, Piece)>>,
    /// The directory without a name that has the others, each a file (`ZPL_XATTR`).
    pub directory: Option<ObjectId>,
    /// Whether it was there before those that stand among its own.
    pub directory_first: bool,
    /// The size of the block that attributes have which do not fit into the dnode; 0 without one.
    pub spill: u64,
}

/// What an object of a filesystem holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A regular file.
    File(Blocks),
    /// A directory.
    Directory {
        /// Names and objects.
        entries: Names<ObjectId>,
        /// The directory above it; the root's is itself.
        parent: ObjectId,
        /// What it has grown to on disk.
        table: Table,
    },
    /// A symbolic link, with its target.
    Link(Arc<str>),
}

impl Body {
    /// An empty directory below `parent`.
    #[must_use]
    pub fn directory(parent: ObjectId) -> Body {
        Body::Directory {
            entries: Names::new(),
            parent,
            table: Table::default(),
        }
    }
}

impl Znode {
    /// A new one.
    #[must_use]
    pub fn new(body: Body, mode: u32, uid: u32, gid: u32, generation: u64, now: u64) -> Znode {
        let links = if matches!(body, Body::Directory { .. }) {
            2
        } else {
            1
        };
        Znode {
            body,
            mode,
            uid,
            gid,
            links,
            mtime: now,
            was_read: false,
            generation,
            slots: 1,
            xattrs: None,
        }
    }

    /// Its size as `stat` tells it: bytes of a file or of a link's target; a directory's is the
    /// number of its entries, `.` and `..` included.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.body {
            Body::File(blocks) => blocks.size(),
            Body::Directory { entries, .. } => entries.len() as u64 + 2,
            Body::Link(target) => target.len() as u64,
        }
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory { .. })
    }
}
