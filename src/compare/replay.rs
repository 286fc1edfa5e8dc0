//! Whole traces, step by step: recorded outcomes against the model, and the model against a real pool.

use std::collections::BTreeSet;
use std::fmt;

use ztwin_model::Release;
use ztwin_model::fault::Fault;

use super::known::KNOWN;
use super::{Comparer, Difference, Excused};
use crate::pools::blobs::Blobs;
use crate::pools::model::ModelPools;
use crate::pools::{Command, End, Pools, Printed, Unavailable};
use crate::trace::{Content, Ending, Expected, Line, Placed, Recorded, Trace, without_usage};

/// What a comparison of a whole trace found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The release line that was compared.
    pub release: Release,
    /// How many steps were compared.
    pub steps: usize,
    /// How many of them were expected to end with exit code 0.
    pub succeeded: usize,
    /// The steps that differ, in order.
    pub divergences: Vec<Divergence>,
    /// For each step that differs for a reason that is known, in order, that reason ([`super::Known`]).
    pub known: Vec<&'static str>,
    /// How many values were not compared.
    pub excused: Excused,
    /// What the listings of space figures told that [`diff_trace`] inserted.
    pub figures: Figures,
    /// How many clones and their origins have the same blocks: those that `pointers` listed in [`diff_trace`].
    pub pairs: usize,
    /// How many files have the blocks of a snapshot that the streams of `zfs send -i` tell: those of `shared` in
    /// [`diff_trace`].
    pub increments: usize,
}

/// The numbers in listings of space figures that agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many there were.
    pub printed: u64,
    /// How many of them were not compared to the last digit.
    pub excused: Excused,
}

impl Figures {
    /// Adds those of `other`.
    pub fn add(&mut self, other: &Figures) {
        self.printed += other.printed;
        self.excused.add(&other.excused);
    }

    /// How many were compared to the last digit.
    #[must_use]
    pub fn exact(&self) -> u64 {
        self.printed.saturating_sub(self.excused.total())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.exact().saturating_mul(10_000) / self.printed.max(1);
        write!(
            f,
            "{} figures, {} of them to the last digit ({}.{:02} %)",
            self.printed,
            self.exact(),
            share / 100,
            share % 100
        )
    }
}

/// A step that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The step of the trace, counted from 0. For a step that [`diff_trace`] inserted, the step in front
    /// of it.
    pub step: usize,
    /// The step that [`diff_trace`] inserted, if it is one.
    pub inserted: Option<Command>,
    /// Where the two outcomes differ.
    pub difference: Difference,
}

impl Report {
    fn new(release: Release) -> Self {
        Report {
            release,
            steps: 0,
            succeeded: 0,
            divergences: Vec::new(),
            known: Vec::new(),
            excused: Excused::default(),
            figures: Figures::default(),
            pairs: 0,
            increments: 0,
        }
    }

    fn step(
        &mut self,
        comparer: &mut Comparer,
        (step, inserted): (usize, Option<&Command>),
        expected: &Expected,
        got: &Printed,
    ) {
        let verdict = comparer.step(expected, got);
        self.steps += 1;
        self.succeeded += usize::from(expected.end == End::Exit(0));
        self.excused.add(&verdict.excused);
        if inserted.is_some_and(is_figures) && verdict.difference.is_none() {
            self.figures.add(&Figures {
                printed: numbers(expected),
                excused: verdict.excused,
            });
        }
        if let Some(difference) = verdict.difference {
            self.divergences.push(Divergence {
                step,
                inserted: inserted.cloned(),
                difference,
            });
        }
    }

    /// Whether something differs, other than steps that are not modelled.
    #[must_use]
    pub fn diverges(&self) -> bool {
        self.divergences
            .iter()
            .any(|divergence| !divergence.difference.not_modelled)
    }
}

