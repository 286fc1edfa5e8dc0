//! How results of verbs print: the same on every arm.

use std::collections::HashMap;

use ztwin_model::dmu::data::{Piece, push_range};
use ztwin_model::dmu::storage::Figure;
use ztwin_model::layer::{Content, Entry};
use ztwin_model::zpl::op::{
    FileKind, FileOp, FileResult, Filesystem, Identity, Moment, Stat, Told,
};
use ztwin_model::zpl::znode::Special;

use super::Printed;
use crate::compare::BETWEEN;

/// The first 16 hexadecimal digits of a BLAKE3 hash.
pub(super) fn digest_of(hash: blake3::Hash) -> String {
    hash.to_hex()[..16].to_owned()
}

/// The longest content that is read as a whole, in bytes. What is longer is mostly holes, and would take hours.
const LONGEST_READ: u64 = 1 << 30;

/// How much is read at each end of what is longer, in bytes.
const END: u64 = 1 << 20;

/// The parts of a content of this length that its digest tells of, as offsets and lengths, and what the digest
/// is called.
pub(super) fn told_of(len: u64) -> (Vec<(u64, u64)>, &'static str) {
    if len <= LONGEST_READ {
        (vec![(0, len)], "blake3")
    } else {
        (vec![(0, END), (len - END, END)], "blake3-of-ends")
    }
}

/// The digest of the bytes of these pieces.
pub(super) fn digest(pieces: &[Piece]) -> String {
    let (parts, name) = told_of(pieces.iter().map(|piece| piece.len).sum());
    let mut told = Vec::new();
    for (offset, len) in parts {
        push_range(&mut told, pieces, offset, len);
    }
    let pieces = told;
    let mut hasher = blake3::Hasher::new();
    for piece in pieces {
        piece.chunks(&mut |chunk| {
            hasher.update(chunk);
            true
        });
    }
    format!("{name}:{}", digest_of(hasher.finalize()))
}

/// The digest of lines, each with its newline.
pub(super) fn digest_lines(lines: &[String]) -> String {
    let mut hasher = blake3::Hasher::new();
    for line in lines {
        hasher.update(line.as_bytes());
        hasher.update(b"\n");
    }
    format!("blake3:{}", digest_of(hasher.finalize()))
}

/// Digests that were computed once: symbolic content is cheap to compare and slow to generate.
#[derive(Debug, Default)]
pub(super) struct Digests {
    known: HashMap<Vec<Piece>, String>,
}

impl Digests {
    /// The digest of these pieces.
    pub fn of(&mut self, pieces: &[Piece]) -> String {
        if let Some(known) = self.known.get(pieces) {
            return known.clone();
        }
        let digest = digest(pieces);
        self.known.insert(pieces.to_vec(), digest.clone());
        digest
    }
}

/// A size as people write it: in K where that is exact.
pub(super) fn kilo(bytes: u64) -> String {
    if bytes > 0 && bytes.is_multiple_of(1024) {
        format!("{}K", bytes / 1024)
    } else {
        bytes.to_string()
    }
}

/// A name as it stands in a line: control characters and backslashes are escaped.
fn shown(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter.is_control() || letter == '\\' {
            text.extend(letter.escape_default());
        } else {
            text.push(letter);
        }
    }
    text
}

/// The line of `tree` for an entry; `digest` is that of a regular file's content.
pub(super) fn entry(entry: &Entry, digest: impl FnOnce(&[Piece]) -> String) -> String {
    let after = match &entry.content {
        Content::File(pieces) => format!(" {}", digest(pieces)),
        Content::Directory => String::new(),
        Content::Link(target) => format!(" -> {}", shown(target)),
        Content::Special(special) => device(*special),
    };
    format!(
        "{} {:04o} {} {}:{} {} {}{after}",
        entry.kind().letter(),
        entry.mode,
        entry.links,
        entry.uid,
        entry.gid,
        entry.size,
        shown(&entry.path),
    )
}

/// The numbers of a device, behind a blank.
fn device(special: Special) -> String {
    match special.device() {
        Some((major, minor)) => format!(" {major}:{minor}"),
        None => String::new(),
    }
}

