//! `ztwin merge`: what the shards of a campaign found, added up.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value};

use super::{Context, Exit, Failure};

/// Add up what `ztwin diff --generate ... --ledger` wrote, of one machine or of many
///
/// Runs of one mix on one version of OpenZFS become one line. A run that is given twice is counted once. How many
/// seeds stand in several runs is told: another version of ztwin draws other steps from them.
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Merge {
    /// Files of ledgers, or directories of them
    #[arg(value_name = "FILE|DIR", required = true)]
    pub files: Vec<PathBuf>,
    /// Print JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

/// A run that was written down.
struct Run {
    mix: String,
    openzfs: String,
    seeds: std::ops::Range<u64>,
    document: Map<String, Value>,
}

impl Merge {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let mut groups: BTreeMap<(String, String), Vec<Run>> = BTreeMap::new();
        for file in self.ledgers()? {
            let run = read(&file)?;
            let key = (run.mix.clone(), run.openzfs.clone());
            groups.entry(key).or_default().push(run);
        }
        let mut divergences = 0;
        for ((mix, openzfs), mut runs) in groups {
            runs.sort_by_key(|run| (run.seeds.start, run.seeds.end));
            runs.dedup_by(|one, other| one.seeds == other.seeds && one.document == other.document);
            let again = overlap(&runs);
            let sum = sum(&runs);
            divergences += number(&sum, "divergences");
            if self.json {
                let mut line = Map::new();
                line.insert("mix".to_owned(), mix.into());
                line.insert("openzfs".to_owned(), openzfs.into());
                line.insert("seeds_again".to_owned(), again.into());
                line.extend(sum);
                writeln!(context.out, "{}", Value::from(line))?;
            } else {
                writeln!(
                    context.out,
                    "{mix} on OpenZFS {openzfs}: {} runs, {} steps, {} of them successful: {} divergences",
                    number(&sum, "runs"),
                    number(&sum, "steps"),
                    number(&sum, "succeeded"),
                    number(&sum, "divergences"),
                )?;
                if again > 0 {
                    writeln!(
                        context.out,
                        "  {again} seeds stand in more than one of them"
                    )?;
                }
            }
        }
        Ok(if divergences == 0 {
            Exit::Agree
        } else {
            Exit::Diverge
        })
    }

    /// The files that were named, and those in directories, sorted.
    fn ledgers(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut all = Vec::new();
        for path in &self.files {
            let cannot_read = |error| Failure::File("read", path.clone(), error);
            if !fs::metadata(path).map_err(cannot_read)?.is_dir() {
                all.push(path.clone());
                continue;
            }
            for entry in fs::read_dir(path).map_err(cannot_read)? {
                let file = entry.map_err(cannot_read)?.path();
                if file.extension().is_some_and(|it| it == "json") {
                    all.push(file);
                }
            }
        }
        all.sort();
        all.dedup();
        Ok(all)
    }
}

/// How many seeds stand in more than one of the runs, which are sorted.
fn overlap(runs: &[Run]) -> u64 {
    let (mut end, mut again) = (0, 0);
    for run in runs {
        again += run.seeds.end.min(end).saturating_sub(run.seeds.start);
        end = end.max(run.seeds.end);
    }
    again
}

fn number(document: &Map<String, Value>, key: &str) -> u64 {
    document.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn read(file: &Path) -> Result<Run, Failure> {
    let bytes = fs::read(file).map_err(|error| Failure::File("read", file.to_owned(), error))?;
    let wrong = |what: String| Failure::Usage(format!("{}: {what}", file.display()));
    let document: Map<String, Value> =
        serde_json::from_slice(&bytes).map_err(|error| wrong(format!("no ledger: {error}")))?;
    let text = |key: &str| {
        let text = document.get(key).and_then(Value::as_str);
        text.map(str::to_owned)
            .ok_or_else(|| wrong(format!("no ledger: it has no text \"{key}\"")))
    };
    for key in ["seed", "runs", "steps", "succeeded", "divergences"] {
        if document.get(key).and_then(Value::as_u64).is_none() {
            return Err(wrong(format!("no ledger: it has no number \"{key}\"")));
        }
    }
    let first = number(&document, "seed");
    Ok(Run {
        mix: text("mix")?,
        openzfs: text("openzfs")?,
        seeds: first..first.saturating_add(number(&document, "runs")),
        document,
    })
}

/// The numbers of several runs, objects of numbers among them, added up; what is no number is left out, and so is
/// the seed.
fn sum(runs: &[Run]) -> Map<String, Value> {
    let mut sum = Map::new();
    for run in runs {
        add(&mut sum, &run.document);
    }
    sum.remove("seed");
    sum
}

fn add(sum: &mut Map<String, Value>, document: &Map<String, Value>) {
    for (key, value) in document {
        match value {
            Value::Number(more) => {
                let so_far = number(sum, key);
                let more = more.as_u64().unwrap_or(0);
                sum.insert(key.clone(), so_far.saturating_add(more).into());
            }
            Value::Object(more) => {
                let entry = sum.entry(key.clone()).or_insert_with(|| Map::new().into());
                if let Value::Object(so_far) = entry {
                    add(so_far, more);
                    if so_far.is_empty() {
                        sum.remove(key);
                    }
                }
            }
            _ => {}
        }
    }
}
