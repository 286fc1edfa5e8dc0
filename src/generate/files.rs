//! The mix `files`: system calls of several users on the files of a filesystem, its snapshots and its clones,
//! interleaved, with files that stay open while their names go.

use ztwin_model::dmu::ROOT;
use ztwin_model::dsl::dataset::{Dataset, DatasetId};
use ztwin_model::machine::State;
use ztwin_model::zpl::op::FileKind;
use ztwin_model::zpl::znode::Znode;

use super::draw::Draw;
use super::words;
use crate::pools::Command;

/// A sequence that is being drawn.
pub(super) struct Sequence {
    draw: Draw,
    /// The steps before the drawn ones.
    setup: std::vec::IntoIter<Command>,
    /// How many are still drawn.
    left: usize,
    /// Whether the last look at all is still to come.
    ends: bool,
    /// Seeds of data, each taken once.
    next: u64,
}

/// The processes: root, and two users that have a group in common.
const PROCESSES: [(&str, &str); 3] = [("", ""), ("p2", "1000:1000,50"), ("p3", "1001:1001,50")];

const FILESYSTEMS: [&str; 3] = ["tank/a", "tank/b", "tank/c"];
const SNAPSHOTS: [&str; 3] = ["s1", "s2", "s3"];
const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
const HANDLES: [&str; 4] = ["h1", "h2", "h3", "h4"];
const MODES: [&str; 12] = [
    "0644", "0755", "0600", "0666", "0777", "1777", "2775", "0070", "4755", "2755", "0000", "0311",
];
const OWNERS: [&str; 6] = [
    "0:0",
    "1000:1000",
    "1001:1001",
    "1000:50",
    "1001:50",
    "0:1000",
];

/// Where blocks of one size or another end.
const EDGES: [u64; 9] = [0, 1, 511, 512, 4096, 131_072, 262_144, 1_048_576, 5_000_000];
const LENGTHS: [u64; 7] = [0, 1, 100, 512, 4096, 70_000, 131_072];

const ATTRIBUTES: [&str; 6] = [
    "user.a",
    "user.b",
    "trusted.a",
    "security.a",
    "user.",
    "system.a",
];