fn moment(moment: Moment) -> String {
    match moment {
        Moment::Ago(steps) => steps.to_string(),
        Moment::Set(seconds) => format!("@{seconds}"),
    }
}

/// How many steps ago it happened, or what it was set to.
fn times(told: &Told) -> String {
    format!(
        "mtime={} ctime={} atime={} birth={}",
        moment(told.modification),
        moment(told.change),
        moment(told.access),
        moment(told.birth),
    )
}

fn stat(stat: &Stat) -> String {
    let block = match (stat.block_size, stat.kind) {
        (Some(size), _) => format!(" block={size}"),
        (None, FileKind::Special(special)) => device(special),
        (None, _) => String::new(),
    };
    format!(
        "{} {:04o} {} {}:{} {}{block}",
        stat.kind.letter(),
        stat.mode,
        stat.links,
        stat.uid,
        stat.gid,
        stat.size,
    )
}

fn filesystem(it: &Filesystem) -> String {
    let mode = if it.read_only { "ro" } else { "rw" };
    format!(
        "block {} used {} free {} objects {} namelen {} {mode}",
        it.block_size,
        figure(it.used),
        figure(it.free),
        it.objects,
        it.longest_name,
    )
}

/// A number, or between which two it lies.
fn figure(figure: Figure) -> String {
    if figure.least == figure.most {
        figure.least.to_string()
    } else {
        format!("{}{}..{}>", BETWEEN.marker, figure.least, figure.most)
    }
}

/// What a verb prints when its call succeeded.
pub(super) fn result(op: &FileOp, result: Option<&FileResult>) -> Printed {
    match result {
        None => Printed::default(),
        Some(FileResult::Data(pieces)) => {
            let len: u64 = pieces.iter().map(|piece| piece.len).sum();
            Printed::line(&format!("{len} {}", digest(pieces)))
        }
        Some(FileResult::Text(text)) => Printed::line(&shown(text)),
        Some(FileResult::Count(bytes)) => Printed::line(&bytes.to_string()),
        Some(FileResult::Names(names)) => Printed {
            out: names
                .iter()
                .map(|name| shown(name) + "\n")
                .collect::<String>()
                .into_bytes(),
            ..Printed::default()
        },
        Some(FileResult::Stat(it)) => Printed::line(&stat(it)),
        Some(FileResult::Times(told)) => Printed::line(&times(told)),
        Some(FileResult::Identity(identity)) => Printed::line(match identity {
            Identity::Same => "same",
            Identity::OtherFile => "other file",
            Identity::OtherDataset => "other dataset",
        }),
        Some(FileResult::Filesystem(it)) => Printed::line(&filesystem(it)),
        Some(FileResult::Entries(entries)) => {
            let lines = entries.iter();
            let lines = lines.map(|(name, letter)| format!("{letter} {}\n", shown(name)));
            Printed {
                out: lines.collect::<Vec<_>>().concat().into_bytes(),
                ..Printed::default()
            }
        }
        Some(FileResult::Tree(tree)) => {
            let mut out = String::new();
            for it in &tree.entries {
                out += &entry(it, digest);
                out.push('\n');
            }
            Printed {
                out: out.into_bytes(),
                ..Printed::default()
            }
        }
        Some(FileResult::Blocks(files)) => {
            let lines = files.iter().map(|file| {
                let blocks = figure(file.blocks);
                format!("{blocks} {} {}\n", file.block_size, shown(&file.path))
            });
            Printed {
                out: lines.collect::<String>().into_bytes(),
                ..Printed::default()
            }
        }
        Some(FileResult::Ranges(ranges)) => {
            debug_assert!(
                matches!(op, FileOp::Shared { .. }),
                "only `shared` returns ranges"
            );
            let ranges = ranges
                .iter()
                .map(|(start, end)| format!("{}-{}", kilo(*start), kilo(*end)));
            Printed::line(&ranges.collect::<Vec<_>>().join(" "))
        }
    }
}