/// Runs `commands` and gives back what each printed; fewer when a panic ended the run.
pub fn play(pools: &mut dyn Pools, commands: &[Command]) -> Result<Vec<Printed>, Unavailable> {
    let mut printed: Vec<Printed> = Vec::with_capacity(commands.len());
    pools.play(commands, &mut |_, outcome| printed.push(outcome))?;
    let panicked = printed.last().is_some_and(|last| last.end == End::Panic);
    if printed.len() < commands.len() && !panicked {
        return Err(Unavailable {
            message: format!(
                "the pool answered {} of {} steps: run the trace again, and report it if it stays so",
                printed.len(),
                commands.len()
            ),
        });
    }
    Ok(printed)
}

/// Compares what `trace` has recorded for `release` with what `printed` says that its steps print.
#[must_use]
pub fn compare_recorded(trace: &Trace, release: Release, printed: &[Printed]) -> Report {
    let mut report = Report::new(release);
    let mut comparer = Comparer::new();
    for (i, (step, got)) in trace.steps().zip(printed).enumerate() {
        report.step(&mut comparer, (i, None), &step.expected(release), got);
    }
    report.without_known(trace, KNOWN)
}

/// Replays a recorded trace on `pools` and compares each outcome with the recorded one of its release.
pub fn check_on(trace: &Trace, pools: &mut dyn Pools) -> Result<Report, Unavailable> {
    let printed = play(pools, &trace.commands())?;
    Ok(compare_recorded(trace, pools.release(), &printed))
}

/// Replays a recorded trace on the model of `release`, with a planted fault if one is given.
///
/// `blobs` holds what `data=hash:` names. A fault takes the feature `faults`; without it there is no
/// model that has one.
pub fn check_trace(
    trace: &Trace,
    release: Release,
    blobs: &Blobs,
    fault: Option<Fault>,
) -> Result<Report, Unavailable> {
    let model = ModelPools::new(release, blobs.clone());
    let mut model = match fault {
        None => model,
        #[cfg(feature = "faults")]
        Some(fault) => model.with_fault(fault),
        #[cfg(not(feature = "faults"))]
        Some(_) => {
            return Err(Unavailable {
                message: "faults are planted in builds with the feature `faults` only".to_owned(),
            });
        }
    };
    check_on(trace, &mut model)
}

/// The step that prints the whole visible state.
fn state() -> Command {
    Command {
        words: vec!["state".into(), "-v".into()],
        ..Command::default()
    }
}

/// The step that lists the space figures of all datasets, with what was written since each snapshot of
/// which a step of `trace` tells the name.
fn figures(trace: &Trace) -> Command {
    let words = trace.steps().flat_map(|step| &step.command.words);
    let names: BTreeSet<&str> = words
        .filter_map(|word| word.split_once('@'))
        .map(|(_, name)| name)
        .filter(|name| !name.is_empty() && name.bytes().all(is_plain))
        .collect();
    let since = names.iter().map(|name| format!(",written@{name}"));
    let columns = format!("{FIGURES}{}", since.collect::<String>());
    let words = ["zfs", "list", "-Hp", "-t", "all", "-o", &columns];
    Command {
        words: words.map(str::to_owned).to_vec(),
        ..Command::default()
    }
}

/// The columns of [`figures`].
const FIGURES: &str = "name,used,available,referenced,usedbydataset,usedbysnapshots,usedbychildren,\
    usedbyrefreservation,written,logicalused,logicalreferenced,compressratio,refcompressratio,\
    quota,refquota,reservation,refreservation";

/// The pools that the steps of a trace create.
fn pools_of(trace: &Trace) -> BTreeSet<&str> {
    let created = trace.steps().filter_map(|step| {
        let words: Vec<&str> = step.command.words.iter().map(String::as_str).collect();
        let mut rest = words.strip_prefix(&["zpool", "create"])?.iter();
        loop {
            match *rest.next()? {
                "-o" | "-O" | "-R" | "-m" | "-t" => _ = rest.next(),
                option if option.starts_with('-') => {}
                pool => return Some(pool),
            }
        }
    });
    created.collect()
}

