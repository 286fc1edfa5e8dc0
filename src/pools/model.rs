//! The model as something with pools.

use ztwin_model::dmu::ROOT;
use ztwin_model::zpl::op::FileOp;
use ztwin_model::{Machine, Op, Outcome, Release};

use super::arm::{Arm, Called, Mounted, Runner};
use super::blobs::Blobs;
use super::print::{self, Digests};
use super::{Command, Pools, Printed, Session, Unavailable};
use crate::programs;

/// The model of one release line.
#[derive(Clone, Debug, Default)]
pub struct ModelPools {
    release: Release,
    blobs: Blobs,
    #[cfg(feature = "faults")]
    fault: Option<ztwin_model::fault::Fault>,
}

impl ModelPools {
    /// The model of `release`; `blobs` has what `data=hash:` names.
    #[must_use]
    pub fn new(release: Release, blobs: Blobs) -> Self {
        ModelPools {
            release,
            blobs,
            #[cfg(feature = "faults")]
            fault: None,
        }
    }

    /// The same with a planted fault, to see that it is noticed.
    #[cfg(feature = "faults")]
    #[must_use]
    pub fn with_fault(mut self, fault: ztwin_model::fault::Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// A session on a fresh machine.
    #[must_use]
    pub fn session(&self) -> impl Session + use<> {
        let machine = Machine::new(self.release);
        #[cfg(feature = "faults")]
        let machine = match self.fault {
            Some(fault) => machine.with_fault(fault),
            None => machine,
        };
        Runner::new(
            ModelArm {
                machine,
                digests: Digests::default(),
            },
            self.blobs.clone(),
        )
    }
}

impl Pools for ModelPools {
    fn version(&self) -> String {
        self.release.name().to_owned()
    }

    fn release(&self) -> Release {
        self.release
    }

    fn play(
        &mut self,
        commands: &[Command],
        seen: &mut dyn FnMut(usize, Printed),
    ) -> Result<(), Unavailable> {
        let mut session = self.session();
        for (index, command) in commands.iter().enumerate() {
            seen(index, session.step(command)?);
        }
        Ok(())
    }
}

struct ModelArm {
    machine: Machine,
    digests: Digests,
}

impl Arm for ModelArm {
    fn release(&self) -> Release {
        self.machine.state().release
    }

    fn tick(&mut self) {
        // A tick always succeeds.
        let _ = self.machine.apply(&Op::Tick);
    }

    fn program(&mut self, words: &[String], _input: &[u8]) -> Result<Printed, Unavailable> {
        Ok(programs::run(&mut self.machine, words))
    }

    fn call(&mut self, op: &FileOp) -> Result<Called, Unavailable> {
        Ok(match self.machine.apply(&Op::File(op.clone())) {
            Outcome::Done => Called::Done(None),
            Outcome::File(result) => Called::Done(Some(result)),
            Outcome::Failed(errno) => Called::Failed(errno),
            Outcome::NotModelled(what) => Called::NotModelled(what),
            // Only operations on pools and datasets are refused with a reason.
            Outcome::Refused(_) => Called::NotModelled("a refusal of a system call with a reason"),
        })
    }

    fn tree_lines(&mut self, dataset: &str) -> Result<Option<Vec<String>>, Unavailable> {
        let state = self.machine.state();
        let Some(dataset) = state.find(dataset).and_then(|id| state.dataset(id)) else {
            return Ok(None);
        };
        let tree = dataset.objset.tree(ROOT);
        let entries = tree.entries.iter();
        Ok(Some(
            entries
                .map(|it| print::entry(it, |pieces| self.digests.of(pieces)))
                .collect(),
        ))
    }

    fn pools(&self) -> Vec<String> {
        self.machine.state().pools.keys().cloned().collect()
    }

    fn mounted(&self) -> Result<Vec<Mounted>, Unavailable> {
        let state = self.machine.state();
        let mounts = state.mounts.iter().filter_map(|mount| {
            Some(Mounted {
                dataset: state.name_of(mount.dataset)?,
                path: mount.path.clone(),
                read_only: mount.read_only || state.is_readonly(mount.dataset),
            })
        });
        Ok(mounts.collect())
    }
}
