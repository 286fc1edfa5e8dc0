//! System calls on files, directories and mounts.

use std::sync::Arc;

use crate::dmu::data::Piece;
use crate::dmu::storage::Figure;
use crate::layer::Tree;
use crate::machine::State;
use crate::outcome::{Errno, Outcome};
use crate::zpl::control;
use crate::zpl::files;
use crate::zpl::mount::MountOptions;
use crate::zpl::open::Handle;
use crate::zpl::znode::Special;

/// A file by the dataset it is in and the path from that dataset's root, which starts with `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct At {
    /// The full name of a filesystem or snapshot.
    pub dataset: Arc<str>,
    /// The path within it.
    pub path: Arc<str>,
}

/// A file by path, one that is open, or a volume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// By path.
    Path(At),
    /// By handle.
    Open(Handle),
    /// No file but a volume, or a snapshot of one, by its full name: its device.
    Volume(Arc<str>),
}

/// How a mount is taken off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unmount {
    /// `umount`: refused when it is busy.
    #[default]
    Plain,
    /// `umount -f`: the same for ZFS (`zpl_umount_begin` does nothing for open files).
    Force,
    /// `umount -l`: off at once, with all that stand on it; open files keep the dataset busy.
    Lazy,
}

/// How much is read or written by one system call, in bytes: at least the largest record, so that
/// the first call of a write grows a file's block as one call for all of it would.
pub const CALL: usize = 16 << 20;

