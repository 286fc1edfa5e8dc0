//! Docker's graph driver `zfs` and that of containers/storage, which came from it, as one state machine:
//! the commands of `zfs.go` in both, in their order, with their reactions to errors. [`Rules`] has what
//! the two, and their versions, do differently.
//!
//! `docker create left from base` makes one layer; what `docker create` makes for a container on the
//! command line is two: `left-init` from the image's top layer, then `left` from `left-init`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ztwin_model::dmu::data::Piece;
use ztwin_model::layer::{
    Attributes, Change, Daemon, Entry, Kind, LayerContent, LayerEntry, Member, Tree, changes_for,
    export, members, plan, unpacked_size,
};
use ztwin_model::zpl::op::FileKind;

use super::gozfs::{self, COLUMNS, Dataset, Library};
use super::shell::{Failure, Halt, Ran, Shell, attempt};
use super::{Done, Driver, Started, tar};

/// What `Remove` makes of a dataset that cannot be destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// An error, also when it is not there.
    Error,
    /// If ZFS says that it is not there, it is removed.
    Removed,
    /// If it cannot be listed, for whatever reason, it is removed.
    Unlisted,
    /// If ZFS says that it is not there, and the dataset above it is, then it is removed.
    Checked,
}

/// What a driver is, and what its version does differently.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Where it mounts layers.
    graph: &'static str,
    /// The library that it has.
    pub library: Library,
    /// Whose rules it has for what is in a layer.
    daemon: Daemon,
    gone: Gone,
    /// containers/storage: a new base gets a mode, a layer can be had read-only, the counter of uses
    /// looks at the mount table.
    storage: bool,
    /// The driver as it should be: it keeps the promises that the others break.
    corrected: bool,
}

impl Rules {
    /// Docker's, by version; `None`: there is no such one.
    pub fn docker(version: Option<&str>) -> Option<Rules> {
        let (library, daemon, gone) = match version {
            Some("20.10") => (Library::V2, Daemon::Docker20, Gone::Error),
            Some("26.1") => (Library::V3, Daemon::Docker26, Gone::Error),
            Some("28") => (Library::V3, Daemon::Docker26, Gone::Removed),
            None | Some("29") => (Library::V4, Daemon::Docker29, Gone::Removed),
            Some("corrected") => (Library::V4, Daemon::Docker29, Gone::Checked),
            Some(_) => return None,
        };
        Some(Rules {
            graph: "/var/lib/docker/zfs/graph",
            library,
            daemon,
            gone,
            storage: false,
            corrected: version == Some("corrected"),
        })
    }

    /// That of containers/storage, by version.
    pub fn storage(version: Option<&str>) -> Option<Rules> {
        let (library, daemon, gone) = match version {
            Some("1.43") => (Library::V3_0, Daemon::Storage43, Gone::Error),
            None | Some("1.57") => (Library::V3, Daemon::Storage57, Gone::Unlisted),
            Some("corrected") => (Library::V3, Daemon::Storage57, Gone::Checked),
            Some(_) => return None,
        };
        Some(Rules {
            graph: "/var/lib/containers/storage/zfs/graph",
            library,
            daemon,
            gone,
            storage: true,
            corrected: version == Some("corrected"),
        })
    }
}

/// The driver, started by `docker init` or `storage init`.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    rules: Rules,
    /// The dataset that layers are children of (`zfs.fsname`), as it was at the start.
    root: Dataset,
    /// What `Exists` believes: filled at the start, never looked up again.
    known: BTreeSet<String>,
    /// How often each layer is in use (`graphdriver.RefCounter`).
    uses: BTreeMap<String, u32>,
    /// Which layer each was made from: the layer store's knowledge, which `diff` needs.
    parents: BTreeMap<String, String>,
    /// The next snapshot's name. The real one takes the clock's nanoseconds.
    clock: u64,
}

/// How many names of snapshots the corrected driver tries.
const TRIES: u32 = 16;

impl Driver for Graph {
    fn library(&self) -> Library {
        self.rules.library
    }

    /// The layer store knows its layers from files.
    fn restart(&self, shell: &mut Shell<'_>) -> Started<Graph> {
        Ok(
            Self::init(shell, self.rules, &self.root.name)?.map(|started| Graph {
                parents: self.parents.clone(),
                clock: self.clock,
                ..started
            }),
        )
    }

