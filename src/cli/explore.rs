//! `ztwin explore`: every sequence of operations over a small world, on the model.

use std::path::PathBuf;
use std::{fs, io};

use clap::Args;
use ztwin_model::Release;
use ztwin_model::generate::Mix;

use super::input::{self, Shard};
use super::progress::Progress;
use super::{Context, Exit, Failure};
use crate::explore::{Draws, Explorer, cover};

/// Try every sequence of operations up to a length over a small world
///
/// The world and its operations stand in docs/exploring.md. States that are one but for their names are gone
/// on from once. Each state is held against what must always hold; what does not is shown with the steps
/// that lead there.
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Explore {
    /// The most operations of a sequence
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=6))]
    pub depth: u32,
    /// The release whose rules apply
    #[arg(long, value_name = "2.1|2.3|2.4", value_parser = input::release, default_value = "2.3")]
    pub openzfs: Release,
    /// Draw N sequences at random instead, and hold the machines that they leave against what must hold
    #[arg(long, value_name = "N", conflicts_with_all = ["depth", "write"])]
    pub draw: Option<u64>,
    /// With --draw: which operations come, and how often
    #[arg(long, value_name = "MIX", requires = "draw", value_parser = mix, default_value = "layers")]
    pub mix: Mix,
    /// With --draw: how many operations a sequence has
    #[arg(long, value_name = "N", requires = "draw", default_value_t = 20)]
    pub steps: usize,
    /// With --draw: the number of the first sequence; the same number is the same sequence
    #[arg(long, value_name = "S", requires = "draw", default_value_t = 0)]
    pub seed: u64,
    /// With --draw: take the I-th of N equal parts of the sequences, I from 1 to N
    #[arg(long, value_name = "I/N", requires = "draw")]
    pub shard: Option<Shard>,
    /// Write traces into DIR that go through everything that was found: for `ztwin diff`
    #[arg(long, value_name = "DIR")]
    pub write: Option<PathBuf>,
}

impl Explore {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        if let Some(count) = self.draw {
            return self.draw(context, count);
        }
        let explorer = Explorer::new(self.openzfs);
        // A thousandth is a step of the bar.
        let progress = Progress::start(context.progress, 1000);
        let interrupt = context.interrupt;
        let found = explorer.explore(self.depth, &|length, part| {
            progress.show(&format!("length {length}"));
            progress.set(part);
            !interrupt.requested()
        });
        progress.finish();
        let found = found.ok_or_else(interrupted)?;
        for (violation, path) in found.violations.iter().take(10) {
            writeln!(context.out, "{violation}\n{}", explorer.sequence(path))?;
        }
        if let Some(directory) = &self.write {
            let traces = cover(&explorer, &found, 2);
            let steps = write(directory, &traces)
                .map_err(|error| Failure::File("write", directory.clone(), error))?;
            let count = traces.len();
            writeln!(
                context.out,
                "{count} traces of {steps} steps go through all of it"
            )?;
        }
        writeln!(
            context.out,
            "{} operations, {} sequences, {} transitions, {} states, {} situations: {} violations",
            found.operations,
            found.sequences,
            found.transitions,
            found.states,
            found.situations.len(),
            found.violations.len(),
        )?;
        Ok(exit(found.violations.len() as u64))
    }

    /// Sequences at random.
    fn draw(&self, context: &mut Context<'_>, count: u64) -> Result<Exit, Failure> {
        let draws = Draws {
            release: self.openzfs,
            mix: self.mix,
            length: self.steps,
        };
        let part = self.shard.map_or(0..count, |shard| shard.part(count));
        let numbers = self.seed.saturating_add(part.start)..self.seed.saturating_add(part.end);
        let progress = Progress::start(context.progress, 1000);
        let interrupt = context.interrupt;
        let found = draws.run(numbers, &|done| {
            progress.set(done);
            !interrupt.requested()
        });
        progress.finish();
        let found = found.ok_or_else(interrupted)?;
        for (violation, number) in &found.violations {
            let sequence = draws.sequence(*number);
            writeln!(context.out, "sequence {number}: {violation}\n{sequence}")?;
        }
        let share = found.succeeded * 100 / found.applied.max(1);
        writeln!(
            context.out,
            "{} sequences, {} operations, {} of them applied ({share} % successful), {} machines against sets of \
             blocks: {} violations",
            found.sequences, found.operations, found.applied, found.against_spec, found.violated,
        )?;
        Ok(exit(found.violated))
    }
}

fn interrupted() -> Failure {
    Failure::Interrupted("nothing is kept".to_owned())
}

fn exit(violations: u64) -> Exit {
    if violations == 0 {
        Exit::Agree
    } else {
        Exit::Diverge
    }
}

/// Reads a mix of the small world.
fn mix(text: &str) -> Result<Mix, String> {
    let all = Mix::ALL.into_iter();
    all.clone().find(|it| it.name() == text).ok_or_else(|| {
        let names: Vec<_> = all.map(Mix::name).collect();
        format!("name one of {}", names.join(", "))
    })
}

/// Writes traces; how many steps they have.
fn write(
    directory: &std::path::Path,
    traces: &[ztwin_model::generate::Sequence],
) -> io::Result<usize> {
    fs::create_dir_all(directory)?;
    let mut steps = 0;
    for (index, trace) in traces.iter().enumerate() {
        steps += trace.steps().count();
        let text = format!("Explored: part {index}.\n\n{trace}");
        fs::write(directory.join(format!("explored-{index:04}.trace")), text)?;
    }
    Ok(steps)
}
