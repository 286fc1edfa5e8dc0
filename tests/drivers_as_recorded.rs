//! The drivers run the commands that the real ones ran: every call in a recorded session of dockerd,
//! podman or containerd, or of the real drivers' own tests, is foretold by a driver's operation on the
//! model, in that order. Of their own tests, the operations are those of the test's trace.
//!
//! A record says which version it is of, and where the daemon was killed. What it does not have is left
//! out of a foretelling: a change of owner or mode, which is told as what it has changed, and unmounts of
//! what is not mounted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use ztwin::pools::{Blobs, Command, ModelPools, Printed, Session};
use ztwin::trace::{Item, Trace, quote};

/// How many steps the making of a layer takes at most, with what others do meanwhile.
const CREATION: usize = 60;

fn traces(directory: &str) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(Path::new("traces").join(directory))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "trace"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no recorded sessions of {directory}");
    paths
}

/// A recorded step.
#[derive(Clone, Debug, Default)]
struct Recorded {
    words: Vec<String>,
    /// The paragraph before it.
    prose: String,
    /// The driver was killed behind it.
    last: bool,
}

impl Recorded {
    fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    fn line(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|word| quote(word)).collect();
        words.join(" ")
    }

    /// Whether drivers run such a step themselves.
    fn is_drivers(&self) -> bool {
        matches!(self.words[0].as_str(), "zfs" | "mount" | "umount")
            || self
                .words
                .starts_with(&["zpool".into(), "get".into(), "-p".into()])
    }
}

/// A session that is driven step by step, and the recorded steps that are left.
struct Replay<S> {
    driver: &'static str,
    /// Where the driver's datasets are.
    root: &'static str,
    session: S,
    left: VecDeque<Recorded>,
    /// Several operations may be under way at a time.
    side_by_side: bool,
    /// Commands that a driver ran, and that were found in the record.
    foretold: usize,
}

fn replay(path: &Path, driver: &'static str, root: &'static str) -> Replay<impl Session> {
    println!("{}", path.display());
    let text = fs::read(path).unwrap();
    let trace = Trace::parse(&path.display().to_string(), &text).unwrap();
    let mut left: VecDeque<Recorded> = VecDeque::new();
    let (mut prose, mut behind) = (String::new(), false);
    let mut killed = false;
    for item in &trace.items {
        match item {
            Item::Prose(line) => {
                if std::mem::take(&mut behind) {
                    prose.clear();
                }
                prose.push_str(line);
                prose.push(' ');
                killed |= line.contains("is killed behind");
            }
            Item::Step(step) => {
                behind = true;
                let words = step.command.words.iter();
                let recorded = Recorded {
                    words: words.map(|word| at_home(driver, word)).collect(),
                    prose: prose.clone(),
                    last: false,
                };
                if is_start(&recorded, root) && std::mem::take(&mut killed) {
                    let last = left.iter_mut().rev().find(|it| it.is_drivers());
                    last.unwrap().last = true;
                }
                left.push_back(recorded);
            }
            Item::Meta(_) => {}
        }
    }
    let blobs = Blobs::in_directory(Path::new("traces/data"));
    Replay {
        driver,
        root,
        session: ModelPools::new(trace.releases()[0], blobs).session(),
        side_by_side: String::from_utf8_lossy(&text).contains(", at the same time."),
        left,
        foretold: 0,
    }
}

/// The drivers' own tests have them mount elsewhere.
fn at_home(driver: &str, word: &str) -> String {
    let home = match driver {
        "docker" => "/var/lib/docker",
        _ => "/var/lib/containers/storage",
    };
    match word.split_once("/zfs/graph/") {
        Some((_, id)) => format!("{home}/zfs/graph/{id}"),
        None => word.to_owned(),
    }
}

/// What a driver begins with.
fn is_start(recorded: &Recorded, root: &str) -> bool {
    matches!(recorded.words()[..], ["zfs", "list", "-rHp", ..])
        || matches!(recorded.words()[..], ["zfs", "list", "-Hp", .., dataset] if dataset == root)
}

