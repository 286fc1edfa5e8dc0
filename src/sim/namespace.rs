//! The programs over /sbin: for what calls `/sbin/zfs` by its path, in a mount namespace of COMMAND's own.
//!
//! A read-only overlay puts them in front of the directory that the host has there, whether it has such
//! programs or not. The host sees nothing of it.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{getegid, geteuid};
use rustix::thread::UnshareFlags;

use super::Error;
use super::home::PROGRAMS;

/// Where programs are called by their path.
const ALWAYS: [&str; 2] = ["/usr/sbin", "/sbin"];
/// Where a host may have them too.
const ELSEWHERE: [&str; 4] = ["/usr/local/sbin", "/usr/bin", "/bin", "/usr/local/bin"];

/// The `zfs` and `zpool` of the host.
#[must_use]
pub fn real_programs() -> Vec<PathBuf> {
    let directories = ALWAYS.into_iter().chain(ELSEWHERE);
    let paths = directories.flat_map(|at| PROGRAMS.map(|program| Path::new(at).join(program)));
    paths.filter(|path| path.exists()).collect()
}

/// Takes this process, which has no other thread yet, to a mount namespace where `programs` stand in front
/// of what the host has in /sbin and the like.
///
/// A user gets a user namespace too, in which he is himself. A failure may leave him there as nobody: try
/// it in another process first.
pub fn cover(programs: &Path) -> Result<(), Error> {
    let real = real_programs();
    let elsewhere = ELSEWHERE.map(Path::new).into_iter();
    let elsewhere = elsewhere.filter(|at| real.iter().any(|program| program.parent() == Some(at)));
    let all = ALWAYS.map(Path::new).into_iter().chain(elsewhere);
    // One may be a link to another.
    let directories: BTreeSet<PathBuf> = all.filter_map(|at| at.canonicalize().ok()).collect();
    enter().map_err(Error::of("get a mount namespace"))?;
    for directory in directories {
        let at = directory.display();
        let layers = [
            b"lowerdir=",
            programs.as_os_str().as_bytes(),
            b":",
            directory.as_os_str().as_bytes(),
        ];
        let layers = CString::new(layers.concat())
            .map_err(|error| Error::of(format!("mount over {at}"))(error.into()))?;
        mount(
            "overlay",
            &directory,
            "overlay",
            MountFlags::RDONLY,
            Some(&*layers),
        )
        .map_err(|errno| Error::of(format!("mount over {at}"))(errno.into()))?;
    }
    Ok(())
}

fn enter() -> io::Result<()> {
    let (user, group) = (geteuid(), getegid());
    match unshare(UnshareFlags::NEWNS) {
        // Root would lose all other users in a user namespace.
        Err(Errno::PERM) if !user.is_root() => {
            unshare(UnshareFlags::NEWNS | UnshareFlags::NEWUSER)?;
            fs::write("/proc/self/setgroups", "deny")?;
            let (user, group) = (user.as_raw(), group.as_raw());
            fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
            fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
        }
        other => other?,
    }
    // What the host mounts meanwhile is seen here, and nothing of this there.
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    Ok(mount_change("/", slave)?)
}

fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    // Safe: what makes `unshare` unsafe is a table of open files that threads no longer share.
    #[expect(
        deprecated,
        reason = "its replacement is an unsafe function, for flags not used here"
    )]
    rustix::thread::unshare(flags)
}
