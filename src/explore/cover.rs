//! A few traces that go through everything that was explored: each transition of the first two operations, and
//! each situation of the third.

use std::collections::{BTreeMap, BTreeSet};

use ztwin_model::Machine;
use ztwin_model::generate::canonical::Renaming;
use ztwin_model::generate::{Sequence, apply};

use super::{Explored, Explorer, Key, Path};
use crate::explore::situation::situation;

/// The most operations of a trace, so that it can still be read.
const LONGEST: usize = 40;

/// What is left to be gone through.
struct Left<'a> {
    explorer: &'a Explorer,
    /// The operations that were not yet tried in a state, but for names.
    transitions: BTreeMap<Key, BTreeSet<u16>>,
    situations: BTreeMap<&'a str, &'a Path>,
}

/// A walk: its operations, and where it stands.
struct Walk {
    path: Path,
    machine: Machine,
}

/// Sequences that go through every transition out of the states of up to `depth - 1` operations, and every
/// situation that was met.
#[must_use]
pub fn cover(explorer: &Explorer, found: &Explored, depth: usize) -> Vec<Sequence> {
    let mut left = Left::new(explorer, found, depth);
    let mut walks: Vec<Path> = Vec::new();
    for path in found.paths.iter().filter(|it| it.len() < depth) {
        while left.is_left(&explorer.machine(path)) {
            let mut walk = left.start(path);
            while walk.path.len() < LONGEST && (left.step(&mut walk) || left.approach(&mut walk)) {}
            walks.push(walk.path);
        }
    }
    // By the states that the last operation is tried in, those first that leave it as it is.
    let mut by_state: BTreeMap<&[u16], Vec<u16>> = BTreeMap::new();
    for path in left.situations.values() {
        if let Some((op, before)) = path.split_last() {
            by_state.entry(before).or_default().push(*op);
        }
    }
    for (before, mut ops) in by_state {
        while !ops.is_empty() {
            let mut walk = left.start(before);
            let mut last = None;
            ops.retain(|&op| {
                let stays = left.stays(&walk, op);
                if stays && walk.path.len() < LONGEST {
                    left.take(&mut walk, op);
                    return false;
                }
                if !stays && last.is_none() {
                    last = Some(op);
                    return false;
                }
                true
            });
            if let Some(op) = last {
                left.take(&mut walk, op);
            }
            walks.push(walk.path);
        }
    }
    walks.iter().map(|path| explorer.sequence(path)).collect()
}

impl Explorer {
    /// What sequences do not go through of what [`cover`] is to go through.
    #[must_use]
    pub fn not_covered(
        &self,
        found: &Explored,
        depth: usize,
        sequences: &[Sequence],
    ) -> Vec<String> {
        let mut left = Left::new(self, found, depth);
        for sequence in sequences {
            let numbers = sequence.ops.iter();
            let numbers = numbers.filter_map(|op| self.ops.iter().position(|it| it == op));
            let path: Path = numbers.filter_map(|it| u16::try_from(it).ok()).collect();
            left.start(&path);
        }
        let transitions = left.transitions.iter().flat_map(|(key, ops)| {
            let told = move |op: &u16| format!("operation {op} in state {key:016x}");
            ops.iter().map(told)
        });
        let situations = left.situations.keys().map(ToString::to_string);
        transitions.chain(situations).collect()
    }
}

impl<'a> Left<'a> {
    /// All of it: the states by which paths shorter than `depth` lead are near.
    fn new(explorer: &'a Explorer, found: &'a Explored, depth: usize) -> Left<'a> {
        let near = found.paths.iter().filter(|it| it.len() < depth);
        let transitions = near.map(|path| {
            let machine = explorer.machine(path);
            let (key, renamings) = Explorer::key(machine.state());
            let all = (0..).take(explorer.ops.len());
            let ops = all.map(|op| explorer.op_but_for_names(&renamings, op));
            (key, ops.collect())
        });
        Left {
            explorer,
            transitions: transitions.collect(),
            situations: found
                .situations
                .iter()
                .map(|(situation, path)| (situation.as_str(), path))
                .collect(),
        }
    }

    /// A new walk, by a path.
    fn start(&mut self, path: &[u16]) -> Walk {
        let mut walk = Walk {
            path: Path::new(),
            machine: self.explorer.machine(&[]),
        };
        for &op in path {
            self.take(&mut walk, op);
        }
        walk
    }

    /// Takes one operation.
    fn take(&mut self, walk: &mut Walk, op: u16) {
        let (key, renamings) = Explorer::key(walk.machine.state());
        if let Some(ops) = self.transitions.get_mut(&key) {
            ops.remove(&self.explorer.op_but_for_names(&renamings, op));
        }
        let before = walk.machine.clone();
        let step = &self.explorer.ops[usize::from(op)];
        let outcome = apply(&mut walk.machine, step);
        self.situations
            .remove(&*situation(before.state(), step, &outcome));
        walk.path.push(op);
    }

    /// Whether an operation leaves everything as it is, with the names that it has.
    fn stays(&self, walk: &Walk, op: u16) -> bool {
        let mut machine = walk.machine.clone();
        let _ = apply(&mut machine, &self.explorer.ops[usize::from(op)]);
        let keys = [&walk.machine, &machine]
            .map(|it| Explorer::key_under(Renaming::default(), it.state()));
        keys[0] == keys[1]
    }

    /// Whether anything is left to be tried in a state.
    fn is_left(&self, machine: &Machine) -> bool {
        let (key, _) = Explorer::key(machine.state());
        self.transitions.get(&key).is_some_and(|it| !it.is_empty())
    }

    /// Tries something that is left where the walk stands; first what leaves the state as it is.
    fn step(&mut self, walk: &mut Walk) -> bool {
        let (key, renamings) = Explorer::key(walk.machine.state());
        let Some(ops) = self.transitions.get(&key).filter(|it| !it.is_empty()) else {
            return false;
        };
        let wanted = |op: &u16| ops.contains(&self.explorer.op_but_for_names(&renamings, *op));
        let all: Vec<u16> = (0..).take(self.explorer.ops.len()).filter(wanted).collect();
        let stays = |op: &&u16| self.stays(walk, **op);
        let Some(&op) = all.iter().find(stays).or(all.first()) else {
            return false;
        };
        self.take(walk, op);
        true
    }

    /// Goes to a state next to this one in which something is left.
    fn approach(&mut self, walk: &mut Walk) -> bool {
        let all = (0..).take(self.explorer.ops.len());
        let found = all.into_iter().find(|&op: &u16| {
            let mut machine = walk.machine.clone();
            let _ = apply(&mut machine, &self.explorer.ops[usize::from(op)]);
            self.is_left(&machine)
        });
        if let Some(op) = found {
            self.take(walk, op);
        }
        found.is_some()
    }
}
