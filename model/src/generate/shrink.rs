//! Smaller sequences that fail the same way.

/// Takes away what a failure does not need, until no single thing can be taken away any more.
///
/// First whole runs of steps, longer ones first, then each step alone; then each step gives way to the first of
/// its `simpler` ones with which it still fails, the simplest first. `fails` is asked only about what is smaller
/// than what is known to fail. Returns the smallest found, which is `steps` itself when `budget` is 0.
///
/// `budget` is how often `fails` may be asked.
pub fn shrink<T: Clone>(
    mut steps: Vec<T>,
    mut budget: u32,
    simpler: impl Fn(&T) -> Vec<T>,
    mut fails: impl FnMut(&[T]) -> bool,
) -> Vec<T> {
    let mut ask = |candidate: &[T]| {
        budget > 0 && {
            budget -= 1;
            fails(candidate)
        }
    };
    loop {
        let before = steps.len();
        steps = without_runs(steps, &mut ask);
        let simplified = simplify(&mut steps, &simpler, &mut ask);
        // What has become simpler may let another step go.
        if !simplified && steps.len() == before {
            return steps;
        }
    }
}

/// Takes away runs of steps, half of them first, the last ones first.
fn without_runs<T: Clone>(mut steps: Vec<T>, fails: &mut impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut length = steps.len() / 2;
    while length > 0 {
        let mut end = steps.len();
        while end > 0 {
            let start = end.saturating_sub(length);
            let mut candidate = steps[..start].to_vec();
            candidate.extend_from_slice(&steps[end.min(steps.len())..]);
            if fails(&candidate) {
                steps = candidate;
            }
            end = start;
        }
        length /= 2;
    }
    steps
}

/// Puts simpler steps in the place of others. Whether any was found.
fn simplify<T: Clone>(
    steps: &mut [T],
    simpler: &impl Fn(&T) -> Vec<T>,
    fails: &mut impl FnMut(&[T]) -> bool,
) -> bool {
    let mut found = false;
    for index in 0..steps.len() {
        for step in simpler(&steps[index]) {
            let mut candidate = steps.to_vec();
            candidate[index] = step;
            if fails(&candidate) {
                steps.clone_from_slice(&candidate);
                found = true;
                break;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails when 7 stands before something above 20.
    fn fails(steps: &[u32]) -> bool {
        let seven = steps.iter().position(|&it| it == 7);
        seven.is_some_and(|at| steps[at..].iter().any(|&it| it > 20))
    }

    fn smaller(number: &u32) -> Vec<u32> {
        vec![0, number / 2, number.saturating_sub(1)]
            .into_iter()
            .filter(|it| it < number)
            .collect()
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
}
