//! The borders of what a full pool and a quota let pass. A recorded pool is seldom so near to one that it would show.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::dmu::blocks::Strong;
use crate::dmu::storage::Figure;
use crate::dsl::assign::{Admission, Change, reaches};
use crate::dsl::dataset::DatasetId;
use crate::dsl::op::DslOp;
use crate::dsl::properties::Key;
use crate::dsl::property::{Property, Value};
use crate::dsl::room::Fits;
use crate::machine::State;
use crate::outcome::Errno;
use crate::spa::op::PoolOp;
use crate::spa::{Pool, Shape, Vdev};
use crate::zpl::mount::MountOptions;
use crate::zpl::op::FileOp;
use crate::{Machine, Op, Outcome, Release};

/// A machine with a pool on a device of so many bytes, with `tank/a` and `tank/a/b` in it.
fn state(size: u64) -> State {
    let mut machine = Machine::new(Release::V2_3);
    let vdev = FileOp::MakeVdev {
        path: "/v/a".into(),
        size,
    };
    let pool = PoolOp::Create {
        name: "tank".into(),
        vdevs: vec![Vdev {
            shape: Shape::Single,
            devices: vec!["/v/a".into()],
        }],
        properties: Vec::new(),
        features: BTreeSet::from(["bookmarks"]),
        settings: Vec::new(),
    };
    let create = |name: &str| {
        Op::Dataset(DslOp::Create {
            name: name.into(),
            volume: None,
            settings: Vec::new(),
        })
    };
    let ops = [
        Op::File(vdev),
        Op::Pool(pool),
        create("tank/a"),
        create("tank/a/b"),
        create("tank/c"),
    ];
    for op in ops {
        assert_eq!(machine.apply(&op), Outcome::Done, "{op:?}");
    }
    let mut state = machine.state().clone();
    state.write_open(id(&state, "tank"));
    pool_mut(&mut state).in_flight = 0;
    state
}

fn id(state: &State, name: &str) -> DatasetId {
    state.find(name).expect("it was made")
}

fn pool(state: &State) -> &Pool {
    &state.pools["tank"]
}

fn pool_mut(state: &mut State) -> &mut Pool {
    Arc::make_mut(state.pools.get_mut("tank").expect("it was made"))
}

fn set(state: &mut State, name: &str, property: Property, value: Value) {
    let op = DslOp::Set {
        name: name.into(),
        settings: vec![(Key::Native(property), value)],
    };
    assert_eq!(op.apply(state), Outcome::Done, "{op:?}");
}

/// A state in which 24 divides what is left of the pool, and a 24th of that.
fn with_even_rest() -> (State, u64) {
    let sizes = (0..100).map(|step| (1 << 30) + (step << 24));
    let states = sizes.map(|size| {
        let state = state(size);
        let used = state.used(pool(&state).root).most;
        let rest = pool(&state).fillable(0).least - used;
        (state, rest)
    });
    let mut even = states.filter(|(_, rest)| rest % 24 == 0);
    let (state, rest) = even.next().expect("one of a hundred sizes");
    (state, rest / 24)
}

/// The last arguments of `dsl_sync_task` where each operation calls it.
#[test]
fn what_an_operation_needs_of_the_pools_own_blocks() {
    let mut state = state(1 << 30);
    let names = |names: &[&str]| names.iter().map(|&it| it.into()).collect::<Vec<Arc<str>>>();
    let settings = |property, value| vec![(Key::Native(property), value)];
    let snapshots = |all| DslOp::Snapshot {
        names: names(all),
        settings: Vec::new(),
    };
    let one = |property| DslOp::Set {
        name: "tank/a".into(),
        settings: settings(property, Value::Number(1 << 20)),
    };
    let ops = [
        (snapshots(&["tank/a@1"]), Some((3, 0))),
        (snapshots(&["tank/a@1", "tank/c@1"]), Some((6, 0))),
        (
            DslOp::Clone {
                origin: "tank/a@1".into(),
                name: "tank/d".into(),
                settings: Vec::new(),
            },
            Some((6, 0)),
        ),
        (
            DslOp::Bookmark {
                name: "tank/a#1".into(),
                source: "tank/a@1".into(),
            },
            Some((1, 0)),
        ),
        (
            DslOp::DestroyBookmark {
                name: "tank/a#1".into(),
            },
            Some((1, 1)),
        ),
        (
            DslOp::Rename {
                from: "tank/a".into(),
                to: "tank/b".into(),
            },
            Some((3, 1)),
        ),
        (
            DslOp::Rollback {
                to: "tank/a@1".into(),
            },
            Some((1, 1)),
        ),
        (one(Property::Quota), Some((0, 2))),
        (one(Property::Refquota), Some((0, 2))),
        (one(Property::Reservation), Some((0, 2))),
        (one(Property::Refreservation), Some((0, 2))),
        (one(Property::Recordsize), Some((2, 1))),
        (
            DslOp::Inherit {
                name: "tank/a".into(),
                key: Key::Native(Property::Quota),
            },
            Some((2, 1)),
        ),
        (
            DslOp::Hold {
                names: names(&["tank/a@1", "tank/c@1"]),
                tag: "t".into(),
            },
            Some((2, 1)),
        ),
        (
            DslOp::Release {
                names: names(&["tank/a@1", "tank/c@1"]),
                tag: "t".into(),
            },
            Some((0, 2)),
        ),
        (
            DslOp::Destroy {
                name: "tank/a".into(),
            },
            None,
        ),
        (
            DslOp::DestroySnapshots {
                names: names(&["tank/a@1"]),
                defer: false,
            },
            None,
        ),
    ];
    for (op, needs) in ops {
        assert_eq!(op.needs(&state), needs, "{op:?}");
    }
    let promote = DslOp::Promote {
        name: "tank/c".into(),
    };
    assert_eq!(promote.needs(&state), Some((2, 1)));
    assert_eq!(snapshots(&["tank/c@1"]).apply(&mut state), Outcome::Done);
    assert_eq!(promote.needs(&state), Some((3, 1)));
}

