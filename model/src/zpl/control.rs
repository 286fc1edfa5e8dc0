//! The control directory `.zfs` of a mounted filesystem, and the snapshots that are mounted below it when
//! somebody goes there (`zfs_ctldir.c`, `zpl_ctldir.c` of OpenZFS for Linux).
//!
//! A path that goes on behind a snapshot's directory is one of the snapshot: `tank/a:/.zfs/snapshot/s/f` is
//! `tank/a@s:/f`, once the snapshot is mounted on `/.zfs/snapshot/s`. Only a path that says so goes there; one that comes
//! there by a symbolic link is `EXDEV`, as for every other mount.

use std::collections::BTreeSet;
use std::iter;
use std::sync::Arc;

use crate::dmu::{ObjectId, ROOT};
use crate::dsl::dataset::DatasetId;
use crate::dsl::property::{Property, Value};
use crate::machine::State;
use crate::outcome::Errno;
use crate::release::Release;
use crate::zpl::files::{self, Found, Reached, aim, find, find_link, look, may_open, reach, znode};
use crate::zpl::fold::Folding;
use crate::zpl::mount::{Mount, MountOptions};
use crate::zpl::mounting;
use crate::zpl::op::{
    At, Failure, FileKind, FileOp, FileResult, NewTime, Opening, Renaming, Result, Stat, Target,
};
use crate::zpl::open::{Handle, OpenFile};
use crate::zpl::permission::{EXECUTE, READ, STICKY, WRITE};
use crate::zpl::telling;
use crate::zpl::walk::MAX_LINKS;
use crate::zpl::znode::Znode;

/// Its name, in the root directory of a filesystem and nowhere else.
pub(super) const NAME: &str = ".zfs";

/// Where a filesystem has its snapshots.
const SNAPSHOTS: &str = "/.zfs/snapshot/";

/// Longest name of Linux, in bytes (`NAME_MAX`).
const MAX_NAME: usize = 255;

/// A directory of the control directory: open to everybody and owned by root, with nothing on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    /// `.zfs`
    Top,
    /// `.zfs/snapshot`
    Snapshots,
    /// `.zfs/shares`
    Shares,
    /// `.zfs/snapshot/NAME`, on which the snapshot is mounted. It may be gone since.
    Snapshot(DatasetId),
}

impl Node {
    /// The numbers of their inodes (`zfs_ctldir.h`); a snapshot's is as far below as its own number says.
    const NUMBERS: [(Node, ObjectId); 3] = [
        (Node::Top, 0xffff_ffff_ffff),
        (Node::Shares, 0xffff_ffff_fffe),
        (Node::Snapshots, 0xffff_ffff_fffd),
    ];
    const FIRST_SNAPSHOT: ObjectId = 0xffff_ffff_fffc;
    /// What has a smaller number is a file.
    const LAST_SNAPSHOT: ObjectId = 1 << 47;

    fn object(self) -> ObjectId {
        let mut fixed = Self::NUMBERS.iter();
        match (self, fixed.find(|(node, _)| *node == self)) {
            (_, Some((_, number))) => *number,
            (Node::Snapshot(id), None) => Self::FIRST_SNAPSHOT - id.0,
            (_, None) => Self::FIRST_SNAPSHOT,
        }
    }

    fn of(object: ObjectId) -> Option<Node> {
        let mut fixed = Self::NUMBERS.iter();
        match fixed.find(|(_, number)| *number == object) {
            Some((node, _)) => Some(*node),
            None if object > Self::LAST_SNAPSHOT => {
                let number = Self::FIRST_SNAPSHOT.checked_sub(object)?;
                Some(Node::Snapshot(DatasetId(number)))
            }
            None => None,
        }
    }

    /// The directory that it is in; none for the root of the filesystem.
    fn parent(self) -> Option<Node> {
        match self {
            Node::Top => None,
            Node::Snapshots | Node::Shares => Some(Node::Top),
            Node::Snapshot(_) => Some(Node::Snapshots),
        }
    }
}

/// A name that is to be looked up.
#[derive(Clone, Debug)]
struct Place {
    reached: Reached,
    /// The directory that the name is in: none for the root of the filesystem.
    directory: Option<Node>,
    /// The name; none when the path leads to the directory by `..`.
    name: Option<Arc<str>>,
    /// Whether the path says that it goes to a snapshot, so that it may end in what is mounted there.
    crosses: bool,
}

/// Where a path leads.
#[derive(Clone, Debug)]
enum Spot {
    /// To a name in the control directory, or to that itself.
    Control(Place),
    /// To somewhere else.
    Tree(At),
}

/// What a path ends at.
#[derive(Clone, Debug)]
enum End {
    Node(Reached, Node),
    Missing(Place),
    Tree(At),
}

