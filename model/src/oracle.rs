//! The model beside something else that does, or should do, what ZFS does.
//!
//! Whoever has a driver, a fake or a storage engine of his own implements [`System`] for it and lets [`Search`]
//! look for a sequence of operations after which the two differ. What it finds is small, and prints as a trace.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::dmu::data::to_bytes;
use crate::dsl::dataset::DatasetId;
use crate::dsl::op::DslOp;
use crate::generate::choose::lookup;
use crate::generate::shrink::{shrink, simpler};
use crate::generate::{Mix, Sequence, Step, World, apply};
use crate::machine::{Machine, State};
use crate::op::Op;
use crate::outcome::Outcome;
use crate::release::Release;
use crate::zpl::mount::MountOptions;
use crate::zpl::op::{At, FileOp, FileResult, Target};
use crate::zpl::znode::Body;

/// What a system answers to an operation, as far as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Answer {
    /// It is done.
    Done,
    /// These bytes were read.
    Data(Vec<u8>),
    /// It is refused, and nothing changed.
    Refused,
    /// The system has nothing like it, and nothing changed: the operation is left out, on both sides.
    Unsupported,
    /// The system panicked. No system says so itself.
    Panicked,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Done => f.write_str("done"),
            Answer::Data(bytes) => {
                let first: Vec<String> =
                    bytes.iter().take(8).map(|it| format!("{it:02x}")).collect();
                let more = if bytes.len() > 8 { " ..." } else { "" };
                write!(f, "{} bytes: {}{more}", bytes.len(), first.join(" "))
            }
            Answer::Refused => f.write_str("refused"),
            Answer::Unsupported => f.write_str("unsupported"),
            Answer::Panicked => f.write_str("panicked"),
        }
    }
}

/// Something that is tested against the model. It begins with the pool of a [`World`], which is empty.
pub trait System {
    /// Does one operation.
    fn apply(&mut self, op: &Op) -> Answer;

    /// The full names of all filesystems and snapshots, in any order; they are compared after each operation,
    /// if the system can tell.
    fn datasets(&mut self) -> Option<Vec<String>> {
        None
    }
}

/// What differs between ZFS, as the model has it, and a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The answer to the last operation.
    Answer {
        /// That of ZFS.
        expected: Answer,
        /// That of the system.
        got: Answer,
    },
    /// The full names of filesystems and snapshots behind it, sorted.
    Datasets {
        /// Those of ZFS.
        expected: Vec<String>,
        /// Those of the system.
        got: Vec<String>,
    },
}

/// A sequence of operations after which a system and the model differ.
#[derive(Clone, Debug)]
pub struct Divergence {
    /// The operations; the last one shows it.
    pub sequence: Sequence,
    /// What differs.
    pub difference: Difference,
    /// The seed of the sequence that found it, if one did.
    pub seed: Option<u64>,
}

/// What stays the same while a divergence is made smaller: the kind of the last operation, and the classes of what
/// was expected and what came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The program or verb with its subcommand: `zfs destroy`.
    pub operation: String,
    /// The class of what was expected.
    pub expected: &'static str,
    /// The class of what came.
    pub got: &'static str,
}

impl Answer {
    fn class(&self) -> &'static str {
        match self {
            Answer::Done => "done",
            Answer::Data(_) => "data",
            Answer::Refused => "refused",
            Answer::Unsupported => "unsupported",
            Answer::Panicked => "panicked",
        }
    }
}

impl Divergence {
    /// Its signature.
    #[must_use]
    pub fn signature(&self) -> Signature {
        let words = self.sequence.ops.last().cloned().map(Step);
        let words = words.and_then(|step| step.words()).unwrap_or_default();
        let is_program = matches!(words.first().map(String::as_str), Some("zfs" | "zpool"));
        let (expected, got) = match &self.difference {
            Difference::Answer { expected, got } => (expected.class(), got.class()),
            Difference::Datasets { expected, got } => {
                let lacks = expected.iter().any(|name| !got.contains(name));
                ("datasets", if lacks { "lacks some" } else { "has more" })
            }
        };
        Signature {
            operation: words[..words.len().min(1 + usize::from(is_program))].join(" "),
            expected,
            got,
        }
    }
}

/// A trace with what differs under its last step.
impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.sequence)?;
        let (what, expected, got) = match &self.difference {
            Difference::Answer { expected, got } => ("", expected.to_string(), got.to_string()),
            Difference::Datasets { expected, got } => {
                ("the datasets: ", expected.join(" "), got.join(" "))
            }
        };
        writeln!(f, "  - ZFS:        {what}{expected}")?;
        write!(f, "  + the system: {what}{got}")?;
        if let Difference::Answer {
            expected: Answer::Data(expected),
            got: Answer::Data(got),
        } = &self.difference
        {
            let same = expected
                .iter()
                .zip(got)
                .take_while(|(one, other)| one == other);
            write!(f, "\n  = the first {} bytes are the same", same.count())?;
        }
        if let Some(seed) = self.seed {
            write!(f, "\nFound with seed {seed}.")?;
        }
        Ok(())
    }
}