/// Whether a pool may go on freeing behind this step, so that what is listed would change line by line.
fn frees_behind(command: &Command) -> bool {
    let frees = ["destroy", "release", "umount", "unmount"];
    command
        .words
        .iter()
        .take(2)
        .any(|it| frees.contains(&it.as_str()))
}

/// The steps that wait until a pool has freed what it gave up, and has noted that.
fn settle(pool: &str) -> [Command; 2] {
    let wait = ["zpool", "wait", "-t", "free", pool];
    let sync = ["zpool", "sync", pool];
    [&wait[..], &sync].map(|words| Command {
        words: words.iter().map(|&it| it.to_owned()).collect(),
        ..Command::default()
    })
}

fn is_figures(command: &Command) -> bool {
    let columns = command.words.last();
    columns.is_some_and(|columns| columns.starts_with(FIGURES))
}

/// How many numbers stand in a listing.
fn numbers(listing: &Expected) -> u64 {
    let count = |line: &Placed| match &line.text.content {
        Content::Literal(bytes) => {
            let cells = bytes.split(|&byte| byte == b'\t').skip(1);
            cells
                .filter(|cell| cell.first().is_some_and(u8::is_ascii_digit))
                .count() as u64
        }
        Content::Pattern(_) => 0,
    };
    listing.out.iter().map(count).sum()
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte)
}

/// What [`diff_trace`] looks at besides what the steps of a trace print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    /// All space figures of all datasets, behind every step.
    pub figures: bool,
}

/// The steps of `trace`, with `state -v` behind every `zpool sync` and at the end, and what `looks` says. With
/// each: the step of the trace that it is, or stands behind, and whether it was inserted.
#[must_use]
pub fn with_looks(trace: &Trace, looks: Looks) -> Vec<(usize, bool, Command)> {
    let mut commands = Vec::new();
    let count = trace.steps().count();
    let figures = looks.figures.then(|| figures(trace));
    for (i, step) in trace.steps().enumerate() {
        let is_sync =
            |command: &Command| command.words.starts_with(&["zpool".into(), "sync".into()]);
        let wanted = is_sync(&step.command) || i + 1 == count;
        let is_state = step.command.words == state().words;
        let is_vdev = step.command.words.first().is_some_and(|it| it == "vdev");
        commands.push((i, false, step.command.clone()));
        if let Some(figures) = figures.as_ref().filter(|_| !is_vdev) {
            if frees_behind(&step.command) {
                let settled = pools_of(trace).into_iter().flat_map(settle);
                commands.extend(settled.map(|it| (i, true, it)));
            }
            commands.push((i, true, figures.clone()));
        }
        if wanted && !is_state {
            commands.push((i, true, state()));
        }
    }
    commands
}

/// Runs `trace` on both pools, with [`with_looks`], and compares each outcome: what `real` prints is
/// expected of `model`. What the trace has recorded plays no part.
pub fn diff_trace(
    trace: &Trace,
    looks: Looks,
    model: &mut dyn Pools,
    real: &mut dyn Pools,
) -> Result<Report, Unavailable> {
    let steps = with_looks(trace, looks);
    let commands: Vec<Command> = steps
        .iter()
        .map(|(_, _, command)| command.clone())
        .collect();
    let expected = play(real, &commands)?;
    let got = play(model, &commands)?;
    let mut report = Report::new(real.release());
    let mut comparer = Comparer::new();
    for ((i, inserted, command), (expected, got)) in steps.iter().zip(expected.iter().zip(&got)) {
        let step = (*i, inserted.then_some(command));
        let before = report.divergences.len();
        report.step(&mut comparer, step, &Expected::from(expected), got);
        if report.divergences.len() > before {
            continue;
        }
        match command.words.first().map(String::as_str) {
            Some("pointers") => report.pairs += pairs(expected),
            Some("shared") => report.increments += usize::from(expected.succeeded()),
            _ => {}
        }
    }
    Ok(report.without_known(trace, KNOWN))
}

