//! containerd's daemon itself plays the traces of layers, over its snapshotters zfs, overlayfs, native and btrfs: what
//! one sees in each layer is what the model sees, and refused is what the model's driver refuses. Where a snapshotter
//! differs by its nature stands in `snapshotters/differences.txt`, all of it and nothing else.
//!
//! Compiled with the feature `real-pool` only; `ZTWIN_REAL_POOL=vm:NAME` says which image of a guest, one of
//! trixie with containerd: that of bookworm has no mount(8). `ZTWIN_SNAPSHOTTERS=zfs,native` plays these only,
//! `ZTWIN_TRACES=basic,chown` traces with one of these in their names.
#![cfg(feature = "real-pool")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::iter;

use sha2::{Digest, Sha256};
use ztwin::pools::{Blobs, Command, ModelPools, Printed, Session, Verb, verb};
use ztwin::trace::{CORPUS, Trace};
use ztwin_model::Release;
use ztwin_model::dmu::data::to_bytes;
use ztwin_model::layer::{Content, Entry};
use ztwin_model::outcome::Errno;
use ztwin_model::zpl::op::FileOp;

#[path = "common/guest.rs"]
mod guest;

const SNAPSHOTTERS: [&str; 4] = ["zfs", "overlayfs", "native", "btrfs"];

/// The traces besides those of containerd's suite: nobody else touches their layers.
const OTHERS: [&str; 8] = [
    "drivers/containerd-unmounts",
    "layers/containerd-chain",
    "layers/containerd-hard-links",
    "layers/containerd-prepare",
    "layers/containerd-refused",
    "layers/containerd-remove",
    "layers/containerd-view",
    "layers/containerd-whiteout-device",
];

/// What a step has to bring forth.
enum Expected {
    /// Success, or an error that ends so.
    Ended(Result<(), String>),
    /// The files, by path.
    Tree(BTreeMap<String, String>),
    /// A line.
    Told(String),
    /// Lines, in any order.
    Listed(BTreeSet<String>),
    /// A snapshot as `containerd stat` tells it.
    Snapshot(String),
    /// What it takes: the model's figure is that of ZFS.
    Used(String),
    /// How to mount it: for ZFS as the model's driver says, for others as the daemon said when it was made.
    Mounts { read_only: bool, was: bool },
}

/// A step as it is played in a guest.
struct Step {
    /// It as the trace has it.
    text: String,
    /// It as the shell has it.
    shell: String,
    expected: Expected,
}

/// One word for the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn line_of(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

/// What an error comes down to: what stands behind the last colon.
fn reason(text: &str) -> String {
    let last = text.trim_end().rsplit(": ").next().unwrap_or_default();
    let errno = Errno::ALL.iter().find(|errno| errno.name() == last);
    errno.map_or(last, |errno| strerror(*errno)).to_owned()
}

fn strerror(errno: Errno) -> &'static str {
    match errno {
        Errno::EROFS => "Read-only file system",
        Errno::ENOENT => "No such file or directory",
        Errno::EEXIST => "File exists",
        Errno::ENOTEMPTY => "Directory not empty",
        // Only umount(8) has it to say.
        Errno::EINVAL => "not mounted.",
        other => panic!("no text for {}", other.name()),
    }
}

fn ended(printed: &Printed) -> Expected {
    let error = String::from_utf8_lossy(&printed.err);
    Expected::Ended(if printed.succeeded() {
        Ok(())
    } else {
        Err(reason(&error))
    })
}

/// A file on a line: type, mode, owner, and of what is no directory links, size, target and digest.
fn shown(entry: &Entry) -> String {
    let mut line = format!(
        "{} {:o} {}:{}",
        entry.kind().letter(),
        entry.mode,
        entry.uid,
        entry.gid
    );
    if !matches!(entry.content, Content::Directory) {
        let _ = write!(line, " {} {}", entry.links, entry.size);
    }
    match &entry.content {
        Content::Link(target) => {
            let _ = write!(line, " -> {target}");
        }
        Content::File(pieces) => {
            let _ = write!(line, " {}", digest(&to_bytes(pieces)));
        }
        _ => {}
    }
    line
}

