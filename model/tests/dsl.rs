//! Random operations on pools and datasets, valid or not: the machine is a value, every operation is
//! total, a refused one changes nothing but that it may close a transaction group, and the web of datasets stays whole.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use ztwin_model::dmu::Volume;
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::properties::{Key, Property, Value};
use ztwin_model::generate::invariants::check_cheap;
use ztwin_model::machine::State;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::spa::{Shape, Vdev};
use ztwin_model::zpl::op::{FileOp, Unmount};
use ztwin_model::{Machine, Op, Outcome, Release};

const FILESYSTEMS: &[&str] = &[
    "tank",
    "tank/a",
    "tank/b",
    "tank/a/c",
    "tank/a/c/d",
    "tank/b/c",
    "tank/e",
    "pond",
    "pond/a",
    "sea/a",
    "tank/",
    "tank//x",
    "tank/a@s",
    "",
    "tank/%",
];

fn filesystem() -> impl Strategy<Value = Arc<str>> {
    select(FILESYSTEMS).prop_map(Arc::from)
}

fn component() -> impl Strategy<Value = Arc<str>> {
    select(&["s", "t", "u", "v", "", "x/y", "w%"][..]).prop_map(Arc::from)
}

fn snapshot() -> impl Strategy<Value = Arc<str>> {
    (filesystem(), component()).prop_map(|(filesystem, name)| format!("{filesystem}@{name}").into())
}

fn settings() -> impl Strategy<Value = Vec<(Key, Value)>> {
    let setting = prop_oneof![
        Just((Key::Native(Property::Compression), Value::Word("off"))),
        Just((Key::Native(Property::Recordsize), Value::Number(4096))),
        Just((Key::Native(Property::Quota), Value::Number(1))),
        Just((Key::User("module:name".into()), Value::Text("x".into()))),
    ];
    prop::collection::vec(setting, 0..3)
}

fn volume() -> impl Strategy<Value = Option<Volume>> {
    let volume = |size| Volume {
        size,
        block_size: 8192,
    };
    prop_oneof![
        3 => Just(None),
        1 => select(&[0, 8192, 1 << 20, 5000][..]).prop_map(move |size| Some(volume(size))),
    ]
}

