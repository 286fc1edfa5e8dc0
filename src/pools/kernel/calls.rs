//! System calls on files and mounts, as [`FileOp`]s.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::fs::{
    AtFlags, CWD, Dir, FallocateFlags, FileType, Gid, Mode, OFlags, RenameFlags, ResolveFlags,
    SeekFrom, Stat as KernelStat, StatVfsMountFlags, StatxFlags, Timespec, Timestamps, Uid,
    XattrFlags, copy_file_range, major, makedev, minor, openat2,
};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use rustix::time::{ClockId, clock_gettime};
use ztwin_model::Release;
use ztwin_model::dmu::data::Source;
use ztwin_model::dmu::storage::Figure;
use ztwin_model::layer::{Content, Entry, Tree};
use ztwin_model::zpl::op::{
    self, At, CALL, FileKind, FileOp, FileResult, Moment, NewTime, OnDisk, Opening, Renaming, Stat,
    Target, Told, Unmount,
};
use ztwin_model::zpl::permission::Credentials;
use ztwin_model::zpl::znode::Special;

use super::journal::{self, Journal};
use super::{Handles, Options, child, guard, mounts, pointers, shared, unavailable, volumes};
use crate::pools::arm::{Arm, Called, Mounted};
use crate::pools::pointers::Holder;
use crate::pools::{Printed, Unavailable, print};

/// How paths are followed: beneath the dataset's root, not into what is mounted there.
const BENEATH: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_XDEV);

/// What every file is opened with that is opened for real: a FIFO makes nobody wait.
const PLAIN: OFlags = OFlags::CLOEXEC.union(OFlags::NONBLOCK);

/// Parameters of the ZFS module, and what they are during a trace: transaction groups are not closed by time, and
/// what was mounted below `.zfs` is not unmounted by it.
const PARAMETERS: [(&str, &str); 2] = [
    ("/sys/module/zfs/parameters/zfs_txg_timeout", "3600"),
    ("/sys/module/zfs/parameters/zfs_expire_snapshot", "0"),
];

/// How much is read or written by one system call, in bytes.
const CHUNK: usize = CALL;

/// The longest value of an extended attribute, and list of their names (`XATTR_SIZE_MAX`, `XATTR_LIST_MAX`).
const LARGEST_XATTR: usize = 64 << 10;

/// Why a call has no result.
enum Problem {
    /// The kernel refused it.
    Errno(Errno),
    /// The pool is of no more use.
    Unavailable(Unavailable),
}

impl From<Errno> for Problem {
    fn from(errno: Errno) -> Self {
        Problem::Errno(errno)
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno) => Problem::Errno(errno),
            None => Problem::Unavailable(unavailable(error.to_string())),
        }
    }
}

impl From<Unavailable> for Problem {
    fn from(unavailable: Unavailable) -> Self {
        Problem::Unavailable(unavailable)
    }
}

type Result<T = Option<FileResult>> = std::result::Result<T, Problem>;

/// A vdev file that was made.
struct Vdev {
    /// Its path as steps name it.
    named: String,
    /// Where it is.
    path: String,
    /// The loop device that is given to `zpool` in its place.
    device: Option<String>,
}

/// The kernel in the middle of a trace.
pub(super) struct KernelArm {
    release: Release,
    limit: Duration,
    loop_devices: bool,
    /// Whether this is a host that has other things to do.
    private: bool,
    journal: Journal,
    handles: Handles,
    /// The vdev files that were made.
    vdevs: Vec<Vdev>,
    /// The directory that stands for the root of the paths of vdevs; empty for the root itself.
    vdev_root: String,
    /// The pools that were made.
    pools: BTreeSet<String>,
    /// Pools that were there before.
    foreign: BTreeSet<String>,
    /// Directories that were made outside, in order.
    directories: Vec<String>,
    /// Who makes the system calls on files.
    user: Credentials,
    /// The roots of the datasets of a call, reached before the user may make it.
    roots: BTreeMap<String, OwnedFd>,
    /// When the steps began, as the kernel dates what happens to files.
    steps: Vec<(i64, i64)>,
    /// Where ZFS may have made directories to mount on; nothing was there before.
    places: BTreeSet<String>,
    /// What those of [`PARAMETERS`] were that were changed.
    parameters: Vec<(&'static str, String)>,
}

impl KernelArm {
    pub fn new(release: Release, options: &Options) -> std::result::Result<Self, Unavailable> {
        let foreign = guard::imported(options.limit)?;
        let journal = Journal::create(&options.state)?;
        let vdev_root = if options.private {
            format!("{}.d", journal.path().display())
        } else {
            String::new()
        };
        rustix::process::umask(Mode::from_raw_mode(0o022));
        // Where one cannot be written it stays.
        let parameters = PARAMETERS.iter().filter_map(|(path, value)| {
            let before = std::fs::read_to_string(path).ok()?;
            std::fs::write(path, value).ok().map(|()| (*path, before))
        });
        Ok(KernelArm {
            release,
            limit: options.limit,
            loop_devices: options.loop_devices,
            private: options.private,
            journal,
            handles: Handles::new(),
            vdevs: Vec::new(),
            vdev_root,
            pools: BTreeSet::new(),
            foreign,
            directories: Vec::new(),
            user: Credentials::default(),
            roots: BTreeMap::new(),
            steps: Vec::new(),
            places: BTreeSet::new(),
            parameters: parameters.collect(),
        })
    }

    /// What stands for the path of a vdev: its loop device, or its file.
    fn device(&self, named: &str) -> String {
        let known = self.vdevs.iter().find(|vdev| vdev.named == named);
        match known.and_then(|vdev| vdev.device.clone()) {
            Some(device) => device,
            None => format!("{}{named}", self.vdev_root),
        }
    }

    /// What a program printed, with the paths of vdevs as steps name them.
    fn as_named(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.vdev_root.is_empty() && !self.loop_devices {
            return bytes;
        }
        let Ok(mut text) = String::from_utf8(bytes.clone()) else {
            return bytes;
        };
        for vdev in &self.vdevs {
            if let Some(device) = &vdev.device {
                text = text.replace(device, &vdev.named);
            }
        }
        if !self.vdev_root.is_empty() {
            text = text.replace(&self.vdev_root, "");
        }
        text.into_bytes()
    }