/// The versions that a record is of, as the driver's step names them: the one that made it, and those of
/// which it says that they did the same. `all` has the daemon's and the driver's version.
fn versions(path: &Path, daemon: &str, all: &[(&str, &'static str)]) -> Vec<&'static str> {
    let text = fs::read_to_string(path).unwrap();
    let is_of = |version: &str| {
        let start = format!("{daemon} {version}");
        let same = |line: &str| {
            line.starts_with(&start) && line.ends_with("ran the same commands in this session.")
        };
        text.contains(&format!("from {start}")) || text.lines().any(same)
    };
    let found = all.iter().filter(|(version, _)| is_of(version));
    let found: Vec<_> = found.map(|&(_, drivers)| drivers).collect();
    assert!(!found.is_empty(), "{}: of no version", path.display());
    found
}

impl<S: Session> Replay<S> {
    fn run(&mut self, words: &[&str]) -> Printed {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        let command = Command {
            words,
            ..Command::default()
        };
        self.session.step(&command).unwrap()
    }

    /// Takes the next step that is no driver's.
    fn play(&mut self) {
        let recorded = self.left.pop_front().unwrap();
        // Of operations that went on side by side, nothing is left over.
        let layer = format!("{}/", self.root);
        let is_left = recorded.is_drivers() && recorded.line().contains(&layer);
        assert!(!self.side_by_side || !is_left, "{}", recorded.line());
        self.run(&recorded.words());
    }

    /// The next commands of drivers.
    fn ahead(&self) -> Vec<Recorded> {
        self.left
            .iter()
            .filter(|it| it.is_drivers())
            .take(8)
            .cloned()
            .collect()
    }

    /// Runs a driver's step and takes the recorded steps that it foretells.
    fn foretell(&mut self, step: &[&str]) -> String {
        let mut words = vec![self.driver];
        words.extend(step);
        // Until where it may go before it is killed.
        let ends = self
            .left
            .iter()
            .filter(|it| it.is_drivers())
            .position(|it| it.last);
        if let Some(ends) = ends {
            self.run(&[self.driver, "kill", &(ends + 1).to_string()]);
        }
        let printed = self.run(&words);
        let told = String::from_utf8(printed.out).unwrap();
        assert!(
            !told.is_empty(),
            "{words:?}: {}",
            String::from_utf8_lossy(&printed.err)
        );
        for expected in commands(&told) {
            let recorded = self.take(expected);
            assert_eq!(recorded.line(), expected, "by {words:?}");
            self.foretold += 1;
        }
        told
    }

    /// Takes the next recorded command of a driver; where operations go on side by side, the next one that
    /// is the expected one.
    fn take(&mut self, expected: &str) -> Recorded {
        let is_it = |it: &Recorded| it.is_drivers() && it.line() == expected;
        if self.side_by_side
            && let Some(at) = self.left.iter().take(CREATION).position(is_it)
            && let Some(recorded) = self.left.remove(at)
        {
            return recorded;
        }
        loop {
            let next = self.left.front().expect("the record ends too early");
            if next.is_drivers() {
                return self.left.pop_front().unwrap();
            }
            // What others did meanwhile.
            self.play();
        }
    }

    fn id(&self, dataset: &str) -> String {
        let id = dataset
            .strip_prefix(self.root)
            .and_then(|it| it.strip_prefix('/'));
        id.unwrap_or_else(|| panic!("{dataset} is no layer"))
            .to_owned()
    }

    /// The commands that the driver's steps of a trace run; `init` says how it starts.
    fn told(mut self, init: &[&str]) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(next) = self.left.pop_front() {
            let mut words = next.words();
            if words.starts_with(&[self.driver, "init"]) {
                words.splice(1.., init.iter().copied());
            }
            let printed = self.run(&words);
            if words[0] == self.driver {
                let out = String::from_utf8(printed.out).unwrap();
                told.extend(commands(&out).into_iter().map(str::to_owned));
            }
        }
        told
    }

    /// The commands that the driver ran, as they are recorded; those of containerd's clients are not its.
    fn ran(&self) -> Vec<String> {
        let ran = self.left.iter().skip_while(|it| !is_start(it, self.root));
        let is_its = |it: &&Recorded| {
            it.is_drivers() && (self.driver != "containerd" || it.words[0] == "zfs")
        };
        ran.filter(is_its).map(Recorded::line).collect()
    }

    /// Plays a session of a graph driver; `init` says how it starts.
    fn graph(mut self, init: &[&str]) -> usize {
        let mut mounts = BTreeMap::new();
        let mut started = false;
        while let Some(front) = self.left.front().cloned() {
            if !front.is_drivers() {
                self.play();
                continue;
            }
            let ahead = self.ahead();
            let next = |at: usize| ahead.get(at).map(Recorded::words).unwrap_or_default();
            match front.words()[..] {
                ["zfs", "list", "-rHp", ..] if started => {
                    self.foretell(&["restart"]);
                }
                ["zfs", "list", "-rHp", ..] => {
                    started = true;
                    self.foretell(init);
                }
                ["zpool", "get", ..] => {
                    self.foretell(&["status"]);
                }
                ["zfs", "create", "-o", "mountpoint=legacy", dataset] if matches!(next(1)[..], ["zfs", "list", .., it] if it == dataset) =>
                {
                    let id = self.id(dataset);
                    self.foretell(&["create", &id]);
                }
                ["zfs", "snapshot", snapshot] if is_clock(snapshot) => {
                    let (parent, clock) = snapshot.split_once('@').unwrap();
                    let id = self.created(snapshot);
                    let parent = self.id(parent);
                    // A quota may follow.
                    let quota = ahead
                        .iter()
                        .skip(5)
                        .take(2)
                        .find_map(|it| match it.words()[..] {
                            ["zfs", "set", quota, to] if to.ends_with(&id) => {
                                Some(quota.replacen("quota", "size", 1))
                            }
                            _ => None,
                        });
                    self.run(&[self.driver, "clock", clock]);
                    let mut words = vec!["create", &id, "from", &parent];
                    words.extend(quota.as_deref());
                    self.foretell(&words);
                }
                ["zfs", "destroy", "-r", dataset] if !front.prose.contains("Somebody destroys") => {
                    let id = self.id(dataset);
                    self.foretell(&["remove", &id]);
                }
                ["mount", dataset, path] => {
                    let id = self.id(dataset);
                    mounts.insert(path.to_owned(), id.clone());
                    self.foretell(&["get", &id]);
                }
                ["umount", "-l", path] => {
                    let id = mounts.remove(path).unwrap();
                    self.foretell(&["put", &id]);
                }
                _ => self.play(),
            }
        }
        self.foretold
    }

    /// The layer that is made by way of a snapshot; none is when that is refused, or the end.
    fn created(&self, snapshot: &str) -> String {
        let clones = self
            .left
            .iter()
            .take(CREATION)
            .find_map(|it| match it.words()[..] {
                ["zfs", "clone", .., from, to] if from == snapshot => Some(self.id(to)),
                _ => None,
            });
        clones.unwrap_or_else(|| "unborn".to_owned())
    }

    /// Plays a session of containerd, which names snapshots as it likes: here by their numbers.
    fn snapshots(mut self, init: &[&str]) -> usize {
        let root = format!("{}/", self.root);
        let number = |name: &str| {
            let name = name.strip_prefix(&root).unwrap();
            name.trim_end_matches("@snapshot").to_owned()
        };
        let mut started = false;
        while let Some(front) = self.left.front().cloned() {
            // A number and a driver's command come together.
            if !front.is_drivers() {
                self.play();
                continue;
            }
            let ahead = self.ahead();
            let next = |at: usize| ahead.get(at).map(Recorded::words).unwrap_or_default();
            match (&next(0)[..], &next(1)[..], &next(2)[..]) {
                (["zfs", "list", "-Hp", .., dataset], ..) if *dataset == self.root => {
                    if started {
                        self.foretell(&["restart"]);
                    } else {
                        self.foretell(init);
                    }
                    started = true;
                }
                (["zfs", "create", "-o", "mountpoint=legacy", dataset], ..) => {
                    self.foretell(&["prepare", &format!("key{}", number(dataset))]);
                }
                (["zfs", "list", .., parent], ["zfs", "clone", .., clone], _) => {
                    let key = format!("key{}", number(clone));
                    let parent = format!("name{}", number(parent));
                    self.foretell(&["prepare", &key, "from", &parent]);
                }
                (["zfs", "list", .., dataset], ["zfs", "list", ..], ["zfs", "snapshot", taken])
                    if taken.ends_with("@snapshot") && !dataset.contains('@') =>
                {
                    let number = number(dataset);
                    let (name, key) = (format!("name{number}"), format!("key{number}"));
                    self.foretell(&["commit", &name, &key]);
                }
                (["zfs", "list", ..], ["zfs", "destroy", "-d", snapshot], _) => {
                    self.foretell(&["remove", &format!("name{}", number(snapshot))]);
                }
                (["zfs", "list", .., dataset], ["zfs", "destroy", gone], _)
                    if dataset == gone && !dataset.contains('@') =>
                {
                    self.foretell(&["remove", &format!("key{}", number(dataset))]);
                }
                (["zfs", "list", "-Hp", .., snapshot], ..) if snapshot.ends_with("@snapshot") => {
                    let name = format!("name{}", number(snapshot));
                    // The snapshot is not there.
                    if front.prose.contains("prepare ") {
                        self.foretell(&["prepare", "unborn", "from", &name]);
                    } else {
                        self.foretell(&["remove", &name]);
                    }
                }
                (["zfs", "list", "-Hp", .., dataset], ..) if dataset.starts_with(&root) => {
                    self.foretell(&["mounts", &format!("key{}", number(dataset))]);
                }
                _ => self.play(),
            }
        }
        self.foretold
    }
}

/// The commands that a driver's step tells, but for those that no record has.
fn commands(told: &str) -> Vec<&str> {
    let lines: Vec<&str> = told.lines().collect();
    let commands = lines.iter().enumerate().filter_map(|(at, line)| {
        let command = line.strip_prefix("+ ")?;
        let failed = lines.get(at + 1).is_some_and(|next| next.starts_with("- "));
        let told = match command.split(' ').next()? {
            "chown" | "chmod" => false,
            "umount" => !failed,
            _ => true,
        };
        told.then_some(command)
    });
    commands.collect()
}

/// Commands with numbers in place of the names of layers and snapshots, in the order in which they come.
fn renamed(commands: &[String], root: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut number = |name: &str| {
        let known = names.iter().position(|it| it == name);
        known.unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        })
    };
    let mut rename = |word: &str| match word.rsplit_once('/') {
        Some((place, name)) if place == root || place.ends_with("/zfs/graph") => {
            let names: Vec<_> = name.split('@').map(|it| number(it).to_string()).collect();
            format!("{place}/{}", names.join("@"))
        }
        _ => word.to_owned(),
    };
    let line = |line: &String| {
        let words: Vec<_> = line.split(' ').map(&mut rename).collect();
        words.join(" ")
    };
    commands.iter().map(line).collect()
}

