//! The simulated machine: one call after the other.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use ztwin_model::spa::Pool;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::spa::scan::Function;
use ztwin_model::{Op, Release};

use super::journal::{self, Entry, Journal, Pending};
use super::log::Log;
use super::record::Recorder;
use super::{Call, Error, Found};
use crate::exit::Exit;
use crate::pools::{End, Printed};
use crate::programs::{self, EPOCH, Failure, Failures, SPACE_FIGURES, STREAMS, Values};

/// What the machine's clock shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Clock {
    /// The time of day, as programs expect that compare times with it
    #[default]
    Real,
    /// A second more with each call, from 2026-01-01 on: the same in every run
    Steps,
}

/// How a machine is simulated.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The release that it runs; that of the state file, or the default.
    pub release: Option<Release>,
    /// What its clock shows.
    pub clock: Clock,
    /// Refuse a space figure that is not known, instead of printing an estimate.
    pub exact_space: bool,
    /// Let `zfs send` succeed with an empty stream.
    pub empty_streams: bool,
    /// What fails although it could succeed.
    pub failures: Failures,
    /// Where the machine is kept between runs.
    pub state: Option<PathBuf>,
    /// Where to write what happens, as a trace.
    pub record: Option<PathBuf>,
    /// Where to write each call, with the process that made it.
    pub log: Option<PathBuf>,
}

/// A machine that `zfs` and `zpool` are called on.
#[derive(Debug)]
pub struct Machine {
    model: ztwin_model::Machine,
    clock: Clock,
    estimated: bool,
    estimates: Arc<AtomicU64>,
    empty_streams: bool,
    failures: Failures,
    journal: Option<Journal>,
    recorder: Option<Recorder>,
    log: Option<Log>,
}

/// What a call did.
#[derive(Debug)]
pub(super) struct Done {
    /// What it prints, and how it ends.
    pub printed: Printed,
    /// What must be on disk before anybody is told.
    pub pending: Option<Pending>,
}

/// What a call prints, whether it changed anything, and whether it printed an estimate.
#[derive(Debug, Default)]
struct Applied {
    printed: Printed,
    changed: bool,
    estimated: bool,
}

impl Machine {
    /// A machine without pools, or the one that the state file holds.
    pub fn new(options: Options) -> Result<Self, Error> {
        let found = options.state.as_deref();
        let found = found
            .map(|path| Journal::open(path, options.release))
            .transpose()?;
        let of_file = found.as_ref().map(|found| found.release);
        let release = of_file.or(options.release).unwrap_or_default();
        let estimated = !options.exact_space;
        let record = options.record.as_deref();
        let record = record.map(|path| Recorder::create(path, release));
        let mut machine = Machine {
            model: crate::pools::model::fresh(release),
            clock: options.clock,
            estimated,
            estimates: Arc::default(),
            empty_streams: options.empty_streams,
            failures: Failures::default(),
            journal: None,
            recorder: record.transpose()?,
            log: options.log.as_deref().map(Log::create).transpose()?,
        };
        if let Some(found) = found {
            machine.repeat(&found)?;
            machine.journal = Some(found.journal);
        }
        machine.estimated = estimated;
        machine.estimates = Arc::default();
        machine.failures = options.failures;
        Ok(machine)
    }

    /// Does again what stands in the state file.
    fn repeat(&mut self, found: &journal::Found) -> Result<(), Error> {
        for (entry, offset) in found.entries.iter().zip(&found.offsets) {
            if !self.repeat_one(entry) {
                let (path, words) = (found.journal.path().display(), entry.call.words.join(" "));
                let (then, now) = (&found.model, env!("CARGO_PKG_VERSION"));
                return Err(Error(format!(
                    "the state file {path} cannot be repeated: '{words}' (at byte {offset}) ends otherwise \
                     than it did. It was begun by version {then} of the model, this is {now}. Use the ztwin \
                     that wrote it, or name another file for --state"
                )));
            }
        }
        Ok(())
    }

    /// Whether it has this pool.
    #[must_use]
    pub fn has_pool(&self, name: &str) -> bool {
        self.model.state().pools.contains_key(name)
    }

