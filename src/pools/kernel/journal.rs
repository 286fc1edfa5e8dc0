//! What a run made, on disk before it is made, so that a later run can remove it after a crash.
//!
//! One file a run, locked while it lives. A line is `vdev PATH`, `loop DEVICE`, `place PATH`,
//! `pool NAME` or `pool NAME GUID`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::{child, mounts, unavailable};
use crate::pools::Unavailable;

/// The journal of this run.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Unavailable {
    unavailable(format!("cannot {what} {}: {error}", path.display()))
}

impl Journal {
    /// A new one in `directory`.
    pub fn create(directory: &Path) -> Result<Self, Unavailable> {
        fs::create_dir_all(directory).map_err(|error| failed("make", directory, &error))?;
        for number in 0..u32::MAX {
            let path = directory.join(format!("run-{}-{number}", std::process::id()));
            match File::options().create_new(true).append(true).open(&path) {
                Ok(file) => {
                    flock(&file, FlockOperation::NonBlockingLockExclusive)
                        .map_err(|errno| failed("lock", &path, &errno.into()))?;
                    return Ok(Journal { path, file });
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed("make", &path, &error)),
            }
        }
        Err(unavailable(format!(
            "{} is full of journals",
            directory.display()
        )))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a line, to disk.
    pub fn note(&mut self, line: &str) -> Result<(), Unavailable> {
        writeln!(self.file, "{line}")
            .and_then(|()| self.file.sync_data())
            .map_err(|error| failed("write", &self.path, &error))
    }

    /// Everything was removed.
    pub fn done(&self) {
        // Left behind, it says that nothing is left: a later run removes it.
        let _ = fs::remove_file(&self.path);
    }
}

/// What one journal says was made.
#[derive(Debug, Default, PartialEq, Eq)]
struct Made {
    vdevs: Vec<String>,
    loops: Vec<String>,
    /// Where ZFS may have made directories; nothing was there before.
    places: Vec<String>,
    /// Pools with their GUID, where that was noted.
    pools: Vec<(String, Option<String>)>,
}

fn parse(text: &str) -> Made {
    let mut made = Made::default();
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("vdev", path)) => made.vdevs.push(path.to_owned()),
            Some(("loop", device)) => made.loops.push(device.to_owned()),
            Some(("place", path)) => made.places.push(path.to_owned()),
            Some(("pool", rest)) => {
                let (name, guid) = match rest.split_once(' ') {
                    Some((name, guid)) => (name, Some(guid.to_owned())),
                    None => (rest, None),
                };
                made.pools.retain(|(known, _)| known != name);
                made.pools.push((name.to_owned(), guid));
            }
            _ => {}
        }
    }
    made
}

/// Removes what runs that no longer live have left.
pub(super) fn remove_leftovers(directory: &Path, limit: Duration) -> Result<(), Unavailable> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Ok(());
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let is_journal = name.starts_with("run-") && path.is_file();
        let Ok(mut file) = File::open(&path) else {
            continue;
        };
        if !is_journal || flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        let mut text = String::new();
        file.read_to_string(&mut text)
            .map_err(|error| failed("read", &path, &error))?;
        let made = parse(&text);
        for (name, guid) in &made.pools {
            if is_ours(name, guid.as_deref(), &made, limit)? {
                destroy(name, limit)?;
            }
        }
        for device in &made.loops {
            // The loop device may be gone, or another's by now: only a file of ours is detached.
            let backing = fs::read_to_string(format!(
                "/sys/block/{}/loop/backing_file",
                device.trim_start_matches("/dev/")
            ));
            if backing.is_ok_and(|file| made.vdevs.iter().any(|vdev| vdev == file.trim())) {
                child::must("losetup", &["-d", device], limit)?;
            }
        }
        for vdev in &made.vdevs {
            // It was noted before it was made.
            let _ = fs::remove_file(vdev);
        }
        for place in &made.places {
            mounts::remove_empty(Path::new(place));
        }
        // The directories that vdevs of this run had; nothing else is in there.
        let _ = fs::remove_dir_all(path.with_file_name(format!("{name}.d")));
        fs::remove_file(&path).map_err(|error| failed("remove", &path, &error))?;
    }
    Ok(())
}

/// Destroys a pool. It may be busy for a moment: a program that the run had started may still run, and with
/// it live the run's mounts; and the kernel takes its time to let a snapshot below `.zfs` go.
pub(super) fn destroy(name: &str, limit: Duration) -> Result<(), Unavailable> {
    let deadline = Instant::now() + limit.min(Duration::from_secs(20));
    loop {
        match child::must("zpool", &["destroy", "-f", name], limit) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

/// Whether an imported pool is the one that the journal speaks of: by GUID, or, when the run ended
/// before it was noted, because it lives in nothing but the run's own vdevs.
fn is_ours(
    name: &str,
    guid: Option<&str>,
    made: &Made,
    limit: Duration,
) -> Result<bool, Unavailable> {
    if !super::guard::imported(limit)?.contains(name) {
        return Ok(false);
    }
    if let Some(guid) = guid {
        let now = child::must("zpool", &["get", "-H", "-o", "value", "guid", name], limit)?;
        return Ok(now.trim() == guid);
    }
    let listed = child::must("zpool", &["list", "-v", "-H", "-P", name], limit)?;
    let mut devices = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| word.starts_with('/'))
        .peekable();
    let any = devices.peek().is_some();
    Ok(any
        && devices.all(|device| {
            made.vdevs
                .iter()
                .chain(&made.loops)
                .any(|known| known == device)
        }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_tells_what_was_made() {
        let made = parse(
            "vdev /v/a\npool tank\npool tank 123\nplace /tank\nloop /dev/loop3\npool other\n",
        );
        assert_eq!(
            made,
            Made {
                vdevs: vec!["/v/a".into()],
                loops: vec!["/dev/loop3".into()],
                places: vec!["/tank".into()],
                pools: vec![("tank".into(), Some("123".into())), ("other".into(), None)],
            }
        );
    }

    #[test]
    fn a_live_journal_is_left_alone_and_a_dead_one_is_worked_off() {
        let directory = tempfile::tempdir().unwrap();
        let vdev = directory.path().join("vdev");
        fs::write(&vdev, "x").unwrap();
        let mut journal = Journal::create(directory.path()).unwrap();
        journal.note(&format!("vdev {}", vdev.display())).unwrap();
        remove_leftovers(directory.path(), Duration::from_secs(5)).unwrap();
        assert!(vdev.exists());
        drop(journal);
        remove_leftovers(directory.path(), Duration::from_secs(5)).unwrap();
        assert!(!vdev.exists());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
