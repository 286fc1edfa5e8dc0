//! Sequences at random, by the million, on the model alone.

use std::ops::Range;
use std::sync::Arc;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use ztwin_model::generate::invariants::{Violation, check_cheap, check_spec};
use ztwin_model::generate::{Lot, Lots, Mix, Sequence, World, apply};
use ztwin_model::{Machine, Outcome, Release};

/// How many sequences have their first operations in common: what these make is made once.
const GROUP: u64 = 32;

/// One of so many sequences is held against sets of blocks.
const AGAINST_SPEC: u64 = 1000;

/// Which sequences are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// The release whose rules apply.
    pub release: Release,
    /// Which operations come, and how often.
    pub mix: Mix,
    /// How many operations a sequence has.
    pub length: usize,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    /// How many sequences were run.
    pub sequences: u64,
    /// How many operations they have.
    pub operations: u64,
    /// How many operations were applied for that.
    pub applied: u64,
    /// How many of those succeeded.
    pub succeeded: u64,
    /// How many machines were held against sets of blocks.
    pub against_spec: u64,
    /// How many of all leave a machine of which something does not hold that must.
    pub violated: u64,
    /// The first of them: what does not hold, and the number of the sequence.
    pub violations: Vec<(Violation, u64)>,
}

impl Drawn {
    fn add(mut self, other: Drawn) -> Drawn {
        self.sequences += other.sequences;
        self.operations += other.operations;
        self.applied += other.applied;
        self.succeeded += other.succeeded;
        self.against_spec += other.against_spec;
        self.violated += other.violated;
        self.violations.extend(other.violations);
        self
    }
}

impl Draws {
    /// How many operations the sequences of a group have in common: seven of ten.
    fn common(&self) -> usize {
        self.length * 7 / 10
    }

    /// The lots of a sequence: the first ones are those of its group.
    fn lots(&self, number: u64) -> impl Iterator<Item = Lot> + use<> {
        let common = self.common();
        // The numbers of groups and of sequences are apart.
        let group = Lots::new(u64::MAX - number / GROUP).take(common);
        group.chain(Lots::new(number).take(self.length - common))
    }

    /// A sequence by its number.
    #[must_use]
    pub fn sequence(&self, number: u64) -> Sequence {
        let world = Arc::new(World::default());
        Sequence::from_lots(&world, self.mix, self.release, self.lots(number))
    }

    /// Runs the sequences with these numbers, on all threads. `seen` is told how many thousandths are done, and stops it with
    /// `false`.
    pub fn run(&self, numbers: Range<u64>, seen: &dyn Fn(usize) -> bool) -> Option<Drawn> {
        let world = World::default();
        let empty = world.machine(self.release);
        let groups = numbers.start / GROUP..numbers.end.div_ceil(GROUP);
        let (first, count) = (groups.start, (groups.end - groups.start).max(1));
        let mut drawn = Drawn::default();
        let mut next = groups.start;
        while next < groups.end {
            let done = usize::try_from((next - first) * 1000 / count).unwrap_or(0);
            if !seen(done) {
                return None;
            }
            let part = next..(next + 1024).min(groups.end);
            next = part.end;
            let found = part
                .into_par_iter()
                .map(|group| self.group(&world, &empty, group, &numbers))
                .reduce(Drawn::default, Drawn::add);
            drawn = drawn.add(found);
            drawn.violations.sort_by_key(|it| it.1);
            drawn.violations.truncate(10);
        }
        Some(drawn)
    }

    fn group(&self, world: &World, empty: &Machine, group: u64, numbers: &Range<u64>) -> Drawn {
        let mut drawn = Drawn::default();
        let mut one = |machine: &mut Machine, lot: Lot| {
            let op = world.choose(self.mix, lot, machine.state());
            let outcome = apply(machine, &op);
            drawn.applied += 1;
            drawn.succeeded += u64::from(matches!(outcome, Outcome::Done | Outcome::File(_)));
        };
        let all = group * GROUP..(group + 1) * GROUP;
        let mut common = empty.clone();
        for lot in self.lots(all.start).take(self.common()) {
            one(&mut common, lot);
        }
        let mut ends = Vec::new();
        for number in all.filter(|number| numbers.contains(number)) {
            let mut machine = common.clone();
            for lot in self.lots(number).skip(self.common()) {
                one(&mut machine, lot);
            }
            ends.push((number, machine));
        }
        for (number, machine) in ends {
            drawn.sequences += 1;
            drawn.operations += self.length as u64;
            let mut holds = check_cheap(machine.state());
            if number % AGAINST_SPEC == 0 {
                drawn.against_spec += 1;
                holds = holds.and_then(|()| check_spec(&machine));
            }
            if let Err(violation) = holds {
                drawn.violated += 1;
                drawn.violations.push((violation, number));
            }
        }
        drawn
    }
}
