//! The simulated machine: one call after the other.

use ztwin_model::spa::op::PoolOp;
use ztwin_model::{Op, Release};

use super::{Call, Error, Found};
use crate::pools::{End, Printed};
use crate::programs::{self, Failures, SPACE_FIGURES, Values};

/// How a machine is simulated.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The release that it runs.
    pub release: Release,
    /// Print estimates of space figures.
    pub estimate_space: bool,
    /// What fails although it could succeed.
    pub failures: Failures,
}

/// A machine that `zfs` and `zpool` are called on.
#[derive(Clone, Debug)]
pub struct Machine {
    model: ztwin_model::Machine,
    values: Values,
    failures: Failures,
}

impl Machine {
    /// A machine without pools.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Machine {
            model: ztwin_model::Machine::new(options.release),
            values: if options.estimate_space {
                Values::Estimated
            } else {
                Values::Own
            },
            failures: options.failures,
        }
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
        // A tick always succeeds.
        let _ = self.model.apply(&Op::Tick);
        for (path, found) in &call.files {
            let size = match found {
                Found::Nothing => None,
                Found::File(size) => Some(*size),
                Found::Other => {
                    return Printed {
                        err: format!("ztwin: not modelled: {path}, which is no regular file\n")
                            .into(),
                        end: End::NotModelled,
                        ..Printed::default()
                    };
                }
            };
            // It is never refused.
            let _ = self.model.apply(&Op::Pool(PoolOp::HostFile {
                path: path.as_str().into(),
                size,
            }));
        }
        let ran = programs::run_with(
            &mut self.model,
            &call.words,
            self.values,
            &mut self.failures,
        );
        let mut printed = ran.printed;
        if printed.err == format!("ztwin: not modelled: {SPACE_FIGURES}\n").as_bytes() {
            printed
                .err
                .extend_from_slice(b"ztwin: 'ztwin sim --estimate-space' prints estimates\n");
        }
        printed
    }
}
