//! What the kernel refuses by itself. `zfs` asks most of it before, so that no trace gets that far; other programs
//! need not (`zfs_ioctl.c` checks everything again).

use std::collections::BTreeSet;
use std::sync::Arc;

use ztwin_model::dmu::Volume;
use ztwin_model::dmu::data::Source;
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::properties::{Key, Property, Value};
use ztwin_model::dsl::reason::Reason;
use ztwin_model::dsl::value::{Target, parse};
use ztwin_model::outcome::Errno;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::spa::{Shape, Vdev};
use ztwin_model::zpl::mount::MountOptions;
use ztwin_model::zpl::op::{At, FileOp, Target as FileTarget};
use ztwin_model::{Machine, Op, Outcome, Release};

/// A pool on a device of so many bytes.
fn machine(size: u64) -> Machine {
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
    assert_eq!(machine.apply(&Op::File(vdev)), Outcome::Done);
    assert_eq!(machine.apply(&Op::Pool(pool)), Outcome::Done);
    machine
}

fn create(name: &str, volume: Option<Volume>) -> DslOp {
    DslOp::Create {
        name: name.into(),
        volume,
        settings: Vec::new(),
    }
}

fn snapshot(name: &str) -> DslOp {
    DslOp::Snapshot {
        names: vec![name.into()],
        settings: Vec::new(),
    }
}

/// All but the last are done; how that one ends.
fn last(ops: &[DslOp]) -> Outcome {
    let mut machine = machine(1 << 30);
    let (last, first) = ops.split_last().expect("an operation");
    for op in first {
        assert_eq!(machine.apply(&Op::Dataset(op.clone())), Outcome::Done);
    }
    machine.apply(&Op::Dataset(last.clone()))
}

/// `dmu_objset_create_check`, `zfs_max_dataset_nesting`: with the pool's root there are fifty levels.
#[test]
fn names_nest_fifty_levels_deep() {
    let names: Vec<String> = (1..=50)
        .map(|depth| format!("tank{}", "/a".repeat(depth)))
        .collect();
    let ops: Vec<DslOp> = names.iter().map(|name| create(name, None)).collect();
    assert_eq!(last(&ops[..49]), Outcome::Done);
    assert_eq!(last(&ops), Outcome::Refused(Reason::TooLongOrDeep));
}

/// `dsl_dataset_rollback_check`: the snapshot has to be the last one, and no bookmark may be newer.
#[test]
fn a_rollback_is_to_the_last_snapshot() {
    let first: Arc<str> = "tank/a@1".into();
    let ops = [
        create("tank/a", None),
        snapshot("tank/a@1"),
        snapshot("tank/a@2"),
        DslOp::Rollback { to: first.clone() },
    ];
    assert_eq!(last(&ops), Outcome::Refused(Reason::NewerSnapshot(first)));
}

/// `dsl_dataset_user_hold_check_one`: the first hold, too, takes a tag of 255.
#[test]
fn the_longest_tag_has_255_characters() {
    let name: Arc<str> = "tank@s".into();
    let hold = |length| DslOp::Hold {
        names: vec![name.clone()],
        tag: "t".repeat(length).into(),
    };
    let outcome = |length| last(&[snapshot(&name), hold(length)]);
    assert_eq!(outcome(255), Outcome::Done);
    assert_eq!(outcome(256), Outcome::Refused(Reason::KernelPanic));
    let refused = vec![(name.clone(), Reason::TagTooLong)];
    assert_eq!(outcome(257), Outcome::Refused(Reason::Snapshots(refused)));
}

/// `zvol_check_volsize`
#[test]
fn a_volume_has_whole_blocks_and_one_at_least() {
    for (size, done) in [(0, false), (8192, true), (8193, false), (16_384, true)] {
        let volume = Volume {
            size,
            block_size: 8192,
        };
        let outcome = last(&[create("tank/v", Some(volume))]);
        let refused = Outcome::Refused(Reason::InvalidArgument);
        assert_eq!(
            outcome,
            if done { Outcome::Done } else { refused },
            "{size}"
        );
    }
}

/// `dsl_dir_set_quota_check`, `dsl_dir_set_reservation_check`
#[test]
fn a_quota_is_no_less_than_what_is_taken_nor_a_reservation_more_than_there_is() {
    let set = |property, bytes| DslOp::Set {
        name: "tank".into(),
        settings: vec![(Key::Native(property), Value::Number(bytes))],
    };
    for (property, bytes, reason) in [
        (Property::Quota, 1, Reason::BelowUsed),
        (Property::Refquota, 1, Reason::BelowUsed),
        (Property::Reservation, 1 << 40, Reason::AboveAvailable),
        (Property::Refreservation, 1 << 40, Reason::AboveAvailable),
    ] {
        let outcome = last(&[set(property, bytes)]);
        assert_eq!(outcome, Outcome::Refused(reason), "{property:?}");
    }
}

/// `dmu_objset_create_check`: only a filesystem has children.
#[test]
fn a_volume_has_no_children() {
    let volume = Volume {
        size: 1 << 20,
        block_size: 8192,
    };
    let outcome = last(&[create("tank/v", Some(volume)), create("tank/v/a", None)]);
    assert_eq!(outcome, Outcome::Refused(Reason::ParentNotFilesystem));
}

/// Makes `tank/a`, and mounts it.
fn make_mounted(machine: &mut Machine, settings: Vec<(Key, Value)>) {
    let filesystem = DslOp::Create {
        name: "tank/a".into(),
        volume: None,
        settings,
    };
    let mount = FileOp::Mount {
        dataset: "tank/a".into(),
        path: "/mnt/a".into(),
        options: MountOptions::plain(false),
        beside: false,
    };
    assert_eq!(machine.apply(&Op::Dataset(filesystem)), Outcome::Done);
    assert_eq!(machine.apply(&Op::File(mount)), Outcome::Done);
}

