//! What the machine costs as a value: copies of it, snapshots, and what is changed right after them.
//!
//! `cargo bench --bench machine`; docs/performance.md has the figures and what they are held against.

use std::cell::LazyCell;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ztwin_model::dmu::data::{Piece, Source, to_bytes};
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::properties::{Key, Property, Value};
use ztwin_model::spa::feature::Feature;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::spa::{Shape, Vdev};
use ztwin_model::zpl::mount::MountOptions;
use ztwin_model::zpl::op::{At, FileOp, FileResult, Target};
use ztwin_model::{Machine, Op, Outcome, Release};

/// The usual block of a file.
const BLOCK: u64 = 128 << 10;

const MILLION: u64 = 1_000_000;

fn must(machine: &mut Machine, op: &Op) {
    let outcome = machine.apply(op);
    assert_eq!(outcome, Outcome::Done, "{op:?}");
}

/// A machine with a pool `tank` that has all features.
fn machine() -> Machine {
    let release = Release::default();
    let mut machine = Machine::new(release);
    let vdev = FileOp::MakeVdev {
        path: "/v/a".into(),
        size: 1 << 50,
    };
    must(&mut machine, &Op::File(vdev));
    let pool = PoolOp::Create {
        name: "tank".into(),
        vdevs: vec![Vdev {
            shape: Shape::Single,
            devices: vec!["/v/a".into()],
        }],
        properties: Vec::new(),
        features: Feature::all(release).map(|feature| feature.name).collect(),
        settings: Vec::new(),
    };
    must(&mut machine, &Op::Pool(pool));
    mount(&mut machine, "tank");
    machine
}

fn mount(machine: &mut Machine, dataset: &str) {
    let path: Arc<str> = format!("/{dataset}").into();
    must(
        machine,
        &Op::File(FileOp::MakeMountpoint { path: path.clone() }),
    );
    let mount = FileOp::Mount {
        dataset: dataset.into(),
        path,
        options: MountOptions::default(),
        beside: false,
    };
    must(machine, &Op::File(mount));
}

fn create(machine: &mut Machine, name: &str) {
    let create = DslOp::Create {
        name: name.into(),
        volume: None,
        settings: Vec::new(),
    };
    must(machine, &Op::Dataset(create));
    mount(machine, name);
}

fn snapshot(name: &str) -> Op {
    Op::Dataset(DslOp::Snapshot {
        names: vec![name.into()],
        settings: Vec::new(),
    })
}

fn sync() -> Op {
    Op::Pool(PoolOp::Sync {
        pool: "tank".into(),
    })
}

fn destroy(name: &str) -> Op {
    Op::Dataset(DslOp::DestroySnapshots {
        names: vec![name.into()],
        defer: false,
    })
}

fn clone_of(name: &str, origin: &str) -> Op {
    Op::Dataset(DslOp::Clone {
        name: name.into(),
        origin: origin.into(),
        settings: Vec::new(),
    })
}

fn at(dataset: &str, path: &str) -> At {
    At {
        dataset: dataset.into(),
        path: path.into(),
    }
}

fn write(dataset: &str, path: &str, offset: u64, data: Piece) -> Op {
    Op::File(FileOp::Write {
        to: Target::Path(at(dataset, path)),
        offset,
        data,
    })
}

/// A million files of 4K in one directory, on disk, and what they take in memory.
fn million_files() -> Machine {
    let mut machine = machine();
    create(&mut machine, "tank/million");
    let before = resident();
    for file in 0..MILLION {
        let path = format!("/file-{file:07}");
        let data = Source::Random(file).piece(4096);
        must(&mut machine, &write("tank/million", &path, 0, data));
    }
    let taken = |when: &str| {
        let mebibytes = (resident() - before) >> 20;
        eprintln!("a million files take {mebibytes} MiB {when}");
    };
    taken("before they are on disk");
    let start = Instant::now();
    must(&mut machine, &sync());
    taken(&format!("then; that took {:?}", start.elapsed()));
    machine
}

/// The memory of this process, in bytes.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages
        .split(' ')
        .nth(1)
        .and_then(|it| it.parse::<u64>().ok());
    4096 * pages.unwrap_or(0)
}

/// The time of an operation on a copy of the machine, which shares everything with the original.
fn on_a_copy<F: FnOnce() -> Machine>(
    criterion: &mut Criterion,
    name: &str,
    machine: &LazyCell<Machine, F>,
    op: &Op,
) {
    criterion.bench_function(name, |bench| {
        bench.iter_batched_ref(
            || Machine::clone(machine),
            |copy| must(copy, op),
            BatchSize::LargeInput,
        );
    });
}

