//! Searches of ztwin beside other programs that do comparable work: stateright goes through the same small world over
//! the same model, and fsx-rs exercises a file as a loop over the model does.
//!
//! `just bench-others`; docs/performance.md has the figures.

mod files;
#[path = "../../measure/mod.rs"]
mod measure;
mod world;

/// How often each is run.
const TIMES: usize = 5;

fn main() {
    let is_task = measure::is_task(|words| match words {
        [kind, rest @ ..] if kind == "files" => files::task(rest),
        words => world::task(words),
    });
    if is_task {
        return;
    }
    println!("Medians of {TIMES} runs; memory is the most of any.\n");
    println!(
        "| engine | depth | threads | states | transitions | clock | processor | a second of it | memory |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (depth, engine, threads) in [3, 4].into_iter().flat_map(|depth| {
        let engines = ["ztwin", "stateright"].into_iter();
        engines.flat_map(move |engine| [1, 2].map(|threads| (depth, engine, threads)))
    }) {
        let took = measure::task(&[engine, &depth.to_string()], threads, TIMES);
        let numbers: Vec<&str> = took.told.split(' ').collect();
        let [states, transitions] = numbers[..] else {
            panic!("{}", took.told)
        };
        println!(
            "| {engine} | {depth} | {threads} | {states} | {transitions} | {:.2?} | {:.2?} | {:.0} | {} MiB |",
            took.wall,
            took.cpu,
            per_second(transitions.parse().unwrap_or(0), &took),
            took.peak >> 20,
        );
    }
    println!("\n| a file | operations | a second |\n|---|---|---|");
    for (what, count) in files::KINDS {
        let took = measure::task(&["files", what, &count.to_string()], 1, TIMES);
        println!("| {what} | {count} | {:.0} |", per_second(count, &took));
    }
}

/// How many of these a second of the processor makes.
#[expect(clippy::cast_precision_loss, reason = "they are few")]
fn per_second(count: u64, took: &measure::Took) -> f64 {
    count as f64 / took.cpu.as_secs_f64()
}
