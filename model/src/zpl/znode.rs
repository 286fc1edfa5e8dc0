//! Files, directories, symbolic links and special files as objects.

use std::sync::Arc;

use crate::dmu::attributes::Left;
use crate::dmu::data::Piece;
use crate::dmu::{Blocks, ObjectId, ROOT, Table};
use crate::maps::Names;
use crate::zpl::op::FileKind;

/// A file, directory, symbolic link or special file.
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
    /// The directory that it was last put into (`ZPL_PARENT`); that of the root is itself.
    pub parent: ObjectId,
    /// When what happened to it.
    pub times: Times,
    /// Whether it was read since it was last changed: then its access time is later than its other times.
    pub was_read: bool,
    /// The transaction group that made it. With its number it identifies it for ever (`z_gen`).
    pub generation: u64,
    /// The reading of the filesystem into memory in which it was made.
    pub reading: u64,
    /// The slots of 512 bytes that its dnode takes.
    pub slots: u64,
    /// Its extended attributes, if it ever had some.
    pub xattrs: Option<Box<Xattrs>>,
}

/// A point of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// When something happened, in seconds since the machine's epoch.
    Happened(u64),
    /// What somebody set it to, in seconds since 1970.
    Set(u64),
}

impl Time {
    /// Its seconds, whichever they count from.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Time::Happened(seconds) | Time::Set(seconds) => seconds,
        }
    }
}

/// The times of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When it was last read, as far as that counts (`atime`).
    pub access: Time,
    /// When its content was last changed (`mtime`).
    pub modification: Time,
    /// When anything of it was last changed (`ctime`), in seconds since the machine's epoch.
    pub change: u64,
    /// When it was made (`crtime`), in seconds since the machine's epoch.
    pub birth: u64,
    /// Whether it is as it was made: then all of them are one moment.
    pub(crate) is_as_made: bool,
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
    /// What stood where attributes are written, and still stands behind them.
    pub(crate) left: Left,
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
    /// A device, FIFO or socket.
    Special(Special),
}

/// What is no content of the filesystem but a name for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Special {
    /// A character device with its major and minor number; 0:0 is a whiteout of overlayfs.
    CharacterDevice(u32, u32),
    /// A block device with its major and minor number.
    BlockDevice(u32, u32),
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
}

impl Special {
    /// Major and minor number of a device.
    #[must_use]
    pub const fn device(self) -> Option<(u32, u32)> {
        match self {
            Special::CharacterDevice(major, minor) | Special::BlockDevice(major, minor) => {
                Some((major, minor))
            }
            Special::Fifo | Special::Socket => None,
        }
    }

    /// The type in its mode (`S_IFMT`).
    #[must_use]
    pub const fn type_of_mode(self) -> u32 {
        match self {
            Special::CharacterDevice(..) => 0o020_000,
            Special::BlockDevice(..) => 0o060_000,
            Special::Fifo => 0o010_000,
            Special::Socket => 0o140_000,
        }
    }
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
            parent: ROOT,
            times: Times {
                access: Time::Happened(now),
                modification: Time::Happened(now),
                change: now,
                birth: now,
                is_as_made: true,
            },
            was_read: false,
            generation,
            reading: 0,
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
            Body::Special(_) => 0,
        }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> FileKind {
        match &self.body {
            Body::File(_) => FileKind::File,
            Body::Directory { .. } => FileKind::Directory,
            Body::Link(_) => FileKind::Link,
            Body::Special(special) => FileKind::Special(*special),
        }
    }

    /// Its content is another one (`CONTENT_MODIFIED`).
    pub fn modified(&mut self, now: u64) {
        self.times.modification = Time::Happened(now);
        self.changed(now);
    }

    /// Something else of it is another one (`STATE_CHANGED`).
    pub fn changed(&mut self, now: u64) {
        self.times.change = now;
        self.times.is_as_made = false;
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory { .. })
    }
}
