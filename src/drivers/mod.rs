//! Docker, containers/storage and containerd as state machines that emit commands, over the model and a
//! real pool alike.
//!
//! A driver's step is told as the commands that it ran: `+ COMMAND` each, and behind one that failed
//! what it said on standard error, `- TEXT`, and its exit code, `- [N]`. Then comes what the driver says
//! itself; its error, if any, is the step's standard error.
//!
//! What the commands print besides is not told: drivers look at little of it, and none of the figures.
//!
//! `version=` chooses the code of a release, `version=corrected` a driver that keeps the promises that
//! its releases break; `go-zfs=` another version of the library than the release came with, as
//! distributions do. `DRIVER kill N` kills it as the Nth command of its next step has run, `DRIVER
//! restart` starts it anew with what it has on disk.

mod containerd;
mod filter;
mod gozfs;
mod graph;
mod shell;

pub mod tar;

use crate::pools::{Command, Printed, Session, Unavailable};

use containerd::Containerd;
use gozfs::{GoZfs, Library};
use graph::{Graph, Rules};
use shell::{Halt, Shell, finish};

/// The drivers of one trace, with what each remembers between steps.
#[derive(Debug, Default)]
pub struct Drivers {
    docker: Daemon<Graph>,
    storage: Daemon<Graph>,
    containerd: Daemon<Containerd>,
    gozfs: Option<GoZfs>,
}

/// A driver as a process.
#[derive(Debug)]
struct Daemon<D> {
    driver: Option<D>,
    /// It was killed, and has not started again.
    dead: bool,
    /// After how many commands of the next step it is killed.
    kill: Option<u32>,
}

impl<D> Default for Daemon<D> {
    fn default() -> Self {
        Daemon {
            driver: None,
            dead: false,
            kill: None,
        }
    }
}

/// The steps of all drivers.
const USAGE: [&str; 43] = [
    "docker init POOL/FS [version=20.10|26.1|28|29|corrected] [go-zfs=2|3.0|3.1|4.0]",
    "docker create ID [from PARENT] [size=SIZE]",
    "docker remove ID",
    "docker exists ID",
    "docker get ID",
    "docker put ID",
    "docker status",
    "docker metadata ID",
    "docker diff ID [from PARENT]",
    "docker diffsize ID [from PARENT]",
    "docker export ID",
    "docker apply ID from OTHER|data=hash:HEX",
    "docker clock N",
    "docker kill N",
    "docker restart",
    "storage init POOL/FS [version=1.43|1.57|corrected] [go-zfs=...]",
    "storage create ID [from PARENT] [size=SIZE]",
    "storage template ID TEMPLATE",
    "storage remove ID",
    "storage exists ID",
    "storage get ID [ro]",
    "storage put ID",
    "storage status, metadata, diff, diffsize, export, apply, clock, kill, restart: as of docker",
    "storage usage ID",
    "storage layers",
    "containerd init POOL/FS [version=1.6|1.7|2.3|corrected] [go-zfs=...]",
    "containerd prepare KEY [from NAME] [LABEL=VALUE]...",
    "containerd view KEY [from NAME] [LABEL=VALUE]...",
    "containerd mounts KEY",
    "containerd usage KEY",
    "containerd commit NAME KEY [LABEL=VALUE]...",
    "containerd remove KEY",
    "containerd stat KEY",
    "containerd walk [FILTER]...",
    "containerd update KEY [labels.LABEL=VALUE]...|[LABEL=VALUE]...",
    "containerd cleanup",
    "containerd kill N",
    "containerd restart",
    "go-zfs init [version=2|3.0|3.1|4.0|corrected]",
    "go-zfs pool NAME",
    "go-zfs dataset NAME",
    "go-zfs children NAME [DEPTH]",
    "go-zfs get KEY NAME, rename OLD NEW [-p] [-r]",
];

impl Drivers {
    /// Whether steps that start with this word are a driver's.
    #[must_use]
    pub fn knows(name: &str) -> bool {
        matches!(name, "docker" | "storage" | "containerd" | "go-zfs")
    }

    /// Runs a driver's step on top of a session.
    pub fn run(
        &mut self,
        session: &mut dyn Session,
        command: &Command,
    ) -> Result<Printed, Unavailable> {
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        let ran = match &words[..] {
            ["docker", step @ ..] => self.docker.run(session, step),
            ["storage", step @ ..] => self.storage.run_storage(session, step),
            ["containerd", step @ ..] => self.containerd.run(session, step),
            ["go-zfs", step @ ..] => run_gozfs(&mut self.gozfs, session, step),
            _ => None,
        };
        ran.unwrap_or_else(|| Ok(unknown(&words)))
    }
}

/// How an operation of a driver ended: an error is its text.
type Done = Result<Result<(), String>, Halt>;

/// A driver that starts.
type Started<D> = Result<Result<D, String>, Halt>;

/// A driver that has started.
trait Driver: Sized {
    /// The library that it has.
    fn library(&self) -> Library;