impl State {
    /// As [`State::unmount_automatic`], each of the snapshots with these names.
    pub(crate) fn unmount_automatic_of(&mut self, names: &[Arc<str>]) {
        for name in names {
            if let Some(id) = self.find(name) {
                self.unmount_automatic(id);
            }
        }
    }

    /// Takes a snapshot off its directory below `.zfs`, if it is mounted there by that name and nothing in it is
    /// open (`zfs_unmount_snap`, `zfsctl_snapshot_unmount`). Other mounts of it stay.
    pub(crate) fn unmount_automatic(&mut self, snapshot: DatasetId) {
        let Some(name) = self.name_of(snapshot) else {
            return;
        };
        let by_name = |it: &&Mount| it.automatic.as_deref() == Some(&*name);
        let found = self.mounts.of(snapshot).find(by_name).map(|it| it.id);
        if let Some(id) = found
            && !self.mounts.is_busy(id, &self.open_files)
        {
            mounting::take_off(self, id);
        }
    }

    /// Linux forgets the names in the control directory of a filesystem, but those that an open directory or a mount
    /// holds, and the ones above (`shrink_dcache_sb` in `zfs_resume_fs`).
    pub(crate) fn forget_control(&mut self, filesystem: DatasetId) {
        let files = self.open_files.iter().map(|(_, file)| file);
        let open = files.filter(|file| file.dataset == filesystem);
        let mut held: BTreeSet<ObjectId> = open.map(|file| file.object).collect();
        held.extend(self.mounts.covered(filesystem));
        let nodes: Vec<Node> = held.iter().copied().filter_map(Node::of).collect();
        for node in nodes {
            held.extend(iter::successors(Some(node), |it| it.parent()).map(Node::object));
        }
        self.mounts.remember_only(filesystem, &held);
    }
}

/// What a system call on an open directory of the control directory does; none where the handle is another one.
pub(super) fn apply_open(op: &FileOp, state: &mut State) -> Option<Result> {
    let Some(Target::Open(handle)) = op.target() else {
        return None;
    };
    let file = state.open_files.get(handle)?;
    let (node, readable) = (Node::of(file.object)?, file.readable);
    let reached = Reached {
        dataset: file.dataset,
        mount: file.mount,
        read_only: file.read_only || state.is_readonly(file.dataset),
    };
    Some(match op {
        FileOp::Write { .. } | FileOp::Punch { .. } => Err(Errno::EBADF.into()),
        FileOp::Truncate { .. } => Err(Errno::EINVAL.into()),
        FileOp::Read { .. } | FileOp::Seek { .. } if !readable => Err(Errno::EBADF.into()),
        FileOp::Link { to, .. } => {
            resolve(state, to, false).and_then(|to| link_from(state, reached, node.object(), to))
        }
        _ => on_node(state, reached, node, op),
    })
}

/// What a system call does whose paths go through the control directory; none where they do not.
///
/// To be asked when it is `ENOENT` otherwise: a walk never goes there.
pub(super) fn apply(op: &FileOp, state: &mut State) -> Option<Result> {
    let paths = op.paths();
    if paths.is_empty() {
        return None;
    }
    let mut spots = Vec::new();
    for at in paths.iter().copied() {
        match resolve(state, at, follows(op)) {
            Ok(spot) => spots.push(spot),
            Err(failure) => return Some(Err(failure)),
        }
    }
    let is_elsewhere = |(at, spot): (&&At, &Spot)| matches!(spot, Spot::Tree(to) if to == *at);
    if paths.iter().zip(&spots).all(is_elsewhere) {
        return None;
    }
    Some(run(op, state, spots))
}

/// Whether a symbolic link at the end of its path is followed.
fn follows(op: &FileOp) -> bool {
    match op {
        FileOp::Write { .. }
        | FileOp::Read { .. }
        | FileOp::Truncate { .. }
        | FileOp::Punch { .. }
        | FileOp::Seek { .. }
        | FileOp::Copy { .. }
        | FileOp::Reflink { .. }
        | FileOp::SetMode { .. }
        | FileOp::Shared { .. }
        | FileOp::ReadDirectory { .. } => true,
        FileOp::Open { how, .. } => !(how.no_follow || how.create && how.exclusive),
        _ => false,
    }
}

/// Whether it opens what its path ends at, so that a snapshot is mounted there (`follow_automount`).
fn opens(op: &FileOp) -> bool {
    follows(op) && !matches!(op, FileOp::SetMode { .. } | FileOp::Shared { .. })
        || matches!(
            op,
            FileOp::Open { .. } | FileOp::Tree { .. } | FileOp::Blocks { .. }
        )
}

/// A path that leads to a snapshot's directory by itself.
fn says_snapshot(path: &str) -> bool {
    let name = path.strip_prefix(SNAPSHOTS);
    let name = name.and_then(|rest| rest.split('/').next());
    name.is_some_and(|name| !matches!(name, "" | "." | ".."))
}

