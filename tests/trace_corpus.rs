//! The corpus: what every trace in it has to be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use ztwin::pools::blobs::Blobs;
use ztwin::pools::model::ModelPools;
use ztwin::trace::{CORPUS, Content, Item, Trace};
use ztwin_model::Release;
use ztwin_model::dsl::reason::Reason;

mod common {
    pub mod messages;
}
use common::messages;

/// All traces: the name and the text of each.
fn corpus() -> Vec<(String, Vec<u8>)> {
    fn find(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                find(&path, found)?;
            } else if path
                .extension()
                .is_some_and(|extension| extension == "trace")
            {
                found.push(path);
            }
        }
        Ok(())
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    find(&root.join("traces"), &mut found).expect("traces/ can be read");
    found.sort_unstable();
    assert!(!found.is_empty(), "there are traces");
    let read = |path: &PathBuf| {
        let name = path
            .strip_prefix(root)
            .expect("below the root")
            .display()
            .to_string();
        (name, fs::read(path).expect("a trace can be read"))
    };
    found.iter().map(read).collect()
}

/// What is wrong with traces, one line each, as the message of a failed test.
fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_trace_is_in_canonical_form() {
    let mut wrong = Vec::new();
    for (name, text) in corpus() {
        match Trace::parse(&name, &text) {
            Err(error) => wrong.push(error.to_string()),
            Ok(trace) => {
                let text = String::from_utf8_lossy(&text);
                let canonical = trace.to_string();
                let differs = text
                    .lines()
                    .zip(canonical.lines())
                    .position(|(a, b)| a != b);
                if text != canonical {
                    let line =
                        differs.unwrap_or(text.lines().count().min(canonical.lines().count()));
                    let wanted = canonical.lines().nth(line).unwrap_or("the end");
                    wrong.push(format!("{name}:{}: write {wanted:?}", line + 1));
                }
            }
        }
    }
    none(&wrong);
}

#[test]
fn every_trace_says_in_a_sentence_what_it_shows() {
    let mut wrong = Vec::new();
    for (name, text) in corpus() {
        let Ok(trace) = Trace::parse(&name, &text) else {
            continue;
        };
        let first: String = trace
            .items
            .iter()
            .map_while(|item| match item {
                Item::Prose(line) if !line.is_empty() => Some(format!("{line} ")),
                _ => None,
            })
            .collect();
        let first = first.trim();
        // Names of programs and properties stay small at the start of a sentence.
        let is_sentence = first.starts_with(|c: char| c.is_alphanumeric() || c == '`')
            && first.ends_with(['.', ':'])
            && first.split(' ').count() >= 4;
        if !is_sentence {
            wrong.push(format!(
                "{name}: starts with {first:?}, not with a sentence"
            ));
        }
    }
    none(&wrong);
}

/// The steps of a trace with the names that its author chose replaced by their order of appearance.
fn renamed(trace: &Trace) -> Vec<String> {
    /// Programs whose second word is a command.
    const PROGRAMS: [&str; 4] = ["zfs", "zpool", "docker", "containerd"];
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut steps = Vec::new();
    for command in trace.commands() {
        let mut step = vec![command.process.clone()];
        let fixed = 1 + usize::from(PROGRAMS.contains(&command.words[0].as_str()));
        let mut is_value = false;
        for (i, word) in command.words.iter().enumerate() {
            let is_number = word.starts_with(|c: char| c.is_ascii_digit());
            if i < fixed || is_value || is_number || word.starts_with('-') || word.contains('=') {
                step.push(word.clone());
            } else {
                let mut token = String::new();
                let mut renamed = String::new();
                for c in word.chars().chain(['/']) {
                    if "/@#:,%".contains(c) {
                        if !token.is_empty() {
                            let next = names.len();
                            let number = names.entry(std::mem::take(&mut token)).or_insert(next);
                            renamed.push_str(&number.to_string());
                        }
                        renamed.push(c);
                    } else {
                        token.push(c);
                    }
                }
                step.push(renamed);
            }
            is_value = ["-o", "-O", "-t", "-s", "-S"].contains(&word.as_str());
        }
        step.extend(command.input.map(|name| format!("<{name}")));
        step.extend(command.output.map(|name| format!(">{name}")));
        steps.push(step.join(" "));
    }
    steps
}