/// One system call.
///
/// Paths are followed beneath the dataset's root only (`RESOLVE_IN_ROOT`, `RESOLVE_NO_XDEV`), through
/// its oldest mount; a snapshot that is not mounted can be read all the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FileOp {
    /// Writes a run of bytes, [`CALL`] at a time; a file that is missing is created with mode 0644. What was
    /// written before there is no more space stays.
    Write {
        /// The file.
        to: Target,
        /// Where in the file, in bytes.
        offset: u64,
        /// What, and how much.
        data: Piece,
    },
    /// Reads bytes: [`FileResult::Data`].
    Read {
        /// The file.
        from: Target,
        /// Where in the file, in bytes.
        offset: u64,
        /// How many bytes at most.
        len: u64,
    },
    /// Cuts a file off or extends it by a hole.
    Truncate {
        /// The file.
        file: Target,
        /// The new length in bytes.
        size: u64,
    },
    /// Makes a directory with mode 0755.
    MakeDirectory {
        /// The directory.
        at: At,
    },
    /// Removes an empty directory.
    RemoveDirectory {
        /// The directory.
        at: At,
    },
    /// Removes a name of a file or link.
    Unlink {
        /// The name.
        at: At,
    },
    /// `renameat2(2)`
    Rename {
        /// The old name.
        from: At,
        /// The new name.
        to: At,
        /// What becomes of what has the new name.
        how: Renaming,
    },
    /// Gives a file another name.
    Link {
        /// The file; a symbolic link is not followed.
        from: Target,
        /// The other name.
        to: At,
    },
    /// Makes a symbolic link.
    Symlink {
        /// What it holds.
        target: Arc<str>,
        /// Where it is made.
        at: At,
    },
    /// `mknod(2)`: makes a device, FIFO or socket.
    MakeSpecial {
        /// Where.
        at: At,
        /// What.
        special: Special,
        /// 12 bits, of which the umask 022 takes away.
        mode: u32,
    },
    /// Reads a symbolic link: [`FileResult::Text`].
    ReadLink {
        /// The link.
        at: At,
    },
    /// Sets the permission bits; follows symbolic links.
    SetMode {
        /// The file.
        file: Target,
        /// 12 bits.
        mode: u32,
    },
    /// Sets owner and group; does not follow symbolic links, as `lchown`.
    SetOwner {
        /// The file.
        file: Target,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// `utimensat(2)`; does not follow symbolic links.
    SetTimes {
        /// The file.
        file: Target,
        /// When the content was last changed.
        modification: NewTime,
        /// When it was last read.
        access: NewTime,
    },
    /// Tells what a file is: [`FileResult::Stat`]. Does not follow symbolic links.
    Stat {
        /// The file.
        file: Target,
    },
    /// Tells its times: [`FileResult::Times`]. Does not follow symbolic links.
    Times {
        /// The file.
        file: Target,
    },
    /// Whether two paths lead to one file: [`FileResult::Identity`]. Does not follow symbolic links.
    Compare {
        /// A path.
        one: At,
        /// Another one.
        other: At,
    },
    /// `lseek(2)` with `SEEK_DATA` or `SEEK_HOLE`: [`FileResult::Count`]. What is dirty comes to disk first
    /// (`dmu_offset_next`).
    Seek {
        /// The file.
        file: Target,
        /// Where it starts, in bytes.
        offset: u64,
        /// For a hole, else for data.
        hole: bool,
    },
    /// `statfs(2)`: [`FileResult::Filesystem`]. Closes the transaction group.
    StatFilesystem {
        /// Something in it.
        at: At,
    },
    /// `getdents(2)`: [`FileResult::Entries`].
    ReadDirectory {
        /// The directory.
        directory: Target,
    },
    /// Tells everything below a directory: [`FileResult::Tree`].
    Tree {
        /// The directory, file or link; mounts below it are not seen, but what they cover.
        at: At,
    },
    /// `open(2)`
    Open {
        /// The handle it gets; one in use is refused with `EEXIST`.
        handle: Handle,
        /// The file; with [`Opening::temporary`] the directory of one without a name.
        at: At,
        /// How.
        how: Opening,
    },
    /// Closes a handle; an unknown one is refused with `EBADF`.
    Close {
        /// The handle.
        handle: Handle,
    },
    /// Which blocks of a file a snapshot has too: [`FileResult::Ranges`]. Closes the transaction group.
    Shared {
        /// The file.
        at: At,
        /// The full name of a snapshot that the file's dataset descends from; any other is `EXDEV`.
        snapshot: Arc<str>,
    },
    /// `fallocate(2)`, as a hole.
    Punch {
        /// The file.
        file: Target,
        /// Where it starts, in bytes.
        offset: u64,
        /// Its length in bytes.
        len: u64,
    },
    /// `ioctl(2)` with `BLKDISCARD` on the device of a volume.
    Discard {
        /// Its full name.
        volume: Arc<str>,
        /// Where it starts, in bytes.
        offset: u64,
        /// Its length in bytes.
        len: u64,
    },
    /// `copy_file_range(2)`, once: [`FileResult::Count`].
    Copy {
        /// The file that is read.
        from: At,
        /// Where in it, in bytes.
        offset: u64,
        /// The file that is written.
        to: At,
        /// Where in it, in bytes.
        at: u64,
        /// How many bytes at most.
        len: u64,
    },
    /// `ioctl(2)` with `FICLONE`: the content of a file becomes that of another one.
    Reflink {
        /// The file that is read.
        from: At,
        /// The file that is written.
        to: At,
    },
    /// Sets an extended attribute; does not follow symbolic links, as none of these four do (`lsetxattr(2)`).
    SetXattr {
        /// The file, directory or link.
        at: At,
        /// The name, with its namespace.
        name: Arc<str>,
        /// The value.
        value: Piece,
    },
    /// Reads an extended attribute: [`FileResult::Data`].
    GetXattr {
        /// The file, directory or link.
        at: At,
        /// The name, with its namespace.
        name: Arc<str>,
    },
    /// Removes an extended attribute.
    RemoveXattr {
        /// The file, directory or link.
        at: At,
        /// The name, with its namespace.
        name: Arc<str>,
    },
    /// Lists the names of extended attributes, sorted: [`FileResult::Names`].
    ListXattr {
        /// The file, directory or link.
        at: At,
    },
    /// What the regular files below a directory take on disk: [`FileResult::Blocks`]. Closes the transaction
    /// group.
    Blocks {
        /// The directory, or a file.
        at: At,
    },
    /// `mount(2)` with type `zfs`.
    Mount {
        /// The full name of a filesystem or snapshot.
        dataset: Arc<str>,
        /// An absolute path.
        path: Arc<str>,
        /// How.
        options: MountOptions,
        /// Whether threads mount several beside each other, so that nobody knows which of them comes first.
        beside: bool,
    },
    /// `mount_setattr(2)`, until 2.1 `mount(2)` with `MS_REMOUNT`: what the programs do when the property
    /// `readonly` changes. `EINVAL` when nothing of ZFS is mounted there, `EBUSY` when a file is open for
    /// writing through the mount.
    Remount {
        /// An absolute path.
        path: Arc<str>,
        /// The options that it gets.
        options: MountOptions,
    },
    /// `umount2(2)`. `EINVAL` when nothing of ZFS is mounted there.
    Unmount {
        /// An absolute path.
        path: Arc<str>,
        /// How.
        how: Unmount,
    },
    /// Makes a mountpoint and all directories above it that are missing, with mode 0755.
    MakeMountpoint {
        /// An absolute path.
        path: Arc<str>,
    },
    /// Makes a sparse file for a pool to live in; one that exists is refused with `EEXIST`.
    MakeVdev {
        /// An absolute path.
        path: Arc<str>,
        /// Its size in bytes.
        size: u64,
    },
    /// Removes a directory that was a mountpoint. Outside of all mounts one that nobody made is fine.
    RemoveMountpoint {
        /// An absolute path.
        path: Arc<str>,
    },
}

