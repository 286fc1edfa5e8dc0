//! The simulated machine: one call after the other.

use std::path::Path;

use ztwin_model::spa::op::PoolOp;
use ztwin_model::{Op, Release};

use super::journal::{self, Entry, Journal, Pending};
use super::{Call, Error, Found};
use crate::cli::Exit;
use crate::pools::{End, Printed};
use crate::programs::{self, Failure, Failures, SPACE_FIGURES, Values};

/// How a machine is simulated.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The release that it runs; that of the state file, or the default.
    pub release: Option<Release>,
    /// Print estimates of space figures.
    pub estimate_space: bool,
    /// What fails although it could succeed.
    pub failures: Failures,
}

/// A machine that `zfs` and `zpool` are called on.
#[derive(Debug)]
pub struct Machine {
    model: ztwin_model::Machine,
    estimated: bool,
    failures: Failures,
    journal: Option<Journal>,
}

/// What a call did.
#[derive(Debug)]
pub(super) struct Done {
    /// What it prints, and how it ends.
    pub printed: Printed,
    /// What must be on disk before anybody is told.
    pub pending: Option<Pending>,
}

impl Machine {
    /// A machine without pools.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Machine {
            model: ztwin_model::Machine::new(options.release.unwrap_or_default()),
            estimated: options.estimate_space,
            failures: options.failures,
            journal: None,
        }
    }

    /// The machine that a state file holds; a new one if the file is new.
    pub fn open(path: &Path, mut options: Options) -> Result<Self, Error> {
        let found = Journal::open(path, options.release)?;
        options.release = Some(found.release);
        let mut machine = Machine::new(Options {
            release: Some(found.release),
            ..Options::default()
        });
        for (entry, offset) in found.entries.iter().zip(found.offsets) {
            if !machine.repeat(entry) {
                let (path, words) = (path.display(), entry.call.words.join(" "));
                let (then, now) = (found.model, env!("CARGO_PKG_VERSION"));
                return Err(Error(format!(
                    "the state file {path} cannot be repeated: '{words}' (at byte {offset}) ends otherwise \
                     than it did. It was begun by version {then} of the model, this is {now}. Use the ztwin \
                     that wrote it, or name another file for --state"
                )));
            }
        }
        machine.estimated = options.estimate_space;
        machine.failures = options.failures;
        machine.journal = Some(found.journal);
        Ok(machine)
    }

    /// Whether it has this pool.
    #[must_use]
    pub fn has_pool(&self, name: &str) -> bool {
        self.model.state().pools.contains_key(name)
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
        let Done { printed, pending } = self.start(call);
        match pending.map_or(Ok(()), |pending| pending.sync()) {
            Ok(()) => printed,
            Err(error) => failed(&error),
        }
    }

    /// As [`Machine::run`], but what it did may not be on disk yet.
    pub(super) fn start(&mut self, call: &Call) -> Done {
        if let Some(Err(error)) = self.journal.as_ref().map(Journal::check) {
            return Done {
                printed: failed(&error),
                pending: None,
            };
        }
        let before = (self.model.clone(), self.failures.clone());
        let now = self.model.state().now;
        self.failures.happened.clear();
        let (mut printed, changed) = self.apply(call);
        if let Some(journal) = self.journal.as_mut().filter(|_| changed) {
            let happened = self.failures.happened.iter();
            let entry = Entry {
                now,
                call: call.clone(),
                estimated: self.estimated,
                failed: happened.map(ToString::to_string).collect(),
                outcome: journal::outcome(&printed),
            };
            if let Err(error) = journal.append(&entry) {
                (self.model, self.failures) = before;
                printed = failed(&error);
            }
        }
        // Who reads waits for what he reads.
        Done {
            printed,
            pending: self.journal.as_ref().map(Journal::pending),
        }
    }

    /// Does again what stands in the journal; whether it ends as it did.
    fn repeat(&mut self, entry: &Entry) -> bool {
        while self.model.state().now < entry.now {
            // Calls that changed nothing; a tick always succeeds.
            let _ = self.model.apply(&Op::Tick);
        }
        self.estimated = entry.estimated;
        let failed = entry.failed.iter().map(|text| text.parse::<Failure>());
        let Ok(planned) = failed.collect() else {
            return false;
        };
        self.failures = Failures {
            planned,
            happened: Vec::new(),
        };
        let (printed, _) = self.apply(&entry.call);
        journal::outcome(&printed) == entry.outcome && self.failures.planned.is_empty()
    }

    /// What a call prints, and whether it changed anything but the clock.
    fn apply(&mut self, call: &Call) -> (Printed, bool) {
        // A tick always succeeds.
        let _ = self.model.apply(&Op::Tick);
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
                    return (printed, false);
                }
            };
            // It is never refused.
            let _ = self.model.apply(&Op::Pool(PoolOp::HostFile {
                path: path.as_str().into(),
                size,
            }));
        }
        let values = if self.estimated {
            Values::Estimated
        } else {
            Values::Own
        };
        let ran = programs::run_with(&mut self.model, &call.words, values, &mut self.failures);
        let mut printed = ran.printed;
        if printed.err == format!("ztwin: not modelled: {SPACE_FIGURES}\n").as_bytes() {
            printed
                .err
                .extend_from_slice(b"ztwin: 'ztwin sim --estimate-space' prints estimates\n");
        }
        (printed, ran.changed)
    }
}

/// The machine cannot be had any more.
pub(super) fn failed(error: &Error) -> Printed {
    Printed::failed(&format!("ztwin: {error}"), Exit::Unavailable.code())
}
