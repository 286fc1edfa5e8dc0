use proptest::prelude::*;

use super::*;

/// A step of a history. Numbers choose among what is there.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Create(usize),
    Write(usize, usize, u64),
    Snapshot(usize),
    Clone(usize, usize),
    Promote(usize),
    Rollback(usize),
    Destroy(usize),
    DestroySnapshot(usize),
    Reserve(usize, u64),
    Refreserve(usize, u64),
    Rename(usize, usize),
    Bookmark(usize),
}

/// A change of the datasets, with what the step chose.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Create(DatasetId, DatasetId),
    Write(DatasetId, Blocks, Blocks),
    Snapshot(DatasetId, DatasetId, u64),
    Clone(DatasetId, DatasetId, DatasetId),
    Promote(DatasetId),
    Rollback(DatasetId),
    Destroy(DatasetId),
    DestroySnapshot(DatasetId),
    DestroyBookmark(DatasetId),
    Reserve(DatasetId, u64),
    Refreserve(DatasetId, u64),
    Rename(DatasetId, DatasetId),
    Bookmark(DatasetId, DatasetId),
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let any = 0_usize..100;
    prop_oneof![
        1 => any.clone().prop_map(Step::Create),
        6 => (any.clone(), 0_usize..4, 0_u64..4).prop_map(|(at, freed, born)| Step::Write(at, freed, born)),
        4 => any.clone().prop_map(Step::Snapshot),
        2 => (any.clone(), any.clone()).prop_map(|(origin, parent)| Step::Clone(origin, parent)),
        1 => any.clone().prop_map(Step::Promote),
        1 => any.clone().prop_map(Step::Rollback),
        1 => any.clone().prop_map(Step::Destroy),
        2 => any.prop_map(Step::DestroySnapshot),
    ]
}

/// Also steps after which other figures than blocks count.
pub(crate) fn any_step() -> impl Strategy<Value = Step> {
    let (any, bytes) = (0_usize..100, prop_oneof![Just(0), 0_u64..100_000]);
    prop_oneof![
        16 => step(),
        1 => (any.clone(), bytes.clone()).prop_map(|(at, bytes)| Step::Reserve(at, bytes)),
        1 => (any.clone(), bytes).prop_map(|(at, bytes)| Step::Refreserve(at, bytes)),
        1 => (any.clone(), any.clone()).prop_map(|(at, parent)| Step::Rename(at, parent)),
        1 => any.prop_map(Step::Bookmark),
    ]
}

/// Datasets, and what makes the numbers of new ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub datasets: Datasets,
    txg: u64,
    next: u64,
}

impl World {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn born(&mut self, count: u64) -> Blocks {
        let txg = self.txg;
        let mut block = |_| {
            let id = self.number();
            Block {
                id,
                birth: txg,
                size: 4096 * (1 + id % 5),
                logical: 1000 * (1 + id % 7),
                physical: 512 * (1 + id % 3),
            }
        };
        (0..count).map(&mut block).collect()
    }

    pub(crate) fn filesystem(&self, at: usize) -> DatasetId {
        let all: Vec<_> = self.datasets.filesystems.keys().collect();
        *all[at % all.len()]
    }

    pub(crate) fn any_snapshot(&self, at: usize) -> Option<DatasetId> {
        let all: Vec<_> = self.datasets.snapshots.keys().collect();
        all.get(at % all.len().max(1)).map(|&&id| id)
    }

    pub(crate) fn has_clones(&self, snapshot: DatasetId) -> bool {
        let mut all = self.datasets.filesystems.values();
        all.any(|it| it.origin == Some(snapshot))
    }

    /// With a root that has no blocks.
    pub(crate) fn empty() -> World {
        let mut world = World {
            txg: 1,
            ..World::default()
        };
        world.datasets.create(DatasetId(0), None, Blocks::new());
        world
    }

    fn new() -> World {
        let mut world = World::empty();
        let head = world.born(3);
        world.datasets.write(DatasetId(0), &Blocks::new(), &head);
        world
    }

    /// Takes a step, each in a transaction group of its own.
    fn take(&mut self, step: &Step) {
        for change in self.choose(step) {
            self.apply(&change);
        }
    }

