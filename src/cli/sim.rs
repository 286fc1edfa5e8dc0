//! `ztwin sim`: a command with simulated `zfs` and `zpool` on its PATH.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use clap::{Args, ValueEnum};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use ztwin_model::Release;
use ztwin_model::dsl::value;

use super::{Exit, input};
use crate::programs::{Failure, Failures};
use crate::sim::{Clock, Error, Home, Machine, Options, Server, namespace};

/// Run a command with simulated zfs and zpool on its PATH
///
/// All processes that COMMAND starts share one simulated machine, which ends with COMMAND. Nothing real is
/// touched: files that `zpool create` names lend their size and are never written. docs/sim.md teaches it
/// by examples. The exit code is COMMAND's, 128 + N when signal N ended it.
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Sim {
    /// A pool to make beforehand, such as tank=10G, unless the state file has it; can be repeated
    #[arg(long = "pool", value_name = "NAME=SIZE", value_parser = pool)]
    pub pools: Vec<(String, u64)>,
    /// The release of OpenZFS to simulate: 2.1, 2.3 or 2.4 [default: that of the state file, else 2.3]
    #[arg(long, value_name = "LINE", value_parser = input::release)]
    pub openzfs: Option<Release>,
    /// What the machine's clock shows
    #[arg(long, value_name = "CLOCK", default_value = "real")]
    pub clock: Clock,
    /// Refuse what depends on a space figure that the model cannot predict, instead of printing an estimate
    #[arg(long)]
    pub exact_space: bool,
    /// Let zfs send write an empty stream, as the model has none
    #[arg(long)]
    pub empty_streams: bool,
    /// Keep the machine in this file between runs; what a call was told survives a crash
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Write what the programs did into this new file, as a trace
    #[arg(long, value_name = "TRACE")]
    pub record: Option<PathBuf>,
    /// Write every call in the order in which they took effect into this new file, as lines of JSON
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Let an operation fail that could succeed, such as 'destroy tank/a: EBUSY x3'; can be repeated
    #[arg(long = "fail", value_name = "COMMAND DATASET: ERRNO [xN]")]
    pub failures: Vec<Failure>,
    /// Put the programs over /sbin too, in a mount namespace for COMMAND
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub sbin: When,
    /// What to run, and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub command: Vec<std::ffi::OsString>,
}

/// When something is done that is not possible everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// Where it is possible; a warning where not.
    Auto,
    /// An error where it is not possible.
    Always,
    /// Only on PATH.
    Never,
}

/// Whether the namespace can be had, tried in a process of its own (see [`namespace::cover`]).
#[derive(Clone, Debug, Args)]
pub struct Try {
    /// The directory that goes over /sbin.
    programs: PathBuf,
}

impl Try {
    pub(super) fn run(&self) -> u8 {
        match namespace::cover(&self.programs) {
            Ok(()) => Exit::Agree.code(),
            Err(error) => {
                eprintln!("{error}");
                Exit::Unavailable.code()
            }
        }
    }
}

fn pool(text: &str) -> Result<(String, u64), String> {
    let (name, size) = text
        .split_once('=')
        .ok_or("expected NAME=SIZE, such as tank=10G")?;
    match value::size(size) {
        Ok(size) => Ok((name.to_owned(), size)),
        Err(_) => Err(format!("'{size}' is no size; expected one such as 10G")),
    }
}

impl Sim {
    /// The exit code is the command's.
    pub(super) fn run(&self) -> u8 {
        self.play().unwrap_or_else(|error| {
            eprintln!("ztwin sim: {error}");
            Exit::Usage.code()
        })
    }