#[test]
fn no_two_traces_are_the_same_but_for_names() {
    let mut wrong = Vec::new();
    let mut seen: BTreeMap<Vec<String>, String> = BTreeMap::new();
    for (name, text) in corpus() {
        let Ok(trace) = Trace::parse(&name, &text) else {
            continue;
        };
        if let Some(other) = seen.insert(renamed(&trace), name.clone()) {
            wrong.push(format!("{name}: has the steps of {other}"));
        }
    }
    none(&wrong);
}

#[test]
fn markers_of_the_model_never_stand_in_a_trace() {
    let mut wrong = Vec::new();
    for (name, text) in corpus() {
        let text = String::from_utf8_lossy(&text).into_owned();
        for (i, line) in text
            .lines()
            .enumerate()
            // The rest of a usage text is a pattern, too.
            .filter(|(_, line)| {
                line.starts_with("  ") && !["  !~ <usage>", "  ~ <usage>"].contains(line)
            })
        {
            let marker = ztwin::compare::CLASSES
                .iter()
                .find(|class| line.contains(class.marker));
            if let Some(class) = marker {
                wrong.push(format!("{name}:{}: holds {}", i + 1, class.marker));
            }
        }
    }
    none(&wrong);
}

/// A trace is recorded from a real pool, or it is no evidence.
#[test]
fn every_trace_is_recorded() {
    let mut wrong = Vec::new();
    for (name, text) in corpus() {
        let Ok(trace) = Trace::parse(&name, &text) else {
            continue;
        };
        if trace.recorded().next().is_none() {
            wrong.push(format!(
                "{name}: has no line `@ recorded`; run ztwin record"
            ));
        }
    }
    none(&wrong);
}

#[test]
fn the_corpus_that_is_built_in_is_the_one_in_the_directory() {
    let built_in: Vec<(String, Vec<u8>)> = CORPUS
        .iter()
        .map(|&(name, text)| (name.to_owned(), text.to_vec()))
        .collect();
    assert_eq!(built_in.len(), corpus().len());
    assert!(built_in == corpus(), "the texts differ");
}

#[test]
fn renaming_is_seen_through() {
    let steps = |text: &str| renamed(&Trace::parse("t", text.as_bytes()).expect("a trace"));
    assert_eq!(
        steps("  $ zfs create tank/a\n  $ zfs snapshot tank/a@s\n"),
        steps("  $ zfs create p/x\n  $ zfs snapshot p/x@y\n")
    );
    assert_ne!(
        steps("  $ zfs create tank/a\n  $ zfs snapshot tank/a@s\n"),
        steps("  $ zfs create p/x\n  $ zfs snapshot p@y\n")
    );
    assert_ne!(
        steps("  $ zfs create -p tank/a\n"),
        steps("  $ zfs create tank/a\n")
    );
}

