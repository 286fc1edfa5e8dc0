//! Steps that are not programs: file verbs, mounts, vdev files, and looking at the whole state.
//!
//! They are parsed once, here, from words to a [`Verb`]; every arm runs that value, and what it
//! returns is printed by [`super::print`], so that arms can only differ in what happened.

use std::sync::Arc;

use ztwin_model::dmu::data::{Piece, Source};
use ztwin_model::zpl::op::{At, FileOp, NewTime, Opening, Renaming, Target, Unmount};
use ztwin_model::zpl::open::Handle;
use ztwin_model::zpl::permission::Credentials;
use ztwin_model::zpl::znode::Special;

use super::blobs::Blobs;

/// A step that is not a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `vdev PATH SIZE`: makes a sparse file for a pool to live in.
    Vdev {
        /// An absolute path.
        path: String,
        /// Its size in bytes.
        size: u64,
    },
    /// `mount [-o ro] DATASET PATH`: makes the directory where it is missing, and mounts.
    Mount {
        /// The full name of a filesystem or snapshot.
        dataset: String,
        /// An absolute path.
        path: String,
        /// Mount it read-only.
        read_only: bool,
    },
    /// One system call.
    File(FileOp),
    /// `user UID:GID[,GROUP...]`: whose system calls those of the process are from now on.
    User(Credentials),
    /// `state [-v]`: the whole visible state.
    State {
        /// Every file, instead of a digest of each tree.
        verbose: bool,
    },
    /// `pointers POOL`: what the files of a pool point to, once it is synced.
    Pointers {
        /// Its name.
        pool: String,
    },
}

/// The verbs, with what follows each.
pub const VERBS: [(&str, &str); 38] = [
    ("vdev", "PATH SIZE"),
    ("mount", "[-o ro] DATASET PATH"),
    ("umount", "[-l|-f] PATH"),
    (
        "write",
        "DATASET:/PATH|HANDLE|VOLUME OFFSET LENGTH data=SOURCE",
    ),
    ("read", "DATASET:/PATH|HANDLE|VOLUME OFFSET LENGTH"),
    ("truncate", "DATASET:/PATH|HANDLE SIZE"),
    ("punch", "DATASET:/PATH|HANDLE|VOLUME OFFSET LENGTH"),
    ("seek", "DATASET:/PATH|HANDLE data|hole OFFSET"),
    (
        "copy_file_range",
        "DATASET:/FROM OFFSET DATASET:/TO OFFSET LENGTH",
    ),
    ("reflink", "DATASET:/FROM DATASET:/TO"),
    ("mkdir", "DATASET:/PATH"),
    ("mknod", "MODE DATASET:/PATH c|b|p|s [MAJOR:MINOR]"),
    ("readdir", "DATASET:/PATH|HANDLE"),
    ("rmdir", "DATASET:/PATH"),
    ("unlink", "DATASET:/PATH"),
    (
        "rename",
        "[--noreplace|--exchange|--whiteout] DATASET:/OLD DATASET:/NEW",
    ),
    ("link", "DATASET:/OLD|HANDLE DATASET:/NEW"),
    ("symlink", "TARGET DATASET:/PATH"),
    ("readlink", "DATASET:/PATH"),
    ("chmod", "MODE DATASET:/PATH|HANDLE"),
    ("chown", "UID:GID DATASET:/PATH|HANDLE"),
    (
        "utime",
        "SECONDS|now|keep DATASET:/PATH|HANDLE [SECONDS|now|keep]",
    ),
    ("times", "DATASET:/PATH|HANDLE"),
    ("setxattr", "DATASET:/PATH NAME LENGTH data=SOURCE"),
    ("getxattr", "DATASET:/PATH NAME"),
    ("removexattr", "DATASET:/PATH NAME"),
    ("listxattr", "DATASET:/PATH"),
    ("stat", "DATASET:/PATH|HANDLE"),
    ("same", "DATASET:/PATH DATASET:/PATH"),
    ("statfs", "DATASET[:/PATH]"),
    ("tree", "DATASET[:/PATH]"),
    ("blocks", "DATASET[:/PATH]"),
    (
        "open",
        "HANDLE DATASET:/PATH [r|w|rw][,creat][,excl][,trunc][,append][,directory][,nofollow][,tmpfile]",
    ),
    ("close", "HANDLE"),
    ("user", "UID:GID[,GROUP...]"),
    ("shared", "DATASET:/PATH SNAPSHOT"),
    ("pointers", "POOL"),
    ("state", "[-v]"),
];

