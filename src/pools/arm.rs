//! One runner of steps for every arm: what a step means is decided here once, so that the model and
//! a real pool can only differ in what happened.

use std::collections::BTreeMap;

use crate::compare::ORDER;
use bytes::Bytes;
use ztwin_model::Release;
use ztwin_model::dsl::properties::Property;
use ztwin_model::layer::Tree;
use ztwin_model::outcome::Errno;
use ztwin_model::zpl::mount::MountOptions;
use ztwin_model::zpl::op::{At, FileOp, FileResult};
use ztwin_model::zpl::permission::Credentials;

use super::blobs::{self, Blobs};
use super::pointers::{self, Holder};
use super::print;
use super::verb::{self, Verb};
use super::{Command, End, Printed, Session, Unavailable};
use crate::drivers::Drivers;

/// How a system call ended.
#[derive(Clone, Debug)]
pub(super) enum Called {
    /// It succeeded.
    Done(Option<FileResult>),
    /// It failed.
    Failed(Errno),
    /// The model does not know.
    NotModelled(&'static str),
}

/// A mounted dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mounted {
    /// Its full name.
    pub dataset: String,
    /// Where it is mounted.
    pub path: String,
    /// Whether changes through this mount are refused.
    pub read_only: bool,
}

/// What an arm must be able to do.
pub(super) trait Arm {
    /// The release line.
    fn release(&self) -> Release;

    /// A step begins.
    fn tick(&mut self);

    /// Runs `zfs` or `zpool`.
    fn program(&mut self, words: &[String], input: &[u8]) -> Result<Printed, Unavailable>;

    /// System calls are made by this user from now on.
    fn become_user(&mut self, user: &Credentials);

    /// Runs one system call.
    fn call(&mut self, op: &FileOp) -> Result<Called, Unavailable>;

    /// The lines of `tree` for a whole dataset, be it mounted or not; none when it does not exist.
    fn tree_lines(&mut self, dataset: &str) -> Result<Option<Vec<String>>, Unavailable>;

    /// The filesystems and snapshots of a synced pool: snapshots first, the oldest before the others and by name
    /// where two are equally old, then filesystems by name.
    ///
    /// The inner error says what the model does not know of them.
    fn pointers(&mut self, pool: &str) -> Result<Result<Vec<Holder>, &'static str>, Unavailable>;

    /// The pools, by name.
    fn pools(&self) -> Vec<String>;

    /// The mounted datasets of these pools, oldest mount first.
    fn mounted(&self) -> Result<Vec<Mounted>, Unavailable>;
}

/// An arm in the middle of a trace.
pub(super) struct Runner<A> {
    pub arm: A,
    blobs: Blobs,
    streams: BTreeMap<String, Bytes>,
    drivers: Drivers,
    /// Whose system calls those of a process are; root's where it does not say.
    users: BTreeMap<String, Credentials>,
}

impl<A: Arm> Runner<A> {
    /// A fresh start on `arm`; `blobs` has what `data=hash:` names.
    pub fn new(arm: A, blobs: Blobs) -> Self {
        Runner {
            arm,
            blobs,
            streams: BTreeMap::new(),
            drivers: Drivers::default(),
            users: BTreeMap::new(),
        }
    }

    fn call(&mut self, op: &FileOp) -> Result<Printed, Unavailable> {
        Ok(match self.arm.call(op)? {
            Called::Done(result) => print::result(op, result.as_ref()),
            Called::Failed(errno) => Printed::failed(errno.name(), 1),
            Called::NotModelled(what) => not_modelled(what),
        })
    }

    /// The step, without its streams.
    fn dispatch(&mut self, command: &Command, input: &[u8]) -> Result<Printed, Unavailable> {
        match command.words.first().map_or("", String::as_str) {
            "zfs" | "zpool" => self.arm.program(&command.words, input),
            name if Drivers::knows(name) => {
                // The drivers run on this session, so they cannot stay inside it meanwhile.
                let mut drivers = std::mem::take(&mut self.drivers);
                let printed = drivers.run(self, command);
                self.drivers = drivers;
                printed
            }
            _ => match verb::parse(&command.process, &command.words, &self.blobs) {
                Ok(verb) => self.verb(&command.process, &verb),
                Err(error) => Ok(Printed::failed(&format!("ztwin: {error}"), 2)),
            },
        }
    }

