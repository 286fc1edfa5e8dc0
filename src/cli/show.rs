//! Reports as text for people.

use std::io::{self, Write};

use super::input::Loaded;
use crate::compare::{Divergence, Names, Picture, Report};
use crate::trace::Step;

/// Divergences of one trace that are shown; the rest mostly follows from these.
const SHOWN_MAX: usize = 3;
/// Lines of the trace shown in front of a step.
const BEFORE: usize = 5;

/// How the divergences of a trace are shown.
pub struct Frame<'a> {
    /// The trace.
    pub loaded: &'a Loaded,
    /// What the sides are called.
    pub names: &'a Names,
    /// The command that replays it.
    pub replay: &'a str,
    /// Whether the expected side is what stands in the file.
    pub recorded: bool,
    /// Whether to colour it.
    pub colour: bool,
}

impl Frame<'_> {
    /// Writes the divergences of `report`, and a command to replay them.
    pub fn write(&self, out: &mut dyn Write, report: &Report) -> io::Result<()> {
        let steps: Vec<&Step> = self.loaded.trace.steps().collect();
        for divergence in report.divergences.iter().take(SHOWN_MAX) {
            // A divergence is at a step of the trace.
            if let Some(step) = steps.get(divergence.step) {
                self.divergence(out, divergence, step)?;
                writeln!(out)?;
            }
        }
        if let Some(more) = report
            .divergences
            .len()
            .checked_sub(SHOWN_MAX)
            .filter(|&n| n > 0)
        {
            let s = if more == 1 { " differs" } else { "s differ" };
            writeln!(out, "{}: {more} more step{s}", self.loaded.name)?;
        }
        writeln!(out, "replay: {}\n", self.replay)
    }

    fn divergence(
        &self,
        out: &mut dyn Write,
        divergence: &Divergence,
        step: &Step,
    ) -> io::Result<()> {
        let text = String::from_utf8_lossy(&self.loaded.text);
        let lines: Vec<&str> = text.lines().collect();
        let numbered = |from: usize, to: usize| -> Vec<(Option<usize>, String)> {
            let range = from.min(lines.len())..to.min(lines.len());
            range.map(|i| (Some(i + 1), lines[i].to_owned())).collect()
        };
        let first = step.line.0.saturating_sub(1);
        let own = first..first + 1 + step.breaks.len();
        let (before, own) = match &divergence.inserted {
            None => (
                numbered(first.saturating_sub(BEFORE), first),
                numbered(own.start, own.end),
            ),
            Some(command) => {
                let inserted = Step::new(command.clone()).command_line();
                (
                    numbered(first.saturating_sub(BEFORE), own.end),
                    vec![(None, inserted)],
                )
            }
        };
        let place = format!("{}:{}", self.loaded.name, step.line.0);
        let Names { expected, got } = self.names;
        let headline = match (&divergence.inserted, divergence.difference.not_modelled) {
            (None, false) => format!("{got} and {expected} differ here"),
            (Some(_), false) => format!("{got} and {expected} differ behind this step"),
            (None, true) => "this step is not modelled".to_owned(),
            (Some(_), true) => "the state behind this step is not modelled".to_owned(),
        };
        let picture = Picture {
            place,
            headline,
            before: &before,
            step: &own,
            body: self.recorded.then(|| step.line_of_body(0)),
            difference: &divergence.difference,
            names: self.names,
            colour: self.colour,
        };
        writeln!(out, "{picture}")
    }
}

/// `3 steps`, `1 step`.
pub fn count(number: usize, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}