/// The usage of a verb, or none when there is no such verb.
fn usage(verb: &str) -> Option<&'static str> {
    VERBS
        .iter()
        .find(|(name, _)| *name == verb)
        .map(|(_, usage)| *usage)
}

/// Whether this is the name of a verb.
#[must_use]
pub fn is_verb(word: &str) -> bool {
    usage(word).is_some()
}

/// Words that are no step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The first word is no program and no verb.
    #[error("'{0}' is no step: expected zfs, zpool, a driver such as docker, or one of {list}", list = names())]
    Unknown(String),
    /// The number of words is wrong.
    #[error("{verb}: {what}; usage: {verb} {usage}")]
    Words {
        /// The verb.
        verb: &'static str,
        /// What is wrong.
        what: &'static str,
        /// What should follow the verb.
        usage: &'static str,
    },
    /// A word is not what it should be.
    #[error("{verb}: word {index}, '{word}': {what}")]
    Word {
        /// The verb.
        verb: &'static str,
        /// Which word of the step, the verb being number 1.
        index: usize,
        /// The word.
        word: String,
        /// What was expected.
        what: String,
    },
}

fn names() -> String {
    VERBS.map(|(name, _)| name).join(", ")
}

/// The words of one verb, taken one after the other.
struct Words<'a> {
    verb: &'static str,
    usage: &'static str,
    all: &'a [String],
    /// The next word.
    next: usize,
    process: Arc<str>,
    blobs: &'a Blobs,
}

/// The verb that the words of a step say.
///
/// `process` is the one whose handles are meant; `blobs` has the bytes that `data=hash:` names.
pub fn parse(process: &str, words: &[String], blobs: &Blobs) -> Result<Verb, Error> {
    let name = words.first().map_or("", String::as_str);
    let Some(&(verb, usage)) = VERBS.iter().find(|(verb, _)| *verb == name) else {
        return Err(Error::Unknown(name.to_owned()));
    };
    let mut words = Words {
        verb,
        usage,
        all: words,
        next: 1,
        process: process.into(),
        blobs,
    };
    let parsed = words.verb()?;
    if words.next < words.all.len() {
        return Err(words.wrong("too many words"));
    }
    Ok(parsed)
}