type Rule = fn(&mut World<'_>) -> Option<String>;

/// What is drawn, and how often.
const RULES: &[(u64, Rule)] = &[
    (12, |it| it.write()),
    (5, |it| it.read()),
    (5, |it| it.truncate()),
    (3, |it| it.punch()),
    (4, |it| it.seek()),
    (8, |it| it.make("mkdir")),
    (3, |it| it.remove("rmdir")),
    (5, |it| it.remove("unlink")),
    (9, |it| it.rename()),
    (4, |it| it.link()),
    (3, |it| it.symlink()),
    (2, |it| it.look_at("readlink")),
    (3, |it| it.mknod()),
    (6, |it| it.chmod()),
    (5, |it| it.chown()),
    (3, |it| it.utime()),
    (9, |it| it.look_at("times")),
    (6, |it| it.look_at("stat")),
    (2, |it| it.same()),
    (4, |it| it.look_at("readdir")),
    (3, |it| it.set_attribute()),
    (2, |it| it.attribute("getxattr")),
    (2, |it| it.attribute("removexattr")),
    (2, |it| it.look_at("listxattr")),
    (8, |it| it.open()),
    (4, |it| it.close()),
    (2, |it| it.copy()),
    (1, |it| it.tree()),
    (2, |it| it.administer()),
];

fn command(process: &str, line: &str) -> Command {
    Command {
        process: process.to_owned(),
        words: words(line),
        ..Command::default()
    }
}

impl Sequence {
    /// `length` drawn steps.
    pub fn new(mut draw: Draw, length: usize) -> Self {
        let root = |line: &str| command("", line);
        let atime = ["on", "off"][usize::from(draw.chance(1, 3))];
        let mut setup = vec![
            root("vdev /v/a 1G"),
            root(&format!(
                "zpool create -o ashift=12 -O atime={atime} tank /v/a"
            )),
        ];
        let relatime = ["on", "off"][usize::from(draw.chance(1, 3))];
        setup.push(root(&format!("zfs set relatime={relatime} tank")));
        let xattr = ["sa", "dir"][usize::from(draw.chance(1, 3))];
        setup.push(root(&format!("zfs set xattr={xattr} tank")));
        for (process, user) in &PROCESSES[1..] {
            setup.push(command(process, &format!("user {user}")));
        }
        for line in [
            "zfs create tank/a",
            "zfs create -o recordsize=8K tank/b",
            "chmod 1777 tank/a:/",
            "chmod 0777 tank/b:/",
            "mkdir tank/a:/d",
            "chmod 0777 tank/a:/d",
            "write tank/a:/f 0 300K data=text:1",
            "write tank/a:/d/g 0 10 data=random:2",
            "chmod 0666 tank/a:/f",
            "zfs snapshot tank/a@s1",
            "zfs clone tank/a@s1 tank/c",
        ] {
            setup.push(root(line));
        }
        Sequence {
            draw,
            setup: setup.into_iter(),
            left: length,
            ends: true,
            next: 10,
        }
    }

    /// The next step, over this state.
    pub fn next(&mut self, state: &State) -> Option<Command> {
        if let Some(command) = self.setup.next() {
            return Some(command);
        }
        if self.left == 0 {
            return std::mem::take(&mut self.ends).then(|| command("", "zpool sync tank"));
        }
        self.left -= 1;
        loop {
            let weights = [(9, 0), (2, 1), (2, 2)];
            let process = self
                .draw
                .weighted(&weights)
                .map_or("", |&at| PROCESSES[at].0);
            let rule = *self.draw.weighted(RULES)?;
            let mut world = World {
                draw: &mut self.draw,
                next: &mut self.next,
                process,
                state,
            };
            if let Some(line) = rule(&mut world) {
                let line = if world.draw.chance(1, 15) {
                    world.through_control(&line)
                } else {
                    line
                };
                let is_program = line.starts_with('z');
                return Some(command(if is_program { "" } else { process }, &line));
            }
        }
    }
}

/// What a step is chosen from.
struct World<'a> {
    draw: &'a mut Draw,
    next: &'a mut u64,
    process: &'a str,
    state: &'a State,
}

impl<'a> World<'a> {
    /// A filesystem that is there, or a snapshot now and then.
    fn dataset(&mut self) -> Option<String> {
        if self.draw.chance(1, 25) {
            let snapshot = *self.draw.one(&SNAPSHOTS)?;
            let name = format!("tank/a@{snapshot}");
            if self.state.find(&name).is_some() {
                return Some(name);
            }
        }
        let there = |name: &&&str| self.state.find(name).is_some();
        let all: Vec<_> = FILESYSTEMS.iter().filter(there).collect();
        self.draw.one(&all).map(|name| (**name).to_owned())
    }

    fn objects(&self, dataset: &str) -> Vec<(String, &'a Znode)> {
        let state = self.state;
        let found = state.find(dataset).and_then(|id| state.dataset(id));
        let Some(Dataset { objset, .. }) = found else {
            return Vec::new();
        };
        let paths = objset.paths(ROOT).into_iter();
        let known =
            paths.filter_map(|(path, object)| Some((path.to_string(), objset.get(object)?)));
        known.collect()
    }

    /// The object at a path, through no link.
    fn object(&self, at: &str) -> Option<(DatasetId, u64)> {
        let (dataset, path) = at.split_once(':')?;
        let id = self.state.find(dataset)?;
        let paths = self.state.dataset(id)?.objset.paths(ROOT);
        let found = paths.iter().find(|(it, _)| **it == *path)?;
        Some((id, found.1))
    }

    /// A path that leads to something that `is` so, below a dataset; rarely to anything else.
    fn path(&mut self, dataset: &str, is: impl Fn(FileKind) -> bool) -> String {
        let all = self.objects(dataset);
        let fit = all.iter().filter(|(path, it)| path != "/" && is(it.kind()));
        let fit: Vec<_> = fit.map(|(path, _)| path.clone()).collect();
        if self.draw.chance(1, 25) || fit.is_empty() {
            return self.new_path(dataset);
        }
        let found = self.draw.one(&fit).cloned();
        found.unwrap_or_default()
    }

