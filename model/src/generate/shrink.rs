//! Smaller sequences that fail the same way.

use crate::dsl::op::DslOp;
use crate::op::Op;
use crate::zpl::op::{FileOp, Renaming, Unmount};

/// What is to be tried next to make a failure smaller.
///
/// First whole runs of steps are taken away, longer ones first, then each step alone; then each step gives way to
/// simpler ones, the simplest first. That goes on until nothing helps any more.
#[derive(Clone, Debug)]
pub struct Shrinking<T> {
    /// The smallest that is known to fail.
    best: Vec<T>,
    /// What was offered last.
    offered: Option<Vec<T>>,
    simpler: fn(&T) -> Vec<T>,
    turn: Turn<T>,
    /// Whether anything helped since the last time all was tried.
    helped: bool,
}

#[derive(Clone, Debug)]
enum Turn<T> {
    /// A run of this length that ends here is taken away next.
    Run { length: usize, end: usize },
    /// One of these is put in the place of this step next.
    Step {
        index: usize,
        simpler: std::vec::IntoIter<T>,
    },
}

impl<T: Clone> Shrinking<T> {
    /// Of steps that are known to fail. `simpler` tells what may stand in the place of a step, the simplest first.
    #[must_use]
    pub fn new(best: Vec<T>, simpler: fn(&T) -> Vec<T>) -> Self {
        let turn = Self::first_turn(&best);
        Shrinking {
            best,
            offered: None,
            simpler,
            turn,
            helped: false,
        }
    }

    fn first_turn(steps: &[T]) -> Turn<T> {
        Turn::Run {
            length: steps.len().div_ceil(2),
            end: steps.len(),
        }
    }

    /// The smallest that is known to fail.
    #[must_use]
    pub fn best(&self) -> &[T] {
        &self.best
    }

    /// What was offered last fails, too.
    pub fn accept(&mut self) {
        if let Some(offered) = self.offered.take() {
            self.best = offered;
            self.helped = true;
            if let Turn::Step { simpler, .. } = &mut self.turn {
                // The rest is less simple.
                *simpler = Vec::new().into_iter();
            }
        }
    }

    /// Something smaller; none when nothing smaller is left.
    pub fn offer(&mut self) -> Option<&[T]> {
        loop {
            match &mut self.turn {
                Turn::Run { length: 0, .. } => {
                    let first = self.best.first().map(self.simpler).unwrap_or_default();
                    self.turn = Turn::Step {
                        index: 0,
                        simpler: first.into_iter(),
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
                        self.turn = Self::first_turn(&self.best);
                    } else {
                        self.offered = None;
                        return None;
                    }
                }
            }
        }
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