/// Follows a path up to its last name, which is not looked up. Snapshots on the way are mounted.
fn resolve(state: &mut State, at: &At, follow: bool) -> Result<Spot> {
    let mut crosses = says_snapshot(&at.path);
    let mut at = at.clone();
    // A path can come out of the control directory and go there again.
    for _ in 0..=MAX_LINKS {
        let reached = reach(state, &at.dataset)?;
        let (_, trail) = look(state, reached, |walk| {
            if follow {
                walk.target(&at.path).map(|_| ())
            } else {
                walk.parent(&at.path).map(|_| ())
            }
        })?;
        let Some(rest) = trail.control else {
            return Ok(Spot::Tree(at));
        };
        match descend(state, reached, &at.dataset, &rest, crosses)? {
            Spot::Tree(out) if out.dataset == at.dataset => at = out,
            spot => return Ok(spot),
        }
        crosses = false;
    }
    Err(Errno::ELOOP.into())
}

/// Follows what is left of a path behind `.zfs`. A path that comes out of it goes on from the root of the filesystem.
fn descend(
    state: &mut State,
    reached: Reached,
    dataset: &Arc<str>,
    rest: &[String],
    crosses: bool,
) -> Result<Spot> {
    let place = |directory, name: Option<&String>| Place {
        reached,
        directory,
        name: name.map(|name| name.as_str().into()),
        crosses,
    };
    let tree = |dataset: Arc<str>, rest: &[String]| {
        let path = format!("/{}", rest.join("/")).into();
        Spot::Tree(At { dataset, path })
    };
    let [names @ .., last] = rest else {
        return Ok(Spot::Control(place(None, Some(&NAME.to_owned()))));
    };
    let first = place(None, Some(&NAME.to_owned()));
    let mut here = first.look_up(state)?.ok_or(Errno::ENOENT)?;
    for (index, name) in names.iter().chain([last]).enumerate() {
        if let Node::Snapshot(_) = here {
            let by = if index > 0 { &rest[index - 1] } else { name };
            if let Some(snapshot) = automount(state, reached, here, by, crosses)? {
                return Ok(tree(snapshot, &rest[index..]));
            }
        }
        let is_last = index == names.len();
        match &**name {
            "." => {}
            ".." => match here.parent() {
                Some(above) => here = above,
                None => return Ok(tree(dataset.clone(), &rest[index + 1..])),
            },
            _ if is_last => return Ok(Spot::Control(place(Some(here), Some(name)))),
            _ => {
                let found = place(Some(here), Some(name)).look_up(state)?;
                here = found.ok_or(Errno::ENOENT)?;
            }
        }
    }
    Ok(Spot::Control(place(Some(here), None)))
}

impl Place {
    /// What has the name. Linux keeps what was found until [`State::forget_control`]: `.zfs` and what is right in it also when
    /// it was not there (`zpl_revalidate`), snapshots also when they are gone (`zpl_snapdir_revalidate`).
    fn look_up(&self, state: &mut State) -> Result<Option<Node>> {
        let Some(name) = self.name.as_deref() else {
            return Ok(self.directory);
        };
        let id = self.reached.dataset;
        let is_disabled = state.property(id, Property::Snapdir).0 == Value::Word("disabled");
        let (key, fixed): (Arc<str>, _) = match (self.directory, name) {
            (None, _) => (NAME.into(), Node::Top),
            (Some(Node::Top), "snapshot") => (name.into(), Node::Snapshots),
            (Some(Node::Top), "shares") => (name.into(), Node::Shares),
            (Some(Node::Snapshots), _) => return snapshot(state, id, name),
            // Nobody makes the directory of shares (`zfsctl_shares_lookup`).
            (Some(Node::Shares), _) => return Err(Errno::EOPNOTSUPP.into()),
            // `simple_lookup`
            (Some(Node::Snapshot(_)), _) if name.len() > MAX_NAME => {
                return Err(Errno::ENAMETOOLONG.into());
            }
            (Some(Node::Top | Node::Snapshot(_)), _) => return Ok(None),
        };
        let found = if let Some(seen) = state.mounts.seen(id, &key) {
            seen
        } else {
            let found = (!is_disabled).then(|| fixed.object());
            state.mounts.see(id, key, found);
            found
        };
        Ok(found.map(|_| fixed))
    }
}

