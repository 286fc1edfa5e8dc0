//! The record of a session: one JSON line an event, and the contents of files beside it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Error;

/// Microseconds since 1970, as `strace -ttt` prints them.
pub type Micros = u64;

/// The trees that changed, by dataset.
pub type Trees = BTreeMap<String, Vec<Entry>>;

/// One event of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A trace begins.
    Story {
        /// When.
        at: Micros,
        /// Its file's name, without the ending.
        name: String,
        /// The first sentences of its prose.
        text: String,
        /// What the outcomes come from.
        place: Place,
    },
    /// The session says something.
    Note {
        /// When.
        at: Micros,
        /// What.
        text: String,
        /// What the session has changed since the last event.
        before: Trees,
    },
    /// A call of `zfs` or `zpool`.
    Call(Call),
    /// The trace ends: what follows is not recorded.
    End {
        /// When.
        at: Micros,
        /// What the session has changed since the last event.
        before: Trees,
    },
}

/// What outcomes come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The version of the `zfs` program, such as `2.3.9`.
    pub openzfs: String,
    /// The kernel's version, such as `6.12`.
    pub linux: String,
    /// The distribution's name, such as `trixie`.
    pub system: String,
    /// The day (UTC), as `2026-11-21`.
    pub date: String,
}

/// A call of `zfs` or `zpool`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// When the real program was started.
    pub started: Micros,
    /// When it had ended.
    pub ended: Micros,
    /// Its process.
    pub pid: u32,
    /// `zfs` or `zpool`, and its arguments.
    pub words: Vec<String>,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: Vec<u8>,
    /// The exit code, or 128 and the signal's number.
    pub code: u8,
    /// Words of it that are files, with their sizes in bytes: vdevs.
    pub files: BTreeMap<String, u64>,
    /// What the session has changed since the last event.
    pub before: Trees,
    /// Trees that this call itself made or changed.
    pub after: Trees,
}

/// A file, directory or symbolic link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path from the dataset's root, which is `/`.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, 12.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
    /// The object's number.
    pub object: u64,
    /// When the object was made, in nanoseconds: with `object` it tells who is who.
    pub born: i64,
    /// When it was last changed in any way, in nanoseconds.
    pub changed: i64,
    /// When its content was last changed, in nanoseconds.
    #[serde(default)]
    pub written: i64,
}

/// What an [`Entry`] is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A regular file, with the BLAKE3 hash of its content in hex: a file of `blobs/`.
    File(String),
    /// A directory.
    Directory,
    /// A symbolic link, with its target.
    Link(String),
    /// Something that traces cannot say: a device, a socket, a FIFO.
    Other,
}

/// Appends an event to the journal in `home`.
pub fn append(home: &Path, record: &Record) -> Result<(), Error> {
    let path = home.join("journal");
    let what = || format!("writing {}", path.display());
    let mut line = serde_json::to_vec(record).map_err(Error::io(what()))?;
    line.push(b'\n');
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(Error::io(what()))?;
    file.write_all(&line).map_err(Error::io(what()))
}

/// Reads the journal in `home`. A session that recorded nothing has none.
pub fn read(home: &Path) -> Result<Vec<Record>, Error> {
    let path = home.join("journal");
    let what = || format!("reading {}", path.display());
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(what())(e)),
    };
    BufReader::new(file)
        .lines()
        .map(|line| {
            let line = line.map_err(Error::io(what()))?;
            serde_json::from_str(&line).map_err(Error::io(what()))
        })
        .collect()
}

/// The content with this hash.
pub fn blob(home: &Path, hash: &str) -> Result<Vec<u8>, Error> {
    let path = home.join("blobs").join(hash);
    fs::read(&path).map_err(Error::io(format!("reading {}", path.display())))
}
