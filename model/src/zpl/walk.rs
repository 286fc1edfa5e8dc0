//! Following paths beneath a root, as `openat2` does with `RESOLVE_IN_ROOT | RESOLVE_NO_XDEV`.

use std::cell::RefCell;

use crate::dmu::{ObjectId, Objset, ROOT};
use crate::outcome::Errno;
use crate::zpl::control;
use crate::zpl::fold::Folding;
use crate::zpl::permission::{Credentials, EXECUTE, may_follow};
use crate::zpl::znode::Body;

/// Longest name of a file, in bytes (`ZAP_MAXNAMELEN` without the final zero byte).
const MAX_NAME: usize = 255;

/// Longest path that a system call takes, in bytes (`PATH_MAX` without the final zero byte).
const MAX_PATH: usize = 4095;

/// Most symbolic links on one path (`MAXSYMLINKS`).
pub(super) const MAX_LINKS: u32 = 40;

/// A tree to follow paths in.
pub(super) struct Walk<'a> {
    /// Its objects.
    pub objset: &'a Objset,
    /// Whether another dataset is mounted on a directory: going there is `EXDEV`.
    pub crosses: &'a dyn Fn(ObjectId) -> bool,
    /// How names are compared.
    pub folding: Folding,
    /// Who goes there.
    pub user: &'a Credentials,
    /// Whether there is a control directory in the root: a path that leads there ends with `ENOENT`.
    pub has_control: bool,
    /// What was met on the way.
    pub trail: RefCell<Trail>,
}

/// What a walk met.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    /// The symbolic links that were followed: to follow one is to read it (`pick_link`).
    pub followed: Vec<ObjectId>,
    /// The rest of a path that led into the control directory.
    pub control: Option<Vec<String>>,
}

/// The end of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The directory that the last name is in.
    pub directory: ObjectId,
    /// The last name; none when the path is the root, `.` or `..`.
    pub name: Option<String>,
}

