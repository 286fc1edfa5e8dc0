//! `zfs rollback` (`zfs_do_rollback`, `zfs_rollback`).

use std::sync::Arc;

use ztwin_model::Release;
use ztwin_model::dmu::{Objset, ROOT};
use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::names::Expected;
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::dsl::room::Fits;
use ztwin_model::fault::Fault;
use ztwin_model::zpl::mount::Mount;

use super::destroy::destroy;
use super::volume;
use super::walk::{Handle, Met, Recursion};
use crate::programs::console::{Console, Ended, NotModelled, WRONG_USE};
use crate::programs::mounting::Changelist;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let Some(flags) = console.flags(words, "rRf") else {
        return Ok(WRONG_USE);
    };
    let (clones, force) = (flags.has('R'), flags.has('f'));
    let recurse = clones || flags.has('r');
    let target = match flags.operands.as_slice() {
        [target] => target,
        [] => return Ok(console.usage("missing dataset argument")),
        _ => return Ok(console.usage("too many arguments")),
    };
    console.in_any_order(|console| rollback(console, target, recurse, clones, force))
}

fn rollback(
    console: &mut Console<'_>,
    target: &str,
    recurse: bool,
    clones: bool,
    force: bool,
) -> Ended {
    let Some(id) = console.open(target, Expected::Snapshot) else {
        return Ok(1);
    };
    let newer = newer(console, id);
    let bookmarks = newer_bookmarks(console, id);
    let younger = [&newer[..], &bookmarks].concat();
    if !clones && !check(console, target, &younger, recurse)? {
        return Ok(1);
    }
    if !destroy_younger(console, newer, &bookmarks, force) {
        return Ok(1);
    }
    if was_read_only(console, id) {
        return Err(NotModelled(
            "a rollback of what was mounted read-only and is no longer so".to_owned(),
        ));
    }
    if moves_a_mountpoint(console, id) {
        return Err(NotModelled(
            "a rollback that takes the directory away from under a mount".to_owned(),
        ));
    }
    let home = console.state().filesystem_of(id);
    if home.is_some_and(|home| has_odd_files(console, home, id)) {
        return Err(NotModelled(
            "a rollback below an open file that has other names since, or had none".to_owned(),
        ));
    }
    if home.map(|home| console.state().fits_rollback(home, id)) == Some(Fits::Unknown) {
        return Err(NotModelled(
            "whether there is the space for a rollback".to_owned(),
        ));
    }
    let kept = home.and_then(|home| volume::kept_as_size(console, home));
    match console.dataset(DslOp::Rollback { to: target.into() }) {
        Ok(()) => Ok(home.map_or(0, |home| volume::keep_size(console, home, kept))),
        Err(reason) => {
            let filesystem = target.split('@').next().unwrap_or(target);
            console.refuse(&format!("cannot rollback '{filesystem}'"), &reason);
            Ok(1)
        }
    }
}

/// `rollback_destroy` of all that is newer: snapshots with what depends on them, in no order, then
/// bookmarks. It goes on behind what cannot be destroyed.
fn destroy_younger(
    console: &mut Console<'_>,
    newer: Vec<DatasetId>,
    bookmarks: &[DatasetId],
    force: bool,
) -> bool {
    let spared = usize::from(console.state().faulty(Fault::RollbackKeepsNewer));
    let newer = newer.into_iter().skip(spared).collect();
    let mut done = true;
    for snapshot in console.meet(newer, Met::Children) {
        let Some(snapshot) = console.handle(snapshot) else {
            continue;
        };
        let whole =
            console.each_dependent(&snapshot, Recursion::Refused, &mut |console, dependent| {
                done &= remove(console, dependent, force);
                true
            });
        done &= whole & remove_snapshot(console, &snapshot.name);
    }
    let faulty = console.state().faulty(Fault::RollbackKeepsBookmarks);
    for &bookmark in bookmarks.iter().filter(|_| !faulty) {
        let name = console.name(bookmark);
        let gone = console.dataset(DslOp::DestroyBookmark {
            name: name.as_str().into(),
        });
        if let Err(reason) = gone {
            console.refuse(&format!("cannot destroy '{name}'"), &reason);
            done = false;
        }
    }
    done
}

/// Whether a file is open that the snapshot has under other names, which Linux goes on to know, or without any.
fn has_odd_files(console: &Console<'_>, home: DatasetId, snapshot: DatasetId) -> bool {
    let state = console.state();
    let objset = |id| state.dataset(id).map(|it| &it.objset);
    let (Some(now), Some(then)) = (objset(home), objset(snapshot)) else {
        return false;
    };
    let names = |of: &Objset, object| -> Vec<Arc<str>> {
        let paths = of.paths(ROOT).into_iter();
        paths.filter(|it| it.1 == object).map(|it| it.0).collect()
    };
    let mut open = state.open_files.iter().map(|(_, file)| file);
    open.any(|file| {
        let stays = then
            .get(file.object)
            .is_some_and(|it| it.generation == file.generation);
        file.dataset == home
            && stays
            && (then.is_queued(file.object) || names(now, file.object) != names(then, file.object))
    })
}

/// Whether its filesystem was mounted read-only and is no longer so.
fn was_read_only(console: &Console<'_>, snapshot: DatasetId) -> bool {
    let home = console.state().filesystem_of(snapshot);
    let mounts = &console.state().mounts;
    let follows = |it: &Mount| mounts.follows_property(it.dataset) || !it.options.read_only;
    let mut all = mounts.iter().filter(|it| Some(it.dataset) == home);
    all.any(|it| it.was_read_only && follows(it))
}