/// How many clones stand in what `pointers` prints.
fn pairs(printed: &Printed) -> usize {
    let out = String::from_utf8_lossy(&printed.out);
    let heads = out.lines().filter(|line| !line.starts_with(' '));
    heads.filter(|line| line.contains(" origin=")).count()
}

/// How a fresh run of a step relates to what a trace has recorded.
enum Fresh {
    /// It agrees; what is recorded stays.
    Agrees(Excused),
    /// It differs.
    Differs(Difference),
}

/// Compares a fresh run with what is recorded. Values are excused where the model's outcome of the same
/// step has a marker: both must agree with it.
fn compare_fresh(
    comparer: &mut Comparer,
    recorded: &Expected,
    fresh: &Printed,
    model: Option<&Printed>,
) -> Fresh {
    let before = comparer.clone();
    let verdict = comparer.step(recorded, fresh);
    let Some(difference) = verdict.difference else {
        return Fresh::Agrees(verdict.excused);
    };
    if let Some(model) = model {
        let mut through = before;
        let of_fresh = Comparer::new().step(&Expected::from(fresh), model);
        let of_recorded = through.step(recorded, model);
        if of_fresh.difference.is_none() && of_recorded.difference.is_none() {
            *comparer = through;
            return Fresh::Agrees(of_fresh.excused);
        }
    }
    Fresh::Differs(difference)
}

/// Compares what `trace` has recorded for `release` with a fresh run on a real pool; `model` is what the
/// model printed, whose markers say which values may differ.
#[must_use]
pub fn verify_recorded(
    trace: &Trace,
    release: Release,
    fresh: &[Printed],
    model: &[Printed],
) -> Report {
    let mut report = Report::new(release);
    let mut comparer = Comparer::new();
    for (i, (step, fresh)) in trace.steps().zip(fresh).enumerate() {
        report.steps += 1;
        match compare_fresh(&mut comparer, &step.expected(release), fresh, model.get(i)) {
            Fresh::Agrees(excused) => report.excused.add(&excused),
            Fresh::Differs(difference) => {
                report.divergences.push(Divergence {
                    step: i,
                    inserted: None,
                    difference,
                });
            }
        }
    }
    report
}

/// The trace with the outcomes of a fresh run written into it; how many steps changed.
///
/// What agrees with the fresh run stays as it is, with its patterns; so does what other releases print,
/// behind guards where needed. `model` is what the model printed, whose markers say which values may
/// differ.
#[must_use]
pub fn record_trace(
    trace: &Trace,
    recorded: &Recorded,
    release: Release,
    fresh: &[Printed],
    model: &[Printed],
) -> (Trace, usize) {
    let mut trace = trace.clone();
    let others: Vec<Release> = trace
        .releases()
        .into_iter()
        .filter(|&other| other != release)
        .collect();
    let mut comparer = Comparer::new();
    let mut changed = 0;
    for (i, (step, fresh)) in trace.steps_mut().zip(fresh).enumerate() {
        let expected = step.expected(release);
        let before = comparer.clone();
        if let Fresh::Differs(_) = compare_fresh(&mut comparer, &expected, fresh, model.get(i)) {
            comparer = before;
            changed += 1;
            let lines = if fresh.end == End::Panic {
                vec![Line::End(Ending::Panic)]
            } else {
                comparer.keep_patterns(&expected, fresh)
            };
            step.set_lines(release, &others, without_usage(lines));
        }
    }
    let known = trace
        .recorded()
        .any(|line| line.openzfs == recorded.openzfs);
    if changed > 0 || !known {
        trace.set_recorded(recorded.clone());
    }
    (trace, changed)
}