    /// What a step changes, in the next transaction group.
    pub(crate) fn choose(&mut self, step: &Step) -> Vec<Change> {
        self.txg += 1;
        let change = match *step {
            Step::Create(parent) => {
                let (head, id) = (self.born(2), DatasetId(self.number()));
                return vec![
                    Change::Create(id, self.filesystem(parent)),
                    Change::Write(id, Blocks::new(), head),
                ];
            }
            Step::Write(at, freed, born) => {
                let id = self.filesystem(at);
                let head = self.datasets.blocks(id).iter();
                let freed: Blocks = head.skip(at % 3).take(freed).copied().collect();
                Change::Write(id, freed, self.born(born))
            }
            Step::Snapshot(at) => {
                let id = DatasetId(self.number());
                Change::Snapshot(self.filesystem(at), id, self.txg)
            }
            Step::Clone(origin, parent) => {
                let Some(origin) = self.any_snapshot(origin) else {
                    return Vec::new();
                };
                let id = DatasetId(self.number());
                Change::Clone(origin, id, self.filesystem(parent))
            }
            Step::Promote(at) => Change::Promote(self.filesystem(at)),
            Step::Rollback(at) => {
                let id = self.filesystem(at);
                let last = self.datasets.filesystem(id).snapshots.last();
                let Some(last) = last.map(|last| self.datasets.snapshots[last].txg) else {
                    return Vec::new();
                };
                // Bookmarks of something newer must be gone.
                let newer = self.datasets.bookmarks.iter();
                let newer = newer.filter(|(_, mark)| mark.txg > last);
                let newer = newer.map(|(&bookmark, _)| Change::DestroyBookmark(bookmark));
                return newer.chain([Change::Rollback(id)]).collect();
            }
            Step::Destroy(at) => {
                let id = self.filesystem(at);
                let mut all = self.datasets.filesystems.values();
                let parent = all.any(|it| it.parent == Some(id));
                let bare = self.datasets.filesystem(id).snapshots.is_empty();
                if id == DatasetId(0) || parent || !bare {
                    return Vec::new();
                }
                Change::Destroy(id)
            }
            Step::DestroySnapshot(at) => {
                match self.any_snapshot(at).filter(|&id| !self.has_clones(id)) {
                    Some(id) => Change::DestroySnapshot(id),
                    None => return Vec::new(),
                }
            }
            Step::Reserve(at, bytes) => Change::Reserve(self.filesystem(at), bytes),
            Step::Refreserve(at, bytes) => Change::Refreserve(self.filesystem(at), bytes),
            Step::Rename(at, parent) => {
                let (id, parent) = (self.filesystem(at), self.filesystem(parent));
                let above = |id: &DatasetId| self.datasets.filesystem(*id).parent;
                let mut way = std::iter::successors(Some(parent), above);
                if id == DatasetId(0) || way.any(|it| it == id) {
                    return Vec::new();
                }
                Change::Rename(id, parent)
            }
            Step::Bookmark(at) => match self.any_snapshot(at) {
                Some(snapshot) => Change::Bookmark(DatasetId(self.number()), snapshot),
                None => return Vec::new(),
            },
        };
        vec![change]
    }

    pub(crate) fn apply(&mut self, change: &Change) {
        let datasets = &mut self.datasets;
        match change {
            Change::Create(id, parent) => datasets.create(*id, Some(*parent), Blocks::new()),
            Change::Write(id, freed, born) => datasets.write(*id, freed, born),
            Change::Snapshot(of, id, txg) => datasets.snapshot(*of, *id, *txg),
            Change::Clone(origin, id, parent) => datasets.clone_of(*origin, *id, Some(*parent)),
            Change::Promote(id) => datasets.promote(*id),
            Change::Rollback(id) => datasets.rollback(*id),
            Change::Destroy(id) | Change::DestroySnapshot(id) | Change::DestroyBookmark(id) => {
                datasets.destroy(*id);
            }
            Change::Bookmark(id, snapshot) => datasets.bookmark(*id, *snapshot),
            Change::Reserve(id, _) | Change::Refreserve(id, _) | Change::Rename(id, _) => {
                let Some(filesystem) = datasets.filesystems.get_mut(id) else {
                    return;
                };
                match change {
                    Change::Reserve(_, bytes) => filesystem.reservation = *bytes,
                    Change::Refreserve(_, bytes) => filesystem.refreservation = *bytes,
                    Change::Rename(_, parent) => filesystem.parent = Some(*parent),
                    _ => {}
                }
            }
        }
    }

