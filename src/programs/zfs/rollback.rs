//! `zfs rollback` (`zfs_do_rollback`, `zfs_rollback`).

use ztwin_model::Release;
use ztwin_model::dsl::dataset::{Dataset, DatasetId};
use ztwin_model::dsl::names::Expected;
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::fault::Fault;

use super::destroy::destroy;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended};
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
    if !clones && !check(console, target, &newer, recurse) {
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
    if failed {
        return Ok(1);
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

/// `rollback_check`: newer snapshots need `-r`, their clones `-R`.
fn check(console: &mut Console<'_>, target: &str, newer: &[DatasetId], recurse: bool) -> bool {
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
        return true;
    }
    // Until 2.1 the snapshots are not sorted (`zfs_iter_snapshots`).
    let sorted = console.release() > Release::V2_1;
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
    for dataset in in_the_way {
        let name = console.name(dataset);
        console.complain(format!("{marker}{name}"));
    }
    false
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