/// The directory of a snapshot (`zfsctl_snapdir_lookup`). It has one name at a time: with a new one it loses the old
/// one (`d_splice_alias`).
fn snapshot(state: &mut State, id: DatasetId, name: &str) -> Result<Option<Node>> {
    let key: Arc<str> = format!("snapshot/{name}").into();
    if let Some(Some(object)) = state.mounts.seen(id, &key) {
        return Ok(Node::of(object));
    }
    let folding = Folding::of(state, id);
    let filesystem = state.filesystem(id);
    let Some(found) = filesystem.and_then(|it| it.snapshots.get(name)) else {
        let snapshots = filesystem.into_iter().flat_map(|it| it.snapshots.iter());
        let mut names = snapshots.filter_map(|it| Some(&*state.dataset(it)?.component));
        if !folding.is_none() && names.any(|it| folding.fold(it) == folding.fold(name)) {
            return Err(Failure::NotModelled(
                "a snapshot by a name that is the same",
            ));
        }
        return Ok(None);
    };
    let object = Node::Snapshot(found).object();
    if state.mounts.unsee(id, object) {
        // One that was renamed while it was busy: the mount goes with its directory.
        state.mounts.rename_standing(id, object, name);
    }
    state.mounts.see(id, key, Some(object));
    Ok(Some(Node::Snapshot(found)))
}

/// What is mounted on a directory of the control directory.
fn mounted_on(state: &State, reached: Reached, node: Node) -> Option<&Mount> {
    state.mounts.on(reached.mount?, node.object())
}

/// The snapshot that is mounted on its directory, or is now (`zfsctl_snapshot_mount`). None when there is none of that
/// name any more: the directory then stays empty. A path that may not cross a mount is refused before it is made.
fn automount(
    state: &mut State,
    reached: Reached,
    node: Node,
    name: &str,
    crosses: bool,
) -> Result<Option<Arc<str>>> {
    let full = |state: &State, id| state.name_of(id).map(Arc::from);
    if !crosses {
        return Err(Errno::EXDEV.into());
    }
    if let Some(mount) = mounted_on(state, reached, node) {
        return Ok(full(state, mount.dataset));
    }
    let home = state.name_of(reached.dataset).unwrap_or_default();
    let Some(snapshot) = state.find(&format!("{home}@{name}")) else {
        return Ok(None);
    };
    // It does not ask to be read-only, which until 2.1 a mount beside another one has to (`zpl_mount_impl`).
    let is_other = state.release < Release::V2_3 && state.mounts.is_mounted(snapshot);
    if is_other || state.mounts.is_taken_for_automatic(snapshot) {
        // Linux asks for it again and again.
        return Err(Errno::ELOOP.into());
    }
    if !state.mounts.is_mounted(snapshot) && state.open_files.on_dataset(snapshot) {
        return Err(Failure::NotModelled(
            "a snapshot of which files are open below no mount",
        ));
    }
    let through = reached.mount.and_then(|it| state.mounts.get(it));
    let through = through.ok_or(Errno::ENOENT)?;
    if state.mounts.at(&through.path) != Some(through) {
        return Err(Failure::NotModelled(
            "a snapshot below a filesystem that another mount hides",
        ));
    }
    // Until 2.1 it goes by where the filesystem was told to be mounted (`vfs_mntpoint`).
    let is_early = state.release < Release::V2_3;
    if is_early && state.mountpoint(reached.dataset).as_deref() != Some(&*through.path) {
        return Err(Failure::NotModelled(
            "a snapshot below a filesystem that is mounted elsewhere than its property says",
        ));
    }
    let (on, top) = (through.id, through.path.trim_end_matches('/'));
    let path = format!("{top}{SNAPSHOTS}{name}");
    let (options, on) = (MountOptions::plain(true), Some((on, node.object())));
    let id = state.mounts.add(snapshot, &path, options, on, None);
    let name: Option<Arc<str>> = full(state, snapshot);
    if let Some(name) = name.clone() {
        state.mounts.is_automatic(id, name);
    }
    Ok(name)
}

/// What a path ends at; a snapshot is mounted there first where it is opened.
fn arrive(state: &mut State, spot: Spot, opens: bool) -> Result<End> {
    let place = match spot {
        Spot::Tree(at) => return Ok(End::Tree(at)),
        Spot::Control(place) => place,
    };
    let Some(node) = place.look_up(state)? else {
        return Ok(End::Missing(place));
    };
    let mounted = match (node, place.name.as_deref()) {
        (Node::Snapshot(_), Some(name)) if opens => {
            automount(state, place.reached, node, name, place.crosses)?
        }
        _ => {
            let mount = mounted_on(state, place.reached, node);
            mount.and_then(|it| state.name_of(it.dataset).map(Arc::from))
        }
    };
    match mounted {
        None => Ok(End::Node(place.reached, node)),
        Some(dataset) if place.crosses => Ok(End::Tree(At {
            dataset,
            path: "/".into(),
        })),
        Some(_) => Err(Errno::EXDEV.into()),
    }
}

