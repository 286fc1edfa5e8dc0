//! `zfs destroy` (`zfs_do_destroy`): partial effects of `-r` and `-R` fall out of its steps.

use std::sync::Arc;

use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::names::{self, Expected};
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::fault::Fault;
use ztwin_model::outcome::Errno;

use super::walk::{Handle, Recursion};
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended};

/// The flags, and what the steps hand on.
#[derive(Clone, Default)]
struct Destroy {
    force: bool,
    dry: bool,
    parsable: bool,
    recurse: bool,
    clones: bool,
    verbose: bool,
    defer: bool,
    /// Snapshots that are destroyed together.
    batch: Vec<Arc<str>>,
    /// ZFS meets them in an order that nobody can tell.
    shuffled: bool,
    /// Something could not be destroyed.
    failed: bool,
}

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "vpndfrR");
    let mut destroy = Destroy::default();
    for given in args.given {
        match given {
            Given::Flag('v') => destroy.verbose = true,
            Given::Flag('p') => {
                destroy.verbose = true;
                destroy.parsable = true;
            }
            Given::Flag('n') => destroy.dry = true,
            Given::Flag('d') => destroy.defer = true,
            Given::Flag('f') => destroy.force = true,
            Given::Flag('r') => destroy.recurse = true,
            Given::Flag(_) => {
                destroy.recurse = true;
                destroy.clones = true;
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
    if let Some((filesystem, spec)) = target.split_once('@') {
        console.in_any_order(|console| destroy.clone().snapshots(console, filesystem, spec))
    } else if target.contains('#') {
        destroy.bookmark(console, target)
    } else {
        console.in_any_order(|console| destroy.clone().filesystem(console, target))
    }
}

impl Destroy {
    fn snapshots(&mut self, console: &mut Console<'_>, filesystem: &str, spec: &str) -> Ended {
        let Some(id) = console.open(filesystem, Expected::Filesystem) else {
            return Ok(1);
        };
        let mut found = Vec::new();
        self.gather(console, id, spec, &mut found);
        if self.failed {
            return Ok(1);
        }
        if found.is_empty() && console.state().faulty(Fault::MissingSnapshotsAreDestroyed) {
            return Ok(0);
        }
        if found.is_empty() {
            console.complain("could not find any snapshots to destroy; check snapshot names.");
            return Ok(1);
        }
        if self.verbose {
            let nothing = if self.parsable { "0" } else { "0B" };
            let freed = console.figure(console.state().reclaimed(&found), self.parsable);
            let space = freed.unwrap_or_else(|| console.space(|_| nothing.to_owned()));
            console.say(&match (self.parsable, self.dry) {
                (true, _) => format!("reclaim\t{space}"),
                (false, true) => format!("would reclaim {space}"),
                (false, false) => format!("will reclaim {space}"),
            });
        }
        if self.dry {
            return Ok(0);
        }
        let names: Vec<Arc<str>> = found.iter().map(|&id| console.name(id).into()).collect();
        if self.clones {
            for name in &names {
                // One that went with its last clone is told, and does no harm (`destroy_clones`).
                let Some(id) = console.open(name, Expected::Snapshot) else {
                    continue;
                };
                let dependents = console.dependents(id);
                self.shuffled = dependents.shuffled;
                if !self.dependents(console, id) {
                    return Ok(1);
                }
            }
            if !self.flush(console, false) {
                return Ok(1);
            }
        }
        self.batch = names;
        // That a clone could not be destroyed counts only as what keeps the snapshots.
        let done = self.flush(console, self.defer);
        Ok(u8::from(!done))
    }

    /// `gather_snapshots`: those that the list names, with `-r` also below; says which have clones.
    fn gather(
        &mut self,
        console: &mut Console<'_>,
        id: DatasetId,
        spec: &str,
        found: &mut Vec<DatasetId>,
    ) {
        for part in spec.split(',') {
            for snapshot in select(console, id, part).unwrap_or_default() {
                if !self.clones && !self.defer && !check_clones(console, snapshot) {
                    self.failed = true;
                    // `destroy_check_dependent`: nothing is destroyed any more.
                    self.dry = true;
                }
                // Named once more, it goes to the end of the list.
                found.retain(|it| *it != snapshot);
                found.push(snapshot);
            }
        }
        if self.verbose {
            // `destroy_print_snapshots`: by age, whatever the order of the list.
            for snapshot in console.snapshots(id) {
                if found.contains(&snapshot) {
                    let name = console.name(snapshot);
                    self.tell(console, &name);
                }
            }
        }
        if self.recurse {
            let children = console.children(id);
            self.shuffled |= children.len() > 1;
            for child in children {
                self.gather(console, child, spec, found);
            }
        }
    }

    fn bookmark(&self, console: &mut Console<'_>, target: &str) -> Ended {
        let refused = [
            (self.dry, "dryrun"),
            (self.defer, "defer destroy"),
            (self.recurse, "recursive"),
        ];
        if let Some((_, what)) = refused.iter().find(|(given, _)| *given) {
            console.complain(format!("{what} is not supported with bookmark"));
            return Ok(255);
        }
        if console.state().find(target).is_none() {
            console.complain(format!("bookmark '{target}' does not exist."));
            return Ok(1);
        }
        let done = console.dataset(DslOp::DestroyBookmark {
            name: target.into(),
        });
        match done {
            Ok(()) => Ok(0),
            Err(reason) => {
                console.refuse("cannot destroy bookmark", &reason);
                // What the kernel answered (`lzc_destroy_bookmarks`).
                Ok(if reason == Reason::PoolReadOnly {
                    Errno::EROFS as u8
                } else {
                    1
                })
            }
        }
    }

    fn tell(&self, console: &mut Console<'_>, name: &str) {
        let marker = console.order(self.shuffled);
        let verb = match (self.parsable, self.dry) {
            (true, _) => "destroy\t",
            (false, true) => "would destroy ",
            (false, false) => "will destroy ",
        };
        console.say(&format!("{marker}{verb}{name}"));
    }

    fn filesystem(&mut self, console: &mut Console<'_>, target: &str) -> Ended {
        let expected = if self.defer {
            Expected::Snapshot
        } else {
            Expected::Filesystem
        };
        let is_missing = console.state().find(target).is_none();
        if is_missing && console.state().faulty(Fault::MissingIsDestroyed) {
            return Ok(0);
        }
        let Some(id) = console.open(target, expected) else {
            return Ok(1);
        };
        if !self.recurse && !target.contains('/') {
            console.complain(format!(
                "cannot destroy '{target}': operation does not apply to pools"
            ));
            console.complain(format!(
                "use 'zfs destroy -r {target}' to destroy all datasets in the pool"
            ));
            console.complain(format!(
                "use 'zpool destroy {target}' to destroy the pool itself"
            ));
            return Ok(1);
        }
        if !self.clones && !self.check_dependents(console, id, target) {
            return Ok(1);
        }
        self.shuffled = console.dependents(id).shuffled;
        if !self.dependents(console, id) {
            return Ok(1);
        }
        let target = console.handle(id);
        let done = target.is_none_or(|target| self.one(console, &target))
            && self.flush(console, self.defer);
        Ok(u8::from(!done || self.failed))
    }

    /// Destroys what depends on a dataset, as the walk comes to it. False ends it all.
    fn dependents(&mut self, console: &mut Console<'_>, id: DatasetId) -> bool {
        let Some(target) = console.handle(id) else {
            return true;
        };
        let faulty = console.state().faulty(Fault::DestroySparesClone)
            || (self.dry && console.state().faulty(Fault::DryRunOmitsClones));
        console.each_dependent(&target, Recursion::Refused, &mut |console, dependent| {
            let spared = faulty && !is_below(&dependent.name, &target.name);
            spared || self.one(console, dependent)
        })
    }

    /// `destroy_check_dependent` for a filesystem: without `-r` what is below it is in the way, with `-r`
    /// the clones elsewhere.
    fn check_dependents(&self, console: &mut Console<'_>, id: DatasetId, target: &str) -> bool {
        let dependents = console.dependents(id);
        let names = dependents.found.iter().map(|&id| console.name(id));
        let in_the_way: Vec<_> = names
            .filter(|name| is_below(name, target) != self.recurse)
            .collect();
        let planted = if self.recurse {
            Fault::RecursionTakesClones
        } else {
            Fault::SnapshotsAreNoChildren
        };
        let snapshots = in_the_way.iter().filter(|name| name.contains('@')).count();
        let is_planted = console.state().faulty(planted)
            && (self.recurse || snapshots == dependents.found.len());
        if in_the_way.is_empty() || is_planted {
            return true;
        }
        let (what, flag) = if self.recurse {
            console.note(&Reason::Cloned);
            ("dependent clones", "-R")
        } else {
            console.note(&Reason::HasChildren);
            ("children", "-r")
        };
        let kind = console.kind(id);
        console.complain(format!("cannot destroy '{target}': {kind} has {what}"));
        console.complain(format!("use '{flag}' to destroy the following datasets:"));
        let marker = console.order(dependents.shuffled && in_the_way.len() > 1);
        for name in in_the_way {
            console.complain(format!("{marker}{name}"));
        }
        false
    }

    /// `destroy_callback`: snapshots wait until the next filesystem, and go together. False ends it all.
    fn one(&mut self, console: &mut Console<'_>, dataset: &Handle) -> bool {
        let name = &dataset.name;
        if self.verbose {
            self.tell(console, name);
        }
        let pool = !dataset.is_snapshot() && names::parent(name).is_none();
        if pool || self.dry {
            return true;
        }
        if dataset.is_snapshot() {
            self.batch.push(name.as_str().into());
            return true;
        }
        let everywhere = console.state().faulty(Fault::DestroyDetachesAll);
        let done = self.flush(console, false)
            && console.unmount(dataset.id, self.force)
            && (!everywhere || unmount_everywhere(console, dataset.id, self.force))
            && destroy(console, dataset.id, name);
        if !done && self.recurse {
            self.failed = true;
            return true;
        }
        done
    }

    /// `zfs_destroy_snaps_nvl`: destroys the waiting snapshots, all or none.
    fn flush(&mut self, console: &mut Console<'_>, defer: bool) -> bool {
        let names = std::mem::take(&mut self.batch);
        if names.is_empty() {
            return true;
        }
        match console.dataset(DslOp::DestroySnapshots { names, defer }) {
            Ok(()) => true,
            Err(Reason::Snapshots(each)) => {
                console.note(&Reason::Snapshots(each.clone()));
                // `dsl_destroy_snapshots_nvl` has them in a table of Lua, whose order is another each time.
                let marker = console.order(each.len() > 1);
                for (name, reason) in &each {
                    console.refuse(&format!("{marker}cannot destroy snapshot {name}"), reason);
                }
                false
            }
            Err(reason) => {
                console.refuse("cannot destroy snapshots", &reason);
                false
            }
        }
    }
}

/// Takes off all mounts of a filesystem (a planted fault).
fn unmount_everywhere(console: &mut Console<'_>, id: DatasetId, force: bool) -> bool {
    let mounts = console.state().mounts.of(id);
    let paths: Vec<String> = mounts.map(|it| it.path.clone()).collect();
    paths.iter().all(|path| console.unmount_path(path, force))
}

/// `zfs_destroy` of a filesystem, with its mountpoint.
pub(super) fn destroy(console: &mut Console<'_>, id: DatasetId, name: &str) -> bool {
    let mountpoint = console.removable_mountpoint(id);
    match console.dataset(DslOp::Destroy { name: name.into() }) {
        Ok(()) => {
            console.remove_mountpoint(mountpoint);
            true
        }
        Err(Reason::NoSuchDataset) => true,
        Err(reason) => {
            console.refuse(&format!("cannot destroy '{name}'"), &reason);
            false
        }
    }
}

/// Whether `name` is a filesystem or snapshot below `top`.
fn is_below(name: &str, top: &str) -> bool {
    name.strip_prefix(top)
        .is_some_and(|rest| rest.starts_with(['/', '@']))
}

/// `zfs_iter_snapspec`: the snapshots that one part of the list names, `a` or `a%b`; none when the last
/// one of a range does not exist.
fn select(console: &Console<'_>, id: DatasetId, part: &str) -> Option<Vec<DatasetId>> {
    let snapshots = console.snapshots(id);
    let position = |name: &str| {
        snapshots.iter().position(|&snapshot| {
            console
                .state()
                .dataset(snapshot)
                .is_some_and(|it| &*it.component == name)
        })
    };
    let Some((first, last)) = part.split_once('%') else {
        let at = position(part)?;
        return Some(vec![snapshots[at]]);
    };
    let last = if last.is_empty() {
        snapshots.len()
    } else {
        position(last)? + 1
    };
    let first = if first.is_empty() {
        0
    } else {
        position(first).unwrap_or(snapshots.len())
    };
    Some(snapshots.get(first..last).unwrap_or_default().to_vec())
}

/// `destroy_check_dependent` for a snapshot: lists its clones.
fn check_clones(console: &mut Console<'_>, snapshot: DatasetId) -> bool {
    let dependents = console.dependents(snapshot);
    if dependents.found.is_empty() || console.state().faulty(Fault::ClonesKeepNothing) {
        return true;
    }
    let name = console.name(snapshot);
    console.complain(format!(
        "cannot destroy '{name}': snapshot has dependent clones"
    ));
    console.complain("use '-R' to destroy the following datasets:");
    let marker = dependents.marker(console);
    for dependent in dependents.found {
        let name = console.name(dependent);
        console.complain(format!("{marker}{name}"));
    }
    console.note(&Reason::Cloned);
    false
}
