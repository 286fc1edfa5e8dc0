//! containerd's snapshotter `zfs` as a state machine: the commands of `containerd/zfs` (`zfs.go`), in
//! its order, and the decisions of its database (`snapshots/storage/bolt.go`).
//!
//! It is the snapshotter itself, below the namespaces and the garbage collector of the daemon: `remove`
//! destroys at once.

use std::collections::BTreeMap;

use super::filter::Filter;
use super::gozfs::{COLUMNS, Library};
use super::shell::{Failure, Halt, Shell, attempt};
use super::{Done, Driver, Started};

/// What a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Made by `prepare`: to be written to, then committed or removed.
    Active,
    /// Made by `view`: to be looked at.
    View,
    /// Made by `commit`: others may be prepared from it.
    Committed,
}

impl Kind {
    const fn text(self) -> &'static str {
        match self {
            Kind::Active => "active",
            Kind::View => "view",
            Kind::Committed => "committed",
        }
    }
}

#[derive(Clone, Debug)]
struct Snapshot {
    kind: Kind,
    /// The last part of its dataset's name.
    number: u64,
    parent: Option<String>,
    /// `used` of its dataset when it was committed.
    used: String,
    labels: BTreeMap<String, String>,
}

impl Snapshot {
    /// What a filter may ask for (`adaptSnapshot`).
    fn field(&self, name: &str, path: &str) -> Option<String> {
        match path {
            "kind" => Some(self.kind.text().to_owned()),
            "name" => Some(name.to_owned()),
            "parent" => Some(self.parent.clone().unwrap_or_default()),
            _ => self.labels.get(path.strip_prefix("labels.")?).cloned(),
        }
    }

    /// It on one line.
    fn line(&self, name: &str) -> String {
        let mut line = format!("{name} {}", self.kind.text());
        if let Some(parent) = &self.parent {
            line = format!("{line} parent={parent}");
        }
        for (key, value) in &self.labels {
            line = format!("{line} {key}={value}");
        }
        line
    }
}

/// The snapshotter, started by `containerd init`.
#[derive(Clone, Debug)]
pub(super) struct Containerd {
    /// The dataset that snapshots are children of.
    root: String,
    /// The database, by key or name.
    snapshots: BTreeMap<String, Snapshot>,
    /// The database's counter.
    sequence: u64,
    /// A transaction that was never ended: nobody can write any more.
    stuck: bool,
    /// The library that it has.
    library: Library,
    /// The snapshotter as it should be: it keeps the promises that the others break.
    corrected: bool,
}

/// What is said of a key that nobody has.
const ABSENT: &str = "snapshot does not exist: not found";

/// What a write says when a transaction was never ended. The real one says nothing: it waits for ever.
const STUCK: &str = "waits for ever: a failed clone left its transaction open";

impl Driver for Containerd {
    fn library(&self) -> Library {
        self.library
    }

    /// The database is a file.
    fn restart(&self, shell: &mut Shell<'_>) -> Started<Containerd> {
        let started = Self::init(shell, &self.root, self.corrected)?;
        Ok(started.map(|started| Containerd {
            snapshots: self.snapshots.clone(),
            sequence: self.sequence,
            ..started
        }))
    }

    fn run(&mut self, shell: &mut Shell<'_>, step: &[&str]) -> Option<Done> {
        Some(match step {
            [verb @ ("prepare" | "view"), key, rest @ ..] => {
                let (parent, rest) = super::from(rest);
                let kind = if *verb == "view" {
                    Kind::View
                } else {
                    Kind::Active
                };
                self.create(shell, kind, key, parent, labels(rest)?)
            }
            ["mounts", key] => self.mounts(shell, key),
            ["stat", key] => Ok(self.stat(key).map(|line| shell.say(&line))),
            ["walk", filters @ ..] => {
                let filters: Option<Vec<_>> = filters.iter().map(|it| Filter::read(it)).collect();
                self.walk(shell, &filters?);
                Ok(Ok(()))
            }
            ["update", key, values @ ..] => self.update(key, values)?,
            ["usage", key] => self.usage(shell, key),
            ["commit", name, key, rest @ ..] => self.commit(shell, name, key, labels(rest)?),
            ["remove", key] => self.remove(shell, key),
            ["cleanup"] => self.cleanup(shell),
            _ => return None,
        })
    }
}

