//! Failures that a real machine has and a model never would: injected, with the words that libzfs has for
//! them (`zfs_standard_error_fmt` and its callers). Unlike refusals of the model, most are in no recorded trace.

use std::fmt;
use std::str::FromStr;

use ztwin_model::dsl::names;
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::machine::State;
use ztwin_model::outcome::Errno;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::zpl::op::FileOp;

/// The errors that can be injected into a command's operation in the kernel: those whose text is known.
const KNOWN: &[(&str, &[Errno])] = &[
    (
        "create",
        &[Errno::EBUSY, Errno::EDQUOT, Errno::EEXIST, Errno::ENOSPC],
    ),
    (
        "clone",
        &[Errno::EBUSY, Errno::EDQUOT, Errno::EEXIST, Errno::ENOSPC],
    ),
    (
        "snapshot",
        &[Errno::EBUSY, Errno::EDQUOT, Errno::EEXIST, Errno::ENOSPC],
    ),
    ("destroy", &[Errno::EBUSY, Errno::EEXIST]),
    ("rollback", &[Errno::EBUSY, Errno::EDQUOT, Errno::ENOSPC]),
    ("promote", &[Errno::EBUSY, Errno::EDQUOT, Errno::ENOSPC]),
    ("rename", &[Errno::EBUSY, Errno::EDQUOT, Errno::ENOSPC]),
    ("hold", &[Errno::EBUSY, Errno::EEXIST, Errno::ENOSPC]),
    ("release", &[Errno::EBUSY]),
    (
        "mount",
        &[Errno::EBUSY, Errno::EIO, Errno::ENODEV, Errno::ENXIO],
    ),
    ("unmount", &[Errno::EBUSY, Errno::ENOENT]),
    ("zpool destroy", &[Errno::EBUSY]),
];

/// An operation of the kernel that is to fail: `destroy tank/a: EBUSY x3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    command: &'static str,
    dataset: String,
    errno: Errno,
    left: u32,
}

/// Failures that are still to come.
#[derive(Clone, Debug, Default)]
pub struct Failures {
    /// In the order in which they were given.
    pub planned: Vec<Failure>,
    /// Those that have happened, each by itself, in order.
    pub happened: Vec<Failure>,
}

/// Why a text names no failure that can be injected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no failure: {what}")]
pub struct NoFailure {
    text: String,
    what: String,
}

impl FromStr for Failure {
    type Err = NoFailure;

