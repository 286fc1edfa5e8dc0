//! A layer put onto a tree: which system calls that takes, by daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::changes::above;
use super::member::{LINKS, META, OPAQUE, WHITEOUT, is_local, rooted};
use super::{Content, Daemon, Member, MemberContent, Tree};
use crate::outcome::Errno;
use crate::zpl::op::{At, FileKind, FileOp, NewTime, Target};

/// Why a daemon refuses a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// A name leads out of the layer.
    Name(Arc<str>),
    /// A path leads out of the layer through a symbolic link.
    Escape(Arc<str>),
    /// A whiteout of nothing, or of the directory that it is in, or of what is above that.
    Whiteout(Arc<str>),
    /// Of a kind that no daemon knows.
    Unknown {
        /// The entry.
        name: Arc<str>,
        /// The byte that stands for its kind.
        kind: u8,
    },
    /// A hard link to something that aufs would have kept, and did not.
    MissingLink(Arc<str>),
    /// A system call on this path fails.
    Call {
        /// The path, from the layer's root.
        path: Arc<str>,
        /// How.
        errno: Errno,
    },
}

impl std::fmt::Display for ApplyError {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ApplyError::Name(name) => write!(to, "invalid entry name \"{name}\""),
            ApplyError::Escape(path) => write!(to, "{path}: path escapes from parent"),
            ApplyError::Whiteout(name) => {
                write!(to, "invalid whiteout name: {name}: invalid archive")
            }
            ApplyError::Unknown { name, kind } => {
                write!(to, "{name}: unhandled tar header type {kind}")
            }
            ApplyError::MissingLink(_) => write!(to, "invalid aufs hardlink"),
            ApplyError::Call { path, errno } => write!(to, "{path}: {}", errno.name()),
        }
    }
}

impl std::error::Error for ApplyError {}

/// What is at a path.
#[derive(Clone, Debug)]
struct Node {
    kind: FileKind,
    /// Of a symbolic link.
    target: Option<Arc<str>>,
}

/// The state of the tree while the plan is made.
struct Plan<'a> {
    dataset: &'a Arc<str>,
    daemon: Daemon,
    /// What is at each path.
    now: BTreeMap<Arc<str>, Node>,
    /// What this layer wrote, as opaque directories count it.
    written: BTreeSet<String>,
    /// The files of aufs that several names lead to.
    linked: BTreeMap<String, &'a Member>,
    calls: Vec<FileOp>,
}

/// Where a path leads.
enum Found {
    /// To this path, which is there, or can be made in a directory that is there.
    At(String),
    /// Nowhere: the path of the first name that is missing, and the names behind it.
    Missing {
        first: String,
        behind: Vec<String>,
        /// Whether the missing name is one of a symbolic link's.
        through_link: bool,
    },
}

/// How symbolic links on the way are followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follow {
    /// All but that at the end, as the kernel does in a `chroot`.
    Way,
    /// All.
    All,
}

/// The kernel follows so many symbolic links.
const KERNEL_LINKS: usize = 40;

/// Daemons themselves follow so many.
const DAEMON_LINKS: usize = 255;

/// `os.Root` of Go, by which Docker 29 does everything, follows so many.
const ROOT_LINKS: usize = 8;