/// What has to be in the corpus: commands with their flags, and verbs (issue: "a test fails for any
/// command, flag or reason of refusal without a trace").
const REQUIRED: &[(&str, &str)] = &[
    ("zpool create", "-f -n -d -m -o -O -R"),
    ("zpool destroy", "-f"),
    ("zpool list", "-H -p -o -v -P -L -j"),
    ("zpool get", "-H -p -o -j"),
    ("zpool set", ""),
    ("zpool status", "-x -v -P -L -p -s -d -i -t -e -j"),
    ("zpool export", "-a -f"),
    ("zpool import", "-d -a -N -f -R -o"),
    ("zpool checkpoint", "-d -w"),
    ("zpool history", ""),
    ("zpool sync", ""),
    ("zpool version", "-j"),
    ("zfs version", "-j"),
    ("zfs create", "-p -o -u -n -v -P"),
    ("zfs snapshot", "-r -o"),
    ("zfs clone", "-p -o"),
    ("zfs destroy", "-r -R -d -f -n -v -p"),
    ("zfs rollback", "-r -R -f"),
    ("zfs promote", ""),
    ("zfs rename", "-p -r -u -f"),
    ("zfs list", "-H -p -r -d -o -t -s -S -j"),
    ("zfs get", "-H -p -r -d -o -t -s -j"),
    ("zfs set", ""),
    ("zfs inherit", "-r -S"),
    ("zfs hold", "-r"),
    ("zfs release", "-r"),
    ("zfs holds", "-H -r -p"),
    ("zfs mount", "-a -l -f -o -O -R -v -j"),
    ("zfs unmount", "-a -f -u"),
    ("write", ""),
    ("read", ""),
    ("truncate", ""),
    ("punch", ""),
    ("mkdir", ""),
    ("rmdir", ""),
    ("unlink", ""),
    ("rename", ""),
    ("link", ""),
    ("symlink", ""),
    ("readlink", ""),
    ("chmod", ""),
    ("chown", ""),
    ("stat", ""),
    ("tree", ""),
    ("blocks", ""),
    ("mount", "-o"),
    ("umount", "-l -f"),
    ("open", ""),
    ("close", ""),
    ("shared", ""),
    ("state", ""),
    ("docker create", ""),
    ("docker remove", ""),
    ("containerd prepare", ""),
    ("containerd commit", ""),
    ("containerd remove", ""),
];

#[test]
fn every_command_and_flag_has_a_trace() {
    /// `zfs umount` and `zfs snap` are other names.
    fn called(words: &[String]) -> String {
        const PROGRAMS: [&str; 4] = ["zfs", "zpool", "docker", "containerd"];
        let second = match words.get(1).map(String::as_str) {
            Some("umount") => "unmount",
            Some("snap") => "snapshot",
            Some(second) => second,
            None => "",
        };
        match words[0].as_str() {
            program if PROGRAMS.contains(&program) => format!("{program} {second}"),
            verb => verb.to_owned(),
        }
    }
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (name, text) in corpus() {
        let Ok(trace) = Trace::parse(&name, &text) else {
            continue;
        };
        for command in trace.commands() {
            let flags = seen.entry(called(&command.words)).or_default();
            let given = command
                .words
                .iter()
                .filter_map(|word| word.strip_prefix('-'));
            flags.extend(given.flat_map(str::chars));
        }
    }
    let mut wrong = Vec::new();
    for (command, flags) in REQUIRED {
        match seen.get(*command) {
            None => wrong.push(format!("no trace has `{command}`")),
            Some(seen) => {
                let missing = flags
                    .split_whitespace()
                    .filter(|flag| !seen.contains(&flag[1..]));
                wrong.extend(missing.map(|flag| format!("no trace has `{command} {flag}`")));
            }
        }
    }
    none(&wrong);
}

#[test]
fn every_reason_of_refusal_has_a_trace() {
    let blobs = Blobs::in_directory(&Path::new(env!("CARGO_MANIFEST_DIR")).join("traces/data"));
    let mut seen = BTreeSet::new();
    for (name, text) in corpus() {
        let Ok(trace) = Trace::parse(&name, &text) else {
            continue;
        };
        for release in trace.releases() {
            let model = ModelPools::new(release, blobs.clone());
            seen.extend(model.reasons(&trace.commands()).expect("the model runs"));
        }
    }
    let wrong: Vec<String> = Reason::KINDS
        .iter()
        .filter(|kind| !seen.contains(*kind))
        .map(|kind| format!("no trace is refused for {kind}"))
        .collect();
    none(&wrong);
}

/// A message that was not printed on every release.
struct Unseen {
    file: &'static str,
    text: &'static str,
    on: &'static [Release],
    /// Why not.
    why: &'static str,
}

