//! What depends on a dataset, in the order in which libzfs meets it (`libzfs_iter.c`).

use std::collections::{BTreeMap, BTreeSet};

use ztwin_model::Release;
use ztwin_model::dsl::dataset::{Dataset, DatasetId};
use ztwin_model::dsl::names::Expected;
use ztwin_model::fault::Fault;

use crate::programs::console::{Console, Ended, NotModelled};

/// What depends on a dataset, and whether ZFS would meet it in this order.
#[derive(Clone, Debug, Default)]
pub(super) struct Dependents {
    /// Each before what it depends on.
    pub found: Vec<DatasetId>,
    /// Somewhere on the way are several children or clones, which ZFS meets in an order that nobody can
    /// tell.
    pub shuffled: bool,
}

impl Dependents {
    /// What stands in front of each line of a list of them.
    pub fn marker(&self, console: &Console<'_>) -> &'static str {
        console.order(self.shuffled && self.found.len() > 1)
    }
}

/// What is met in an order that nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// What is right below a filesystem: others, or snapshots.
    Children,
    /// The clones of a snapshot.
    Clones,
}

impl Console<'_> {
    /// The filesystems right below one. ZFS meets them in the order of a hash with a random salt; here
    /// it is that of their names.
    pub fn children(&self, id: DatasetId) -> Vec<DatasetId> {
        let filesystem = self.state().filesystem(id).into_iter();
        let children = filesystem.flat_map(|it| it.children.values().copied());
        self.meet(children.collect(), Met::Children)
    }

    /// The snapshots of a filesystem, oldest first.
    pub fn snapshots(&self, id: DatasetId) -> Vec<DatasetId> {
        let filesystem = self.state().filesystem(id).into_iter();
        filesystem.flat_map(|it| it.snapshots.iter()).collect()
    }

    /// The bookmarks of a filesystem. ZFS meets them in the order of their names.
    pub fn bookmarks(&self, id: DatasetId) -> Vec<DatasetId> {
        let filesystem = self.state().filesystem(id).into_iter();
        filesystem
            .flat_map(|it| it.bookmarks.values().copied())
            .collect()
    }

    /// The clones of a snapshot.
    pub fn clones(&self, id: DatasetId) -> Vec<DatasetId> {
        let snapshot = self.state().snapshot(id).into_iter();
        self.meet(
            snapshot.flat_map(|it| it.clones.keys()).collect(),
            Met::Clones,
        )
    }

    /// A list whose order is that of a hash with a random salt, in the order that is being tried.
    pub(super) fn meet(&self, mut list: Vec<DatasetId>, met: Met) -> Vec<DatasetId> {
        if list.len() > 1 {
            self.order.met_many.set(true);
            match (self.order.tried, met) {
                (0, _) | (2, Met::Clones) | (3, Met::Children) => {}
                (1, _) | (2, Met::Children) | (3, Met::Clones) => list.reverse(),
                (by, _) => {
                    let by = (by - 3) % list.len();
                    list.rotate_left(by);
                }
            }
        }
        list
    }

    /// Runs what goes by lists whose order nobody can tell: in several orders where it met such a list. What
    /// it does is known if it comes to the same in each, apart from the order of the lines.
    pub(super) fn in_any_order(&mut self, mut run: impl FnMut(&mut Self) -> Ended) -> Ended {
        const TRIED: usize = 7;
        let before = (self.machine.clone(), self.failures.clone());
        let mnttab = self.mnttab.clone();
        let (out, err, reasons) = (self.out.len(), self.err.len(), self.reasons.len());
        let mut others: Vec<Outcome> = Vec::new();
        for tried in (0..TRIED).rev() {
            (*self.machine, *self.failures) = before.clone();
            self.mnttab.clone_from(&mnttab);
            self.out.truncate(out);
            self.err.truncate(err);
            self.reasons.truncate(reasons);
            self.order.tried = tried;
            let code = run(self)?;
            if tried == 0 || !self.order.met_many.get() {
                let this = self.outcome(code, out, err);
                if others.iter().any(|other| !other.is_like(&this)) {
                    break;
                }
                let marker = self.order(true).as_bytes();
                let said = mark(&this.out, others.iter().map(|it| &it.out), marker);
                self.out.truncate(out);
                self.out.push_str(&String::from_utf8_lossy(&said));
                let said = mark(&this.err, others.iter().map(|it| &it.err), marker);
                self.err.truncate(err);
                self.err.extend(said);
                return Ok(code);
            }
            others.push(self.outcome(code, out, err));
        }
        Err(NotModelled(
            "what depends on the order in which ZFS meets children or clones".to_owned(),
        ))
    }

    fn outcome(&self, code: u8, out: usize, err: usize) -> Outcome {
        let lines = |bytes: &[u8]| {
            let lines = bytes.split_inclusive(|&byte| byte == b'\n');
            lines.map(<[u8]>::to_vec).collect()
        };
        Outcome {
            code,
            out: lines(&self.out.as_bytes()[out..]),
            err: lines(&self.err[err..]),
            standing: self.standing(),
        }
    }

    /// All datasets and mounts by their names, to be compared.
    fn standing(&self) -> BTreeSet<String> {
        let state = self.state();
        let datasets = state.pools.values().flat_map(|pool| pool.datasets.values());
        let datasets = datasets.map(|it| {
            let origin = state.origin_of(it.id).map(|origin| self.name(origin));
            let kept = state.snapshot(it.id).map(|it| (&it.holds, it.deferred));
            format!("{} {origin:?} {kept:?} {:?}", self.name(it.id), it.settings)
        });
        let mounts = state.mounts.iter().map(|it| {
            let on = self.name(it.dataset);
            format!("{on} {} {:?}", it.path, it.options)
        });
        datasets.chain(mounts).collect()
    }

    /// `zfs_iter_dependents` where nothing changes meanwhile, with leave to recur: everything that must go
    /// before `id` can, each before what it depends on. A clone below a filesystem that is on the way already
    /// is left out.
    pub(super) fn dependents(&self, id: DatasetId) -> Dependents {
        let mut dependents = Dependents::default();
        self.depend(id, &mut Vec::new(), &mut dependents);
        // The last one is `id` itself.
        dependents.found.pop();
        dependents
    }

    fn depend(&self, id: DatasetId, way: &mut Vec<DatasetId>, dependents: &mut Dependents) {
        let snapshot = self.state().dataset(id).is_some_and(Dataset::is_snapshot);
        if snapshot {
            let clones = self.clones(id);
            dependents.shuffled |= clones.len() > 1;
            for clone in clones {
                self.depend(clone, way, dependents);
            }
        } else {
            if way.contains(&id) {
                return;
            }
            way.push(id);
            let children = self.children(id);
            dependents.shuffled |= children.len() > 1;
            for child in children {
                self.depend(child, way, dependents);
            }
            let snapshots = self.snapshots(id);
            // Only since 2.2 are they sorted (`iter_dependents_cb`).
            dependents.shuffled |= snapshots.len() > 1 && self.release() == Release::V2_1;
            for snapshot in snapshots {
                self.depend(snapshot, way, dependents);
            }
            way.pop();
        }
        dependents.found.push(id);
    }
}

