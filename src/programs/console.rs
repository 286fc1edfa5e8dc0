//! What a program runs on: the machine, and its two streams.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::names::{self, Expected};
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::machine::State;
use ztwin_model::outcome::Errno;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::zpl::op::FileOp;
use ztwin_model::{Machine, Op, Outcome, Release};

use super::args;
use super::failure::Failures;
use super::message;
use super::values::{Missing, Values};

/// The model does not know what the program does here; says what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotModelled(pub String);

/// The exit code behind a usage text.
pub(super) const WRONG_USE: u8 = 2;

/// How a subcommand ends: its exit code.
pub(super) type Ended = Result<u8, NotModelled>;

/// A program that runs.
pub(super) struct Console<'m> {
    /// The machine it runs on.
    pub machine: &'m mut Machine,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: Vec<u8>,
    /// The names of the reasons for which something was refused.
    pub reasons: Vec<&'static str>,
    /// Where values come from that the model cannot know.
    pub values: Values,
    /// A value that is not modelled and was asked for all the same: ends the step.
    pub missing: Missing,
    /// Whether a space figure is an estimate.
    pub estimated: Cell<bool>,
    /// What fails although it could succeed.
    pub failures: &'m mut Failures,
    /// Whether an operation that changes something succeeded.
    pub changed: bool,
    /// Where the program believes that datasets are mounted ([`Console::first_mount`]).
    pub mnttab: RefCell<BTreeMap<DatasetId, String>>,
    /// Whether the kernel panicked below it.
    pub panicked: bool,
    /// The root of the pool whose history tells of this program, if it ends well: that of the last change.
    pub logged: Option<DatasetId>,
    /// The order in which lists are met that ZFS has in none.
    pub order: Order,
}

/// The order in which children and clones are met, which is that of a hash with a random salt.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    /// Which one: 0 is that of their names.
    pub tried: usize,
    /// Whether there was a list of several.
    pub met_many: Cell<bool>,
}

impl<'m> Console<'m> {
    pub fn new(machine: &'m mut Machine, values: Values, failures: &'m mut Failures) -> Self {
        Console {
            machine,
            out: String::new(),
            err: Vec::new(),
            reasons: Vec::new(),
            values,
            missing: Missing::default(),
            estimated: Cell::new(false),
            failures,
            changed: false,
            panicked: false,
            logged: None,
            order: Order::default(),
            mnttab: RefCell::default(),
        }
    }

    pub fn state(&self) -> &State {
        self.machine.state()
    }

    pub fn release(&self) -> Release {
        self.state().release
    }