const UNSEEN: &[Unseen] = &[
    Unseen {
        file: "args.rs",
        text: "empty property name",
        on: &[Release::V2_3, Release::V2_4],
        why: "since 2.2 an empty name is an invalid one",
    },
    Unseen {
        file: "message.rs",
        text: "invalid '{name}={bytes}' property: must be zero or a power of 2 from 512B to {largest}",
        on: &[Release::V2_4],
        why: "since 2.4 it may be any size",
    },
    Unseen {
        file: "message.rs",
        text: "invalid '{name}' property: must be between zero and {largest}",
        on: &[Release::V2_1, Release::V2_3],
        why: "until 2.3 it is a power of two",
    },
    Unseen {
        file: "message.rs",
        text: "kernel panic",
        on: &Release::ALL,
        why: "a program below which the kernel panics says nothing",
    },
    Unseen {
        file: "mod.rs",
        text: "ztwin: OpenZFS panics the kernel here\n",
        on: &Release::ALL,
        why: "ztwin says it, not ZFS",
    },
    Unseen {
        file: "settings.rs",
        text: "{name}: property requires a special device in the pool",
        on: &[Release::V2_4],
        why: "since 2.4 it requires none",
    },
    Unseen {
        file: "zpool/mod.rs",
        text: "the vdevs of a pool that may be resilvering",
        on: &Release::ALL,
        why: "ztwin says it, not ZFS",
    },
    Unseen {
        file: "zpool/reguid.rs",
        text: "invalid GUID: {text}",
        on: &[Release::V2_1],
        why: "until 2.1 no number can be given",
    },
    Unseen {
        file: "zpool/scrub.rs",
        text: "-p and -C are mutually exclusive",
        on: &[Release::V2_1],
        why: "until 2.1 there is no -C",
    },
    Unseen {
        file: "zpool/scrub.rs",
        text: "-s and -C are mutually exclusive",
        on: &[Release::V2_1],
        why: "until 2.1 there is no -C",
    },
    Unseen {
        file: "zpool/scrub.rs",
        text: "-e and -C are mutually exclusive",
        on: &[Release::V2_1],
        why: "until 2.1 there is no -C",
    },
    Unseen {
        file: "zfs/column.rs",
        text: "zvol threading",
        on: &[Release::V2_1],
        why: "the property came later",
    },
    Unseen {
        file: "zfs/iterate.rs",
        text: "a path that may lie outside of the pools",
        on: &Release::ALL,
        why: "ztwin says it, not ZFS",
    },
    Unseen {
        file: "zfs/iterate.rs",
        text: "a path that is a symbolic link",
        on: &Release::ALL,
        why: "ztwin says it, not ZFS",
    },
    Unseen {
        file: "zfs/get.rs",
        text: "zfs get",
        on: &[Release::V2_1],
        why: "JSON came with 2.3",
    },
    Unseen {
        file: "zfs/list.rs",
        text: "zfs list",
        on: &[Release::V2_1],
        why: "JSON came with 2.3",
    },
    Unseen {
        file: "zfs/mount.rs",
        text: "zfs mount",
        on: &[Release::V2_1],
        why: "JSON came with 2.3",
    },
    Unseen {
        file: "mounting.rs",
        text: "a mountpoint outside of the pools that is not ASCII",
        on: &Release::ALL,
        why: "ztwin says it, not ZFS",
    },
    Unseen {
        file: "zpool/get.rs",
        text: "zpool get",
        on: &[Release::V2_1],
        why: "JSON came with 2.3",
    },
    Unseen {
        file: "zpool/list.rs",
        text: "zpool list",
        on: &[Release::V2_1],
        why: "JSON came with 2.3",
    },
    Unseen {
        file: "zpool/status.rs",
        text: "zpool status",
        on: &[Release::V2_1],
        why: "JSON came with 2.3",
    },
    Unseen {
        file: "zpool/get.rs",
        text: "inherited from",
        on: &Release::ALL,
        why: "only its length counts, for a width",
    },
    Unseen {
        file: "json.rs",
        text: "'--json-flat-vdevs' only works with '-j' option",
        on: &[Release::V2_1],
        why: "JSON came with 2.3",
    },
    Unseen {
        file: "zpool/import.rs",
        text: "Import was successful, but unable to mount some datasets",
        on: &[Release::V2_1],
        why: "until 2.1 it only fails",
    },
    Unseen {
        file: "json.rs",
        text: "'--json-int' only works with '-j' option",
        on: &[Release::V2_1],
        why: "JSON came with 2.3",
    },
    Unseen {
        file: "json.rs",
        text: "'json-pool-key-guid' only works with '-j' option",
        on: &[Release::V2_1],
        why: "JSON came with 2.3",
    },
    Unseen {
        file: "zpool/set.rs",
        text: "cannot open '{pool}': is not a pool",
        on: &[Release::V2_1],
        why: "until 2.1 it says that there is no such pool",
    },
    Unseen {
        file: "mod.rs",
        text: "ztwin: not modelled: {what}\n",
        on: &Release::ALL,
        why: "ztwin says it, not ZFS",
    },
    Unseen {
        file: "values.rs",
        text: "\t(the usage text is not simulated: see zfs(8) and zpool(8))",
        on: &Release::ALL,
        why: "ztwin says it, not ZFS",
    },
    Unseen {
        file: "message.rs",
        text: "it's being held. Run 'zfs holds -r {name}' to see holders.",
        on: &[Release::V2_1],
        why: "until 2.1 a held snapshot is busy",
    },
    Unseen {
        file: "message.rs",
        text: "mount failed",
        on: &[Release::V2_1],
        why: "until 2.1 properties are changed by mounting again",
    },
    Unseen {
        file: "mounting.rs",
        text: "cannot set mount attributes for '{name}'",
        on: &[Release::V2_1],
        why: "until 2.1 properties are changed by mounting again",
    },
    Unseen {
        file: "message.rs",
        text: "there is a snapshot or bookmark more recent than '{name}'",
        on: &Release::ALL,
        why: "`zfs rollback` looks first; the kernel says it when one is made in between",
    },
    Unseen {
        file: "message.rs",
        text: "exists and is not empty",
        on: &Release::ALL,
        why: "`zpool create` has its own words",
    },
    Unseen {
        file: "message.rs",
        text: "property '{name}' is not a valid pool or vdev property",
        on: &[Release::V2_1],
        why: "until 2.1 vdevs have no properties",
    },
    Unseen {
        file: "zpool/mod.rs",
        text: "pool or vdev",
        on: &[Release::V2_1],
        why: "until 2.1 vdevs have no properties",
    },
    Unseen {
        file: "zpool/get.rs",
        text: "Cannot get properties of {first}: no such pool available.",
        on: &[Release::V2_1],
        why: "until 2.1 vdevs have no properties",
    },
    Unseen {
        file: "zpool/get.rs",
        text: "Expected a list of vdevs in \"{first}\", but got:",
        on: &[Release::V2_1],
        why: "until 2.1 vdevs have no properties",
    },
    Unseen {
        file: "zfs/mount.rs",
        text: "no dataset provided",
        on: &[Release::V2_1],
        why: "until 2.1 there is no -R",
    },
    Unseen {
        file: "zfs/mount.rs",
        text: "{heading}: not an original mountpoint",
        on: &[Release::V2_1],
        why: "until 2.1 any place of a filesystem will do",
    },
    Unseen {
        file: "zfs/rollback.rs",
        text: "{marker}Output limited to {MAX_YOUNGER} snapshots/bookmarks",
        on: &[Release::V2_1],
        why: "until 2.1 nobody knows which of them are named: not modelled",
    },
];

