//! What the programs did, as a trace (`--record`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use ztwin_model::Release;

use super::{Call, Error, Found};
use crate::pools::{Command, End, Printed, Verb, verb};
use crate::programs::Failure;
use crate::trace::{Element, Item, Step, quote, without_usage};

/// Writes a trace, step by step.
#[derive(Debug)]
pub(super) struct Recorder {
    path: PathBuf,
    /// None as soon as it cannot be written any more.
    file: Option<File>,
    /// The vdev files that steps have made, with their sizes.
    vdevs: BTreeMap<String, u64>,
}

impl Recorder {
    /// Begins a trace in a new file.
    pub fn create(path: &Path, release: Release) -> Result<Self, Error> {
        let shown = path.display();
        let file = File::create_new(path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Error(format!(
                "{shown} exists, and may be worth something; name another file for --record"
            )),
            _ => Error::of(format!("write the trace {shown}"))(error),
        })?;
        let mut recorder = Recorder {
            path: path.to_owned(),
            file: Some(file),
            vdevs: BTreeMap::new(),
        };
        let line = release.name();
        let items = [
            prose(&format!(
                "Simulated by `ztwin sim` as OpenZFS {line}: no pool has given these outcomes, so they prove nothing"
            )),
            prose("about ZFS. `ztwin record` puts those of a real pool in their place."),
            prose(""),
        ];
        recorder.write(&items);
        Ok(recorder)
    }

    /// Appends a call, what it printed, which failures happened in it, and whether it printed an estimate.
    pub fn add(&mut self, call: &Call, printed: &Printed, failures: &[Failure], estimated: bool) {
        if self.file.is_none() {
            return;
        }
        let words: Vec<String> = call.words.iter().map(|word| quote(word)).collect();
        let words = words.join(" ");
        if printed.end == End::NotModelled {
            self.write(&note(&format!(
                "`{words}` was called here, which is not modelled."
            )));
            return;
        }
        let mut items = Vec::new();
        for (path, found) in &call.files {
            items.extend(self.vdev(path, *found));
        }
        for failure in failures {
            items.extend(note(&format!("The next step was made to fail: {failure}.")));
        }
        if estimated {
            items.extend(note("The next step prints estimates of space."));
        }
        items.push(step(call.words.clone(), printed));
        self.write(&items);
    }

    /// A step that makes a vdev file known.
    fn vdev(&mut self, path: &str, found: Found) -> Vec<Item> {
        let Found::File(size) = found else {
            return Vec::new();
        };
        match self.vdevs.insert(path.to_owned(), size) {
            Some(before) if before == size => return Vec::new(),
            Some(before) => {
                return note(&format!(
                    "{} has {size} bytes by now, not {before}.",
                    quote(path)
                ));
            }
            None => {}
        }
        let words = ["vdev", path, &bytes(size)].map(str::to_owned).to_vec();
        match verb::parse("", &words, &crate::pools::Blobs::default()) {
            Ok(Verb::Vdev { .. }) => vec![step(words, &Printed::default())],
            _ => note(&format!(
                "{} of {size} bytes is there, which no step can make.",
                quote(path)
            )),
        }
    }

    fn write(&mut self, items: &[Item]) {
        let text: String = items.iter().map(ToString::to_string).collect();
        let Some(file) = &mut self.file else {
            return;
        };
        if let Err(error) = file.write_all(text.as_bytes()) {
            let path = self.path.display();
            eprintln!("ztwin sim: cannot write the trace {path}: {error}; it ends too early");
            self.file = None;
        }
    }
}

fn step(words: Vec<String>, printed: &Printed) -> Item {
    let lines = without_usage(printed.lines());
    Item::Step(Step {
        body: lines.into_iter().map(Element::Line).collect(),
        ..Step::new(Command {
            words,
            ..Command::default()
        })
    })
}

fn prose(line: &str) -> Item {
    Item::Prose(line.to_owned())
}

/// A remark between two steps.
fn note(line: &str) -> Vec<Item> {
    vec![prose(""), prose(line), prose("")]
}

/// A number of bytes with the largest unit that leaves none over.
fn bytes(size: u64) -> String {
    let units = [(40, "T"), (30, "G"), (20, "M"), (10, "K")];
    let unit = units
        .into_iter()
        .find(|(shift, _)| size > 0 && size.trailing_zeros() >= *shift);
    match unit {
        Some((shift, unit)) => format!("{}{unit}", size >> shift),
        None => size.to_string(),
    }
}