    /// Removes everything that was made. What cannot be removed stays in the journal.
    fn clean_up(&mut self) -> std::result::Result<(), Unavailable> {
        self.handles.clear();
        for entry in mounts::list()?.into_iter().rev() {
            let pool = entry.dataset.split(['/', '@']).next().unwrap_or_default();
            if self.pools.contains(pool) {
                // A mount below one that is gone already is gone too.
                let _ = mounts::unmount_at(&entry.path, UnmountFlags::DETACH);
            }
        }
        let imported = guard::imported(self.limit)?;
        for pool in self.pools.intersection(&imported) {
            journal::destroy(pool, self.limit)?;
        }
        for Vdev { path, device, .. } in &self.vdevs {
            if let Some(device) = device {
                child::must("losetup", &["-d", device], self.limit)?;
            }
            std::fs::remove_file(path)
                .map_err(|error| unavailable(format!("cannot remove {path}: {error}")))?;
        }
        for directory in self.directories.iter().rev() {
            // One that something else is in by now stays.
            let _ = std::fs::remove_dir(directory);
        }
        for place in &self.places {
            mounts::remove_empty(Path::new(place));
        }
        self.journal.done();
        Ok(())
    }

    /// Makes the directories of `path` that are missing.
    fn make_directories(&mut self, path: &str) -> Result<()> {
        let ends = path
            .char_indices()
            .skip(1)
            .filter(|&(_, letter)| letter == '/');
        for end in ends
            .map(|(index, _)| index)
            .chain([path.len()])
            .collect::<Vec<_>>()
        {
            let directory = &path[..end];
            match rustix::fs::mkdir(directory, Mode::from_raw_mode(0o755)) {
                Ok(()) => self.directories.push(directory.to_owned()),
                // `mkdir` may say that the file system is read-only before it looks.
                Err(Errno::EXIST | Errno::ROFS)
                    if mounts::is_directory(directory) == Some(true) => {}
                Err(Errno::EXIST) => return Err(Errno::NOTDIR.into()),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn make_vdev(&mut self, named: &str, size: u64) -> Result {
        let path = format!("{}{named}", self.vdev_root);
        if std::fs::symlink_metadata(&path).is_ok() {
            return Err(Errno::EXIST.into());
        }
        self.journal.note(&format!("vdev {path}"))?;
        if let Some((above, _)) = path.rsplit_once('/').filter(|(above, _)| !above.is_empty()) {
            self.make_directories(above)?;
        }
        let file = File::options().write(true).create_new(true).open(&path)?;
        self.vdevs.push(Vdev {
            named: named.to_owned(),
            path: path.clone(),
            device: None,
        });
        file.set_len(size)?;
        if self.loop_devices {
            let device = child::must("losetup", &["--find", "--show", &path], self.limit)?;
            let device = device.trim().to_owned();
            self.journal.note(&format!("loop {device}"))?;
            if let Some(last) = self.vdevs.last_mut() {
                last.device = Some(device);
            }
        }
        Ok(None)
    }

    fn owns(&self, dataset: &str) -> bool {
        let pool = dataset.split(['/', '@']).next().unwrap_or_default();
        self.pools.contains(pool)
    }

    /// The root of a dataset of a pool of this trace.
    fn reach(&self, dataset: &str) -> Result<OwnedFd> {
        if let Some(root) = self.roots.get(dataset) {
            return Ok(root.try_clone()?);
        }
        if !self.owns(dataset) {
            return Err(Errno::NOENT.into());
        }
        Ok(mounts::reach(dataset)??)
    }

    /// Runs a call as the user; the datasets are reached before, which only root may.
    fn run_as_user(&mut self, op: &FileOp) -> Result {
        if self.user.is_root() {
            return self.run(op);
        }
        for at in op.paths() {
            if let Ok(root) = self.reach(&at.dataset) {
                self.roots.insert(at.dataset.to_string(), root);
            }
        }
        let result = Identity::take(&self.user)
            .map_err(Problem::from)
            .and_then(|_taken| self.run(op));
        self.roots.clear();
        result
    }

    /// A file by path or by handle; a link at the end of a path is not followed.
    fn look_at(&self, target: &Target, flags: OFlags) -> Result<OwnedFd> {
        match target {
            Target::Path(at) => self.open(at, flags),
            Target::Open(handle) => Ok(self.handle(handle)?.try_clone()?.into()),
            Target::Volume(_) => Err(Errno::INVAL.into()),
        }
    }

    /// How many steps ago something happened, or what its time was set to.
    fn moment(&self, seconds: i64, nanoseconds: i64) -> Moment {
        let at = (seconds, nanoseconds);
        let began = self.steps.partition_point(|&step| step <= at);
        match began.checked_sub(1) {
            Some(step) => Moment::Ago((self.steps.len() - 1 - step) as u64),
            None => Moment::Set(u64::try_from(seconds).unwrap_or(0)),
        }
    }

    fn times(&self, file: &OwnedFd) -> Result {
        let asked = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
        let told = rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, asked)?;
        let moment =
            |time: rustix::fs::StatxTimestamp| self.moment(time.tv_sec, i64::from(time.tv_nsec));
        Ok(Some(FileResult::Times(Told {
            modification: moment(told.stx_mtime),
            change: moment(told.stx_ctime),
            access: moment(told.stx_atime),
            birth: moment(told.stx_btime),
        })))
    }

    /// The root that a path starts from, and the rest of the path.
    fn start<'a>(&self, at: &'a At) -> Result<(OwnedFd, &'a str)> {
        self.enter(self.reach(&at.dataset)?, &at.path)
    }

    /// A path that goes on behind a snapshot's directory starts at the root of what ZFS mounts there.
    fn enter<'a>(&self, root: OwnedFd, path: &'a str) -> Result<(OwnedFd, &'a str)> {
        let Some((directory, rest)) = in_snapshot(path) else {
            return Ok((root, path));
        };
        if self.private {
            let what =
                "ZFS mounts snapshots below .zfs outside of this mount namespace: use a guest";
            return Err(unavailable(what).into());
        }
        if rest.is_empty() {
            return Ok((root, path));
        }
        let root = open_in(&root, directory, OFlags::PATH | OFlags::DIRECTORY)?;
        Ok((root, rest))
    }

