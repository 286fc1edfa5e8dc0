//! What whole searches take, each in a process of its own: on one thread and on two, by the clock and by the processor,
//! and in memory; and what a machine takes.
//!
//! `cargo bench --features faults --bench programs`; docs/performance.md has the figures.

use std::ffi::OsString;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use ztwin::compare::{Looks, play, with_looks};
use ztwin::generate::{Mix, traces};
use ztwin::pools::{Blobs, Command, ModelPools, Printed};
use ztwin::shrink::first_difference;
use ztwin_model::fault::Fault;
use ztwin_model::generate::{self, Lots, World, apply};
use ztwin_model::{Machine, Release};

mod measure;

use measure::memory;

/// How often each is run.
const TIMES: usize = 5;

/// How many of them explore.
const DEPTHS: usize = 3;

/// What is run, as words of a command line.
const PROGRAMS: [&str; 9] = [
    "ztwin explore --depth 1",
    "ztwin explore --depth 3",
    "ztwin explore --depth 4",
    "ztwin explore --draw 100000 --mix administration",
    "ztwin explore --draw 100000 --mix files",
    "ztwin explore --draw 100000 --mix layers",
    "ztwin explore --draw 100000 --mix space",
    "ztwin check traces",
    "faults",
];

fn main() {
    let is_task = measure::is_task(|words| match words {
        [first, ..] if first == "ztwin" => {
            let code = ztwin::cli::main(words.iter().map(OsString::from));
            assert_eq!(code, 0, "{words:?}");
        }
        [first, rest @ ..] if first == "machines" => machines(rest),
        _ => faults(),
    });
    if is_task {
        return;
    }
    println!(
        "Medians of {TIMES} runs. Times as fast on two threads: by the clock, and by the processor's time of"
    );
    println!(
        "what the rest waits for, which is what it would be if nothing else ran. Memory is the most of any.\n"
    );
    println!(
        "| what | clock, 1 | 2 threads | times | processor, 1 | 2 threads | times | memory, 1 | 2 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut alone = Vec::new();
    for line in PROGRAMS {
        let words: Vec<&str> = line.split(' ').collect();
        let [one, two] = [1, 2].map(|threads| measure::task(&words, threads, TIMES));
        let times = [one.wall, one.busiest].map(|it| it.as_secs_f64());
        println!(
            "| `{line}` | {:.2?} | {:.2?} | {:.2} | {:.2?} | {:.2?} | {:.2} | {} MiB | {} MiB |",
            one.wall,
            two.wall,
            times[0] / two.wall.as_secs_f64(),
            one.cpu,
            two.cpu,
            times[1] / two.busiest.as_secs_f64(),
            one.peak >> 20,
            two.peak >> 20,
        );
        alone.push(one);
    }
    let [shallow, .., deep] = &alone[..DEPTHS] else {
        return;
    };
    println!(
        "\n{}: {} bytes more than at depth 1",
        deep.told,
        deep.peak - shallow.peak
    );
    let mixes = generate::Mix::ALL.map(generate::Mix::name);
    for mix in mixes.iter().chain(&["none"]) {
        println!(
            "machines of mix {mix}: {}",
            measure::task(&["machines", mix], 1, 1).told
        );
    }
}

/// What a machine takes that is held: a new one, or one behind twenty operations of a mix that begin with a copy of the
/// same.
fn machines(words: &[String]) {
    const COUNT: u64 = 10_000;
    let world = World::default();
    let mix = generate::Mix::ALL
        .into_iter()
        .find(|mix| words.iter().any(|it| it == mix.name()));
    let first = world.machine(Release::V2_3);
    let before = memory("VmRSS");
    let held: Vec<Machine> = (0..COUNT)
        .map(|seed| {
            let Some(mix) = mix else {
                return world.machine(Release::V2_3);
            };
            let mut machine = first.clone();
            for lot in Lots::new(seed).take(20) {
                let op = world.choose(mix, lot, machine.state());
                let _ = apply(&mut machine, &op);
            }
            machine
        })
        .collect();
    let bytes = (memory("VmRSS") - before) / COUNT;
    println!(
        "{bytes} bytes each, {} of them for the copy alone",
        size_of_val(&held[0])
    );
}

fn model(fault: Option<Fault>) -> ModelPools {
    let model = ModelPools::new(Release::V2_3, Blobs::default());
    match fault {
        Some(fault) => model.with_fault(fault),
        None => model,
    }
}

/// Every planted fault is looked for in the same sequences, as `tests/faults_found.rs` does it.
fn faults() {
    let mixes = [
        Mix::Administration,
        Mix::Corners,
        Mix::Layers,
        Mix::Files,
        Mix::Space12,
    ];
    let drawn = mixes.par_iter().flat_map_iter(|&mix| {
        let traces = traces(mix, 0..10, Release::V2_3, Some(40)).expect("the model");
        let looks = Looks {
            figures: mix.has_figures(),
        };
        traces.into_iter().map(move |it| {
            with_looks(&it, looks)
                .into_iter()
                .map(|(.., it)| it)
                .collect()
        })
    });
    let drawn: Vec<Vec<Command>> = drawn.collect();
    let play = |fault, commands: &[Command]| play(&mut model(fault), commands).expect("the model");
    let sequences: Vec<(Vec<Printed>, _)> =
        drawn.par_iter().map(|it| (play(None, it), it)).collect();
    let found = Fault::ALL.par_iter().filter(|&&fault| {
        sequences.iter().any(|(expected, commands)| {
            first_difference(commands, expected, &play(Some(fault), commands), true).is_some()
        })
    });
    println!(
        "{} of {} faults found in {} sequences",
        found.count(),
        Fault::ALL.len(),
        drawn.len()
    );
}
