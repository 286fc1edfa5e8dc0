//! The model as something with pools.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use ztwin_model::dmu::ROOT;
use ztwin_model::dsl::dataset::{Dataset, DatasetId};
use ztwin_model::machine::State;
use ztwin_model::zpl::op::{At, FileOp, FileResult};
use ztwin_model::zpl::permission::Credentials;
use ztwin_model::zpl::znode::Body;
use ztwin_model::{Machine, Op, Outcome, Release};

use super::arm::{Arm, Called, Mounted, Runner};
use super::blobs::Blobs;
use super::pointers::{Holder, Pointer};
use super::print::{self, Digests};
use super::{Command, End, Pools, Printed, Session, Unavailable};
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
        self.runner()
    }

    /// The names of the reasons for which the model refuses something in these steps
    /// ([`ztwin_model::dsl::reason::Reason::KINDS`]).
    pub fn reasons(&self, commands: &[Command]) -> Result<BTreeSet<&'static str>, Unavailable> {
        let mut runner = self.runner();
        for command in commands {
            runner.step(command)?;
        }
        Ok(runner.arm.reasons)
    }

    /// Runs steps of which each is chosen from what the ones before it made, until there is none. Returns
    /// those that are modelled; another one is as if it had not been chosen.
    pub fn grow(
        &self,
        next: &mut dyn FnMut(&State) -> Option<Command>,
    ) -> Result<Vec<Command>, Unavailable> {
        let mut runner = self.runner();
        let mut grown = Vec::new();
        while let Some(command) = next(runner.arm.machine.state()) {
            let before = runner.arm.machine.clone();
            if runner.step(&command)?.end == End::NotModelled {
                runner.arm.machine = before;
            } else {
                grown.push(command);
            }
        }
        Ok(grown)
    }

    /// Runs steps, and shows the machine behind each.
    pub fn watch(
        &self,
        commands: &[Command],
        seen: &mut dyn FnMut(usize, &Printed, &State),
    ) -> Result<(), Unavailable> {
        let mut runner = self.runner();
        for (index, command) in commands.iter().enumerate() {
            let printed = runner.step(command)?;
            seen(index, &printed, runner.arm.machine.state());
        }
        Ok(())
    }

    fn runner(&self) -> Runner<ModelArm> {
        let machine = fresh(self.release);
        #[cfg(feature = "faults")]
        let machine = match self.fault {
            Some(fault) => machine.with_fault(fault),
            None => machine,
        };
        Runner::new(
            ModelArm {
                machine,
                digests: Digests::default(),
                reasons: BTreeSet::new(),
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

/// A machine that knows what this program does.
pub(crate) fn fresh(release: Release) -> Machine {
    let machine = Machine::new(release);
    #[cfg(feature = "zstd")]
    let machine = machine.with_zstd(crate::zstd::LIBRARY);
    machine
}

struct ModelArm {
    machine: Machine,
    digests: Digests,
    reasons: BTreeSet<&'static str>,
}

impl Arm for ModelArm {
    fn release(&self) -> Release {
        self.machine.state().release
    }

    fn tick(&mut self) {
        // A tick always succeeds.
        let _ = self.machine.apply(&Op::Wait(1));
    }

    fn become_user(&mut self, user: &Credentials) {
        // That always succeeds.
        let _ = self.machine.apply(&Op::Become(user.clone()));
    }

    fn program(&mut self, words: &[String], _input: &[u8]) -> Result<Printed, Unavailable> {
        let ran = programs::run(&mut self.machine, words);
        self.reasons.extend(ran.reasons);
        Ok(ran.printed)
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
        // What is mounted is read as any other reader does.
        let at = At {
            dataset: dataset.into(),
            path: "/".into(),
        };
        let read = self.machine.apply(&Op::File(FileOp::Tree { at }));
        let state = self.machine.state();
        let Some(dataset) = state.find(dataset).and_then(|id| state.dataset(id)) else {
            return Ok(None);
        };
        let tree = if let Outcome::File(FileResult::Tree(tree)) = read {
            tree
        } else {
            let mut tree = dataset.objset.tree(ROOT);
            if let Some(root) = tree.entries.first_mut() {
                root.links += state.control_links(dataset.id);
            }
            tree
        };
        let entries = tree.entries.iter();
        Ok(Some(
            entries
                .map(|it| print::entry(it, |pieces| self.digests.of(pieces)))
                .collect(),
        ))
    }

    fn pointers(&mut self, pool: &str) -> Result<Result<Vec<Holder>, &'static str>, Unavailable> {
        let state = self.machine.state();
        let Some(pool) = state.pools.get(pool) else {
            return Ok(Ok(Vec::new()));
        };
        if pool.sharing.cloned || pool.sharing.deduplicated {
            return Ok(Err(
                "which pointers lead to a block that was cloned or deduplicated",
            ));
        }
        let filesystems = state.subtree(pool.root);
        let all = filesystems.iter().flat_map(|&id| {
            let snapshots = state.filesystem(id).map(|it| it.snapshots.iter());
            snapshots.into_iter().flatten().chain([id])
        });
        let mut all: Vec<_> = all
            .filter_map(|id| {
                let dataset = state.dataset(id)?;
                let made = dataset.is_snapshot().then_some(dataset.creation_txg);
                Some((made.unwrap_or(u64::MAX), state.name_of(id)?, dataset))
            })
            .filter(|(_, _, dataset)| dataset.volume().is_none())
            .collect();
        all.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let holders = all.iter().map(|(_, name, dataset)| {
            let line = all
                .iter()
                .filter(|(.., it)| it.id == dataset.id || state.is_before(it.id, dataset.id));
            let line: Vec<_> = line.map(|&(made, _, it)| (made, it.id)).collect();
            // A block comes from the oldest that was made when it was there already.
            let from = |birth| line.iter().find(|(made, _)| birth <= *made);
            Holder {
                name: name.clone(),
                origin: if dataset.is_snapshot() {
                    None
                } else {
                    state.origin_of(dataset.id).and_then(|it| state.name_of(it))
                },
                pointers: pointers(dataset, |birth| from(birth).map(|&(_, id)| id)),
            }
        });
        Ok(Ok(holders.collect()))
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
                read_only: mount.options.read_only || state.is_readonly(mount.dataset),
            })
        });
        Ok(mounts.collect())
    }
}

