//! A layer put onto a tree: which system calls that takes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::changes::above;
use super::{LayerContent, LayerEntry, Tree};
use crate::zpl::op::{At, FileKind, FileOp, NewTime, Target};

/// Why a layer cannot be put onto a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// The path of an entry leads out of the tree, or names nothing in it.
    Path(Arc<str>),
    /// A hard link to a file that is not there.
    MissingTarget {
        /// The entry.
        path: Arc<str>,
        /// What it links to.
        target: Arc<str>,
    },
    /// Part of a path is a file or a link where a directory is needed.
    NotDirectory(Arc<str>),
}

impl std::fmt::Display for ApplyError {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ApplyError::Path(path) => write!(to, "'{path}' is no path inside of a layer"),
            ApplyError::MissingTarget { path, target } => {
                write!(
                    to,
                    "'{path}' is a hard link to '{target}', which is not there"
                )
            }
            ApplyError::NotDirectory(path) => {
                write!(to, "'{path}' would have to be a directory, and is not")
            }
        }
    }
}

impl std::error::Error for ApplyError {}

/// The state of the tree while the plan is made.
struct Plan<'a> {
    dataset: &'a Arc<str>,
    /// What is at each path.
    now: BTreeMap<Arc<str>, FileKind>,
    /// What this layer wrote.
    written: BTreeSet<Arc<str>>,
    calls: Vec<FileOp>,
}

/// The system calls that put a layer onto `tree`, which is what `dataset` holds now (`UnpackLayer` of
/// Docker): whiteouts remove, an opaque directory loses what this layer has not written, anything else
/// replaces what is there, except that directories merge.
pub fn plan(
    dataset: &Arc<str>,
    tree: &Tree,
    layer: &[LayerEntry],
) -> Result<Vec<FileOp>, ApplyError> {
    let now = tree
        .entries
        .iter()
        .map(|entry| (entry.path.clone(), entry.kind()))
        .collect();
    let mut plan = Plan {
        dataset,
        now,
        written: BTreeSet::new(),
        calls: Vec::new(),
    };
    // The times of directories change with what is put into them, so they are set last.
    let mut times = Vec::new();
    for entry in layer {
        plan.entry(entry)?;
        if let LayerContent::Directory(attributes) = &entry.content
            && let Ok(seconds) = u64::try_from(attributes.mtime)
        {
            times.push((entry.path.clone(), seconds));
        }
    }
    for (path, seconds) in times {
        if plan.now.get(&path) == Some(&FileKind::Directory) {
            let at = plan.at(&path);
            plan.calls.push(set_time(at, seconds));
        }
    }
    Ok(plan.calls)
}