#[test]
fn a_number_that_may_come_up_to_another_is_not_known() {
    let figure = |least, most| Figure { least, most };
    let limit = figure(5, 7);
    for (taken, known) in [
        (figure(3, 4), Some(false)),
        (figure(3, 5), None),
        (figure(6, 9), None),
        (figure(7, 9), Some(true)),
    ] {
        assert_eq!(reaches(taken, limit), known, "{taken:?}");
    }
}

/// `dmu_tx_hold_dnode`, `dmu_tx_hold_zap`: a dnode of up to eight sectors, and 128 KiB for each table.
#[test]
fn what_a_change_may_write() {
    let bytes = |change: Change| (change.bytes.least, change.bytes.most);
    assert_eq!(bytes(Change::writes(1000)), (1512, 5096));
    assert_eq!(bytes(Change::tables(2)), (262_656, 266_240));
    assert_eq!(bytes(Change::frees(4096)), (262_656, 266_240));
}

/// A block of the pool's own counts for three of 16 KiB; what is dirty, for an eighth of what it is counted for.
#[test]
fn the_pools_own_blocks_fit_up_to_the_last() {
    let mut state = state(1 << 30);
    let rest = |state: &State, part| {
        let used = state.used(pool(state).root).most;
        pool(state).fillable(part).least - used
    };
    for part in 0..3 {
        let last = rest(&state, part) / 49_152;
        let fits = |blocks| state.has_space_for(pool(&state), blocks, part);
        assert_eq!(
            (fits(last), fits(last + 1) == Fits::Yes),
            (Fits::Yes, false),
            "{part}"
        );
        assert_eq!(fits(2 * last), Fits::No, "{part}");
    }
    assert!(rest(&state, 0) < rest(&state, 1) && rest(&state, 1) < rest(&state, 2));
    // What is dirty in fact is asked where it might not fit.
    pool_mut(&mut state).in_flight = 8 * rest(&state, 0);
    assert_eq!(state.has_space_for(pool(&state), 1, 0), Fits::Yes);
}

/// With what it dirties besides, a change counts 24 times; less than what is left need not be looked at.
#[test]
fn what_fits_need_not_be_looked_at() {
    let (state, rest) = with_even_rest();
    let a = id(&state, "tank/a");
    let besides = (1 << 20) + 512 + 7 * 512;
    let is_tight = |bytes| state.clone().is_tight(a, Change::writes(bytes));
    let border = rest - besides;
    assert_eq!([border - 1, border].map(is_tight), [false, true]);
    // For all that is counted until it is on disk, all is looked at.
    let mut twice = state.clone();
    for times in 1..3 {
        assert!(!twice.is_tight(a, Change::writes(0)));
        assert_eq!(pool(&twice).in_flight, times * 24 * besides);
    }
    pool_mut(&mut twice).in_flight = 24 * rest;
    assert!(!twice.is_tight(a, Change::writes(0)));
    assert_eq!(pool(&twice).in_flight, 24 * besides, "nothing is dirty");
}