/// The first digits of a hash, as `sha256sum` prints them.
fn digest(bytes: &[u8]) -> String {
    let mut digits = String::new();
    for byte in &Sha256::digest(bytes)[..8] {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// The same of the lines that `tree` of `play.sh` printed.
fn found(lines: &[&str]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for line in lines {
        let cells: Vec<&str> = line.split('\t').collect();
        match cells[..] {
            ["sum", sum, path] => {
                let file: &mut String = files.get_mut(path).expect("it was listed");
                let _ = write!(file, " {}", &sum[..16]);
            }
            [kind, mode, owner, names, size, path, target] => {
                let mut file = format!("{kind} {mode} {owner}");
                if kind != "d" {
                    let _ = write!(file, " {names} {size}");
                }
                if kind == "l" {
                    let _ = write!(file, " -> {target}");
                }
                files.insert(path.to_owned(), file);
            }
            _ => panic!("{line:?}"),
        }
    }
    files
}

/// A trace that is played on the model, and so becomes what a guest has to do.
struct Player<'a, S> {
    session: S,
    blobs: &'a Blobs,
    /// What is written, by the name of its file in the guest.
    data: &'a mut BTreeMap<String, Vec<u8>>,
    /// The key of each dataset, and whether the daemon said that it is for reading only.
    keys: BTreeMap<String, (String, bool)>,
    /// Where datasets are mounted.
    places: BTreeMap<String, String>,
    steps: Vec<Step>,
}

impl<S: Session> Player<'_, S> {
    fn add(&mut self, text: &str, shell: &str, expected: Expected) {
        self.steps.push(Step {
            text: text.to_owned(),
            shell: shell.to_owned(),
            expected,
        });
    }

    /// `DATASET:/PATH`, as a path of the guest.
    fn path(&self, at: &str) -> String {
        let (dataset, path) = at.split_once(':').expect("DATASET:/PATH");
        format!("{}{path}", self.places[dataset])
    }

    fn files(&mut self, dataset: &str) -> BTreeMap<String, String> {
        let tree = self.session.tree(dataset).unwrap().unwrap();
        let entries = tree.entries.iter();
        entries
            .map(|entry| (entry.path.to_string(), shown(entry)))
            .collect()
    }

    /// What the model has of a snapshot: `None`, there is none.
    fn stat(&mut self, key: &str) -> Option<String> {
        let printed = self.session.run(&["containerd", "stat", key]).unwrap();
        printed.succeeded().then(|| told(&printed).join(" "))
    }

    fn step(&mut self, command: &Command) {
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        let text = words.join(" ");
        let labels = match &words[..] {
            ["containerd", "update", key, ..] => self.stat(key).unwrap_or_default(),
            _ => String::new(),
        };
        let printed = self.session.step(command).unwrap();
        let ended = ended(&printed);
        let failed = !printed.succeeded();
        let said = told(&printed);
        let (shell, expected) = match &words[..] {
            // How the world is made, what only ZFS knows, that the daemon goes on, and for what its client has no
            // words.
            ["vdev" | "zpool" | "zfs" | "state" | "shared", ..]
            | ["containerd", "init" | "restart", ..]
            | ["containerd", "walk", _, ..]
            | ["containerd", "update", _, "parent"] => return,
            ["mount", options @ .., dataset, place] => {
                let (key, read_only) = &self.keys[*dataset];
                assert_eq!(*read_only, !options.is_empty(), "{text}: another mount");
                self.places
                    .insert((*dataset).to_owned(), (*place).to_owned());
                (line_of(&["mounted", key, place]), ended)
            }
            ["umount", place] => {
                self.places.retain(|_, mounted| mounted != place);
                (text.clone(), ended)
            }
            ["containerd", verb @ ("prepare" | "view"), key, rest @ ..] => {
                let (parent, labels) = match rest {
                    ["from", parent, labels @ ..] => (Some(*parent), labels),
                    labels => (None, labels),
                };
                if let Some(source) = said.last().filter(|_| !failed) {
                    let source = source.strip_prefix("mount type=zfs source=").unwrap();
                    let (dataset, options) = source.split_once(' ').unwrap_or((source, ""));
                    let made = ((*key).to_owned(), options == "options=ro");
                    self.keys.insert(dataset.to_owned(), made);
                }
                let made: Vec<&str> = ["made", verb, key].into_iter().chain(parent).collect();
                (
                    format!("{}{}", line_of(&made), labelled(key, labels)),
                    ended,
                )
            }
            ["containerd", "commit", name, key, labels @ ..] => {
                if !failed {
                    for (of, _) in self.keys.values_mut() {
                        if of == key {
                            (*name).clone_into(of);
                        }
                    }
                }
                let commit = line_of(&["snapshots", "commit", name, key]);
                (format!("{commit}{}", labelled(name, labels)), ended)
            }
            ["containerd", "remove", key] => {
                if !failed {
                    self.keys.retain(|_, (of, _)| of != key);
                }
                (line_of(&["removed", key]), ended)
            }
            ["containerd", "mounts", key] => {
                let was = self.keys.values().any(|(of, ro)| of == key && *ro);
                let expected = match said.last().filter(|_| !failed) {
                    Some(line) => Expected::Mounts {
                        read_only: line.ends_with("options=ro"),
                        was,
                    },
                    None => ended,
                };
                (line_of(&["snapshots", "mounts", "/mnt/it", key]), expected)
            }
            ["containerd", "usage", key] => {
                let used = said
                    .last()
                    .and_then(|it| it.strip_prefix("used "))
                    .map(str::to_owned);
                let shell = line_of(&["snapshots", "usage", "-b", key]);
                (shell, used.map_or(ended, Expected::Used))
            }
            ["containerd", "stat", key] => {
                let expected = match said.last().filter(|_| !failed) {
                    Some(line) => Expected::Snapshot((*line).to_owned()),
                    None => ended,
                };
                (line_of(&["snapshots", "info", key]), expected)
            }
            ["containerd", "walk"] => {
                // Without their labels.
                let lines = said.iter().map(|line| {
                    let words = line.split(' ').enumerate();
                    let kept = words
                        .filter(|(index, word)| *index < 2 || word.starts_with("parent="))
                        .map(|(_, word)| word);
                    kept.collect::<Vec<_>>().join(" ")
                });
                (
                    line_of(&["snapshots", "list"]),
                    Expected::Listed(lines.collect()),
                )
            }
            ["containerd", "update", key, values @ ..] => {
                // What the client sets it sets one by one: those that have to go become empty.
                let replaces = values.iter().all(|value| !value.starts_with("labels."));
                let gone = labels
                    .split(' ')
                    .filter(|word| replaces && word.contains('=') && !word.starts_with("parent="))
                    .map(|label| format!("{}=", label.split('=').next().unwrap_or_default()));
                let values = values
                    .iter()
                    .map(|value| value.trim_start_matches("labels.").to_owned());
                // Of two that are the same the last one counts.
                let values: Vec<String> = gone.chain(values).collect();
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                let words = [&["snapshots", "label", key][..], &values].concat();
                (line_of(&words), ended)
            }
            ["write", at, offset, ..] => {
                let parsed = verb::parse("", &command.words, self.blobs).unwrap();
                let Verb::File(FileOp::Write { data, .. }) = parsed else {
                    panic!("{text}");
                };
                let bytes = to_bytes(&[data]);
                let name = digest(&bytes);
                let offset = verb::size(offset).unwrap().to_string();
                let shell = line_of(&["written", &name, &offset, &self.path(at)]);
                self.data.insert(name, bytes);
                (shell, ended)
            }
            ["chmod", mode, at] => (line_of(&["chmod", mode, &self.path(at)]), ended),
            ["chown", owner, at] => (line_of(&["chown", "-h", owner, &self.path(at)]), ended),
            [verb @ ("mkdir" | "rmdir" | "unlink"), at] => {
                (line_of(&[verb, &self.path(at)]), ended)
            }
            ["mknod", mode, at, kind, numbers] => {
                let (major, minor) = numbers.split_once(':').unwrap();
                let path = self.path(at);
                (
                    line_of(&["mknod", "-m", mode, &path, kind, major, minor]),
                    ended,
                )
            }
            ["symlink", target, at] => (line_of(&["ln", "-s", target, &self.path(at)]), ended),
            ["mknod", mode, at, "p"] => {
                (line_of(&["mknod", "-m", mode, &self.path(at), "p"]), ended)
            }
            ["link", from, to] => (line_of(&["link", &self.path(from), &self.path(to)]), ended),
            ["rename", from, to] => (
                line_of(&["renamed", &self.path(from), &self.path(to)]),
                ended,
            ),
            ["same", one, other] => {
                let expected = said[0]
                    .split(' ')
                    .next()
                    .unwrap()
                    .replace("other", "others");
                (
                    line_of(&["same", &self.path(one), &self.path(other)]),
                    Expected::Told(expected),
                )
            }
            ["stat", at] => {
                let (dataset, path) = at.split_once(':').unwrap();
                let file = self.files(dataset).remove(path).unwrap();
                let files = BTreeMap::from([(String::new(), file)]);
                (line_of(&["told", &self.path(at)]), Expected::Tree(files))
            }
            ["tree", dataset] => {
                let files = self.files(dataset);
                let shell = match dataset.strip_suffix("@snapshot") {
                    Some(dataset) => line_of(&["look_committed", &self.keys[dataset].0]),
                    None => line_of(&["tree", &self.places[*dataset]]),
                };
                (shell, Expected::Tree(files))
            }
            _ => panic!("{text}: not known here"),
        };
        self.add(&text, &shell, expected);
    }

    /// What each layer holds in the end; then they are removed, and nothing is left of them.
    fn end(&mut self) {
        for place in std::mem::take(&mut self.places).into_values() {
            self.add(
                &format!("end: umount {place}"),
                &line_of(&["umount", &place]),
                Expected::Ended(Ok(())),
            );
        }
        let walk = self.session.run(&["containerd", "walk"]).unwrap();
        let mut parents = BTreeMap::new();
        for line in told(&walk) {
            let words: Vec<&str> = line.split(' ').collect();
            let parent = words.iter().find_map(|word| word.strip_prefix("parent="));
            parents.insert(words[0].to_owned(), parent.map(str::to_owned));
            let number = |(dataset, (key, _)): (&String, &(String, bool))| {
                (key == words[0]).then(|| dataset.clone())
            };
            let dataset = self.keys.iter().find_map(number).expect("it was made");
            let (look, files) = if words[1] == "committed" {
                ("look_committed", self.files(&format!("{dataset}@snapshot")))
            } else {
                let mount = ["mount", &dataset, "/mnt/look"];
                assert!(self.session.run(&mount).unwrap().succeeded());
                let files = self.files(&dataset);
                assert!(
                    self.session
                        .run(&["umount", "/mnt/look"])
                        .unwrap()
                        .succeeded()
                );
                ("look", files)
            };
            self.add(
                &format!("end: {} is looked at", words[0]),
                &line_of(&[look, words[0]]),
                Expected::Tree(files),
            );
        }
        // From the top down.
        let depth =
            |name: &String| iter::successors(Some(name), |name| parents[*name].as_ref()).count();
        let mut names: Vec<&String> = parents.keys().collect();
        names.sort_by_key(|name| std::cmp::Reverse(depth(name)));
        for name in names {
            self.add(
                &format!("end: {name} is removed"),
                &line_of(&["snapshots", "remove", name]),
                Expected::Ended(Ok(())),
            );
        }
        self.add(
            "end: left over",
            "client content prune references > /dev/null; left",
            Expected::Told("0".to_owned()),
        );
    }
}