/// Writes a file after the other into `tank/a` until there is no space. Whether nobody knew in the end if there is.
fn fill(mut machine: Machine, quota: Option<u64>, bytes: u64) -> bool {
    let quota = quota.map(|quota| (Key::Native(Property::Quota), Value::Number(quota)));
    make_mounted(&mut machine, quota.into_iter().collect());
    for file in 0.. {
        let write = FileOp::Write {
            to: FileTarget::Path(At {
                dataset: "tank/a".into(),
                path: format!("/{file}").into(),
            }),
            offset: 0,
            data: Source::Random(file).piece(bytes),
        };
        let before = format!("{:?}", machine.state());
        match machine.apply(&Op::File(write)) {
            Outcome::Done => {}
            Outcome::NotModelled(_) => {
                assert_eq!(before, format!("{:?}", machine.state()));
                return true;
            }
            Outcome::Failed(Errno::EDQUOT | Errno::ENOSPC) => return false,
            other => panic!("{other:?}"),
        }
    }
    false
}

/// Where nobody knows whether there is space, nothing of what was tried stays: near a quota, and to the end of a pool.
#[test]
fn what_is_not_known_changes_nothing() {
    let quota = |step: &u64| {
        let machine = machine(1 << 30);
        fill(machine, Some((2 << 20) + step * 9000), 700_000)
    };
    let size = |step: &u64| {
        let machine = machine((64 << 20) + (step << 19));
        fill(machine, None, 3_000_000)
    };
    let unknown = [(0..40).filter(quota).count(), (0..12).filter(size).count()];
    println!("{unknown:?} of 40 and 12");
    assert!(unknown.iter().all(|&it| it > 0), "{unknown:?}");
}

/// Under these values files or space follow rules that are not modelled: nothing is invented.
#[test]
fn values_whose_rules_are_not_modelled_are_none() {
    let release = Release::V2_4;
    for (name, text) in [
        ("encryption", "on"),
        ("zoned", "on"),
        ("longname", "on"),
        ("defaultuserquota", "1M"),
        ("defaultgroupquota", "1M"),
        ("defaultprojectquota", "1M"),
        ("defaultuserobjquota", "1000"),
        ("defaultgroupobjquota", "1000"),
        ("defaultprojectobjquota", "1000"),
        ("version", "4"),
        ("userquota@root", "1M"),
        ("groupquota@root", "1M"),
        ("sharenfs", "on"),
        ("sharesmb", "on"),
    ] {
        let parsed = parse(name, text, Target::NewFilesystem, release);
        assert_eq!(parsed, Ok(None), "{name}={text}");
    }
    for (name, text, value) in [
        ("zoned", "off", Value::Word("off")),
        ("longname", "off", Value::Word("off")),
        ("sharenfs", "off", Value::Word("off")),
        // Only of what is encrypted, which the rest of the settings say.
        ("keylocation", "prompt", Value::Text("prompt".into())),
    ] {
        let parsed = parse(name, text, Target::NewFilesystem, release);
        let parsed = parsed.map(|set| set.map(|(_, value)| value));
        assert_eq!(parsed, Ok(Some(value)), "{name}={text}");
    }
}

/// libzfs takes what any pool could have; a larger record than this release has is left to the kernel, and not modelled.
#[test]
fn a_new_pool_may_ask_for_larger_records_than_there_are() {
    let parsed = |bytes: &str| parse("recordsize", bytes, Target::NewPool, Release::V2_1);
    let set = |bytes| {
        Ok(Some((
            Key::Native(Property::Recordsize),
            Value::Number(bytes),
        )))
    };
    assert_eq!(parsed("1M"), set(1 << 20));
    assert_eq!(parsed("2M"), Ok(None));
    let small = parse("special_small_blocks", "1M", Target::NewPool, Release::V2_1);
    assert_eq!(small, Ok(None));
}

/// In a full pool that is told first what is found before there is asked for space: a snapshot of what is not there, and not
/// one whose name is taken (`dsl_dataset_snapshot_check`).
#[test]
fn a_full_pool_tells_first_what_is_found_without_asking_for_space() {
    let mut machine = machine(64 << 20);
    let make = |machine: &mut Machine, name: &str| machine.apply(&Op::Dataset(snapshot(name)));
    assert_eq!(make(&mut machine, "tank@s"), Outcome::Done);
    // All that there is is promised to one filesystem.
    assert_eq!(
        machine.apply(&Op::Dataset(create("tank/a", None))),
        Outcome::Done
    );
    let mut promised = 0;
    for step in [1 << 20, 64 << 10, 4 << 10] {
        let promise = |bytes| DslOp::Set {
            name: "tank/a".into(),
            settings: vec![(Key::Native(Property::Reservation), Value::Number(bytes))],
        };
        while machine.apply(&Op::Dataset(promise(promised + step))) == Outcome::Done {
            promised += step;
        }
    }
    let full = Outcome::Refused(Reason::OutOfSpace);
    assert_eq!(make(&mut machine, "tank@t"), full);
    assert_eq!(make(&mut machine, "tank@s"), full);
    let missing = vec![("tank/none@t".into(), Reason::NoSuchDataset)];
    let missing = Outcome::Refused(Reason::Snapshots(missing));
    assert_eq!(make(&mut machine, "tank/none@t"), missing);
}