/// Whether a snapshot is named by the clock.
fn is_clock(snapshot: &str) -> bool {
    let clock = snapshot.split_once('@').map(|(_, clock)| clock);
    clock.is_some_and(|clock| !clock.is_empty() && clock.bytes().all(|it| it.is_ascii_digit()))
}

/// How many commands of all sessions of a daemon are a driver's, of each version that they are of.
fn foretold(
    directory: &str,
    daemon: &str,
    all: &[(&str, &'static str)],
    play: impl Fn(&Path, &str) -> usize,
) -> usize {
    let paths = traces(directory);
    let of = paths.iter().flat_map(|path| {
        let versions = versions(path, daemon, all).into_iter();
        versions.map(move |version| (path, format!("version={version}")))
    });
    of.map(|(path, version)| play(path, &version)).sum()
}

#[test]
fn dockerd_ran_what_the_driver_runs() {
    let all = [("20.10", "20.10"), ("26.1", "26.1")];
    let foretold = foretold("docker", "dockerd", &all, |path, version| {
        let init = ["init", "tank/docker", version, "go-zfs=3.0"];
        replay(path, "docker", "tank/docker").graph(&init)
    });
    assert!(foretold > 140, "only {foretold} commands were a driver's");
}

#[test]
fn containerd_ran_what_the_snapshotter_runs() {
    let all = [("1.6", "1.6"), ("1.7", "1.7")];
    let foretold = foretold("containerd", "containerd", &all, |path, version| {
        let init = ["init", "tank/containerd", version, "go-zfs=3.0"];
        replay(path, "containerd", "tank/containerd").snapshots(&init)
    });
    assert!(
        foretold > 50,
        "only {foretold} commands were the snapshotter's"
    );
}

#[test]
fn podman_ran_what_the_driver_runs() {
    let all = [("4.3", "1.43"), ("5.4", "1.57")];
    let foretold = foretold("podman", "podman", &all, |path, version| {
        let init = ["init", "tank/storage", version, "go-zfs=3.0"];
        replay(path, "storage", "tank/storage").graph(&init)
    });
    assert!(foretold > 50, "only {foretold} commands were a driver's");
}

#[test]
fn their_own_tests_ran_what_the_drivers_run() {
    let drivers = [
        ("docker", "tank/docker", ["20.10", "26.1"]),
        ("storage", "tank/storage", ["1.43", "1.57"]),
        ("containerd", "tank/containerd", ["1.6", "1.7"]),
    ];
    let mut tests = BTreeSet::new();
    let mut foretold = 0;
    for path in traces("suites/real") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (driver, root, versions) = drivers
            .into_iter()
            .find(|(driver, ..)| name.starts_with(driver))
            .unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for version in versions {
            let same = format!("Version {version} runs the same.");
            if !text.contains(&format!("version {version},")) && !text.contains(&same) {
                continue;
            }
            let start = format!("version={version}");
            let init = ["init", root, &start];
            let real = replay(&path, driver, root);
            // Only where an older version tests it otherwise it has a trace of its own.
            let case = |name| Path::new("traces/suites").join(format!("{name}.trace"));
            let newest = name.trim_end_matches(version).trim_end_matches('-');
            let case = Some(case(name))
                .filter(|case| case.exists())
                .unwrap_or_else(|| case(newest));
            let told = replay(&case, driver, root).told(&init);
            let ran = renamed(&real.ran(), root);
            assert_eq!(renamed(&told, root), ran, "{name} of {version}");
            tests.insert(case);
            foretold += match driver {
                "containerd" => real.snapshots(&init),
                _ => real.graph(&init),
            };
        }
    }
    let all = BTreeSet::from_iter(traces("suites"));
    assert_eq!(tests, all, "each test has its record");
    assert!(foretold > 4500, "only {foretold} commands were a driver's");
}