/// ` && snapshots label KEY LABELS`, if there are any.
fn labelled(key: &str, labels: &[&str]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let words = [&["snapshots", "label", key][..], labels].concat();
    format!(" && {} > /dev/null", line_of(&words))
}

/// The lines of standard output that the driver itself says.
fn told(printed: &Printed) -> Vec<&str> {
    let out = std::str::from_utf8(&printed.out).unwrap();
    out.lines()
        .filter(|line| !line.starts_with(['+', '-']))
        .collect()
}

/// How to play a trace.
fn play(text: &[u8], release: Release, data: &mut BTreeMap<String, Vec<u8>>) -> Vec<Step> {
    let trace = Trace::parse("trace", text).unwrap();
    let blobs = Blobs::default();
    let mut player = Player {
        session: ModelPools::new(release, blobs.clone()).session(),
        blobs: &blobs,
        data,
        keys: BTreeMap::new(),
        places: BTreeMap::new(),
        steps: Vec::new(),
    };
    for command in trace.commands() {
        player.step(&command);
    }
    player.end();
    player.steps
}

/// A snapshot as `containerd stat` tells it, from what the client printed. Those that it labels itself are those
/// that the trace does not label.
fn snapshot(lines: &[&str], expected: &str) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(&lines.join("\n")).ok()?;
    let kind = json["Kind"].as_str()?.to_lowercase();
    let mut line = format!("{} {kind}", json["Name"].as_str()?);
    if let Some(parent) = json["Parent"].as_str() {
        let _ = write!(line, " parent={parent}");
    }
    let labels: BTreeMap<String, String> = match json.get("Labels") {
        Some(labels) => serde_json::from_value(labels.clone()).ok()?,
        None => BTreeMap::new(),
    };
    for (label, value) in labels {
        if label != "containerd.io/gc.root" || expected.contains(&label) {
            let _ = write!(line, " {label}={value}");
        }
    }
    Some(line)
}

