//! An operation as the step of a trace that does it.

use std::fmt;

use crate::dmu::data::{Piece, Source};
use crate::dsl::op::DslOp;
use crate::dsl::properties::Key;
use crate::dsl::property::{Kind, Value};
use crate::op::Op;
use crate::release::Release;
use crate::spa::op::PoolOp;
use crate::zpl::op::{At, FileOp, Opening, Renaming, Target, Unmount};
use crate::zpl::znode::Special;

/// An operation whose text is the step of a trace that does it, as far as a [`super::World`] has it; another one
/// is told as data behind a `#`, which no step begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step(pub Op);

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match words(&self.0) {
            Some(words) => {
                let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
                f.write_str(&quoted.join(" "))
            }
            None => write!(f, "# {:?}", self.0),
        }
    }
}

/// Its text: every version reads that, and so do people.
#[cfg(feature = "serde")]
impl serde::Serialize for Step {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A word as it stands in a trace: in quotes where something in it means something else.
fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@=,+%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

impl Step {
    /// Its words; none if no step does just that.
    #[must_use]
    pub fn words(&self) -> Option<Vec<String>> {
        words(&self.0)
    }
}

fn words(op: &Op) -> Option<Vec<String>> {
    match op {
        Op::Dataset(op) => of_datasets(op),
        Op::File(op) => of_files(op),
        Op::Pool(PoolOp::Sync { pool }) => Some(line(&["zpool", "sync", pool])),
        Op::Pool(PoolOp::Create {
            name,
            vdevs,
            settings,
            ..
        }) => {
            let mut words = line(&["zpool", "create"]);
            for setting in settings {
                words.extend(["-O".to_owned(), assignment(setting)?]);
            }
            words.push(name.to_string());
            let devices = vdevs.iter().flat_map(|vdev| vdev.devices.iter());
            words.extend(devices.map(ToString::to_string));
            Some(words)
        }
        Op::Pool(_) | Op::Become(_) | Op::Wait(_) => None,
    }
}

fn line(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// `property=value`.
fn assignment((key, value): &(Key, Value)) -> Option<String> {
    let (name, text) = match key {
        Key::Native(property) => {
            let kind = property.kind(Release::default());
            let text = match value {
                Value::Number(0) if matches!(kind, Kind::Quota | Kind::Size) => "none".to_owned(),
                Value::Number(number) => size(*number),
                Value::Word(word) => (*word).to_owned(),
                Value::Text(text) => text.to_string(),
            };
            (property.name().to_owned(), text)
        }
        Key::User(name) => match value {
            Value::Text(text) => (name.to_string(), text.to_string()),
            _ => return None,
        },
        Key::Hidden(_) => return None,
    };
    Some(format!("{name}={text}"))
}

fn settings(flag: &str, settings: &[(Key, Value)]) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for setting in settings {
        words.extend([flag.to_owned(), assignment(setting)?]);
    }
    Some(words)
}

fn of_datasets(op: &DslOp) -> Option<Vec<String>> {
    let zfs = |words: &[&str]| {
        let mut all = vec!["zfs".to_owned()];
        all.extend(line(words));
        all
    };
    let mut words;
    Some(match op {
        DslOp::Create {
            name,
            volume: None,
            settings: set,
        } => {
            words = zfs(&["create"]);
            words.extend(settings("-o", set)?);
            words.push(name.to_string());
            words
        }
        DslOp::Create { .. } => return None,
        DslOp::Clone {
            name,
            origin,
            settings: set,
        } => {
            words = zfs(&["clone"]);
            words.extend(settings("-o", set)?);
            words.extend(line(&[origin, name]));
            words
        }
        DslOp::Snapshot {
            names,
            settings: set,
        } => {
            words = zfs(&["snapshot"]);
            words.extend(settings("-o", set)?);
            words.extend(names.iter().map(ToString::to_string));
            words
        }
        DslOp::Destroy { name } | DslOp::DestroyBookmark { name } => zfs(&["destroy", name]),
        DslOp::DestroySnapshots { names, defer } => {
            let (filesystem, _) = names.first()?.split_once('@')?;
            let components: Option<Vec<&str>> = names
                .iter()
                .map(|name| name.strip_prefix(filesystem)?.strip_prefix('@'))
                .collect();
            words = zfs(if *defer {
                &["destroy", "-d"]
            } else {
                &["destroy"]
            });
            words.push(format!("{filesystem}@{}", components?.join(",")));
            words
        }
        DslOp::Rollback { to } => zfs(&["rollback", to]),
        DslOp::Promote { name } => zfs(&["promote", name]),
        DslOp::Rename { from, to } => zfs(&["rename", from, to]),
        DslOp::RenameSnapshot {
            filesystem,
            from,
            to,
            recursive,
        } => {
            words = zfs(if *recursive {
                &["rename", "-r"]
            } else {
                &["rename"]
            });
            words.extend([from, to].map(|name| format!("{filesystem}@{name}")));
            words
        }
        DslOp::Set {
            name,
            settings: set,
        } => {
            words = zfs(&["set"]);
            let set: Option<Vec<String>> = set.iter().map(assignment).collect();
            words.extend(set?);
            words.push(name.to_string());
            words
        }
        DslOp::Inherit { name, key } => match key {
            Key::Native(property) => zfs(&["inherit", property.name(), name]),
            Key::User(property) => zfs(&["inherit", property, name]),
            Key::Hidden(_) => return None,
        },
        DslOp::Bookmark { name, source } => zfs(&["bookmark", source, name]),
        DslOp::Hold { names, tag } => {
            words = zfs(&["hold", tag]);
            words.extend(names.iter().map(ToString::to_string));
            words
        }
        DslOp::Release { names, tag } => {
            words = zfs(&["release", tag]);
            words.extend(names.iter().map(ToString::to_string));
            words
        }
    })
}

/// A number of bytes as short as it goes.
fn size(bytes: u64) -> String {
    let units = [(30, "G"), (20, "M"), (10, "K")];
    let whole = units
        .iter()
        .find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift);
    match whole {
        Some((shift, unit)) => format!("{}{unit}", bytes >> shift),
        None => bytes.to_string(),
    }
}

