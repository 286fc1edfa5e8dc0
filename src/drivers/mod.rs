//! Docker and containerd as state machines that emit commands, over the model and a real pool alike.
//!
//! A driver's step is told as the commands that it ran: `+ COMMAND` each, and behind one that failed
//! what it said on standard error, `- TEXT`, and its exit code, `- [N]`. Then comes what the driver says
//! itself; its error, if any, is the step's standard error.
//!
//! What the commands print besides is not told: drivers look at little of it, and none of the figures.

mod containerd;
mod docker;
mod shell;

pub mod tar;

use crate::pools::{Command, Printed, Session, Unavailable};

use containerd::{Containerd, Kind};
use docker::Docker;
use shell::{Shell, finish};

/// The drivers of one trace, with what each remembers between steps.
#[derive(Debug, Default)]
pub struct Drivers {
    docker: Option<Docker>,
    containerd: Option<Containerd>,
}

/// The steps of both drivers.
const USAGE: [&str; 16] = [
    "docker init POOL/FS",
    "docker create ID [from PARENT] [size=SIZE]",
    "docker remove ID",
    "docker exists ID",
    "docker get ID",
    "docker put ID",
    "docker diff ID",
    "docker export ID",
    "docker clock N",
    "containerd init POOL/FS",
    "containerd prepare KEY [from NAME]",
    "containerd view KEY [from NAME]",
    "containerd mounts KEY",
    "containerd usage KEY",
    "containerd commit NAME KEY",
    "containerd remove KEY",
];

impl Drivers {
    /// Whether steps that start with this word are a driver's.
    #[must_use]
    pub fn knows(name: &str) -> bool {
        matches!(name, "docker" | "containerd")
    }

    /// Runs a driver's step on top of a session.
    pub fn run(
        &mut self,
        session: &mut dyn Session,
        command: &Command,
    ) -> Result<Printed, Unavailable> {
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        let mut shell = Shell::new(session);
        let done = match &words[..] {
            ["docker", "init", root] => Docker::init(&mut shell, root)
                .map(|started| started.map(|docker| self.docker = Some(docker))),
            ["containerd", "init", root] => Containerd::init(&mut shell, root)
                .map(|started| started.map(|containerd| self.containerd = Some(containerd))),
            ["docker", step @ ..] => match &mut self.docker {
                None => {
                    return Ok(misused(
                        "docker has not started: 'docker init POOL/FS' first",
                    ));
                }
                Some(docker) => match run_docker(docker, &mut shell, step) {
                    Some(done) => done,
                    None => return Ok(unknown(&words)),
                },
            },
            ["containerd", step @ ..] => match &mut self.containerd {
                None => {
                    return Ok(misused(
                        "containerd has not started: 'containerd init POOL/FS' first",
                    ));
                }
                Some(containerd) => match run_containerd(containerd, &mut shell, step) {
                    Some(done) => done,
                    None => return Ok(unknown(&words)),
                },
            },
            _ => return Ok(unknown(&words)),
        };
        finish(shell.told(), done)
    }
}

type Done = Result<Result<(), String>, shell::Halt>;

/// `None`: there is no such step.
fn run_docker(docker: &mut Docker, shell: &mut Shell<'_>, step: &[&str]) -> Option<Done> {
    Some(match step {
        ["create", id, rest @ ..] => {
            let (parent, rest) = from(rest);
            let size = match rest {
                [] => None,
                [size] => Some(size.strip_prefix("size=")?),
                _ => return None,
            };
            docker.create(shell, id, parent, size)
        }
        ["remove", id] => docker.remove(shell, id),
        ["exists", id] => {
            shell.say(if docker.exists(id) { "yes" } else { "no" });
            Ok(Ok(()))
        }
        ["get", id] => docker.get(shell, id),
        ["put", id] => docker.put(shell, id),
        ["diff", id] => docker.diff(shell, id),
        ["export", id] => docker.export(shell, id),
        ["clock", number] => {
            docker.set_clock(number.parse().ok()?);
            Ok(Ok(()))
        }
        _ => return None,
    })
}

/// `None`: there is no such step.
fn run_containerd(
    containerd: &mut Containerd,
    shell: &mut Shell<'_>,
    step: &[&str],
) -> Option<Done> {
    Some(match step {
        [verb @ ("prepare" | "view"), key, rest @ ..] => {
            let (parent, []) = from(rest) else {
                return None;
            };
            let kind = if *verb == "view" {
                Kind::View
            } else {
                Kind::Active
            };
            containerd.create(shell, kind, key, parent)
        }
        ["mounts", key] => containerd.mounts(shell, key),
        ["usage", key] => containerd.usage(shell, key),
        ["commit", name, key] => containerd.commit(shell, name, key),
        ["remove", key] => containerd.remove(shell, key),
        _ => return None,
    })
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