/// What a program came to in one of the orders.
struct Outcome {
    code: u8,
    out: Vec<Vec<u8>>,
    err: Vec<Vec<u8>>,
    /// The datasets and mounts that there are.
    standing: BTreeSet<String>,
}

impl Outcome {
    /// Whether they differ in nothing but the order of lines.
    fn is_like(&self, other: &Outcome) -> bool {
        let sorted = |lines: &[Vec<u8>]| {
            let mut lines = lines.to_vec();
            lines.sort_unstable();
            lines
        };
        self.code == other.code
            && self.standing == other.standing
            && sorted(&self.out) == sorted(&other.out)
            && sorted(&self.err) == sorted(&other.err)
    }
}

/// The lines, with the marker before those that stand elsewhere in another order, and between them. A line
/// that has the same lines before it in each order ends such a list: the heading of the next one.
fn mark<'a>(
    lines: &[Vec<u8>],
    others: impl Iterator<Item = &'a Vec<Vec<u8>>>,
    marker: &[u8],
) -> Vec<u8> {
    // How many more of a line stand before here in `lines` than in another order, where that is not 0.
    let none_yet = BTreeMap::<&[u8], i64>::new;
    let mut ahead: Vec<_> = others.map(|other| (other, none_yet())).collect();
    let mut told = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let stands = ahead
            .iter()
            .all(|(other, ahead)| ahead.is_empty() && other[at] == *line);
        if !stands && !line.starts_with(marker) {
            told.extend_from_slice(marker);
        }
        told.extend_from_slice(line);
        for (other, ahead) in &mut ahead {
            for (line, step) in [(line, 1), (&other[at], -1)] {
                let count = ahead.entry(line).or_default();
                *count += step;
                if *count == 0 {
                    ahead.remove(line.as_slice());
                }
            }
        }
    }
    told
}

/// A dataset as libzfs opened it: what the handle says stays as it was then.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    pub id: DatasetId,
    pub name: String,
    /// The names of its clones, for a snapshot.
    clones: Option<Vec<String>>,
}

impl Handle {
    pub fn is_snapshot(&self) -> bool {
        self.clones.is_some()
    }
}

/// What is done with each dependent; whether to go on.
type Each<'a> = dyn FnMut(&mut Console<'_>, &Handle) -> bool + 'a;

/// What a walk does where a filesystem is met below itself, as a clone of what is below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recursion {
    /// It leaves it out.
    Allowed,
    /// It complains and ends.
    Refused,
}

impl Console<'_> {
    /// `make_dataset_handle`: nothing when it is gone.
    pub(super) fn handle(&self, id: DatasetId) -> Option<Handle> {
        let snapshot = self.state().dataset(id)?.is_snapshot();
        let clones = snapshot.then(|| {
            let clones = self.clones(id).into_iter();
            clones.map(|clone| self.name(clone)).collect()
        });
        Some(Handle {
            id,
            name: self.name(id),
            clones,
        })
    }

    /// `zfs_iter_dependents`: calls `each` for everything that must go before `top` can, each before what it
    /// depends on. It looks at each list when it comes to it, while `each` may destroy what it was given;
    /// false when it was stopped.
    pub(super) fn each_dependent(
        &mut self,
        top: &Handle,
        recursion: Recursion,
        each: &mut Each<'_>,
    ) -> bool {
        let way = Vec::new();
        DependentWalk { recursion, way }.below(self, top, each)
    }
}