    /// The same for a walk, which goes into a snapshot at the end of the path too.
    fn start_walk<'a>(&self, at: &'a At) -> Result<(OwnedFd, &'a str)> {
        let (root, path) = self.start(at)?;
        match in_snapshot(&at.path) {
            Some((_, "")) => Ok((open_in(&root, path, OFlags::PATH | OFlags::DIRECTORY)?, "/")),
            _ => Ok((root, path)),
        }
    }

    /// Opens a file by path.
    fn open(&self, at: &At, flags: OFlags) -> Result<OwnedFd> {
        let (root, path) = self.start(at)?;
        open_in(&root, path, flags)
    }

    /// The device of a volume, open.
    fn device_of(&self, volume: &str, flags: OFlags) -> Result<File> {
        if !self.owns(volume) {
            return Err(Errno::NOENT.into());
        }
        Ok(volumes::open(volume, flags, self.limit)??)
    }

    fn handle(&self, handle: &ztwin_model::zpl::open::Handle) -> Result<&File> {
        self.handles.get(handle).ok_or(Problem::Errno(Errno::BADF))
    }

    fn run(&mut self, op: &FileOp) -> Result {
        match op {
            FileOp::Write { to, offset, data } => match to {
                Target::Path(at) => {
                    let (root, path) = self.start(at)?;
                    let flags = OFlags::WRONLY | OFlags::CREATE | PLAIN;
                    let mode = Mode::from_raw_mode(0o644);
                    let file = openat2(&root, path, flags, mode, beneath(path))?;
                    write(&File::from(file), *offset, data)
                }
                Target::Open(handle) => write(self.handle(handle)?, *offset, data),
                Target::Volume(volume) => {
                    write_aligned(&self.device_of(volume, OFlags::WRONLY)?, *offset, data)
                }
            },
            FileOp::Read { from, offset, len } => match from {
                Target::Path(at) => {
                    read(&File::from(self.open(at, OFlags::RDONLY)?), *offset, *len)
                }
                Target::Open(handle) => read(self.handle(handle)?, *offset, *len),
                Target::Volume(volume) => {
                    read(&self.device_of(volume, OFlags::RDONLY)?, *offset, *len)
                }
            },
            FileOp::Discard {
                volume,
                offset,
                len,
            } => {
                if !self.owns(volume) {
                    return Err(Errno::NOENT.into());
                }
                volumes::discard(volume, *offset, *len, self.limit)??;
                Ok(None)
            }
            FileOp::Truncate { file, size } => {
                rustix::fs::ftruncate(self.look_at(file, OFlags::WRONLY)?, *size)?;
                Ok(None)
            }
            FileOp::StatFilesystem { at } => self.stat_filesystem(at),
            FileOp::Seek { file, offset, hole } => {
                let file = self.look_at(file, OFlags::RDONLY)?;
                let from = if *hole {
                    SeekFrom::Hole(*offset)
                } else {
                    SeekFrom::Data(*offset)
                };
                Ok(Some(FileResult::Count(rustix::fs::seek(file, from)?)))
            }
            FileOp::Punch { file, offset, len } => {
                let file = self.look_at(file, OFlags::WRONLY)?;
                let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                rustix::fs::fallocate(file, how, *offset, *len)?;
                Ok(None)
            }
            FileOp::Copy {
                from,
                offset,
                to,
                at,
                len,
            } => {
                let (from, to) = (
                    self.open(from, OFlags::RDONLY)?,
                    self.open(to, OFlags::WRONLY)?,
                );
                let len = usize::try_from(*len).map_err(|_| Errno::INVAL)?;
                let (mut offset, mut at) = (*offset, *at);
                let count = copy_file_range(from, Some(&mut offset), to, Some(&mut at), len)?;
                Ok(Some(FileResult::Count(count as u64)))
            }
            FileOp::Reflink { from, to } => {
                let (from, to) = (
                    self.open(from, OFlags::RDONLY)?,
                    self.open(to, OFlags::WRONLY)?,
                );
                rustix::fs::ioctl_ficlone(to, from)?;
                Ok(None)
            }
            FileOp::SetXattr { at, name, value } => {
                let file = self.open(at, OFlags::PATH | OFlags::NOFOLLOW)?;
                let mut bytes = vec![0; usize::try_from(value.len).map_err(|_| Errno::TOOBIG)?];
                value.source.read(value.position, &mut bytes);
                rustix::fs::setxattr(by_number(&file), &**name, &bytes, XattrFlags::empty())?;
                Ok(None)
            }
            FileOp::GetXattr { at, name } => {
                let file = self.open(at, OFlags::PATH | OFlags::NOFOLLOW)?;
                let mut bytes = vec![0; LARGEST_XATTR];
                let len = rustix::fs::getxattr(by_number(&file), &**name, &mut bytes[..])?;
                bytes.truncate(len);
                let mut pieces = Vec::new();
                let piece = Source::Bytes(bytes.into()).piece(len as u64);
                ztwin_model::dmu::data::push(&mut pieces, piece);
                Ok(Some(FileResult::Data(pieces)))
            }
            FileOp::RemoveXattr { at, name } => {
                let file = self.open(at, OFlags::PATH | OFlags::NOFOLLOW)?;
                rustix::fs::removexattr(by_number(&file), &**name)?;
                Ok(None)
            }
            FileOp::ListXattr { at } => {
                let file = self.open(at, OFlags::PATH | OFlags::NOFOLLOW)?;
                let mut bytes = vec![0; LARGEST_XATTR];
                let len = rustix::fs::listxattr(by_number(&file), &mut bytes[..])?;
                let text = String::from_utf8_lossy(&bytes[..len]).into_owned();
                let mut names: Vec<Arc<str>> = text.split_terminator('\0').map(Arc::from).collect();
                names.sort();
                Ok(Some(FileResult::Names(names)))
            }
            FileOp::Blocks { at } => self.blocks(at),
            FileOp::MakeDirectory { at } => {
                let (directory, name) = self.parent(at, Errno::EXIST)?;
                rustix::fs::mkdirat(directory, name, Mode::from_raw_mode(0o755))?;
                Ok(None)
            }
            FileOp::RemoveDirectory { at } => {
                let (directory, name) = self.parent(at, Errno::BUSY)?;
                rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR)?;
                Ok(None)
            }
            FileOp::Unlink { at } => {
                let (directory, name) = self.parent(at, Errno::ISDIR)?;
                rustix::fs::unlinkat(directory, name, AtFlags::empty())?;
                Ok(None)
            }
            FileOp::MakeSpecial { at, special, mode } => {
                let (directory, name) = self.parent(at, Errno::EXIST)?;
                let (kind, device) = match special {
                    Special::CharacterDevice(..) => (FileType::CharacterDevice, special.device()),
                    Special::BlockDevice(..) => (FileType::BlockDevice, special.device()),
                    Special::Fifo => (FileType::Fifo, None),
                    Special::Socket => (FileType::Socket, None),
                };
                let (major, minor) = device.unwrap_or_default();
                let (mode, device) = (Mode::from_raw_mode(*mode), makedev(major, minor));
                rustix::fs::mknodat(directory, name, kind, mode, device)?;
                Ok(None)
            }
            FileOp::ReadDirectory { directory } => {
                let directory = match directory {
                    Target::Open(handle) => self.handle(handle)?.try_clone()?.into(),
                    other => self.look_at(other, OFlags::RDONLY | OFlags::DIRECTORY)?,
                };
                let mut entries = Vec::new();
                let mut open = Dir::new(directory)?;
                open.rewind();
                for entry in open {
                    let entry = entry?;
                    let name = entry.file_name().to_string_lossy().into_owned();
                    if name != "." && name != ".." {
                        entries.push((Arc::from(name), letter(entry.file_type())));
                    }
                }
                entries.sort();
                Ok(Some(FileResult::Entries(entries)))
            }
            FileOp::Rename { from, to, how } => self.rename(from, to, *how),
            FileOp::Link { from, to } => self.link(from, to),
            FileOp::Symlink { target, at } => {
                if target.is_empty() {
                    return Err(Errno::NOENT.into());
                }
                let (directory, name) = self.parent(at, Errno::EXIST)?;
                rustix::fs::symlinkat(&**target, directory, name)?;
                Ok(None)
            }
            FileOp::ReadLink { at } => {
                let file = self.open(at, OFlags::PATH | OFlags::NOFOLLOW)?;
                if kind(&rustix::fs::fstat(&file)?) != Some(FileKind::Link) {
                    return Err(Errno::INVAL.into());
                }
                Ok(Some(FileResult::Text(link_target(&file)?)))
            }
            FileOp::SetMode { file, mode } => {
                let file = self.look_at(file, OFlags::PATH)?;
                rustix::fs::chmod(by_number(&file), Mode::from_raw_mode(*mode))?;
                Ok(None)
            }
            FileOp::SetOwner { file, uid, gid } => {
                let file = self.look_at(file, OFlags::PATH | OFlags::NOFOLLOW)?;
                let (uid, gid) = (Uid::from_raw(*uid), Gid::from_raw(*gid));
                rustix::fs::chownat(&file, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
                Ok(None)
            }
            FileOp::SetTimes {
                file,
                modification,
                access,
            } => {
                let file = self.look_at(file, OFlags::PATH | OFlags::NOFOLLOW)?;
                let time = |new: &NewTime| {
                    Ok::<_, Errno>(match new {
                        NewTime::Keep => Timespec {
                            tv_sec: 0,
                            tv_nsec: rustix::fs::UTIME_OMIT,
                        },
                        NewTime::Now => Timespec {
                            tv_sec: 0,
                            tv_nsec: rustix::fs::UTIME_NOW,
                        },
                        NewTime::Seconds(seconds) => Timespec {
                            tv_sec: i64::try_from(*seconds).map_err(|_| Errno::INVAL)?,
                            tv_nsec: 0,
                        },
                    })
                };
                let times = Timestamps {
                    last_access: time(access)?,
                    last_modification: time(modification)?,
                };
                rustix::fs::utimensat(&file, "", &times, AtFlags::EMPTY_PATH)?;
                Ok(None)
            }
            FileOp::Stat { file } => {
                let file = self.look_at(file, OFlags::PATH | OFlags::NOFOLLOW)?;
                let told = rustix::fs::fstat(&file)?;
                let Some(kind) = kind(&told) else {
                    return Err(unavailable(format!("{op:?} met a file of no known type")).into());
                };
                let is_file = kind == FileKind::File;
                Ok(Some(FileResult::Stat(Stat {
                    kind,
                    mode: told.st_mode & 0o7777,
                    links: told.st_nlink,
                    uid: told.st_uid,
                    gid: told.st_gid,
                    size: size(&told),
                    block_size: is_file.then(|| u64::try_from(told.st_blksize).unwrap_or(0)),
                })))
            }
            FileOp::Times { file } => {
                self.times(&self.look_at(file, OFlags::PATH | OFlags::NOFOLLOW)?)
            }
            FileOp::Compare { one, other } => {
                let look = |at| self.open(at, OFlags::PATH | OFlags::NOFOLLOW);
                // Both at once: a device that nobody uses any more gives its number to the next.
                let (one, other) = (look(one)?, look(other)?);
                let (one, other) = (rustix::fs::fstat(&one)?, rustix::fs::fstat(&other)?);
                Ok(Some(FileResult::Identity(if one.st_dev != other.st_dev {
                    op::Identity::OtherDataset
                } else if one.st_ino != other.st_ino {
                    op::Identity::OtherFile
                } else {
                    op::Identity::Same
                })))
            }
            FileOp::Tree { at } => {
                // What is mounted further down is not crossed into, but the top itself may not be one.
                let (root, path) = self.start_walk(at)?;
                drop(open_in(&root, path, OFlags::PATH | OFlags::NOFOLLOW)?);
                let root = mounts::alone(&root)?;
                let mut entries = Vec::new();
                walk(&root, path, &mut |mut entry, file| {
                    if let Some(file) = file {
                        let bytes = read_all(&file)?;
                        let len = bytes.len() as u64;
                        let mut pieces = Vec::new();
                        let piece = Source::Bytes(bytes).piece(len);
                        ztwin_model::dmu::data::push(&mut pieces, piece);
                        entry.content = Content::File(pieces.into());
                    }
                    entries.push(entry);
                    Ok(())
                })?;
                entries.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
                Ok(Some(FileResult::Tree(Tree { entries })))
            }
            FileOp::Open { handle, at, how } => {
                if self.handles.contains_key(handle) {
                    return Err(Errno::EXIST.into());
                }
                let (root, path) = self.start(at)?;
                let mode = if how.create || how.temporary {
                    Mode::from_raw_mode(0o644)
                } else {
                    Mode::empty()
                };
                let file = openat2(&root, path, flags(*how), mode, beneath(path))?;
                self.handles.insert(handle.clone(), file.into());
                Ok(None)
            }
            FileOp::Close { handle } => self
                .handles
                .remove(handle)
                .map(|_| None)
                .ok_or(Problem::Errno(Errno::BADF)),
            FileOp::Shared { at, snapshot } => self.shared(at, snapshot),
            FileOp::Mount {
                dataset,
                path,
                options,
                ..
            } => {
                if !self.owns(dataset) {
                    return Err(Errno::NOENT.into());
                }
                mounts::mount_at(dataset, path, options.read_only)?;
                Ok(None)
            }
            // The programs do it themselves.
            FileOp::Remount { .. } => Ok(None),
            FileOp::Unmount { path, how } => {
                let mut ours = mounts::list()?;
                ours.retain(|entry| self.owns(&entry.dataset));
                if !ours.iter().any(|entry| entry.path == **path) {
                    // The kernel would say the same, and is not asked to unmount what is not ours.
                    let inside = ours
                        .iter()
                        .any(|entry| Path::new(&**path).starts_with(&entry.path));
                    let missing = inside && std::fs::symlink_metadata(&**path).is_err();
                    return Err(if missing { Errno::NOENT } else { Errno::INVAL }.into());
                }
                mounts::unmount_at(
                    path,
                    match how {
                        Unmount::Plain => UnmountFlags::empty(),
                        Unmount::Force => UnmountFlags::FORCE,
                        Unmount::Lazy => UnmountFlags::DETACH,
                    },
                )?;
                Ok(None)
            }
            FileOp::MakeMountpoint { path } => self.make_directories(path).map(|()| None),
            FileOp::RemoveMountpoint { path } => {
                if self.directories.iter().any(|made| **made == **path) {
                    rustix::fs::rmdir(&**path)?;
                }
                Ok(None)
            }
            FileOp::MakeVdev { path, size } => self.make_vdev(path, *size),
        }
    }

