//! The kernel's mount table, and ways to reach a dataset.

use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, OpenTreeFlags,
    UnmountFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount,
    mount_change, open_tree, unmount,
};

use super::unavailable;
use crate::pools::Unavailable;

/// A mounted dataset, as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The number of the mount.
    pub id: u64,
    /// The dataset.
    pub dataset: String,
    /// Where.
    pub path: String,
    /// The mount or its superblock is read-only.
    pub read_only: bool,
}

/// Takes the octal escapes of the kernel's mount lists back.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let octal = tail
            .get(..3)
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        if let (b'\\', Some(byte)) = (first, octal) {
            bytes.push(byte);
            rest = &tail[3..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The ZFS mounts in the text of a `mountinfo`, in its order.
fn parse(text: &str) -> Vec<Entry> {
    let entry = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let before: Vec<&str> = before.split(' ').collect();
        let [kind, source, superblock] = after.split(' ').collect::<Vec<_>>()[..] else {
            return None;
        };
        let [id, _, _, root, path, options, ..] = before[..] else {
            return None;
        };
        // A part of a file system mounted elsewhere is a bind mount.
        if kind != "zfs" || root != "/" {
            return None;
        }
        let is_ro = |options: &str| options.split(',').any(|option| option == "ro");
        Some(Entry {
            id: id.parse().ok()?,
            dataset: unescape(source),
            path: unescape(path),
            read_only: is_ro(options) || is_ro(superblock),
        })
    };
    text.lines().filter_map(entry).collect()
}

/// The ZFS mounts that this thread sees, oldest first as far as the kernel tells.
pub(super) fn list() -> Result<Vec<Entry>, Unavailable> {
    std::fs::read_to_string("/proc/thread-self/mountinfo")
        .map(|text| parse(&text))
        .map_err(|error| unavailable(format!("cannot read the mount table: {error}")))
}

/// The root of a mounted dataset, unless another mount hides it.
fn root_of(entry: &Entry) -> Result<Option<OwnedFd>, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = match rustix::fs::open(&entry.path, flags, Mode::empty()) {
        Ok(root) => root,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let told = rustix::fs::statx(&root, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    Ok((told.stx_mnt_id == entry.id).then_some(root))
}

/// Mounts a dataset where nobody else sees it; it is unmounted when the last file of it is closed.
pub(super) fn mount_unseen(dataset: &str, read_only: bool) -> Result<OwnedFd, Errno> {
    let context = fsopen("zfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", dataset)?;
    if read_only {
        fsconfig_set_flag(&context, "ro")?;
    }
    fsconfig_create(&context)?;
    let attributes = if read_only {
        MountAttrFlags::MOUNT_ATTR_RDONLY
    } else {
        MountAttrFlags::empty()
    };
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// The root of a dataset through its oldest mount; a snapshot is mounted for the moment when it is not.
pub(super) fn reach(dataset: &str) -> Result<Result<OwnedFd, Errno>, Unavailable> {
    let mounts = list()?;
    Ok(match mounts.iter().find(|entry| entry.dataset == dataset) {
        Some(entry) => match root_of(entry) {
            Ok(Some(root)) => Ok(root),
            Ok(None) => mount_unseen(dataset, entry.read_only),
            Err(errno) => Err(errno),
        },
        None if dataset.contains('@') => mount_unseen(dataset, true),
        None => Err(Errno::NOENT),
    })
}

/// The root of a dataset, mounted or not, without what is mounted below it.
pub(super) fn reach_alone(dataset: &str) -> Result<Result<OwnedFd, Errno>, Unavailable> {
    let mounts = list()?;
    let found = mounts.iter().find(|entry| entry.dataset == dataset);
    Ok(match found.map(root_of) {
        Some(Ok(Some(root))) => alone(&root),
        Some(Err(errno)) => Err(errno),
        // Its superblock may be in use, through a hidden mount or by files that are still open: then
        // the new mount must agree with it whether it is read-only.
        Some(Ok(None)) | None => mount_unseen(dataset, true).or_else(|errno| match errno {
            Errno::BUSY => mount_unseen(dataset, false),
            other => Err(other),
        }),
    })
}

/// The same mount without what is mounted below it.
pub(super) fn alone(root: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    match open_tree(root, "", flags) {
        // A mount that nobody else sees cannot be copied, and has nothing below it.
        Err(Errno::INVAL) => root.try_clone().map_err(|_| Errno::MFILE),
        other => other,
    }
}

/// `mount(2)`.
pub(super) fn mount_at(dataset: &str, path: &str, read_only: bool) -> Result<(), Errno> {
    let flags = if read_only {
        MountFlags::RDONLY
    } else {
        MountFlags::empty()
    };
    mount(dataset, path, "zfs", flags, None)
}

/// `umount2(2)`.
pub(super) fn unmount_at(path: &str, flags: UnmountFlags) -> Result<(), Errno> {
    unmount(path, flags | UnmountFlags::NOFOLLOW)
}

/// Goes to a mount namespace of its own: what is mounted there is gone with it, also after a crash.
pub(super) fn enter_private_namespace() -> Result<(), Unavailable> {
    let failed = |what: &str, errno: Errno| {
        unavailable(format!(
            "cannot {what}: {errno}; run it as root, or use a guest"
        ))
    };
    // Safe: what makes `unshare` unsafe is a table of open files that threads no longer share.
    #[expect(
        deprecated,
        reason = "its replacement is an unsafe function, for flags not used here"
    )]
    rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNS)
        .map_err(|errno| failed("get a mount namespace", errno))?;
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .map_err(|errno| failed("make mounts private", errno))
}