struct DependentWalk {
    recursion: Recursion,
    /// The filesystems that are being walked through.
    way: Vec<DatasetId>,
}

impl DependentWalk {
    /// `iter_dependents_cb`.
    fn visit(&mut self, console: &mut Console<'_>, of: &Handle, each: &mut Each<'_>) -> bool {
        if self.way.contains(&of.id) {
            let allowed = self.recursion == Recursion::Allowed
                || console.state().faulty(Fault::WalkForgivesCycles);
            if !allowed {
                console.complain(format!(
                    "cannot determine dependent datasets: recursive dependency at '{}'",
                    of.name
                ));
            }
            return allowed;
        }
        self.below(console, of, each) && each(console, of)
    }

    fn visit_if_there(
        &mut self,
        console: &mut Console<'_>,
        id: DatasetId,
        each: &mut Each<'_>,
    ) -> bool {
        let handle = console.handle(id);
        handle.is_none_or(|handle| self.visit(console, &handle, each))
    }

    fn below(&mut self, console: &mut Console<'_>, of: &Handle, each: &mut Each<'_>) -> bool {
        if let Some(clones) = &of.clones {
            let shallow = console.state().faulty(Fault::WalkIsShallow);
            if shallow && self.way.len() > 1 {
                return true;
            }
            return clones.iter().all(|clone| {
                // One that is gone is told, and does no harm (`zfs_iter_clones`).
                let clone = console.open(clone, Expected::Filesystem);
                clone.is_none_or(|clone| self.visit_if_there(console, clone, each))
            });
        }
        self.way.push(of.id);
        let mut children = console.children(of.id).into_iter();
        let on = children.all(|child| self.visit_if_there(console, child, each))
            && self.snapshots(console, of, each);
        self.way.pop();
        on
    }

    fn snapshots(&mut self, console: &mut Console<'_>, of: &Handle, each: &mut Each<'_>) -> bool {
        let snapshots = console.snapshots(of.id);
        if console.release() == Release::V2_1 {
            let mut snapshots = console.meet(snapshots, Met::Children).into_iter();
            return snapshots.all(|snapshot| self.visit_if_there(console, snapshot, each));
        }
        // To sort them, all are opened first, and none is left out when one fails
        // (`zfs_iter_snapshots_sorted`).
        let snapshots: Vec<_> = snapshots
            .into_iter()
            .filter_map(|snapshot| console.handle(snapshot))
            .collect();
        let mut on = true;
        for snapshot in &snapshots {
            on &= self.visit(console, snapshot, each);
        }
        on
    }
}

#[cfg(test)]
mod tests {
    use ztwin_model::spa::op::PoolOp;
    use ztwin_model::{Machine, Op, Release};

    use crate::pools::End;
    use crate::programs;

    #[test]
    fn a_heading_ends_a_list_in_any_order() {
        let lines = |text: &str| -> Vec<Vec<u8>> {
            let words = text.split_inclusive(' ');
            words.map(|word| word.as_bytes().to_vec()).collect()
        };
        let others = [lines("H b a H b a T x "), lines("H a b H b a T x ")];
        let marked = super::mark(&lines("H a b H a b T x "), others.iter(), b"~");
        assert_eq!(marked, b"H ~a ~b H ~a ~b T x ");
        // What only stands where it stood is within the list.
        let others = [lines("c b a "), lines("b c a ")];
        let marked = super::mark(&lines("a b c "), others.iter(), b"~");
        assert_eq!(marked, b"~a ~b ~c ");
    }

    /// Until 2.1 snapshots are met in no order, and whether one stops the destruction of the other depends
    /// on it.
    #[test]
    fn what_depends_on_a_random_order_is_not_modelled() {
        let held_and_free = [
            "zfs create tank/a",
            "zfs snapshot tank/a@1",
            "zfs clone tank/a@1 tank/c",
            "zfs snapshot tank/c@h",
            "zfs hold keep tank/c@h",
            "zfs snapshot tank/a@2",
            "zfs clone tank/a@2 tank/d",
        ];
        for (release, end) in [
            (Release::V2_1, End::NotModelled),
            (Release::V2_3, End::Exit(1)),
        ] {
            let mut machine = Machine::new(release);
            let file = PoolOp::HostFile {
                path: "/v/a".into(),
                size: Some(1 << 30),
            };
            let _ = machine.apply(&Op::Pool(file));
            let mut run = |line: &str| {
                let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
                programs::run(&mut machine, &words).printed.end
            };
            assert_eq!(run("zpool create tank /v/a"), End::Exit(0));
            for line in held_and_free {
                assert_eq!(run(line), End::Exit(0), "{line}");
            }
            assert_eq!(run("zfs destroy -R tank/a"), end, "{release:?}");
        }
    }
}
