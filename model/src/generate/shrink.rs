//! Smaller sequences that fail the same way.

use crate::dsl::op::DslOp;
use crate::op::Op;
use crate::zpl::op::{FileOp, Renaming, Unmount};

/// So many steps are few: what takes many attempts is tried on them alone.
const FEW: usize = 16;

/// What is to be tried next to make a failure smaller.
///
/// First fewer steps take the place of all, if a way to that was given; then whole runs of steps are taken away, longer
/// ones first, and each step alone; then each step gives way to simpler ones, the simplest first. Of few steps two are
/// taken away at once, or one is put in the place of an earlier one, or one is taken away and another one made simpler.
/// That goes on until nothing helps any more.
#[derive(Clone, Debug)]
pub struct Shrinking<T> {
    /// The smallest that is known to fail.
    best: Vec<T>,
    /// What was offered last.
    offered: Option<Vec<T>>,
    simpler: fn(&T) -> Vec<T>,
    shorter: fn(&[T], usize) -> Option<Vec<T>>,
    turn: Turn<T>,
    /// Whether anything helped since the last time all was tried.
    helped: bool,
}

#[derive(Clone, Debug)]
enum Turn<T> {
    /// Fewer steps of this number take the place of all next.
    All { number: usize },
    /// A run of this length that ends here is taken away next.
    Run { length: usize, end: usize },
    /// One of these is put in the place of this step next.
    Step {
        index: usize,
        simpler: std::vec::IntoIter<T>,
    },
    /// These two are taken away next, or the second one is put in the place of the first.
    Pair {
        first: usize,
        second: usize,
        replaces: bool,
    },
    /// One of these is put in the place of this step next, and another step is taken away.
    Both {
        index: usize,
        simpler: std::vec::IntoIter<T>,
        /// The step as it is to be, and the next one to go.
        step: Option<(T, usize)>,
    },
}

impl<T: Clone> Shrinking<T> {
    /// Of steps that are known to fail. `simpler` tells what may stand in the place of a step, the simplest first.
    #[must_use]
    pub fn new(best: Vec<T>, simpler: fn(&T) -> Vec<T>) -> Self {
        Shrinking {
            best,
            offered: None,
            simpler,
            shorter: |_, _| None,
            turn: Turn::All { number: 0 },
            helped: false,
        }
    }

    /// `shorter` tells what may stand in the place of all steps, by number, and none behind the last: fewer steps, which
    /// together mean the same as more of them.
    #[must_use]
    pub fn with(self, shorter: fn(&[T], usize) -> Option<Vec<T>>) -> Self {
        Shrinking { shorter, ..self }
    }

    /// The smallest that is known to fail.
    #[must_use]
    pub fn best(&self) -> &[T] {
        &self.best
    }

    /// What was offered last fails, too.
    pub fn accept(&mut self) {
        let Some(offered) = self.offered.take() else {
            return;
        };
        self.best = offered;
        self.helped = true;
        match &mut self.turn {
            // What has its number now was not tried.
            Turn::All { number } => *number = number.saturating_sub(1),
            // The rest is less simple.
            Turn::Step { simpler, .. } => *simpler = Vec::new().into_iter(),
            Turn::Pair { .. } | Turn::Both { .. } => self.turn = Turn::All { number: 0 },
            Turn::Run { .. } => {}
        }
    }