/// The call with other paths, one for each of its own.
fn elsewhere(op: &FileOp, state: &mut State, paths: Vec<At>) -> Result {
    let op = op.with_paths(paths);
    match files::not_modelled(&op, state) {
        Some(what) => Err(Failure::NotModelled(what)),
        None => files::apply(&op, state),
    }
}

fn run(op: &FileOp, state: &mut State, spots: Vec<Spot>) -> Result {
    let trees = spots.iter().map(|spot| match spot {
        Spot::Tree(at) => Some(at.clone()),
        Spot::Control(_) => None,
    });
    if let Some(paths) = trees.collect::<Option<Vec<At>>>() {
        return elsewhere(op, state, paths);
    }
    let mut spots = spots.into_iter();
    let (Some(first), second) = (spots.next(), spots.next()) else {
        return Err(Errno::ENOENT.into());
    };
    match (op, first, second) {
        (FileOp::Rename { how, .. }, from, Some(to)) => rename(state, from, to, *how),
        (FileOp::Link { .. }, from, Some(to)) => link(state, from, to),
        (FileOp::Link { from, .. }, to, None) => {
            let (reached, object) = aim(state, from, true)?;
            link_from(state, reached, object, to)
        }
        (FileOp::Compare { .. }, one, Some(other)) => {
            let one = identity(state, one)?;
            let other = identity(state, other)?;
            Ok(Some(telling::identity(one, other)))
        }
        (FileOp::Copy { .. } | FileOp::Reflink { .. }, from, Some(to)) => copy(op, state, from, to),
        (
            FileOp::MakeDirectory { .. } | FileOp::MakeSpecial { .. } | FileOp::Symlink { .. },
            Spot::Control(place),
            None,
        ) => make(op, state, &place),
        (FileOp::RemoveDirectory { .. } | FileOp::Unlink { .. }, Spot::Control(place), None) => {
            remove(op, state, &place)
        }
        (_, spot, _) => match arrive(state, spot, opens(op))? {
            End::Tree(at) => elsewhere(op, state, vec![at]),
            End::Node(reached, node) => on_node(state, reached, node, op),
            End::Missing(place) => {
                let makes = match op {
                    FileOp::Write { .. } => true,
                    FileOp::Open { how, .. } => how.create,
                    _ => false,
                };
                Err(if makes {
                    refuse_new(state, &place, Errno::EACCES)
                } else {
                    Errno::ENOENT
                }
                .into())
            }
        },
    }
}

/// Why there can be nothing new of a name: the control directory has no operations for that, and the name `.zfs` is taken
/// although it may not show (`zfs_dirent_lock`).
fn refuse_new(state: &State, place: &Place, errno: Errno) -> Errno {
    if let Err(errno) = place.reached.may_change() {
        return errno;
    }
    match place.directory {
        Some(_) => errno,
        None => match state.may_create(place.reached.dataset, ROOT) {
            Err(errno) => errno,
            Ok(()) => Errno::EEXIST,
        },
    }
}

/// `mkdir(2)`, `mknod(2)` and `symlink(2)`. A directory among the snapshots would be a new one, if the module's parameter
/// `zfs_admin_snapshot` allowed it, which it does not by default.
fn make(op: &FileOp, state: &mut State, place: &Place) -> Result {
    if let FileOp::Symlink { target, .. } = op {
        match target.len() {
            0 => return Err(Errno::ENOENT.into()),
            1..=4095 => {}
            _ => return Err(Errno::ENAMETOOLONG.into()),
        }
    }
    if place.look_up(state)?.is_some() {
        return Err(Errno::EEXIST.into());
    }
    let makes_snapshot =
        place.directory == Some(Node::Snapshots) && matches!(op, FileOp::MakeDirectory { .. });
    let errno = if makes_snapshot {
        Errno::EACCES
    } else {
        Errno::EPERM
    };
    Err(refuse_new(state, place, errno).into())
}

/// Whether the user may take `.zfs` out of the root directory, as far as that goes (`may_delete`).
fn may_delete_top(state: &State, id: DatasetId) -> Found<()> {
    state.may(id, ROOT, WRITE | EXECUTE)?;
    let root = znode(state, id, ROOT)?;
    if root.mode & STICKY != 0 && !state.user.owns(root) {
        return Err(Errno::EPERM);
    }
    Ok(())
}

/// `rmdir(2)` and `unlink(2)`. To remove a snapshot's directory would destroy it, with `zfs_admin_snapshot`.
fn remove(op: &FileOp, state: &mut State, place: &Place) -> Result {
    place.reached.may_change()?;
    let id = place.reached.dataset;
    let node = place.look_up(state)?.ok_or(Errno::ENOENT)?;
    if place.directory.is_none() {
        may_delete_top(state, id)?;
    }
    let errno = match (op, place.directory) {
        (FileOp::Unlink { .. }, _) => Errno::EISDIR,
        (_, None) => Errno::EEXIST,
        (_, Some(Node::Snapshots)) if state.mounts.covers(id, node.object()) => Errno::EBUSY,
        (_, Some(Node::Snapshots)) => Errno::EACCES,
        (_, Some(_)) => Errno::EPERM,
    };
    Err(errno.into())
}

