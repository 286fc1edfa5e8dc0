//! What comes out of the generator: sequences that mostly succeed, reach the states in which drivers get hurt,
//! and leave machines of which everything holds that must.

use std::sync::Arc;

use ztwin_model::generate::invariants::{check_cheap, check_spec};
use ztwin_model::generate::{Mix, Sequence, World};
use ztwin_model::{Outcome, Release};

/// Filesystems, snapshots and clones in the pool.
fn counts(machine: &ztwin_model::Machine) -> [usize; 3] {
    let pool = machine.state().pools.values().next().expect("a pool");
    let mut counts = [0; 3];
    for dataset in pool.datasets.values() {
        if let Some(filesystem) = dataset.filesystem() {
            counts[0] += 1;
            counts[2] += usize::from(filesystem.origin.is_some());
        }
        counts[1] += usize::from(dataset.is_snapshot());
    }
    counts
}

/// A generator that wastes itself on refusals finds nothing.
#[test]
fn most_operations_succeed_and_make_clones_of_snapshots() {
    let world = Arc::new(World::default());
    for release in Release::ALL {
        for mix in Mix::ALL {
            let (mut all, mut succeeded) = (0, 0);
            let mut ends: [Vec<usize>; 3] = Default::default();
            for seed in 0..500 {
                let sequence = Sequence::from_seed(&world, mix, release, seed, 20);
                let (machine, outcomes) = sequence.run();
                for (op, outcome) in sequence.ops.iter().zip(&outcomes) {
                    assert!(
                        !matches!(outcome, Outcome::NotModelled(_)),
                        "{mix:?} {seed}: {op:?}: {outcome:?}"
                    );
                    all += 1;
                    succeeded += usize::from(matches!(outcome, Outcome::Done | Outcome::File(_)));
                }
                for (ends, count) in ends.iter_mut().zip(counts(&machine)) {
                    ends.push(count);
                }
            }
            let share = 100 * succeeded / all;
            let medians = ends.map(|mut ends| {
                ends.sort_unstable();
                ends[ends.len() / 2]
            });
            println!("{release:?} {mix:?}: {share} %, {medians:?}");
            assert!((60..=92).contains(&share), "{mix:?}: {share} %");
            let [filesystems, snapshots, clones] = medians;
            assert!(
                filesystems >= 4 && snapshots >= 1 && clones >= 1,
                "{mix:?}: {medians:?}"
            );
        }
    }
}

#[test]
fn everything_holds_of_what_sequences_leave() {
    let world = Arc::new(World::default());
    for release in Release::ALL {
        for mix in Mix::ALL {
            for seed in 0..300 {
                let sequence = Sequence::from_seed(&world, mix, release, seed, 20);
                let (machine, _) = sequence.run();
                check_cheap(machine.state()).unwrap_or_else(|found| panic!("{found}\n{sequence}"));
                check_spec(&machine).unwrap_or_else(|found| panic!("{found}\n{sequence}"));
            }
        }
    }
}

#[test]
fn the_same_lots_are_the_same_sequence() {
    let world = Arc::new(World::default());
    for seed in 0..50 {
        let from_seed = Sequence::from_seed(&world, Mix::Layers, Release::V2_3, seed, 30);
        let lots = ztwin_model::generate::Lots::new(seed).take(30);
        let bytes: Vec<u8> = lots.flat_map(|lot| lot.0).collect();
        let from_bytes = Sequence::from_bytes(&world, Mix::Layers, Release::V2_3, &bytes);
        assert_eq!(from_seed.ops, from_bytes.ops);
        assert_eq!(from_seed.to_string(), from_bytes.to_string());
    }
}

#[test]
fn every_operation_has_a_step() {
    let world = Arc::new(World::default());
    for mix in Mix::ALL {
        for seed in 0..300 {
            let sequence = Sequence::from_seed(&world, mix, Release::V2_3, seed, 20);
            for step in sequence.steps() {
                assert!(step.words().is_some(), "{step}");
            }
        }
    }
}

#[test]
fn the_operations_over_the_small_world_are_different_and_have_steps() {
    let world = World::small();
    let ops = world.operations();
    let steps: Vec<String> = ops
        .iter()
        .map(|op| ztwin_model::generate::Step(op.clone()).to_string())
        .collect();
    println!("{} operations", steps.len());
    let mut sorted = steps.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), steps.len());
    assert!(steps.len() >= 151 && steps.iter().all(|step| !step.starts_with('#')));
    // Under other names they are the same ones; the order of several names does not matter.
    let by_words = |step: &str| {
        let mut words: Vec<&str> = step.split([' ', ',', '@']).collect();
        words.sort_unstable();
        words.join(" ")
    };
    let mut sorted: Vec<String> = steps.iter().map(|it| by_words(it)).collect();
    sorted.sort();
    for renaming in ztwin_model::generate::canonical::Renaming::ALL {
        let renamed = steps.iter().map(|it| by_words(&renaming.name(it)));
        let mut renamed: Vec<String> = renamed.collect();
        renamed.sort();
        // What is only there once: what is in another order with a third name.
        assert!(renamed == sorted, "{renaming:?}");
    }
}