    fn play(&self) -> Result<u8, Error> {
        let names = self.pools.iter().map(|(name, _)| name);
        if let Some(name) = names
            .clone()
            .find(|name| names.clone().filter(|it| it == name).count() > 1)
        {
            return Err(Error(format!("--pool {name} is given twice")));
        }
        let options = Options {
            release: self.openzfs,
            clock: self.clock,
            exact_space: self.exact_space,
            empty_streams: self.empty_streams,
            failures: Failures {
                planned: self.failures.clone(),
                ..Failures::default()
            },
            state: self.state.clone(),
            record: self.record.clone(),
            log: self.log.clone(),
        };
        let mut machine = Machine::new(options)?;
        for (name, size) in &self.pools {
            if !machine.has_pool(name) {
                machine.make_pool(name, *size)?;
            }
        }
        let estimates = machine.estimates();
        let home = Home::new()?;
        self.cover(&home)?;
        let child = Arc::new(Mutex::new(None));
        watch(Arc::clone(&child))?;
        let _server = Server::start(machine, &home)?;
        let [program, args @ ..] = &self.command[..] else {
            return Err(Error("name a command behind '--'".to_owned()));
        };
        let mut command = Command::new(program);
        command
            .args(args)
            .env("PATH", home.search_path()?)
            .env(crate::sim::VARIABLE, home.path());
        let started = command
            .spawn()
            .map_err(|error| Error(format!("cannot run {}: {error}", program.to_string_lossy())))?;
        let status = wait(started, &child)?;
        match estimates.load(Ordering::Relaxed) {
            0 => {}
            calls => eprintln!(
                "ztwin sim: {calls} {} of space that are estimates, such as what the whole pool takes; \
                 --exact-space refuses them",
                if calls == 1 {
                    "call printed figures"
                } else {
                    "calls printed figures"
                }
            ),
        }
        let signal = status.signal().map(|number| 128 + number);
        let code = status.code().or(signal).unwrap_or(1);
        Ok(u8::try_from(code).unwrap_or(1))
    }

    /// Puts the programs over /sbin. No thread may run yet.
    fn cover(&self, home: &Home) -> Result<(), Error> {
        if self.sbin == When::Never {
            return Ok(());
        }
        let Err(Error(why)) = try_cover(&home.links()) else {
            return namespace::cover(&home.links());
        };
        if self.sbin == When::Always {
            return Err(Error(format!("--sbin always: {why}")));
        }
        match &namespace::real_programs()[..] {
            [] => eprintln!(
                "ztwin sim: warning: {why}, so programs that call /sbin/zfs by its path do not find it; those \
                 that look on PATH do. '--sbin never' is silent about it"
            ),
            [real, ..] => eprintln!(
                "ztwin sim: warning: {why}, so programs that call {} by its path reach the real one, and real \
                 pools; those that look on PATH do not. '--sbin never' is silent about it",
                real.display()
            ),
        }
        Ok(())
    }
}

/// Whether [`namespace::cover`] will succeed: a process that it failed in is good for nothing.
fn try_cover(links: &Path) -> Result<(), Error> {
    let mut trial = Command::new("/proc/self/exe");
    let output = trial.arg("sim-namespace").arg(links).output();
    let output = output.map_err(|error| Error(format!("cannot run /proc/self/exe: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error(said.trim_end().to_owned()))
}

/// The child that runs, if it does.
type Running = Arc<Mutex<Option<Pid>>>;

/// Waits for the command; meanwhile signals reach it.
fn wait(mut child: Child, running: &Running) -> Result<ExitStatus, Error> {
    let set = |pid| *running.lock().unwrap_or_else(PoisonError::into_inner) = pid;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    set(pid);
    // It keeps its number until it is waited for: no signal reaches another process.
    while let Some(pid) = pid {
        match waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        ) {
            Err(Errno::INTR) => {}
            _ => break,
        }
    }
    set(None);
    child
        .wait()
        .map_err(|error| Error(format!("cannot wait for the command: {error}")))
}

/// Hands signals on to the command, so that it ends and everything is cleaned up behind it.
fn watch(running: Running) -> Result<(), Error> {
    let failed = |error| Error(format!("cannot watch for signals: {error}"));
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT]).map_err(failed)?;
    let watching = move || {
        for signal in &mut signals {
            // A terminal sends these to the command too.
            let terminal =
                matches!(signal, SIGINT | SIGQUIT) && rustix::termios::isatty(std::io::stdin());
            let child = running.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Some(pid), Some(signal), false) =
                (*child, Signal::from_named_raw(signal), terminal)
            {
                // It may have ended.
                let _ = kill_process(pid, signal);
            }
        }
    };
    let started = thread::Builder::new()
        .name("signals".to_owned())
        .spawn(watching);
    started.map(drop).map_err(failed)
}