/// The pointers of all files of a dataset; `from` tells where a block of some age comes from.
fn pointers(dataset: &Dataset, from: impl Fn(u64) -> Option<DatasetId>) -> Vec<Pointer> {
    let mut pointers = Vec::new();
    for (object, znode) in dataset.objset.iter() {
        let Body::File(blocks) = &znode.body else {
            continue;
        };
        let size = blocks.block_size();
        let pointer = |level, number, length, birth| Pointer {
            object,
            level,
            start: number * size,
            end: number * size + length,
            birth,
            // A file keeps its number, and a block its place in the file.
            place: from(birth).map(|id| format!("{id:?} {object} {level} {number}")),
        };
        let above = blocks.indirect();
        let above = above.map(|(level, first, birth)| pointer(level, first, 0, birth));
        let data = blocks.iter().map(|(number, block)| {
            let mut pointer = pointer(0, number, size, block.birth);
            if block.is_embedded() {
                pointer.place = None;
            }
            pointer
        });
        let before = pointers.len();
        pointers.extend(above.chain(data));
        // What is above comes first.
        pointers[before..].sort_by_key(|it| (it.start, Reverse(it.level)));
    }
    pointers
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: [&str; 8] = [
        "vdev /v/a 1G",
        "zpool create tank /v/a",
        "zfs create tank/base",
        "write tank/base:/f 0 300K data=random:1",
        "zfs snapshot tank/base@s",
        "zfs clone tank/base@s tank/app",
        "write tank/app:/f 128K 4K data=random:2",
        "unlink tank/app:/f",
    ];

    /// Runs the lines, which must succeed, and returns what the last one printed.
    fn last(session: &mut impl Session, lines: &[&str]) -> String {
        let mut out = String::new();
        for line in lines {
            let printed = session.run(&line.split(' ').collect::<Vec<_>>()).unwrap();
            assert!(printed.succeeded(), "{line}: {printed:?}");
            out = String::from_utf8(printed.out).unwrap();
        }
        out
    }

    #[test]
    fn a_clone_shares_what_it_did_not_write_and_hides_nothing_below() {
        let mut session = ModelPools::default().session();
        let below = last(&mut session, &[&BASE[..5], &["tree tank/base@s"]].concat());
        let shared = last(
            &mut session,
            &[&BASE[5..7], &["shared tank/app:/f tank/base@s"]].concat(),
        );
        assert_eq!(shared, "0-128K 256K-384K\n");
        assert_eq!(last(&mut session, &[BASE[7], "tree tank/base@s"]), below);
    }

    #[cfg(feature = "faults")]
    #[test]
    fn planted_faults_of_files_show() {
        use ztwin_model::fault::Fault;
        let session = |fault| ModelPools::default().with_fault(fault).session();
        let clean = {
            let mut session = ModelPools::default().session();
            last(&mut session, &[&BASE[..], &["tree tank/base@s"]].concat())
        };
        for fault in [Fault::WriteReachesOrigin, Fault::UnlinkShowsBelow] {
            let mut session = session(fault);
            let told = last(&mut session, &[&BASE[..], &["tree tank/base@s"]].concat());
            assert_ne!(told, clean, "{fault:?}");
        }
        let mut session = session(Fault::CloneCopies);
        let shared = last(
            &mut session,
            &[&BASE[..7], &["shared tank/app:/f tank/base@s"]].concat(),
        );
        assert_eq!(shared, "\n");
    }

    #[test]
    fn words_that_are_no_step_are_wrong_use() {
        let mut session = ModelPools::default().session();
        for (line, told) in [
            (
                "mkdir",
                "mkdir: a word is missing; usage: mkdir DATASET:/PATH",
            ),
            (
                "mkdir a:/b c",
                "mkdir: too many words; usage: mkdir DATASET:/PATH",
            ),
            ("mkdir a:b", "mkdir: word 2, 'a:b': expected DATASET:/PATH"),
            (
                "chmod 9 a:/b",
                "chmod: word 2, '9': expected an octal number up to 7777",
            ),
            (
                "read a:/b 1X 2",
                "read: word 3, '1X': expected a number of bytes, or one with K, M, G or T behind it",
            ),
        ] {
            let printed = session.run(&line.split(' ').collect::<Vec<_>>()).unwrap();
            assert_eq!(
                printed,
                Printed::failed(&format!("ztwin: {told}"), 2),
                "{line}"
            );
        }
    }
}