    /// `state`: datasets, their properties and their trees.
    fn state(&mut self, verbose: bool) -> Result<Printed, Unavailable> {
        let pools = self.arm.pools();
        if pools.is_empty() {
            return Ok(Printed::default());
        }
        let list = [
            "list",
            "-H",
            "-r",
            "-t",
            "filesystem,volume,snapshot,bookmark",
            "-o",
        ];
        let columns = "name,type,origin,defer_destroy,userrefs,volsize";
        let listed = self.program(&list, columns, &pools)?;
        if !listed.succeeded() {
            return Ok(listed);
        }
        let listed = String::from_utf8_lossy(&listed.out).into_owned();
        let rows: Vec<Vec<&str>> = listed
            .lines()
            .map(|row| row.split('\t').collect())
            .collect();
        // A bookmark has nothing but its name.
        let names: Vec<String> = rows
            .iter()
            .map(|row| row[0].to_owned())
            .filter(|name| !name.contains('#'))
            .collect();
        let properties = Property::all(self.arm.release()).map(Property::name);
        let properties = properties.collect::<Vec<_>>().join(",");
        let got = self.program(
            &["get", "-H", "-p", "-o", "name,property,value,source"],
            &properties,
            &names,
        )?;
        if !got.succeeded() {
            return Ok(got);
        }
        let got = String::from_utf8_lossy(&got.out).into_owned();
        let of_users = self.program(
            &[
                "get",
                "-H",
                "-p",
                "-s",
                "local,inherited",
                "-o",
                "name,property,value,source",
            ],
            "all",
            &names,
        )?;
        if !of_users.succeeded() {
            return Ok(of_users);
        }
        let of_users = String::from_utf8_lossy(&of_users.out).into_owned();
        let mut of_users: Vec<&str> = of_users
            .lines()
            .map(|line| line.trim_start_matches(ORDER.marker))
            .filter(|line| line.split('\t').nth(1).is_some_and(|it| it.contains(':')))
            .collect();
        // A user's own come in no order.
        of_users.sort_unstable();
        let mounted = self.arm.mounted()?;
        let mut lines: Vec<String> = Vec::new();
        for row in &rows {
            let [name, kind, origin, defer, holds, volume_size] = row[..] else {
                return Ok(Printed::failed(
                    "ztwin: state: zfs list printed another table",
                    2,
                ));
            };
            if kind == "bookmark" {
                lines.push(format!("{name} bookmark"));
                continue;
            }
            let mut head = vec![format!("{name} {kind} origin={origin}")];
            for mount in mounted.iter().filter(|mount| mount.dataset == name) {
                let ro = if mount.read_only { ",ro" } else { "" };
                head.push(format!("mounted={}{ro}", mount.path));
            }
            if defer == "on" {
                head.push("defer_destroy=on".to_owned());
            }
            if !matches!(holds, "-" | "0") {
                head.push(format!("userrefs={holds}"));
            }
            lines.push(head.join(" "));
            for line in got.lines().chain(of_users.iter().copied()) {
                let mut cells = line.split('\t');
                let (Some(of), Some(property), Some(value), Some(source)) =
                    (cells.next(), cells.next(), cells.next(), cells.next())
                else {
                    continue;
                };
                if of == name && !matches!(source, "-" | "default" | "temporary") {
                    lines.push(format!("  {property}={value} {source}"));
                }
            }
            // Volumes and their snapshots have no files.
            if volume_size != "-" {
                continue;
            }
            let tree = self.arm.tree_lines(name)?.unwrap_or_default();
            if verbose {
                lines.extend(tree.iter().map(|line| format!("  {line}")));
            } else {
                lines.push(format!(
                    "  tree {} {}",
                    tree.len(),
                    print::digest_lines(&tree)
                ));
            }
        }
        let out = lines
            .into_iter()
            .map(|line| line + "\n")
            .collect::<String>();
        Ok(Printed {
            out: out.into_bytes(),
            ..Printed::default()
        })
    }

    /// `pointers`: what is on disk, so the pool is synced before.
    fn pointers(&mut self, pool: &str) -> Result<Printed, Unavailable> {
        let synced = ["zpool", "sync", pool].map(str::to_owned);
        let synced = self.arm.program(&synced, &[])?;
        if !synced.succeeded() {
            return Ok(synced);
        }
        let lines = match self.arm.pointers(pool)? {
            Ok(holders) => pointers::lines(&holders),
            Err(what) => return Ok(not_modelled(what)),
        };
        let lines = lines.into_iter().map(|line| line + "\n");
        Ok(Printed {
            out: lines.collect::<String>().into_bytes(),
            ..Printed::default()
        })
    }

