//! A sequence of operations and the trace that is its text do the same: what `zfs` on a command line comes to is
//! the operation that was drawn.

use std::sync::Arc;

use ztwin::pools::{Blobs, Command, ModelPools};
use ztwin_model::dmu::storage::Figure;
use ztwin_model::dsl::property::Property;
use ztwin_model::generate::{Mix, Sequence, World};
use ztwin_model::machine::State;
use ztwin_model::{Op, Outcome, Release};

/// Everything that can be seen of the datasets.
fn picture(state: &State) -> Vec<String> {
    let pool = state.pools.values().next().expect("a pool");
    let mut lines: Vec<String> = pool
        .datasets
        .values()
        .map(|dataset| {
            let id = dataset.id;
            let name = state.name_of(id);
            let origin = state.origin_of(id).and_then(|it| state.name_of(it));
            let figures = [
                Property::Used,
                Property::Referenced,
                Property::Written,
                Property::Usedbysnapshots,
            ];
            let figures = figures.map(|it| state.figure(id, it).and_then(Figure::known));
            let tree: Vec<String> = dataset
                .filesystem()
                .map(|_| dataset.objset.tree(ztwin_model::dmu::ROOT).entries)
                .into_iter()
                .flatten()
                .map(|entry| format!("{entry:?}"))
                .collect();
            format!("{name:?} {origin:?} {figures:?} {tree:?}")
        })
        .collect();
    lines.sort();
    lines
}

fn command(words: Vec<String>) -> Command {
    Command {
        words,
        ..Command::default()
    }
}

#[test]
fn an_operation_and_its_step_do_the_same() {
    let world = Arc::new(World::default());
    let mut apart = Vec::new();
    for release in Release::ALL {
        for mix in Mix::ALL {
            for seed in 0..150 {
                let mut sequence = Sequence::from_seed(&world, mix, release, seed, 20);
                // The figures of both are those of what is on disk.
                sequence
                    .ops
                    .push(Op::Pool(ztwin_model::spa::op::PoolOp::Sync {
                        pool: "tank".to_owned(),
                    }));
                let (machine, outcomes) = sequence.run();
                let setup = world.setup(release).len();
                let commands: Vec<Command> = sequence
                    .steps()
                    .map(|step| command(step.words().expect("a step")))
                    .collect();
                let mut last = Vec::new();
                ModelPools::new(release, Blobs::default())
                    .watch(&commands, &mut |index, printed, state| {
                        let Some(outcome) = index.checked_sub(setup).map(|it| &outcomes[it]) else {
                            assert!(printed.succeeded(), "{printed:?}");
                            return;
                        };
                        let succeeds = matches!(outcome, Outcome::Done | Outcome::File(_));
                        if printed.succeeded() != succeeds {
                            let error = String::from_utf8_lossy(&printed.err);
                            let words = &commands[index].words;
                            apart.push(format!("{words:?}: {outcome:?}, {error}\n{sequence}"));
                        }
                        last = picture(state);
                    })
                    .expect("the model");
                if picture(machine.state()) != last {
                    let pictures = (picture(machine.state()), last);
                    apart.push(format!("{pictures:#?}\n{sequence}"));
                }
            }
        }
    }
    assert!(apart.is_empty(), "{}, the first: {}", apart.len(), apart[0]);
}
