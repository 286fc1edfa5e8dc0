//! `ztwin explore`: what it counts is pinned, and is the same on any number of threads.

use ztwin::explore::{Explored, Explorer, cover};
use ztwin_model::Release;

fn explore(depth: u32) -> (Explorer, Explored) {
    let explorer = Explorer::new(Release::V2_3);
    let found = explorer.explore(depth, &|_, _| true).expect("to the end");
    (explorer, found)
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().expect("threads").install(work)
}

/// A change of the model that makes two states one, or one two, shows here; docs/exploring.md tells them, too.
#[test]
fn transitions_and_states_are_pinned() {
    let counts = [1, 2, 3].map(|depth| {
        let (_, found) = explore(depth);
        assert_eq!(found.violations, []);
        let counts = (found.sequences, found.transitions, found.states);
        (counts, found.situations.len())
    });
    assert_eq!(
        counts,
        [
            ((176, 176, 10), 72),
            ((31_152, 1_760, 70), 237),
            ((5_482_928, 12_320, 551), 583)
        ]
    );
}

#[test]
fn any_number_of_threads_finds_the_same() {
    let all = [1, 2, 5].map(|threads| {
        on_threads(threads, || {
            let (explorer, found) = explore(3);
            let traces = cover(&explorer, &found, 2);
            let texts: Vec<String> = traces.iter().map(ToString::to_string).collect();
            (format!("{found:?}"), texts)
        })
    });
    assert!(all[0] == all[1] && all[1] == all[2]);
}

/// Every transition of two operations, and every situation of three, in few steps.
#[test]
fn a_few_traces_go_through_all_of_it() {
    let (explorer, found) = explore(3);
    let traces = cover(&explorer, &found, 2);
    let steps: usize = traces.iter().map(|it| it.steps().count()).sum();
    assert!(steps <= 20_000, "{steps}");
    let left = explorer.not_covered(&found, 2, &traces);
    assert!(left.is_empty(), "{left:?}");
    // The check can fail.
    let left = explorer.not_covered(&found, 2, &traces[1..]);
    assert!(!left.is_empty());
}

#[test]
fn who_stops_it_stops_it() {
    let explorer = Explorer::new(Release::V2_3);
    assert!(explorer.explore(3, &|length, _| length < 2).is_none());
}

/// What must hold is looked at in every state: a fault that breaks it is found.
#[cfg(feature = "faults")]
#[test]
fn a_planted_fault_breaks_what_must_hold() {
    use ztwin_model::fault::Fault;
    for fault in [Fault::DeferredNeverFires, Fault::PromoteLeavesOrigin] {
        let explorer = Explorer::new(Release::V2_3).with_fault(fault);
        let found = explorer.explore(4, &|_, _| true).expect("to the end");
        assert!(!found.violations.is_empty(), "{fault:?}");
    }
}