impl Words<'_> {
    fn wrong(&self, what: &'static str) -> Error {
        Error::Words {
            verb: self.verb,
            what,
            usage: self.usage,
        }
    }

    /// An error about the word taken last.
    fn bad(&self, what: impl Into<String>) -> Error {
        let index = self.next.saturating_sub(1);
        let word = self.all.get(index).cloned().unwrap_or_default();
        Error::Word {
            verb: self.verb,
            index: index + 1,
            word,
            what: what.into(),
        }
    }

    fn word(&mut self) -> Result<&str, Error> {
        if self.next >= self.all.len() {
            return Err(self.wrong("a word is missing"));
        }
        self.next += 1;
        Ok(&self.all[self.next - 1])
    }

    /// Takes the next word if it is this one.
    fn option(&mut self, option: &str) -> bool {
        let there = self.all.get(self.next).is_some_and(|word| word == option);
        self.next += usize::from(there);
        there
    }

    fn size(&mut self) -> Result<u64, Error> {
        let size = size(self.word()?);
        size.ok_or_else(|| {
            self.bad("expected a number of bytes, or one with K, M, G or T behind it")
        })
    }

    /// A time for `utime`.
    fn time(&mut self) -> Result<NewTime, Error> {
        let time = match self.word()? {
            "now" => Some(NewTime::Now),
            "keep" => Some(NewTime::Keep),
            seconds => seconds.parse().ok().map(NewTime::Seconds),
        };
        time.ok_or_else(|| self.bad("expected seconds since 1970, 'now' or 'keep'"))
    }

    /// `UID:GID`, and what stands behind commas.
    fn user(&mut self) -> Result<(u32, u32, Vec<u32>), Error> {
        let id = |text: &str| text.parse().ok().filter(|&id| id != u32::MAX);
        let ids = |text: &str| {
            let (uid, rest) = text.split_once(':')?;
            let mut groups = rest.split(',').map(id).collect::<Option<Vec<u32>>>()?;
            Some((id(uid)?, groups.remove(0), groups))
        };
        let user = ids(self.word()?);
        user.ok_or_else(|| self.bad("expected UID:GID, two numbers"))
    }

    fn opening(&mut self) -> Result<Opening, Error> {
        let mut how = Opening::default();
        if self.next == self.all.len() {
            how.read = true;
            return Ok(how);
        }
        let flags: Vec<String> = self.word()?.split(',').map(str::to_owned).collect();
        for flag in flags {
            match &*flag {
                "r" => how.read = true,
                "w" => how.write = true,
                "rw" => (how.read, how.write) = (true, true),
                "creat" => how.create = true,
                "excl" => how.exclusive = true,
                "trunc" => how.truncate = true,
                "append" => how.append = true,
                "directory" => how.directory = true,
                "nofollow" => how.no_follow = true,
                "tmpfile" => how.temporary = true,
                _ => {
                    return Err(self.bad(
                        "expected 'r', 'w' or 'rw', and creat, excl, trunc, append, directory, nofollow or \
                         tmpfile behind commas",
                    ));
                }
            }
        }
        if !how.read && !how.write {
            return Err(self.bad("expected 'r', 'w' or 'rw' first"));
        }
        let wants_directory = how.directory && (how.create || how.temporary);
        if wants_directory || how.temporary && how.create || how.truncate && !how.write {
            return Err(self.bad("these do not go together on every kernel"));
        }
        Ok(how)
    }

    fn absolute(&mut self) -> Result<String, Error> {
        let word = self.word()?.to_owned();
        let names = word.strip_prefix('/').unwrap_or("");
        if names.is_empty() || names.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return Err(
                self.bad("expected an absolute path without '.', '..', '//' or a '/' at its end")
            );
        }
        Ok(word)
    }

    fn dataset(&mut self) -> Result<String, Error> {
        let word = self.word()?.to_owned();
        if word.is_empty() || word.contains(':') || word.starts_with(['/', '-']) {
            return Err(self.bad("expected the name of a filesystem or snapshot"));
        }
        Ok(word)
    }

    fn at(&mut self) -> Result<At, Error> {
        let word = self.word()?;
        let parsed = at(word);
        parsed.map_err(|what| self.bad(what))
    }

    /// `DATASET:/PATH`, or a dataset for its root.
    fn top(&mut self) -> Result<At, Error> {
        let word = self.all.get(self.next);
        if word.is_none_or(|word| word.contains(':')) {
            return self.at();
        }
        Ok(At {
            dataset: self.dataset()?.into(),
            path: "/".into(),
        })
    }

    fn handle(&mut self) -> Result<Handle, Error> {
        let word = self.word()?.to_owned();
        if word.is_empty() || word.contains([':', '/', '@']) {
            return Err(self.bad("expected a name for an open file, without ':', '/' or '@'"));
        }
        Ok(Handle {
            process: self.process.clone(),
            name: word.into(),
        })
    }

    /// A file by path or by handle.
    fn path_or_handle(&mut self) -> Result<Target, Error> {
        let word = self.all.get(self.next);
        if word.is_some_and(|word| word.contains(':')) {
            self.at().map(Target::Path)
        } else {
            self.handle().map(Target::Open)
        }
    }

    fn special(&mut self) -> Result<Special, Error> {
        let kind = self.word()?.to_owned();
        let device = matches!(&*kind, "c" | "b");
        let numbers = if device {
            let numbers = self.word()?.split_once(':');
            let numbers = numbers.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
            numbers.ok_or_else(|| self.bad("expected MAJOR:MINOR, two numbers"))?
        } else {
            (0, 0)
        };
        match &*kind {
            "c" => Ok(Special::CharacterDevice(numbers.0, numbers.1)),
            "b" => Ok(Special::BlockDevice(numbers.0, numbers.1)),
            "p" => Ok(Special::Fifo),
            "s" => Ok(Special::Socket),
            _ => Err(self.bad("expected c, b, p or s: a device, a FIFO or a socket")),
        }
    }

    /// An octal mode.
    fn mode(&mut self) -> Result<u32, Error> {
        let mode = u32::from_str_radix(self.word()?, 8).ok();
        let mode = mode.filter(|&mode| mode <= 0o7777);
        mode.ok_or_else(|| self.bad("expected an octal number up to 7777"))
    }

    fn file(&mut self) -> Result<Target, Error> {
        let has = |letters: &[char]| {
            let word = self.all.get(self.next);
            word.is_some_and(|word| word.contains(letters))
        };
        if has(&[':']) {
            self.at().map(Target::Path)
        } else if has(&['/', '@']) {
            Ok(Target::Volume(self.dataset()?.into()))
        } else {
            self.handle().map(Target::Open)
        }
    }

    fn data(&mut self, len: u64) -> Result<Piece, Error> {
        const WHAT: &str =
            "expected data=zero, data=random:SEED, data=text:SEED, data=hex:BYTES or data=hash:HEX";
        let word = self.word()?.to_owned();
        let source = word.strip_prefix("data=").ok_or_else(|| self.bad(WHAT))?;
        let source = match source.split_once(':') {
            None if source == "zero" => Source::Zero,
            Some(("random", seed)) => Source::Random(
                seed.parse()
                    .map_err(|_| self.bad("the seed is no number"))?,
            ),
            Some(("text", seed)) => Source::Text(
                seed.parse()
                    .map_err(|_| self.bad("the seed is no number"))?,
            ),
            Some(("hex", digits)) => {
                let bytes = hexadecimal(digits)
                    .ok_or_else(|| self.bad("expected two hexadecimal digits for each byte"))?;
                if bytes.len() as u64 != len {
                    return Err(self.bad(format!("it has {} bytes, not {len}", bytes.len())));
                }
                Source::Bytes(bytes.into())
            }
            Some(("hash", name)) => {
                let bytes = self
                    .blobs
                    .get(name)
                    .map_err(|what| self.bad(what.to_string()))?;
                if (bytes.len() as u64) < len {
                    return Err(self.bad(format!("it has only {} bytes, not {len}", bytes.len())));
                }
                Source::Bytes(bytes)
            }
            _ => return Err(self.bad(WHAT)),
        };
        Ok(source.piece(len))
    }

    fn verb(&mut self) -> Result<Verb, Error> {
        let op = match self.verb {
            "vdev" => {
                return Ok(Verb::Vdev {
                    path: self.absolute()?,
                    size: self.size()?,
                });
            }
            "user" => {
                let (uid, gid, groups) = self.user()?;
                return Ok(Verb::User(Credentials {
                    uid,
                    gid,
                    groups: groups.into(),
                }));
            }
            "state" => {
                return Ok(Verb::State {
                    verbose: self.option("-v"),
                });
            }
            "pointers" => {
                return Ok(Verb::Pointers {
                    pool: self.dataset()?,
                });
            }
            "mount" => {
                let read_only = self.option("-o");
                if read_only && self.word()? != "ro" {
                    return Err(self.bad("expected 'ro', the only option"));
                }
                let (dataset, path) = (self.dataset()?, self.absolute()?);
                return Ok(Verb::Mount {
                    dataset,
                    path,
                    read_only,
                });
            }
            "umount" => {
                let how = if self.option("-l") {
                    Unmount::Lazy
                } else if self.option("-f") {
                    Unmount::Force
                } else {
                    Unmount::Plain
                };
                FileOp::Unmount {
                    path: self.absolute()?.into(),
                    how,
                }
            }
            "write" => {
                let (to, offset, len) = (self.file()?, self.size()?, self.size()?);
                FileOp::Write {
                    to,
                    offset,
                    data: self.data(len)?,
                }
            }
            "read" => FileOp::Read {
                from: self.file()?,
                offset: self.size()?,
                len: self.size()?,
            },
            "truncate" => FileOp::Truncate {
                file: self.path_or_handle()?,
                size: self.size()?,
            },
            "punch" => match self.file()? {
                Target::Volume(volume) => FileOp::Discard {
                    volume,
                    offset: self.size()?,
                    len: self.size()?,
                },
                file => FileOp::Punch {
                    file,
                    offset: self.size()?,
                    len: self.size()?,
                },
            },
            "seek" => FileOp::Seek {
                file: self.path_or_handle()?,
                hole: match self.word()? {
                    "data" => false,
                    "hole" => true,
                    _ => return Err(self.bad("expected 'data' or 'hole'")),
                },
                offset: self.size()?,
            },
            "copy_file_range" => FileOp::Copy {
                from: self.at()?,
                offset: self.size()?,
                to: self.at()?,
                at: self.size()?,
                len: self.size()?,
            },
            "reflink" => FileOp::Reflink {
                from: self.at()?,
                to: self.at()?,
            },
            "mknod" => {
                let mode = self.mode()?;
                FileOp::MakeSpecial {
                    at: self.at()?,
                    special: self.special()?,
                    mode,
                }
            }
            "readdir" => FileOp::ReadDirectory {
                directory: self.path_or_handle()?,
            },
            "mkdir" => FileOp::MakeDirectory { at: self.at()? },
            "rmdir" => FileOp::RemoveDirectory { at: self.at()? },
            "unlink" => FileOp::Unlink { at: self.at()? },
            "rename" => {
                let how = if self.option("--noreplace") {
                    Renaming::Keep
                } else if self.option("--exchange") {
                    Renaming::Exchange
                } else if self.option("--whiteout") {
                    Renaming::Whiteout
                } else {
                    Renaming::Replace
                };
                FileOp::Rename {
                    from: self.at()?,
                    to: self.at()?,
                    how,
                }
            }
            "link" => FileOp::Link {
                from: self.path_or_handle()?,
                to: self.at()?,
            },
            "symlink" => FileOp::Symlink {
                target: self.word()?.into(),
                at: self.at()?,
            },
            "readlink" => FileOp::ReadLink { at: self.at()? },
            "chmod" => {
                let mode = self.mode()?;
                FileOp::SetMode {
                    file: self.path_or_handle()?,
                    mode,
                }
            }
            "chown" => {
                let (uid, gid, groups) = self.user()?;
                if !groups.is_empty() {
                    return Err(self.bad("expected UID:GID, two numbers"));
                }
                FileOp::SetOwner {
                    file: self.path_or_handle()?,
                    uid,
                    gid,
                }
            }
            "utime" => {
                let modification = self.time()?;
                let file = self.path_or_handle()?;
                let access = if self.next < self.all.len() {
                    self.time()?
                } else {
                    NewTime::Keep
                };
                FileOp::SetTimes {
                    file,
                    modification,
                    access,
                }
            }
            "times" => FileOp::Times {
                file: self.path_or_handle()?,
            },
            "same" => FileOp::Compare {
                one: self.at()?,
                other: self.at()?,
            },
            "setxattr" => {
                let (at, name) = (self.at()?, self.word()?.into());
                let len = self.size()?;
                FileOp::SetXattr {
                    at,
                    name,
                    value: self.data(len)?,
                }
            }
            "getxattr" => FileOp::GetXattr {
                at: self.at()?,
                name: self.word()?.into(),
            },
            "removexattr" => FileOp::RemoveXattr {
                at: self.at()?,
                name: self.word()?.into(),
            },
            "listxattr" => FileOp::ListXattr { at: self.at()? },
            "stat" => FileOp::Stat {
                file: self.path_or_handle()?,
            },
            "statfs" => FileOp::StatFilesystem { at: self.top()? },
            "tree" => FileOp::Tree { at: self.top()? },
            "blocks" => FileOp::Blocks { at: self.top()? },
            "open" => {
                let (handle, at) = (self.handle()?, self.at()?);
                FileOp::Open {
                    handle,
                    at,
                    how: self.opening()?,
                }
            }
            "close" => FileOp::Close {
                handle: self.handle()?,
            },
            "shared" => FileOp::Shared {
                at: self.at()?,
                snapshot: self.dataset()?.into(),
            },
            // `parse` found it in the same table.
            other => return Err(Error::Unknown(other.to_owned())),
        };
        Ok(Verb::File(op))
    }
}

