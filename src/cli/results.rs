//! What a subcommand found out about traces: as text, as JSON, and as JUnit XML.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use ztwin_model::Release;

use super::input::Loaded;
use super::junit::{self, Case};
use super::show::Frame;
use super::{Context, Exit, Failure};
use crate::compare::{DifferentLine, Excused, Figures, KNOWN, Names, Report};

/// The form of the results.
#[derive(Clone, Debug, Default, Args)]
pub struct Form {
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
    /// Also write the results to FILE as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// What was found out about one trace on one release.
pub struct Found<'a> {
    /// The trace.
    pub loaded: &'a Loaded,
    /// The release line.
    pub release: Release,
    /// The exact version, where it is known.
    pub version: String,
    /// What the sides are called.
    pub names: Names,
    /// The command that replays it.
    pub replay: String,
    /// Whether the expected side is what stands in the file.
    pub recorded: bool,
    /// Steps and divergences.
    pub report: Report,
}

impl Found<'_> {
    /// Writes what differs, if something does.
    pub fn show(&self, out: &mut dyn Write, colour: bool) -> io::Result<()> {
        if self.report.divergences.is_empty() {
            return Ok(());
        }
        Frame {
            loaded: self.loaded,
            names: &self.names,
            replay: &self.replay,
            recorded: self.recorded,
            colour,
        }
        .write(out, &self.report)
    }

    /// Each divergence for programs.
    fn json(&self) -> Vec<serde_json::Value> {
        let steps: Vec<_> = self.loaded.trace.steps().collect();
        let divergences = self.report.divergences.iter();
        let values = divergences.filter_map(|divergence| {
            let step = steps.get(divergence.step)?;
            let lines: &[DifferentLine] = &divergence.difference.lines;
            let mut value = serde_json::json!({
                "trace": self.loaded.name,
                "openzfs": self.version,
                "step": divergence.step + 1,
                "line": step.line.0,
                "command": step.command.words,
                "not_modelled": divergence.difference.not_modelled,
                "lines": lines,
            });
            if let Some(inserted) = &divergence.inserted {
                value["behind_it"] = inserted.words.clone().into();
            }
            Some(value)
        });
        values.collect()
    }
}

impl Form {
    /// Writes all results, and says how the program ends. With `shown`, what differs was shown as it came.
    pub fn write(
        &self,
        context: &mut Context<'_>,
        program: &str,
        traces: usize,
        found: &[Found<'_>],
        shown: bool,
    ) -> Result<Exit, Failure> {
        let (mut excused, mut figures) = (Excused::default(), Figures::default());
        for found in found {
            excused.add(&found.report.excused);
            figures.add(&found.report.figures);
        }
        let steps: usize = found.iter().map(|it| it.report.steps).sum();
        let known = known(found);
        let divergences: usize = found.iter().map(|it| it.report.divergences.len()).sum();
        if let Some(file) = &self.junit {
            let cases = found.iter().map(|found| {
                let mut failure = Vec::new();
                found.show(&mut failure, false)?;
                Ok(Case {
                    name: &found.loaded.name,
                    class: format!("openzfs-{}", found.release.name()),
                    failure: String::from_utf8_lossy(&failure).into_owned(),
                })
            });
            let cases = cases.collect::<Result<Vec<_>, io::Error>>()?;
            fs::write(file, junit::document(program, &cases))
                .map_err(|error| Failure::File("write", file.clone(), error))?;
        }
        if self.json {
            let by_class: serde_json::Map<_, _> = excused
                .by_class()
                .map(|(class, number)| (class.name.to_owned(), number.into()))
                .collect();
            let document = serde_json::json!({
                "traces": traces,
                "steps": steps,
                "divergences": found.iter().flat_map(Found::json).collect::<Vec<_>>(),
                "not_compared": by_class,
                "known_divergences": known,
            });
            writeln!(context.out, "{document:#}")?;
        } else {
            for found in found.iter().filter(|_| !shown) {
                found.show(context.out, context.colour)?;
            }
            if figures.printed > 0 {
                writeln!(context.out, "{figures}")?;
            }
            if excused.total() > 0 {
                writeln!(context.out, "values not compared: {excused}")?;
            }
            for (mechanism, steps) in known {
                let of = KNOWN.iter().find(|it| it.mechanism == mechanism);
                let link = of.map_or("", |it| it.link);
                writeln!(
                    context.out,
                    "known divergences: {steps} of {mechanism} ({link})"
                )?;
            }
            writeln!(
                context.out,
                "{traces} traces, {steps} steps: {divergences} divergences"
            )?;
        }
        Ok(if found.iter().any(|it| it.report.diverges()) {
            Exit::Diverge
        } else if divergences > 0 {
            Exit::NotModelled
        } else {
            Exit::Agree
        })
    }
}

/// How many steps differ for each reason that is known.
pub fn known(found: &[Found<'_>]) -> BTreeMap<&'static str, u64> {
    let mut sums = BTreeMap::new();
    for mechanism in found.iter().flat_map(|it| &it.report.known) {
        *sums.entry(*mechanism).or_insert(0) += 1;
    }
    sums
}