/// Whether a figure of the model is that of a real pool.
fn agrees(told: &str, real: &str) -> bool {
    let bounds = told
        .strip_prefix("<between:")
        .and_then(|it| it.strip_suffix('>'));
    match bounds.and_then(|it| it.split_once("..")) {
        Some((least, most)) => {
            let bound = |text: &str| text.parse::<u64>().unwrap();
            (bound(least)..=bound(most)).contains(&bound(real))
        }
        None => told == real,
    }
}

/// In what the daemon differs from the model, in a few words.
fn difference(expected: &Expected, snapshotter: &str, lines: &[&str], code: u8) -> Option<String> {
    let last = lines.last().copied().unwrap_or_default();
    if let Expected::Ended(expected) = expected {
        let real = if code == 0 { Ok(()) } else { Err(reason(last)) };
        return match (expected, real) {
            (Ok(()), Ok(())) => None,
            (Err(one), Err(other)) if *one == other => None,
            (_, Ok(())) => Some("not refused".to_owned()),
            (_, Err(other)) => Some(other),
        };
    }
    if code != 0 {
        return Some(last.to_owned());
    }
    match expected {
        Expected::Ended(_) => None,
        Expected::Tree(expected) => {
            let real = found(lines);
            let paths: BTreeSet<&String> = expected.keys().chain(real.keys()).collect();
            let differs = paths.into_iter().filter_map(|path| {
                let one = expected.get(path);
                let other = real.get(path);
                let gone = "nothing".to_owned();
                (one != other).then(|| format!("{path}: {}", other.unwrap_or(&gone)))
            });
            let differs: Vec<String> = differs.collect();
            (!differs.is_empty()).then(|| differs.join(", "))
        }
        Expected::Told(expected) => (expected != last).then(|| last.to_owned()),
        Expected::Listed(expected) => {
            // KEY PARENT KIND, of which the second may be missing.
            let rows = lines.iter().skip(1).map(|line| {
                let cells: Vec<&str> = line.split_whitespace().collect();
                match cells[..] {
                    [key, parent, kind] => format!("{key} {} parent={parent}", kind.to_lowercase()),
                    [key, kind] => format!("{key} {}", kind.to_lowercase()),
                    _ => (*line).to_owned(),
                }
            });
            let real: BTreeSet<String> = rows.collect();
            (*expected != real).then(|| format!("{real:?}"))
        }
        Expected::Snapshot(expected) => {
            let real = snapshot(lines, expected);
            (real.as_ref() != Some(expected)).then(|| format!("{real:?}"))
        }
        Expected::Used(expected) => {
            let used = last.split_whitespace().nth(1).unwrap_or_default();
            (!agrees(expected, used)).then(|| used.to_owned())
        }
        Expected::Mounts { read_only, was } => {
            let options = last.rsplit(" -o ").next().unwrap_or_default();
            let real = options.split(',').any(|option| option == "ro");
            let expected = if snapshotter == "zfs" { read_only } else { was };
            (real != *expected).then(|| last.to_owned())
        }
    }
}

