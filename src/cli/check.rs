//! `ztwin check`: recorded traces against the model.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use ztwin_model::Release;

use super::input::{self, Loaded, Selection};
use super::junit::{self, Case};
use super::show::{Frame, count};
use super::{Context, Exit, Failure};
use crate::compare::{DifferentLine, Excused, Names, Report, check_on};
use crate::pools;
use crate::trace::quote;

/// Replay recorded traces on the model and compare every outcome
///
/// A trace is replayed once for every OpenZFS release that its `@ recorded` lines name. Steps that
/// differ are shown with the difference under them. The last line counts traces, steps and divergences.
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Check {
    /// Traces, or directories of traces [default: ./traces, else the corpus that is built in]
    #[arg(value_name = "TRACE|DIR")]
    pub traces: Vec<PathBuf>,
    /// Only this release of those that a trace names
    #[arg(long, value_name = "2.1|2.3|2.4", value_parser = input::release)]
    pub openzfs: Option<Release>,
    #[command(flatten)]
    pub selection: Selection,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
    /// Also write the results to FILE as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// A trace on one release.
struct Job<'a> {
    loaded: &'a Loaded,
    release: Release,
    /// The version that was recorded.
    version: Option<String>,
}

impl Job<'_> {
    fn names(&self) -> Names {
        let version = self.version.as_deref().unwrap_or(self.release.name());
        let expected = match self.version {
            Some(_) => format!("OpenZFS {version} (recorded)"),
            None => "the trace".to_owned(),
        };
        Names {
            expected,
            got: "the model".to_owned(),
        }
    }
}

impl Check {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let loaded = input::load(&self.traces, &self.selection)?;
        let mut jobs = Vec::new();
        for loaded in &loaded {
            jobs.extend(self.jobs(loaded)?);
        }
        if jobs.is_empty() {
            let what = match self.openzfs {
                Some(release) => format!("no trace was recorded on OpenZFS {}", release.name()),
                None => "there is no trace to check".to_owned(),
            };
            return Err(Failure::Usage(format!(
                "{what}; name traces, or a directory of them"
            )));
        }
        let results: Vec<_> = jobs
            .par_iter()
            .map(|job| {
                if context.interrupt.requested() {
                    return None;
                }
                let report = pools::open("model", Some(job.release))
                    .and_then(|mut model| check_on(&job.loaded.trace, model.as_mut()));
                Some(report)
            })
            .collect();
        let mut reports = Vec::with_capacity(jobs.len());
        for result in results {
            let Some(report) = result else {
                let done = format!("{} of {} done", reports.len(), count(jobs.len(), "replay"));
                return Err(Failure::Interrupted(done));
            };
            reports.push(report?);
        }
        self.print(context, loaded.len(), &jobs, &reports)
    }

    /// The releases on which to replay a trace.
    fn jobs<'a>(&self, loaded: &'a Loaded) -> Result<Vec<Job<'a>>, Failure> {
        let mut recorded: Vec<_> = loaded.trace.recorded().collect();
        recorded.sort_unstable();
        if let Some(unknown) = recorded
            .iter()
            .find(|recorded| recorded.release().is_none())
        {
            let known: Vec<_> = Release::ALL.iter().map(|release| release.name()).collect();
            return Err(Failure::Usage(format!(
                "{}: recorded on OpenZFS {}, of which this ztwin has no model (it has {}); use a newer ztwin, or \
                 remove the outcomes of that release",
                loaded.name,
                unknown.openzfs,
                known.join(", ")
            )));
        }
        let releases = match loaded.trace.releases() {
            releases if releases.is_empty() => vec![self.openzfs.unwrap_or_default()],
            releases => releases,
        };
        Ok(releases
            .into_iter()
            .filter(|&release| self.openzfs.is_none_or(|wanted| wanted == release))
            .map(|release| {
                let version = recorded
                    .iter()
                    .find(|recorded| recorded.release() == Some(release));
                Job {
                    loaded,
                    release,
                    version: version.map(|recorded| recorded.openzfs.clone()),
                }
            })
            .collect())
    }

    fn print(
        &self,
        context: &mut Context<'_>,
        traces: usize,
        jobs: &[Job<'_>],
        reports: &[Report],
    ) -> Result<Exit, Failure> {
        let mut excused = Excused::default();
        for report in reports {
            excused.add(&report.excused);
        }
        let steps: usize = reports.iter().map(|report| report.steps).sum();
        let divergences: usize = reports.iter().map(|report| report.divergences.len()).sum();
        if let Some(file) = &self.junit {
            let cases = jobs.iter().zip(reports).map(|(job, report)| {
                let mut failure = Vec::new();
                if !report.divergences.is_empty() {
                    job.show(&mut failure, report, false)?;
                }
                Ok(Case {
                    name: &job.loaded.name,
                    class: format!("openzfs-{}", job.release.name()),
                    failure: String::from_utf8_lossy(&failure).into_owned(),
                })
            });
            let cases = cases.collect::<Result<Vec<_>, io::Error>>()?;
            fs::write(file, junit::document("ztwin check", &cases))
                .map_err(|error| Failure::File("write", file.clone(), error))?;
        }
        if self.json {
            let document = json(traces, steps, &excused, jobs, reports);
            writeln!(context.out, "{document:#}")?;
        } else {
            for (job, report) in jobs.iter().zip(reports) {
                if !report.divergences.is_empty() {
                    job.show(context.out, report, context.colour)?;
                }
            }
            if excused.total() > 0 {
                writeln!(context.out, "values not compared: {excused}")?;
            }
            writeln!(
                context.out,
                "{traces} traces, {steps} steps: {divergences} divergences"
            )?;
        }
        Ok(if reports.iter().any(Report::diverges) {
            Exit::Diverge
        } else if divergences > 0 {
            Exit::NotModelled
        } else {
            Exit::Agree
        })
    }
}

