//! `ztwin diff`: the same steps on the model and a real pool, side by side.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::Args;

use super::input::{self, Selection};
use super::progress::Progress;
use super::results::{self, Form, Found};
use super::{Context, Exit, Failure};
use crate::compare::{Excused, Figures, Looks, Names, diff_trace};
use crate::generate::Mix;
use crate::pools::{self, Pools};
use crate::trace::quote;

/// Run the same steps on the model and on a real pool, and compare step by step
///
/// What a trace has recorded plays no part. After every `zpool sync` and at the end of a trace the whole
/// visible state of both is compared too (`state -v`).
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Diff {
    /// Traces, or directories of traces [default: ./traces, else the corpus that is built in]
    #[arg(value_name = "TRACE|DIR")]
    pub traces: Vec<PathBuf>,
    /// The pool to compare with: kernel, or vm:NAME such as vm:trixie
    #[arg(long, value_name = "POOL")]
    pub pool: String,
    /// Give the kernel's pools loop devices instead of files
    #[arg(long = "loop")]
    pub loop_devices: bool,
    /// Compare all space figures of all datasets too, behind every step; so do the mixes `space-...`
    #[arg(long)]
    pub figures: bool,
    #[command(flatten)]
    pub selection: Selection,
    #[command(flatten)]
    pub drawn: Drawn,
    #[command(flatten)]
    pub form: Form,
}

/// Sequences of steps that are drawn, instead of traces.
#[derive(Clone, Debug, Default, Args)]
pub struct Drawn {
    /// Draw sequences of steps instead of reading traces, each from a seed of its own
    #[arg(long, value_name = "MIX", group = "drawn", conflicts_with = "traces")]
    pub generate: Option<Mix>,
    /// Draw N sequences, from the seeds S, S+1, ...
    #[arg(
        long,
        value_name = "N",
        requires = "generate",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub runs: u32,
    /// Draw N steps for each, instead of 20 to 200
    #[arg(long, value_name = "N", requires = "generate")]
    pub steps: Option<usize>,
    /// Keep the sequences that find a difference, as traces in DIR
    #[arg(long, value_name = "DIR", requires = "generate")]
    pub keep: Option<PathBuf>,
    /// Write what was compared, and how it ended, into a file in DIR
    #[arg(long, value_name = "DIR", requires = "generate")]
    pub ledger: Option<PathBuf>,
}

impl Diff {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let given = match self.drawn.generate {
            None => Some(input::load(&self.traces, &self.selection)?),
            Some(_) => None,
        };
        let mut real = pools::open_real(&self.pool, self.loop_devices)?;
        let mut model = pools::open("model", Some(real.release()))?;
        let loaded = match (given, self.drawn.generate) {
            (None, Some(mix)) => input::draw(mix, self.seeds(), real.release(), self.drawn.steps)?,
            (given, _) => given.unwrap_or_default(),
        };
        let names = Names {
            expected: format!("OpenZFS {} in {}", real.version(), self.pool),
            got: "the model".to_owned(),
        };
        let of_mix = self.drawn.generate.is_some_and(Mix::has_figures);
        let looks = Looks {
            figures: self.figures || of_mix,
        };
        let mut found = Vec::with_capacity(loaded.len());
        let progress = Progress::start(context.progress, loaded.len());
        for (index, loaded) in loaded.iter().enumerate() {
            if context.interrupt.requested() {
                progress.finish();
                self.write_ledger(real.as_ref(), &found)?;
                let steps: usize = found.iter().map(|it: &Found<'_>| it.report.steps).sum();
                let divergences: usize = found.iter().map(|it| it.report.divergences.len()).sum();
                return Err(Failure::Interrupted(format!(
                    "{index} traces, {steps} steps: {divergences} divergences so far"
                )));
            }
            progress.show(&loaded.name);
            let one = Found {
                loaded,
                release: real.release(),
                version: real.version(),
                names: names.clone(),
                replay: self.replay(index, &loaded.name),
                recorded: false,
                report: diff_trace(&loaded.trace, looks, model.as_mut(), real.as_mut())?,
            };
            if !self.form.json {
                progress.suspend(|| {
                    one.show(context.out, context.colour)?;
                    context.out.flush()
                })?;
            }
            if let Some(directory) = &self.drawn.keep
                && !one.report.divergences.is_empty()
            {
                write(directory, &format!("{}.trace", loaded.name), &loaded.text)?;
            }
            found.push(one);
            progress.advance();
        }
        progress.finish();
        self.write_ledger(real.as_ref(), &found)?;
        self.form
            .write(context, "ztwin diff", loaded.len(), &found, true)
    }

