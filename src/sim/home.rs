//! The private directory of one `ztwin sim`: its socket, and the programs that COMMAND finds on its PATH.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::Error;

/// The programs that are simulated.
pub const PROGRAMS: [&str; 2] = ["zfs", "zpool"];
/// The socket's name in the directory.
pub(super) const SOCKET: &str = "socket";
/// The variable that names the directory to COMMAND.
pub const VARIABLE: &str = "ZTWIN_SIM";

/// Held for as long as the directory is in use.
const LOCK: &str = "lock";
const PREFIX: &str = "ztwin-sim-";
/// The longest path of a socket that Linux takes is 107 bytes.
const LONGEST: usize = 107;

/// The directory; removed when it is dropped.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    /// Keeps the lock.
    _lock: File,
}

impl Home {
    /// A new directory, private to this user, below the system's directory for temporary files. What
    /// killed runs left there is removed.
    pub fn new() -> Result<Self, Error> {
        let parent = std::env::temp_dir();
        let parent = std::path::absolute(&parent).unwrap_or(parent);
        sweep(&parent);
        let wrong = |error| {
            let what = format!("make a directory in {}", parent.display());
            Error(format!(
                "{}; TMPDIR names another place",
                Error::of(what)(error)
            ))
        };
        let mut number = 0;
        let path = loop {
            let path = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => break path,
                Err(error) if error.kind() == ErrorKind::AlreadyExists && number < 1000 => {
                    number += 1;
                }
                Err(error) => return Err(wrong(error)),
            }
        };
        match furnish(&path) {
            Ok(lock) => Ok(Home { path, _lock: lock }),
            Err(error) => {
                // The error that matters is the one in hand.
                let _ = fs::remove_dir_all(&path);
                Err(error)
            }
        }
    }

    /// Where the directory is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the socket is.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path.join(SOCKET)
    }

    /// The directory with `zfs` and `zpool`.
    #[must_use]
    pub fn programs(&self) -> PathBuf {
        self.path.join("bin")
    }

    /// The directory that goes over /sbin: links to the programs, which know by their own place where the
    /// socket is.
    #[must_use]
    pub fn links(&self) -> PathBuf {
        self.path.join("sbin")
    }

    /// PATH with the programs in front.
    pub fn search_path(&self) -> Result<OsString, Error> {
        let old = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(self.programs()).chain(std::env::split_paths(&old));
        std::env::join_paths(all).map_err(|error| {
            let at = self.path.display();
            Error(format!(
                "{at} cannot stand in PATH: {error}; TMPDIR names another place"
            ))
        })
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // The next run removes what cannot be removed now.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Fills a new directory; the lock.
fn furnish(path: &Path) -> Result<File, Error> {
    let failed = |what: &str| Error::of(format!("{what} in {}", path.display()));
    let length = path.join(SOCKET).as_os_str().len();
    if length > LONGEST {
        let at = path.display();
        return Err(Error(format!(
            "{at}: the path is too long for a socket; TMPDIR names a shorter one"
        )));
    }
    let mounted = rustix::fs::statvfs(path).map_err(|error| failed("look")(error.into()))?;
    if mounted
        .f_flag
        .contains(rustix::fs::StatVfsMountFlags::NOEXEC)
    {
        let at = path.display();
        return Err(Error(format!(
            "no program can be started from {at} (it is mounted noexec); TMPDIR names another place"
        )));
    }
    // Locked before it has its name: another run does not take it for a left one.
    let new = path.join("lock.new");
    let lock = File::create_new(&new).map_err(failed("make the lock"))?;
    lock.try_lock()
        .map_err(|error| failed("lock")(error.into()))?;
    fs::rename(new, path.join(LOCK)).map_err(failed("name the lock"))?;
    let (programs, links) = (path.join("bin"), path.join("sbin"));
    for directory in [&programs, &links] {
        fs::create_dir(directory).map_err(failed("make a directory"))?;
    }
    for program in PROGRAMS {
        let at = programs.join(program);
        put(&at).map_err(failed(program))?;
        symlink(&at, links.join(program)).map_err(failed(program))?;
    }
    Ok(lock)
}

/// Puts this program at `to`: a link, or a copy on another filesystem.
fn put(to: &Path) -> std::io::Result<()> {
    let this = std::env::current_exe()?;
    if fs::hard_link(&this, to).is_ok() {
        return Ok(());
    }
    // Also when its file was replaced meanwhile.
    fs::copy("/proc/self/exe", to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))
}

/// Removes the directories of runs that were killed: ours, with a lock that nobody holds.
fn sweep(parent: &Path) {
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let path = entry.path();
        let ours = fs::symlink_metadata(&path).is_ok_and(|it| it.is_dir() && it.uid() == user);
        let lock = ours.then(|| File::open(path.join(LOCK)).ok()).flatten();
        if lock.is_some_and(|lock| lock.try_lock().is_ok()) {
            // Another run may be faster.
            let _ = fs::remove_dir_all(&path);
        }
    }
}