impl Job<'_> {
    /// Writes what differs.
    fn show(&self, out: &mut dyn Write, report: &Report, colour: bool) -> io::Result<()> {
        let release = self.release.name();
        let loaded = self.loaded;
        let name = quote(&loaded.name);
        let replay = format!("ztwin check --openzfs {release} {name}");
        let names = self.names();
        Frame {
            loaded,
            names: &names,
            replay: &replay,
            recorded: true,
            colour,
        }
        .write(out, report)
    }
}

/// The results for programs.
fn json(
    traces: usize,
    steps: usize,
    excused: &Excused,
    jobs: &[Job<'_>],
    reports: &[Report],
) -> serde_json::Value {
    let mut divergences = Vec::new();
    for (job, report) in jobs.iter().zip(reports) {
        let steps: Vec<_> = job.loaded.trace.steps().collect();
        for divergence in &report.divergences {
            let Some(step) = steps.get(divergence.step) else {
                continue;
            };
            let lines: &[DifferentLine] = &divergence.difference.lines;
            divergences.push(serde_json::json!({
                "trace": job.loaded.name,
                "openzfs": job.version.as_deref().unwrap_or(job.release.name()),
                "step": divergence.step + 1,
                "line": step.line.0,
                "command": step.command.words,
                "not_modelled": divergence.difference.not_modelled,
                "lines": lines,
            }));
        }
    }
    let excused: serde_json::Map<_, _> = excused
        .by_class()
        .map(|(class, number)| (class.name.to_owned(), number.into()))
        .collect();
    serde_json::json!({
        "traces": traces,
        "steps": steps,
        "divergences": divergences,
        "not_compared": excused,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Interrupt;

    #[test]
    fn an_interrupted_run_says_how_far_it_came() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("a.trace");
        fs::write(&file, "  $ zfs list\n").expect("written");
        let check = Check {
            traces: vec![file],
            openzfs: None,
            selection: Selection::default(),
            json: false,
            junit: None,
        };
        let interrupt = Interrupt::default();
        interrupt.request();
        let mut out = Vec::new();
        let mut context = Context {
            out: &mut out,
            colour: false,
            progress: false,
            interrupt: &interrupt,
        };
        let failure = check.run(&mut context).expect_err("interrupted");
        assert_eq!(failure.exit(), Exit::Interrupted);
        assert_eq!(
            failure.to_string(),
            "ztwin: interrupted; 0 of 1 replay done"
        );
        assert_eq!(out, b"");
    }
}
