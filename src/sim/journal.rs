//! The state file: every call that changed the machine, in order.
//!
//! A line says what it is, then each record is a line of its own:
//!
//! ```text
//! ztwin sim state 2, OpenZFS 2.3, model 0.1.0, b1946ac92492d234
//! 0000006b 8f14e45f 5d41402abc4b2a76b9719d911017c592 {"now":3,"call":{"words":["zfs","create","tank/a"]},...}
//! ```
//!
//! The length of the JSON, a sum over that length and the place in the file, a sum over the JSON and the
//! sum of the record before. So a record that a crash tore off is told from one that was damaged: its
//! head is short, or right and longer than the file. Nobody was told that a torn one is done, so it is
//! cut off; anything else that is wrong is refused.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use ztwin_model::Release;

use super::{Call, Error};
use crate::pools::Printed;

/// The format of the file.
const FORMAT: &str = "ztwin sim state 2";
/// What the file starts with, whatever its format.
const MAGIC: &str = "ztwin sim state ";
/// The bytes of a record in front of its JSON.
const HEAD: usize = 8 + 1 + 8 + 1 + 32 + 1;

/// A call that changed the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// What the machine's clock showed.
    pub now: u64,
    /// The call.
    pub call: Call,
    /// Whether it printed an estimate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// What failed although it could have succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// What was printed and how it ended, as a sum.
    pub outcome: String,
}

/// An open state file; locked for as long as it is.
#[derive(Debug)]
pub(super) struct Journal {
    disk: Arc<Disk>,
    /// The sum of the last record.
    last: String,
}

/// The file, and how much of it is safely on disk.
#[derive(Debug)]
struct Disk {
    path: PathBuf,
    file: File,
    /// Where the next record goes.
    end: AtomicU64,
    /// What is before this is on disk.
    synced: Mutex<u64>,
    /// Something could not be written, and nobody knows what is on disk.
    failed: AtomicBool,
}

/// What must be on disk before a call is answered.
#[derive(Debug)]
pub(super) struct Pending {
    disk: Arc<Disk>,
    until: u64,
}

/// What a state file holds.
#[derive(Debug)]
struct Content {
    release: Release,
    model: String,
    entries: Vec<Entry>,
    /// Where each entry begins.
    offsets: Vec<u64>,
    end: u64,
    last: String,
}

/// What is wrong with a state file, and where.
#[derive(Debug, PartialEq, Eq)]
struct Damage {
    offset: u64,
    what: &'static str,
}

/// A state file as it was found: its journal, and what happened on the machine before.
#[derive(Debug)]
pub(super) struct Found {
    pub journal: Journal,
    pub release: Release,
    /// The version of the model that began the file.
    pub model: String,
    pub entries: Vec<Entry>,
    /// Where each entry begins, in bytes.
    pub offsets: Vec<u64>,
}

