//! Every sequence of operations up to a length, over a small world.
//!
//! States that are one but for the names given in them are gone on from once ([`canonical`]), so that a few hundred
//! thousand transitions stand for millions of sequences. What is counted does not depend on the number of threads.

mod cover;
mod draw;
mod situation;

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use ztwin_model::generate::canonical::{self, Renaming};
use ztwin_model::generate::invariants::{Violation, check_cheap, check_spec};
use ztwin_model::generate::{Sequence, Step, World, apply};
use ztwin_model::machine::State;
use ztwin_model::{Machine, Op, Outcome, Release};

pub use cover::cover;
pub use draw::{Drawn, Draws};
use situation::situation;

/// A state but for its names: 64 bits of a hash. That two of a million states have the same is less likely than one
/// in ten million.
pub type Key = u64;

/// The operations of a path, by their numbers in the list of all.
pub type Path = Vec<u16>;

/// What there is to explore.
#[derive(Clone, Debug)]
pub struct Explorer {
    world: Arc<World>,
    release: Release,
    ops: Vec<Op>,
    /// For each renaming the number that each operation has under it.
    renamed: [Vec<u16>; 4],
    #[cfg(feature = "faults")]
    fault: Option<ztwin_model::fault::Fault>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// How many operations there are.
    pub operations: usize,
    /// How many sequences of at least one operation and at most as many as asked for there are.
    pub sequences: u128,
    /// How many operations were applied.
    pub transitions: u64,
    /// How many different states were met, the first one among them.
    pub states: u64,
    /// The paths by which states were first met, but for those that nothing was tried in.
    pub paths: Vec<Path>,
    /// Each situation in which an operation was tried, with the path that first led there, that operation the last.
    pub situations: BTreeMap<String, Path>,
    /// What must hold and does not, with the operations that show it.
    pub violations: Vec<(Violation, Path)>,
}

/// One operation tried in a state.
struct Tried {
    op: u16,
    situation: String,
    /// Where it led, if that is another state.
    key: Option<Key>,
    /// The machine there, if it is to be gone on from.
    machine: Option<Machine>,
    violation: Option<Violation>,
}

impl Explorer {
    /// All operations over the small world on a release.
    #[must_use]
    pub fn new(release: Release) -> Explorer {
        let world = Arc::new(World::small());
        let ops = world.operations();
        let text = |op: &Op, renaming: Renaming| {
            let words = Step(op.clone()).words().unwrap_or_default();
            let mut words: Vec<String> = words.iter().map(|it| renaming.name(it)).collect();
            // The names of several snapshots stand in any order.
            words.sort_unstable();
            words
        };
        let numbers: BTreeMap<Vec<String>, u16> = (0..)
            .zip(&ops)
            .map(|(number, op)| (text(op, Renaming::default()), number))
            .collect();
        let renamed = Renaming::ALL.map(|renaming| {
            let number = |op| numbers.get(&text(op, renaming)).copied();
            // A world whose names cannot be exchanged has no other operations.
            (0..)
                .zip(&ops)
                .map(|(same, op)| number(op).unwrap_or(same))
                .collect()
        });
        Explorer {
            world,
            release,
            ops,
            renamed,
            #[cfg(feature = "faults")]
            fault: None,
        }
    }

    /// The state but for its names, and the renamings that make it so.
    fn key(state: &State) -> (Key, Vec<usize>) {
        let keys = Renaming::ALL.map(|renaming| Explorer::key_under(renaming, state));
        let least = keys.iter().copied().min().unwrap_or(0);
        let same = (0..keys.len()).filter(|&index| keys[index] == least);
        (least, same.collect())
    }

    /// The state with its names exchanged so.
    fn key_under(renaming: Renaming, state: &State) -> Key {
        let mut hasher = DefaultHasher::new();
        canonical::describe(state, renaming, &mut hasher);
        hasher.finish()
    }

    /// The number of an operation but for its names, in a state that these renamings make what it is.
    fn op_but_for_names(&self, renamings: &[usize], op: u16) -> u16 {
        let numbers = renamings
            .iter()
            .map(|&index| self.renamed[index][usize::from(op)]);
        numbers.min().unwrap_or(op)
    }