    /// Something smaller; none when nothing smaller is left.
    pub fn offer(&mut self) -> Option<&[T]> {
        loop {
            match &mut self.turn {
                Turn::All { number } => {
                    let all = (self.shorter)(&self.best, *number);
                    if let Some(steps) = all.filter(|it| it.len() < self.best.len()) {
                        *number += 1;
                        return Some(self.offered.insert(steps));
                    }
                    self.turn = Turn::Run {
                        length: self.best.len().div_ceil(2),
                        end: self.best.len(),
                    };
                }
                Turn::Run { length: 0, .. } => {
                    self.turn = Turn::Step {
                        index: 0,
                        simpler: self.simpler_than(0),
                    };
                }
                Turn::Run { length, end: 0 } => {
                    let length = *length / 2;
                    self.turn = Turn::Run {
                        length,
                        end: self.best.len(),
                    };
                }
                Turn::Run { length, end } => {
                    let start = end.saturating_sub(*length);
                    let mut steps = self.best[..start].to_vec();
                    steps.extend_from_slice(&self.best[*end..]);
                    *end = start;
                    return Some(self.offered.insert(steps));
                }
                Turn::Step { index, simpler } => {
                    if let Some(step) = simpler.next() {
                        let mut steps = self.best.clone();
                        steps[*index] = step;
                        return Some(self.offered.insert(steps));
                    }
                    *index += 1;
                    if let Some(step) = self.best.get(*index) {
                        *simpler = (self.simpler)(step).into_iter();
                    } else if self.helped {
                        // What has become simpler may let another step go.
                        self.helped = false;
                        self.turn = Turn::All { number: 0 };
                    } else {
                        self.turn = Turn::Pair {
                            first: 0,
                            second: 1,
                            replaces: false,
                        };
                    }
                }
                Turn::Pair { .. } | Turn::Both { .. } if self.best.len() > FEW => break,
                Turn::Pair {
                    first,
                    second,
                    replaces,
                } => {
                    if *second < self.best.len() {
                        let mut steps = self.best.clone();
                        let later = steps.remove(*second);
                        if *replaces {
                            steps[*first] = later;
                            *second += 1;
                        } else {
                            steps.remove(*first);
                        }
                        *replaces = !*replaces;
                        return Some(self.offered.insert(steps));
                    }
                    *first += 1;
                    *second = *first + 1;
                    if *second >= self.best.len() {
                        self.turn = Turn::Both {
                            index: 0,
                            simpler: self.simpler_than(0),
                            step: None,
                        };
                    }
                }
                Turn::Both {
                    index,
                    simpler,
                    step,
                } => {
                    if let Some((new, gone)) = step
                        && *gone < self.best.len()
                    {
                        let mut steps = self.best.clone();
                        steps[*index] = new.clone();
                        steps.remove(*gone);
                        *gone += 1;
                        if *gone == *index {
                            *gone += 1;
                        }
                        return Some(self.offered.insert(steps));
                    }
                    let first = usize::from(*index == 0);
                    *step = simpler.next().map(|it| (it, first));
                    if step.is_none() {
                        *index += 1;
                        if *index >= self.best.len() {
                            break;
                        }
                        let index = *index;
                        *simpler = self
                            .best
                            .get(index)
                            .map(self.simpler)
                            .unwrap_or_default()
                            .into_iter();
                    }
                }
            }
        }
        self.offered = None;
        None
    }

    /// What may stand in the place of this step.
    fn simpler_than(&self, index: usize) -> std::vec::IntoIter<T> {
        let step = self.best.get(index);
        step.map(self.simpler).unwrap_or_default().into_iter()
    }
}

/// The smallest steps found that still fail; `fails` is asked at most `budget` times.
pub fn shrink<T: Clone>(
    steps: Vec<T>,
    budget: u32,
    simpler: fn(&T) -> Vec<T>,
    mut fails: impl FnMut(&[T]) -> bool,
) -> Vec<T> {
    let mut shrinking = Shrinking::new(steps, simpler);
    for _ in 0..budget {
        let Some(steps) = shrinking.offer() else {
            break;
        };
        if fails(steps) {
            shrinking.accept();
        }
    }
    shrinking.best
}

/// What may stand in the place of an operation, the simplest first: without flags, with fewer names, settings and
/// bytes.
#[must_use]
pub fn simpler(op: &Op) -> Vec<Op> {
    match op {
        Op::Dataset(op) => of_datasets(op).into_iter().map(Op::Dataset).collect(),
        Op::File(op) => of_files(op).into_iter().map(Op::File).collect(),
        _ => Vec::new(),
    }
}

/// Each of several alone.
fn each<T: Clone>(all: &[T]) -> Vec<Vec<T>> {
    if all.len() < 2 {
        return Vec::new();
    }
    all.iter().map(|it| vec![it.clone()]).collect()
}

fn of_datasets(op: &DslOp) -> Vec<DslOp> {
    let mut simpler = Vec::new();
    let mut add = |change: &dyn Fn(&mut DslOp)| {
        let mut new = op.clone();
        change(&mut new);
        if new != *op {
            simpler.push(new);
        }
    };
    match op {
        DslOp::Create { .. } | DslOp::Clone { .. } => add(&|it| {
            if let DslOp::Create { settings, .. } | DslOp::Clone { settings, .. } = it {
                settings.clear();
            }
        }),
        DslOp::Snapshot { names, .. } | DslOp::DestroySnapshots { names, .. } => {
            for one in each(names) {
                add(&|it| {
                    if let DslOp::Snapshot { names, .. } | DslOp::DestroySnapshots { names, .. } =
                        it
                    {
                        names.clone_from(&one);
                    }
                });
            }
            add(&|it| {
                if let DslOp::DestroySnapshots { defer, .. } = it {
                    *defer = false;
                }
            });
        }
        DslOp::RenameSnapshot { .. } => add(&|it| {
            if let DslOp::RenameSnapshot { recursive, .. } = it {
                *recursive = false;
            }
        }),
        _ => {}
    }
    simpler
}

/// Smaller numbers of bytes that still make a difference: none, a byte, a sector, half of it.
fn fewer(bytes: u64) -> impl Iterator<Item = u64> {
    let all = [0, 1, 4096, 128 << 10, bytes / 2];
    all.into_iter().filter(move |&it| it < bytes)
}

