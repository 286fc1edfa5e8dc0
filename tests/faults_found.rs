//! Each planted fault is found by sequences that are drawn, and becomes small.
#![cfg(feature = "faults")]

use std::sync::OnceLock;
use std::time::Instant;

use rayon::iter::{
    IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator, ParallelIterator,
};
use ztwin::compare::{Looks, play, with_looks};
use ztwin::generate::{Mix, traces};
use ztwin::pools::{Blobs, Command, ModelPools, Printed};
use ztwin::shrink::{first_difference, shrink};
use ztwin_model::Release;
use ztwin_model::fault::Fault;

/// Which sequences are drawn, how many of each in a turn, and how long they are.
const MIXES: [(Mix, usize, usize); 10] = [
    (Mix::Administration, 1, 60),
    (Mix::Corners, 6, 300),
    (Mix::Layers, 1, 40),
    (Mix::Files, 1, 100),
    (Mix::Space12, 1, 40),
    (Mix::Space14, 1, 40),
    (Mix::SpaceMirror, 1, 40),
    (Mix::SpaceRaidz, 1, 40),
    (Mix::Sharing, 1, 40),
    (Mix::Explored, 1, 40),
];

/// In how many sequences a fault is looked for.
const SEQUENCES: usize = 1000;

fn model(fault: Option<Fault>) -> ModelPools {
    let model = ModelPools::new(Release::V2_3, Blobs::default());
    match fault {
        Some(fault) => model.with_fault(fault),
        None => model,
    }
}

struct Drawn {
    mix: Mix,
    commands: Vec<Command>,
    /// What the model prints.
    expected: OnceLock<Vec<Printed>>,
}

impl Drawn {
    fn expected(&self) -> &[Printed] {
        let played = || play(&mut model(None), &self.commands).unwrap();
        self.expected.get_or_init(played)
    }
}

/// The sequences, the mixes in turn.
fn drawn() -> Vec<Drawn> {
    let in_a_turn: usize = MIXES.iter().map(|(_, times, _)| times).sum();
    let turns = SEQUENCES.div_ceil(in_a_turn);
    let mixes: Vec<Vec<Drawn>> = MIXES
        .into_par_iter()
        .map(|(mix, times, length)| {
            let seeds = 0..(turns * times) as u64;
            let drawn = traces(mix, seeds, Release::V2_3, Some(length)).unwrap();
            let looks = Looks {
                figures: mix.has_figures() || mix == Mix::Corners,
            };
            let commands = drawn.iter().map(|trace| with_looks(trace, looks));
            let commands = commands.map(|it| it.into_iter().map(|(.., command)| command).collect());
            commands
                .map(|commands: Vec<Command>| Drawn {
                    mix,
                    expected: OnceLock::new(),
                    commands,
                })
                .collect()
        })
        .collect();
    let mut mixes: Vec<_> = mixes.into_iter().map(Vec::into_iter).collect();
    let mut all = Vec::new();
    for _ in 0..turns {
        for (mix, (_, times, _)) in mixes.iter_mut().zip(MIXES) {
            all.extend(mix.take(times));
        }
    }
    all.truncate(SEQUENCES);
    all
}

/// How a fault was found: a row of the table.
struct Found {
    mix: Mix,
    /// The number of the sequence, from 1.
    sequence: usize,
    /// The steps of the smallest, without those that make the first pool and its devices.
    steps: usize,
    seconds: f64,
    /// The last of them.
    last: String,
}

/// Whether a step makes a device or a pool.
fn makes_pool(command: &Command) -> bool {
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    matches!(words.as_slice(), ["vdev", ..] | ["zpool", "create", ..])
}

/// Makes a sequence small in which a fault shows; none if it does not.
fn small(fault: Fault, sequence: usize, drawn: &Drawn) -> Option<Found> {
    let mut faulty = model(Some(fault));
    let got = play(&mut faulty, &drawn.commands).unwrap();
    first_difference(&drawn.commands, drawn.expected(), &got, true)?;
    let start = Instant::now();
    let commands = drawn.commands.clone();
    let small = shrink(
        commands,
        &mut model(None),
        &mut faulty,
        BUDGET,
        &mut |_, _| true,
    );
    let small = small.unwrap().expect("a difference");
    let seconds = start.elapsed().as_secs_f64();
    // The signature is kept: the last step differs so, and no step before it.
    let got = play(&mut faulty, &small.commands).unwrap();
    let (last, signature) =
        first_difference(&small.commands, &small.expected, &got, true).expect("a difference");
    assert_eq!(
        (last + 1, &signature),
        (small.commands.len(), &small.signature),
        "{fault:?}"
    );
    let setup = small
        .commands
        .iter()
        .take_while(|it| makes_pool(it))
        .count();
    let last = small.commands.last().map(|it| it.words.join(" "));
    Some(Found {
        mix: drawn.mix,
        sequence,
        steps: small.commands.len() - setup.min(small.commands.len()),
        seconds,
        last: last.unwrap_or_default(),
    })
}