/// What a system call returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileResult {
    /// The bytes that were read.
    Data(Vec<Piece>),
    /// The target of a symbolic link.
    Text(Arc<str>),
    /// What a file is.
    Stat(Stat),
    /// Everything below a directory.
    Tree(Tree),
    /// Byte ranges: start, end.
    Ranges(Vec<(u64, u64)>),
    /// What files take on disk, by path.
    Blocks(Vec<OnDisk>),
    /// A number of bytes.
    Count(u64),
    /// Names, sorted.
    Names(Vec<Arc<str>>),
    /// What a directory has, without `.` and `..`, sorted by name.
    Entries(Vec<(Arc<str>, char)>),
    /// The times of a file.
    Times(Told),
    /// Whether two paths lead to one file.
    Identity(Identity),
    /// What is told of a whole filesystem.
    Filesystem(Filesystem),
}

/// What becomes of what has the new name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Renaming {
    /// It is replaced.
    #[default]
    Replace,
    /// It is in the way (`RENAME_NOREPLACE`).
    Keep,
    /// It gets the old name (`RENAME_EXCHANGE`).
    Exchange,
    /// It is replaced, and a whiteout gets the old name (`RENAME_WHITEOUT`).
    Whiteout,
}

/// What a time is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NewTime {
    /// It stays (`UTIME_OMIT`).
    Keep,
    /// The time now (`UTIME_NOW`).
    Now,
    /// Seconds since 1970.
    Seconds(u64),
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "they are flags of the kernel's"
)]
pub struct Opening {
    /// To be read.
    pub read: bool,
    /// To be written.
    pub write: bool,
    /// What is missing is made with mode 0644 (`O_CREAT`).
    pub create: bool,
    /// What is there is in the way (`O_EXCL`); a temporary file never gets a name.
    pub exclusive: bool,
    /// What it holds goes (`O_TRUNC`).
    pub truncate: bool,
    /// What is written goes to its end (`O_APPEND`).
    pub append: bool,
    /// It has to be a directory (`O_DIRECTORY`).
    pub directory: bool,
    /// A link at the end is not followed but refused (`O_NOFOLLOW`).
    pub no_follow: bool,
    /// A file without a name is made, with mode 0644 (`O_TMPFILE`).
    pub temporary: bool,
}

impl Opening {
    /// To be read, and written too.
    #[must_use]
    pub fn plain(write: bool) -> Opening {
        Opening {
            read: true,
            write,
            ..Opening::default()
        }
    }
}

/// What is told of a whole filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filesystem {
    /// The size of its blocks, in bytes (`f_bsize`).
    pub block_size: u64,
    /// How many of them are taken (`f_blocks` without `f_bfree`).
    pub used: Figure,
    /// How many are free (`f_bfree`).
    pub free: Figure,
    /// How many objects there are (`f_files` without `f_ffree`).
    pub objects: u64,
    /// How long a name may be, in bytes (`f_namelen`).
    pub longest_name: u64,
    /// Whether it is read-only.
    pub read_only: bool,
}

/// A time as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It came that many steps ago.
    Ago(u64),
    /// It was set to that many seconds since 1970.
    Set(u64),
}

/// The times of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// When the content was last changed.
    pub modification: Moment,
    /// When anything was last changed.
    pub change: Moment,
    /// When it was last read.
    pub access: Moment,
    /// When it was made.
    pub birth: Moment,
}

/// Whether two paths lead to one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// They do.
    Same,
    /// The files are two, of one dataset.
    OtherFile,
    /// They lie in two datasets (`st_dev`).
    OtherDataset,
}

/// What a regular file takes on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDisk {
    /// Where it is, from the directory that was asked about.
    pub path: Arc<str>,
    /// In blocks of 512 bytes (`st_blocks`), its dnode included.
    pub blocks: Figure,
    /// Its block size in bytes (`st_blksize`).
    pub block_size: u64,
}

/// What `stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits, 12.
    pub mode: u32,
    /// Link count.
    pub links: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes; a directory's as ZFS tells it.
    pub size: u64,
    /// Block size in bytes (`st_blksize`); of regular files only.
    pub block_size: Option<u64>,
}

/// The type of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, FIFO or socket.
    Special(Special),
}