/// One side of a rename: a name in a directory of the tree or of the control directory.
struct Side {
    reached: Reached,
    directory: ObjectId,
    name: Option<Arc<str>>,
}

impl Side {
    fn of(state: &mut State, spot: Spot) -> Result<Side> {
        Ok(match spot {
            Spot::Control(place) => Side {
                reached: place.reached,
                directory: place.directory.map_or(ROOT, Node::object),
                name: place.name,
            },
            Spot::Tree(at) => {
                let reached = reach(state, &at.dataset)?;
                let name = files::walk(state, reached, |walk| walk.parent(&at.path))?;
                Side {
                    reached,
                    directory: name.directory,
                    name: name.name.map(Arc::from),
                }
            }
        })
    }

    fn look_up(&self, state: &mut State) -> Result<Option<ObjectId>> {
        let (directory, name) = (Node::of(self.directory), self.name.clone());
        let is_top = self.directory == ROOT && name.as_deref() == Some(NAME);
        if directory.is_none() && !is_top {
            let name = name.unwrap_or_default();
            let found = files::walk(state, self.reached, |walk| {
                walk.lookup(self.directory, &name)
            });
            return Ok(found?);
        }
        let place = Place {
            reached: self.reached,
            directory,
            name,
            crosses: false,
        };
        Ok(place.look_up(state)?.map(Node::object))
    }

    /// Whether the user may take an object out of the directory.
    fn may_delete(&self, state: &State, object: ObjectId) -> Found<()> {
        let id = self.reached.dataset;
        match (Node::of(self.directory), Node::of(object)) {
            (Some(_), _) => Ok(()),
            (None, Some(_)) => may_delete_top(state, id),
            (None, None) => state.may_delete(id, self.directory, object),
        }
    }
}

/// Whether a directory of the control directory is `above`, or lies in it.
fn is_within(directory: ObjectId, above: ObjectId) -> bool {
    let mut here = Node::of(directory);
    while let Some(node) = here {
        if node.object() == above {
            return true;
        }
        here = node.parent();
    }
    false
}

/// `do_renameat2`, `vfs_rename`, and then what each file system says: none of it succeeds, but of a name to itself.
fn rename(state: &mut State, from: Spot, to: Spot, how: Renaming) -> Result {
    let old = Side::of(state, from)?;
    let new = Side::of(state, to)?;
    let (source, target) = (old.reached, new.reached);
    if source.dataset != target.dataset || source.mount != target.mount {
        return Err(Errno::EXDEV.into());
    }
    source.may_change()?;
    let id = source.dataset;
    let object = old.look_up(state)?.ok_or(Errno::ENOENT)?;
    let replaced = new.look_up(state)?;
    match how {
        Renaming::Keep if replaced.is_some() => return Err(Errno::EEXIST.into()),
        Renaming::Exchange if replaced.is_none() => return Err(Errno::ENOENT.into()),
        _ => {}
    }
    if is_within(new.directory, object) {
        return Err(Errno::EINVAL.into());
    }
    if replaced.is_some_and(|it| is_within(old.directory, it)) {
        let is_exchange = how == Renaming::Exchange;
        return Err(if is_exchange {
            Errno::EINVAL
        } else {
            Errno::ENOTEMPTY
        }
        .into());
    }
    if replaced == Some(object) {
        return Ok(None);
    }
    let is_directory = |state: &State, object| match Node::of(object) {
        Some(_) => Ok(true),
        None => znode(state, id, object).map(Znode::is_directory),
    };
    old.may_delete(state, object)?;
    let moves = is_directory(state, object)?;
    match replaced {
        None if Node::of(new.directory).is_some() => {}
        None => state.may_create(id, new.directory)?,
        Some(replaced) => {
            new.may_delete(state, replaced)?;
            match (moves, is_directory(state, replaced)?) {
                _ if how == Renaming::Exchange => {}
                (true, false) => return Err(Errno::ENOTDIR.into()),
                (false, true) => return Err(Errno::EISDIR.into()),
                _ => {}
            }
        }
    }
    if Node::of(old.directory).is_some_and(|it| it != Node::Snapshots) {
        return Err(Errno::EPERM.into());
    }
    if old.directory != new.directory {
        let exchanged = replaced.filter(|_| how == Renaming::Exchange);
        for object in [object].into_iter().chain(exchanged) {
            if Node::of(object).is_none() && is_directory(state, object)? {
                state.may(id, object, WRITE)?;
            }
        }
    }
    let mut both = [object].into_iter().chain(replaced);
    if both.any(|it| state.mounts.covers(id, it)) {
        return Err(Errno::EBUSY.into());
    }
    let is_plain = how == Renaming::Replace;
    Err(match (Node::of(old.directory), Node::of(new.directory)) {
        // `zpl_snapdir_rename`, and `zfs_admin_snapshot` does not allow it.
        (Some(_), _) if !is_plain => Errno::EINVAL,
        (Some(_), _) => Errno::EACCES,
        (None, _) if !is_plain && state.release < Release::V2_3 => Errno::EINVAL,
        // `zfs_rename` takes it for a file that is gone (`zfs_verify_zp`).
        (None, Some(_)) => Errno::EIO,
        (None, None) => Errno::EEXIST,
    }
    .into())
}

