//! Runs a session where ZFS is, with the recorder in place of `zfs` and `zpool`.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Error, HOME, call, mounts};

/// The names of this program's hidden subcommands, which the files below call.
pub const CALL: &str = "capture-call";
/// Runs in the new mount namespace.
pub const INSIDE: &str = "capture-inside";
/// Where a session begins.
pub const SESSION: &str = "capture-session";

/// Runs `command` with its working directory at `work` and leaves the journal in [`HOME`]. Returns
/// the command's exit code.
///
/// The session runs in a mount namespace of its own: nobody else sees the recorder's programs, and
/// what it leaves mounted is gone with it.
pub fn run(work: &Path, command: &[String]) -> Result<u8, Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::Session(
            "only root can record a session: it mounts filesystems".into(),
        ));
    }
    let home = Path::new(HOME);
    if home.exists() {
        fs::remove_dir_all(home).map_err(Error::io(format!("emptying {HOME}")))?;
    }
    for directory in ["bin", "real", "blobs", "look"] {
        let path = home.join(directory);
        fs::create_dir_all(&path).map_err(Error::io(format!("making {}", path.display())))?;
    }
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--mount", "--propagation", "private", "--"])
        .args(myself()?)
        .arg(INSIDE);
    unshare.arg(work).arg("--").args(command);
    status("unshare", &mut unshare)
}

/// In the new namespace: puts the recorder in place, runs the command below `strace`.
pub fn inside(work: &Path, command: &[String]) -> Result<u8, Error> {
    let home = Path::new(HOME);
    for program in ["zfs", "zpool"] {
        let path = home.join("bin").join(program);
        script(&path, &format!("{CALL} {program}"))?;
        let copies = programs(program);
        let Some(first) = copies.first() else {
            return Err(Error::Session(format!(
                "there is no program `{program}` here"
            )));
        };
        let real = home.join("real").join(program);
        fs::write(&real, "").map_err(Error::io(format!("making {}", real.display())))?;
        bind(first, &real)?;
        for copy in &copies {
            bind(&path, copy)?;
        }
    }
    for word in ["story", "note", "end"] {
        script(&home.join("bin").join(word), &format!("{CALL} {word}"))?;
    }
    let mut path = home.join("bin").into_os_string();
    path.push(":");
    path.push(
        env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/sbin:/usr/bin:/sbin:/bin")),
    );
    let mut strace = Command::new("strace");
    strace
        .args(mounts::STRACE)
        .arg("--")
        .args(command)
        .current_dir(work);
    // Programs of util-linux would else use fsopen(2).
    strace
        .env("PATH", path)
        .env("LIBMOUNT_FORCE_MOUNT2", "always");
    strace.env("LC_ALL", "C").env("TZ", "UTC");
    let code = status("strace", &mut strace)?;
    call::end()?;
    call::spoilt().map_or(Ok(code), Err)
}

/// How to start this program: by its loader where an agent was brought with one.
fn myself() -> Result<Vec<OsString>, Error> {
    let agent = Path::new("/agent/ztwin");
    let loader = Path::new("/agent/loader");
    if agent.exists() && loader.exists() {
        return Ok([
            loader.as_os_str(),
            "--library-path".as_ref(),
            "/agent".as_ref(),
            agent.as_ref(),
        ]
        .map(OsString::from)
        .to_vec());
    }
    let exe = env::current_exe().map_err(Error::io("finding this program"))?;
    Ok(vec![exe.into_os_string()])
}

/// Writes a program that calls this one.
fn script(path: &Path, subcommand: &str) -> Result<(), Error> {
    let words: Vec<_> = myself()?
        .iter()
        .map(|w| w.to_string_lossy().into_owned())
        .collect();
    let text = format!("#!/bin/sh\nexec {} {subcommand} \"$@\"\n", words.join(" "));
    let what = || format!("writing {}", path.display());
    fs::write(path, text).map_err(Error::io(what()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(Error::io(what()))
}

/// Where a program is found: every file of that name in the places where drivers look for it.
fn programs(name: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let path = env::var("PATH").unwrap_or_default();
    for directory in path
        .split(':')
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"])
    {
        if let Ok(path) = Path::new(directory).join(name).canonicalize()
            && !found.contains(&path)
        {
            found.push(path);
        }
    }
    found
}

fn bind(from: &Path, to: &Path) -> Result<(), Error> {
    rustix::mount::mount_bind(from, to).map_err(Error::io(format!(
        "putting {} in place of {}",
        from.display(),
        to.display()
    )))
}

fn status(program: &str, command: &mut Command) -> Result<u8, Error> {
    let status = command
        .status()
        .map_err(Error::io(format!("running {program}")))?;
    Ok(status.code().map_or_else(
        || {
            128 + status
                .signal()
                .and_then(|n| u8::try_from(n).ok())
                .unwrap_or(0)
        },
        |code| u8::try_from(code).unwrap_or(u8::MAX),
    ))
}
