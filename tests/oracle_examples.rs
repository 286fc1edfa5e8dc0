//! The examples for people who test a driver of their own: a store that is right, the same with a bug, and a
//! snapshotter that runs `zfs`.

#[path = "../examples/store/mod.rs"]
mod store;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use store::Store;
use ztwin_model::dsl::op::DslOp;
use ztwin_model::generate::{Mix, Sequence, World};
use ztwin_model::oracle::{Answer, Difference, Search, System, compare};
use ztwin_model::zpl::op::FileOp;
use ztwin_model::{Op, Release};

#[test]
fn a_store_that_is_right_shows_no_difference() {
    for mix in Mix::ALL {
        let search = Search {
            mix,
            ..Search::default()
        };
        let found = search.run(|| Store::new(false));
        let compared = found.unwrap_or_else(|found| panic!("{mix:?}\n{found}"));
        assert_eq!(compared.sequences, 1000);
        // And what reads what is left.
        let left_out: u64 = compared.left_out.values().sum();
        assert!(compared.operations + left_out > 20_000);
        // What is left out proves nothing.
        assert!(compared.operations > 8000, "{mix:?}: {compared}");
    }
}

#[test]
fn a_bug_is_found_and_becomes_small() {
    let found = Search::default().run(|| Store::new(true)).unwrap_err();
    let told = found.to_string();
    assert!(found.sequence.ops.len() <= 5, "{told}");
    assert!(
        matches!(found.difference, Difference::Answer { .. }),
        "{told}"
    );
    assert!(told.contains("- ZFS:        refused"), "{told}");
    // What it prints does the same again, from its seed on and by itself.
    let again: Sequence = found.sequence.clone();
    let again = compare(&again, &mut Store::new(true)).unwrap_err();
    assert_eq!(again.signature(), found.signature());
    assert!(compare(&again.sequence, &mut Store::new(false)).is_ok());
}

/// A store that panics at the third snapshot.
struct Panics(Store, usize);

impl System for Panics {
    fn apply(&mut self, op: &Op) -> Answer {
        self.1 += usize::from(matches!(op, Op::Dataset(DslOp::Snapshot { .. })));
        assert!(self.1 < 3, "three snapshots");
        self.0.apply(op)
    }
}

#[test]
fn a_panic_is_found_and_becomes_small() {
    let new = || Panics(Store::new(false), 0);
    let found = Search::default().run(new).unwrap_err();
    assert_eq!(found.sequence.ops.len(), 3, "{found}");
    assert!(
        found.to_string().contains("+ the system: panicked"),
        "{found}"
    );
}

/// A store whose snapshots miss the last write: what it was before that, and the write.
struct Late(Store, Option<(Store, Op)>);

impl System for Late {
    fn apply(&mut self, op: &Op) -> Answer {
        let last = self.1.take();
        match (op, last) {
            (Op::File(FileOp::Write { .. }), _) => self.1 = Some((self.0.clone(), op.clone())),
            (Op::Dataset(DslOp::Snapshot { .. }), Some((before, write))) => {
                self.0 = before;
                let answer = self.0.apply(op);
                self.0.apply(&write);
                return answer;
            }
            _ => {}
        }
        self.0.apply(op)
    }
}

/// No operation of the sequence reads: what is left at its end is read all the same.
#[test]
fn what_is_left_is_read() {
    let world = Arc::new(World::default());
    let mut found = 0;
    let reads = |op: &Op| matches!(op, Op::File(FileOp::Read { .. }));
    for seed in 0..200 {
        let mut drawn = Sequence::from_seed(&world, Mix::Layers, Release::default(), seed, 20);
        drawn.ops.retain(|op| !reads(op));
        assert!(compare(&drawn, &mut Store::new(false)).is_ok());
        if let Err(late) = compare(&drawn, &mut Late(Store::new(false), None)) {
            assert!(late.sequence.ops.last().is_some_and(reads), "{late}");
            found += 1;
        }
    }
    assert!(found >= 5, "{found} of 200");
}

/// What Cargo built beside this test.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test");
    let profile = test.ancestors().nth(2).expect("target/PROFILE/deps");
    let path = profile.join("examples").join(name);
    assert!(path.exists(), "run `cargo build --examples` first");
    path
}

#[test]
fn a_snapshotter_is_tested_over_simulated_zfs() {
    let ran = Command::new(env!("CARGO_BIN_EXE_ztwin"))
        .args(["sim", "--pool", "tank=1G", "--"])
        .arg(built("snapshotter"))
        .output()
        .expect("ztwin");
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}{ran:?}");
    assert!(told.contains("no difference: 20 sequences, "), "{told}");
}