impl std::error::Error for Divergence {}

/// What the model answers.
fn answer(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::File(FileResult::Data(pieces)) => Answer::Data(to_bytes(&pieces)),
        Outcome::Done | Outcome::File(_) => Answer::Done,
        Outcome::Refused(_) | Outcome::Failed(_) => Answer::Refused,
        Outcome::NotModelled(_) => Answer::Unsupported,
    }
}

/// The full names of all filesystems and snapshots, sorted.
fn datasets(state: &State) -> Vec<String> {
    let all = state.pools.values().flat_map(|pool| pool.datasets.values());
    let all = all.filter(|dataset| dataset.bookmark().is_none());
    let mut names: Vec<String> = all.filter_map(|it| state.name_of(it.id)).collect();
    names.sort();
    names
}

/// How much was compared without a difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Sequences of operations.
    pub sequences: u64,
    /// Operations that both did, or refused.
    pub operations: u64,
    /// Operations that one of the two has not, and that were left out, by their kind as a trace names it.
    pub left_out: BTreeMap<String, u64>,
}

impl Compared {
    fn add(&mut self, more: Compared) {
        self.sequences += more.sequences;
        self.operations += more.operations;
        for (kind, count) in more.left_out {
            *self.left_out.entry(kind).or_default() += count;
        }
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Compared {
            sequences,
            operations,
            left_out,
        } = self;
        let all: u64 = left_out.values().sum();
        write!(
            f,
            "{sequences} sequences, {operations} operations compared, {all} left out"
        )?;
        let mut kinds: Vec<(&String, &u64)> = left_out.iter().collect();
        kinds.sort_by_key(|(_, count)| Reverse(**count));
        for (index, (kind, count)) in kinds.iter().take(MOST).enumerate() {
            let before = if index == 0 { ": " } else { ", " };
            write!(f, "{before}{kind} {count}")?;
        }
        f.write_str(if kinds.len() > MOST { ", ..." } else { "" })
    }
}

/// So many kinds of operations that were left out are named, the most frequent first.
const MOST: usize = 5;

/// The kind of an operation: the program or verb of its step in a trace, with the subcommand.
fn kind(op: &Op) -> String {
    let words = Step(op.clone()).words().unwrap_or_default();
    let is_program = words.first().is_some_and(|it| it == "zfs" || it == "zpool");
    words[..words.len().min(1 + usize::from(is_program))].join(" ")
}

/// The model and a system side by side.
struct Pair<'a, S> {
    sequence: &'a Sequence,
    machine: Machine,
    system: &'a mut S,
    /// What both did.
    done: Vec<Op>,
    compared: Compared,
}

impl<S: System> Pair<'_, S> {
    /// Does one operation on both. Whether it was done.
    fn apply(&mut self, op: &Op) -> Result<bool, Divergence> {
        let before = self.machine.clone();
        let expected = answer(apply(&mut self.machine, op));
        let got = if expected == Answer::Unsupported {
            Answer::Unsupported
        } else {
            // What it leaves behind is not looked at any more.
            let got = catch_unwind(AssertUnwindSafe(|| self.system.apply(op)));
            got.unwrap_or(Answer::Panicked)
        };
        if got == Answer::Unsupported {
            self.machine = before;
            *self.compared.left_out.entry(kind(op)).or_default() += 1;
            return Ok(false);
        }
        self.compared.operations += 1;
        self.done.push(op.clone());
        let differs = |difference| Divergence {
            sequence: Sequence {
                ops: self.done.clone(),
                ..self.sequence.clone()
            },
            difference,
            seed: None,
        };
        if got != expected {
            return Err(differs(Difference::Answer { expected, got }));
        }
        if let Some(mut got) = self.system.datasets() {
            got.sort();
            let expected = datasets(self.machine.state());
            if got != expected {
                return Err(differs(Difference::Datasets { expected, got }));
            }
        }
        Ok(got != Answer::Refused)
    }
}

/// What reads the files of a filesystem or snapshot, under the name of `dataset`.
fn reads(world: &World, state: &State, of: DatasetId, dataset: &Arc<str>) -> Vec<Op> {
    let paths = world.places.iter().flat_map(|place| &place.files);
    let paths: BTreeSet<&Arc<str>> = paths.map(|at| &at.path).collect();
    let objset = state.dataset(of).map(|it| &it.objset);
    let size = |path: &str| {
        let znode = objset?.get(lookup(objset?, path)?)?;
        matches!(znode.body, Body::File(_)).then(|| znode.size())
    };
    let read = |path: &Arc<str>| {
        let at = At {
            dataset: dataset.clone(),
            path: path.clone(),
        };
        Some(Op::File(FileOp::Read {
            from: Target::Path(at),
            offset: 0,
            len: size(path)?,
        }))
    };
    paths.into_iter().filter_map(read).collect()
}