    /// The bytes of all blocks that anything holds.
    fn total(&self) -> u64 {
        let snapshots = self.datasets.snapshots.keys();
        let all = snapshots.chain(self.datasets.filesystems.keys());
        let blocks: Blocks = all
            .flat_map(|&id| self.datasets.blocks(id))
            .copied()
            .collect();
        weigh(&blocks, SIZE)
    }

    /// Every figure of every dataset, and what it comes from.
    fn figures(&self) -> Vec<(DatasetId, Option<DatasetId>, [u64; 7])> {
        let (all, space) = (self.datasets.filesystems.keys(), &self.datasets);
        let all = all.chain(self.datasets.snapshots.keys());
        let figures = all.map(|&id| {
            let figures = [
                space.used(id),
                space.referenced(id, SIZE),
                space.referenced(id, LOGICAL),
                space.written(id),
                space.used_by_dataset(id, SIZE),
                space.used_by_snapshots(id, SIZE),
                space.charged(id, LOGICAL),
            ];
            (id, space.filesystem(id).origin, figures)
        });
        figures.collect()
    }
}

fn world(steps: &[Step]) -> World {
    let mut world = World::new();
    for step in steps {
        world.take(step);
    }
    world
}

proptest! {
    #[test]
    fn each_block_is_charged_once(steps in prop::collection::vec(step(), 0..60)) {
        let world = world(&steps);
        let space = &world.datasets;
        let charged = space.filesystems.keys().map(|&id| {
            space.used_by_dataset(id, SIZE) + space.used_by_snapshots(id, SIZE)
        });
        prop_assert_eq!(charged.sum::<u64>(), world.total());
        prop_assert_eq!(space.used(DatasetId(0)), world.total());
    }

    #[test]
    fn what_snapshots_take_lies_on_the_dead_lists(steps in prop::collection::vec(step(), 0..60)) {
        let world = world(&steps);
        let space = &world.datasets;
        for &id in space.filesystems.keys() {
            let chain = space.chain(id);
            let dead = chain.windows(2).map(|pair| {
                let gone = space.blocks(pair[0]).difference(space.blocks(pair[1]));
                weigh(gone.filter(|block| space.is_own(id, block)), SIZE)
            });
            prop_assert_eq!(dead.sum::<u64>(), space.used_by_snapshots(id, SIZE));
        }
    }

    #[test]
    fn a_snapshot_has_alone_what_no_other_of_its_chain_has(steps in prop::collection::vec(step(), 0..60)) {
        let world = world(&steps);
        let space = &world.datasets;
        for &id in space.snapshots.keys() {
            let chain = space.chain(space.home(id));
            let others: Blocks = chain.iter().filter(|&&it| it != id).flat_map(|&it| space.blocks(it)).copied().collect();
            prop_assert_eq!(space.unique(id, SIZE), weigh(space.blocks(id).difference(&others), SIZE));
        }
    }

    #[test]
    fn what_is_written_is_younger_than_the_snapshot_before(steps in prop::collection::vec(step(), 0..60)) {
        let world = world(&steps);
        let space = &world.datasets;
        for (&id, filesystem) in &space.filesystems {
            let last = filesystem.snapshots.last().or(filesystem.origin.as_ref());
            let since = last.map_or(0, |last| space.snapshots[last].txg);
            let young = filesystem.head.iter().filter(|block| block.birth > since);
            prop_assert_eq!(weigh(young, SIZE), space.written(id));
        }
    }

    #[test]
    fn a_snapshot_and_a_clone_take_nothing(steps in prop::collection::vec(step(), 0..40), at in 0_usize..100) {
        let mut world = world(&steps);
        let (before, of) = (world.total(), world.filesystem(at));
        let used = world.datasets.used(of);
        world.take(&Step::Snapshot(at));
        let new = *world.datasets.filesystem(of).snapshots.last().unwrap();
        prop_assert_eq!((world.datasets.used(of), world.datasets.used(new)), (used, 0));
        prop_assert_eq!(world.datasets.written(of), 0);
        world.datasets.clone_of(new, DatasetId(99_999), Some(DatasetId(0)));
        prop_assert_eq!(world.datasets.used(DatasetId(99_999)), 0);
        prop_assert_eq!(world.total(), before);
    }

    #[test]
    fn promoting_there_and_back_changes_nothing(steps in prop::collection::vec(step(), 0..60), at in 0_usize..100) {
        let mut world = world(&steps);
        let clone = world.filesystem(at);
        if let Some(origin) = world.datasets.filesystem(clone).origin {
            let (home, before, total) = (world.datasets.home(origin), world.figures(), world.total());
            world.datasets.promote(clone);
            prop_assert_eq!(world.datasets.used(DatasetId(0)), total);
            prop_assert_eq!(world.datasets.filesystem(home).origin, Some(origin));
            world.datasets.promote(home);
            prop_assert_eq!(world.figures(), before);
        }
    }

    #[test]
    fn what_is_destroyed_frees_what_was_told(steps in prop::collection::vec(step(), 0..60), at in 0_usize..100) {
        let mut world = world(&steps);
        let before = world.total();
        if let Some(id) = world.any_snapshot(at).filter(|&id| !world.has_clones(id)) {
            // Without clones of it, what it has alone in its chain nothing else has.
            let told = world.datasets.reclaimed(&[id]);
            prop_assert_eq!(world.datasets.unique(id, SIZE), told);
            world.datasets.destroy(id);
            prop_assert_eq!(world.total(), before - told);
        }
    }

    #[test]
    fn a_rollback_leaves_nothing_written(steps in prop::collection::vec(step(), 0..60), at in 0_usize..100) {
        let mut world = world(&steps);
        let id = world.filesystem(at);
        let written = world.datasets.written(id);
        let before = world.total();
        if let Some(&last) = world.datasets.filesystem(id).snapshots.last() {
            world.take(&Step::Rollback(at));
            prop_assert_eq!(world.datasets.written(id), 0);
            prop_assert_eq!(world.datasets.blocks(id), world.datasets.blocks(last));
            prop_assert_eq!(world.total(), before - written);
        }
    }
}

