//! The devices of volumes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{child, unavailable};
use crate::pools::Unavailable;

/// Tells the volume behind a device; udev asks it for the names of the links in `/dev/zvol`.
const ZVOL_ID: &str = "/lib/udev/zvol_id";

/// How long a device is waited for: it appears some time after its volume.
const PATIENCE: Duration = Duration::from_secs(2);

/// The device of a volume or of a snapshot of one; none when there is none for some time.
fn device(volume: &str, limit: Duration) -> Result<Option<PathBuf>, Unavailable> {
    let start = Instant::now();
    loop {
        // Where udev runs it makes a link.
        let link = Path::new("/dev/zvol").join(volume);
        if link.exists() {
            return Ok(Some(link));
        }
        for entry in std::fs::read_dir("/sys/block").into_iter().flatten() {
            let Ok(name) = entry.map(|entry| entry.file_name()) else {
                continue;
            };
            let Some(name) = name.to_str().filter(|name| name.starts_with("zd")) else {
                continue;
            };
            let device = Path::new("/dev").join(name);
            let path = device.to_string_lossy().into_owned();
            let told = child::run(ZVOL_ID, &[path], &[], limit)?;
            // It writes blanks as `+`.
            let is_it = String::from_utf8_lossy(&told.out).trim() == volume.replace(' ', "+");
            if told.succeeded() && is_it {
                return Ok(Some(device));
            }
        }
        if start.elapsed() > PATIENCE {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Opens the device of a volume: alone, so that closing it is the last close.
pub(super) fn open(
    volume: &str,
    flags: OFlags,
    limit: Duration,
) -> Result<Result<File, Errno>, Unavailable> {
    let Some(device) = device(volume, limit)? else {
        return Ok(Err(Errno::NOENT));
    };
    let flags = flags | OFlags::EXCL | OFlags::CLOEXEC;
    let flags = if flags.contains(OFlags::WRONLY) {
        flags | OFlags::DIRECT
    } else {
        flags
    };
    let opened = rustix::fs::open(device, flags, Mode::empty());
    Ok(opened.map(File::from))
}

/// Discards a part of the device of a volume.
pub(super) fn discard(
    volume: &str,
    offset: u64,
    len: u64,
    limit: Duration,
) -> Result<Result<(), Errno>, Unavailable> {
    let Some(device) = device(volume, limit)? else {
        return Ok(Err(Errno::NOENT));
    };
    let arguments = ["-o", &offset.to_string(), "-l", &len.to_string()].map(str::to_owned);
    let device = device.to_string_lossy().into_owned();
    let arguments: Vec<_> = arguments.into_iter().chain([device]).collect();
    let printed = child::run("blkdiscard", &arguments, &[], limit)?;
    if printed.succeeded() {
        return Ok(Ok(()));
    }
    let told = String::from_utf8_lossy(&printed.err);
    let known = [
        ("Invalid argument", Errno::INVAL),
        ("not aligned", Errno::INVAL),
        ("greater than device size", Errno::INVAL),
        ("Read-only file system", Errno::ROFS),
        ("Input/output error", Errno::IO),
        ("No space left on device", Errno::NOSPC),
    ];
    match known.iter().find(|(text, _)| told.contains(text)) {
        Some(&(_, errno)) => Ok(Err(errno)),
        None => Err(unavailable(format!("blkdiscard failed: {told}"))),
    }
}
