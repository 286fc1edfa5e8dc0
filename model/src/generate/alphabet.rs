//! All operations over a small world, one after the other: what a search that leaves nothing out goes through.

use std::sync::Arc;

use super::World;
use super::world::Place;
use crate::dmu::data::Source;
use crate::dsl::op::DslOp;
use crate::dsl::properties::{Class, Key};
use crate::dsl::property::{Property, Value};
use crate::op::Op;
use crate::spa::op::PoolOp;
use crate::zpl::mount::MountOptions;
use crate::zpl::op::{At, FileOp, Opening, Renaming, Target, Unmount};
use crate::zpl::open::Handle;
use crate::zpl::znode::Special;

/// The usual block of a file, in bytes.
const BLOCK: u64 = 128 << 10;

impl World {
    /// The root, two filesystems below it, two snapshots of each and a bookmark, and one handle. Its names can be
    /// exchanged, `tank/a` for `tank/b` and `@s` for `@t`, and all operations over it are there again.
    #[must_use]
    pub fn small() -> World {
        let mut world = World::default();
        world.places.truncate(3);
        world.snapshots.truncate(2);
        for place in &mut world.places {
            place.snapshots.truncate(2);
            place.bookmarks.truncate(1);
        }
        world.handles.truncate(1);
        world
    }

    /// All operations over this world, refused ones among them, in a fixed order: names in all places, flags on and
    /// off, a few offsets and lengths around the edge of a block.
    #[must_use]
    pub fn operations(&self) -> Vec<Op> {
        let mut all = Vec::new();
        self.of_filesystems(&mut all);
        self.of_snapshots(&mut all);
        self.of_properties(&mut all);
        for place in &self.places {
            self.of_files(place, &mut all);
        }
        all.push(Op::Pool(PoolOp::Sync {
            pool: self.pool.to_string(),
        }));
        all
    }

    fn of_filesystems(&self, all: &mut Vec<Op>) {
        let mut add = |op| all.push(Op::Dataset(op));
        let below = || self.places.iter().filter(|it| it.parent.is_some());
        for place in &self.places {
            let name = || place.name.clone();
            add(DslOp::Create {
                name: name(),
                volume: None,
                settings: Vec::new(),
            });
            add(DslOp::Destroy { name: name() });
            add(DslOp::Promote { name: name() });
            for to in below().filter(|to| to.name != place.name) {
                add(DslOp::Rename {
                    from: name(),
                    to: to.name.clone(),
                });
            }
        }
        for place in below() {
            add(DslOp::Create {
                name: place.name.clone(),
                volume: None,
                settings: vec![(Key::Native(Property::Compression), Value::Word("off"))],
            });
        }
    }

    fn of_snapshots(&self, all: &mut Vec<Op>) {
        let mut add = |op| all.push(Op::Dataset(op));
        let below = || self.places.iter().filter(|it| it.parent.is_some());
        for place in &self.places {
            for (index, name) in place.snapshots.iter().enumerate() {
                let names = || vec![name.clone()];
                let settings = Vec::new;
                add(DslOp::Snapshot {
                    names: names(),
                    settings: settings(),
                });
                for target in below() {
                    add(DslOp::Clone {
                        name: target.name.clone(),
                        origin: name.clone(),
                        settings: settings(),
                    });
                }
                for defer in [false, true] {
                    add(DslOp::DestroySnapshots {
                        names: names(),
                        defer,
                    });
                }
                add(DslOp::Rollback { to: name.clone() });
                for tag in self.tags.iter().take(1) {
                    add(DslOp::Hold {
                        names: names(),
                        tag: tag.clone(),
                    });
                    add(DslOp::Release {
                        names: names(),
                        tag: tag.clone(),
                    });
                }
                for bookmark in &place.bookmarks {
                    add(DslOp::Bookmark {
                        name: bookmark.clone(),
                        source: name.clone(),
                    });
                }
                for other in self.places.iter().filter(|other| other.name > place.name) {
                    let others = other.snapshots.get(index).into_iter().cloned();
                    add(DslOp::Snapshot {
                        names: names().into_iter().chain(others).collect(),
                        settings: settings(),
                    });
                }
                for to in self.snapshots.iter().enumerate() {
                    if to.0 != index {
                        for recursive in [false, true] {
                            add(DslOp::RenameSnapshot {
                                filesystem: place.name.clone(),
                                from: self.snapshots[index].clone(),
                                to: to.1.clone(),
                                recursive,
                            });
                        }
                    }
                }
            }
            add(DslOp::DestroySnapshots {
                names: place.snapshots.clone(),
                defer: false,
            });
            for bookmark in &place.bookmarks {
                add(DslOp::DestroyBookmark {
                    name: bookmark.clone(),
                });
            }
        }
    }