/// The system calls by which `daemon` puts a layer onto `tree`, which is what `dataset` holds now: whiteouts
/// remove, an opaque directory loses what this layer has not written, anything else replaces what is there,
/// except that directories merge. An error is what the daemon stops at; what it did before stays.
pub fn plan(
    dataset: &Arc<str>,
    tree: &Tree,
    layer: &[Member],
    daemon: Daemon,
) -> Result<Vec<FileOp>, ApplyError> {
    let node = |content: &Content, kind| Node {
        kind,
        target: match content {
            Content::Link(target) => Some(target.clone()),
            _ => None,
        },
    };
    let now = tree
        .entries
        .iter()
        .map(|it| (it.path.clone(), node(&it.content, it.kind())))
        .collect();
    let mut plan = Plan {
        dataset,
        daemon,
        now,
        written: BTreeSet::new(),
        linked: BTreeMap::new(),
        calls: Vec::new(),
    };
    // The times of directories change with what is put into them, so they are set last.
    let mut times = Vec::new();
    for member in layer {
        if let Some(path) = plan.member(member)?
            && member.content == MemberContent::Directory
        {
            let path = match daemon {
                Daemon::Docker29 => path,
                // They go by the name once more.
                _ => rooted(&member.name),
            };
            times.push((path, member.attributes.mtime));
        }
    }
    for (path, mtime) in times {
        let found = if daemon.is_containerd() {
            Found::At(plan.resolve(&path)?)
        } else {
            plan.find(&path, Follow::All)?
        };
        let Found::At(path) = found else {
            return Err(call(&path, Errno::ENOENT));
        };
        if !plan.now.contains_key(&*path) {
            return Err(call(&path, Errno::ENOENT));
        }
        plan.set_time(&path, mtime);
    }
    Ok(plan.calls)
}

fn call(path: &str, errno: Errno) -> ApplyError {
    ApplyError::Call {
        path: path.into(),
        errno,
    }
}

/// `name` in the directory `directory`.
fn join(directory: &str, name: &str) -> String {
    let slash = if directory == "/" { "" } else { "/" };
    format!("{directory}{slash}{name}")
}

impl<'a> Plan<'a> {
    fn at(&self, path: &str) -> At {
        At {
            dataset: self.dataset.clone(),
            path: path.into(),
        }
    }

    fn kind(&self, path: &str) -> Option<FileKind> {
        self.now.get(path).map(|node| node.kind)
    }

    fn is_directory(&self, path: &str) -> bool {
        self.kind(path) == Some(FileKind::Directory)
    }

    /// Where a path leads for the kernel, or for Docker 29: its root is not one of a `chroot`, and what leads out of it
    /// escapes, like a link that starts at `/`.
    fn find(&self, path: &str, follow: Follow) -> Result<Found, ApplyError> {
        // The names that are left, the next one last, and whether a link brought them.
        let mut left: Vec<(String, bool)> = path
            .rsplit('/')
            .filter(|name| !name.is_empty())
            .map(|name| (name.to_owned(), false))
            .collect();
        let is_docker_29 = self.daemon == Daemon::Docker29;
        let most = if is_docker_29 {
            ROOT_LINKS
        } else {
            KERNEL_LINKS
        };
        let mut here = "/".to_owned();
        let mut links = 0;
        while let Some((name, through_link)) = left.pop() {
            match &*name {
                "." => continue,
                ".." if is_docker_29 && here == "/" => {
                    return Err(ApplyError::Escape(path.into()));
                }
                ".." => {
                    here = above(&here).unwrap_or("/").to_owned();
                    continue;
                }
                _ => {}
            }
            let next = join(&here, &name);
            let Some(node) = self.now.get(&*next) else {
                if left.is_empty() && !through_link {
                    return Ok(Found::At(next));
                }
                let behind = left.into_iter().rev().map(|(name, _)| name).collect();
                return Ok(Found::Missing {
                    first: next,
                    behind,
                    through_link,
                });
            };
            match &node.target {
                Some(target) if !left.is_empty() || follow == Follow::All => {
                    links += 1;
                    if links > most {
                        return Err(call(path, Errno::ELOOP));
                    }
                    if target.starts_with('/') {
                        if is_docker_29 {
                            return Err(ApplyError::Escape(path.into()));
                        }
                        "/".clone_into(&mut here);
                    }
                    let names = target.rsplit('/').filter(|name| !name.is_empty());
                    left.extend(names.map(|name| (name.to_owned(), true)));
                }
                _ if node.kind != FileKind::Directory && !left.is_empty() => {
                    return Err(call(path, Errno::ENOTDIR));
                }
                _ => here = next,
            }
        }
        Ok(Found::At(here))
    }

    /// Where a directory is for a daemon that follows links itself: what is missing counts as there.
    fn resolve(&self, path: &str) -> Result<String, ApplyError> {
        self.resolve_and_tell(path).map(|(path, _)| path)
    }

