//! `ztwin check`: recorded traces against the model.

use std::path::PathBuf;

use clap::Args;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use ztwin_model::Release;

use super::input::{self, Loaded, Selection};
use super::results::{Form, Found};
use super::show::count;
use super::{Context, Exit, Failure};
use crate::compare::{Names, Report, check_on};
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
    #[command(flatten)]
    pub form: Form,
}

/// A trace on one release.
struct Job<'a> {
    loaded: &'a Loaded,
    release: Release,
    /// The version that was recorded.
    version: Option<String>,
}

impl<'a> Job<'a> {
    fn found(&self, report: Report) -> Found<'a> {
        let release = self.release.name();
        let version = self.version.as_deref().unwrap_or(release);
        let expected = match self.version {
            Some(_) => format!("OpenZFS {version} (recorded)"),
            None => "the trace".to_owned(),
        };
        let name = quote(&self.loaded.name);
        Found {
            loaded: self.loaded,
            release: self.release,
            version: version.to_owned(),
            names: Names {
                expected,
                got: "the model".to_owned(),
            },
            replay: format!("ztwin check --openzfs {release} {name}"),
            recorded: true,
            report,
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
        let found: Vec<_> = jobs
            .iter()
            .zip(reports)
            .map(|(job, report)| job.found(report))
            .collect();
        self.form
            .write(context, "ztwin check", loaded.len(), &found, false)
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
}

#[cfg(test)]
mod tests {
    use std::fs;

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
            form: Form::default(),
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
