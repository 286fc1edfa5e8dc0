//! Docker's graph driver `zfs` as a state machine: the commands of moby's
//! `daemon/graphdriver/zfs/zfs.go`, in its order, with its reactions to errors.
//!
//! `docker create left from base` makes one layer; what `docker create` makes for a container on the
//! command line is two: `left-init` from the image's top layer, then `left` from `left-init`.

use std::collections::{BTreeMap, BTreeSet};

use ztwin_model::dmu::data::Piece;
use ztwin_model::layer::{Attributes, LayerContent, LayerEntry, Tree, changes, export};

use ztwin_model::zpl::op::FileKind;

use super::shell::{COLUMNS, Halt, Ran, Shell, attempt};

/// Where the driver mounts layers.
const GRAPH: &str = "/var/lib/docker/zfs/graph";

/// The driver, started by `docker init`.
#[derive(Clone, Debug, Default)]
pub(super) struct Docker {
    /// The dataset that layers are children of (`zfs.fsname`).
    root: String,
    /// What `Exists` believes: filled at the start, never looked up again.
    known: BTreeSet<String>,
    /// How often each layer is in use (`graphdriver.RefCounter`).
    uses: BTreeMap<String, u32>,
    /// Which layer each was made from: the layer store's knowledge, which `diff` needs.
    parents: BTreeMap<String, String>,
    /// The next snapshot's name. The real one takes the clock's nanoseconds.
    clock: u64,
}

/// How an operation of the driver ended: an error is its text.
type Done = Result<Result<(), String>, Halt>;

impl Docker {
    /// `docker init POOL/FS` (`Init` with the option `zfs.fsname`).
    pub fn init(shell: &mut Shell<'_>, root: &str) -> Result<Result<Docker, String>, Halt> {
        let listed = shell.rows(&["-rHp", "-t", "filesystem", "-o", COLUMNS, root])?;
        let rows = match listed {
            Ok(rows) => rows,
            Err(failure) => {
                return Ok(Err(format!(
                    "cannot find root filesystem {root}: {failure}"
                )));
            }
        };
        let known: BTreeSet<String> = rows.into_iter().map(|row| row.name).collect();
        if !known.contains(root) {
            return Ok(Err(format!(
                "BUG: zfs get all -t filesystem -rHp '{root}' should contain '{root}'"
            )));
        }
        Ok(Ok(Docker {
            root: root.to_owned(),
            known,
            clock: 1,
            ..Docker::default()
        }))
    }

    /// `docker clock N`: the next snapshot is named N, as if the clock stood there.
    pub fn set_clock(&mut self, clock: u64) {
        self.clock = clock;
    }

    fn name(&self, id: &str) -> String {
        format!("{}/{id}", self.root)
    }

    /// `docker create ID [from PARENT] [size=SIZE]` (`Create`): one retry after clearing away what an
    /// aborted one left.
    pub fn create(
        &mut self,
        shell: &mut Shell<'_>,
        id: &str,
        parent: Option<&str>,
        size: Option<&str>,
    ) -> Done {
        if let Err(failure) = self.create_once(shell, id, parent, size)? {
            if !failure.stderr.ends_with("dataset already exists\n") {
                return Ok(Err(failure.to_string()));
            }
            attempt!(shell.run(&["zfs", "destroy", "-R", &self.name(id)]));
            attempt!(self.create_once(shell, id, parent, size));
        }
        match parent {
            Some(parent) => self.parents.insert(id.to_owned(), parent.to_owned()),
            None => self.parents.remove(id),
        };
        Ok(Ok(()))
    }

    fn create_once(
        &mut self,
        shell: &mut Shell<'_>,
        id: &str,
        parent: Option<&str>,
        size: Option<&str>,
    ) -> Ran<()> {
        let name = self.name(id);
        let made = match parent {
            None => match shell.run(&["zfs", "create", "-o", "mountpoint=legacy", &name])? {
                Ok(_) => shell.dataset(&name)?.map(|_| ()),
                Err(failure) => Err(failure),
            },
            Some(parent) => self.clone_from(shell, &name, &self.name(parent))?,
        };
        if made.is_err() {
            return Ok(made);
        }
        self.known.insert(name.clone());
        let Some(size) = size else { return Ok(Ok(())) };
        // The quota comes when the dataset exists already: a size that ZFS refuses leaves it behind.
        if let Err(failure) = shell.dataset(&name)? {
            return Ok(Err(failure));
        }
        let quota = shell.run(&["zfs", "set", &format!("quota={size}"), &name])?;
        Ok(quota.map(|_| ()))
    }

