//! What is kept up to date is what the definitions say, after any history.

use proptest::prelude::*;

use super::*;
use crate::spec::tests::{Change, Step, World, any_step};
use crate::spec::{Block, LOGICAL, PHYSICAL, SIZE};

/// A block whose sizes lie between what they are and half as much again.
fn weight(block: &Block) -> Weight {
    let about = |least| Figure {
        least,
        most: least + least / 2,
    };
    Weight {
        size: about(block.size),
        logical: about(block.logical),
        physical: about(block.physical),
    }
}

impl Space {
    fn apply(&mut self, change: &Change, world: &World) {
        match change {
            Change::Create(id, parent) => self.create(*id, Some(*parent)),
            Change::Write(id, freed, born) => {
                self.born(*id, born.iter().map(weight).sum());
                for block in freed {
                    self.kill(*id, block.birth, weight(block));
                }
            }
            Change::Snapshot(of, id, txg) => self.snapshot(*of, *id, *txg),
            Change::Clone(origin, id, parent) => self.clone_of(*origin, *id, Some(*parent)),
            Change::Promote(id) => self.promote(*id),
            Change::Rollback(id) => self.rollback(*id),
            Change::Destroy(id) => self.destroy(*id),
            Change::DestroySnapshot(id) => self.destroy_snapshot(*id),
            Change::DestroyBookmark(id) => {
                for &home in world.datasets.filesystems.keys() {
                    self.destroy_bookmark(*id, home);
                }
            }
            Change::Reserve(id, bytes) => self.reserve(*id, *bytes),
            Change::Refreserve(id, bytes) => self.refreserve(*id, *bytes),
            Change::Rename(id, parent) => self.rename(*id, *parent),
            Change::Bookmark(id, snapshot) => {
                self.bookmark(*id, world.datasets.home(*snapshot), *snapshot);
            }
        }
    }
}

/// A history, and what is kept of it.
fn kept(steps: &[Step]) -> (World, Space) {
    let mut world = World::empty();
    let mut space = Space::default();
    space.create(DatasetId(0), None);
    for step in steps {
        for change in world.choose(step) {
            space.apply(&change, &world);
            world.apply(&change);
        }
    }
    (world, space)
}

proptest! {
    #[test]
    fn every_figure_is_what_the_definitions_say(steps in prop::collection::vec(any_step(), 0..80)) {
        let (world, space) = kept(&steps);
        let spec = &world.datasets;
        for &id in spec.filesystems.keys().chain(spec.snapshots.keys()) {
            let figures = [
                ("used", space.used(id), spec.used(id)),
                ("referenced", space.referenced(id).size, spec.referenced(id, SIZE)),
                ("logicalreferenced", space.referenced(id).logical, spec.referenced(id, LOGICAL)),
                ("physical", space.referenced(id).physical, spec.referenced(id, PHYSICAL)),
                ("written", space.written(id), spec.written(id)),
            ];
            for (name, kept, defined) in figures {
                prop_assert_eq!(kept.least, defined, "{} of {:?}", name, id);
            }
        }
        for &id in spec.filesystems.keys() {
            let figures = [
                ("usedbydataset", space.used_by_dataset(id), spec.used_by_dataset(id, SIZE)),
                ("usedbysnapshots", space.used_by_snapshots(id), spec.used_by_snapshots(id, SIZE)),
                ("usedbychildren", space.used_by_children(id), spec.used_by_children(id)),
                ("logicalused", space.blocks(id).logical, spec.charged(id, LOGICAL)),
                ("physical", space.blocks(id).physical, spec.charged(id, PHYSICAL)),
            ];
            for (name, kept, defined) in figures {
                prop_assert_eq!(kept.least, defined, "{} of {:?}", name, id);
            }
            let reserved = space.used_by_refreservation(id);
            prop_assert_eq!(reserved.most, spec.used_by_refreservation(id));
            prop_assert!(reserved.least <= reserved.most);
        }
    }

    #[test]
    fn what_was_written_since_a_snapshot_is_what_that_has_not(
        steps in prop::collection::vec(any_step(), 0..80)
    ) {
        let (world, space) = kept(&steps);
        let spec = &world.datasets;
        for &id in spec.filesystems.keys() {
            let mut chain = spec.chain(id);
            while let Some(newer) = chain.pop() {
                for &older in &chain {
                    let since = space.written_since(newer, older).least;
                    prop_assert_eq!(since, spec.written_since(newer, older));
                }
            }
        }
    }

    #[test]
    fn bookmarks_outlive_their_snapshots(steps in prop::collection::vec(any_step(), 0..80)) {
        let (world, space) = kept(&steps);
        let spec = &world.datasets;
        for (&home, filesystem) in &spec.filesystems {
            for (&bookmark, mark) in &spec.bookmarks {
                let Some(since) = space.written_since_bookmark(home, home, bookmark) else {
                    continue;
                };
                prop_assert_eq!(since.least, spec.written_since_bookmark(home, bookmark));
                for snapshot in &filesystem.snapshots {
                    if spec.snapshots[snapshot].txg > mark.txg {
                        let since = space.written_since_bookmark(*snapshot, home, bookmark);
                        prop_assert_eq!(since.map(|it| it.least), Some(spec.written_since_bookmark(*snapshot, bookmark)));
                    }
                }
            }
        }
    }

    #[test]
    fn destroying_frees_what_was_told(
        steps in prop::collection::vec(any_step(), 0..80), at in 0_usize..100, count in 1_usize..4
    ) {
        let (mut world, mut space) = kept(&steps);
        let snapshots = &world.datasets.filesystems[&world.filesystem(at)].snapshots;
        let first = at % snapshots.len().max(1);
        let range: Vec<_> = snapshots.iter().copied().skip(first).take(count).collect();
        // What clones have does not count.
        if let (Some(&first), Some(&last)) = (range.first(), range.last())
            && !range.iter().any(|&id| world.has_clones(id))
        {
            let home = world.datasets.home(first);
            let told = space.reclaimed(first, last);
            prop_assert_eq!(told.least, world.datasets.reclaimed(&range));
            let before = space.blocks(home).size;
            for &id in &range {
                space.destroy_snapshot(id);
                world.datasets.destroy(id);
            }
            prop_assert_eq!(space.blocks(home).size, before.without(told));
        }
    }

    #[test]
    fn a_promotion_moves_what_was_told(steps in prop::collection::vec(any_step(), 0..80), at in 0_usize..100) {
        let (world, mut space) = kept(&steps);
        let clone = world.filesystem(at);
        if let Some(origin) = world.datasets.filesystems[&clone].origin {
            let home = world.datasets.home(origin);
            let own = |space: &Space, id| space.used_by_dataset(id) + space.used_by_snapshots(id);
            let (told, before) = (space.promoted(clone).size, own(&space, clone));
            let of_home = own(&space, home);
            space.promote(clone);
            prop_assert_eq!(own(&space, clone), before + told);
            prop_assert_eq!(own(&space, home) + told, of_home);
        }
    }
}