    /// The directory that a path's last name is in, and that name; for a dataset's root there is no
    /// name, and every call that needs one ends in `root`.
    fn parent<'a>(&self, at: &'a At, root: Errno) -> Result<(OwnedFd, &'a str)> {
        let (top, path) = self.start(at)?;
        parent_in(&top, path)?.ok_or(Problem::Errno(root))
    }

    fn rename(&self, from: &At, to: &At, how: Renaming) -> Result {
        let source = self.reach(&from.dataset)?;
        let (top, path) = self.enter(source.try_clone()?, &from.path)?;
        let old = parent_in(&top, path)?;
        if let Some((directory, _)) = &old {
            // The way to the old name, the right to search its directory included, comes before that to the new one.
            rustix::fs::statat(directory, ".", AtFlags::SYMLINK_NOFOLLOW)?;
        }
        let crosses = from.dataset != to.dataset;
        let target = if crosses {
            self.reach(&to.dataset)?
        } else {
            // Through the same mount: a snapshot is mounted anew each time it is reached.
            source
        };
        let (target, path) = self.enter(target, &to.path)?;
        let new = parent_in(&target, path)?;
        if crosses && (old.is_none() || new.is_none()) {
            return Err(Errno::XDEV.into());
        }
        let Some((old, old_name)) = old else {
            return Err(Errno::BUSY.into());
        };
        let Some((new, new_name)) = new else {
            let is_kept = how == Renaming::Keep;
            return Err(if is_kept { Errno::EXIST } else { Errno::BUSY }.into());
        };
        let flags = match how {
            Renaming::Replace => RenameFlags::empty(),
            Renaming::Keep => RenameFlags::NOREPLACE,
            Renaming::Exchange => RenameFlags::EXCHANGE,
            Renaming::Whiteout => RenameFlags::WHITEOUT,
        };
        rustix::fs::renameat_with(old, old_name, new, new_name, flags)?;
        Ok(None)
    }

    fn link(&self, from: &Target, to: &At) -> Result {
        let from = match from {
            Target::Path(at) => at,
            other => {
                let file = self.look_at(other, OFlags::PATH)?;
                let (target, path) = self.start(to)?;
                let (new, name) = parent_in(&target, path)?.ok_or(Errno::EXIST)?;
                let follow = AtFlags::SYMLINK_FOLLOW;
                rustix::fs::linkat(CWD, by_number(&file), new, name, follow)?;
                return Ok(None);
            }
        };
        let source = self.reach(&from.dataset)?;
        let (top, path) = self.enter(source.try_clone()?, &from.path)?;
        let old = parent_in(&top, path)?;
        if let Some((directory, name)) = &old {
            // The file is looked up before the new name.
            rustix::fs::statat(directory, *name, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        let target = if from.dataset == to.dataset {
            // Through the same mount: a snapshot is mounted anew each time it is reached.
            source
        } else {
            self.reach(&to.dataset)?
        };
        let (target, path) = self.enter(target, &to.path)?;
        let (new, new_name) = parent_in(&target, path)?.ok_or(Errno::EXIST)?;
        match old {
            Some((old, name)) => rustix::fs::linkat(old, name, new, new_name, AtFlags::empty())?,
            None => rustix::fs::linkat(top, "", new, new_name, AtFlags::EMPTY_PATH)?,
        }
        Ok(None)
    }

    fn stat_filesystem(&self, at: &At) -> Result {
        let file = self.open(at, OFlags::PATH | OFlags::NOFOLLOW)?;
        let pool = at.dataset.split(['/', '@']).next().unwrap_or_default();
        // Until then the kernel tells what was there before.
        child::must("zpool", &["sync", pool], self.limit)?;
        let told = rustix::fs::fstatvfs(file)?;
        Ok(Some(FileResult::Filesystem(op::Filesystem {
            block_size: told.f_bsize,
            used: Figure::exact(told.f_blocks - told.f_bfree),
            free: Figure::exact(told.f_bfree),
            objects: told.f_files - told.f_ffree,
            longest_name: told.f_namemax,
            read_only: told.f_flag.contains(StatVfsMountFlags::RDONLY),
        })))
    }

    fn blocks(&self, at: &At) -> Result {
        let (root, path) = self.start_walk(at)?;
        drop(open_in(&root, path, OFlags::PATH | OFlags::NOFOLLOW)?);
        let pool = at.dataset.split(['/', '@']).next().unwrap_or_default();
        // Until then the kernel tells what was on disk before.
        child::must("zpool", &["sync", pool], self.limit)?;
        let mut files = Vec::new();
        walk(&mounts::alone(&root)?, path, &mut |entry, file| {
            if let Some(file) = file {
                let told = rustix::fs::fstat(&file)?;
                files.push(OnDisk {
                    path: entry.path,
                    blocks: Figure::exact(u64::try_from(told.st_blocks).unwrap_or(0)),
                    block_size: u64::try_from(told.st_blksize).unwrap_or(0),
                });
            }
            Ok(())
        })?;
        files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        Ok(Some(FileResult::Blocks(files)))
    }

    fn shared(&mut self, at: &At, snapshot: &str) -> Result {
        let file = self.open(at, OFlags::PATH)?;
        let told = rustix::fs::fstat(&file)?;
        if !self.owns(snapshot) || !shared::exists(snapshot, self.limit)? {
            return Err(Errno::NOENT.into());
        }
        let below = in_snapshot(&at.path).map(|(directory, _)| &directory[SNAPSHOTS.len()..]);
        let dataset = match below {
            Some(name) => &format!("{}@{name}", at.dataset),
            None => &*at.dataset,
        };
        let Some(chain) = shared::chain(dataset, snapshot, self.limit)? else {
            return Err(Errno::XDEV.into());
        };
        if kind(&told) != Some(FileKind::File) {
            return Err(Errno::INVAL.into());
        }
        let object = told.st_ino;
        drop(file);
        Ok(Some(FileResult::Ranges(shared::ranges(
            chain, object, self.limit,
        )?)))
    }
}

/// What a file is opened with besides these.
fn plain(flags: OFlags) -> OFlags {
    if flags.contains(OFlags::PATH) {
        OFlags::CLOEXEC
    } else {
        PLAIN
    }
}

/// Where a filesystem has its snapshots.
const SNAPSHOTS: &str = "/.zfs/snapshot/";

/// A path that leads to a snapshot's directory, divided behind that.
fn in_snapshot(path: &str) -> Option<(&str, &str)> {
    let name = path.strip_prefix(SNAPSHOTS)?;
    let end = name.find('/').unwrap_or(name.len());
    let is_name = !matches!(&name[..end], "" | "." | "..");
    is_name.then(|| path.split_at(SNAPSHOTS.len() + end))
}

/// How a path is followed. Its end may be a snapshot's directory, on which ZFS mounts the snapshot.
fn beneath(path: &str) -> ResolveFlags {
    match in_snapshot(path) {
        Some((_, "")) => ResolveFlags::IN_ROOT,
        _ => BENEATH,
    }
}

/// Opens a file beneath a root.
fn open_in(root: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd> {
    Ok(openat2(
        root,
        path,
        flags | plain(flags),
        Mode::empty(),
        beneath(path),
    )?)
}

/// The directory that a path's last name is in, and that name; none for the root.
fn parent_in<'a>(root: &OwnedFd, path: &'a str) -> Result<Option<(OwnedFd, &'a str)>> {
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    if name.is_empty() {
        return Ok(None);
    }
    let above = if above.is_empty() { "/" } else { above };
    let directory = open_in(root, above, OFlags::PATH | OFlags::DIRECTORY)?;
    Ok(Some((directory, name)))
}

/// A path that leads to an open file.
fn by_number(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// The extended attributes of a file, by their names; none where there can be none.
fn xattrs(file: &OwnedFd) -> rustix::io::Result<BTreeMap<Arc<str>, Bytes>> {
    let mut bytes = vec![0; LARGEST_XATTR];
    let len = match rustix::fs::listxattr(by_number(file), &mut bytes[..]) {
        Ok(len) => len,
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        Err(error) => return Err(error),
    };
    let mut all = BTreeMap::new();
    for name in bytes[..len]
        .split(|&byte| byte == 0)
        .filter(|it| !it.is_empty())
    {
        let mut value = vec![0; LARGEST_XATTR];
        let len = rustix::fs::getxattr(by_number(file), name, &mut value[..])?;
        value.truncate(len);
        let name: Arc<str> = String::from_utf8_lossy(name).into();
        all.insert(name, Bytes::from(value));
    }
    Ok(all)
}

fn kind(told: &KernelStat) -> Option<FileKind> {
    match FileType::from_raw_mode(told.st_mode) {
        FileType::RegularFile => Some(FileKind::File),
        FileType::Directory => Some(FileKind::Directory),
        FileType::Symlink => Some(FileKind::Link),
        FileType::CharacterDevice => {
            let (major, minor) = (major(told.st_rdev), minor(told.st_rdev));
            Some(FileKind::Special(Special::CharacterDevice(major, minor)))
        }
        FileType::BlockDevice => {
            let (major, minor) = (major(told.st_rdev), minor(told.st_rdev));
            Some(FileKind::Special(Special::BlockDevice(major, minor)))
        }
        FileType::Fifo => Some(FileKind::Special(Special::Fifo)),
        FileType::Socket => Some(FileKind::Special(Special::Socket)),
        FileType::Unknown => None,
    }
}

/// The letter of what a directory says of an entry.
fn letter(kind: FileType) -> char {
    match kind {
        FileType::RegularFile => 'f',
        FileType::Directory => 'd',
        FileType::Symlink => 'l',
        FileType::CharacterDevice => 'c',
        FileType::BlockDevice => 'b',
        FileType::Fifo => 'p',
        FileType::Socket => 's',
        FileType::Unknown => '?',
    }
}

/// What `open(2)` is told. A FIFO that nobody else has open makes nobody wait.
fn flags(how: Opening) -> OFlags {
    let mut flags = PLAIN
        | match (how.read, how.write) {
            (_, false) => OFlags::RDONLY,
            (false, true) => OFlags::WRONLY,
            (true, true) => OFlags::RDWR,
        };
    for (is_asked, flag) in [
        (how.create, OFlags::CREATE),
        (how.exclusive, OFlags::EXCL),
        (how.truncate, OFlags::TRUNC),
        (how.append, OFlags::APPEND),
        (how.directory, OFlags::DIRECTORY),
        (how.no_follow, OFlags::NOFOLLOW),
        (how.temporary, OFlags::TMPFILE),
    ] {
        if is_asked {
            flags |= flag;
        }
    }
    flags
}

/// The identity of a user, taken by this thread until it is dropped.
struct Identity;

impl Identity {
    fn take(user: &Credentials) -> std::result::Result<Identity, Errno> {
        let taken = Identity;
        let groups: Vec<Gid> = user.groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
        set_thread_groups(&groups)?;
        let gid = Gid::from_raw(user.gid);
        set_thread_res_gid(None, gid, None)?;
        // Its capabilities are back with user 0.
        set_thread_res_uid(None, Uid::from_raw(user.uid), None)?;
        Ok(taken)
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        let back = set_thread_res_uid(None, Uid::ROOT, None)
            .and_then(|()| set_thread_res_gid(None, Gid::ROOT, None))
            .and_then(|()| set_thread_groups(&[]));
        // Whoever was root is so again; otherwise nothing that follows would mean anything.
        if let Err(errno) = back {
            eprintln!("ztwin: cannot be root again: {errno}");
            std::process::abort();
        }
    }
}

fn size(told: &KernelStat) -> u64 {
    // The kernel does not give negative sizes.
    u64::try_from(told.st_size).unwrap_or(0)
}

fn link_target(file: &OwnedFd) -> Result<Arc<str>> {
    let target = rustix::fs::readlinkat(file, "", Vec::new())?;
    Ok(target.to_string_lossy().into())
}

fn write(file: &File, offset: u64, data: &ztwin_model::dmu::data::Piece) -> Result {
    let end = offset
        .checked_add(data.len)
        .filter(|&end| i64::try_from(end).is_ok());
    if end.is_none() {
        return Err(Errno::FBIG.into());
    }
    if data.len == 0 {
        file.write_at(&[], offset)?;
    }
    let mut done = 0;
    let mut buffer = Vec::new();
    while done < data.len {
        let take = usize::try_from(data.len - done).map_or(CHUNK, |left| left.min(CHUNK));
        buffer.resize(take, 0);
        data.source.read(data.position + done, &mut buffer);
        file.write_all_at(&buffer, offset + done)?;
        done += take as u64;
    }
    Ok(None)
}

/// The alignment of memory that a device is written from without being cached.
const PAGE: usize = 4096;

/// The same to a device, past the cache: it writes what it is told to, and nothing around it.
fn write_aligned(file: &File, offset: u64, data: &ztwin_model::dmu::data::Piece) -> Result {
    let mut done = 0;
    let mut buffer = Vec::new();
    while done < data.len {
        let take = usize::try_from(data.len - done).map_or(CHUNK, |left| left.min(CHUNK));
        buffer.resize(take + PAGE, 0);
        let skip = buffer.as_ptr().align_offset(PAGE);
        let bytes = &mut buffer[skip..skip + take];
        data.source.read(data.position + done, bytes);
        file.write_all_at(bytes, offset + done)?;
        done += take as u64;
    }
    Ok(None)
}

fn read(file: &File, offset: u64, len: u64) -> Result {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; usize::try_from(len).map_or(CHUNK, |len| len.clamp(1, CHUNK))];
    loop {
        let left = len - bytes.len() as u64;
        let take = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        // A read of nothing still tells whether it is a file.
        let Some(at) = offset
            .checked_add(bytes.len() as u64)
            .filter(|&at| i64::try_from(at).is_ok())
        else {
            return Err(Errno::INVAL.into());
        };
        let got = file.read_at(&mut buffer[..take], at)?;
        bytes.extend_from_slice(&buffer[..got]);
        if got == 0 || bytes.len() as u64 == len {
            break;
        }
    }
    let len = bytes.len() as u64;
    let mut pieces = Vec::new();
    ztwin_model::dmu::data::push(&mut pieces, Source::Bytes(bytes.into()).piece(len));
    Ok(Some(FileResult::Data(pieces)))
}

fn read_all(file: &File) -> Result<Bytes> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut &*file, &mut bytes)?;
    Ok(bytes.into())
}

