//! Which traces a subcommand works on.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fs, io};

use clap::Args;
use ztwin_model::Release;

use super::Failure;
use crate::generate::{self, Mix};
use crate::trace::{CORPUS, Trace};

/// A trace, and where it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The file's name, as it was given or found; for a trace that is built in, its name in the corpus.
    pub name: String,
    /// Whether it is built in.
    pub built_in: bool,
    /// Its text.
    pub text: Cow<'static, [u8]>,
    /// The trace.
    pub trace: Trace,
}

/// Which of the traces to take.
#[derive(Clone, Debug, Default, Args)]
pub struct Selection {
    /// Take the I-th of N equal parts of the traces, I from 1 to N
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Take N traces, drawn by the seed
    #[arg(long, value_name = "N", group = "drawn")]
    pub sample: Option<usize>,
    /// Seed of what is drawn; the same seed draws the same
    #[arg(long, value_name = "S", requires = "drawn", default_value_t = 0)]
    pub seed: u64,
}

/// A part of the work: `2/5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 1.
    pub index: usize,
    /// Of how many.
    pub count: usize,
}

impl Shard {
    /// Its part of so many runs, one behind the other.
    pub fn part(self, runs: u64) -> std::ops::Range<u64> {
        let (index, count) = (self.index as u64, self.count as u64);
        let start = |index: u64| {
            let start = u128::from(runs) * u128::from(index) / u128::from(count);
            u64::try_from(start).unwrap_or(runs)
        };
        start(index.saturating_sub(1))..start(index)
    }
}

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('/')
            .and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)))
            .filter(|&(index, count)| 1 <= index && index <= count)
            .map(|(index, count)| Shard { index, count })
            .ok_or("write I/N with I from 1 to N, such as 2/5")
    }
}

/// Reads a release line of the command line: `2.3`.
pub fn release(text: &str) -> Result<Release, String> {
    Release::ALL
        .into_iter()
        .find(|release| release.name() == text)
        .ok_or_else(|| {
            let known: Vec<_> = Release::ALL.iter().map(|release| release.name()).collect();
            format!(
                "name one of the releases that are modelled: {}",
                known.join(", ")
            )
        })
}

/// A drawn trace for each of the seeds.
pub fn draw(
    mix: Mix,
    seeds: std::ops::Range<u64>,
    release: Release,
    steps: Option<usize>,
) -> Result<Vec<Loaded>, Failure> {
    let first = seeds.start;
    let mut all = Vec::new();
    for (seed, trace) in (first..).zip(generate::traces(mix, seeds, release, steps)?) {
        let text = trace.to_string();
        let name = format!("{}-{seed}", mix.name());
        // Read again for the numbers of its lines.
        let trace = Trace::parse(&name, text.as_bytes()).map_err(|it| Failure::Traces(vec![it]))?;
        all.push(Loaded {
            name,
            built_in: false,
            text: text.into_bytes().into(),
            trace,
        });
    }
    Ok(all)
}

/// Reads the traces at `paths`; those of `./traces`, else those that are built in, when there are none.
pub fn load(paths: &[PathBuf], selection: &Selection) -> Result<Vec<Loaded>, Failure> {
    let mut texts: Vec<(String, bool, Cow<'static, [u8]>)> = Vec::new();
    let default = [PathBuf::from("traces")];
    let paths: &[PathBuf] = match paths {
        [] if default[0].is_dir() => &default,
        [] => {
            texts.extend(
                CORPUS
                    .iter()
                    .map(|&(name, text)| (name.to_owned(), true, text.into())),
            );
            &[]
        }
        paths => paths,
    };
    for path in paths {
        let cannot_read = |error| Failure::File("read", path.clone(), error);
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                let mut files = Vec::new();
                find(path, &mut files)?;
                if files.is_empty() {
                    let path = path.display();
                    return Err(Failure::Usage(format!("no file *.trace is below {path}")));
                }
                for file in files {
                    let text = fs::read(&file)
                        .map_err(|error| Failure::File("read", file.clone(), error))?;
                    texts.push((file.display().to_string(), false, text.into()));
                }
            }
            Ok(_) => {
                let text = fs::read(path).map_err(cannot_read)?;
                texts.push((path.display().to_string(), false, text.into()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let built_in = CORPUS
                    .iter()
                    .find(|(name, _)| path.as_path() == Path::new(name));
                let Some(&(name, text)) = built_in else {
                    return Err(cannot_read(error));
                };
                texts.push((name.to_owned(), true, text.into()));
            }
            Err(error) => return Err(cannot_read(error)),
        }
    }
    let texts = select(texts, selection, |(name, ..)| name);
    let (mut loaded, mut errors) = (Vec::new(), Vec::new());
    for (name, built_in, text) in texts {
        match Trace::parse(&name, &text) {
            Ok(trace) => loaded.push(Loaded {
                name,
                built_in,
                text,
                trace,
            }),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(loaded)
    } else {
        Err(Failure::Traces(errors))
    }
}

/// The part of `all` that is selected, in the same order.
fn select<T>(all: Vec<T>, selection: &Selection, name: impl Fn(&T) -> &str) -> Vec<T> {
    let drawn = |item: &T| {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&selection.seed.to_le_bytes())
            .update(name(item).as_bytes());
        *hasher.finalize().as_bytes()
    };
    let mut keys: Vec<_> = all.iter().map(drawn).collect();
    keys.sort_unstable();
    let limit = selection.sample.and_then(|count| keys.get(count).copied());
    let all = all
        .into_iter()
        .filter(|item| limit.is_none_or(|limit| drawn(item) < limit));
    match selection.shard {
        None => all.collect(),
        Some(Shard { index, count }) => all.skip(index - 1).step_by(count).collect(),
    }
}

/// The traces below a directory, in the order of their names.
fn find(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let cannot_read = |error| Failure::File("read", directory.to_owned(), error);
    let mut entries = fs::read_dir(directory)
        .and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.path()))
                .collect::<io::Result<Vec<_>>>()
        })
        .map_err(cannot_read)?;
    entries.sort_unstable();
    for path in entries {
        if path.is_dir() {
            find(&path, found)?;
        } else if path.extension() == Some(OsStr::new("trace")) {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_a_partition_and_samples_repeat() {
        let names: Vec<String> = (0..50).map(|i| format!("traces/{i}.trace")).collect();
        let pick = |selection: &Selection| select(names.clone(), selection, |name| name);
        let mut union = Vec::new();
        for index in 1..=3 {
            let shard = Some(Shard { index, count: 3 });
            union.extend(pick(&Selection {
                shard,
                ..Selection::default()
            }));
        }
        union.sort_unstable();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(union, sorted);

        let sample = |seed| {
            pick(&Selection {
                sample: Some(7),
                seed,
                shard: None,
            })
        };
        assert_eq!(sample(1).len(), 7);
        assert_eq!(sample(1), sample(1));
        assert_ne!(sample(1), sample(2));
        assert_eq!(
            pick(&Selection {
                sample: Some(99),
                ..Selection::default()
            }),
            names
        );
    }

    #[test]
    fn the_parts_of_shards_are_all_runs_once() {
        for (runs, count) in [(0, 1), (1, 3), (7, 3), (100, 7), (3, 10)] {
            let parts = (1..=count).flat_map(|index| Shard { index, count }.part(runs));
            assert!(parts.eq(0..runs), "{runs} in {count}");
        }
    }

    #[test]
    fn a_shard_outside_its_range_is_refused() {
        assert_eq!("2/5".parse(), Ok(Shard { index: 2, count: 5 }));
        for wrong in ["0/5", "6/5", "1", "a/b", "1/0", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