#[test]
fn a_refreservation_counts_again_what_a_snapshot_keeps() {
    // Measured: 50M reserved, 10.2M written; a snapshot makes all of it a charge of its own.
    let mut world = World::new();
    let id = DatasetId(7);
    let block = Block {
        id: 1,
        birth: 1,
        size: 10_199_040,
        logical: 10_199_040,
        physical: 10_199_040,
    };
    world
        .datasets
        .create(id, Some(DatasetId(0)), Blocks::from([block]));
    let reserve = |datasets: &mut Datasets| {
        datasets
            .filesystems
            .get_mut(&id)
            .map(|it| it.refreservation = 50 << 20)
    };
    reserve(&mut world.datasets).unwrap();
    assert_eq!(world.datasets.used(id), 52_428_800);
    assert_eq!(world.datasets.used_by_refreservation(id), 42_229_760);
    world.datasets.snapshot(id, DatasetId(8), 2);
    assert_eq!(world.datasets.used(id), 62_627_840);
    assert_eq!(world.datasets.used_by_refreservation(id), 52_428_800);
}

#[test]
fn a_child_takes_at_least_what_is_reserved_for_it() {
    let mut world = World::new();
    let own = world.datasets.used(DatasetId(0));
    let head = world.born(1);
    world
        .datasets
        .create(DatasetId(9), Some(DatasetId(0)), head);
    if let Some(child) = world.datasets.filesystems.get_mut(&DatasetId(9)) {
        child.reservation = 1 << 20;
    }
    assert_eq!(world.datasets.used(DatasetId(0)), own + (1 << 20));
    assert!(world.datasets.used(DatasetId(9)) < 1 << 20);
}