#[test]
fn every_message_was_printed_by_a_pool_of_every_release() {
    /// Other names of subcommands, and files that hold several.
    fn file_of(words: &[String]) -> String {
        let program = words[0].as_str();
        let subcommand = match words.get(1).map_or("", String::as_str) {
            "umount" | "unmount" => "mount",
            "release" | "holds" => "hold",
            "snap" => "snapshot",
            other => other,
        };
        format!("{program}/{subcommand}.rs")
    }
    // What was printed, by release, program and file of the subcommand.
    let mut printed: BTreeMap<(Release, String), BTreeSet<String>> = BTreeMap::new();
    for (name, text) in corpus() {
        let Ok(trace) = Trace::parse(&name, &text) else {
            continue;
        };
        for release in trace.releases() {
            for step in trace.steps() {
                if !["zfs", "zpool"].contains(&step.command.words[0].as_str()) {
                    continue;
                }
                let expected = step.expected(release);
                let lines = printed
                    .entry((release, file_of(&step.command.words)))
                    .or_default();
                for line in expected.out.iter().chain(&expected.err) {
                    if let Content::Literal(bytes) = &line.text.content {
                        lines.insert(String::from_utf8_lossy(bytes).into_owned());
                    }
                }
            }
        }
    }
    let mut wrong = Vec::new();
    let mut excused = BTreeSet::new();
    for message in messages::all() {
        // A file that is no subcommand serves all of its program, or both.
        let of_subcommand = printed.keys().any(|(_, file)| *file == message.file);
        let program = message
            .file
            .split_once('/')
            .map_or("", |(program, _)| program);
        let lacks = |release: &Release| {
            let lines: Vec<&str> = printed
                .iter()
                .filter(|((on, file), _)| {
                    on == release
                        && if of_subcommand {
                            *file == message.file
                        } else {
                            file.starts_with(program)
                        }
                })
                .flat_map(|(_, lines)| lines.iter().map(String::as_str))
                .collect();
            !message.is_in(&lines)
        };
        let missing: Vec<Release> = Release::ALL.into_iter().filter(lacks).collect();
        let known = UNSEEN
            .iter()
            .position(|it| it.file == message.file && it.text == message.text);
        excused.extend(known);
        let allowed: &[Release] = known.map_or(&[], |at| UNSEEN[at].on);
        let messages::Message {
            file, line, text, ..
        } = &message;
        let told = format!("src/programs/{file}:{line}: {text:?}");
        let names: Vec<_> = missing.iter().map(|release| release.name()).collect();
        match known.map(|at| UNSEEN[at].why) {
            _ if missing == allowed => {}
            None => wrong.push(format!("{told} is in no trace of {}", names.join(", "))),
            Some(why) => wrong.push(format!(
                "{told} is in no trace of {names:?}; UNSEEN names other releases: {why}"
            )),
        }
    }
    let stale = (0..UNSEEN.len()).filter(|at| !excused.contains(at));
    wrong.extend(stale.map(|at| format!("UNSEEN has {:?}, which no code says", UNSEEN[at].text)));
    none(&wrong);
}