    /// The same with a planted fault.
    #[cfg(feature = "faults")]
    #[must_use]
    pub fn with_fault(mut self, fault: ztwin_model::fault::Fault) -> Explorer {
        self.fault = Some(fault);
        self
    }

    /// The machine that all begins with.
    fn first(&self) -> Machine {
        let machine = self.world.machine(self.release);
        #[cfg(feature = "faults")]
        let machine = match self.fault {
            Some(fault) => machine.with_fault(fault),
            None => machine,
        };
        machine
    }

    /// The machine behind a path.
    fn machine(&self, path: &[u16]) -> Machine {
        let mut machine = self.first();
        for &op in path {
            let _ = apply(&mut machine, &self.ops[usize::from(op)]);
        }
        machine
    }

    /// A path as a sequence.
    #[must_use]
    pub fn sequence(&self, path: &[u16]) -> Sequence {
        Sequence {
            world: Arc::clone(&self.world),
            release: self.release,
            ops: path
                .iter()
                .map(|&op| self.ops[usize::from(op)].clone())
                .collect(),
        }
    }

    /// Tries all operations in a state.
    fn try_all(&self, machine: &Machine, goes_on: bool) -> Vec<Tried> {
        let (here, _) = Explorer::key(machine.state());
        let all = (0..).zip(&self.ops);
        all.map(|(number, op)| {
            let mut next = machine.clone();
            let outcome = apply(&mut next, op);
            let situation = situation(machine.state(), op, &outcome);
            let mut violation = match outcome {
                Outcome::NotModelled(what) => Some(Violation {
                    invariant: "all is modelled",
                    dataset: Step(op.clone()).to_string(),
                    seen: what.to_owned(),
                }),
                _ => None,
            };
            let key = Some(Explorer::key(next.state()).0).filter(|&key| key != here);
            if key.is_some() {
                let holds = check_cheap(next.state());
                violation = violation.or(holds.err());
            }
            Tried {
                op: number,
                situation,
                key,
                machine: Some(next).filter(|_| goes_on && key.is_some()),
                violation,
            }
        })
        .collect()
    }

    /// Goes through all sequences of up to `depth` operations. `seen` is told of which length how many thousandths
    /// are done, and stops it all by `false`.
    pub fn explore(&self, depth: u32, seen: &dyn Fn(u32, usize) -> bool) -> Option<Explored> {
        let mut explored = Explored {
            operations: self.ops.len(),
            sequences: (1..=depth).map(|it| (self.ops.len() as u128).pow(it)).sum(),
            states: 1,
            ..Explored::default()
        };
        let first = self.first();
        let mut known = HashSet::from([Explorer::key(first.state()).0]);
        let mut frontier: Vec<(Machine, Path)> = vec![(first, Path::new())];
        for length in 1..=depth {
            let mut next = Vec::new();
            // In parts, so that no more machines are held than are gone on from.
            let parts = frontier.chunks(256);
            let count = parts.len();
            for (index, part) in parts.enumerate() {
                if !seen(length, index * 1000 / count) {
                    return None;
                }
                let tried: Vec<Vec<Tried>> = part
                    .par_iter()
                    .map(|(machine, _)| self.try_all(machine, length < depth))
                    .collect();
                for ((_, path), tried) in part.iter().zip(tried) {
                    explored.paths.push(path.clone());
                    for it in tried {
                        let longer = || path.iter().copied().chain([it.op]).collect::<Path>();
                        explored.transitions += 1;
                        let situations = &mut explored.situations;
                        situations.entry(it.situation).or_insert_with(&longer);
                        if let Some(violation) = it.violation {
                            explored.violations.push((violation, longer()));
                        }
                        let Some(key) = it.key else { continue };
                        if known.insert(key) {
                            explored.states += 1;
                            next.extend(it.machine.map(|machine| (machine, longer())));
                        }
                    }
                }
            }
            // Sets of blocks are slow: each state that is gone on from, once.
            let against_spec: Vec<_> = next
                .par_iter()
                .filter_map(|(machine, path)| Some((check_spec(machine).err()?, path.clone())))
                .collect();
            explored.violations.extend(against_spec);
            frontier = next;
        }
        Some(explored)
    }
}