    /// It starts anew, with what it has on disk.
    fn restart(&self, shell: &mut Shell<'_>) -> Started<Self>;

    /// One step; `None`: there is no such one.
    fn run(&mut self, shell: &mut Shell<'_>, step: &[&str]) -> Option<Done>;
}

/// `None`: there is no such step.
type Ran = Option<Result<Printed, Unavailable>>;

impl Daemon<Graph> {
    fn run(&mut self, session: &mut dyn Session, step: &[&str]) -> Ran {
        self.graph(session, "docker", Rules::docker, step)
    }

    fn run_storage(&mut self, session: &mut dyn Session, step: &[&str]) -> Ran {
        self.graph(session, "storage", Rules::storage, step)
    }

    fn graph(
        &mut self,
        session: &mut dyn Session,
        name: &str,
        rules: fn(Option<&str>) -> Option<Rules>,
        step: &[&str],
    ) -> Ran {
        if let ["init", root, rest @ ..] = step {
            let choice = Choice::read(rest)?;
            let mut rules = rules(choice.version)?;
            rules.library = choice.library.unwrap_or(rules.library);
            return Some(self.start(session, rules.library, |shell| {
                Graph::init(shell, rules, root)
            }));
        }
        self.step(session, name, step)
    }
}

impl Daemon<Containerd> {
    fn run(&mut self, session: &mut dyn Session, step: &[&str]) -> Ran {
        if let ["init", root, rest @ ..] = step {
            let choice = Choice::read(rest)?;
            let (library, corrected) = Containerd::version(choice.version)?;
            let library = choice.library.unwrap_or(library);
            return Some(self.start(session, library, |shell| {
                Containerd::init(shell, root, corrected)
            }));
        }
        self.step(session, "containerd", step)
    }
}

impl<D: Driver> Daemon<D> {
    fn start(
        &mut self,
        session: &mut dyn Session,
        library: Library,
        init: impl FnOnce(&mut Shell<'_>) -> Started<D>,
    ) -> Result<Printed, Unavailable> {
        let mut shell = Shell::new(session, library, self.kill.take());
        let done = init(&mut shell).map(|started| {
            started.map(|driver| {
                self.driver = Some(driver);
                self.dead = false;
            })
        });
        finish(shell.told(), done)
    }

    fn step(&mut self, session: &mut dyn Session, name: &str, step: &[&str]) -> Ran {
        let Some(driver) = &mut self.driver else {
            return Some(Ok(misused(&format!(
                "{name} has not started: '{name} init POOL/FS' first"
            ))));
        };
        match step {
            ["kill", count] => {
                self.kill = Some(count.parse().ok().filter(|count| *count > 0)?);
                return Some(Ok(Printed::default()));
            }
            ["restart"] => {
                let (library, old) = (driver.library(), self.driver.take()?);
                let printed = self.start(session, library, |shell| old.restart(shell));
                self.dead = self.driver.is_none();
                self.driver.get_or_insert(old);
                return Some(printed);
            }
            _ if self.dead => {
                return Some(Ok(misused(&format!(
                    "{name} is not running: '{name} restart' first"
                ))));
            }
            _ => {}
        }
        let mut shell = Shell::new(session, driver.library(), self.kill.take());
        let done = driver.run(&mut shell, step)?;
        self.dead = matches!(done, Err(Halt::Killed));
        Some(finish(shell.told(), done))
    }
}

fn run_gozfs(gozfs: &mut Option<GoZfs>, session: &mut dyn Session, step: &[&str]) -> Ran {
    if let ["init", rest @ ..] = step {
        let choice = Choice::read(rest).filter(|choice| choice.library.is_none())?;
        *gozfs = Some(GoZfs::init(choice.version)?);
        return Some(Ok(Printed::default()));
    }
    let Some(gozfs) = gozfs else {
        return Some(Ok(misused("go-zfs has not started: 'go-zfs init' first")));
    };
    let mut shell = Shell::new(session, gozfs.library, None);
    let done = gozfs.run(&mut shell, step)?;
    Some(finish(shell.told(), done))
}

/// `[version=VERSION] [go-zfs=VERSION]`
#[derive(Clone, Copy, Debug, Default)]
struct Choice<'a> {
    /// Which driver.
    version: Option<&'a str>,
    /// Which library, if not the one that the driver came with.
    library: Option<Library>,
}

impl<'a> Choice<'a> {
    /// `None`: the words are something else.
    fn read(words: &[&'a str]) -> Option<Choice<'a>> {
        let mut choice = Choice::default();
        for word in words {
            match word.split_once('=')? {
                ("version", version) => choice.version = Some(version),
                ("go-zfs", version) => choice.library = Some(Library::version(version)?),
                _ => return None,
            }
        }
        Some(choice)
    }
}

/// `from PARENT`, and what stands behind it.
fn from<'a, 'b>(words: &'b [&'a str]) -> (Option<&'a str>, &'b [&'a str]) {
    match words {
        ["from", parent, rest @ ..] => (Some(parent), rest),
        _ => (None, words),
    }
}

fn misused(line: &str) -> Printed {
    Printed::failed(&format!("ztwin: {line}"), 2)
}

fn unknown(words: &[&str]) -> Printed {
    let driver = words.first().copied().unwrap_or_default();
    let usage: Vec<&str> = USAGE
        .into_iter()
        .filter(|line| line.split(' ').next() == Some(driver))
        .collect();
    misused(&format!(
        "'{}' is no step of {driver}; there are: {}",
        words.join(" "),
        usage.join(", ")
    ))
}
