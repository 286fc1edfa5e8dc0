//! All sequences over the small world, by two engines.

use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};

use stateright::{Checker, Model, Property};
use ztwin::explore::Explorer;
use ztwin_model::generate::canonical::{Renaming, describe};
use ztwin_model::generate::invariants::{check_cheap, check_spec};
use ztwin_model::generate::{World, apply};
use ztwin_model::{Machine, Op, Release};

/// The model for stateright: the same operations, states that are one as they are for `ztwin explore`, and the same
/// invariants.
struct Small {
    world: World,
    ops: Vec<Op>,
}

/// A machine, which is another one if its key is.
#[derive(Clone, Debug)]
struct State {
    machine: Machine,
    key: u64,
}

impl State {
    fn new(machine: Machine) -> State {
        let keys = Renaming::ALL.map(|renaming| {
            let mut hasher = DefaultHasher::new();
            describe(machine.state(), renaming, &mut hasher);
            hasher.finish()
        });
        let key = keys.into_iter().min().unwrap_or(0);
        State { machine, key }
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, to: &mut H) {
        self.key.hash(to);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &State) -> bool {
        self.key == other.key
    }
}

impl Model for Small {
    type State = State;
    type Action = u16;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self.world.machine(Release::V2_3))]
    }

    fn actions(&self, _: &State, actions: &mut Vec<u16>) {
        actions.extend((0..).zip(&self.ops).map(|(number, _)| number));
    }

    fn next_state(&self, state: &State, action: u16) -> Option<State> {
        let mut machine = state.machine.clone();
        let _ = apply(&mut machine, &self.ops[usize::from(action)]);
        let next = State::new(machine);
        if next != *state {
            check_cheap(next.machine.state()).expect("it holds");
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Small>> {
        let holds = |_: &Small, state: &State| check_spec(&state.machine).is_ok();
        vec![Property::always(
            "figures are those of sets of blocks",
            holds,
        )]
    }
}

/// Prints how many states and transitions there are: `ENGINE DEPTH`.
pub fn task(words: &[String]) {
    let [engine, depth] = words else {
        panic!("{words:?}")
    };
    let depth: u32 = depth.parse().expect("a depth");
    if engine == "ztwin" {
        let found = Explorer::new(Release::V2_3).explore(depth, &|_, _| true);
        let found = found.expect("nobody stops it");
        println!("{} {}", found.states, found.transitions);
        return;
    }
    let threads = env::var("RAYON_NUM_THREADS")
        .ok()
        .and_then(|it| it.parse().ok());
    let world = World::small();
    let ops = world.operations();
    let checker = Small { world, ops }.checker();
    // The first state is at depth 1, and those of the last are not gone on from.
    let checker = checker
        .target_max_depth(depth as usize + 1)
        .threads(threads.unwrap_or(1));
    let checker = checker.spawn_bfs().join();
    checker.assert_properties();
    println!(
        "{} {}",
        checker.unique_state_count(),
        checker.state_count() - 1
    );
}