    fn run(&mut self, shell: &mut Shell<'_>, step: &[&str]) -> Option<Done> {
        let storage = self.rules.storage;
        Some(match step {
            ["create", id, rest @ ..] => {
                let (parent, rest) = super::from(rest);
                let size = match rest {
                    [] => None,
                    [size] => Some(size.strip_prefix("size=")?),
                    _ => return None,
                };
                self.create(shell, id, parent, size)
            }
            ["template", id, template] if storage => self.template(shell, id, template),
            ["remove", id] => self.remove(shell, id),
            ["exists", id] => self.exists(shell, id),
            ["get", id] => self.get(shell, id, false),
            ["get", id, "ro"] if storage => self.get(shell, id, true),
            ["put", id] => self.put(shell, id),
            ["status"] => self.status(shell),
            ["metadata", id] => {
                shell.say(&format!("Mountpoint {}", self.path(id)));
                shell.say(&format!("Dataset {}", self.name(id)));
                Ok(Ok(()))
            }
            ["diff", id, rest @ ..] => {
                let parent = self.below(id, rest)?;
                self.diff(shell, id, Some(&*parent).filter(|it| !it.is_empty()))
            }
            ["diffsize", id, rest @ ..] => {
                let parent = self.below(id, rest)?;
                self.diff_size(shell, id, Some(&*parent).filter(|it| !it.is_empty()))
            }
            ["export", id] => self.export(shell, id),
            ["apply", id, "from", from] => self.apply_layer(shell, id, from),
            ["apply", id, data] => {
                let name = data.strip_prefix("data=hash:")?;
                self.apply_archive(shell, id, name)
            }
            ["usage", id] if storage => self.usage(shell, id),
            ["layers"] if storage => Ok(Err("driver not supported".to_owned())),
            ["clock", number] => {
                self.clock = number.parse().ok()?;
                Ok(Ok(()))
            }
            _ => return None,
        })
    }
}

impl Graph {
    /// `docker init POOL/FS [version=VERSION]` (`Init` with the option `zfs.fsname`).
    pub fn init(shell: &mut Shell<'_>, rules: Rules, root: &str) -> Started<Graph> {
        let listed = shell.rows(&["-rHp", "-t", "filesystem", "-o", COLUMNS, root])?;
        let rows = match listed {
            Ok(rows) => rows,
            Err(failure) => {
                let cannot = if rules.storage { "cannot" } else { "Cannot" };
                return Ok(Err(format!(
                    "{cannot} find root filesystem {root}: {failure}"
                )));
            }
        };
        let Some(found) = rows.iter().find(|row| row.name == root).cloned() else {
            let bug = if rules.storage { "" } else { "BUG: " };
            return Ok(Err(format!(
                "{bug}zfs get all -t filesystem -rHp '{root}' should contain '{root}'"
            )));
        };
        Ok(Ok(Graph {
            rules,
            root: found,
            known: rows.into_iter().map(|row| row.name).collect(),
            uses: BTreeMap::new(),
            parents: BTreeMap::new(),
            clock: 1,
        }))
    }

    fn name(&self, id: &str) -> String {
        format!("{}/{id}", self.root.name)
    }

    fn path(&self, id: &str) -> String {
        format!("{}/{id}", self.rules.graph)
    }