/// Whether something is mounted on a directory of the filesystem that is none, or another one, in the
/// snapshot: the kernel then keeps a directory that no longer is (`zfs_resume_fs`).
fn moves_a_mountpoint(console: &Console<'_>, snapshot: DatasetId) -> bool {
    let state = console.state();
    let home = state.filesystem_of(snapshot);
    let generation = |of: Option<DatasetId>, directory| {
        let objset = &state.dataset(of?)?.objset;
        objset.get(directory).map(|znode| znode.generation)
    };
    let covered = state.mounts.iter().filter_map(|mount| mount.on);
    covered
        .filter(|(below, _)| state.mounts.get(*below).map(|mount| mount.dataset) == home)
        .any(|(_, directory)| generation(home, directory) != generation(Some(snapshot), directory))
}

/// The snapshots newer than this one, oldest first.
fn newer(console: &Console<'_>, id: DatasetId) -> Vec<DatasetId> {
    let home = console.state().filesystem_of(id);
    let snapshots = home.map(|home| console.snapshots(home)).unwrap_or_default();
    snapshots
        .into_iter()
        .skip_while(|&snapshot| snapshot != id)
        .skip(1)
        .collect()
}

/// The bookmarks of its filesystem that mark something newer.
fn newer_bookmarks(console: &Console<'_>, id: DatasetId) -> Vec<DatasetId> {
    let txg = |id| console.state().dataset(id).map(|it| it.creation_txg);
    let home = console.state().filesystem_of(id);
    let bookmarks = home.map(|home| console.bookmarks(home)).unwrap_or_default();
    bookmarks
        .into_iter()
        .filter(|&bookmark| txg(bookmark) > txg(id))
        .collect()
}

/// Behind so many it says that there are more.
const MAX_YOUNGER: usize = 32;

/// `rollback_check`: newer snapshots and bookmarks need `-r`, their clones `-R`.
fn check(
    console: &mut Console<'_>,
    target: &str,
    newer: &[DatasetId],
    recurse: bool,
) -> Result<bool, NotModelled> {
    let mut shuffled = false;
    let in_the_way: Vec<_> = if recurse {
        let dependents: Vec<_> = newer
            .iter()
            .map(|&snapshot| console.dependents(snapshot))
            .collect();
        shuffled = dependents.iter().any(|it| it.shuffled);
        dependents.into_iter().flat_map(|it| it.found).collect()
    } else {
        newer.to_vec()
    };
    if in_the_way.is_empty() {
        return Ok(true);
    }
    // Until 2.1 the snapshots are not sorted (`zfs_iter_snapshots`).
    let sorted = console.release() > Release::V2_1;
    if !sorted && !recurse && in_the_way.len() > MAX_YOUNGER {
        return Err(NotModelled(
            "which of more than 32 snapshots are named".to_owned(),
        ));
    }
    let marker = console.order(in_the_way.len() > 1 && (shuffled || !sorted));
    if recurse {
        console.note(&Reason::Cloned);
        console.complain(format!(
            "cannot rollback to '{target}': clones of previous snapshots exist"
        ));
        console.complain("use '-R' to force deletion of the following clones and dependents:");
    } else {
        console.note(&Reason::NewerSnapshot(target.into()));
        console.complain(format!(
            "cannot rollback to '{target}': more recent snapshots or bookmarks exist"
        ));
        console.complain("use '-r' to force deletion of the following snapshots and bookmarks:");
    }
    for (index, dataset) in in_the_way.into_iter().enumerate() {
        let name = console.name(dataset);
        // Sorted snapshots go on behind the limit (`zfs_iter_snapshots_sorted`), bookmarks do not.
        if !recurse && index >= MAX_YOUNGER && name.contains('#') {
            break;
        }
        console.complain(format!("{marker}{name}"));
        if !recurse && index + 1 == MAX_YOUNGER {
            console.complain(format!(
                "{marker}Output limited to {MAX_YOUNGER} snapshots/bookmarks"
            ));
        }
    }
    Ok(false)
}

/// `rollback_destroy_dependent`.
fn remove(console: &mut Console<'_>, dataset: &Handle, force: bool) -> bool {
    // `changelist_gather` goes through all that depends on it once more, also on a snapshot.
    let mut mounted = Vec::new();
    console.each_dependent(dataset, Recursion::Allowed, &mut |console, it| {
        if console.state().mounts.is_mounted(it.id) && !mounted.contains(&it.id) {
            mounted.push(it.id);
        }
        true
    });
    if console.open(&dataset.name, Expected::Dataset).is_none() {
        return false;
    }
    let mut changes = Changelist::of_dependents(console, dataset.id, mounted, force);
    if !changes.prefix(console) {
        return false;
    }
    if dataset.is_snapshot() {
        return remove_snapshot(console, &dataset.name);
    }
    if destroy(console, dataset.id, &dataset.name) {
        return true;
    }
    changes.postfix(console);
    false
}

/// `zfs_destroy` of a snapshot; one that is gone is fine.
fn remove_snapshot(console: &mut Console<'_>, name: &str) -> bool {
    let names = vec![name.into()];
    match console.dataset(DslOp::DestroySnapshots {
        names,
        defer: false,
    }) {
        Ok(()) => true,
        Err(reason) => {
            let reason = match reason {
                Reason::Snapshots(each) => each.into_iter().next().map(|(_, reason)| reason),
                reason => Some(reason),
            };
            match reason {
                Some(Reason::Cloned) => {
                    console.refuse(&format!("cannot destroy '{name}'"), &Reason::AlreadyExists);
                }
                Some(reason @ Reason::PoolReadOnly) => {
                    console.refuse(&format!("cannot destroy '{name}'"), &reason);
                }
                _ => console.refuse(&format!("cannot destroy '{name}'"), &Reason::Busy),
            }
            false
        }
    }
}