    /// A path that mostly leads to nothing, in a directory that is there.
    fn new_path(&mut self, dataset: &str) -> String {
        let all = self.objects(dataset);
        let directories = all.iter().filter(|(_, it)| it.is_directory());
        // Not too deep.
        let directories: Vec<_> = directories
            .map(|(path, _)| path.clone())
            .filter(|path| path.matches('/').count() < 4)
            .collect();
        let above = self.draw.one(&directories).cloned().unwrap_or_default();
        let above = above.trim_end_matches('/').to_owned();
        for _ in 0..3 {
            let name = self.draw.one(&NAMES).copied().unwrap_or("a");
            let path = format!("{above}/{name}");
            if !all.iter().any(|(there, _)| *there == path) {
                return path;
            }
        }
        format!("{above}/j")
    }

    fn at(&mut self, is: impl Fn(FileKind) -> bool) -> Option<String> {
        let dataset = self.dataset()?;
        let path = self.path(&dataset, is);
        Some(format!("{dataset}:{path}"))
    }

    fn new_at(&mut self) -> Option<String> {
        let dataset = self.dataset()?;
        let path = if self.draw.chance(1, 15) {
            self.path(&dataset, |_| true)
        } else {
            self.new_path(&dataset)
        };
        Some(format!("{dataset}:{path}"))
    }

    /// A file by path or by a handle of the process.
    fn target(&mut self, is: impl Fn(FileKind) -> bool) -> Option<String> {
        let open: Vec<_> = self.handles();
        if self.draw.chance(2, 7)
            && let Some(handle) = self.draw.one(&open)
        {
            return Some(handle.clone());
        }
        self.at(is)
    }

