//! The names, sizes and data that operations are about: few, so that they meet each other.

use std::sync::Arc;

use crate::dmu::data::Source;
use crate::dsl::properties::Key;
use crate::dsl::property::{Property, Value};
use crate::machine::Machine;
use crate::op::Op;
use crate::release::Release;
use crate::spa::feature::Feature;
use crate::spa::op::PoolOp;
use crate::spa::{Shape, Vdev};
use crate::zpl::op::{At, FileOp};

/// A filesystem that may come to be, with what may belong to it.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its full name.
    pub name: Arc<str>,
    /// That of the filesystem above it; none of the pool's root.
    pub parent: Option<Arc<str>>,
    /// Where it is mounted.
    pub mountpoint: Arc<str>,
    /// The full names of its snapshots.
    pub snapshots: Vec<Arc<str>>,
    /// The full names of its bookmarks.
    pub bookmarks: Vec<Arc<str>>,
    /// Its files and directories.
    pub files: Vec<At>,
}

/// The names, sizes and data of a small world.
///
/// Nothing is mounted by itself: the root of the pool has `mountpoint=legacy`, as Docker's driver has it, so
/// that each operation is one system call or one sync task.
#[derive(Clone, Debug)]
pub struct World {
    /// The name of the pool.
    pub pool: Arc<str>,
    /// Its filesystems, the root first.
    pub places: Vec<Place>,
    /// What stands behind the `@` of a snapshot.
    pub snapshots: Vec<Arc<str>>,
    /// Tags of holds.
    pub tags: Vec<Arc<str>>,
    /// Offsets and lengths in bytes, around the edges of blocks.
    pub sizes: Vec<u64>,
    /// What is written.
    pub data: Vec<Source>,
    /// What is set.
    pub settings: Vec<(Key, Value)>,
    /// The names of open files.
    pub handles: Vec<Arc<str>>,
}

/// The usual block of a file, in bytes.
const BLOCK: u64 = 128 << 10;

impl Default for World {
    /// A pool `tank` with up to seven filesystems below its root, three snapshots and two bookmarks each, and
    /// four files in each.
    fn default() -> World {
        let pool = "tank";
        let snapshots = ["s", "t", "u"];
        let place = |name: &str| {
            let below = |mark: char, names: &[&str]| -> Vec<Arc<str>> {
                let names = names.iter();
                names.map(|it| format!("{name}{mark}{it}").into()).collect()
            };
            let files = ["/f", "/g", "/d", "/d/f"];
            Place {
                name: name.into(),
                parent: name.rsplit_once('/').map(|(parent, _)| parent.into()),
                mountpoint: format!("/mnt/{}", name.replace('/', "-")).into(),
                snapshots: below('@', &snapshots),
                bookmarks: below('#', &["m", "n"]),
                files: files
                    .iter()
                    .map(|&path| At {
                        dataset: name.into(),
                        path: path.into(),
                    })
                    .collect(),
            }
        };
        let native = |property, value| (Key::Native(property), value);
        World {
            pool: pool.into(),
            places: [
                "tank",
                "tank/a",
                "tank/b",
                "tank/c",
                "tank/a/d",
                "tank/b/d",
                "tank/e",
                "tank/a/d/e",
            ]
            .map(place)
            .into(),
            snapshots: snapshots.map(Arc::from).into(),
            tags: ["keep", "backup"].map(Arc::from).into(),
            sizes: [
                BLOCK,
                4096,
                1,
                BLOCK - 1,
                BLOCK + 1,
                2 * BLOCK,
                64 << 10,
                3 * BLOCK - 1,
            ]
            .into(),
            data: vec![Source::Random(1), Source::Random(2), Source::Zero],
            settings: vec![
                native(Property::Compression, Value::Word("off")),
                native(Property::Recordsize, Value::Number(16 << 10)),
                native(Property::Copies, Value::Word("2")),
                (
                    Key::User("com.example:owner".into()),
                    Value::Text("x".into()),
                ),
                native(Property::Quota, Value::Number(64 << 20)),
                native(Property::Refreservation, Value::Number(8 << 20)),
            ],
            handles: ["h", "i"].map(Arc::from).into(),
        }
    }
}

impl World {
    /// What makes the world: a pool on one device of 1 GiB.
    #[must_use]
    pub fn setup(&self, release: Release) -> Vec<Op> {
        let device: Arc<str> = "/v/a".into();
        vec![
            Op::File(FileOp::MakeVdev {
                path: device.clone(),
                size: 1 << 30,
            }),
            Op::Pool(PoolOp::Create {
                name: self.pool.clone(),
                vdevs: vec![Vdev {
                    shape: Shape::Single,
                    devices: vec![device],
                }],
                properties: Vec::new(),
                features: Feature::all(release).map(|feature| feature.name).collect(),
                settings: vec![
                    (Key::Native(Property::Atime), Value::Word("off")),
                    (Key::Native(Property::Mountpoint), Value::Word("legacy")),
                ],
            }),
        ]
    }

    /// A machine with that pool, and nothing in it.
    #[must_use]
    pub fn machine(&self, release: Release) -> Machine {
        let mut machine = Machine::new(release);
        for op in self.setup(release) {
            let _ = machine.apply(&Op::Wait(1));
            let _ = machine.apply(&op);
        }
        machine
    }
}