    /// The seeds of what is drawn: of a shard its part of them.
    fn seeds(&self) -> Range<u64> {
        let (first, runs) = (self.selection.seed, u64::from(self.drawn.runs));
        let part = self.selection.shard.map_or(0..runs, |it| it.part(runs));
        first.saturating_add(part.start)..first.saturating_add(part.end)
    }

    /// The command that compares the trace with this index again.
    fn replay(&self, index: usize, name: &str) -> String {
        let pool = quote(&self.pool);
        let Some(mix) = self.drawn.generate else {
            let figures = if self.figures { " --figures" } else { "" };
            return format!("ztwin diff --pool {pool}{figures} {}", quote(name));
        };
        let steps = self.drawn.steps.map(|steps| format!(" --steps {steps}"));
        format!(
            "ztwin diff --pool {pool} --generate {} --seed {}{}",
            mix.name(),
            self.seeds().start.saturating_add(index as u64),
            steps.unwrap_or_default()
        )
    }

    /// Writes down what was compared, for the ledger of campaigns: one file a run, whose name says what it
    /// covers, so that runs add up.
    fn write_ledger(&self, real: &dyn Pools, found: &[Found<'_>]) -> Result<(), Failure> {
        let (Some(directory), Some(mix)) = (&self.drawn.ledger, self.drawn.generate) else {
            return Ok(());
        };
        let (mut excused, mut figures) = (Excused::default(), Figures::default());
        for found in found {
            excused.add(&found.report.excused);
            figures.add(&found.report.figures);
        }
        let sum = |of: fn(&Found<'_>) -> usize| found.iter().map(of).sum::<usize>();
        let first = self.seeds().start;
        let steps = self.drawn.steps.map(|steps| format!(" --steps {steps}"));
        let version = real.version();
        let mut document = serde_json::json!({
            "openzfs": version,
            "system": real.system(),
            "ztwin": env!("CARGO_PKG_VERSION"),
            "mix": mix.name(),
            "seed": first,
            "runs": found.len(),
            "drawn": sum(|it| it.loaded.trace.steps().count()),
            "steps": sum(|it| it.report.steps),
            "succeeded": sum(|it| it.report.succeeded),
            "divergences": sum(|it| it.report.divergences.len()),
            "not_compared": by_class(&excused),
            "command": format!(
                "ztwin diff --pool {} --generate {} --seed {first} --runs {}{}",
                quote(&self.pool),
                mix.name(),
                found.len(),
                steps.unwrap_or_default()
            ),
        });
        if figures.printed > 0 {
            document["figures"] = serde_json::json!({
                "printed": figures.printed,
                "exact": figures.exact(),
                "not_compared": by_class(&figures.excused),
            });
        }
        let known = results::known(found);
        if !known.is_empty() {
            document["known_divergences"] = serde_json::json!(known);
        }
        let pairs = sum(|it| it.report.pairs);
        if pairs > 0 {
            document["pairs"] = pairs.into();
        }
        let increments = sum(|it| it.report.increments);
        if increments > 0 {
            document["increments"] = increments.into();
        }
        let name = format!("{}-{version}-{first}-{}.json", mix.name(), found.len());
        write(directory, &name, format!("{document:#}\n").as_bytes())
    }
}

fn by_class(excused: &Excused) -> serde_json::Map<String, serde_json::Value> {
    let classes = excused.by_class();
    classes
        .map(|(class, number)| (class.name.to_owned(), number.into()))
        .collect()
}

/// Writes a file into a directory, which is made where it is missing.
fn write(directory: &Path, name: &str, content: &[u8]) -> Result<(), Failure> {
    let file = directory.join(name);
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&file, content))
        .map_err(|error| Failure::File("write", file, error))
}