    /// The same, and whether the first link that led out was one that starts at the root.
    fn resolve_and_tell(&self, path: &str) -> Result<(String, bool), ApplyError> {
        let mut left: Vec<String> = path
            .rsplit('/')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        let mut here = "/".to_owned();
        let (mut links, mut is_absolute, mut leads_out) = (0, false, false);
        while let Some(name) = left.pop() {
            match &*name {
                "." => continue,
                ".." => {
                    here = above(&here).unwrap_or("/").to_owned();
                    continue;
                }
                _ => {}
            }
            let next = join(&here, &name);
            let node = self.now.get(&*next);
            let Some(target) = node.and_then(|node| node.target.as_ref()) else {
                if node.is_some_and(|node| node.kind != FileKind::Directory) && !left.is_empty() {
                    return Err(call(path, Errno::ENOTDIR));
                }
                here = next;
                continue;
            };
            links += 1;
            if links > DAEMON_LINKS {
                return Err(call(path, Errno::ELOOP));
            }
            if target.starts_with('/') {
                is_absolute = true;
                "/".clone_into(&mut here);
            } else if !is_absolute {
                let relative = join(&here, target);
                leads_out |= !is_local(relative.trim_start_matches('/'));
            }
            left.extend(
                target
                    .rsplit('/')
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned),
            );
        }
        Ok((here, is_absolute && !leads_out))
    }

    /// Where a directory is for Docker 29, if not where its name leads (`resolveArchivePath` of go-archive): what is
    /// missing, or behind a link that starts at the root, is looked for.
    fn elsewhere(&self, directory: &str) -> Result<Option<String>, ApplyError> {
        let found = self.find(directory, Follow::All);
        match &found {
            Ok(Found::At(path)) if self.now.contains_key(&**path) => return Ok(None),
            Ok(_) | Err(ApplyError::Escape(_)) => {}
            Err(error) => return Err(error.clone()),
        }
        let (resolved, starts_over) = self.resolve_and_tell(directory)?;
        if !starts_over {
            found?;
        }
        Ok(Some(resolved))
    }

    /// Everything below a path, in the order of its paths.
    fn below(&self, path: &str) -> Vec<(Arc<str>, FileKind)> {
        let start = if path == "/" {
            "/".to_owned()
        } else {
            format!("{path}/")
        };
        // What follows `/` among the bytes.
        let end = format!("{}0", &start[..start.len() - 1]);
        let range = (
            Bound::Excluded(start.as_str()),
            Bound::Excluded(end.as_str()),
        );
        self.now
            .range::<str, _>(range)
            .map(|(path, node)| (path.clone(), node.kind))
            .collect()
    }

    /// Removes a path with everything below it, the deepest first.
    fn remove(&mut self, path: &str) {
        let mut gone = self.below(path);
        if let Some(kind) = self.kind(path) {
            gone.insert(0, (path.into(), kind));
        }
        for (path, kind) in gone.into_iter().rev() {
            let at = self.at(&path);
            self.calls.push(match kind {
                FileKind::Directory => FileOp::RemoveDirectory { at },
                FileKind::File | FileKind::Link | FileKind::Special(_) => FileOp::Unlink { at },
            });
            self.now.remove(&path);
        }
    }

    /// Removes what a path leads to, as `RemoveAll` of Go: what is missing is as good.
    fn remove_all(&mut self, path: &str) -> Result<(), ApplyError> {
        if path == "/" {
            // The root cannot go, but what is in it would before that shows.
            return Err(call("/", Errno::EBUSY));
        }
        if let Found::At(path) = self.find(path, Follow::Way)? {
            self.remove(&path);
        }
        Ok(())
    }

    fn make_directory(&mut self, path: &str) {
        let at = self.at(path);
        self.calls.push(FileOp::MakeDirectory { at: at.clone() });
        if self.daemon == Daemon::Docker20 {
            self.calls.push(FileOp::SetMode {
                file: Target::Path(at),
                mode: 0o600,
            });
        }
        let node = Node {
            kind: FileKind::Directory,
            target: None,
        };
        self.now.insert(path.into(), node);
    }

    /// Makes the directories that are missing on the way to one that no link is on.
    fn make_all(&mut self, directory: &str) -> Result<(), ApplyError> {
        match self.kind(directory) {
            Some(FileKind::Directory) => Ok(()),
            Some(_) => Err(call(directory, Errno::ENOTDIR)),
            None => {
                if let Some(above) = above(directory) {
                    self.make_all(above)?;
                }
                self.make_directory(directory);
                Ok(())
            }
        }
    }

    /// Makes the directories above an entry of Docker up to 28, which has the kernel follow links.
    fn make_by_kernel(&mut self, directory: &str) -> Result<(), ApplyError> {
        match self.find(directory, Follow::Way) {
            Ok(Found::At(path)) if self.now.contains_key(&*path) => Ok(()),
            Ok(Found::At(path)) => {
                self.make_directory(&path);
                Ok(())
            }
            Ok(Found::Missing {
                first,
                through_link: true,
                ..
            }) => Err(call(&first, Errno::EEXIST)),
            Ok(Found::Missing { first, behind, .. }) => {
                let mut path = first;
                self.make_directory(&path);
                for name in behind {
                    path = join(&path, &name);
                    self.make_directory(&path);
                }
                Ok(())
            }
            // It is noticed when the entry itself is made.
            Err(_) => Ok(()),
        }
    }

    /// The path of an entry, with the directories above it made; none if the daemon passes over it.
    fn place(&mut self, member: &'a Member) -> Result<Option<String>, ApplyError> {
        let is_docker_29 = self.daemon == Daemon::Docker29;
        if is_docker_29 {
            let name = member.name.trim_start_matches('/');
            if !name.is_empty() && !is_local(name) {
                return Err(ApplyError::Name(member.name.clone()));
            }
        }
        let path = rooted(&member.name);
        let directory = above(&path).unwrap_or("/").to_owned();
        let last = path.rsplit('/').next().unwrap_or_default().to_owned();
        if self.daemon.is_containerd() {
            if path == "/" {
                return Ok(None);
            }
            let directory = self.resolve(&directory)?;
            self.make_all(&directory)?;
            return Ok(Some(join(&directory, &last)));
        }
        if is_docker_29 && path == "/" {
            return Ok(None);
        }
        if !is_docker_29 && path != "/" {
            self.make_by_kernel(&directory)?;
        }
        // Up to 28 they are known by names that do not start with `/`.
        let name = if is_docker_29 {
            path[1..].to_owned()
        } else {
            clean(&member.name)
        };
        if name.starts_with(META) {
            if name.starts_with(LINKS) && matches!(member.content, MemberContent::File(_)) {
                self.linked.insert(last.clone(), member);
            }
            if name != OPAQUE {
                return Ok(None);
            }
        }
        if is_docker_29 {
            let Some(resolved) = self.elsewhere(&directory)? else {
                return Ok(Some(path));
            };
            self.make_all(&resolved)?;
            return Ok(Some(join(&resolved, &last)));
        }
        Ok(Some(path))
    }

    /// Removes what a directory has that this layer has not written.
    fn make_opaque(&mut self, directory: &str) -> Result<(), ApplyError> {
        // Docker up to 28 does not follow a link at the end, and takes paths as the archive has them.
        let (named, real) = if self.daemon == Daemon::Docker29 {
            let real = self.resolve(directory)?;
            (real.clone(), real)
        } else {
            let Found::At(real) = self.find(directory, Follow::Way)? else {
                return Err(call(directory, Errno::ENOENT));
            };
            (directory.to_owned(), real)
        };
        let skip = if real == "/" { 0 } else { real.len() };
        for (path, _) in self.below(&real) {
            let below = &path[skip..];
            let name = if named == "/" {
                below.to_owned()
            } else {
                format!("{named}{below}")
            };
            if self.now.contains_key(&path) && !self.written.contains(&name) {
                self.remove(&path);
            }
        }
        Ok(())
    }

    /// One entry of the archive; where it was made.
    fn member(&mut self, member: &'a Member) -> Result<Option<String>, ApplyError> {
        let Some(path) = self.place(member)? else {
            return Ok(None);
        };
        let last = path.rsplit('/').next().unwrap_or_default();
        let directory = above(&path).unwrap_or("/");
        if last == OPAQUE {
            self.make_opaque(directory)?;
            return Ok(None);
        }
        if let Some(removed) = last.strip_prefix(WHITEOUT) {
            let removed = rooted(&join(directory, removed));
            let is_in = above(&removed) == Some(directory);
            if self.daemon.is_containerd() && !is_in {
                return Err(ApplyError::Whiteout(last.into()));
            }
            self.remove_all(&removed)?;
            return Ok(None);
        }
        let real = match self.find(&path, Follow::Way)? {
            Found::At(real) => real,
            Found::Missing { .. } => return Err(call(&path, Errno::ENOENT)),
        };
        let is_directory = member.content == MemberContent::Directory;
        let merges = is_directory && self.is_directory(&real);
        if self.now.contains_key(&*real) && !merges {
            if real == "/" {
                return Err(call("/", Errno::EBUSY));
            }
            self.remove(&real);
        }
        // What was removed may have been a link on the way to it.
        let Found::At(real) = self.find(&path, Follow::Way)? else {
            return Err(call(&path, Errno::ENOENT));
        };
        let source = match &member.content {
            MemberContent::HardLink(target)
                if !self.daemon.is_containerd() && clean(target).starts_with(LINKS) =>
            {
                let last = target.rsplit('/').find(|name| !name.is_empty());
                self.linked
                    .get(last.unwrap_or_default())
                    .copied()
                    .ok_or_else(|| ApplyError::MissingLink(member.name.clone()))?
            }
            _ => member,
        };
        self.make(&real, source, merges)?;
        self.written.insert(path.clone());
        Ok(Some(path))
    }

    /// Makes what an entry says.
    fn make(&mut self, path: &str, member: &Member, merges: bool) -> Result<(), ApplyError> {
        let at = self.at(path);
        let kind = match &member.content {
            MemberContent::Directory => {
                if !merges {
                    self.calls.push(FileOp::MakeDirectory { at: at.clone() });
                }
                FileKind::Directory
            }
            MemberContent::File(pieces) => {
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
                FileKind::File
            }
            MemberContent::Link(target) => {
                if target.is_empty() {
                    return Err(call(path, Errno::ENOENT));
                }
                self.calls.push(FileOp::Symlink {
                    target: target.clone(),
                    at: at.clone(),
                });
                let node = Node {
                    kind: FileKind::Link,
                    target: Some(target.clone()),
                };
                self.now.insert(path.into(), node);
                FileKind::Link
            }
            MemberContent::HardLink(target) => {
                let from = self.link_source(target)?;
                let node = self.now.get(&*from).cloned();
                let node = node.ok_or_else(|| call(&from, Errno::ENOENT))?;
                if node.kind == FileKind::Directory {
                    return Err(call(&from, Errno::EPERM));
                }
                let kind = node.kind;
                self.calls.push(FileOp::Link {
                    from: Target::Path(self.at(&from)),
                    to: at.clone(),
                });
                self.now.insert(path.into(), node);
                kind
            }
            MemberContent::Special(special) => {
                self.calls.push(FileOp::MakeSpecial {
                    at: at.clone(),
                    special: *special,
                    mode: 0o600,
                });
                FileKind::Special(*special)
            }
            MemberContent::Global => return Ok(()),
            MemberContent::Unknown(kind) => {
                return Err(ApplyError::Unknown {
                    name: member.name.clone(),
                    kind: *kind,
                });
            }
        };
        self.now
            .entry(path.into())
            .or_insert(Node { kind, target: None });
        let attributes = &member.attributes;
        let (uid, gid) = (attributes.uid, attributes.gid);
        self.calls.push(FileOp::SetOwner {
            file: Target::Path(at.clone()),
            uid,
            gid,
        });
        for (name, value) in &member.xattrs {
            if self.sets(name, kind, path)? {
                let value = value.clone();
                let len = value.len() as u64;
                self.calls.push(FileOp::SetXattr {
                    at: at.clone(),
                    name: name.clone(),
                    value: crate::dmu::data::Source::Bytes(value).piece(len),
                });
            }
        }
        if kind != FileKind::Link {
            self.calls.push(FileOp::SetMode {
                file: Target::Path(at.clone()),
                mode: attributes.mode,
            });
        }
        if kind != FileKind::Directory {
            self.set_time(path, attributes.mtime);
        }
        Ok(())
    }

    /// Whether the daemon sets an extended attribute; it passes over some that cannot be.
    fn sets(&self, name: &str, kind: FileKind, path: &str) -> Result<bool, ApplyError> {
        match name.split_once('.').map_or("", |(space, _)| space) {
            "trusted" => Ok(!self.daemon.is_containerd()),
            "security" => Ok(true),
            "user" => Ok(matches!(kind, FileKind::File | FileKind::Directory)),
            _ if matches!(self.daemon, Daemon::Docker26 | Daemon::Docker29) => {
                Err(call(path, Errno::EOPNOTSUPP))
            }
            _ => Ok(false),
        }
    }

    /// Where the other name of a hard link is.
    fn link_source(&self, target: &Arc<str>) -> Result<String, ApplyError> {
        if self.daemon == Daemon::Docker29 {
            let name = target.trim_start_matches('/');
            if clean(name) == "." || !is_local(name) {
                return Err(ApplyError::Name(target.clone()));
            }
        }
        let mut path = rooted(target);
        let directory = above(&path).unwrap_or("/");
        let last = path.rsplit('/').next().unwrap_or_default();
        if self.daemon.is_containerd() {
            return Ok(join(&self.resolve(directory)?, last));
        }
        if self.daemon == Daemon::Docker29
            && let Some(resolved) = self.elsewhere(directory)?
        {
            path = join(&resolved, last);
        }
        match self.find(&path, Follow::Way)? {
            Found::At(path) => Ok(path),
            Found::Missing { .. } => Err(call(&path, Errno::ENOENT)),
        }
    }

    fn set_time(&mut self, path: &str, mtime: i64) {
        // Daemons set what was before 1970 to that.
        let seconds = u64::try_from(mtime).unwrap_or(0);
        let at = self.at(path);
        self.calls.push(FileOp::SetTimes {
            file: Target::Path(at),
            modification: NewTime::Seconds(seconds),
            access: NewTime::Keep,
        });
    }
}

