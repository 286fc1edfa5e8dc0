//! A trace as a shell script that needs nothing but ZFS: for who has no ztwin, such as who reads a bug report.

mod verb;

use std::fmt::Write as _;

use ztwin_model::Release;

use crate::compare::CLASSES;
use crate::pools::{Command, End, Pools, Unavailable, open_model};
use crate::trace::{Content, Expected, Placed, Trace, quote};

/// Why a trace cannot be said in a shell.
#[derive(Debug, thiserror::Error)]
pub enum Unsaid {
    /// The step that counts is none of a shell.
    #[error("the last step cannot be said in a shell: {0}")]
    Last(String),
    /// The model could not be asked which values are different each time.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What all scripts begin with, behind their prose.
const HEAD: &str = include_str!("head.sh");

/// A script that runs the steps of a trace, and ends with 0 if ZFS does what the trace says, with 1 if it does
/// something else, and with 2 if it cannot be run.
///
/// Data from a seed become other bytes than those of ztwin, the same ones for the same seed. Values that are
/// different each time are not compared, as the model knows them; nor is what only ztwin can look at. `release` is the one whose outcomes are
/// expected, where the trace has several.
pub fn script(trace: &Trace, release: Option<Release>) -> Result<String, Unsaid> {
    let release = release
        .or_else(|| trace.releases().last().copied())
        .unwrap_or_default();
    let mut model = Vec::new();
    let commands = trace.commands();
    open_model(release).play(&commands, &mut |_, printed| model.push(printed))?;

    let mut text = "#!/bin/sh\n".to_owned();
    for line in trace.prose() {
        text.push_str(&format!("# {line}").trim_end().replace('\n', " "));
        text.push('\n');
    }
    text.push_str(HEAD);
    let mut said = true;
    for (step, model) in trace.steps().zip(&model) {
        let command = &step.command;
        let line = step.command_line();
        let line = line.trim_start().trim_start_matches("$ ");
        let Some(words) = words(command) else {
            let _ = writeln!(text, "# left out: {line}");
            said = false;
            continue;
        };
        said = true;
        let expected = step.expected(release);
        let model = (text_of(&model.out), text_of(&model.err));
        let _ = writeln!(text, "\nrun {} {words}", quote(line));
        stream(&mut text, "out", &expected.out, &model.0, command);
        stream(&mut text, "err", &expected.err, &model.1, command);
        end(&mut text, &expected);
    }
    match trace.steps().last() {
        Some(last) if !said => Err(Unsaid::Last(last.command_line())),
        _ => {
            text.push_str("\nexit \"$differs\"\n");
            Ok(text)
        }
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The words of a step in a shell; none if it has none.
fn words(command: &Command) -> Option<String> {
    if !command.process.is_empty() || command.input.is_some() || command.output.is_some() {
        return None;
    }
    let first = command.words.first()?;
    if first == "zfs" || first == "zpool" {
        let words = command.words.iter().map(|word| {
            // The files that pools live in lie elsewhere.
            if first == "zpool" && word.starts_with('/') {
                format!("\"$work\"{}", quote(word))
            } else {
                quote(word)
            }
        });
        return Some(words.collect::<Vec<_>>().join(" "));
    }
    verb::words(&command.words)
}

/// What is expected of a stream. Of a verb only errors are: its output is ztwin's own.
fn stream(text: &mut String, name: &str, lines: &[Placed], model: &str, command: &Command) {
    let is_program = matches!(
        command.words.first().map(String::as_str),
        Some("zfs" | "zpool")
    );
    if !is_program && name == "out" {
        return;
    }
    let marked = CLASSES.iter().any(|class| model.contains(class.marker));
    let mut expected = String::new();
    for line in lines {
        match &line.text.content {
            Content::Literal(bytes) if !marked => {
                expected.push_str(&text_of(bytes));
                expected.push('\n');
            }
            _ => {
                let _ = writeln!(text, "# {name}: not compared");
                return;
            }
        }
    }
    let _ = writeln!(text, "{name} <<'EXPECTED'\n{expected}EXPECTED");
}

fn end(text: &mut String, expected: &Expected) {
    match expected.end {
        End::Exit(code) => {
            let _ = writeln!(text, "end {code}");
        }
        End::Panic | End::NotModelled => text.push_str("# how it ends: not compared\n"),
    }
}