fn dataset_op() -> impl Strategy<Value = DslOp> {
    let snapshots = || prop::collection::vec(snapshot(), 0..3);
    let tag = || select(&["one", "two", ""][..]).prop_map(Arc::<str>::from);
    prop_oneof![
        4 => (filesystem(), volume(), settings())
            .prop_map(|(name, volume, settings)| DslOp::Create { name, volume, settings }),
        6 => (filesystem(), snapshot(), settings())
            .prop_map(|(name, origin, settings)| DslOp::Clone { name, origin, settings }),
        6 => (snapshots(), settings())
            .prop_map(|(names, settings)| DslOp::Snapshot { names, settings }),
        2 => filesystem().prop_map(|name| DslOp::Destroy { name }),
        4 => (snapshots(), any::<bool>())
            .prop_map(|(names, defer)| DslOp::DestroySnapshots { names, defer }),
        2 => snapshot().prop_map(|to| DslOp::Rollback { to }),
        4 => filesystem().prop_map(|name| DslOp::Promote { name }),
        2 => (filesystem(), filesystem()).prop_map(|(from, to)| DslOp::Rename { from, to }),
        2 => (filesystem(), component(), component(), any::<bool>()).prop_map(
            |(filesystem, from, to, recursive)| DslOp::RenameSnapshot {
                filesystem, from, to, recursive
            }
        ),
        1 => (filesystem(), settings()).prop_map(|(name, settings)| DslOp::Set { name, settings }),
        1 => (snapshot(), settings()).prop_map(|(name, settings)| DslOp::Set { name, settings }),
        1 => (filesystem(), select(Property::all(ztwin_model::Release::default()).collect::<Vec<_>>()))
            .prop_map(|(name, property)| DslOp::Inherit { name, key: Key::Native(property) }),
        2 => (snapshots(), tag()).prop_map(|(names, tag)| DslOp::Hold { names, tag }),
        2 => (snapshots(), tag()).prop_map(|(names, tag)| DslOp::Release { names, tag }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let pool = || select(&["tank", "pond", "sea", "mirror", ""][..]).prop_map(Arc::<str>::from);
    prop_oneof![
        20 => dataset_op().prop_map(Op::Dataset),
        1 => pool().prop_map(|name| Op::Pool(PoolOp::Destroy { name })),
        1 => pool().prop_map(|name| Op::Pool(PoolOp::Sync { pool: name.to_string() })),
        1 => (pool(), select(&["/v/a", "/v/b", "/v/none"][..]))
            .prop_map(|(name, device)| Op::Pool(create_pool(&name, device))),
        2 => (filesystem(), select(&["/mnt/a", "/mnt/b"][..])).prop_map(|(dataset, path)| {
            Op::File(FileOp::Mount { dataset, path: path.into(), options: ztwin_model::zpl::mount::MountOptions::plain(false), beside: false })
        }),
        2 => select(&["/mnt/a", "/mnt/b"][..]).prop_map(|path| {
            Op::File(FileOp::Unmount { path: path.into(), how: Unmount::Plain })
        }),
        1 => Just(Op::Wait(1)),
    ]
}

fn create_pool(name: &str, device: &str) -> PoolOp {
    PoolOp::Create {
        name: name.into(),
        vdevs: vec![Vdev {
            shape: Shape::Single,
            devices: vec![device.into()],
        }],
        properties: Vec::new(),
        features: std::collections::BTreeSet::new(),
        settings: Vec::new(),
    }
}

/// A machine with the pool `tank` and a vdev file to spare.
fn machine() -> Machine {
    let mut machine = Machine::new(Release::V2_3);
    for path in ["/v/a", "/v/b"] {
        let made = machine.apply(&Op::File(FileOp::MakeVdev {
            path: path.into(),
            size: 1 << 30,
        }));
        assert_eq!(made, Outcome::Done);
    }
    let created = machine.apply(&Op::Pool(create_pool("tank", "/v/a")));
    assert_eq!(created, Outcome::Done);
    machine
}

fn picture(machine: &Machine) -> String {
    format!("{:?}", machine.state())
}

/// The same without how many transaction groups were closed: what a sync task refuses has closed one.
fn settled(machine: &Machine) -> String {
    let mut state = machine.state().clone();
    for pool in state.pools.values_mut() {
        let pool = Arc::make_mut(pool);
        (pool.open_txg, pool.synced_before) = (0, 0);
    }
    format!("{state:?}")
}

/// What must hold of the datasets of every pool, and that each is found by its name and hangs in the tree once.
fn check(state: &State) {
    check_cheap(state).unwrap_or_else(|found| panic!("{found}"));
    for pool in state.pools.values() {
        let mut reached = 1;
        for (id, dataset) in &pool.datasets {
            let name = state.name_of(id).expect("every dataset has a name");
            assert_eq!(state.find(&name), Some(id), "{name} is found by its name");
            if let Some(filesystem) = dataset.filesystem() {
                reached += filesystem.children.len() + filesystem.snapshots.len();
                if let Some(origin) = filesystem.origin {
                    assert!(
                        state.is_before(origin, id),
                        "{name} descends from its origin"
                    );
                }
            }
        }
        assert_eq!(reached, pool.datasets.len());
    }
}

proptest! {
    #[test]
    fn datasets_stay_whole_and_a_refusal_changes_nothing(
        ops in prop::collection::vec(op(), 1..60),
    ) {
        let mut machine = machine();
        for op in &ops {
            let before = settled(&machine);
            match machine.apply(op) {
                Outcome::Done | Outcome::File(_) => check(machine.state()),
                _ => prop_assert_eq!(before, settled(&machine)),
            }
        }
    }

    #[test]
    fn nothing_done_to_a_copy_shows_in_the_original(
        first in prop::collection::vec(op(), 0..40),
        then in prop::collection::vec(op(), 1..40),
    ) {
        let mut original = machine();
        for op in &first {
            let _ = original.apply(op);
        }
        let before = picture(&original);
        let mut copy = original.clone();
        let outcomes: Vec<_> = then.iter().map(|op| copy.apply(op)).collect();
        prop_assert_eq!(&before, &picture(&original));
        // The original then does as its copy did: nothing but the value decides.
        let again: Vec<_> = then.iter().map(|op| original.apply(op)).collect();
        prop_assert_eq!(outcomes, again);
        prop_assert_eq!(picture(&copy), picture(&original));
    }
}
