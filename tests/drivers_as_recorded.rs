//! The drivers run the commands that the real ones ran: every call in a recorded session of dockerd or
//! containerd is foretold by a driver's operation on the model, in that order, with that exit code.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use ztwin::pools::{Blobs, Command, ModelPools, Printed, Session};
use ztwin::trace::{Trace, quote};
use ztwin_model::Release;

fn traces(directory: &str) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(Path::new("traces").join(directory))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no recorded sessions of {directory}");
    paths
}

fn read(path: &Path) -> VecDeque<Vec<String>> {
    let text = fs::read(path).unwrap();
    let trace = Trace::parse(&path.display().to_string(), &text).unwrap();
    trace.commands().into_iter().map(|it| it.words).collect()
}

/// A session that is driven step by step, and the recorded steps that are left.
struct Replay<S> {
    session: S,
    left: VecDeque<Vec<String>>,
    /// Commands that a driver ran, and that were found in the record.
    foretold: usize,
}

fn line(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| quote(word)).collect();
    words.join(" ")
}

/// Whether drivers run such a step themselves.
fn is_drivers(words: &[String]) -> bool {
    matches!(words[0].as_str(), "zfs" | "mount" | "umount")
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

    fn play(&mut self, words: &[String]) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.run(&words);
    }

    /// Runs a driver's step and takes the recorded steps that it foretells.
    fn foretell(&mut self, words: &[&str]) -> String {
        let printed = self.run(words);
        let told = String::from_utf8(printed.out).unwrap();
        assert!(
            !told.is_empty(),
            "{words:?}: {}",
            String::from_utf8_lossy(&printed.err)
        );
        for expected in told.lines().filter_map(|line| line.strip_prefix("+ ")) {
            // To the user that is root already: no record shows it.
            if expected.starts_with("chown 0:0") {
                continue;
            }
            let recorded = loop {
                let recorded = self.left.pop_front().expect("the record ends too early");
                if is_drivers(&recorded) {
                    break recorded;
                }
                // What others did meanwhile.
                self.play(&recorded);
            };
            assert_eq!(line(&recorded), expected, "by {words:?}");
            self.foretold += 1;
        }
        told
    }
}

fn model() -> impl Session {
    let blobs = Blobs::in_directory(Path::new("traces/data"));
    ModelPools::new(Release::V2_3, blobs).session()
}

#[test]
fn dockerd_ran_what_the_driver_runs() {
    let mut foretold = 0;
    for path in traces("docker") {
        println!("{}", path.display());
        let mut replay = Replay {
            session: model(),
            left: read(&path),
            foretold: 0,
        };
        let id = |dataset: &str| dataset.strip_prefix("tank/docker/").map(str::to_owned);
        let mut mounts = BTreeMap::new();
        while let Some(words) = replay.left.front().cloned() {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words[..] {
                ["zfs", "list", "-rHp", .., root] => {
                    replay.foretell(&["docker", "init", root]);
                }
                ["zfs", "create", "-o", "mountpoint=legacy", dataset] => {
                    replay.foretell(&["docker", "create", &id(dataset).unwrap()]);
                }
                ["zfs", "snapshot", snapshot] if snapshot.starts_with("tank/docker/") => {
                    let (parent, clock) = snapshot.split_once('@').unwrap();
                    // The next step but one names the clone; a quota may follow.
                    let mut ahead = replay.left.iter().filter(|words| is_drivers(words));
                    let clone = ahead.nth(2).unwrap().last().unwrap().clone();
                    let quota = ahead.nth(3).and_then(|words| match &words[..] {
                        [_, set, quota, to] if set == "set" && *to == clone => {
                            Some(quota.replacen("quota", "size", 1))
                        }
                        _ => None,
                    });
                    replay.run(&["docker", "clock", clock]);
                    let (child, parent) = (id(&clone).unwrap(), id(parent).unwrap());
                    let mut words = vec!["docker", "create", &child, "from", &parent];
                    words.extend(quota.as_deref());
                    replay.foretell(&words);
                }
                ["zfs", "destroy", "-r", dataset] => {
                    replay.foretell(&["docker", "remove", &id(dataset).unwrap()]);
                }
                ["mount", dataset, path] => {
                    let id = id(dataset).unwrap();
                    mounts.insert(path.to_owned(), id.clone());
                    replay.foretell(&["docker", "get", &id]);
                }
                ["umount", "-l", path] => {
                    let id = mounts.remove(path).unwrap();
                    replay.foretell(&["docker", "put", &id]);
                }
                _ => {
                    let words = replay.left.pop_front().unwrap();
                    replay.play(&words);
                }
            }
        }
        foretold += replay.foretold;
    }
    assert!(foretold > 140, "only {foretold} commands were a driver's");
}

#[test]
fn containerd_ran_what_the_snapshotter_runs() {
    let mut foretold = 0;
    for path in traces("containerd") {
        println!("{}", path.display());
        let mut replay = Replay {
            session: model(),
            left: read(&path),
            foretold: 0,
        };
        let number = |name: &str| {
            let name = name.strip_prefix("tank/containerd/").unwrap();
            name.trim_end_matches("@snapshot").to_owned()
        };
        loop {
            let mut drivers = replay.left.iter().filter(|words| is_drivers(words));
            let (first, second) = (drivers.next().cloned(), drivers.next().cloned());
            let third = drivers.next().cloned().unwrap_or_default();
            let Some(words) = replay.left.front().cloned() else {
                break;
            };
            if !is_drivers(&words) {
                replay.left.pop_front();
                replay.play(&words);
                continue;
            }
            let (first, second) = (first.unwrap(), second.unwrap_or_default());
            let [first, second, third] = [&first, &second, &third]
                .map(|it| it.iter().map(String::as_str).collect::<Vec<_>>());
            match (&first[..], &second[..], &third[..]) {
                (["zfs", "list", .., "tank/containerd"], ..) => {
                    replay.foretell(&["containerd", "init", "tank/containerd"]);
                }
                (["zfs", "create", "-o", "mountpoint=legacy", dataset], ..) => {
                    replay.foretell(&["containerd", "prepare", &format!("key{}", number(dataset))]);
                }
                (["zfs", "list", .., parent], ["zfs", "clone", .., clone], _) => {
                    let key = format!("key{}", number(clone));
                    let parent = format!("name{}", number(parent));
                    replay.foretell(&["containerd", "prepare", &key, "from", &parent]);
                }
                (["zfs", "list", .., dataset], ["zfs", "list", ..], ["zfs", "snapshot", _]) => {
                    let number = number(dataset);
                    let (name, key) = (format!("name{number}"), format!("key{number}"));
                    replay.foretell(&["containerd", "commit", &name, &key]);
                }
                (["zfs", "list", ..], ["zfs", "destroy", "-d", snapshot], _) => {
                    replay.foretell(&[
                        "containerd",
                        "remove",
                        &format!("name{}", number(snapshot)),
                    ]);
                }
                (["zfs", "list", ..], ["zfs", "destroy", dataset], _) => {
                    replay.foretell(&["containerd", "remove", &format!("key{}", number(dataset))]);
                }
                (["zfs", "list", .., dataset], ..) if dataset.starts_with("tank/containerd/") => {
                    replay.foretell(&["containerd", "mounts", &format!("key{}", number(dataset))]);
                }
                _ => {
                    let words = replay.left.pop_front().unwrap();
                    replay.play(&words);
                }
            }
        }
        foretold += replay.foretold;
    }
    assert!(
        foretold > 50,
        "only {foretold} commands were the snapshotter's"
    );
}
