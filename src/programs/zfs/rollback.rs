//! `zfs rollback` (`zfs_do_rollback`, `zfs_rollback`).

use ztwin_model::Release;
use ztwin_model::dsl::dataset::{Dataset, DatasetId};
use ztwin_model::dsl::names::Expected;
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::fault::Fault;

use super::destroy::destroy;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::mounting::Changelist;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "rRf");
    let (mut recurse, mut clones, mut force) = (false, false, false);
    for given in args.given {
        match given {
            Given::Flag('r') => recurse = true,
            Given::Flag('f') => force = true,
            Given::Flag(_) => {
                recurse = true;
                clones = true;
            }
            Given::Value(letter, _) | Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let target = match args.operands.as_slice() {
        [target] => target,
        [] => return Ok(console.usage("missing dataset argument")),
        _ => return Ok(console.usage("too many arguments")),
    };
    let Some(id) = console.open(target, Expected::Snapshot) else {
        return Ok(1);
    };
    let newer = newer(console, id);
    let bookmarks = newer_bookmarks(console, id);
    let younger = [&newer[..], &bookmarks].concat();
    if !clones && !check(console, target, &younger, recurse)? {
        return Ok(1);
    }
    let spared = usize::from(console.state().faulty(Fault::RollbackKeepsNewer));
    let mut failed = false;
    for &snapshot in newer.iter().skip(spared) {
        // Each was opened with its clones when the walk met it, and looks for them again when its turn
        // comes; by then they are gone, which is said and does no harm (`zfs_iter_clones`).
        let dependents = console.dependents(snapshot);
        let marker = dependents.marker(console);
        let dependents: Vec<(DatasetId, Vec<String>)> = dependents
            .found
            .into_iter()
            .map(|dependent| {
                let clones = console.clones(dependent);
                (
                    dependent,
                    clones
                        .into_iter()
                        .map(|clone| console.name(clone))
                        .collect(),
                )
            })
            .collect();
        for (dependent, clones) in dependents {
            for clone in clones {
                if console.state().find(&clone).is_none() {
                    console.refuse(
                        &format!("{marker}cannot open '{clone}'"),
                        &Reason::NoSuchDataset,
                    );
                }
            }
            failed |= !remove(console, dependent, force);
        }
        failed |= !remove_snapshot(console, snapshot);
    }
    for bookmark in bookmarks {
        let name = console.name(bookmark).into();
        if let Err(reason) = console.dataset(DslOp::DestroyBookmark { name }) {
            console.refuse("cannot destroy bookmark", &reason);
            failed = true;
        }
    }
    if failed {
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
    match console.dataset(DslOp::Rollback {
        to: target.as_str().into(),
    }) {
        Ok(()) => Ok(0),
        Err(reason) => {
            let filesystem = target.split('@').next().unwrap_or(target);
            console.refuse(&format!("cannot rollback '{filesystem}'"), &reason);
            Ok(1)
        }
    }
}

/// Whether its filesystem was mounted read-only and is no longer so.
fn was_read_only(console: &Console<'_>, snapshot: DatasetId) -> bool {
    let home = console.state().filesystem_of(snapshot);
    let mut mounts = console.state().mounts.iter();
    mounts.any(|it| Some(it.dataset) == home && it.was_read_only && !it.options.read_only)
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
fn remove(console: &mut Console<'_>, id: DatasetId, force: bool) -> bool {
    if console
        .state()
        .dataset(id)
        .is_some_and(Dataset::is_snapshot)
    {
        return remove_snapshot(console, id);
    }
    let mut changes = Changelist::of_rename(console, id, force);
    if !changes.prefix(console) {
        return false;
    }
    let name = console.name(id);
    if destroy(console, id, &name) {
        return true;
    }
    changes.postfix(console);
    false
}

/// `zfs_destroy` of a snapshot.
fn remove_snapshot(console: &mut Console<'_>, id: DatasetId) -> bool {
    let name = console.name(id);
    if name.is_empty() {
        // It was deferred, and went with its last clone.
        return true;
    }
    let names = vec![name.as_str().into()];
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
                _ => console.refuse(&format!("cannot destroy '{name}'"), &Reason::Busy),
            }
            false
        }
    }
}
