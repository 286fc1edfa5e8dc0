//! Looking at datasets: which are mounted, and every file in them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, StatxFlags};
use rustix::mount::{MountFlags, UnmountFlags};

use super::journal::{Entry, Kind};
use super::{Error, HOME};

/// The roots of mounted ZFS filesystems: dataset to the places where it is mounted, oldest first.
/// Snapshots and the recorder's own mounts are left out.
pub fn mounted() -> Result<BTreeMap<String, Vec<String>>, Error> {
    let path = "/proc/self/mountinfo";
    let text = fs::read_to_string(path).map_err(Error::io(format!("reading {path}")))?;
    Ok(read_mountinfo(&text))
}

fn read_mountinfo(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut mounted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        // proc_pid_mountinfo(5): ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELDS]... - TYPE SOURCE ...
        let Some((left, right)) = line.split_once(" - ") else {
            continue;
        };
        let (mut left, mut right) = (left.split(' ').skip(3), right.split(' '));
        let (Some("/"), Some(point)) = (left.next(), left.next()) else {
            continue;
        };
        let (Some("zfs"), Some(source)) = (right.next(), right.next()) else {
            continue;
        };
        let (source, point) = (unescape(source), unescape(point));
        if !source.contains('@') && !point.starts_with(HOME) {
            mounted.entry(source).or_default().push(point);
        }
    }
    mounted
}

/// The kind of a filesystem of ZFS, as `statfs(2)` tells it.
const ZFS: rustix::fs::FsWord = 0x2fc1_2fc1;

/// Octal escapes of blanks and backslashes, as the kernel writes them.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest
            .get(at + 1..at + 4)
            .and_then(|d| u8::from_str_radix(d, 8).ok());
        if let Some(code) = code {
            out.push(char::from(code));
            rest = &rest[at + 4..];
        } else {
            out.push('\\');
            rest = &rest[at + 1..];
        }
    }
    out + rest
}

/// Everything in `dataset`, sorted by path; `None` when there is no such dataset any more.
///
/// It is seen through a mount that only lasts for the moment: a bind mount of `point` where the dataset
/// is mounted (so that what child mounts cover is seen), else a mount of its own.
/// `known` spares reading files that have not changed since; contents go into `home/blobs`.
pub fn tree(
    home: &Path,
    dataset: &str,
    point: Option<&str>,
    known: &[Entry],
) -> Result<Option<Vec<Entry>>, Error> {
    let here = home.join("look");
    fs::create_dir_all(&here).map_err(Error::io(format!("making {}", here.display())))?;
    let what = || format!("mounting {dataset} for a moment");
    let mut bound = false;
    if let Some(point) = point {
        rustix::mount::mount_bind(point, &here).map_err(Error::io(what()))?;
        let kind = rustix::fs::statfs(&here).map_err(Error::io(what()))?.f_type;
        bound = kind == ZFS;
        if !bound {
            // Somebody has unmounted it since.
            rustix::mount::unmount(&here, UnmountFlags::empty()).map_err(Error::io(what()))?;
        }
    }
    if !bound {
        let mount = |flags| rustix::mount::mount(dataset, &here, "zfs", flags, None);
        let flags = MountFlags::NOATIME;
        // Writable, as drivers mount: one that mounts it meanwhile would be refused beside a read-only one.
        match mount(flags) {
            // It is mounted read-only in a namespace that this one does not see.
            Err(rustix::io::Errno::BUSY) => {
                mount(flags | MountFlags::RDONLY).map_err(Error::io(what()))?;
            }
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            done => done.map_err(Error::io(what()))?,
        }
    }
    let entries = walk(home, &here, known);
    rustix::mount::unmount(&here, UnmountFlags::empty()).map_err(Error::io(format!(
        "unmounting {dataset} from {}",
        here.display()
    )))?;
    entries.map(Some)
}

fn walk(home: &Path, root: &Path, known: &[Entry]) -> Result<Vec<Entry>, Error> {
    let known: BTreeMap<_, _> = known
        .iter()
        .map(|e| ((e.object, e.born, e.changed), e))
        .collect();
    let mut entries = Vec::new();
    let mut left = vec![PathBuf::new()];
    while let Some(relative) = left.pop() {
        let path = root.join(&relative);
        let what = || format!("looking at {}", path.display());
        let meta = fs::symlink_metadata(&path).map_err(Error::io(what()))?;
        let born = rustix::fs::statx(
            rustix::fs::CWD,
            &path,
            AtFlags::SYMLINK_NOFOLLOW,
            StatxFlags::BTIME,
        )
        .map_err(Error::io(what()))?
        .stx_btime;
        let (object, born) = (
            meta.ino(),
            born.tv_sec * 1_000_000_000 + i64::from(born.tv_nsec),
        );
        let changed = meta.ctime() * 1_000_000_000 + meta.ctime_nsec();
        let written = meta.mtime() * 1_000_000_000 + meta.mtime_nsec();
        let name = relative.to_str().ok_or_else(|| {
            Error::Session(format!(
                "{}: its name is not UTF-8, which no trace can say",
                path.display()
            ))
        })?;
        let kind = if meta.is_dir() {
            for entry in fs::read_dir(&path).map_err(Error::io(what()))? {
                left.push(relative.join(entry.map_err(Error::io(what()))?.file_name()));
            }
            Kind::Directory
        } else if meta.is_file() {
            match known.get(&(object, born, changed)) {
                Some(Entry {
                    kind: Kind::File(hash),
                    size,
                    ..
                }) if *size == meta.len() => Kind::File(hash.clone()),
                _ => Kind::File(keep(home, &path)?),
            }
        } else if meta.is_symlink() {
            let target = fs::read_link(&path).map_err(Error::io(what()))?;
            Kind::Link(target.into_os_string().into_string().map_err(|_| {
                Error::Session(format!("{}: its target is not UTF-8", path.display()))
            })?)
        } else {
            Kind::Other
        };
        entries.push(Entry {
            path: format!("/{name}"),
            kind,
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            gid: meta.gid(),
            size: meta.len(),
            object,
            born,
            changed,
            written,
        });
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// Puts a file's content into `home/blobs` and returns its hash.
fn keep(home: &Path, path: &Path) -> Result<String, Error> {
    let bytes = fs::read(path).map_err(Error::io(format!("reading {}", path.display())))?;
    let hash = blake3::hash(&bytes).to_hex().to_string();
    let blob = home.join("blobs").join(&hash);
    if !blob.exists() {
        fs::write(&blob, bytes).map_err(Error::io(format!("writing {}", blob.display())))?;
    }
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_yields_the_roots_of_zfs_filesystems_only() {
        let text = "\
22 1 0:19 / / rw - overlay overlay rw
40 22 0:41 / /tank rw,noatime shared:1 - zfs tank rw,xattr
41 22 0:42 / /var/with\\040blank rw - zfs tank/a rw
42 22 0:42 /sub /mnt rw - zfs tank/a rw
43 22 0:43 / /snap ro - zfs tank/a@s ro
44 22 0:42 / /run/ztwin-capture/look rw - zfs tank/a rw
45 22 0:42 / /again rw master:2 - zfs tank/a rw
";
        let expected = BTreeMap::from([
            ("tank".to_owned(), vec!["/tank".to_owned()]),
            (
                "tank/a".to_owned(),
                vec!["/var/with blank".to_owned(), "/again".to_owned()],
            ),
        ]);
        assert_eq!(read_mountinfo(text), expected);
    }
}