impl Containerd {
    /// The library that a version has, and whether it is the corrected one; `None`: there is no such
    /// version.
    pub fn version(version: Option<&str>) -> Option<(Library, bool)> {
        Some(match version {
            Some("1.6") => (Library::V2, false),
            Some("1.7") => (Library::V3, false),
            None | Some("2.3") => (Library::V4, false),
            Some("corrected") => (Library::V4, true),
            Some(_) => return None,
        })
    }

    /// `containerd init DATASET [version=VERSION]` (`NewSnapshotter` on that dataset's mountpoint).
    pub fn init(shell: &mut Shell<'_>, root: &str, corrected: bool) -> Started<Containerd> {
        if let Err(failure) = shell.dataset(root)? {
            return Ok(Err(failure.to_string()));
        }
        Ok(Ok(Containerd {
            root: root.to_owned(),
            snapshots: BTreeMap::new(),
            sequence: 0,
            stuck: false,
            library: shell.library,
            corrected,
        }))
    }

    fn dataset(&self, number: u64) -> String {
        format!("{}/{number}", self.root)
    }

    /// `containerd prepare KEY [from NAME] [LABEL=VALUE]...` and `containerd view` (`createSnapshot`).
    fn create(
        &mut self,
        shell: &mut Shell<'_>,
        kind: Kind,
        key: &str,
        parent: Option<&str>,
        labels: BTreeMap<String, String>,
    ) -> Done {
        if self.stuck {
            return Ok(Err(STUCK.to_owned()));
        }
        let below = match parent {
            None => None,
            Some(name) => match self.snapshots.get(name) {
                None => return Ok(Err(format!("missing parent {name:?} bucket: not found"))),
                Some(parent) if parent.kind != Kind::Committed => {
                    return Ok(Err(format!(
                        "parent {name:?} is not committed snapshot: invalid argument"
                    )));
                }
                Some(parent) => Some(parent.number),
            },
        };
        if self.snapshots.contains_key(key) {
            return Ok(Err(format!("snapshot {key}: already exists")));
        }
        // Rolled back with the transaction when anything below fails.
        let mut number = self.sequence + 1;
        loop {
            let dataset = self.dataset(number);
            let made = match below {
                None => create(shell, &dataset)?,
                Some(below) => {
                    let snapshot = format!("{}@snapshot", self.dataset(below));
                    clone(shell, &snapshot, &dataset)?
                }
            };
            match made {
                Ok(()) => break,
                // Somebody else's, or what a crash has left: its number is passed over.
                Err(failure) if self.corrected && failure.ends_with("dataset already exists") => {
                    number += 1;
                }
                Err(failure) => {
                    // The error is a new variable in the branch with a parent, so the deferred rollback
                    // does not see it: the transaction stays open.
                    self.stuck = below.is_some() && !self.corrected;
                    return Ok(Err(failure.to_string()));
                }
            }
        }
        self.sequence = number;
        let made = Snapshot {
            kind,
            number,
            parent: parent.map(str::to_owned),
            used: String::new(),
            labels,
        };
        self.snapshots.insert(key.to_owned(), made);
        shell.say(&mount(&self.dataset(number), kind == Kind::View));
        Ok(Ok(()))
    }

    /// `containerd stat KEY` (`Stat`)
    fn stat(&self, key: &str) -> Result<String, String> {
        let snapshot = self.snapshots.get(key).ok_or(ABSENT)?;
        Ok(snapshot.line(key))
    }

    /// `containerd walk [FILTER]...` (`Walk`): what any of the filters takes, by name.
    fn walk(&self, shell: &mut Shell<'_>, filters: &[Filter]) {
        for (name, snapshot) in &self.snapshots {
            let taken = |filter: &Filter| filter.takes(|path| snapshot.field(name, path));
            if filters.is_empty() || filters.iter().any(taken) {
                shell.say(&snapshot.line(name));
            }
        }
    }