impl Walk<'_> {
    fn entries(&self, directory: ObjectId) -> Result<&Body, Errno> {
        match self.objset.get(directory).map(|znode| &znode.body) {
            Some(body @ Body::Directory { .. }) => Ok(body),
            Some(_) => Err(Errno::ENOTDIR),
            None => Err(Errno::ENOENT),
        }
    }

    /// Whether the user may look something up in a directory (`may_lookup`).
    fn may_search(&self, directory: ObjectId) -> Result<(), Errno> {
        let znode = self.objset.get(directory).ok_or(Errno::ENOENT)?;
        self.user.may(znode, EXECUTE)
    }

    /// The name that a directory has for this one; itself where it has none.
    fn stored(&self, directory: ObjectId, name: &str) -> String {
        if !self.folding.is_none()
            && let Ok(Body::Directory { entries, .. }) = self.entries(directory)
            && entries.get(name).is_none()
        {
            let folded = self.folding.fold(name);
            let mut same = entries.keys().filter(|it| self.folding.fold(it) == folded);
            if let Some(stored) = same.next() {
                return stored.to_string();
            }
        }
        name.to_owned()
    }

    /// What a directory has under a name (`zpl_lookup`).
    pub fn lookup(&self, directory: ObjectId, name: &str) -> Result<Option<ObjectId>, Errno> {
        let Body::Directory { entries, .. } = self.entries(directory)? else {
            return Err(Errno::ENOTDIR);
        };
        if name.len() > MAX_NAME {
            return Err(Errno::ENAMETOOLONG);
        }
        Ok(entries.get(name).copied())
    }

    /// Follows a path up to its last name. With `follow`, a symbolic link that is the last name is
    /// followed too, so that the result names what it leads to, be it there or not.
    fn go<'p>(&'p self, path: &'p str, follow: bool) -> Result<Name, Errno> {
        if path.len() > MAX_PATH {
            return Err(Errno::ENAMETOOLONG);
        }
        let mut directory = ROOT;
        let mut links = 0;
        // Components still to go, the next one last.
        let mut rest = components(path);
        while let Some(component) = rest.pop() {
            let Body::Directory { parent, .. } = self.entries(directory)? else {
                return Err(Errno::ENOTDIR);
            };
            self.may_search(directory)?;
            match component {
                "." => continue,
                ".." => {
                    directory = *parent;
                    continue;
                }
                _ => {}
            }
            if self.has_control && directory == ROOT && component == control::NAME {
                let rest = rest.iter().rev().map(|it| (*it).to_owned());
                self.trail.borrow_mut().control = Some(rest.collect());
                return Err(Errno::ENOENT);
            }
            let last = rest.is_empty();
            let component = &*self.stored(directory, component);
            let found = self.lookup(directory, component)?;
            let link = found.and_then(|id| match &self.objset.get(id)?.body {
                Body::Link(target) => Some((id, target)),
                _ => None,
            });
            match (found, link) {
                (_, Some((id, target))) if !last || follow => {
                    if links == MAX_LINKS {
                        return Err(Errno::ELOOP);
                    }
                    links += 1;
                    if last {
                        may_follow(self.user, self.objset, directory, id)?;
                    }
                    self.trail.borrow_mut().followed.push(id);
                    if target.starts_with('/') {
                        directory = ROOT;
                    }
                    rest.append(&mut components(target));
                    if rest.is_empty() {
                        return Ok(Name {
                            directory,
                            name: None,
                        });
                    }
                }
                _ if last => {
                    if follow && found.is_some_and(|id| (self.crosses)(id)) {
                        return Err(Errno::EXDEV);
                    }
                    return Ok(Name {
                        directory,
                        name: Some(component.to_owned()),
                    });
                }
                (None, _) => return Err(Errno::ENOENT),
                (Some(id), _) => {
                    if (self.crosses)(id) {
                        return Err(Errno::EXDEV);
                    }
                    directory = id;
                }
            }
        }
        self.entries(directory)?;
        Ok(Name {
            directory,
            name: None,
        })
    }

    /// The directory that a path's last name is in, and that name.
    pub fn parent(&self, path: &str) -> Result<Name, Errno> {
        self.go(path, false)
    }

    /// Where a file is, or would be made, with symbolic links followed to the end.
    pub fn target(&self, path: &str) -> Result<(Name, Option<ObjectId>), Errno> {
        let name = self.go(path, true)?;
        let found = match &name.name {
            Some(last) => self.lookup(name.directory, last)?,
            None => Some(name.directory),
        };
        Ok((name, found))
    }

    /// What is at a path, with symbolic links followed.
    pub fn find(&self, path: &str) -> Result<ObjectId, Errno> {
        self.target(path)?.1.ok_or(Errno::ENOENT)
    }

    /// What is at a path; a symbolic link at its end is not followed.
    pub fn find_link(&self, path: &str) -> Result<ObjectId, Errno> {
        let name = self.parent(path)?;
        let found = match &name.name {
            Some(last) => self.lookup(name.directory, last)?.ok_or(Errno::ENOENT)?,
            None => name.directory,
        };
        if (self.crosses)(found) && found != ROOT {
            return Err(Errno::EXDEV);
        }
        Ok(found)
    }

    /// Whether `directory` is `above` or lies beneath it.
    pub fn is_beneath(&self, mut directory: ObjectId, above: ObjectId) -> bool {
        loop {
            if directory == above {
                return true;
            }
            match self.entries(directory) {
                Ok(Body::Directory { parent, .. }) if *parent != directory => directory = *parent,
                _ => return false,
            }
        }
    }
}

/// The components of a path, the first one last. A slash at the end asks for a directory.
fn components(path: &str) -> Vec<&str> {
    let mut components: Vec<_> = path.split('/').filter(|name| !name.is_empty()).collect();
    if path.ends_with('/') && !components.is_empty() {
        components.push(".");
    }
    components.reverse();
    components
}