/// Hands everything from `top` down to `each`, with regular files open for reading and without content.
fn walk(
    root: &OwnedFd,
    top: &str,
    each: &mut dyn FnMut(Entry, Option<File>) -> Result<()>,
) -> Result<()> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_XDEV;
    let prefix = if top == "/" { "" } else { top };
    let mut rest = vec![String::from("/")];
    while let Some(path) = rest.pop() {
        let full = if path == "/" {
            top.to_owned()
        } else {
            format!("{prefix}{path}")
        };
        let open = |flags: OFlags| {
            openat2(
                root,
                &*full,
                flags | OFlags::CLOEXEC | OFlags::NOFOLLOW,
                Mode::empty(),
                resolve,
            )
        };
        let place = open(OFlags::PATH)?;
        let told = rustix::fs::fstat(&place)?;
        let mut file = None;
        let content = match kind(&told) {
            Some(FileKind::File) => {
                file = Some(File::from(open(OFlags::RDONLY | OFlags::NOATIME)?));
                Content::File(Arc::from([]))
            }
            Some(FileKind::Link) => Content::Link(link_target(&place)?),
            Some(FileKind::Directory) => {
                let above = if path == "/" { "" } else { &path };
                for entry in Dir::read_from(open(OFlags::RDONLY | OFlags::DIRECTORY)?)? {
                    let name = entry?.file_name().to_string_lossy().into_owned();
                    // With `snapdir=visible` the control directory shows; it is no file of the dataset.
                    let control = full == "/" && name == ".zfs";
                    if name != "." && name != ".." && !control {
                        rest.push(format!("{above}/{name}"));
                    }
                }
                Content::Directory
            }
            Some(FileKind::Special(special)) => Content::Special(special),
            None => {
                let what = format!("{full} is a file of no known type");
                return Err(unavailable(what).into());
            }
        };
        let entry = Entry {
            path: path.into(),
            content,
            mode: told.st_mode & 0o7777,
            uid: told.st_uid,
            gid: told.st_gid,
            links: told.st_nlink,
            size: size(&told),
            object: told.st_ino,
            mtime: (
                told.st_mtime,
                u32::try_from(told.st_mtime_nsec).unwrap_or(0),
            ),
            xattrs: xattrs(&place)?,
        };
        each(entry, file)?;
    }
    Ok(())
}

