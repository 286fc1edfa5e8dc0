//! The adapters of proptest, quickcheck, arbitrary and proptest-state-machine: the same sequences, which shrink.

#[path = "../examples/store/mod.rs"]
mod store;

use std::sync::Arc;

use arbitrary::Unstructured;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use quickcheck::{Arbitrary as _, Gen, QuickCheck};
use store::Store;
use ztwin_model::generate::proptest::sequences;
use ztwin_model::generate::state_machine::Reference;
use ztwin_model::generate::{Lots, Mix, Recipe, Sequence, Step, World};
use ztwin_model::oracle::{Answer, System, compare};
use ztwin_model::{Machine, Op, Release};

fn world() -> Arc<World> {
    Arc::new(World::default())
}

#[test]
fn proptest_finds_a_bug_and_makes_it_small() {
    let config = Config {
        cases: 1000,
        max_shrink_iters: 5000,
        failure_persistence: None,
        ..Config::default()
    };
    let runner = || {
        let algorithm = proptest::test_runner::RngAlgorithm::ChaCha;
        let random = proptest::test_runner::TestRng::deterministic_rng(algorithm);
        TestRunner::new_with_rng(config.clone(), random)
    };
    let strategy = sequences(&world(), Mix::Layers, Release::V2_3, 1..30);
    let of = |forgets_clones| {
        move |sequence: Sequence| {
            compare(&sequence, &mut Store::new(forgets_clones))
                .map(drop)
                .map_err(|found| TestCaseError::fail(found.to_string()))
        }
    };
    runner()
        .run(&strategy, of(false))
        .expect("a store that is right");
    let Err(TestError::Fail(_, small)) = runner().run(&strategy, of(true)) else {
        panic!("the bug was not found");
    };
    assert!(small.ops.len() <= 5, "{small:?}");
}

#[allow(clippy::needless_pass_by_value, reason = "quickcheck wants it so")]
fn right(sequence: Sequence) -> bool {
    compare(&sequence, &mut Store::new(false)).is_ok()
}

#[allow(clippy::needless_pass_by_value, reason = "quickcheck wants it so")]
fn wrong(sequence: Sequence) -> bool {
    compare(&sequence, &mut Store::new(true)).is_ok()
}

#[test]
fn quickcheck_finds_a_bug_and_makes_it_small() {
    QuickCheck::new()
        .tests(300)
        .quickcheck(right as fn(Sequence) -> bool);
    let found = QuickCheck::new()
        .tests(2000)
        .quicktest(wrong as fn(Sequence) -> bool);
    assert!(found.is_err());
    // What it shrinks to is smaller, and still a sequence.
    let mut g = Gen::new(30);
    let sequence =
        std::iter::repeat_with(|| <Sequence as quickcheck::Arbitrary>::arbitrary(&mut g))
            .find(|it| it.ops.len() > 3)
            .expect("a long one");
    let smaller = sequence.shrink().next().expect("a smaller one");
    assert!(smaller.ops.len() < sequence.ops.len());
}

#[test]
fn the_same_bytes_are_the_same_sequence_everywhere() {
    for seed in 0..20 {
        let lots: Vec<_> = Lots::new(seed).take(20).collect();
        let bytes: Vec<u8> = lots.iter().flat_map(|lot| lot.0).collect();
        let from_seed = Sequence::from_seed(&world(), Mix::Layers, Release::default(), seed, 20);
        let from_fuzzer =
            <Sequence as arbitrary::Arbitrary>::arbitrary(&mut Unstructured::new(&bytes))
                .expect("bytes");
        assert_eq!(from_seed.ops, from_fuzzer.ops);
        let recipe = Recipe {
            mix: Mix::Layers,
            release: Release::default(),
            lots,
        };
        let kept = serde_json::to_string(&recipe).expect("JSON");
        let again: Recipe = serde_json::from_str(&kept).expect("the same");
        assert_eq!(again, recipe);
        assert_eq!(again.sequence(&world()).ops, from_seed.ops);
    }
}

/// What was done and answered can be kept in a log: operations as steps of traces.
#[test]
fn operations_and_answers_are_kept_as_data() {
    let sequence = Sequence::from_seed(&world(), Mix::Files, Release::default(), 1, 20);
    let steps: Vec<Step> = sequence.steps().collect();
    let kept = serde_json::to_value(&steps).expect("JSON");
    let texts: Vec<String> = serde_json::from_value(kept).expect("texts");
    assert_eq!(texts[0], "vdev /v/a 1G");
    assert!(
        texts
            .iter()
            .zip(&steps)
            .all(|(text, step)| *text == step.to_string())
    );
    for answer in [
        Answer::Done,
        Answer::Data(vec![0, 255]),
        Answer::Refused,
        Answer::Unsupported,
    ] {
        let kept = serde_json::to_string(&answer).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Answer>(&kept).expect("the same"),
            answer
        );
    }
    let data = serde_json::to_string(&Answer::Data(vec![0, 255])).expect("JSON");
    assert_eq!(data, r#"{"data":[0,255]}"#);
}

/// A strategy's values come from its runner alone, and get smaller until nothing is left.
#[test]
fn a_tree_of_proptest_ends() {
    let mut runner = TestRunner::deterministic();
    let strategy = sequences(&world(), Mix::Files, Release::V2_4, 5..6);
    let mut tree = strategy.new_tree(&mut runner).expect("a tree");
    assert_eq!(tree.current().ops.len(), 5);
    let mut steps = 0;
    while tree.simplify() {
        steps += 1;
        assert!(steps < 1000);
    }
    assert_eq!(tree.current().ops, []);
}

/// The store as a state machine that is tested against the model's.
struct Tested;

impl StateMachineTest for Tested {
    type SystemUnderTest = Store;
    type Reference = Reference;

    fn init_test(_: &Machine) -> Store {
        Store::new(false)
    }

    fn apply(mut store: Store, _: &Machine, op: Op) -> Store {
        // The reference has done it already; what the store has not is not compared here.
        let before = store.clone();
        if store.apply(&op) == Answer::Unsupported {
            return before;
        }
        store
    }
}

prop_state_machine! {
    #![proptest_config(Config { cases: 20, failure_persistence: None, ..Config::default() })]
    #[test]
    fn a_state_machine_runs(sequential 1..20 => Tested);
}

#[test]
fn the_reference_machine_begins_with_an_empty_pool() {
    let mut runner = TestRunner::deterministic();
    let machine = Reference::init_state()
        .new_tree(&mut runner)
        .expect("a tree")
        .current();
    assert!(machine.state().find("tank").is_some());
}
