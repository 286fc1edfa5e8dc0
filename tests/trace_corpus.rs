//! The corpus: what every trace in it has to be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use ztwin::trace::{CORPUS, Item, Trace};

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
        // Names of programs stay small at the start of a sentence.
        let starts = first.starts_with(|c: char| c.is_uppercase() || c == '`')
            || ["zfs ", "zpool ", "docker ", "containerd "]
                .iter()
                .any(|name| first.starts_with(name));
        let is_sentence = starts && first.ends_with(['.', ':']) && first.split(' ').count() >= 4;
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
            .filter(|(_, line)| line.starts_with("  "))
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