    fn from_str(text: &str) -> Result<Self, NoFailure> {
        let wrong = |what: String| NoFailure {
            text: text.to_owned(),
            what,
        };
        let shape =
            || wrong("expected 'COMMAND DATASET: ERRNO' or 'COMMAND DATASET: ERRNO xN'".to_owned());
        let (operation, error) = text.rsplit_once(": ").ok_or_else(shape)?;
        let (errno, left) = match error.trim().split_once(' ') {
            None => (error.trim(), 1),
            Some((errno, times)) => {
                let times = times
                    .trim()
                    .strip_prefix('x')
                    .and_then(|it| it.parse().ok());
                (errno, times.filter(|&it| it > 0).ok_or_else(shape)?)
            }
        };
        let known = KNOWN.iter().find_map(|(command, errnos)| {
            let dataset = operation.strip_prefix(command)?.strip_prefix(' ')?;
            Some((*command, *errnos, dataset.trim()))
        });
        let Some((command, errnos, dataset)) = known else {
            let commands: Vec<_> = KNOWN.iter().map(|(command, _)| *command).collect();
            return Err(wrong(format!(
                "the commands that can fail so are {}",
                commands.join(", ")
            )));
        };
        let snapshot = dataset.contains('@');
        let takes_snapshot = match command {
            "snapshot" | "hold" | "release" => Some(true),
            "destroy" | "rename" | "rollback" => None,
            _ => Some(false),
        };
        let expected = match takes_snapshot {
            Some(true) => names::Expected::Snapshot,
            Some(false) => names::Expected::Filesystem,
            None => names::Expected::Dataset,
        };
        if names::check(dataset, expected).is_err() {
            let what = match takes_snapshot {
                Some(true) => "a snapshot",
                Some(false) if command == "zpool destroy" => "a pool",
                Some(false) => "a filesystem",
                None => "a dataset",
            };
            return Err(wrong(format!("'{dataset}' cannot be the name of {what}")));
        }
        let Some(&errno) = errnos.iter().find(|it| it.name() == errno) else {
            let names: Vec<_> = errnos.iter().map(|it| it.name()).collect();
            return Err(wrong(format!(
                "what {command} says is known for {}",
                names.join(", ")
            )));
        };
        if command == "destroy" && !snapshot && !dataset.contains('/') {
            return Err(wrong(
                "zfs does not destroy the root of a pool: 'zpool destroy' does".to_owned(),
            ));
        }
        Ok(Failure {
            command,
            dataset: dataset.to_owned(),
            errno,
            left,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure {
            command,
            dataset,
            errno,
            left,
        } = self;
        write!(f, "{command} {dataset}: {}", errno.name())?;
        if *left == 1 {
            return Ok(());
        }
        write!(f, " x{left}")
    }
}

impl Failures {
    /// Whether none is to come.
    pub(super) fn is_empty(&self) -> bool {
        self.planned.is_empty()
    }

    /// Why an operation on datasets fails that would succeed.
    pub(super) fn of_dataset(&mut self, op: &DslOp, before: &State) -> Option<Reason> {
        let all = |failures: &mut Self, command, names: &[std::sync::Arc<str>]| {
            let failed = names.iter().find_map(|name| {
                let errno = failures.take(command, name)?;
                let reason = match (command, errno) {
                    ("destroy", Errno::EEXIST) => Reason::Cloned,
                    ("hold", Errno::EEXIST) => Reason::TagExists,
                    _ => reason(errno),
                };
                Some((name.clone(), reason))
            });
            failed.map(|failed| Reason::Snapshots(vec![failed]))
        };
        match op {
            DslOp::Create { name, .. } => self.take("create", name).map(reason),
            DslOp::Clone { name, .. } => self.take("clone", name).map(reason),
            DslOp::Destroy { name } => self.take("destroy", name).map(reason),
            DslOp::Promote { name } => self.take("promote", name).map(reason),
            DslOp::Rename { from, .. } => self.take("rename", from).map(reason),
            DslOp::RenameSnapshot {
                filesystem, from, ..
            } => self
                .take("rename", &format!("{filesystem}@{from}"))
                .map(reason),
            DslOp::Rollback { to } => {
                let filesystem = to.split('@').next().unwrap_or(to);
                let errno = self.take("rollback", to);
                errno
                    .or_else(|| self.take("rollback", filesystem))
                    .map(reason)
            }
            DslOp::Snapshot { names, .. } => all(self, "snapshot", names),
            // Snapshots that are not there do not take part.
            DslOp::DestroySnapshots { names, .. } => {
                let there = names.iter().filter(|name| before.find(name).is_some());
                let there: Vec<_> = there.cloned().collect();
                all(self, "destroy", &there)
            }
            DslOp::Hold { names, .. } => all(self, "hold", names),
            DslOp::Release { names, .. } => all(self, "release", names),
            DslOp::Set { .. }
            | DslOp::Inherit { .. }
            | DslOp::Bookmark { .. }
            | DslOp::DestroyBookmark { .. } => None,
        }
    }

    /// Why an operation on pools fails that would succeed.
    pub(super) fn of_pool(&mut self, op: &PoolOp) -> Option<Reason> {
        match op {
            PoolOp::Destroy { name } => {
                let errno = self.take("zpool destroy", name)?;
                Some(match reason(errno) {
                    Reason::Busy => Reason::PoolBusy,
                    reason => reason,
                })
            }
            _ => None,
        }
    }

    /// The error of a system call that would succeed.
    pub(super) fn of_call(&mut self, op: &FileOp, before: &State) -> Option<Errno> {
        match op {
            FileOp::Mount { dataset, .. } => self.take("mount", dataset),
            FileOp::Unmount { path, .. } => {
                let mount = before.mounts.iter().filter(|mount| *mount.path == **path);
                let name = before.name_of(mount.last()?.dataset)?;
                self.take("unmount", &name)
            }
            _ => None,
        }
    }

    fn take(&mut self, command: &str, dataset: &str) -> Option<Errno> {
        let mut planned = self.planned.iter_mut();
        let failure = planned.find(|it| it.command == command && it.dataset == dataset)?;
        failure.left -= 1;
        let happened = Failure {
            left: 1,
            ..failure.clone()
        };
        let errno = happened.errno;
        self.happened.push(happened);
        self.planned.retain(|failure| failure.left > 0);
        Some(errno)
    }
}

fn reason(errno: Errno) -> Reason {
    match errno {
        Errno::EEXIST => Reason::AlreadyExists,
        Errno::EDQUOT | Errno::ENOSPC => Reason::OutOfSpace,
        _ => Reason::Busy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_come_back_as_they_were_written() {
        for text in [
            "destroy tank/a: EBUSY",
            "destroy tank/a@s: EBUSY x3",
            "zpool destroy tank: EBUSY",
            "hold tank/a: b@s: EEXIST",
        ] {
            assert_eq!(
                text.parse::<Failure>().map(|it| it.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn what_is_no_failure_says_what_is() {
        let told = |text: &str| text.parse::<Failure>().expect_err("no failure").to_string();
        insta::assert_snapshot!(
            [
                "",
                "destroy",
                "destroy tank/a",
                "destroy tank/a: EBUSY 3",
                "destroy tank/a: EBUSY x0",
                "destroy tank/a: EIO",
                "destroy tank: EBUSY",
                "send tank/a: EIO",
                "hold tank/a: EBUSY",
                "mount tank/a@s: EBUSY",
                "destroy tank//a: EBUSY",
                "destroyed tank/a: EBUSY",
            ]
            .map(told)
            .join("\n"),
            @r#"
            '' is no failure: expected 'COMMAND DATASET: ERRNO' or 'COMMAND DATASET: ERRNO xN'
            'destroy' is no failure: expected 'COMMAND DATASET: ERRNO' or 'COMMAND DATASET: ERRNO xN'
            'destroy tank/a' is no failure: expected 'COMMAND DATASET: ERRNO' or 'COMMAND DATASET: ERRNO xN'
            'destroy tank/a: EBUSY 3' is no failure: expected 'COMMAND DATASET: ERRNO' or 'COMMAND DATASET: ERRNO xN'
            'destroy tank/a: EBUSY x0' is no failure: expected 'COMMAND DATASET: ERRNO' or 'COMMAND DATASET: ERRNO xN'
            'destroy tank/a: EIO' is no failure: what destroy says is known for EBUSY, EEXIST
            'destroy tank: EBUSY' is no failure: zfs does not destroy the root of a pool: 'zpool destroy' does
            'send tank/a: EIO' is no failure: the commands that can fail so are create, clone, snapshot, destroy, rollback, promote, rename, hold, release, mount, unmount, zpool destroy
            'hold tank/a: EBUSY' is no failure: 'tank/a' cannot be the name of a snapshot
            'mount tank/a@s: EBUSY' is no failure: 'tank/a@s' cannot be the name of a filesystem
            'destroy tank//a: EBUSY' is no failure: 'tank//a' cannot be the name of a dataset
            'destroyed tank/a: EBUSY' is no failure: the commands that can fail so are create, clone, snapshot, destroy, rollback, promote, rename, hold, release, mount, unmount, zpool destroy
            "#
        );
    }
}