    /// `cloneFilesystem`: a snapshot of the parent, a clone of that, and the snapshot marked to go
    /// with the clone.
    fn clone_from(&mut self, shell: &mut Shell<'_>, name: &str, parent: &str) -> Ran<()> {
        let snapshot = format!("{parent}@{}", self.clock);
        self.clock += 1;
        if let Err(failure) = shell.run(&["zfs", "snapshot", &snapshot])? {
            return Ok(Err(failure));
        }
        if let Err(failure) = shell.dataset(&snapshot)? {
            return Ok(Err(failure));
        }
        let words = [
            "zfs",
            "clone",
            "-p",
            "-o",
            "mountpoint=legacy",
            &snapshot,
            name,
        ];
        let cloned = match shell.run(&words)? {
            Ok(_) => shell.dataset(name)?.map(|_| ()),
            Err(failure) => Err(failure),
        };
        let marked = shell.run(&["zfs", "destroy", "-d", &snapshot])?;
        Ok(cloned.and(marked.map(|_| ())))
    }

    /// `docker remove ID` (`Remove`): a dataset that is gone already is as good.
    pub fn remove(&mut self, shell: &mut Shell<'_>, id: &str) -> Done {
        let name = self.name(id);
        if let Err(failure) = shell.run(&["zfs", "destroy", "-r", &name])? {
            if !failure.stderr.trim().ends_with("dataset does not exist") {
                return Ok(Err(failure.to_string()));
            }
            shell.say(&format!("warning: {name} was gone already"));
        }
        self.known.remove(&name);
        self.parents.remove(id);
        Ok(Ok(()))
    }

    /// `docker exists ID` (`Exists`): what the driver believes, without a look.
    pub fn exists(&self, id: &str) -> bool {
        self.known.contains(&self.name(id))
    }

    /// `docker get ID` (`Get`): the first use mounts.
    pub fn get(&mut self, shell: &mut Shell<'_>, id: &str) -> Done {
        let uses = self.uses.entry(id.to_owned()).or_default();
        *uses += 1;
        if *uses > 1 {
            return Ok(Ok(()));
        }
        let (name, path) = (self.name(id), format!("{GRAPH}/{id}"));
        if let Err(failure) = shell.run(&["mount", &name, &path])? {
            self.drop_use(id);
            let errno = failure.stderr.trim_end();
            return Ok(Err(format!(
                "error creating zfs mount of {name} to {path}: {errno}"
            )));
        }
        // The root belongs to the user that is root in containers.
        if let Err(failure) = shell.run(&["chown", "0:0", &format!("{name}:/")])? {
            // What it says then is what went wrong first.
            let _ = shell.run(&["umount", &path])?;
            self.drop_use(id);
            let errno = failure.stderr.trim_end();
            return Ok(Err(format!(
                "modifying zfs mountpoint ({path}) ownership: {errno}"
            )));
        }
        Ok(Ok(()))
    }

    /// `docker put ID` (`Put`): the last use unmounts, lazily; an error is only logged.
    pub fn put(&mut self, shell: &mut Shell<'_>, id: &str) -> Done {
        if !self.uses.contains_key(id) || self.drop_use(id) {
            return Ok(Ok(()));
        }
        let path = format!("{GRAPH}/{id}");
        if shell.run(&["umount", "-l", &path])?.is_err() {
            shell.say(&format!("warning: failed to unmount {path}"));
        }
        Ok(Ok(()))
    }

    /// One use less; whether there are others.
    fn drop_use(&mut self, id: &str) -> bool {
        let uses = self.uses.get_mut(id);
        let left = uses.map_or(0, |uses| {
            *uses = uses.saturating_sub(1);
            *uses
        });
        if left == 0 {
            self.uses.remove(id);
        }
        left > 0
    }