    /// `containerd update KEY labels.LABEL=VALUE...` sets labels, an empty value takes one away; `update
    /// KEY LABEL=VALUE...` replaces all of them (`Update`). `None`: a word is neither.
    fn update(&mut self, key: &str, values: &[&str]) -> Option<Done> {
        if self.stuck {
            return Some(Ok(Err(STUCK.to_owned())));
        }
        let Some(snapshot) = self.snapshots.get_mut(key) else {
            return Some(Ok(Err(ABSENT.to_owned())));
        };
        let paths: Option<Vec<_>> = values
            .iter()
            .map(|value| value.strip_prefix("labels."))
            .collect();
        if let Some(paths) = paths.filter(|paths| !paths.is_empty()) {
            for (label, value) in labels(&paths)? {
                // `WriteLabels` keeps no empty ones.
                if value.is_empty() {
                    snapshot.labels.remove(&label);
                } else {
                    snapshot.labels.insert(label, value);
                }
            }
            return Some(Ok(Ok(())));
        }
        if let [path] = values
            && !path.contains('=')
        {
            return Some(Ok(Err(format!(
                "cannot update {path:?} field on snapshot {key:?}: invalid argument"
            ))));
        }
        snapshot.labels = labels(values)?;
        Some(Ok(Ok(())))
    }

    /// `containerd cleanup` (`Cleanup`): the corrected one destroys datasets that its database does not
    /// know, the others have no such thing.
    fn cleanup(&mut self, shell: &mut Shell<'_>) -> Done {
        if !self.corrected {
            return Ok(Err(
                "snapshotter does not implement Cleanup method: not implemented".to_owned(),
            ));
        }
        let words = [
            "-d",
            "1",
            "-t",
            "filesystem",
            "-Hp",
            "-o",
            COLUMNS,
            &self.root,
        ];
        let rows = attempt!(shell.rows(&words));
        let under = format!("{}/", self.root);
        for row in rows {
            let number = row
                .name
                .strip_prefix(&under)
                .and_then(|it| it.parse::<u64>().ok());
            let Some(number) = number else { continue };
            if self.snapshots.values().all(|it| it.number != number) {
                attempt!(shell.run(&["zfs", "destroy", "-r", &row.name]));
            }
        }
        Ok(Ok(()))
    }

    /// `containerd mounts KEY` (`Mounts`): says how to mount it, also a view as writable, which the
    /// corrected one does not.
    fn mounts(&self, shell: &mut Shell<'_>, key: &str) -> Done {
        let (number, kind) = match self.snapshots.get(key) {
            None => {
                return Ok(Err(
                    "failed to get active snapshot: snapshot does not exist: not found".to_owned(),
                ));
            }
            Some(snapshot) if snapshot.kind == Kind::Committed => {
                return Ok(Err(format!(
                    "failed to get active snapshot: requested snapshot {key} not active or view: failed precondition"
                )));
            }
            Some(snapshot) => (snapshot.number, snapshot.kind),
        };
        let dataset = attempt!(shell.dataset(&self.dataset(number)));
        let read_only = self.corrected && kind == Kind::View;
        shell.say(&mount(&dataset.name, read_only));
        Ok(Ok(()))
    }