fn a_million_files(criterion: &mut Criterion) {
    let machine = LazyCell::new(million_files);
    criterion.bench_function("million files: clone of the machine", |bench| {
        let machine = &*machine;
        bench.iter(|| machine.clone());
    });
    on_a_copy(
        criterion,
        "million files: snapshot",
        &machine,
        &snapshot("tank/million@new"),
    );
    let machine = LazyCell::new(|| {
        let mut machine = Machine::clone(&machine);
        must(&mut machine, &snapshot("tank/million@old"));
        machine
    });
    let op = clone_of("tank/clone", "tank/million@old");
    on_a_copy(criterion, "million files: clone", &machine, &op);
    let op = write("tank/million", "/new", 0, Source::Random(1).piece(4096));
    on_a_copy(
        criterion,
        "million files: create right after a snapshot",
        &machine,
        &op,
    );
    let op = Op::File(FileOp::Unlink {
        at: at("tank/million", "/file-0500000"),
    });
    on_a_copy(
        criterion,
        "million files: unlink right after a snapshot",
        &machine,
        &op,
    );
    let op = Op::File(FileOp::Stat {
        file: Target::Path(at("tank/million", "/file-0500000")),
    });
    criterion.bench_function("million files: stat", |bench| {
        let mut machine = Machine::clone(&machine);
        bench.iter(|| machine.apply(&op));
    });
}

fn many_datasets(criterion: &mut Criterion) {
    let machine = LazyCell::new(|| {
        let mut machine = machine();
        for number in 0..100_000 {
            create(&mut machine, &format!("tank/{number}"));
        }
        must(&mut machine, &sync());
        machine
    });
    let op = snapshot("tank/50000@new");
    on_a_copy(criterion, "100,000 datasets: snapshot", &machine, &op);
    let op = write("tank/50000", "/file", 0, Source::Random(1).piece(4096));
    on_a_copy(
        criterion,
        "100,000 datasets: create of a file",
        &machine,
        &op,
    );
    let machine = LazyCell::new(|| {
        let mut machine = Machine::clone(&machine);
        for number in 0..100_000 {
            must(&mut machine, &snapshot(&format!("tank/1@{number}")));
        }
        machine
    });
    let op = snapshot("tank/1@new");
    on_a_copy(criterion, "100,000 snapshots: snapshot", &machine, &op);
    let op = destroy("tank/1@50000");
    on_a_copy(
        criterion,
        "100,000 snapshots: destroy of one",
        &machine,
        &op,
    );
}

/// A file of a gigabyte whose blocks do not compress.
fn large_file() -> Machine {
    let mut machine = machine();
    create(&mut machine, "tank/a");
    let data = Source::Random(1).piece(1 << 30);
    must(&mut machine, &write("tank/a", "/file", 0, data));
    machine
}

/// Writes of one block each, all over the file.
fn writes() -> Vec<Op> {
    let block = |number: u64| (number * 5_147) % ((1 << 30) / BLOCK);
    let write = |number| {
        let data = Source::Random(number).piece(BLOCK);
        write("tank/a", "/file", block(number) * BLOCK, data)
    };
    (0..8192).map(write).collect()
}

/// Snapshots of datasets of several sizes that free several numbers of blocks, and the sync behind that.
fn destroying(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("destruction of a snapshot");
    for (gigabytes, freed) in [(1, 1), (1, 10), (1, 100), (1, 1000), (8, 100), (64, 100)] {
        let mut machine = machine();
        create(&mut machine, "tank/a");
        for number in 0..gigabytes {
            let data = Source::Random(number).piece(1 << 30);
            must(
                &mut machine,
                &write("tank/a", &format!("/{number}"), 0, data),
            );
        }
        let (snapshot, destroy, sync) = (snapshot("tank/a@new"), destroy("tank/a@new"), sync());
        let mut seed = 0;
        let mut bench = |what: &str, timed: [bool; 2]| {
            let name = format!("of {gigabytes} GiB that frees {freed} blocks{what}");
            group.bench_function(name, |bench| {
                bench.iter_custom(|times| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..times {
                        must(&mut machine, &snapshot);
                        seed += 1;
                        let data = Source::Random(seed).piece(freed * BLOCK);
                        must(&mut machine, &write("tank/a", "/0", 0, data));
                        must(&mut machine, &sync);
                        for (op, timed) in [(&destroy, timed[0]), (&sync, timed[1])] {
                            let start = Instant::now();
                            must(&mut machine, op);
                            spent += if timed {
                                start.elapsed()
                            } else {
                                Duration::ZERO
                            };
                        }
                    }
                    spent
                });
            });
        };
        bench("", [true, false]);
        bench(": the sync behind it", [false, true]);
    }
    group.finish();
}