fn at(at: &At) -> String {
    format!("{}:{}", at.dataset, at.path)
}

fn target(target: &Target) -> String {
    match target {
        Target::Path(path) => at(path),
        Target::Open(handle) => handle.name.to_string(),
        Target::Volume(name) => name.to_string(),
    }
}

fn data(piece: &Piece) -> Option<String> {
    if piece.position != 0 {
        return None;
    }
    Some(match &piece.source {
        Source::Zero => "data=zero".to_owned(),
        Source::Random(seed) => format!("data=random:{seed}"),
        Source::Text(seed) => format!("data=text:{seed}"),
        Source::Bytes(_) => return None,
    })
}

fn of_files(op: &FileOp) -> Option<Vec<String>> {
    Some(match op {
        FileOp::MakeVdev { path, size: bytes } => line(&["vdev", path, &size(*bytes)]),
        FileOp::Write {
            to,
            offset,
            data: piece,
        } => line(&[
            "write",
            &target(to),
            &size(*offset),
            &size(piece.len),
            &data(piece)?,
        ]),
        FileOp::Read { from, offset, len } => {
            line(&["read", &target(from), &size(*offset), &size(*len)])
        }
        FileOp::Truncate { file, size: bytes } => line(&["truncate", &target(file), &size(*bytes)]),
        FileOp::Punch { file, offset, len } => {
            line(&["punch", &target(file), &size(*offset), &size(*len)])
        }
        FileOp::MakeDirectory { at: path } => line(&["mkdir", &at(path)]),
        FileOp::RemoveDirectory { at: path } => line(&["rmdir", &at(path)]),
        FileOp::Unlink { at: path } => line(&["unlink", &at(path)]),
        FileOp::Rename { from, to, how } => {
            let mut words = line(&["rename"]);
            words.extend(match how {
                Renaming::Replace => None,
                Renaming::Keep => Some("--noreplace".to_owned()),
                Renaming::Exchange => Some("--exchange".to_owned()),
                Renaming::Whiteout => Some("--whiteout".to_owned()),
            });
            words.extend([at(from), at(to)]);
            words
        }
        FileOp::Link { from, to } => line(&["link", &target(from), &at(to)]),
        FileOp::Symlink {
            target: text,
            at: path,
        } => line(&["symlink", text, &at(path)]),
        FileOp::MakeSpecial {
            at: path,
            special: Special::CharacterDevice(major, minor),
            mode,
        } => line(&[
            "mknod",
            &format!("{mode:04o}"),
            &at(path),
            "c",
            &format!("{major}:{minor}"),
        ]),
        FileOp::SetMode { file, mode } => line(&["chmod", &format!("{mode:04o}"), &target(file)]),
        FileOp::Stat { file } => line(&["stat", &target(file)]),
        FileOp::Tree { at: path } => line(&["tree", &at(path)]),
        FileOp::Open {
            handle,
            at: path,
            how,
        } if handle.process.is_empty() => {
            let flags = match *how {
                how if how == Opening::plain(false) => "r",
                how if how == Opening::plain(true) => "rw",
                _ => return None,
            };
            line(&["open", &handle.name, &at(path), flags])
        }
        FileOp::Close { handle } if handle.process.is_empty() => line(&["close", &handle.name]),
        FileOp::Mount {
            dataset,
            path,
            options,
            ..
        } => {
            let read_only: &[&str] = if options.read_only {
                &["-o", "ro"]
            } else {
                &[]
            };
            let words = ["mount"].iter().chain(read_only);
            let words: Vec<&str> = words.copied().chain([&**dataset, &**path]).collect();
            line(&words)
        }
        FileOp::Unmount { path, how } => match how {
            Unmount::Plain => line(&["umount", path]),
            Unmount::Force => line(&["umount", "-f", path]),
            Unmount::Lazy => line(&["umount", "-l", path]),
        },
        _ => return None,
    })
}