fn link(state: &mut State, from: Spot, to: Spot) -> Result {
    let (reached, object) = match arrive(state, from, false)? {
        End::Tree(at) => find_link(state, &at)?,
        End::Node(reached, node) => (reached, node.object()),
        End::Missing(_) => return Err(Errno::ENOENT.into()),
    };
    link_from(state, reached, object, to)
}

/// `do_linkat`: the new name comes first, then whether the two belong together; directories have no other names.
fn link_from(state: &mut State, source: Reached, object: ObjectId, to: Spot) -> Result {
    let side = Side::of(state, to)?;
    if side.name.is_none() || side.look_up(state)?.is_some() {
        return Err(Errno::EEXIST.into());
    }
    side.reached.may_change()?;
    if source.dataset != side.reached.dataset || source.mount != side.reached.mount {
        return Err(Errno::EXDEV.into());
    }
    if Node::of(object).is_some() || Node::of(side.directory).is_some() {
        return Err(Errno::EPERM.into());
    }
    let id = source.dataset;
    state.may_link(id, object)?;
    state.may_create(id, ROOT)?;
    if znode(state, id, object)?.is_directory() {
        return Err(Errno::EPERM.into());
    }
    // The name `.zfs` where it does not show.
    Err(Errno::EEXIST.into())
}

/// The device and the number of what is at a path.
fn identity(state: &mut State, spot: Spot) -> Result<(DatasetId, ObjectId)> {
    Ok(match arrive(state, spot, false)? {
        End::Tree(at) => {
            let (reached, object) = find_link(state, &at)?;
            (reached.dataset, object)
        }
        End::Node(reached, node) => (reached.dataset, node.object()),
        End::Missing(_) => return Err(Errno::ENOENT.into()),
    })
}

/// `copy_file_range(2)` and `FICLONE`: both files are opened first, and directories are not written.
fn copy(op: &FileOp, state: &mut State, from: Spot, to: Spot) -> Result {
    let from = arrive(state, from, true)?;
    let source = match &from {
        End::Missing(_) => return Err(Errno::ENOENT.into()),
        End::Node(reached, _) => reached.dataset,
        End::Tree(at) => {
            let (reached, object) = find(state, at)?;
            may_open(state, reached, object, READ)?;
            reached.dataset
        }
    };
    match (from, arrive(state, to, true)?) {
        (End::Tree(from), End::Tree(to)) => elsewhere(op, state, vec![from, to]),
        (_, End::Missing(_)) => Err(Errno::ENOENT.into()),
        (_, End::Node(..)) => Err(Errno::EISDIR.into()),
        (_, End::Tree(to)) => {
            let (reached, object) = find(state, &to)?;
            may_open(state, reached, object, WRITE)?;
            let is_clone = matches!(op, FileOp::Reflink { .. });
            if is_clone && reached.dataset != source {
                return Err(Failure::NotModelled(
                    "the clone of a control directory to another filesystem",
                ));
            }
            Err(Errno::EISDIR.into())
        }
    }
}