    /// A line of standard output.
    pub fn say(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    /// A line of standard error.
    pub fn complain(&mut self, line: impl AsRef<[u8]>) {
        self.err.extend_from_slice(line.as_ref());
        self.err.push(b'\n');
    }

    /// Says why something is refused: `heading: reason`.
    pub fn refuse(&mut self, heading: &str, reason: &Reason) {
        self.note(reason);
        let text = message::bytes(reason, self.release());
        self.complain([heading.as_bytes(), b": ", &text].concat());
    }

    /// Says why something is refused, on a line of its own.
    pub fn tell(&mut self, reason: &Reason) {
        self.note(reason);
        let text = message::bytes(reason, self.release());
        self.complain(text);
    }

    /// Notes a reason whose text was said already.
    pub fn note(&mut self, reason: &Reason) {
        self.reasons.push(reason.kind());
        if let Reason::Snapshots(each) = reason {
            self.reasons
                .extend(each.iter().map(|(_, reason)| reason.kind()));
        }
    }

    /// Whether what was refused last is a mount (`EZFS_MOUNTFAILED`).
    pub fn could_not_mount(&self) -> bool {
        let mounts = [
            Reason::MountAttributes,
            Reason::MountFailed(Errno::EINVAL),
            Reason::MountpointNotEmpty,
            Reason::NoMountpoint(Errno::EINVAL),
        ]
        .map(|reason| reason.kind());
        self.reasons.last().is_some_and(|it| mounts.contains(it))
    }

    /// A complaint, and the usage text, which is not copied: its first line and a marker for the rest.
    pub fn usage(&mut self, complaint: &str) -> u8 {
        if !complaint.is_empty() {
            self.complain(complaint);
        }
        self.complain("usage:");
        self.complain(self.usage_text());
        WRONG_USE
    }

    /// The flags of a program that has no other options, and its operands; none, and a complaint, when there
    /// is one that it does not know. It then ends with [`WRONG_USE`].
    pub fn flags(&mut self, words: &[String], known: &str) -> Option<args::Flags> {
        match args::flags(words, known) {
            Ok(flags) => Some(flags),
            Err(letter) => {
                self.usage(&format!("invalid option '{letter}'"));
                None
            }
        }
    }

    /// Higher by one for each transaction group that is closed.
    fn open_txgs(&self) -> u64 {
        let pools = self.state().pools.values();
        pools.map(|pool| pool.open_txg).sum()
    }

    /// Runs an operation on datasets.
    #[allow(clippy::needless_pass_by_value, reason = "callers make it on the spot")]
    pub fn dataset(&mut self, op: DslOp) -> Result<(), Reason> {
        let before = self.before_failure();
        let txgs = self.open_txgs();
        match self.machine.apply(&Op::Dataset(op.clone())) {
            Outcome::Refused(reason) => {
                self.panicked |= reason == Reason::KernelPanic;
                // What is refused while a transaction group is synced has closed it.
                self.changed |= self.open_txgs() != txgs;
                return Err(reason);
            }
            Outcome::NotModelled(what) => self.missing.set(Some(what)),
            _ => {}
        }
        let fails = |before: &Machine| self.failures.of_dataset(&op, before.state());
        if let Some(reason) = before.as_ref().and_then(fails) {
            self.undo(before);
            return Err(reason);
        }
        self.changed = true;
        self.logged = self.root_of(names::pool(op.name()));
        Ok(())
    }

    /// The root filesystem of an imported pool.
    pub fn root_of(&self, pool: &str) -> Option<DatasetId> {
        self.state().pools.get(pool).map(|pool| pool.root)
    }

    /// Runs an operation on pools.
    #[allow(clippy::needless_pass_by_value, reason = "callers make it on the spot")]
    pub fn pool(&mut self, op: PoolOp) -> Result<(), Reason> {
        let logged_in = op.logged_in(self.release());
        let there_before = logged_in.and_then(|pool| self.root_of(pool));
        let is_read_only = |state: &State| {
            let pool = logged_in.and_then(|pool| state.pools.get(pool));
            pool.is_some_and(|pool| pool.is_read_only())
        };
        let was_read_only = is_read_only(self.state());
        let before = self.before_failure();
        match self.machine.apply(&Op::Pool(op.clone())) {
            Outcome::Refused(reason) => return Err(reason),
            Outcome::NotModelled(what) => self.missing.set(Some(what)),
            _ => {}
        }
        if let Some(reason) = self.failures.of_pool(&op) {
            self.undo(before);
            return Err(reason);
        }
        self.changed = true;
        if let Some(pool) = logged_in.filter(|_| !was_read_only && !is_read_only(self.state())) {
            self.logged = there_before.or_else(|| self.root_of(pool));
        }
        Ok(())
    }

    /// Runs a system call.
    #[allow(clippy::needless_pass_by_value, reason = "callers make it on the spot")]
    pub fn call(&mut self, op: FileOp) -> Result<Outcome, Errno> {
        let before = self.before_failure();
        let outcome = match self.machine.apply(&Op::File(op.clone())) {
            Outcome::Failed(errno) => return Err(errno),
            outcome => {
                if let Outcome::NotModelled(what) = outcome {
                    self.missing.set(Some(what));
                }
                outcome
            }
        };
        let fails = |before: &Machine| self.failures.of_call(&op, before.state());
        if let Some(errno) = before.as_ref().and_then(fails) {
            self.undo(before);
            return Err(errno);
        }
        self.changed |= !matches!(op, FileOp::Stat { .. } | FileOp::Tree { .. });
        Ok(outcome)
    }

    /// `zpool_log_history`: writes the command into a pool's history.
    pub fn log(&mut self, root: DatasetId, words: &[String]) {
        let op = PoolOp::Log {
            root,
            command: words.join(" ").into(),
        };
        // Logging always succeeds, and no failure is drawn for it.
        let _ = self.machine.apply(&Op::Pool(op));
        self.changed = true;
    }

    /// The machine to go back to when the next operation fails although it could succeed.
    fn before_failure(&self) -> Option<Machine> {
        (!self.failures.is_empty()).then(|| self.machine.clone())
    }

    fn undo(&mut self, before: Option<Machine>) {
        if let Some(before) = before {
            *self.machine = before;
        }
    }

    /// `zfs_open`: looks a dataset up and says why there is none.
    pub fn open(&mut self, name: &str, expected: Expected) -> Option<DatasetId> {
        match self.look_up(name, expected) {
            Ok(id) => Some(id),
            Err(reason) => {
                self.refuse(&format!("cannot open '{name}'"), &reason);
                None
            }
        }
    }

    /// As [`Console::open`], a filesystem and no volume.
    pub fn open_filesystem(&mut self, name: &str) -> Option<DatasetId> {
        let id = self.open(name, Expected::Filesystem)?;
        if self.is_volume(id) {
            self.refuse(&format!("cannot open '{name}'"), &Reason::WrongType);
            return None;
        }
        Some(id)
    }

    /// Whether it is a volume, or the snapshot of one.
    pub fn is_volume(&self, id: DatasetId) -> bool {
        let dataset = self.state().dataset(id);
        dataset.is_some_and(|dataset| dataset.volume().is_some())
    }

    /// What it is, as `type` says it.
    pub fn kind(&self, id: DatasetId) -> &'static str {
        match self.state().dataset(id) {
            Some(dataset) if dataset.snapshot().is_some() => "snapshot",
            Some(dataset) if dataset.bookmark().is_some() => "bookmark",
            Some(dataset) if dataset.volume().is_some() => "volume",
            _ => "filesystem",
        }
    }

    fn look_up(&self, name: &str, expected: Expected) -> Result<DatasetId, Reason> {
        names::check(name, expected)?;
        // A bookmark is looked for among those of its filesystem (`zfs_open`).
        let missing = match name.split_once('#') {
            Some((filesystem, _)) if self.state().find(filesystem).is_some() => {
                Reason::NoSuchBookmark
            }
            _ => Reason::NoSuchDataset,
        };
        self.state().find(name).ok_or(missing)
    }

    /// The full name of a dataset.
    pub fn name(&self, id: DatasetId) -> String {
        self.state().name_of(id).unwrap_or_default()
    }
}
