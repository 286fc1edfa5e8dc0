//! What searches on the model cost, by the processor's time on one thread: operations by kind, sequences by mix, all
//! sequences of a length, and the bodies of the fuzz targets.
//!
//! `cargo bench --bench searches`; docs/performance.md has the figures.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{array, fs};

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rayon::{ThreadPool, ThreadPoolBuilder};
use ztwin::explore::{Draws, Explorer};
use ztwin_model::generate::invariants::{check_cheap, check_spec};
use ztwin_model::generate::{Lots, Mix, World, apply};
use ztwin_model::zpl::op::FileOp;
use ztwin_model::{Machine, Op, Outcome, Release};

#[path = "measure/cpu.rs"]
mod cpu;
#[path = "../fuzz/src/lib.rs"]
mod fuzz;

/// The processor's time of this process as what criterion measures.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        cpu::time()
    }

    fn end(&self, start: Duration) -> Duration {
        cpu::time().saturating_sub(start)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        static WALL: WallTime = WallTime;
        WALL.formatter()
    }
}

/// How many operations a sequence has.
const LENGTH: usize = 20;

/// How many sequences are one iteration.
const SEQUENCES: u64 = 512;

/// On how many machines an operation of a kind is tried: few enough to stay in the caches, as those of a search do.
const CASES: usize = 64;

/// The name of what an operation is, with the size of a write. Refused ones are one kind.
fn kind(op: &Op, outcome: &Outcome) -> String {
    if !matches!(outcome, Outcome::Done | Outcome::File(_)) {
        return "refused".to_owned();
    }
    let told = format!("{op:?}");
    let mut names = told.split(|it: char| !it.is_alphanumeric());
    let name: [_; 2] = array::from_fn(|_| names.next().unwrap_or(""));
    match op {
        Op::File(FileOp::Write { data, .. }) => format!("File Write {}", data.len),
        _ => name.join(" "),
    }
}

/// Operations of all mixes by their kind, each with the machine on which it was drawn.
fn cases(world: &World) -> BTreeMap<String, Vec<(Machine, Op)>> {
    let mut cases: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (mix, seed) in Mix::ALL
        .iter()
        .flat_map(|&mix| (0..2000).map(move |seed| (mix, seed)))
    {
        let mut machine = world.machine(Release::V2_3);
        for lot in Lots::new(seed).take(LENGTH) {
            let op = world.choose(mix, lot, machine.state());
            let before = machine.clone();
            let kind = kind(&op, &apply(&mut machine, &op));
            let cases = cases.entry(kind).or_default();
            if cases.len() < CASES {
                cases.push((before, op));
            }
        }
    }
    cases
}

/// Each on a copy of its machine, which shares everything with the original, as searches apply them.
fn operations(criterion: &mut Criterion<CpuTime>) {
    let world = World::default();
    let mut group = criterion.benchmark_group("operations");
    group.throughput(Throughput::Elements(1));
    for (kind, cases) in cases(&world) {
        let mut next = cases.iter().cycle();
        group.bench_function(kind, |bench| {
            bench.iter_batched_ref(
                || next.next().expect("a case").clone(),
                |(machine, op)| apply(machine, op),
                BatchSize::NumIterations(CASES as u64),
            );
        });
    }
    // What moving so many bytes takes.
    let bytes = vec![1; 128 << 10];
    let mut copy = bytes.clone();
    group.bench_function("memcpy of 128 KiB", |bench| {
        bench.iter(|| black_box(&mut copy).copy_from_slice(black_box(&bytes)));
    });
    group.finish();
}

fn one_thread() -> ThreadPool {
    let builder = ThreadPoolBuilder::new().num_threads(1);
    builder.build().expect("a thread")
}

/// Something that is looked at in a machine.
type Look = fn(&Machine);

/// What is looked at: the name, behind each operation, and at the end.
const LOOKS: [(&str, Look, Look); 4] = [
    ("drawn and applied", |_| {}, |_| {}),
    ("and invariants at the end", |_| {}, holds),
    ("and invariants behind each operation", holds, holds),
    (
        "and sets of blocks at the end",
        |_| {},
        |it| {
            holds(it);
            check_spec(it).expect("it holds");
        },
    ),
];

fn holds(machine: &Machine) {
    check_cheap(machine.state()).expect("it holds");
}

fn sequences(criterion: &mut Criterion<CpuTime>) {
    let world = World::default();
    let empty = world.machine(Release::V2_3);
    let one_thread = one_thread();
    for mix in Mix::ALL {
        let mut group = criterion.benchmark_group(format!("a sequence of mix {}", mix.name()));
        group
            .throughput(Throughput::Elements(SEQUENCES))
            .sample_size(10);
        for (name, behind_each, at_the_end) in LOOKS {
            let sequence = |seed| {
                let mut machine = empty.clone();
                for lot in Lots::new(seed).take(LENGTH) {
                    let op = world.choose(mix, lot, machine.state());
                    let _ = apply(&mut machine, &op);
                    behind_each(&machine);
                }
                at_the_end(&machine);
            };
            group.bench_function(name, |bench| {
                bench.iter(|| (0..SEQUENCES).for_each(sequence));
            });
        }
        let draws = Draws {
            release: Release::V2_3,
            mix,
            length: LENGTH,
        };
        let count = 32_000;
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("ztwin explore --draw {count}"), |bench| {
            bench.iter(|| one_thread.install(|| draws.run(0..count, &|_| true)));
        });
        group.finish();
    }
}

fn explore(criterion: &mut Criterion<CpuTime>) {
    let explorer = Explorer::new(Release::V2_3);
    let one_thread = one_thread();
    let mut group = criterion.benchmark_group("transitions of ztwin explore");
    group.sample_size(10);
    for depth in [3, 4] {
        let run = || one_thread.install(|| explorer.explore(depth, &|_, _| true));
        let found = run().expect("nobody stops it");
        eprintln!(
            "depth {depth}: {} transitions, {} states",
            found.transitions, found.states
        );
        group.throughput(Throughput::Elements(found.transitions));
        group.bench_function(format!("--depth {depth}"), |bench| bench.iter(run));
    }
    group.finish();
}

/// A fuzz target: its name and what it does.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 5] = [
    ("operations", fuzz::operations::run),
    ("programs", fuzz::programs::run),
    ("state", fuzz::state::run),
    ("tar", fuzz::tar::run),
    ("trace", fuzz::trace::run),
];

/// The bodies of the fuzz targets over what they begin with.
fn executions(criterion: &mut Criterion<CpuTime>) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let seeded = Command::new(fuzz.join("seed.sh")).status();
    assert!(seeded.is_ok_and(|it| it.success()), "fuzz/seed.sh");
    let mut group = criterion.benchmark_group("an execution of a fuzz target");
    group.sample_size(10);
    for (target, run) in TARGETS {
        let files = fs::read_dir(fuzz.join("corpus").join(target)).expect("a corpus");
        let inputs = files.map(|it| fs::read(it.expect("an entry").path()).expect("a file"));
        let mut inputs: Vec<Vec<u8>> = inputs.collect();
        // As long as `fuzz/smoke.sh` lets them be, and in an order that depends on nothing.
        for input in &mut inputs {
            input.truncate(4096);
        }
        inputs.sort();
        group.throughput(Throughput::Elements(inputs.len() as u64));
        group.bench_function(target, |bench| {
            bench.iter(|| inputs.iter().for_each(|it| run(it)));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = operations, sequences, explore, executions
}
criterion_main!(benches);
