//! containerd's snapshotter `zfs` as a state machine: the commands of `containerd/zfs` (`zfs.go`), in
//! its order, and the decisions of its database (`snapshots/storage/bolt.go`).
//!
//! It is the snapshotter itself, below the namespaces and the garbage collector of the daemon: `remove`
//! destroys at once.

use std::collections::BTreeMap;

use super::shell::{Failure, Halt, Shell, attempt};

/// What a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Made by `prepare`: to be written to, then committed or removed.
    Active,
    /// Made by `view`: to be looked at.
    View,
    /// Made by `commit`: others may be prepared from it.
    Committed,
}

#[derive(Clone, Debug)]
struct Snapshot {
    kind: Kind,
    /// The last part of its dataset's name.
    number: u64,
    parent: Option<String>,
    /// `used` of its dataset when it was committed.
    used: String,
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
}

/// How an operation of the snapshotter ended: an error is its text.
type Done = Result<Result<(), String>, Halt>;

/// What a write says when a transaction was never ended. The real one says nothing: it waits for ever.
const STUCK: &str = "waits for ever: a failed clone left its transaction open";

impl Containerd {
    /// `containerd init DATASET` (`NewSnapshotter` on that dataset's mountpoint).
    pub fn init(shell: &mut Shell<'_>, root: &str) -> Result<Result<Containerd, String>, Halt> {
        if let Err(failure) = shell.dataset(root)? {
            return Ok(Err(failure.to_string()));
        }
        Ok(Ok(Containerd {
            root: root.to_owned(),
            snapshots: BTreeMap::new(),
            sequence: 0,
            stuck: false,
        }))
    }

    fn dataset(&self, number: u64) -> String {
        format!("{}/{number}", self.root)
    }

    /// `containerd prepare KEY [from NAME]` and `containerd view KEY [from NAME]` (`createSnapshot`).
    pub fn create(
        &mut self,
        shell: &mut Shell<'_>,
        kind: Kind,
        key: &str,
        parent: Option<&str>,
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
        let number = self.sequence + 1;
        let dataset = self.dataset(number);
        match below {
            None => {
                let words = ["zfs", "create", "-o", "mountpoint=legacy", &dataset];
                attempt!(shell.run(&words));
                attempt!(shell.dataset(&dataset));
            }
            Some(below) => {
                let snapshot = format!("{}@snapshot", self.dataset(below));
                if let Err(failure) = clone(shell, &snapshot, &dataset)? {
                    // The error is a new variable in that branch, so the deferred rollback does not
                    // see it: the transaction stays open.
                    self.stuck = true;
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
        };
        self.snapshots.insert(key.to_owned(), made);
        shell.say(&mount(&dataset, kind == Kind::View));
        Ok(Ok(()))
    }

    /// `containerd mounts KEY` (`Mounts`): says how to mount it, also a view as writable.
    pub fn mounts(&self, shell: &mut Shell<'_>, key: &str) -> Done {
        let number = match self.snapshots.get(key) {
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
            Some(snapshot) => snapshot.number,
        };
        let dataset = attempt!(shell.dataset(&self.dataset(number)));
        shell.say(&mount(&dataset.name, false));
        Ok(Ok(()))
    }

    /// `containerd usage KEY` (`Usage`): `used` of an active one, what was kept of a committed one.
    pub fn usage(&self, shell: &mut Shell<'_>, key: &str) -> Done {
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
            return Ok(Err("snapshot does not exist: not found".to_owned()));
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

    /// `containerd commit NAME KEY` (`Commit`).
    pub fn commit(&mut self, shell: &mut Shell<'_>, name: &str, key: &str) -> Done {
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
        attempt!(shell.run(&["zfs", "snapshot", &taken]));
        attempt!(shell.dataset(&taken));
        snapshot.kind = Kind::Committed;
        snapshot.used = used;
        self.snapshots.remove(key);
        self.snapshots.insert(name.to_owned(), snapshot);
        Ok(Ok(()))
    }

    /// `containerd remove KEY` (`Remove`). What is destroyed before a failure stays destroyed, and the
    /// database keeps the snapshot.
    pub fn remove(&mut self, shell: &mut Shell<'_>, key: &str) -> Done {
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