/// How often a smaller sequence is tried.
const BUDGET: u32 = 3000;

/// The bugs that a fault transcribes: what its comment has in parentheses at its end.
fn bugs(fault: Fault) -> &'static str {
    let source = include_str!("../model/src/fault.rs");
    let end = format!("\n    {fault:?},");
    let before = source.split(&end).next().unwrap_or_default();
    let comment = before.rsplit("\n    /// ").next().unwrap_or_default();
    let told = comment
        .strip_suffix(").")
        .and_then(|it| it.rsplit_once('('));
    told.map_or("", |(_, bugs)| bugs)
}

fn row(fault: Fault, found: Option<&Found>) -> String {
    let bugs = bugs(fault);
    match found {
        None => format!("| {fault:?} | {bugs} | - | - | - | |"),
        Some(it) => {
            let mut last: Vec<&str> = it.last.split(' ').collect();
            // Columns and names of datasets are long.
            if last.len() > 3 {
                last.truncate(2);
                last.push("...");
            }
            let (mix, sequence, steps) = (it.mix.name(), it.sequence, it.steps);
            format!(
                "| {fault:?} | {bugs} | {mix} | {sequence} | {steps} | `{}` |",
                last.join(" ")
            )
        }
    }
}

/// A row of docs/faults.md: its text, the fault, and the number of the sequence with that of the steps.
type Row = (String, String, Option<(usize, usize)>);

fn rows() -> Vec<Row> {
    let page = include_str!("../docs/faults.md");
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && line.ends_with('|'));
    rows.skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let number = |index: usize| cells[index].parse().ok();
            (
                line.to_owned(),
                cells[1].to_owned(),
                number(4).zip(number(5)),
            )
        })
        .collect()
}

/// What the table says is so: each fault shows in the sequence that it names, and becomes as small.
#[test]
fn planted_faults_are_found_and_become_small() {
    let (rows, drawn) = (rows(), drawn());
    let names: Vec<String> = Fault::ALL.iter().map(|it| format!("{it:?}")).collect();
    assert!(
        rows.iter().map(|it| &it.1).eq(&names),
        "one row for each fault, in order"
    );
    let wrong: Vec<String> = Fault::ALL
        .par_iter()
        .zip(&rows)
        .filter_map(|(&fault, (line, _, told))| {
            let (sequence, _) = (*told)?;
            let found = small(fault, sequence, &drawn[sequence - 1]);
            let now = row(fault, found.as_ref());
            (now != *line).then(|| format!("{line}\n{now}"))
        })
        .collect();
    assert!(wrong.is_empty(), "told, and so:\n{}", wrong.join("\n"));
    let small = rows
        .iter()
        .filter(|it| it.2.is_some_and(|(_, steps)| steps <= 6))
        .count();
    let all = rows.len();
    assert!(
        small * 100 >= all * 95,
        "{small} of {all} are found and small"
    );
    let transcribed = Fault::ALL
        .iter()
        .filter(|it| !bugs(**it).is_empty())
        .count();
    assert!(transcribed >= 30, "{transcribed} transcribe bugs");
}

/// Looks for each fault anew, and prints the table. Minutes: `cargo test --release --features faults --test
/// faults_found -- --ignored --nocapture`.
#[test]
#[ignore = "it takes minutes; `.ci/run full` does it"]
fn the_table_is_what_a_search_finds() {
    let drawn = drawn();
    let found: Vec<(Fault, Option<Found>)> = Fault::ALL
        .into_par_iter()
        .map(|fault| {
            let mut all = (1..).zip(&drawn);
            (
                fault,
                all.find_map(|(sequence, it)| small(fault, sequence, it)),
            )
        })
        .collect();
    let mut told = Vec::new();
    for (fault, found) in &found {
        told.push(row(*fault, found.as_ref()));
        println!("{}", row(*fault, found.as_ref()));
    }
    let slowest = found.iter().flat_map(|it| &it.1).map(|it| it.seconds);
    let slowest = slowest.fold(0.0, f64::max);
    println!("the slowest became small in {slowest:.2} s");
    let rows: Vec<String> = rows().into_iter().map(|it| it.0).collect();
    assert!(told == rows, "docs/faults.md tells otherwise");
}