impl Journal {
    /// Opens a state file, or makes a new one for `release`.
    pub fn open(path: &Path, release: Option<Release>) -> Result<Found, Error> {
        let shown = path.display();
        let failed = |what: &str| Error::of(format!("{what} the state file {shown}"));
        if fs::metadata(path).is_ok_and(|it| !it.is_file()) {
            return Err(Error(format!(
                "{shown} is no regular file; name another for --state"
            )));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error(format!("{shown} is in use by another 'ztwin sim'")));
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock")(error)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed("read"))?;
        // One whose first line was torn off holds nothing.
        let new = Release::ALL.into_iter().any(|line| {
            let head = header(line);
            bytes.len() < head.len() && head.as_bytes().starts_with(&bytes)
        });
        if new {
            let head = header(release.unwrap_or_default());
            file.set_len(0).map_err(failed("write"))?;
            file.rewind().map_err(failed("write"))?;
            file.write_all(head.as_bytes()).map_err(failed("write"))?;
            file.sync_all().map_err(failed("write"))?;
            // Its name too.
            let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
            let directory = File::open(directory.unwrap_or(Path::new(".")));
            directory
                .and_then(|it| it.sync_all())
                .map_err(failed("write"))?;
            bytes = head.into_bytes();
        }
        if !bytes.starts_with(MAGIC.as_bytes()) {
            return Err(Error(format!(
                "{shown} is no state file of 'ztwin sim'; name another for --state"
            )));
        }
        if !bytes.starts_with(FORMAT.as_bytes()) {
            return Err(Error(format!(
                "the state file {shown} has another format than '{FORMAT}'; use the ztwin that wrote it, \
                 or name another file for --state"
            )));
        }
        let content = parse(&bytes).map_err(|Damage { offset, what }| {
            let advice = if offset == 0 {
                "name another file for --state".to_owned()
            } else {
                format!("'truncate -s {offset}' on a copy keeps what stands in front of it")
            };
            Error(format!(
                "the state file {shown} is damaged at byte {offset}: {what}; {advice}"
            ))
        })?;
        if let Some(asked) = release.filter(|&it| it != content.release) {
            let (asked, is) = (asked.name(), content.release.name());
            return Err(Error(format!(
                "the state file {shown} is of a machine with OpenZFS {is}, not {asked}; \
                 leave --openzfs out or name another file for --state"
            )));
        }
        file.set_len(content.end).map_err(failed("write"))?;
        file.seek(SeekFrom::Start(content.end))
            .map_err(failed("read"))?;
        file.sync_all().map_err(failed("write"))?;
        Ok(Found {
            journal: Journal {
                disk: Arc::new(Disk {
                    path: path.to_owned(),
                    file,
                    end: AtomicU64::new(content.end),
                    synced: Mutex::new(content.end),
                    failed: AtomicBool::new(false),
                }),
                last: content.last,
            },
            release: content.release,
            model: content.model,
            entries: content.entries,
            offsets: content.offsets,
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.disk.path
    }

    /// Appends an entry. When that fails, the file is as it was before.
    pub fn append(&mut self, entry: &Entry) -> Result<(), Error> {
        let disk = &*self.disk;
        let json = serde_json::to_string(entry).map_err(|error| disk.error(error.into()))?;
        let last = chain(&self.last, json.as_bytes());
        let end = disk.end.load(Ordering::Acquire);
        let line = record(end, &last, &json);
        if let Err(error) = (&disk.file).write_all(line.as_bytes()) {
            let undone = disk.file.set_len(end);
            if undone
                .and_then(|()| (&disk.file).seek(SeekFrom::Start(end)))
                .is_err()
            {
                disk.failed.store(true, Ordering::Release);
            }
            return Err(disk.error(error));
        }
        disk.end.store(end + line.len() as u64, Ordering::Release);
        self.last = last;
        Ok(())
    }

    /// What has been appended by now.
    pub fn pending(&self) -> Pending {
        Pending {
            disk: Arc::clone(&self.disk),
            until: self.disk.end.load(Ordering::Acquire),
        }
    }

    /// Whether more can be written.
    pub fn check(&self) -> Result<(), Error> {
        if self.disk.failed.load(Ordering::Acquire) {
            let at = self.disk.path.display();
            return Err(Error(format!(
                "the state file {at} could not be written; nothing runs any more"
            )));
        }
        Ok(())
    }
}

impl Disk {
    fn error(&self, error: std::io::Error) -> Error {
        Error::of(format!("write the state file {}", self.path.display()))(error)
    }
}

impl Pending {
    /// Waits until it is on disk. Calls that wait at the same time share the work.
    pub fn sync(&self) -> Result<(), Error> {
        let disk = &*self.disk;
        let mut synced = disk.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if *synced >= self.until {
            return Ok(());
        }
        // What others have appended meanwhile is on disk then too.
        let until = disk.end.load(Ordering::Acquire);
        if let Err(error) = disk.file.sync_data() {
            disk.failed.store(true, Ordering::Release);
            return Err(disk.error(error));
        }
        *synced = until;
        Ok(())
    }
}

/// What was printed and how it ended, as a sum.
pub(super) fn outcome(printed: &Printed) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [&printed.out, &printed.err] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.update(format!("{:?}", printed.end).as_bytes());
    hasher.finalize().to_hex()[..16].to_owned()
}

fn sum(parts: &[&[u8]], digits: usize) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().to_hex()[..digits].to_owned()
}

fn chain(last: &str, json: &[u8]) -> String {
    sum(&[last.as_bytes(), json], 32)
}

fn header(release: Release) -> String {
    let model = env!("CARGO_PKG_VERSION");
    let text = format!("{FORMAT}, OpenZFS {}, model {model}", release.name());
    let check = sum(&[text.as_bytes()], 16);
    format!("{text}, {check}\n")
}

fn head(offset: u64, length: usize, last: &str) -> String {
    let length = format!("{length:08x}");
    let check = sum(
        &[&offset.to_le_bytes(), length.as_bytes(), last.as_bytes()],
        8,
    );
    format!("{length} {check} {last} ")
}

fn record(offset: u64, last: &str, json: &str) -> String {
    format!("{}{json}\n", head(offset, json.len(), last))
}