    /// `containerd usage KEY` (`Usage`): `used` of an active one, what was kept of a committed one.
    fn usage(&self, shell: &mut Shell<'_>, key: &str) -> Done {
        match self.used(shell, key)? {
            Ok(used) => {
                shell.say(&format!("used {used}"));
                Ok(Ok(()))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    fn used(&self, shell: &mut Shell<'_>, key: &str) -> Result<Result<String, String>, Halt> {
        let Some(snapshot) = self.snapshots.get(key) else {
            return Ok(Err(ABSENT.to_owned()));
        };
        if snapshot.kind != Kind::Active {
            let none = snapshot.used.is_empty();
            return Ok(Ok(if none {
                "0".to_owned()
            } else {
                snapshot.used.clone()
            }));
        }
        let dataset = attempt!(shell.dataset(&self.dataset(snapshot.number)));
        Ok(Ok(dataset.used))
    }

    /// `containerd commit NAME KEY [LABEL=VALUE]...` (`Commit`).
    fn commit(
        &mut self,
        shell: &mut Shell<'_>,
        name: &str,
        key: &str,
        labels: BTreeMap<String, String>,
    ) -> Done {
        let used = match self.used(shell, key)? {
            Ok(used) => used,
            Err(error) => return Ok(Err(format!("failed to compute usage: {error}"))),
        };
        if self.stuck {
            return Ok(Err(STUCK.to_owned()));
        }
        let failed = |error: String| Ok(Err(format!("failed to commit: {error}")));
        if self.snapshots.contains_key(name) {
            return failed(format!("committed snapshot {name}: already exists"));
        }
        let Some(mut snapshot) = self.snapshots.get(key).cloned() else {
            return failed(format!("failed to get active snapshot {key:?}: not found"));
        };
        if snapshot.kind != Kind::Active {
            return failed(format!(
                "snapshot {key:?} is not active: failed precondition"
            ));
        }
        let dataset = self.dataset(snapshot.number);
        attempt!(shell.dataset(&dataset));
        let taken = format!("{dataset}@snapshot");
        match shell.run(&["zfs", "snapshot", &taken])? {
            Ok(_) => {}
            // A crash has left it: it is of what the layer was then.
            Err(failure) if self.corrected && failure.ends_with("dataset already exists") => {
                attempt!(shell.run(&["zfs", "destroy", &taken]));
                attempt!(shell.run(&["zfs", "snapshot", &taken]));
            }
            Err(failure) => return Ok(Err(failure.to_string())),
        }
        attempt!(shell.dataset(&taken));
        snapshot.kind = Kind::Committed;
        snapshot.used = used;
        snapshot.labels = labels;
        self.snapshots.remove(key);
        self.snapshots.insert(name.to_owned(), snapshot);
        Ok(Ok(()))
    }

    /// `containerd remove KEY` (`Remove`). What is destroyed before a failure stays destroyed, and the
    /// database keeps the snapshot.
    fn remove(&mut self, shell: &mut Shell<'_>, key: &str) -> Done {
        if self.stuck {
            return Ok(Err(STUCK.to_owned()));
        }
        let failed = |error: String| Ok(Err(format!("failed to remove snapshot: {error}")));
        let Some(snapshot) = self.snapshots.get(key) else {
            return failed(format!("snapshot {key}: not found"));
        };
        let has_child = self
            .snapshots
            .values()
            .any(|other| other.parent.as_deref() == Some(key));
        if has_child {
            return failed("cannot remove snapshot with child: failed precondition".to_owned());
        }
        let dataset = self.dataset(snapshot.number);
        if self.corrected {
            // With all its snapshots, whosever they are; what is gone is removed.
            match shell.run(&["zfs", "destroy", "-r", &dataset])? {
                Ok(_) => {}
                Err(failure) if failure.ends_with("dataset does not exist") => {
                    attempt!(shell.dataset(&self.root.clone()));
                }
                Err(failure) => return Ok(Err(failure.to_string())),
            }
            self.snapshots.remove(key);
            return Ok(Ok(()));
        }
        if snapshot.kind == Kind::Committed {
            let taken = format!("{dataset}@snapshot");
            attempt!(shell.dataset(&taken));
            attempt!(shell.run(&["zfs", "destroy", "-d", &taken]));
        }
        attempt!(shell.dataset(&dataset));
        attempt!(shell.run(&["zfs", "destroy", &dataset]));
        self.snapshots.remove(key);
        Ok(Ok(()))
    }
}

/// `LABEL=VALUE...`; `None`: one is no such word.
fn labels(words: &[&str]) -> Option<BTreeMap<String, String>> {
    words
        .iter()
        .map(|word| {
            let (key, value) = word.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        })
        .collect()
}

fn create(shell: &mut Shell<'_>, dataset: &str) -> Result<Result<(), Failure>, Halt> {
    let words = ["zfs", "create", "-o", "mountpoint=legacy", dataset];
    if let Err(failure) = shell.run(&words)? {
        return Ok(Err(failure));
    }
    Ok(shell.dataset(dataset)?.map(|_| ()))
}

fn clone(
    shell: &mut Shell<'_>,
    snapshot: &str,
    dataset: &str,
) -> Result<Result<(), Failure>, Halt> {
    let found = match shell.dataset(snapshot)? {
        Ok(found) => found,
        Err(failure) => return Ok(Err(failure)),
    };
    let words = [
        "zfs",
        "clone",
        "-p",
        "-o",
        "mountpoint=legacy",
        &found.name,
        dataset,
    ];
    if let Err(failure) = shell.run(&words)? {
        return Ok(Err(failure));
    }
    Ok(shell.dataset(dataset)?.map(|_| ()))
}

/// What a client is told to mount.
fn mount(dataset: &str, read_only: bool) -> String {
    let options = if read_only { " options=ro" } else { "" };
    format!("mount type=zfs source={dataset}{options}")
}