fn writing(criterion: &mut Criterion) {
    let ops = writes();
    let mut group = criterion.benchmark_group("write of a block");
    group.throughput(Throughput::Elements(1));
    let mut machine = large_file();
    let mut next = ops.iter().cycle();
    group.bench_function("without snapshots", |bench| {
        bench.iter(|| must(&mut machine, next.next().expect("it is a cycle")));
    });
    let (snapshot, destroy) = (snapshot("tank/a@new"), destroy("tank/a@new"));
    group.bench_function("right after a snapshot", |bench| {
        bench.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for op in ops
                .iter()
                .cycle()
                .take(usize::try_from(times).expect("fits"))
            {
                must(&mut machine, &snapshot);
                let start = Instant::now();
                must(&mut machine, op);
                spent += start.elapsed();
                must(&mut machine, &destroy);
            }
            spent
        });
    });
    group.bench_function("with the snapshot before it and its destruction", |bench| {
        bench.iter(|| {
            must(&mut machine, &snapshot);
            must(&mut machine, next.next().expect("it is a cycle"));
            must(&mut machine, &destroy);
        });
    });
    group.bench_function("right after a copy of the machine", |bench| {
        bench.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for op in ops
                .iter()
                .cycle()
                .take(usize::try_from(times).expect("fits"))
            {
                let before = machine.clone();
                let start = Instant::now();
                must(&mut machine, op);
                spent += start.elapsed();
                drop(before);
            }
            spent
        });
    });
    group.finish();
}

fn reading(criterion: &mut Criterion) {
    let mut machine = large_file();
    let mut group = criterion.benchmark_group("read of a block");
    group.throughput(Throughput::Bytes(BLOCK));
    let read = |dataset: &str| {
        Op::File(FileOp::Read {
            from: Target::Path(at(dataset, "/file")),
            offset: 1 << 29,
            len: BLOCK,
        })
    };
    let mut bench = |name: &str, machine: &mut Machine, op: &Op| {
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let outcome = machine.apply(op);
                assert!(matches!(outcome, Outcome::File(FileResult::Data(_))));
                outcome
            });
        });
    };
    let mut last = "tank/a".to_owned();
    for number in 1..=128 {
        let (origin, name) = (format!("{last}@s"), format!("tank/c{number}"));
        must(&mut machine, &snapshot(&origin));
        must(&mut machine, &clone_of(&name, &origin));
        mount(&mut machine, &name);
        last = name;
    }
    bench("of the first filesystem", &mut machine, &read("tank/a"));
    bench("through 128 clones", &mut machine, &read(&last));
    group.finish();
}

/// What it takes to bring a file of 32 MiB to disk, whose blocks may have to be compressed for that; and what
/// moving so many bytes takes.
fn syncing(criterion: &mut Criterion) {
    let size = 32 << 20;
    let bytes = |source: Source| to_bytes(&[source.piece(size)]);
    let mut group = criterion.benchmark_group("sync of 32 MiB");
    group.throughput(Throughput::Bytes(size));
    for (name, compression, source) in [
        ("text, lz4", "lz4", Source::Text(1)),
        (
            "bytes that are text, lz4",
            "lz4",
            Source::Bytes(bytes(Source::Text(1)).into()),
        ),
        (
            "bytes that do not shrink, lz4",
            "lz4",
            Source::Bytes(bytes(Source::Random(1)).into()),
        ),
        ("noise, lz4", "lz4", Source::Random(1)),
        ("text, off", "off", Source::Text(1)),
    ] {
        let mut machine = machine();
        create(&mut machine, "tank/a");
        let set = DslOp::Set {
            name: "tank/a".into(),
            settings: vec![(Key::Native(Property::Compression), Value::Word(compression))],
        };
        must(&mut machine, &Op::Dataset(set));
        must(
            &mut machine,
            &write("tank/a", "/file", 0, source.piece(size)),
        );
        let sync = sync();
        group.bench_function(name, |bench| {
            bench.iter_batched_ref(
                || machine.clone(),
                |copy| must(copy, &sync),
                BatchSize::LargeInput,
            );
        });
    }
    let bytes = bytes(Source::Random(1));
    let mut copy = bytes.clone();
    group.bench_function("memcpy", |bench| {
        bench.iter(|| black_box(&mut copy).copy_from_slice(black_box(&bytes)));
    });
    group.finish();
    // What stays in a cache is what the other figures are compared with.
    let mut group = criterion.benchmark_group("128 KiB");
    group.throughput(Throughput::Bytes(BLOCK));
    let bytes = &bytes[..1 << 17];
    let mut copy = bytes.to_vec();
    group.bench_function("memcpy", |bench| {
        bench.iter(|| black_box(&mut copy).copy_from_slice(black_box(bytes)));
    });
    group.finish();
}

criterion_group!(
    benches,
    writing,
    reading,
    syncing,
    destroying,
    many_datasets,
    a_million_files
);
criterion_main!(benches);
