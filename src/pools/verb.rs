//! Steps that are not programs: file verbs, mounts, vdev files, and looking at the whole state.
//!
//! They are parsed once, here, from words to a [`Verb`]; every arm runs that value, and what it
//! returns is printed by [`super::print`], so that arms can only differ in what happened.

use std::sync::Arc;

use ztwin_model::dmu::data::{Piece, Source};
use ztwin_model::zpl::op::{At, FileOp, Target, Unmount};
use ztwin_model::zpl::open::Handle;

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
pub const VERBS: [(&str, &str); 31] = [
    ("vdev", "PATH SIZE"),
    ("mount", "[-o ro] DATASET PATH"),
    ("umount", "[-l|-f] PATH"),
    (
        "write",
        "DATASET:/PATH|HANDLE|VOLUME OFFSET LENGTH data=SOURCE",
    ),
    ("read", "DATASET:/PATH|HANDLE|VOLUME OFFSET LENGTH"),
    ("truncate", "DATASET:/PATH SIZE"),
    ("punch", "DATASET:/PATH|VOLUME OFFSET LENGTH"),
    (
        "copy_file_range",
        "DATASET:/FROM OFFSET DATASET:/TO OFFSET LENGTH",
    ),
    ("reflink", "DATASET:/FROM DATASET:/TO"),
    ("mkdir", "DATASET:/PATH"),
    ("rmdir", "DATASET:/PATH"),
    ("unlink", "DATASET:/PATH"),
    ("rename", "DATASET:/OLD DATASET:/NEW"),
    ("link", "DATASET:/OLD DATASET:/NEW"),
    ("symlink", "TARGET DATASET:/PATH"),
    ("readlink", "DATASET:/PATH"),
    ("chmod", "MODE DATASET:/PATH"),
    ("chown", "UID:GID DATASET:/PATH"),
    ("utime", "SECONDS DATASET:/PATH"),
    ("setxattr", "DATASET:/PATH NAME LENGTH data=SOURCE"),
    ("getxattr", "DATASET:/PATH NAME"),
    ("removexattr", "DATASET:/PATH NAME"),
    ("listxattr", "DATASET:/PATH"),
    ("stat", "DATASET:/PATH"),
    ("tree", "DATASET[:/PATH]"),
    ("blocks", "DATASET[:/PATH]"),
    ("open", "HANDLE DATASET:/PATH [r|rw]"),
    ("close", "HANDLE"),
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

    fn number(&mut self) -> Result<u64, Error> {
        let number = self.word()?.parse().ok();
        number.ok_or_else(|| self.bad("expected a number"))
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
                at: self.at()?,
                size: self.size()?,
            },
            "punch" => {
                let volume = match self.all.get(self.next) {
                    Some(word) if !word.contains(':') => Some(self.dataset()?.into()),
                    _ => None,
                };
                match volume {
                    Some(volume) => FileOp::Discard {
                        volume,
                        offset: self.size()?,
                        len: self.size()?,
                    },
                    None => FileOp::Punch {
                        at: self.at()?,
                        offset: self.size()?,
                        len: self.size()?,
                    },
                }
            }
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
            "mkdir" => FileOp::MakeDirectory { at: self.at()? },
            "rmdir" => FileOp::RemoveDirectory { at: self.at()? },
            "unlink" => FileOp::Unlink { at: self.at()? },
            "rename" => FileOp::Rename {
                from: self.at()?,
                to: self.at()?,
            },
            "link" => FileOp::Link {
                from: self.at()?,
                to: self.at()?,
            },
            "symlink" => FileOp::Symlink {
                target: self.word()?.into(),
                at: self.at()?,
            },
            "readlink" => FileOp::ReadLink { at: self.at()? },
            "chmod" => {
                let mode = u32::from_str_radix(self.word()?, 8)
                    .ok()
                    .filter(|&mode| mode <= 0o7777);
                let mode = mode.ok_or_else(|| self.bad("expected an octal number up to 7777"))?;
                FileOp::SetMode {
                    at: self.at()?,
                    mode,
                }
            }
            "chown" => {
                let ids = self.word()?.split_once(':').and_then(|(uid, gid)| {
                    let id = |text: &str| text.parse().ok().filter(|&id| id != u32::MAX);
                    Some((id(uid)?, id(gid)?))
                });
                let (uid, gid) = ids.ok_or_else(|| self.bad("expected UID:GID, two numbers"))?;
                FileOp::SetOwner {
                    at: self.at()?,
                    uid,
                    gid,
                }
            }
            "utime" => {
                let seconds = self.number()?;
                FileOp::SetTime {
                    at: self.at()?,
                    seconds,
                }
            }
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
            "stat" => FileOp::Stat { at: self.at()? },
            "tree" => FileOp::Tree { at: self.top()? },
            "blocks" => FileOp::Blocks { at: self.top()? },
            "open" => {
                let (handle, at) = (self.handle()?, self.at()?);
                let write = match self.all.get(self.next).map(String::as_str) {
                    None => false,
                    Some(mode) => {
                        self.next += 1;
                        match mode {
                            "r" => false,
                            "rw" => true,
                            _ => return Err(self.bad("expected 'r' or 'rw'")),
                        }
                    }
                };
                FileOp::Open { handle, at, write }
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