impl FileKind {
    /// The letter that stands for it in listings.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            FileKind::File => 'f',
            FileKind::Directory => 'd',
            FileKind::Link => 'l',
            FileKind::Special(Special::CharacterDevice(..)) => 'c',
            FileKind::Special(Special::BlockDevice(..)) => 'b',
            FileKind::Special(Special::Fifo) => 'p',
            FileKind::Special(Special::Socket) => 's',
        }
    }
}

/// The file that an operation is about, where that may be one that is open.
macro_rules! target {
    ($op:expr) => {
        match $op {
            FileOp::Write { to: file, .. }
            | FileOp::Read { from: file, .. }
            | FileOp::Link { from: file, .. }
            | FileOp::Truncate { file, .. }
            | FileOp::SetMode { file, .. }
            | FileOp::SetOwner { file, .. }
            | FileOp::SetTimes { file, .. }
            | FileOp::Stat { file }
            | FileOp::Times { file }
            | FileOp::Seek { file, .. }
            | FileOp::ReadDirectory { directory: file }
            | FileOp::Punch { file, .. } => Some(file),
            _ => None,
        }
    };
}

/// The paths of an operation that can be nothing but paths.
macro_rules! other_paths {
    ($op:expr) => {
        match $op {
            FileOp::MakeDirectory { at }
            | FileOp::RemoveDirectory { at }
            | FileOp::Unlink { at }
            | FileOp::Symlink { at, .. }
            | FileOp::MakeSpecial { at, .. }
            | FileOp::ReadLink { at }
            | FileOp::Tree { at }
            | FileOp::Open { at, .. }
            | FileOp::Shared { at, .. }
            | FileOp::SetXattr { at, .. }
            | FileOp::GetXattr { at, .. }
            | FileOp::RemoveXattr { at, .. }
            | FileOp::ListXattr { at }
            | FileOp::StatFilesystem { at }
            | FileOp::Blocks { at } => vec![at],
            FileOp::Rename { from, to, .. }
            | FileOp::Copy { from, to, .. }
            | FileOp::Reflink { from, to }
            | FileOp::Compare {
                one: from,
                other: to,
            } => vec![from, to],
            FileOp::Link { to, .. } => vec![to],
            _ => Vec::new(),
        }
    };
}

impl FileOp {
    /// The file that it is about, where that may be one that is open.
    #[must_use]
    pub fn target(&self) -> Option<&Target> {
        target!(self)
    }

    /// The paths that it names.
    #[must_use]
    pub fn paths(&self) -> Vec<&At> {
        let mut paths = other_paths!(self);
        if let Some(Target::Path(at)) = self.target() {
            paths.insert(0, at);
        }
        paths
    }

    /// The same with other paths, in the order of [`FileOp::paths`].
    pub(super) fn with_paths(&self, paths: Vec<At>) -> FileOp {
        let mut op = self.clone();
        let mut paths = paths.into_iter();
        if let Some(Target::Path(at)) = target!(&mut op)
            && let Some(path) = paths.next()
        {
            *at = path;
        }
        for (at, path) in other_paths!(&mut op).into_iter().zip(paths) {
            *at = path;
        }
        op
    }

    pub(crate) fn apply(&self, state: &mut State) -> Outcome {
        let ended = control::apply_open(self, state);
        if ended.is_none()
            && let Some(what) = files::not_modelled(self, state)
        {
            return Outcome::NotModelled(what);
        }
        // Where it is tight something may have changed before it is known that nobody knows.
        let may_be_tight = match self {
            FileOp::Read { .. }
            | FileOp::Stat { .. }
            | FileOp::Times { .. }
            | FileOp::Compare { .. } => false,
            FileOp::Write { data, .. } => state.may_be_tight(data.len),
            _ => state.may_be_tight(0),
        };
        let before = may_be_tight.then(|| state.clone());
        let mut ended = ended.unwrap_or_else(|| files::apply(self, state));
        if matches!(ended, Err(Failure::Errno(Errno::ENOENT)))
            && let Some(below) = control::apply(self, state)
        {
            ended = below;
        }
        match ended {
            Ok(None) => Outcome::Done,
            Ok(Some(result)) => Outcome::File(result),
            Err(Failure::Errno(errno)) => Outcome::Failed(errno),
            Err(Failure::NotModelled(what)) => {
                if let Some(before) = before {
                    *state = before;
                }
                Outcome::NotModelled(what)
            }
        }
    }
}

/// Why a system call has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It failed.
    Errno(Errno),
    /// The model does not know what it does; says what is missing.
    NotModelled(&'static str),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Failure {
        Failure::Errno(errno)
    }
}

/// What running a system call gives.
pub(crate) type Result<T = Option<FileResult>> = std::result::Result<T, Failure>;