/// The digest of a file's bytes, as the model's content has it.
fn digest(file: &File) -> Result<String> {
    let (parts, name) = print::told_of(file.metadata()?.len());
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 17];
    for (mut offset, len) in parts {
        let end = offset + len;
        while offset < end {
            let most = usize::try_from(end - offset).unwrap_or(usize::MAX);
            let most = most.min(buffer.len());
            let got = file.read_at(&mut buffer[..most], offset)?;
            if got == 0 {
                break;
            }
            hasher.update(&buffer[..got]);
            offset += got as u64;
        }
    }
    Ok(format!("{name}:{}", print::digest_of(hasher.finalize())))
}

impl Arm for KernelArm {
    fn release(&self) -> Release {
        self.release
    }

    fn tick(&mut self) {
        // Steps between two ticks of the kernel's clock could not be told from each other.
        let now = || {
            let now = clock_gettime(ClockId::RealtimeCoarse);
            (now.tv_sec, now.tv_nsec)
        };
        let last = now();
        while now() == last {
            std::thread::sleep(Duration::from_micros(500));
        }
        self.steps.push(now());
    }

    fn become_user(&mut self, user: &Credentials) {
        self.user = user.clone();
    }

    fn program(
        &mut self,
        words: &[String],
        input: &[u8],
    ) -> std::result::Result<Printed, Unavailable> {
        let words = &guard::with_paths(words, |named| self.device(named));
        let vdevs = self
            .vdevs
            .iter()
            .map(|vdev| self.device(&vdev.named))
            .collect();
        guard::check(words, &self.foreign, &vdevs)?;
        for place in guard::places(words) {
            if let Some(missing) = mounts::first_missing(&place)
                && self.places.insert(missing.clone())
            {
                self.journal.note(&format!("place {missing}"))?;
            }
        }
        let created = guard::created(words);
        for name in &created {
            if self.pools.contains(*name) {
                continue;
            }
            if guard::imported(self.limit)?.contains(*name) {
                return Err(unavailable(format!(
                    "a pool called '{name}' appeared meanwhile"
                )));
            }
            self.journal.note(&format!("pool {name}"))?;
        }
        let mut printed = child::run(&words[0], &words[1..], input, self.limit)?;
        printed.out = self.as_named(printed.out);
        printed.err = self.as_named(printed.err);
        for name in created {
            // An import fails also when the pool is there and something in it cannot be mounted.
            if !printed.succeeded() && !guard::imported(self.limit)?.contains(name) {
                continue;
            }
            self.pools.insert(name.to_owned());
            // A guest that dies leaves nothing, and needs no GUID to find it.
            if self.private {
                // With -n nothing was made, and there is no GUID.
                let get = ["get", "-H", "-o", "value", "guid", name].map(str::to_owned);
                let guid = child::run("zpool", &get, &[], self.limit)?;
                if guid.succeeded() {
                    let guid = String::from_utf8_lossy(&guid.out).trim().to_owned();
                    self.journal.note(&format!("pool {name} {guid}"))?;
                }
            }
        }
        Ok(printed)
    }