impl Plan<'_> {
    fn at(&self, path: &str) -> At {
        At {
            dataset: self.dataset.clone(),
            path: path.into(),
        }
    }

    /// Removes a path with everything below it, the deepest first.
    fn remove(&mut self, path: &str) {
        let below = format!("{path}/");
        let gone: Vec<(Arc<str>, FileKind)> = self
            .now
            .iter()
            .filter(|(it, _)| &***it == path || it.starts_with(&below))
            .map(|(it, kind)| (it.clone(), *kind))
            .collect();
        for (path, kind) in gone.into_iter().rev() {
            let at = self.at(&path);
            self.calls.push(match kind {
                FileKind::Directory => FileOp::RemoveDirectory { at },
                FileKind::File | FileKind::Link | FileKind::Special(_) => FileOp::Unlink { at },
            });
            self.now.remove(&path);
            self.written.remove(&path);
        }
    }

    /// Makes the directories above a path that are missing.
    fn make_above(&mut self, path: &str) -> Result<(), ApplyError> {
        let Some(directory) = above(path).filter(|directory| *directory != "/") else {
            return Ok(());
        };
        match self.now.get(directory) {
            Some(FileKind::Directory) => Ok(()),
            Some(_) => Err(ApplyError::NotDirectory(directory.into())),
            None => {
                self.make_above(directory)?;
                let at = self.at(directory);
                self.calls.push(FileOp::MakeDirectory { at });
                self.now.insert(directory.into(), FileKind::Directory);
                Ok(())
            }
        }
    }

    fn entry(&mut self, entry: &LayerEntry) -> Result<(), ApplyError> {
        let path = &entry.path;
        let is_root = &**path == "/";
        let names = path.strip_prefix('/').unwrap_or("");
        if !is_root && names.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return Err(ApplyError::Path(path.clone()));
        }
        match &entry.content {
            LayerContent::Whiteout if is_root => return Err(ApplyError::Path(path.clone())),
            LayerContent::Whiteout => {
                self.remove(path);
                return Ok(());
            }
            LayerContent::Opaque => {
                let prefix = if is_root {
                    "/".to_owned()
                } else {
                    format!("{path}/")
                };
                let lower: Vec<Arc<str>> = self
                    .now
                    .keys()
                    .filter(|it| it.starts_with(&prefix) && ***it != *"/")
                    .filter(|it| !self.keeps(it))
                    .cloned()
                    .collect();
                for path in &lower {
                    self.remove(path);
                }
                return Ok(());
            }
            LayerContent::Directory(_) => {}
            _ if is_root => return Err(ApplyError::Path(path.clone())),
            _ => {}
        }
        self.make_above(path)?;
        let is_directory = matches!(entry.content, LayerContent::Directory(_));
        let merges = is_directory && self.now.get(path) == Some(&FileKind::Directory);
        if !merges {
            self.remove(path);
        }
        let at = self.at(path);
        let (kind, attributes) = match &entry.content {
            LayerContent::Directory(attributes) => {
                if !merges {
                    self.calls.push(FileOp::MakeDirectory { at: at.clone() });
                }
                (FileKind::Directory, Some(attributes))
            }
            LayerContent::File(attributes, pieces) => {
                let mut offset = 0;
                // An empty file takes a write too, of nothing: it makes the file.
                let empty = [crate::dmu::data::Piece::zeros(0)];
                for piece in if pieces.is_empty() {
                    &empty[..]
                } else {
                    pieces
                } {
                    let to = Target::Path(at.clone());
                    self.calls.push(FileOp::Write {
                        to,
                        offset,
                        data: piece.clone(),
                    });
                    offset += piece.len;
                }
                (FileKind::File, Some(attributes))
            }
            LayerContent::Link(attributes, target) => {
                self.calls.push(FileOp::Symlink {
                    target: target.clone(),
                    at: at.clone(),
                });
                (FileKind::Link, Some(attributes))
            }
            LayerContent::Special(attributes, special) => {
                self.calls.push(FileOp::MakeSpecial {
                    at: at.clone(),
                    special: *special,
                    mode: 0o600,
                });
                (FileKind::Special(*special), Some(attributes))
            }
            LayerContent::HardLink(target) => {
                let Some(&kind) = self.now.get(target) else {
                    return Err(ApplyError::MissingTarget {
                        path: path.clone(),
                        target: target.clone(),
                    });
                };
                let from = self.at(target);
                self.calls.push(FileOp::Link {
                    from: Target::Path(from),
                    to: at.clone(),
                });
                (kind, None)
            }
            LayerContent::Whiteout | LayerContent::Opaque => return Ok(()),
        };
        if let Some(attributes) = attributes {
            let (uid, gid) = (attributes.uid, attributes.gid);
            self.calls.push(FileOp::SetOwner {
                file: Target::Path(at.clone()),
                uid,
                gid,
            });
            if kind != FileKind::Link {
                self.calls.push(FileOp::SetMode {
                    file: Target::Path(at.clone()),
                    mode: attributes.mode,
                });
            }
            if kind != FileKind::Directory
                && let Ok(seconds) = u64::try_from(attributes.mtime)
            {
                self.calls.push(set_time(at, seconds));
            }
        }
        self.now.insert(path.clone(), kind);
        self.written.insert(path.clone());
        Ok(())
    }

    /// Whether a path was written by this layer, or lies above what was.
    fn keeps(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.written
            .iter()
            .any(|it| &**it == path || it.starts_with(&below))
    }
}

/// The call that sets when a file was last changed, in seconds since 1970.
fn set_time(at: At, seconds: u64) -> FileOp {
    FileOp::SetTimes {
        file: Target::Path(at),
        modification: NewTime::Seconds(seconds),
        access: NewTime::Keep,
    }
}