    /// `docker create ID [from PARENT] [size=SIZE]` (`Create`): one retry after clearing away what an
    /// aborted one left.
    fn create(
        &mut self,
        shell: &mut Shell<'_>,
        id: &str,
        parent: Option<&str>,
        size: Option<&str>,
    ) -> Done {
        // `create` of both takes this for no size.
        let size = size.filter(|size| *size != "0");
        if self.rules.corrected {
            attempt!(self.create_safely(shell, id, parent, size));
        } else if let Err(failure) = self.create_once(shell, id, parent, size)? {
            if !failure.ends_with_line("dataset already exists") {
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
        let Some(parent) = parent else {
            return self.create_base(shell, id, size);
        };
        let snapshot = format!("{}@{}", self.name(parent), self.clock);
        self.clock += 1;
        if let Err(failure) = shell.run(&["zfs", "snapshot", &snapshot])? {
            return Ok(Err(failure));
        }
        let cloned = self.clone_of(shell, &snapshot, &name, None)?;
        if cloned.is_err() {
            return Ok(cloned);
        }
        match size {
            // The quota comes when the dataset exists already: a size that ZFS refuses leaves it behind.
            Some(size) => set_quota(shell, &name, size),
            None => Ok(Ok(())),
        }
    }

    /// A layer without a parent. That of containers/storage gets its mode through a mount.
    fn create_base(&mut self, shell: &mut Shell<'_>, id: &str, size: Option<&str>) -> Ran<()> {
        let (name, path) = (self.name(id), self.path(id));
        let quota = size.map(|size| format!("quota={size}"));
        let mut words = vec!["zfs", "create", "-o", "mountpoint=legacy"];
        if self.rules.corrected
            && let Some(quota) = &quota
        {
            words.extend(["-o", quota]);
        }
        words.push(&name);
        let made = match shell.run(&words)? {
            Ok(_) => shell.dataset(&name)?,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Err(failure) = made {
            return Ok(Err(failure));
        }
        let limited = match size {
            Some(size) if !self.rules.corrected => set_quota(shell, &name, size)?,
            _ => Ok(()),
        };
        if limited.is_ok() {
            self.known.insert(name.clone());
        }
        if !self.rules.storage {
            return Ok(limited);
        }
        if let Err(failure) = shell.run(&["mount", &name, &path])? {
            let errno = failure.stderr.trim_end();
            return Ok(Err(Failure::of_library(&format!(
                "creating zfs mount: mount {name}:{path}: {errno}"
            ))));
        }
        let top = format!("{name}:/");
        let mut done = limited;
        for (words, what) in [
            (["chmod", "0555", &top], "setting permissions on zfs mount"),
            (["chown", "0:0", &top], "modifying zfs mountpoint ownership"),
        ] {
            if let Err(failure) = shell.run(&words)? {
                let errno = failure.stderr.trim_end();
                done = Err(Failure::of_library(&format!("{what}: {errno}")));
                break;
            }
        }
        // An error is only logged.
        let _ = shell.run(&["umount", "-l", &path])?;
        Ok(done)
    }

    /// `cloneFilesystem`, but for the snapshot's making: a clone of it, and the snapshot marked to go
    /// with the clone.
    fn clone_of(
        &mut self,
        shell: &mut Shell<'_>,
        snapshot: &str,
        name: &str,
        quota: Option<&str>,
    ) -> Ran<()> {
        if let Err(failure) = shell.dataset(snapshot)? {
            return Ok(Err(failure));
        }
        let mut words = vec!["zfs", "clone", "-p", "-o", "mountpoint=legacy"];
        if let Some(quota) = quota {
            words.extend(["-o", quota]);
        }
        words.extend([snapshot, name]);
        let cloned = match shell.run(&words)? {
            Ok(_) => shell.dataset(name)?.map(|_| ()),
            Err(failure) => Err(failure),
        };
        if cloned.is_ok() {
            self.known.insert(name.to_owned());
        }
        let marked = shell.run(&["zfs", "destroy", "-d", snapshot])?;
        Ok(cloned.and(marked.map(|_| ())))
    }

    /// `create` as it should be: nothing that others are made from is destroyed, and what fails leaves
    /// nothing behind.
    fn create_safely(
        &mut self,
        shell: &mut Shell<'_>,
        id: &str,
        parent: Option<&str>,
        size: Option<&str>,
    ) -> Ran<()> {
        let name = self.name(id);
        let quota = size.map(|size| format!("quota={size}"));
        // What is left of an aborted creation is cleared away once, and not with what was cloned from it.
        let mut cleared = false;
        loop {
            let made = match parent {
                None => self.create_base(shell, id, size)?,
                Some(parent) => match self.snapshot_of(shell, parent)? {
                    Ok(snapshot) => self.clone_of(shell, &snapshot, &name, quota.as_deref())?,
                    Err(failure) => return Ok(Err(failure)),
                },
            };
            match made {
                Err(failure) if !cleared && failure.ends_with_line("dataset already exists") => {
                    if let Err(failure) = shell.run(&["zfs", "destroy", "-r", &name])? {
                        return Ok(Err(failure));
                    }
                    cleared = true;
                }
                made => return Ok(made),
            }
        }
    }

    /// A snapshot of a layer with a name that nobody has yet.
    fn snapshot_of(&mut self, shell: &mut Shell<'_>, parent: &str) -> Ran<String> {
        let mut tries = TRIES;
        loop {
            let snapshot = format!("{}@{}", self.name(parent), self.clock);
            self.clock += 1;
            tries -= 1;
            match shell.run(&["zfs", "snapshot", &snapshot])? {
                Ok(_) => return Ok(Ok(snapshot)),
                Err(failure) if tries > 0 && failure.ends_with_line("dataset already exists") => {}
                Err(failure) => return Ok(Err(failure)),
            }
        }
    }

    /// `storage template ID TEMPLATE` (`CreateFromTemplate`): a layer from the template itself, though
    /// the store knows it as one of the template's parent.
    fn template(&mut self, shell: &mut Shell<'_>, id: &str, template: &str) -> Done {
        let done = self.create(shell, id, Some(template), None)?;
        if done.is_ok() {
            match self.parents.get(template).cloned() {
                Some(parent) => self.parents.insert(id.to_owned(), parent),
                None => self.parents.remove(id),
            };
        }
        Ok(done)
    }

    /// `docker remove ID` (`Remove`).
    fn remove(&mut self, shell: &mut Shell<'_>, id: &str) -> Done {
        let name = self.name(id);
        if let Err(failure) = shell.run(&["zfs", "destroy", "-r", &name])? {
            let gone = match self.rules.gone {
                Gone::Error => false,
                Gone::Removed => failure.ends_with("dataset does not exist"),
                Gone::Unlisted => shell.dataset(&name)?.is_err(),
                Gone::Checked => {
                    failure.ends_with("dataset does not exist")
                        && shell.dataset(&self.root.name.clone())?.is_ok()
                }
            };
            if !gone {
                return Ok(Err(failure.to_string()));
            }
            shell.say(&format!("warning: {name} was gone already"));
        }
        self.known.remove(&name);
        self.parents.remove(id);
        Ok(Ok(()))
    }

    /// `docker exists ID` (`Exists`): what the driver believes, without a look.
    fn exists(&self, shell: &mut Shell<'_>, id: &str) -> Done {
        let name = self.name(id);
        let exists = if self.rules.corrected {
            match shell.dataset(&name)? {
                Ok(_) => true,
                Err(failure) if failure.ends_with("dataset does not exist") => false,
                Err(failure) => return Ok(Err(failure.to_string())),
            }
        } else {
            self.known.contains(&name)
        };
        shell.say(if exists { "yes" } else { "no" });
        Ok(Ok(()))
    }

    /// The counter of uses goes up or down (`RefCounter.incdec`). What it does not know it takes for in
    /// use if it is mounted; that of containers/storage forgets what is mounted no more.
    fn count(&mut self, shell: &mut Shell<'_>, id: &str, more: bool) -> Result<u32, Halt> {
        let path = self.path(id);
        let uses = match self.uses.get(id) {
            None => u32::from(shell.is_mounted(&path)?),
            Some(_) if self.rules.storage && !shell.is_mounted(&path)? => 0,
            Some(uses) => *uses,
        };
        let uses = if more {
            uses + 1
        } else {
            uses.saturating_sub(1)
        };
        if uses == 0 {
            self.uses.remove(id);
        } else {
            self.uses.insert(id.to_owned(), uses);
        }
        Ok(uses)
    }

    /// `docker get ID` (`Get`): the first use mounts. `storage get ID ro` mounts the same way and then
    /// asks for a remount, but its helper takes a remount without data of its own for done.
    fn get(&mut self, shell: &mut Shell<'_>, id: &str, read_only: bool) -> Done {
        if self.count(shell, id, true)? > 1 {
            return Ok(Ok(()));
        }
        let (name, path) = (self.name(id), self.path(id));
        let mut words = vec!["mount"];
        if read_only && self.rules.corrected {
            words.extend(["-o", "ro"]);
        }
        words.extend([name.as_str(), &path]);
        let mut done = Ok(());
        // That of containers/storage takes a place where anything is mounted for done.
        let there = self.rules.storage && shell.is_mounted(&path)?;
        if !there && let Err(failure) = shell.run(&words)? {
            let error = if self.rules.storage { "" } else { "error " };
            let errno = failure.stderr.trim_end();
            done = Err(format!(
                "{error}creating zfs mount: mount {name}:{path}: {errno}"
            ));
        }
        // The root belongs to the user that is root in containers.
        if done.is_ok()
            && !self.rules.storage
            && let Err(failure) = shell.run(&["chown", "0:0", &format!("{name}:/")])?
        {
            let errno = failure.stderr.trim_end();
            done = Err(format!(
                "error modifying zfs mountpoint ({path}) directory ownership: {errno}"
            ));
        }
        if done.is_err() && self.count(shell, id, false)? == 0 {
            // What it says then is what went wrong first.
            let _ = shell.run(&["umount", &path])?;
        }
        Ok(done)
    }

    /// `docker put ID` (`Put`): the last use unmounts, lazily; an error is only logged.
    fn put(&mut self, shell: &mut Shell<'_>, id: &str) -> Done {
        if self.count(shell, id, false)? > 0 {
            return Ok(Ok(()));
        }
        let path = self.path(id);
        if shell.run(&["umount", "-l", &path])?.is_err() {
            shell.say(&format!("warning: failed to unmount {path}"));
        }
        Ok(Ok(()))
    }

    /// `docker status` (`Status`): the pool as it is, the dataset as it was at the start.
    fn status(&self, shell: &mut Shell<'_>) -> Done {
        let pool = self.root.name.split('/').next().unwrap_or_default();
        let (name, health) = match gozfs::pool(shell, pool, self.rules.corrected)? {
            Ok(pool) => (pool.name, pool.health),
            Err(failure) => (
                format!("error while getting pool information {failure}"),
                "not available".to_owned(),
            ),
        };
        let root = &self.root;
        let quota = if root.quota == "0" { "no" } else { &root.quota };
        for (key, value) in [
            ("Zpool", name.as_str()),
            ("Zpool Health", &health),
            ("Parent Dataset", &root.name),
            ("Space Used By Parent", &root.used),
            ("Space Available", &root.available),
            ("Parent Quota", quota),
            ("Compression", &root.compression),
        ] {
            shell.say(&format!("{key}: {value}"));
        }
        Ok(Ok(()))
    }

    /// The layer to compare with: what `[from PARENT]` says, or else the one that the layer store knows; an
    /// empty name is none. `None`: the words are something else.
    fn below(&self, id: &str, words: &[&str]) -> Option<String> {
        match super::from(words) {
            (None, []) => Some(self.parents.get(id).cloned().unwrap_or_default()),
            (Some(parent), []) => Some(parent.to_owned()),
            _ => None,
        }
    }

    /// `docker diff ID [from PARENT]` (`NaiveDiffDriver.Changes`).
    fn diff(&mut self, shell: &mut Shell<'_>, id: &str, parent: Option<&str>) -> Done {
        self.with_changes(shell, id, parent, |shell, _, told, _| {
            for change in told {
                shell.say(&format!("{} {}", change.kind.letter(), change.path));
            }
        })
    }

    /// `docker diffsize ID [from PARENT]` (`NaiveDiffDriver.DiffSize`): looks at the changes, then gets
    /// the layer once more for the sizes.
    fn diff_size(&mut self, shell: &mut Shell<'_>, id: &str, parent: Option<&str>) -> Done {
        let mut size = 0;
        let done = self.with_changes(shell, id, parent, |_, tree, told, _| {
            size = changed_size(tree, &told);
        })?;
        if done.is_err() {
            return Ok(done);
        }
        if let Err(error) = self.get(shell, id, false)? {
            return Ok(Err(error));
        }
        shell.say(&format!("size {size}"));
        self.put(shell, id)
    }

    /// `docker export ID` (`NaiveDiffDriver.Diff`): the entries of the layer's tar.
    fn export(&mut self, shell: &mut Shell<'_>, id: &str) -> Done {
        self.with_layer(shell, id, |shell, tar| {
            for entry in tar {
                shell.say(&line(&entry));
            }
        })
    }

    /// `docker apply ID from OTHER`: what `export OTHER` gives is put onto the layer.
    fn apply_layer(&mut self, shell: &mut Shell<'_>, id: &str, from: &str) -> Done {
        let mut layer = Vec::new();
        let exported = self.with_layer(shell, from, |_, tar| layer = tar)?;
        if exported.is_err() {
            return Ok(exported);
        }
        self.apply(shell, id, &members(&layer))
    }

    /// `docker apply ID data=hash:HEX`: the archive of that hash is put onto the layer.
    fn apply_archive(&mut self, shell: &mut Shell<'_>, id: &str, name: &str) -> Done {
        let archive = match shell.blob(name) {
            Ok(archive) => archive,
            Err(error) => return Ok(Err(error)),
        };
        match tar::read(&archive[..]) {
            Ok(members) => self.apply(shell, id, &members),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// `NaiveDiffDriver.ApplyDiff`. Of a layer that is refused nothing is put: the daemon leaves what came before, and
    /// then removes all of it.
    fn apply(&mut self, shell: &mut Shell<'_>, id: &str, layer: &[Member]) -> Done {
        if let Err(error) = self.get(shell, id, false)? {
            return Ok(Err(error));
        }
        let done = put_onto(shell, &self.name(id), layer, self.rules.daemon)?;
        if done.is_ok() {
            shell.say(&format!("size {}", unpacked_size(layer)));
        }
        let _ = self.put(shell, id)?;
        Ok(done)
    }

    /// `storage usage ID` (`ReadWriteDiskUsage`): a walk of the place where the layer is mounted, or not.
    fn usage(&self, shell: &mut Shell<'_>, id: &str) -> Done {
        let path = self.path(id);
        if !shell.is_mounted(&path)? {
            return Ok(Err(format!("lstat {path}: no such file or directory")));
        }
        let tree = match shell.tree(&self.name(id))? {
            Ok(tree) => tree,
            Err(errno) => return Ok(Err(errno.name().to_owned())),
        };
        let mut seen = BTreeSet::new();
        let mut size = 0;
        for entry in &tree.entries {
            if seen.insert(entry.object) {
                size += file_size(entry);
            }
        }
        shell.say(&format!("size {size} inodes {}", seen.len()));
        Ok(Ok(()))
    }

    fn with_layer(
        &mut self,
        shell: &mut Shell<'_>,
        id: &str,
        show: impl FnOnce(&mut Shell<'_>, Vec<LayerEntry>),
    ) -> Done {
        let daemon = self.rules.daemon;
        let parent = self.parents.get(id).cloned();
        self.with_changes(
            shell,
            id,
            parent.as_deref(),
            |shell, tree, mut told, base| {
                if base {
                    // A whole tree is packed as a walk comes by it: `a/b` before `a-b`.
                    told.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
                }
                show(shell, export(tree, &told, daemon));
            },
        )
    }

    /// Hands the layer's tree, what changed from a parent's to it, both mounted for the moment, and
    /// whether there is no parent.
    fn with_changes(
        &mut self,
        shell: &mut Shell<'_>,
        id: &str,
        parent: Option<&str>,
        show: impl FnOnce(&mut Shell<'_>, &Tree, Vec<Change>, bool),
    ) -> Done {
        if let Err(error) = self.get(shell, id, true)? {
            return Ok(Err(error));
        }
        if let Some(parent) = parent
            && let Err(error) = self.get(shell, parent, true)?
        {
            let _ = self.put(shell, id)?;
            return Ok(Err(error));
        }
        let tree = shell.tree(&self.name(id))?;
        let below = match parent {
            Some(parent) => shell.tree(&self.name(parent))?,
            None => Ok(Tree::default()),
        };
        let shown = match (tree, below) {
            (Ok(tree), Ok(below)) => {
                let told = changes_for(&below, &tree, self.rules.daemon);
                show(shell, &tree, told, parent.is_none());
                Ok(())
            }
            (Err(errno), _) | (_, Err(errno)) => Err(errno.name().to_owned()),
        };
        if let Some(parent) = parent {
            let _ = self.put(shell, parent)?;
        }
        let _ = self.put(shell, id)?;
        Ok(shown)
    }
}

/// Puts a layer onto what a mounted dataset holds.
fn put_onto(shell: &mut Shell<'_>, name: &str, layer: &[Member], daemon: Daemon) -> Done {
    let tree = match shell.tree(name)? {
        Ok(tree) => tree,
        Err(errno) => return Ok(Err(errno.name().to_owned())),
    };
    let calls = match plan(&Arc::from(name), &tree, layer, daemon) {
        Ok(calls) => calls,
        Err(error) => return Ok(Err(error.to_string())),
    };
    for call in calls {
        if let Err(errno) = shell.call(call)? {
            return Ok(Err(errno));
        }
    }
    Ok(Ok(()))
}

/// `setQuota`
fn set_quota(shell: &mut Shell<'_>, name: &str, size: &str) -> Ran<()> {
    if let Err(failure) = shell.dataset(name)? {
        return Ok(Err(failure));
    }
    let quota = shell.run(&["zfs", "set", &format!("quota={size}"), name])?;
    Ok(quota.map(|_| ()))
}

/// What changed takes (`ChangesSize`): a file with several names once.
fn changed_size(tree: &Tree, told: &[Change]) -> u64 {
    let mut seen = BTreeSet::new();
    told.iter()
        .filter(|change| change.kind != Kind::Deleted)
        .filter_map(|change| tree.get(&change.path))
        .filter(|entry| entry.links <= 1 || seen.insert(entry.object))
        .map(file_size)
        .sum()
}

/// `st_size` of what is no directory.
fn file_size(entry: &Entry) -> u64 {
    if entry.kind() == FileKind::Directory {
        0
    } else {
        entry.size
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