/// What reads all that a sequence has left: the files of what is mounted, and those of each snapshot through a clone.
/// What comes after an operation of a list that was not done is not done either.
fn looks(world: &World, state: &State) -> Vec<Vec<Op>> {
    let (mut mounted, mut cloned) = (Vec::new(), Vec::new());
    for name in datasets(state) {
        let name: Arc<str> = name.into();
        let Some(id) = state.find(&name) else {
            continue;
        };
        if state.snapshot(id).is_none() {
            if state.mounts.is_mounted(id) {
                mounted.push(reads(world, state, id, &name));
            }
            continue;
        }
        let clone: Arc<str> = format!("{}/look{}", world.pool, cloned.len()).into();
        let reads = reads(world, state, id, &clone);
        if reads.is_empty() {
            continue;
        }
        let mut ops = vec![
            Op::Dataset(DslOp::Clone {
                name: clone.clone(),
                origin: name,
                settings: Vec::new(),
            }),
            Op::File(FileOp::Mount {
                path: format!("/mnt/look{}", cloned.len()).into(),
                dataset: clone,
                options: MountOptions::plain(false),
                beside: false,
            }),
        ];
        ops.extend(reads);
        cloned.push(ops);
    }
    mounted.append(&mut cloned);
    mounted
}

/// Runs a sequence on the model and on a system, up to the first difference, and reads at its end all that is left of it.
/// A panic of the system is a difference.
pub fn compare(sequence: &Sequence, system: &mut impl System) -> Result<Compared, Divergence> {
    let mut pair = Pair {
        sequence,
        machine: sequence.world.machine(sequence.release),
        system,
        done: Vec::new(),
        compared: Compared {
            sequences: 1,
            ..Compared::default()
        },
    };
    for op in &sequence.ops {
        pair.apply(op)?;
    }
    for ops in looks(&sequence.world, pair.machine.state()) {
        for op in ops {
            if !pair.apply(&op)? {
                break;
            }
        }
    }
    Ok(pair.compared)
}

/// A search for a sequence of operations after which a system differs from ZFS.
#[derive(Clone, Debug)]
pub struct Search {
    /// The names, sizes and data.
    pub world: Arc<World>,
    /// Which operations come, and how often.
    pub mix: Mix,
    /// The release whose rules apply.
    pub release: Release,
    /// The seed of the first sequence; the next ones follow.
    pub seed: u64,
    /// How many sequences are tried.
    pub sequences: u64,
    /// How many operations each has.
    pub length: usize,
}

impl Default for Search {
    /// A thousand sequences of 20 operations of drivers of containers.
    fn default() -> Search {
        Search {
            world: Arc::new(World::default()),
            mix: Mix::Layers,
            release: Release::default(),
            seed: 0,
            sequences: 1000,
            length: 20,
        }
    }
}

/// How often a smaller sequence is tried.
const BUDGET: u32 = 2000;

impl Search {
    /// Looks for a difference, each time on a new system, and makes what it finds small.
    pub fn run<S: System>(&self, mut new: impl FnMut() -> S) -> Result<Compared, Box<Divergence>> {
        let mut compared = Compared::default();
        for seed in self.seed..self.seed.saturating_add(self.sequences) {
            let (world, mix, release) = (&self.world, self.mix, self.release);
            let sequence = Sequence::from_seed(world, mix, release, seed, self.length);
            match compare(&sequence, &mut new()) {
                Ok(of_one) => compared.add(of_one),
                Err(found) => {
                    let mut small = smaller(&found, &mut new);
                    small.seed = Some(seed);
                    return Err(Box::new(small));
                }
            }
        }
        Ok(compared)
    }
}

/// A smaller sequence that ends in the same kind of difference: the same kind of operation, the same thing that
/// differs, and the same classes of answers.
pub fn smaller<S: System>(found: &Divergence, new: &mut impl FnMut() -> S) -> Divergence {
    let signature = found.signature();
    let mut best = found.clone();
    let ops = found.sequence.ops.clone();
    shrink(ops, BUDGET, simpler, |ops| {
        let sequence = Sequence {
            ops: ops.to_vec(),
            ..found.sequence.clone()
        };
        match compare(&sequence, &mut new()) {
            Err(other) if other.signature() == signature => {
                best = other;
                true
            }
            _ => false,
        }
    });
    best
}