/// A name without `.` and empty names, and `..` where something stands before it (`path.Clean` of Go).
fn clean(name: &str) -> String {
    let is_absolute = name.starts_with('/');
    let mut names: Vec<&str> = Vec::new();
    for name in name.split('/') {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => {
                names.pop();
            }
            ".." if is_absolute => {}
            name => names.push(name),
        }
    }
    let cleaned = names.join("/");
    match (is_absolute, cleaned.is_empty()) {
        (true, _) => format!("/{cleaned}"),
        (false, true) => ".".to_owned(),
        (false, false) => cleaned,
    }
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn names_are_cleaned_as_go_cleans_them() {
        // What `path.Clean` of Go 1.24 says.
        for (name, expected) in [
            ("", "."),
            (".", "."),
            ("/", "/"),
            ("a/", "a"),
            ("./a//b/.", "a/b"),
            ("a/..", "."),
            ("a/../..", ".."),
            ("..", ".."),
            ("../../a", "../../a"),
            ("../a/..", ".."),
            ("a/../../b", "../b"),
            ("/..", "/"),
            ("/../a", "/a"),
            ("/a/../..", "/"),
            ("/../../a/../b", "/b"),
            ("a/b/../../..", ".."),
        ] {
            assert_eq!(clean(name), expected, "{name:?}");
        }
    }
}