    /// How many calls have printed an estimate; goes on counting.
    #[must_use]
    pub fn estimates(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.estimates)
    }

    /// Makes a pool of one file that is nowhere on the real disk.
    pub fn make_pool(&mut self, name: &str, size: u64) -> Result<(), Error> {
        let path = format!("/ztwin/{name}");
        let printed = self.run(&Call {
            words: ["zpool", "create", name, &path].map(str::to_owned).to_vec(),
            files: vec![(path, Found::File(size))],
        });
        if printed.succeeded() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&printed.err);
        Err(Error(format!("--pool {name}: {}", said.trim_end())))
    }

    /// Runs one call: what it prints, and how it ends.
    pub fn run(&mut self, call: &Call) -> Printed {
        let Done { printed, pending } = self.start(call, None);
        match pending.map_or(Ok(()), |pending| pending.sync()) {
            Ok(()) => printed,
            Err(error) => failed(&error),
        }
    }

    /// As [`Machine::run`], but what it did may not be on disk yet.
    pub(super) fn start(&mut self, call: &Call, process: Option<i32>) -> Done {
        if let Some(Err(error)) = self.journal.as_ref().map(Journal::check) {
            return Done {
                printed: failed(&error),
                pending: None,
            };
        }
        let before = (self.model.clone(), self.failures.clone());
        self.wait(match self.clock {
            Clock::Real => seconds_since_epoch().saturating_sub(self.model.state().now),
            Clock::Steps => 1,
        });
        let now = self.model.state().now;
        self.failures.happened.clear();
        let Applied {
            printed,
            changed,
            estimated,
        } = self.apply(call);
        if let Some(journal) = self.journal.as_mut().filter(|_| changed) {
            let happened = self.failures.happened.iter();
            let entry = Entry {
                now,
                call: call.clone(),
                estimated,
                failed: happened.map(ToString::to_string).collect(),
                outcome: journal::outcome(&printed),
            };
            if let Err(error) = journal.append(&entry) {
                (self.model, self.failures) = before;
                return Done {
                    printed: failed(&error),
                    pending: None,
                };
            }
        }
        self.note(call, &printed, estimated);
        if let Some(log) = &mut self.log {
            log.add(call, process, &printed);
        }
        // Who reads waits for what he reads.
        Done {
            printed,
            pending: self.journal.as_ref().map(Journal::pending),
        }
    }

    /// Does again what an entry says; whether it ends as it did.
    fn repeat_one(&mut self, entry: &Entry) -> bool {
        self.wait(entry.now.saturating_sub(self.model.state().now));
        self.estimated = entry.estimated;
        let failed = entry.failed.iter().map(|text| text.parse::<Failure>());
        let Ok(planned) = failed.collect() else {
            return false;
        };
        self.failures = Failures {
            planned,
            happened: Vec::new(),
        };
        let Applied {
            printed, estimated, ..
        } = self.apply(&entry.call);
        self.note(&entry.call, &printed, estimated);
        journal::outcome(&printed) == entry.outcome && self.failures.planned.is_empty()
    }

    /// Writes a call into the trace.
    fn note(&mut self, call: &Call, printed: &Printed, estimated: bool) {
        if let Some(recorder) = &mut self.recorder {
            recorder.add(call, printed, &self.failures.happened, estimated);
        }
    }

    /// Lets the clock go on.
    fn wait(&mut self, seconds: u64) {
        // It always succeeds.
        let _ = self.model.apply(&Op::Wait(seconds));
    }

    /// What goes on in the background, scans and checkpoints that are discarded, is done when the next call comes;
    /// whether anything went on.
    fn end_background(&mut self) -> bool {
        let busy = |pool: &Pool| pool.discarding || pool.scan.is_some_and(|it| it.ended.is_none());
        let pools = self.model.state().pools.iter();
        let busy = pools.filter(|(_, pool)| busy(pool) && !pool.is_read_only());
        let names: Vec<_> = busy.map(|(name, _)| Arc::from(name.as_str())).collect();
        for pool in &names {
            // It is never refused.
            let _ = self.model.apply(&Op::Pool(PoolOp::Wait {
                pool: Arc::clone(pool),
                functions: vec![Function::Scrub, Function::Resilver],
                checkpoint: true,
            }));
        }
        !names.is_empty()
    }

    fn apply(&mut self, call: &Call) -> Applied {
        for (path, found) in &call.files {
            let size = match found {
                Found::Nothing => None,
                Found::File(size) => Some(*size),
                Found::Other => {
                    let printed = Printed {
                        err: format!("ztwin: not modelled: {path}, which is no regular file\n")
                            .into(),
                        end: End::NotModelled,
                        ..Printed::default()
                    };
                    return Applied {
                        printed,
                        ..Applied::default()
                    };
                }
            };
            // It is never refused.
            let _ = self.model.apply(&Op::Pool(PoolOp::HostFile {
                path: path.as_str().into(),
                size,
            }));
        }
        let ended = self.end_background();
        let values = if self.estimated {
            Values::Estimated
        } else {
            Values::Own
        };
        let ran = programs::run_with(&mut self.model, &call.words, values, &mut self.failures);
        if ran.estimated {
            self.estimates.fetch_add(1, Ordering::Relaxed);
        }
        let mut printed = ran.printed;
        let missing = |what| printed.err == format!("ztwin: not modelled: {what}\n").as_bytes();
        let advice = if missing(SPACE_FIGURES) {
            "ztwin: 'ztwin sim' without --exact-space prints an estimate\n"
        } else if missing(STREAMS) && self.empty_streams {
            return Applied::default();
        } else if missing(STREAMS) {
            "ztwin: 'ztwin sim --empty-streams' writes empty ones\n"
        } else {
            ""
        };
        printed.err.extend_from_slice(advice.as_bytes());
        Applied {
            printed,
            changed: ran.changed || ended,
            estimated: ran.estimated,
        }
    }
}

/// The time of day as the machine's clock shows it; 0 before its epoch.
fn seconds_since_epoch() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_1970.map_or(0, |it| it.as_secs().saturating_sub(EPOCH))
}

/// The machine cannot be had any more.
pub(super) fn failed(error: &Error) -> Printed {
    Printed::failed(&format!("ztwin: {error}"), Exit::Unavailable.code())
}