/// What a call does with a directory of the control directory that it reached.
fn on_node(state: &mut State, reached: Reached, node: Node, op: &FileOp) -> Result {
    const ATTRIBUTES: &str =
        "the attributes of a control directory, which last as long as it is in memory";
    let is_root = state.user.is_root();
    Err(match op {
        FileOp::Stat { .. } => return Ok(Some(FileResult::Stat(stat(state, reached, node)))),
        FileOp::ReadDirectory { .. } => {
            return Ok(Some(FileResult::Entries(entries(state, reached, node))));
        }
        FileOp::StatFilesystem { .. } if state.release >= Release::V2_3 => {
            state.close_txg_at(reached.dataset);
            state.write_closed();
            Errno::EIO.into()
        }
        FileOp::StatFilesystem { .. } => {
            let dataset = state.name_of(reached.dataset).unwrap_or_default();
            let at = At {
                dataset: dataset.into(),
                path: "/".into(),
            };
            return telling::stat_filesystem(state, &at);
        }
        FileOp::ListXattr { .. } => return Ok(Some(FileResult::Names(Vec::new()))),
        FileOp::SetXattr { name, .. }
        | FileOp::RemoveXattr { name, .. }
        | FileOp::GetXattr { name, .. }
            if name.len() > MAX_NAME || !is_root && !name.starts_with("user.") =>
        {
            Failure::NotModelled("such an extended attribute of a control directory")
        }
        FileOp::SetXattr { .. } | FileOp::RemoveXattr { .. } => {
            reached.may_change()?;
            Errno::EOPNOTSUPP.into()
        }
        FileOp::GetXattr { .. } => Errno::EOPNOTSUPP.into(),
        FileOp::Read { .. }
        | FileOp::Write { .. }
        | FileOp::Truncate { .. }
        | FileOp::Punch { .. } => Errno::EISDIR.into(),
        FileOp::Seek { .. } if matches!(node, Node::Snapshot(_)) => {
            Failure::NotModelled("where data is in the directory of a snapshot that is gone")
        }
        FileOp::Seek { .. } => Errno::ENXIO.into(),
        FileOp::ReadLink { .. } => Errno::EINVAL.into(),
        FileOp::SetTimes {
            modification: NewTime::Keep,
            access: NewTime::Keep,
            ..
        } => return Ok(None),
        FileOp::SetMode { .. } | FileOp::SetOwner { .. } | FileOp::SetTimes { .. } => {
            reached.may_change()?;
            let is_now = matches!(
                op,
                FileOp::SetTimes {
                    modification: NewTime::Now,
                    access: NewTime::Now,
                    ..
                }
            );
            if is_root || is_now {
                Failure::NotModelled(ATTRIBUTES)
            } else {
                Errno::EPERM.into()
            }
        }
        FileOp::Open { handle, how, .. } => return open(state, reached, node, handle, *how),
        FileOp::Times { .. } => Failure::NotModelled("the times of a control directory"),
        _ => Failure::NotModelled("a walk through a control directory"),
    })
}

/// `zpl_root_getattr`, `zpl_snapdir_getattr`, `zpl_shares_getattr`
fn stat(state: &State, reached: Reached, node: Node) -> Stat {
    let snapshots = state
        .filesystem(reached.dataset)
        .map_or(0, |it| it.snapshots.len());
    let (links, size) = match node {
        Node::Top | Node::Snapshot(_) => (1, 0),
        Node::Snapshots if state.release >= Release::V2_3 => (2 + snapshots as u64, 2),
        Node::Snapshots | Node::Shares => (2, 2),
    };
    Stat {
        kind: FileKind::Directory,
        mode: 0o777,
        links,
        uid: 0,
        gid: 0,
        size,
        block_size: None,
    }
}

/// `zpl_root_iterate`, `zpl_snapdir_iterate`; the directory of a snapshot that could not be mounted is empty.
fn entries(state: &State, reached: Reached, node: Node) -> Vec<(Arc<str>, char)> {
    let id = reached.dataset;
    let is_disabled = state.property(id, Property::Snapdir).0 == Value::Word("disabled");
    let mut names: Vec<Arc<str>> = match node {
        Node::Top if !is_disabled => vec!["shares".into(), "snapshot".into()],
        Node::Snapshots => {
            let filesystem = state.filesystem(id).into_iter();
            let snapshots = filesystem.flat_map(|it| it.snapshots.iter());
            let names = snapshots.filter_map(|it| Some(state.dataset(it)?.component.clone()));
            names.collect()
        }
        _ => Vec::new(),
    };
    names.sort();
    names.into_iter().map(|name| (name, 'd')).collect()
}

fn open(state: &mut State, reached: Reached, node: Node, handle: &Handle, how: Opening) -> Result {
    if how.temporary {
        if !how.write {
            return Err(Errno::EINVAL.into());
        }
        reached.may_change()?;
        return Err(Errno::EOPNOTSUPP.into());
    }
    if how.create && how.exclusive {
        return Err(Errno::EEXIST.into());
    }
    if how.create || how.write || how.truncate {
        return Err(Errno::EISDIR.into());
    }
    let file = OpenFile {
        dataset: reached.dataset,
        object: node.object(),
        generation: 0,
        mount: reached.mount,
        readable: how.read,
        writable: false,
        append: how.append,
        linkable: false,
        read_only: reached.read_only && !state.is_readonly(reached.dataset),
    };
    state.open_files.insert(handle.clone(), file);
    Ok(None)
}

/// Whether a path of the machine leads into a control directory.
pub(super) fn is_below(state: &State, path: &str) -> bool {
    let place = state.mounts.locate(path);
    let is_filesystem = |mount: &Mount| state.filesystem(mount.dataset).is_some();
    place.mount.is_some_and(is_filesystem)
        && place.inside.split('/').find(|it| !it.is_empty()) == Some(NAME)
}