fn of_files(op: &FileOp) -> Vec<FileOp> {
    let mut simpler = Vec::new();
    let mut add = |change: &dyn Fn(&mut FileOp)| {
        let mut new = op.clone();
        change(&mut new);
        if new != *op {
            simpler.push(new);
        }
    };
    match op {
        FileOp::Write { offset, data, .. } => {
            for bytes in fewer(*offset) {
                add(&|it| {
                    if let FileOp::Write { offset, .. } = it {
                        *offset = bytes;
                    }
                });
            }
            for bytes in fewer(data.len).filter(|&bytes| bytes > 0) {
                add(&|it| {
                    if let FileOp::Write { data, .. } = it {
                        data.len = bytes;
                    }
                });
            }
        }
        FileOp::Read { offset, len, .. } | FileOp::Punch { offset, len, .. } => {
            for bytes in fewer(*offset) {
                add(&|it| {
                    if let FileOp::Read { offset, .. } | FileOp::Punch { offset, .. } = it {
                        *offset = bytes;
                    }
                });
            }
            for bytes in fewer(*len).filter(|&bytes| bytes > 0) {
                add(&|it| {
                    if let FileOp::Read { len, .. } | FileOp::Punch { len, .. } = it {
                        *len = bytes;
                    }
                });
            }
        }
        FileOp::Truncate { size, .. } => {
            for bytes in fewer(*size) {
                add(&|it| {
                    if let FileOp::Truncate { size, .. } = it {
                        *size = bytes;
                    }
                });
            }
        }
        FileOp::Rename { .. } => add(&|it| {
            if let FileOp::Rename { how, .. } = it {
                *how = Renaming::Replace;
            }
        }),
        FileOp::Unmount { .. } => add(&|it| {
            if let FileOp::Unmount { how, .. } = it {
                *how = Unmount::Plain;
            }
        }),
        FileOp::Mount { .. } => add(&|it| {
            if let FileOp::Mount { options, .. } = it {
                options.read_only = false;
            }
        }),
        _ => {}
    }
    simpler
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails when 7 stands before something above 20.
    fn fails(steps: &[u32]) -> bool {
        let seven = steps.iter().position(|&it| it == 7);
        seven.is_some_and(|at| steps[at..].iter().any(|&it| it > 20))
    }

    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "it is called with steps of any size"
    )]
    fn smaller(number: &u32) -> Vec<u32> {
        let all = [0, number / 2, number.saturating_sub(1)];
        all.into_iter().filter(|it| it < number).collect()
    }

    #[test]
    fn what_does_not_matter_goes_and_the_rest_becomes_small() {
        let steps: Vec<u32> = (0..50).collect();
        assert_eq!(shrink(steps, 1000, smaller, fails), [7, 21]);
    }

    #[test]
    fn of_few_steps_two_go_at_once() {
        // 5, and both of 3 and 8 or neither.
        let fails = |steps: &[u32]| {
            let [three, five, eight] = [3, 5, 8].map(|it| steps.contains(&it));
            five && three == eight
        };
        let steps: Vec<u32> = (0..10).collect();
        assert_eq!(shrink(steps, 1000, |_| Vec::new(), fails), [5]);
    }

    #[test]
    fn of_few_steps_one_goes_and_another_one_changes() {
        // As many steps as the first one says.
        let fails = |steps: &[u32]| steps.first().is_some_and(|&it| it as usize == steps.len());
        let one_less = |number: &u32| number.checked_sub(1).into_iter().collect();
        assert_eq!(shrink(vec![5, 9, 9, 9, 9], 1000, one_less, fails), [1]);
    }

    #[test]
    fn of_few_steps_one_takes_the_place_of_an_earlier_one() {
        let fails = |steps: &[u32]| [&[1, 2, 7][..], &[7, 2]].contains(&steps);
        assert_eq!(shrink(vec![1, 2, 7], 1000, |_| Vec::new(), fails), [7, 2]);
    }

    #[test]
    fn fewer_steps_take_the_place_of_all() {
        // The sum has to stay what it is: two neighbours become their sum.
        let neighbours = |steps: &[u32], number: usize| {
            let sum = steps.get(number)? + steps.get(number + 1)?;
            let mut fewer = steps.to_vec();
            fewer.splice(number..number + 2, [sum]);
            Some(fewer)
        };
        let mut shrinking = Shrinking::new(vec![1, 2, 3, 4], |_| Vec::new()).with(neighbours);
        while let Some(steps) = shrinking.offer() {
            if steps.iter().sum::<u32>() == 10 && !steps.contains(&5) {
                shrinking.accept();
            }
        }
        assert_eq!(shrinking.best(), [10]);
    }

    #[test]
    fn a_budget_ends_it_with_what_still_fails() {
        for budget in 0..60 {
            let mut asked = 0;
            let steps: Vec<u32> = (0..50).collect();
            let small = shrink(steps, budget, smaller, |steps| {
                asked += 1;
                fails(steps)
            });
            assert!(fails(&small) && asked <= budget, "{budget}: {small:?}");
        }
    }

    #[test]
    fn nothing_is_left_to_try_of_nothing() {
        assert_eq!(shrink(Vec::new(), 10, smaller, |_| true), []);
    }
}