    /// The same step with paths that go through the control directory.
    fn through_control(&mut self, line: &str) -> String {
        let words = line.split(' ').map(|word| match word.split_once(":/") {
            Some((dataset, path)) => self.controlled(dataset, path),
            None => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// A path in the control directory of a filesystem, or below it in a snapshot.
    fn controlled(&mut self, dataset: &str, path: &str) -> String {
        let (filesystem, snapshot) = match dataset.split_once('@') {
            Some((filesystem, snapshot)) => (filesystem, Some(snapshot)),
            None => (dataset, self.draw.one(&SNAPSHOTS).copied()),
        };
        let snapshot = snapshot.unwrap_or("s1");
        let below = match self.draw.below(10) {
            0 => "/.zfs".to_owned(),
            1 => "/.zfs/snapshot".to_owned(),
            2 => "/.zfs/shares".to_owned(),
            3 => "/.zfs/new".to_owned(),
            4 | 5 => format!("/.zfs/snapshot/{snapshot}"),
            _ if path.is_empty() => format!("/.zfs/snapshot/{snapshot}"),
            _ => format!("/.zfs/snapshot/{snapshot}/{path}"),
        };
        format!("{filesystem}:{below}")
    }

    fn handles(&self) -> Vec<String> {
        let open = self.state.open_files.iter();
        let mine = open.filter(|(handle, _)| *handle.process == *self.process);
        mine.map(|(handle, _)| handle.name.to_string()).collect()
    }

    /// Whether somebody has a file open that a rollback would reach.
    fn is_open(&self) -> bool {
        let rolled = self.state.find("tank/a");
        rolled.is_some_and(|id| self.state.open_files.on_dataset(id))
    }

    fn offset(&mut self) -> u64 {
        let edge = self.draw.one(&EDGES).copied().unwrap_or(0);
        if self.draw.chance(1, 3) {
            edge + self.draw.below(5000)
        } else {
            edge
        }
    }

    fn data(&mut self) -> String {
        *self.next += 1;
        match self.draw.below(4) {
            0 => "data=zero".to_owned(),
            1 => format!("data=text:{}", self.next),
            _ => format!("data=random:{}", self.next),
        }
    }

    fn write(&mut self) -> Option<String> {
        let to = if self.draw.chance(1, 3) {
            self.new_at()?
        } else {
            self.target(|kind| kind == FileKind::File)?
        };
        let (offset, len) = (self.offset(), *self.draw.one(&LENGTHS)?);
        Some(format!("write {to} {offset} {len} {}", self.data()))
    }

    fn read(&mut self) -> Option<String> {
        let from = self.target(|kind| kind == FileKind::File)?;
        Some(format!(
            "read {from} {} {}",
            self.offset(),
            self.draw.one(&LENGTHS)?
        ))
    }

    fn truncate(&mut self) -> Option<String> {
        let file = self.target(|kind| kind == FileKind::File)?;
        Some(format!("truncate {file} {}", self.offset()))
    }

    fn punch(&mut self) -> Option<String> {
        let file = self.target(|kind| kind == FileKind::File)?;
        let len = 1 + self.offset();
        Some(format!("punch {file} {} {len}", self.offset()))
    }

    fn seek(&mut self) -> Option<String> {
        let file = self.target(|kind| kind == FileKind::File)?;
        let what = self.draw.one(&["data", "hole"])?;
        Some(format!("seek {file} {what} {}", self.offset()))
    }

    fn make(&mut self, verb: &str) -> Option<String> {
        Some(format!("{verb} {}", self.new_at()?))
    }

    fn remove(&mut self, verb: &str) -> Option<String> {
        let directories = verb == "rmdir";
        let at = self.at(|kind| (kind == FileKind::Directory) == directories)?;
        Some(format!("{verb} {at}"))
    }

    fn rename(&mut self) -> Option<String> {
        let how = [
            (6, ""),
            (1, "--noreplace "),
            (1, "--exchange "),
            (1, "--whiteout "),
        ];
        let how = *self.draw.weighted(&how)?;
        let dataset = self.dataset()?;
        let from = self.path(&dataset, |_| true);
        let other = if self.draw.chance(1, 12) {
            self.dataset()?
        } else {
            dataset.clone()
        };
        let to = if how.starts_with("--e") || self.draw.chance(1, 4) {
            self.path(&other, |_| true)
        } else {
            self.new_path(&other)
        };
        Some(format!("rename {how}{dataset}:{from} {other}:{to}"))
    }

    fn link(&mut self) -> Option<String> {
        let dataset = self.dataset()?;
        let from = if self.draw.chance(1, 5) {
            self.handles().first()?.clone()
        } else {
            let path = self.path(&dataset, |kind| kind != FileKind::Directory);
            format!("{dataset}:{path}")
        };
        let to = self.new_path(&dataset);
        Some(format!("link {from} {dataset}:{to}"))
    }

    fn symlink(&mut self) -> Option<String> {
        let dataset = self.dataset()?;
        let target = match self.draw.below(4) {
            0 => "../d".to_owned(),
            1 => (*self.draw.one(&NAMES)?).to_owned(),
            _ => self.path(&dataset, |_| true),
        };
        let at = self.new_path(&dataset);
        Some(format!("symlink {target} {dataset}:{at}"))
    }

    fn mknod(&mut self) -> Option<String> {
        let what = self
            .draw
            .one(&["c 0:0", "c 0:0", "b 400:3", "c 400:1", "p", "s"])?;
        let mode = self.draw.one(&MODES)?;
        Some(format!("mknod {mode} {} {what}", self.new_at()?))
    }

    fn look_at(&mut self, verb: &str) -> Option<String> {
        let target = match verb {
            "readlink" => self.at(|kind| kind == FileKind::Link)?,
            "listxattr" => self.at(|_| true)?,
            "readdir" if self.draw.chance(1, 3) => format!("{}:/", self.dataset()?),
            "readdir" => self.target(|kind| kind == FileKind::Directory)?,
            _ => self.target(|_| true)?,
        };
        Some(format!("{verb} {target}"))
    }

    fn chmod(&mut self) -> Option<String> {
        let mode = *self.draw.one(&MODES)?;
        Some(format!(
            "chmod {mode} {}",
            self.target(|kind| kind != FileKind::Link)?
        ))
    }

    fn chown(&mut self) -> Option<String> {
        let owner = *self.draw.one(&OWNERS)?;
        Some(format!("chown {owner} {}", self.target(|_| true)?))
    }

    fn utime(&mut self) -> Option<String> {
        let times = [(3, "1000000"), (3, "now"), (1, "keep")];
        let modification = *self.draw.weighted(&times)?;
        let access = *self.draw.weighted(&times)?;
        Some(format!(
            "utime {modification} {} {access}",
            self.target(|_| true)?
        ))
    }

    fn same(&mut self) -> Option<String> {
        let (one, other) = (self.at(|_| true)?, self.at(|_| true)?);
        Some(format!("same {one} {other}"))
    }

    fn name(&mut self) -> Option<&'static str> {
        let weighted = [(6, 0), (4, 1), (2, 2), (2, 3), (1, 4), (1, 5)];
        self.draw.weighted(&weighted).map(|&at| ATTRIBUTES[at])
    }

    fn set_attribute(&mut self) -> Option<String> {
        let at = self.at(|kind| kind != FileKind::Link)?;
        let (name, len) = (self.name()?, *self.draw.one(&[1, 30, 200, 5000])?);
        *self.next += 1;
        Some(format!(
            "setxattr {at} {name} {len} data=random:{}",
            self.next
        ))
    }

    fn attribute(&mut self, verb: &str) -> Option<String> {
        let at = self.at(|kind| kind != FileKind::Link)?;
        Some(format!("{verb} {at} {}", self.name()?))
    }

    fn open(&mut self) -> Option<String> {
        let handle = *self.draw.one(&HANDLES)?;
        if self.handles().iter().any(|it| it == handle) && !self.draw.chance(1, 10) {
            return None;
        }
        let flags = [
            (6, "r"),
            (6, "rw"),
            (2, "w"),
            (4, "rw,creat"),
            (2, "rw,creat,excl"),
            (2, "w,trunc"),
            (2, "rw,creat,trunc"),
            (2, "w,append"),
            (1, "r,nofollow"),
            (2, "r,directory"),
            (3, "rw,tmpfile"),
            (1, "w,tmpfile,excl"),
            (1, "r,creat"),
        ];
        let flags = *self.draw.weighted(&flags)?;
        let at = if flags.contains("creat") && self.draw.chance(2, 3) {
            self.new_at()?
        } else if flags.contains("tmpfile") || flags.contains("directory") {
            self.at(|kind| kind == FileKind::Directory)?
        } else {
            self.at(|kind| kind == FileKind::File)?
        };
        Some(format!("open {handle} {at} {flags}"))
    }

    fn close(&mut self) -> Option<String> {
        let open = self.handles();
        Some(format!("close {}", self.draw.one(&open)?))
    }

    fn copy(&mut self) -> Option<String> {
        let from = self.at(|kind| kind == FileKind::File)?;
        let to = self.at(|kind| kind == FileKind::File)?;
        // One that reaches the end of the file that it writes to hangs the kernel.
        if self.object(&from) == self.object(&to) {
            return None;
        }
        let (offset, at, len) = (self.offset(), self.offset(), self.draw.one(&LENGTHS)?);
        Some(format!("copy_file_range {from} {offset} {to} {at} {len}"))
    }

    fn tree(&mut self) -> Option<String> {
        // What somebody else may not see makes a user's tree end at once.
        if !self.process.is_empty() {
            return None;
        }
        Some(format!("tree {}", self.dataset()?))
    }

    fn administer(&mut self) -> Option<String> {
        let snapshot = *self.draw.one(&SNAPSHOTS)?;
        let there = self.state.find(&format!("tank/a@{snapshot}")).is_some();
        Some(match self.draw.below(8) {
            0 | 1 if there && self.is_open() => return None,
            0 | 1 if there => format!("zfs rollback -r tank/a@{snapshot}"),
            0 | 1 => format!("zfs snapshot tank/a@{snapshot}"),
            2 if there => format!("zfs clone tank/a@{snapshot} tank/c"),
            3 => "zfs destroy tank/c".to_owned(),
            4 if there && self.draw.chance(1, 2) => {
                format!(
                    "zfs rename tank/a@{snapshot} tank/a@{}",
                    self.draw.one(&SNAPSHOTS)?
                )
            }
            4 => format!("zfs destroy tank/a@{snapshot}"),
            5 => {
                let filesystem = *self.draw.one(&FILESYSTEMS)?;
                let value = *self.draw.weighted(&[(3, "off"), (1, "on")])?;
                format!("zfs set readonly={value} {filesystem}")
            }
            6 => "zpool sync tank".to_owned(),
            _ => return None,
        })
    }
}