    fn of_properties(&self, all: &mut Vec<Op>) {
        for place in &self.places {
            let name = || place.name.clone();
            let settings = [
                (
                    Key::User("com.example:owner".into()),
                    Value::Text("x".into()),
                ),
                (Key::Native(Property::Compression), Value::Word("off")),
                (Key::Native(Property::Quota), Value::Number(64 << 20)),
                (
                    Key::Native(Property::Refreservation),
                    Value::Number(8 << 20),
                ),
            ];
            for setting in settings {
                let key = setting.0.clone();
                let inherits = key.class() == Class::Inherited;
                all.push(Op::Dataset(DslOp::Set {
                    name: name(),
                    settings: vec![setting],
                }));
                if inherits {
                    all.push(Op::Dataset(DslOp::Inherit { name: name(), key }));
                }
            }
        }
    }

    fn of_files(&self, place: &Place, all: &mut Vec<Op>) {
        let mut add = |op| all.push(Op::File(op));
        for read_only in [false, true] {
            add(FileOp::Mount {
                dataset: place.name.clone(),
                path: place.mountpoint.clone(),
                options: MountOptions::plain(read_only),
                beside: false,
            });
        }
        for how in [Unmount::Plain, Unmount::Lazy] {
            add(FileOp::Unmount {
                path: place.mountpoint.clone(),
                how,
            });
        }
        let at = |path: &str| At {
            dataset: place.name.clone(),
            path: path.into(),
        };
        let file = |path| Target::Path(at(path));
        let write = |path, offset, source: Source, len| FileOp::Write {
            to: file(path),
            offset,
            data: source.piece(len),
        };
        add(write("/f", 0, Source::Random(1), BLOCK));
        add(write("/f", 0, Source::Zero, 1));
        add(write("/f", BLOCK - 1, Source::Random(2), 2));
        add(write("/d/f", 0, Source::Random(1), 4096));
        for size in [0, BLOCK + 1] {
            add(FileOp::Truncate {
                file: file("/f"),
                size,
            });
        }
        add(FileOp::Punch {
            file: file("/f"),
            offset: 0,
            len: BLOCK,
        });
        add(FileOp::Read {
            from: file("/f"),
            offset: 0,
            len: 2 * BLOCK,
        });
        for path in ["/f", "/g"] {
            add(FileOp::Unlink { at: at(path) });
        }
        add(FileOp::MakeDirectory { at: at("/d") });
        add(FileOp::RemoveDirectory { at: at("/d") });
        add(FileOp::Rename {
            from: at("/f"),
            to: at("/g"),
            how: Renaming::Replace,
        });
        add(FileOp::Link {
            from: file("/f"),
            to: at("/g"),
        });
        add(FileOp::MakeSpecial {
            at: at("/g"),
            special: Special::CharacterDevice(0, 0),
            mode: 0,
        });
        let handle = |name: &Arc<str>| Handle {
            process: "".into(),
            name: name.clone(),
        };
        for name in &self.handles {
            for write in [false, true] {
                add(FileOp::Open {
                    handle: handle(name),
                    at: at("/f"),
                    how: Opening::plain(write),
                });
            }
            // One is enough: a handle belongs to no filesystem.
            if place.parent.is_none() {
                add(FileOp::Close {
                    handle: handle(name),
                });
            }
        }
    }
}