/// Whether there is a directory at a path, or something else.
pub(super) fn is_directory(path: &str) -> Option<bool> {
    let flags = AtFlags::empty();
    let told = rustix::fs::statx(CWD, path, flags, StatxFlags::TYPE).ok()?;
    Some(
        rustix::fs::FileType::from_raw_mode(told.stx_mode.into())
            == rustix::fs::FileType::Directory,
    )
}

/// The topmost directory of an absolute path that is not there; none when all are, or the path climbs.
pub(super) fn first_missing(path: &str) -> Option<String> {
    let climbs = |name: &str| matches!(name, "." | "..");
    if !path.starts_with('/') || path.split('/').any(climbs) {
        return None;
    }
    let mut reached = String::new();
    for name in path.split('/').filter(|name| !name.is_empty()) {
        reached.push('/');
        reached.push_str(name);
        if std::fs::symlink_metadata(&reached).is_err() {
            return Some(reached);
        }
    }
    None
}

/// Removes a directory and those in it, as far as they hold nothing but directories.
pub(super) fn remove_empty(path: &Path) {
    let device = |path: &Path| {
        let told = std::fs::symlink_metadata(path).ok()?;
        told.is_dir().then(|| told.dev())
    };
    let (Some(own), Ok(entries)) = (device(path), std::fs::read_dir(path)) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        // What somebody mounted there is not looked into.
        if device(&entry.path()) == Some(own) {
            remove_empty(&entry.path());
        }
    }
    // One that holds something else stays, and so does what something is mounted on.
    let _ = std::fs::remove_dir(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_without_files_are_removed() {
        let top = tempfile::tempdir().unwrap();
        let path = |name: &str| top.path().join(name);
        let named = |name: &str| path(name).display().to_string();
        assert_eq!(first_missing(&named("a/b/c")), Some(named("a")));
        std::fs::create_dir_all(path("a/b/c")).unwrap();
        std::fs::create_dir_all(path("a/kept")).unwrap();
        std::fs::write(path("a/kept/file"), "x").unwrap();
        assert_eq!(first_missing(&named("a/b/c")), None);
        assert_eq!(first_missing(&named("a/../nope")), None);
        assert_eq!(first_missing("relative"), None);
        remove_empty(&path("a"));
        assert!(!path("a/b").exists());
        assert!(path("a/kept/file").exists());
    }

    #[test]
    fn zfs_mounts_are_picked_out_of_the_kernels_list() {
        let text = "\
21 1 0:19 / /proc rw,relatime - proc proc rw
38 37 0:34 / /tank/a\\040b rw,relatime shared:5 - zfs tank/a\\040b rw,xattr,noacl,casesensitive
39 37 0:34 /sub /mnt rw,relatime - zfs tank/a rw
40 33 0:35 / /s rw,relatime - zfs tank/a@s ro,xattr
";
        let entries = parse(text);
        let told: Vec<_> = entries
            .iter()
            .map(|it| (it.id, it.dataset.as_str(), it.path.as_str(), it.read_only))
            .collect();
        assert_eq!(
            told,
            [
                (38, "tank/a b", "/tank/a b", false),
                (40, "tank/a@s", "/s", true)
            ]
        );
    }
}