    /// `docker diff ID` (`NaiveDiffDriver.Changes`).
    pub fn diff(&mut self, shell: &mut Shell<'_>, id: &str) -> Done {
        self.with_trees(shell, id, |shell, tree, below| {
            for change in changes(below.unwrap_or(&Tree::default()), tree) {
                shell.say(&format!("{} {}", change.kind.letter(), change.path));
            }
        })
    }

    /// `docker export ID` (`NaiveDiffDriver.Diff`): the entries of the layer's tar.
    pub fn export(&mut self, shell: &mut Shell<'_>, id: &str) -> Done {
        self.with_trees(shell, id, |shell, tree, below| {
            let mut told = changes(below.unwrap_or(&Tree::default()), tree);
            if below.is_none() {
                // A whole tree is packed as a walk comes by it: `a/b` before `a-b`.
                told.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
            }
            let tar = export(tree, &told);
            for entry in tar {
                shell.say(&line(&entry));
            }
        })
    }

    /// Hands the layer's tree and its parent's, both mounted for the moment.
    fn with_trees(
        &mut self,
        shell: &mut Shell<'_>,
        id: &str,
        show: impl FnOnce(&mut Shell<'_>, &Tree, Option<&Tree>),
    ) -> Done {
        let parent = self.parents.get(id).cloned();
        if let Err(error) = self.get(shell, id)? {
            return Ok(Err(error));
        }
        if let Some(parent) = &parent
            && let Err(error) = self.get(shell, parent)?
        {
            let _ = self.put(shell, id)?;
            return Ok(Err(error));
        }
        let tree = shell.tree(&self.name(id))?;
        let below = match &parent {
            Some(parent) => Some(shell.tree(&self.name(parent))?),
            None => None,
        };
        let shown = match (tree, below.transpose()) {
            (Ok(tree), Ok(below)) => {
                show(shell, &tree, below.as_ref());
                Ok(())
            }
            (Err(errno), _) | (_, Err(errno)) => Err(errno.name().to_owned()),
        };
        if let Some(parent) = &parent {
            let _ = self.put(shell, parent)?;
        }
        let _ = self.put(shell, id)?;
        Ok(shown)
    }
}

/// An entry of a tar as a line: kind, mode, owner, size, name, and what it points to or holds.
fn line(entry: &LayerEntry) -> String {
    let path = entry.path.trim_start_matches('/');
    let told = |kind, it: &Attributes, size, after: &str| {
        format!(
            "{kind} {:04o} {}:{} {size} {path}{after}",
            it.mode, it.uid, it.gid
        )
    };
    // The header of a whiteout has a name and times, and nothing else.
    let whiteout = |directory: &str, name: &str| format!("f 0000 0:0 0 {directory}.wh.{name}");
    match &entry.content {
        LayerContent::Whiteout => {
            let at = path.rfind('/').map_or(0, |slash| slash + 1);
            whiteout(&path[..at], &path[at..])
        }
        LayerContent::Opaque => whiteout(&format!("{path}/"), ".wh..opq"),
        LayerContent::Directory(it) => told('d', it, 0, "/"),
        LayerContent::File(it, pieces) => {
            let size = pieces.iter().map(|piece| piece.len).sum();
            told('f', it, size, &format!(" {}", digest(pieces)))
        }
        LayerContent::Link(it, target) => told('l', it, 0, &format!(" -> {target}")),
        LayerContent::Special(it, special) => {
            let kind = FileKind::Special(*special).letter();
            let numbers = special
                .device()
                .map(|(major, minor)| format!(" {major}:{minor}"));
            told(kind, it, 0, &numbers.unwrap_or_default())
        }
        LayerContent::HardLink(_, first) => {
            format!("h {path} => {}", first.trim_start_matches('/'))
        }
    }
}

fn digest(pieces: &[Piece]) -> String {
    let mut hasher = blake3::Hasher::new();
    for piece in pieces {
        piece.chunks(&mut |chunk| {
            hasher.update(chunk);
            true
        });
    }
    format!("blake3:{}", &hasher.finalize().to_hex()[..16])
}
