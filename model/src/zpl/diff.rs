//! What differs between two states of a filesystem, object by object (`dmu_diff`, `write_inuse_diffs_one`).

use std::collections::BTreeSet;

use crate::dmu::{ObjectId, Objset, ROOT};
use crate::zpl::op::FileKind;
use crate::zpl::znode::{Body, Znode};

/// One line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What happened.
    pub what: What,
    /// What it is now, or was.
    pub kind: FileKind,
    /// Where it was, or where it is when that is not known or not different: a path from the root of the dataset.
    pub path: String,
}

/// What happened to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It was made.
    Added,
    /// It is gone.
    Removed,
    /// It is another one.
    Modified,
    /// It has so many names more, or less.
    Links(i64),
    /// It has this path now.
    Renamed(String),
}

/// The path of an object, as far as it is known.
enum Path {
    /// There is no such object, or it has no path any more.
    None,
    Some(String),
}

/// What stands for the path of a file without a name.
const ON_DELETE_QUEUE: &str = "(on_delete_queue)";

/// What stands for the name of a directory of extended attributes.
const XATTR_DIRECTORY: &str = "<xattrdir>";

/// The differences between two objsets in the order of objects, or what of them nobody can know.
pub fn differences(from: &Objset, to: &Objset) -> Result<Vec<Difference>, &'static str> {
    let mut found = Vec::new();
    let objects: BTreeSet<ObjectId> = from.iter().chain(to.iter()).map(|(id, _)| id).collect();
    for object in objects {
        match (from.get(object), to.get(object)) {
            (old, Some(new)) => in_use(&mut found, object, (from, old), (to, new))?,
            (Some(old), None) if !from.is_queued(object) => {
                if let Path::Some(path) = path(from, object)? {
                    found.push(Difference {
                        what: What::Removed,
                        kind: old.kind(),
                        path,
                    });
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// An object that the later state has.
fn in_use(
    found: &mut Vec<Difference>,
    object: ObjectId,
    (from, old): (&Objset, Option<&Znode>),
    (to, new): (&Objset, &Znode),
) -> Result<(), &'static str> {
    if old.is_some_and(|old| is_untouched(old, new)) {
        return Ok(());
    }
    let before = match old {
        Some(_) => path(from, object)?,
        None => Path::None,
    };
    let after = path(to, object)?;
    let mut tell = |what, znode: &Znode, path: &str| {
        found.push(Difference {
            what,
            kind: znode.kind(),
            path: path.to_owned(),
        });
    };
    let count = |znode: Option<&Znode>| znode.map_or(0, |it| it.links);
    let is_directory = old.is_some_and(Znode::is_directory) || new.is_directory();
    let links = if is_directory || count(old) == 0 || count(Some(new)) == 0 {
        0
    } else {
        signed(count(Some(new))) - signed(count(old))
    };
    match (before, after, old) {
        // Without an old one there was no path.
        (Path::None, Path::None, _) | (Path::Some(_), _, None) => {}
        (Path::None, Path::Some(after), _) if links != 0 => tell(What::Links(links), new, &after),
        (Path::None, Path::Some(after), _) => tell(What::Added, new, &after),
        (Path::Some(before), Path::None, Some(old)) if links != 0 => {
            tell(What::Links(links), old, &before);
        }
        (Path::Some(before), Path::None, Some(old)) => tell(What::Removed, old, &before),
        (Path::Some(before), Path::Some(after), Some(old)) => {
            let is_same = old.generation == new.generation && same_type(old, new);
            if !is_same {
                tell(What::Removed, old, &before);
                tell(What::Added, new, &after);
            } else if links != 0 {
                let path = if links > 0 { &before } else { &after };
                tell(What::Links(links), new, path);
            } else if before == after {
                tell(What::Modified, new, &before);
            } else {
                tell(What::Renamed(after), new, &before);
            }
        }
    }
    Ok(())
}

/// Whether nothing changed as far as anybody looks.
fn is_untouched(old: &Znode, new: &Znode) -> bool {
    old.generation == new.generation && same_type(old, new) && old.times.change == new.times.change
}

fn same_type(old: &Znode, new: &Znode) -> bool {
    old.kind().letter() == new.kind().letter()
}

fn signed(links: u64) -> i64 {
    i64::try_from(links).unwrap_or(i64::MAX)
}

/// `zfs_obj_to_path_impl`: from the object up, each by its name in the directory that it was last put into.
fn path(objset: &Objset, object: ObjectId) -> Result<Path, &'static str> {
    if objset.is_queued(object) {
        return Ok(Path::Some(ON_DELETE_QUEUE.to_owned()));
    }
    let mut names: Vec<&str> = Vec::new();
    let mut at = object;
    while at != ROOT {
        let Some(znode) = objset.get(at) else {
            return Ok(Path::None);
        };
        let above = znode.parent;
        let Some(parent) = objset.get(above) else {
            return Ok(Path::None);
        };
        let xattrs = parent.xattrs.as_ref().and_then(|it| it.directory);
        if xattrs == Some(at) {
            names.push(XATTR_DIRECTORY);
            at = above;
            continue;
        }
        let Body::Directory { entries, .. } = &parent.body else {
            return Err("the path of a file whose directory became something else");
        };
        let mut mine = entries.iter().filter(|(_, id)| **id == at);
        match (mine.next(), mine.next()) {
            (None, _) => return Ok(Path::None),
            (Some((name, _)), None) => names.push(name),
            (Some(_), Some(_)) => return Err("which of its names in one directory a file has"),
        }
        at = above;
    }
    names.reverse();
    Ok(Path::Some(format!("/{}", names.join("/"))))
}
