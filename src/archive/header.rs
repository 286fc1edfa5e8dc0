//! What an archive tells of one entry.

use std::collections::BTreeMap;

/// What an entry of an archive is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// Another name of an entry that came before.
    HardLink,
    /// A symbolic link.
    Link,
    /// A character device.
    Character,
    /// A block device.
    Block,
    /// A directory.
    Directory,
    /// A FIFO.
    Fifo,
    /// Records that are about all entries behind it.
    Global,
    /// A regular file with holes, in the old form of GNU tar.
    Sparse,
    /// Something else, by the byte that stands for it.
    Other(u8),
}

impl Kind {
    /// The byte that stands for it.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Kind::File => b'0',
            Kind::HardLink => b'1',
            Kind::Link => b'2',
            Kind::Character => b'3',
            Kind::Block => b'4',
            Kind::Directory => b'5',
            Kind::Fifo => b'6',
            Kind::Global => b'g',
            Kind::Sparse => b'S',
            Kind::Other(byte) => byte,
        }
    }

    /// What a byte stands for.
    #[must_use]
    pub const fn of(byte: u8) -> Kind {
        match byte {
            b'0' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Link,
            b'3' => Kind::Character,
            b'4' => Kind::Block,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            b'g' => Kind::Global,
            b'S' => Kind::Sparse,
            byte => Kind::Other(byte),
        }
    }

    /// Whether an entry of it never has contents, whatever its size says.
    #[must_use]
    pub const fn is_header_only(self) -> bool {
        matches!(
            self,
            Kind::HardLink
                | Kind::Link
                | Kind::Character
                | Kind::Block
                | Kind::Directory
                | Kind::Fifo
        )
    }
}

/// A point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds since 1970, rounded down.
    pub seconds: i64,
    /// Nanoseconds of that second.
    pub nanoseconds: u32,
}

impl Time {
    /// A whole second.
    #[must_use]
    pub const fn second(seconds: i64) -> Time {
        Time {
            seconds,
            nanoseconds: 0,
        }
    }
}

/// One entry's header. Names are bytes, as in a filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: Kind,
    /// Its path; that of a directory ends in `/`.
    pub name: Vec<u8>,
    /// What a link leads to.
    pub link: Vec<u8>,
    /// Permission bits; old archives have the type of the file in it too.
    pub mode: i64,
    /// Owner.
    pub uid: i64,
    /// Group.
    pub gid: i64,
    /// The owner's name.
    pub user: Vec<u8>,
    /// The group's name.
    pub group: Vec<u8>,
    /// How many bytes it has, holes included.
    pub size: i64,
    /// When it was last changed.
    pub mtime: Time,
    /// When it was last read, if it is told.
    pub atime: Option<Time>,
    /// Of a device.
    pub major: i64,
    /// Of a device.
    pub minor: i64,
    /// Records by their key, such as extended attributes.
    pub records: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Header {
    /// A header that tells nothing but a name.
    #[must_use]
    pub fn new(kind: Kind, name: impl Into<Vec<u8>>) -> Header {
        Header {
            kind,
            name: name.into(),
            link: Vec::new(),
            mode: 0,
            uid: 0,
            gid: 0,
            user: Vec::new(),
            group: Vec::new(),
            size: 0,
            mtime: Time::default(),
            atime: None,
            major: 0,
            minor: 0,
            records: BTreeMap::new(),
        }
    }

    /// The extended attributes among the records.
    pub fn xattrs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.records
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(super::XATTR)?, &value[..])))
    }
}
