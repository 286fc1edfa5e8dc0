use proptest::prelude::*;

use super::*;

/// A step of a history. Numbers choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    Create(usize),
    Write(usize, usize, u64),
    Snapshot(usize),
    Clone(usize, usize),
    Promote(usize),
    Rollback(usize),
    Destroy(usize),
    DestroySnapshot(usize),
}

fn step() -> impl Strategy<Value = Step> {
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

/// Datasets, and what makes the numbers of new ones.
#[derive(Clone, Debug, Default)]
struct World {
    datasets: Datasets,
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
            }
        };
        (0..count).map(&mut block).collect()
    }

    fn filesystem(&self, at: usize) -> DatasetId {
        let all: Vec<_> = self.datasets.filesystems.keys().collect();
        *all[at % all.len()]
    }

    fn any_snapshot(&self, at: usize) -> Option<DatasetId> {
        let all: Vec<_> = self.datasets.snapshots.keys().collect();
        all.get(at % all.len().max(1)).map(|&&id| id)
    }

    fn has_clones(&self, snapshot: DatasetId) -> bool {
        let mut all = self.datasets.filesystems.values();
        all.any(|it| it.origin == Some(snapshot))
    }

    fn new() -> World {
        let mut world = World {
            txg: 1,
            ..World::default()
        };
        let head = world.born(3);
        world.datasets.create(DatasetId(0), None, head);
        world
    }

    /// Takes a step, each in a transaction group of its own.
    fn take(&mut self, step: &Step) {
        self.txg += 1;
        match *step {
            Step::Create(parent) => {
                let (head, id) = (self.born(2), DatasetId(self.number()));
                let parent = self.filesystem(parent);
                self.datasets.create(id, Some(parent), head);
            }
            Step::Write(at, freed, born) => {
                let id = self.filesystem(at);
                let head = self.datasets.blocks(id).iter();
                let freed: Blocks = head.skip(at % 3).take(freed).copied().collect();
                let born = self.born(born);
                self.datasets.write(id, &freed, &born);
            }
            Step::Snapshot(at) => {
                let (of, id) = (self.filesystem(at), DatasetId(self.number()));
                self.datasets.snapshot(of, id, self.txg);
            }
            Step::Clone(origin, parent) => {
                if let Some(origin) = self.any_snapshot(origin) {
                    let (id, parent) = (DatasetId(self.number()), self.filesystem(parent));
                    self.datasets.clone_of(origin, id, Some(parent));
                }
            }
            Step::Promote(at) => self.datasets.promote(self.filesystem(at)),
            Step::Rollback(at) => self.datasets.rollback(self.filesystem(at)),
            Step::Destroy(at) => {
                let id = self.filesystem(at);
                let mut all = self.datasets.filesystems.values();
                let parent = all.any(|it| it.parent == Some(id));
                if id != DatasetId(0)
                    && !parent
                    && self.datasets.filesystem(id).snapshots.is_empty()
                {
                    self.datasets.destroy(id);
                }
            }
            Step::DestroySnapshot(at) => {
                if let Some(id) = self.any_snapshot(at).filter(|&id| !self.has_clones(id)) {
                    self.datasets.destroy(id);
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
                space.logical_used(id),
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