    fn program(
        &mut self,
        before: &[&str],
        list: &str,
        names: &[String],
    ) -> Result<Printed, Unavailable> {
        let fixed = std::iter::once("zfs")
            .chain(before.iter().copied())
            .chain([list]);
        let words: Vec<String> = fixed
            .map(str::to_owned)
            .chain(names.iter().cloned())
            .collect();
        self.arm.program(&words, &[])
    }
}

/// The model does not know the answer.
pub(super) fn not_modelled(what: &str) -> Printed {
    Printed {
        out: Vec::new(),
        err: format!("ztwin: not modelled: {what}\n").into_bytes(),
        end: End::NotModelled,
    }
}

impl<A: Arm> Session for Runner<A> {
    fn release(&self) -> Release {
        self.arm.release()
    }

    fn step(&mut self, command: &Command) -> Result<Printed, Unavailable> {
        self.arm.tick();
        let input = match &command.input {
            None => Bytes::new(),
            Some(name) => {
                let Some(bytes) = self.streams.get(name) else {
                    let line = format!("ztwin: no step before this one keeps a stream @{name}");
                    return Ok(Printed::failed(&line, 2));
                };
                bytes.clone()
            }
        };
        let mut printed = self.dispatch(command, &input)?;
        if let Some(name) = &command.output {
            self.keep(name, std::mem::take(&mut printed.out).into());
        }
        Ok(printed)
    }

    fn verb(&mut self, process: &str, verb: &Verb) -> Result<Printed, Unavailable> {
        match verb {
            Verb::Vdev { path, size } => self.call(&FileOp::MakeVdev {
                path: path.as_str().into(),
                size: *size,
            }),
            Verb::Mount {
                dataset,
                path,
                read_only,
            } => {
                let made = self.call(&FileOp::MakeMountpoint {
                    path: path.as_str().into(),
                })?;
                if !made.succeeded() {
                    return Ok(made);
                }
                self.call(&FileOp::Mount {
                    dataset: dataset.as_str().into(),
                    path: path.as_str().into(),
                    options: MountOptions::plain(*read_only),
                    beside: false,
                })
            }
            Verb::File(op) => {
                let user = self.users.get(process).cloned();
                let Some(user) = user else {
                    return self.call(op);
                };
                self.arm.become_user(&user);
                let printed = self.call(op);
                self.arm.become_user(&Credentials::default());
                printed
            }
            Verb::User(user) => {
                self.users.insert(process.to_owned(), user.clone());
                Ok(Printed::default())
            }
            Verb::State { verbose } => self.state(*verbose),
            Verb::Pointers { pool } => self.pointers(pool),
        }
    }

    fn tree(&mut self, dataset: &str) -> Result<Result<Tree, Errno>, Unavailable> {
        let at = At {
            dataset: dataset.into(),
            path: "/".into(),
        };
        Ok(match self.arm.call(&FileOp::Tree { at })? {
            Called::Done(Some(FileResult::Tree(tree))) => Ok(tree),
            Called::Failed(errno) => Err(errno),
            // A tree is what that call returns.
            Called::Done(_) | Called::NotModelled(_) => Err(Errno::EIO),
        })
    }

    fn mountpoint(&mut self, dataset: &str) -> Result<Option<String>, Unavailable> {
        let mounted = self.arm.mounted()?;
        Ok(mounted
            .into_iter()
            .find(|mount| mount.dataset == dataset)
            .map(|mount| mount.path))
    }

    fn is_mounted(&mut self, path: &str) -> Result<bool, Unavailable> {
        Ok(self.arm.mounted()?.iter().any(|mount| mount.path == path))
    }

    fn blob(&self, name: &str) -> Result<Bytes, blobs::Error> {
        self.blobs.get(name)
    }

    fn stream(&self, name: &str) -> Option<Bytes> {
        self.streams.get(name).cloned()
    }

    fn keep(&mut self, name: &str, bytes: Bytes) {
        self.streams.insert(name.to_owned(), bytes);
    }
}