fn parse(bytes: &[u8]) -> Result<Content, Damage> {
    let damage = |offset: usize, what| Damage {
        offset: offset as u64,
        what,
    };
    let first = bytes.iter().position(|&byte| byte == b'\n');
    let first = first.ok_or_else(|| damage(0, "its first line does not end"))?;
    let wrong = |what| move || damage(0, what);
    let text =
        std::str::from_utf8(&bytes[..first]).map_err(|_| wrong("its first line is no text")())?;
    let (text, check) = text
        .rsplit_once(", ")
        .ok_or_else(wrong("its first line is cut"))?;
    if check != sum(&[text.as_bytes()], 16) {
        return Err(damage(0, "the sum of its first line is wrong"));
    }
    let mut words = text.split(", ");
    if words.next() != Some(FORMAT) {
        return Err(damage(0, "its format is of another version of ztwin"));
    }
    let release = words.next().and_then(|it| it.strip_prefix("OpenZFS "));
    let release = release.and_then(Release::of_version);
    let model = words.next().and_then(|it| it.strip_prefix("model "));
    let (Some(release), Some(model)) = (release, model) else {
        return Err(damage(
            0,
            "it is of a release that this ztwin does not model",
        ));
    };
    let mut content = Content {
        release,
        model: model.to_owned(),
        entries: Vec::new(),
        offsets: Vec::new(),
        end: 0,
        last: check.to_owned(),
    };
    let mut at = first + 1;
    loop {
        let rest = &bytes[at..];
        // Some filesystems give a file its length before its bytes.
        if rest.len() < HEAD || rest.iter().all(|&byte| byte == 0) {
            break;
        }
        let parts = std::str::from_utf8(&rest[..HEAD]).ok();
        let length = parts.and_then(|it| usize::from_str_radix(it.get(..8)?, 16).ok());
        let last = parts.and_then(|it| it.get(18..50));
        let (Some(length), Some(last), Some(parts)) = (length, last, parts) else {
            return Err(damage(at, "no record begins here"));
        };
        if head(at as u64, length, last) != parts {
            return Err(damage(at, "the head of a record is wrong"));
        }
        let Some(json) = rest
            .get(HEAD..HEAD + length)
            .filter(|_| rest.len() > HEAD + length)
        else {
            break;
        };
        if chain(&content.last, json) != last {
            return Err(damage(at, "the sum of a record is wrong"));
        }
        if rest[HEAD + length] != b'\n' {
            return Err(damage(at + HEAD + length, "a record does not end here"));
        }
        let entry =
            serde_json::from_slice(json).map_err(|_| damage(at, "a record cannot be read"))?;
        content.entries.push(entry);
        content.offsets.push(at as u64);
        last.clone_into(&mut content.last);
        at += HEAD + length + 1;
    }
    content.end = at as u64;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64) -> Entry {
        Entry {
            now: number,
            call: Call {
                words: ["zfs", "create", &format!("tank/{number}")]
                    .map(str::to_owned)
                    .to_vec(),
                ..Call::default()
            },
            estimated: number.is_multiple_of(3),
            failed: Vec::new(),
            outcome: "0123456789abcdef".to_owned(),
        }
    }

    /// A file with this many entries.
    fn file(count: u64) -> Vec<u8> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("state");
        let mut found = Journal::open(&path, None).expect("new");
        for number in 0..count {
            found.journal.append(&entry(number)).expect("appended");
            found.journal.pending().sync().expect("synced");
        }
        fs::read(path).expect("read")
    }

    #[test]
    fn a_file_cut_anywhere_holds_what_was_whole() {
        let bytes = file(12);
        let first = header(Release::default()).len();
        assert!(bytes.len() > 1000);
        for cut in first..=bytes.len() {
            let content = parse(&bytes[..cut]).expect("torn, not damaged");
            let whole: Vec<_> = (0..content.entries.len() as u64).map(entry).collect();
            assert_eq!(content.entries, whole);
            let end = usize::try_from(content.end).expect("small");
            assert!(end <= cut && (end == bytes.len() || bytes[end - 1] == b'\n'));
            // What is left of it is less than one record.
            let next = parse(&bytes).expect("whole").offsets;
            let next = next.into_iter().find(|&it| it > content.end);
            assert!(next.is_none_or(|next| (cut as u64) < next), "cut at {cut}");
        }
    }

    #[test]
    fn a_file_with_any_bit_flipped_is_refused() {
        let bytes = file(5);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                let damage = parse(&bytes).expect_err("damaged");
                assert!(damage.offset <= at as u64, "{at}: {damage:?}");
            }
        }
    }

    #[test]
    fn records_out_of_place_are_refused() {
        let bytes = file(3);
        let lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
        let swapped = [lines[0], lines[2], lines[1], lines[3]].concat();
        assert!(parse(&swapped).is_err());
        let dropped = [lines[0], lines[2], lines[3]].concat();
        assert!(parse(&dropped).is_err());
    }

    #[test]
    fn a_file_cut_in_its_first_line_is_begun_anew_and_any_other_file_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("state");
        let first = header(Release::V2_4);
        for cut in 0..first.len() {
            fs::write(&path, &first[..cut]).expect("written");
            let found = Journal::open(&path, Some(Release::V2_1)).expect("new");
            assert_eq!((found.release, found.entries.len()), (Release::V2_1, 0));
        }
        for other in [
            "notes",
            "ztwin sim notes",
            "ztwin sim state 3, OpenZFS 2.3\n",
        ] {
            fs::write(&path, other).expect("written");
            Journal::open(&path, None).expect_err("not ours");
            assert_eq!(fs::read_to_string(&path).expect("read"), other);
        }
        Journal::open(directory.path(), None).expect_err("a directory");
    }

    #[test]
    fn what_was_torn_off_is_cut_and_the_rest_goes_on() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("state");
        let bytes = file(3);
        let whole = file(2).len();
        for tail in [&bytes[whole..whole + 60], &[0; 4096]] {
            fs::write(&path, [&bytes[..whole], tail].concat()).expect("written");
            let mut found = Journal::open(&path, None).expect("torn");
            assert_eq!(found.entries, [entry(0), entry(1)]);
            found.journal.append(&entry(2)).expect("appended");
            assert_eq!(fs::read(&path).expect("read"), bytes);
        }
    }
}