/// The files whose blocks were listed on real pools, by the size of a sector and the release. Each has a history of its own.
#[test]
fn what_600_files_and_more_take_on_disk_is_recorded_for_each_size_of_sectors_and_release() {
    let mut files: BTreeMap<(String, Release), BTreeSet<String>> = BTreeMap::new();
    for (name, text) in corpus() {
        let Ok(trace) = Trace::parse(&name, &text) else {
            continue;
        };
        let mut ashift = String::new();
        let mut listed = None;
        for line in String::from_utf8_lossy(&text).lines() {
            if let Some((_, command)) = line.split_once("$ ") {
                let set = command
                    .split_once("ashift=")
                    .filter(|_| line.contains("zpool create"));
                if let Some((_, value)) = set {
                    ashift = value.chars().take_while(char::is_ascii_digit).collect();
                }
                listed = command.strip_prefix("blocks ").map(str::to_owned);
            } else if let (Some(dataset), Some((_, path))) = (&listed, line.split_once(" /")) {
                for release in trace.releases() {
                    let files = files.entry((ashift.clone(), release)).or_default();
                    files.insert(format!("{name} {dataset}:/{path}"));
                }
            }
        }
    }
    for ashift in ["9", "12", "14"] {
        for release in [Release::V2_1, Release::V2_3, Release::V2_4] {
            let count = files
                .get(&(ashift.to_owned(), release))
                .map_or(0, BTreeSet::len);
            assert!(
                count >= 600,
                "{count} files at ashift={ashift} on {release:?}"
            );
        }
    }
}