/// What `at` of `play.sh` told: lines and code, by ID.
fn answers(text: &str) -> BTreeMap<&str, (Vec<&str>, u8)> {
    let mut answers = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let id = line.strip_prefix("@ ").expect("an ID comes first");
        let mut said = Vec::new();
        let code = loop {
            let line = lines.next().expect("it ends with a code");
            match line.strip_prefix("= ").map(str::parse) {
                Some(Ok(code)) => break code,
                _ => said.push(line),
            }
        };
        answers.insert(id, (said, code));
    }
    answers
}

#[test]
fn layers_are_the_same_by_all_snapshotters() {
    let spec = guest::spec("containerd");
    let release = guest::release(&spec);
    let chosen = std::env::var("ZTWIN_SNAPSHOTTERS").unwrap_or_else(|_| SNAPSHOTTERS.join(","));
    let chosen: Vec<&str> = chosen.split(',').collect();
    let parts = std::env::var("ZTWIN_TRACES").unwrap_or_default();
    let wanted = |name: &str| parts.split(',').any(|part| name.contains(part));

    let mut data = BTreeMap::new();
    let mut traces: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    for (name, text) in CORPUS {
        let name = name
            .trim_start_matches("traces/")
            .trim_end_matches(".trace");
        if (name.starts_with("suites/containerd-") || OTHERS.contains(&name)) && wanted(name) {
            // Also the name of its namespace.
            let name = name.replace("/containerd-", "-");
            traces.insert(name, play(text, release, &mut data));
        }
    }
    let mut script = format!(". ./play.sh\nstarted {}\n", chosen.join(" "));
    for snapshotter in &chosen {
        for (trace, steps) in &traces {
            let _ = write!(
                script,
                "snapshotter={snapshotter} trace={trace}\nbefore=$(count)\n"
            );
            for (index, step) in steps.iter().enumerate() {
                let _ = writeln!(script, "run() {{ {}; }}\nat {index} run", step.shell);
            }
        }
    }
    script.push_str("ended\n");

    let mut files: Vec<(&str, &[u8])> = vec![
        ("play.sh", include_bytes!("snapshotters/play.sh")),
        ("all.sh", script.as_bytes()),
    ];
    files.extend(data.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])));
    let text = guest::output(&spec, &files, "sh all.sh");
    if let Ok(keep) = std::env::var("ZTWIN_KEEP") {
        std::fs::write(keep, &text).unwrap();
    }
    let answers = answers(&text);

    let mut differences = Vec::new();
    let (mut steps, mut trees) = (0, 0);
    for snapshotter in &chosen {
        for (trace, played) in &traces {
            for (index, step) in played.iter().enumerate() {
                let (lines, code) = &answers[format!("{snapshotter}/{trace}/{index}").as_str()];
                if let Some(what) = difference(&step.expected, snapshotter, lines, *code) {
                    differences.push(format!("{snapshotter}\t{trace}\t{}\t{what}", step.text));
                }
                steps += 1;
                trees += usize::from(matches!(step.expected, Expected::Tree(_)));
            }
        }
    }
    eprintln!(
        "{} traces by {}: {steps} steps, of them {trees} looks at trees",
        traces.len(),
        chosen.join(", ")
    );
    let known: Vec<&str> = include_str!("snapshotters/differences.txt")
        .lines()
        .filter(|line| {
            let mut cells = line.split('\t');
            // Prose has no tabs.
            let (Some(snapshotter), Some(trace)) = (cells.next(), cells.next()) else {
                return false;
            };
            chosen.contains(&snapshotter) && (parts.is_empty() || traces.contains_key(trace))
        })
        .collect();
    let new: Vec<_> = differences
        .iter()
        .filter(|it| !known.contains(&it.as_str()))
        .collect();
    let gone: Vec<_> = known
        .iter()
        .filter(|it| !differences.iter().any(|found| found == *it))
        .collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "new: {new:#?}\ngone: {gone:#?}"
    );
}