#[test]
fn it_may_be_tight_near_the_end_below_a_quota_and_in_doubt() {
    let (state, rest) = with_even_rest();
    let border = rest - (2 << 20);
    assert_eq!(
        [border - 1, border].map(|bytes| state.may_be_tight(bytes)),
        [false, true]
    );
    let mut limited = state.clone();
    set(
        &mut limited,
        "tank/c",
        Property::Quota,
        Value::Number(1 << 29),
    );
    assert!(limited.may_be_tight(0));
    let mut doubtful = state;
    let a = id(&doubtful, "tank/a");
    doubtful.doubt(a);
    assert_eq!(pool(&doubtful).doubt, Some(pool(&doubtful).open_txg));
    assert!(doubtful.may_be_tight(0));
    assert!(doubtful.is_tight(a, Change::writes(0)));
}

/// `dsl_dir_tempreserve_space`, `dsl_dataset_check_quota`: a quota of its own or above, and its own `refquota`.
#[test]
fn what_limits_a_dataset() {
    let limited = |state: &State| {
        ["tank", "tank/a", "tank/a/b", "tank/c"].map(|name| state.is_limited(id(state, name)))
    };
    let first = state(1 << 30);
    assert_eq!(limited(&first), [false; 4]);
    assert!(pool(&first).limited.is_empty());
    for (property, expected) in [
        (Property::Quota, [false, true, true, false]),
        (Property::Refquota, [false, true, false, false]),
    ] {
        let mut state = first.clone();
        set(&mut state, "tank/a", property, Value::Number(1 << 29));
        assert_eq!(limited(&state), expected, "{property:?}");
        assert_eq!(pool(&state).limited, BTreeSet::from([id(&state, "tank/a")]));
    }
}

/// `dmu_write_policy`: what has a strong checksum is not written again where it is the same, but where it is deduplicated.
#[test]
fn what_is_deduplicated_is_written_again() {
    let mut state = state(1 << 30);
    let a = id(&state, "tank/a");
    set(
        &mut state,
        "tank/a",
        Property::Checksum,
        Value::Word("sha256"),
    );
    assert_eq!(state.policy(a).strong_checksum, Some(Strong::Sha256));
    set(&mut state, "tank/a", Property::Dedup, Value::Word("on"));
    assert_eq!(state.policy(a).strong_checksum, None);
}

/// `zfs_resume_fs`: what is read-only when it is read again stays so, by its property as by an option.
#[test]
fn what_is_read_only_is_so_behind_a_rollback() {
    for (property, option) in [(false, false), (true, false), (false, true)] {
        let mut state = state(1 << 30);
        let a = id(&state, "tank/a");
        let snapshot = DslOp::Snapshot {
            names: vec!["tank/a@s".into()],
            settings: Vec::new(),
        };
        assert_eq!(snapshot.apply(&mut state), Outcome::Done);
        if property {
            set(&mut state, "tank/a", Property::Readonly, Value::Word("on"));
        }
        let mount = FileOp::Mount {
            dataset: "tank/a".into(),
            path: "/mnt/a".into(),
            options: MountOptions::plain(option),
            beside: false,
        };
        assert_eq!(mount.apply(&mut state), Outcome::Done);
        let rollback = DslOp::Rollback {
            to: "tank/a@s".into(),
        };
        assert_eq!(rollback.apply(&mut state), Outcome::Done);
        let is_kept = state.mounts.first(a).map(|it| it.was_read_only);
        assert_eq!(is_kept, Some(property || option), "{property} {option}");
    }
}

/// `dsl_dir_tempreserve_impl`: since 2.2 a full pool waits while what was freed lately is more than what it is over, if
/// something is dirty.
#[test]
fn a_full_pool_waits_for_what_was_freed_lately() {
    let no = Admission::No(Errno::ENOSPC);
    // So many bytes more than what was freed lately it is over.
    let full = |release, is_dirty: bool, more: i64| {
        let mut state = state(1 << 30);
        state.release = release;
        let root = pool(&state).root;
        let reserved = Value::Number(1 << 28);
        set(&mut state, "tank/c", Property::Reservation, reserved);
        pool_mut(&mut state).dirty.clear();
        if is_dirty {
            pool_mut(&mut state).dirty(root);
        }
        let over = pool(&state).freed_lately().checked_add_signed(more);
        let over = over.expect("a small number");
        let limit = Figure::exact(state.used(root).least - over);
        state.full(pool(&state), limit)
    };
    for more in [-1, 0] {
        assert_eq!(full(Release::V2_1, true, more), no, "{more}");
        assert_eq!(full(Release::V2_3, false, more), no, "{more}");
    }
    for release in [Release::V2_3, Release::V2_4] {
        let waits = [-1, 0, 1].map(|more| full(release, true, more) != no);
        assert_eq!(waits, [true, false, false], "{release:?}");
    }
}