    fn call(&mut self, op: &FileOp) -> std::result::Result<Called, Unavailable> {
        match self.run_as_user(op) {
            Ok(result) => Ok(Called::Done(result)),
            Err(Problem::Unavailable(unavailable)) => Err(unavailable),
            Err(Problem::Errno(errno)) => {
                let number = errno.raw_os_error();
                let known = ztwin_model::outcome::Errno::ALL;
                match known.iter().find(|known| **known as i32 == number) {
                    Some(known) => Ok(Called::Failed(*known)),
                    None => Err(unavailable(format!(
                        "{op:?} failed with an unknown error: {errno}"
                    ))),
                }
            }
        }
    }

    fn tree_lines(
        &mut self,
        dataset: &str,
    ) -> std::result::Result<Option<Vec<String>>, Unavailable> {
        let root = match mounts::reach_alone(dataset)? {
            Ok(root) => root,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => {
                return Err(unavailable(format!("cannot look into {dataset}: {errno}")));
            }
        };
        let mut lines = Vec::new();
        let walked = walk(&root, "/", &mut |entry, file| {
            let digest = match &file {
                Some(file) => digest(file)?,
                None => String::new(),
            };
            lines.push((entry.path.clone(), print::entry(&entry, |_| digest)));
            Ok(())
        });
        match walked {
            Ok(()) => {}
            Err(Problem::Unavailable(unavailable)) => return Err(unavailable),
            // A filesystem that cannot be read is an outcome, as every other errno.
            Err(Problem::Errno(errno)) => return Ok(Some(vec![errno.to_string()])),
        }
        lines.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
        Ok(Some(lines.into_iter().map(|(_, line)| line).collect()))
    }

    fn pointers(
        &mut self,
        pool: &str,
    ) -> std::result::Result<std::result::Result<Vec<Holder>, &'static str>, Unavailable> {
        pointers::of_pool(pool, self.limit).map(Ok)
    }

    fn pools(&self) -> Vec<String> {
        let imported = guard::imported(self.limit).unwrap_or_default();
        self.pools.intersection(&imported).cloned().collect()
    }

    fn mounted(&self) -> std::result::Result<Vec<Mounted>, Unavailable> {
        let entries = mounts::list()?
            .into_iter()
            .filter(|entry| self.owns(&entry.dataset));
        Ok(entries
            .map(|entry| Mounted {
                dataset: entry.dataset,
                path: entry.path,
                read_only: entry.read_only,
            })
            .collect())
    }
}

impl Drop for KernelArm {
    fn drop(&mut self) {
        if let Err(error) = self.clean_up() {
            eprintln!("ztwin: {error}; the next run tries again");
        }
        for (path, before) in &self.parameters {
            // It was writable before; if it no longer is, there is nobody to tell.
            let _ = std::fs::write(path, before.trim());
        }
    }
}