/// A number of bytes: digits, and K, M, G or T for powers of 1024.
#[must_use]
pub fn size(word: &str) -> Option<u64> {
    let (digits, shift) = match word.as_bytes().last()? {
        b'K' => (&word[..word.len() - 1], 10),
        b'M' => (&word[..word.len() - 1], 20),
        b'G' => (&word[..word.len() - 1], 30),
        b'T' => (&word[..word.len() - 1], 40),
        _ => (word, 0),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits
        .parse::<u64>()
        .ok()?
        .checked_mul(1 << shift)
        .filter(|&size| i64::try_from(size).is_ok())
}

/// Bytes, from two digits each.
fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
        return None;
    }
    pairs.map(byte).collect()
}

/// `DATASET:/PATH`.
fn at(word: &str) -> Result<At, &'static str> {
    const WHAT: &str = "expected DATASET:/PATH";
    let (dataset, path) = word.split_once(':').ok_or(WHAT)?;
    if dataset.is_empty() || dataset.starts_with('/') || !path.starts_with('/') {
        return Err(WHAT);
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    if path != "/" && matches!(last, "" | "." | "..") {
        return Err("the path must end in a name, not in '/', '.' or '..'");
    }
    Ok(At {
        dataset: dataset.into(),
        path: path.into(),
    })
}
