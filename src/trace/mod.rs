//! The transcript format: parse, print.
//!
//! A trace is a transcript of steps and what they printed. [`Trace::parse`] and its [`Display`] are
//! inverse: `parse(print(t)) == t` for every well-formed trace, and `print(parse(s)) == s` for
//! canonical text. `docs/traces.md` teaches the format by examples.
//!
//! [`Display`]: std::fmt::Display

mod corpus;
mod date;
mod error;
mod guard;
mod outcome;
mod parse;
mod print;
mod record;
mod text;
mod word;

use ztwin_model::Release;

use crate::pools::{Command, End};

pub use corpus::CORPUS;
pub use date::today;
pub use error::TraceError;
pub use guard::{Arm, Comparison, Condition, Guard, Operator};
pub use outcome::{Expected, Placed};
pub use record::without_usage;
pub use text::{Content, Pattern, Piece, Text};
pub use word::quote;

/// A transcript: prose, metadata, and steps with what they printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Everything in it, in order.
    pub items: Vec<Item>,
}

/// One part of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// One line at the margin, possibly empty. Never starts with a space, never holds a line feed.
    Prose(String),
    /// A line `  @ ...`.
    Meta(Meta),
    /// A step and what it printed.
    Step(Step),
}

/// A line of metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meta {
    /// `  @ recorded openzfs-2.3.9 linux-6.12 trixie 2026-11-21`: one release that gave the outcomes.
    Recorded(Recorded),
    /// `  @ key=value ...`: at least one pair; a key is made of `a-z 0-9 _ . -` and starts with a letter.
    Values(Vec<(String, String)>),
}

/// Where and when outcomes were recorded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recorded {
    /// The exact OpenZFS version, such as `2.3.9`.
    pub openzfs: String,
    /// The kernel's version, such as `6.12`.
    pub linux: String,
    /// The distribution's name, such as `trixie`.
    pub system: String,
    /// The day (UTC), as `2026-11-21`.
    pub date: String,
}

impl Recorded {
    /// The release line of the recorded version; `None` when this ztwin does not model it.
    #[must_use]
    pub fn release(&self) -> Option<Release> {
        Release::of_version(&self.openzfs)
    }
}

/// A step: a command, and what it printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// What is run.
    pub command: Command,
    /// Before which tokens (words, then `< @name`, then `> @name`, counted from 0) the line is
    /// broken with a trailing `\`. Ascending, none is 0.
    pub breaks: Vec<usize>,
    /// What it printed: standard output, then standard error, then the exit code.
    pub body: Vec<Element>,
    /// Where it stands.
    pub line: LineNumber,
}

impl Step {
    /// A step that prints nothing and ends with exit code 0.
    #[must_use]
    pub fn new(command: Command) -> Self {
        Step {
            command,
            ..Step::default()
        }
    }

    /// The line, counted from 1, of the element of the body that stands `offset` lines below its start.
    #[must_use]
    pub fn line_of_body(&self, offset: usize) -> usize {
        self.line.0 + 1 + self.breaks.len() + offset
    }
}

/// The line of a file, counted from 1; 0 when it was not read from text.
///
/// It says where something stands, not what it is: any two are equal.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineNumber(pub usize);

impl PartialEq for LineNumber {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for LineNumber {}

/// A part of what a step printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// A line that stands for every release.
    Line(Line),
    /// Lines that differ between releases.
    Guard(Guard),
}

/// A line of an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Standard output.
    Out(Text),
    /// Standard error: `! ...`.
    Err(Text),
    /// How the step ended, when it is not exit code 0.
    End(Ending),
}

/// An ending that is written down; exit code 0 is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// `[N]`: this exit code.
    Exit(std::num::NonZeroU8),
    /// `[panic]`: the kernel panicked.
    Panic,
}

impl From<Ending> for End {
    fn from(ending: Ending) -> End {
        match ending {
            Ending::Exit(code) => End::Exit(code.get()),
            Ending::Panic => End::Panic,
        }
    }
}

impl Trace {
    /// Reads a trace. `name` stands in error messages, where a file name would.
    pub fn parse(name: &str, text: &[u8]) -> Result<Trace, TraceError> {
        parse::parse(name, text)
    }

    /// The steps, in order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.items.iter().filter_map(|item| match item {
            Item::Step(step) => Some(step),
            _ => None,
        })
    }

    /// The steps, in order, to be changed.
    pub fn steps_mut(&mut self) -> impl Iterator<Item = &mut Step> {
        self.items.iter_mut().filter_map(|item| match item {
            Item::Step(step) => Some(step),
            _ => None,
        })
    }

    /// What is run, in order.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        self.steps().map(|step| step.command.clone()).collect()
    }

    /// The lines `@ recorded ...`, in order.
    pub fn recorded(&self) -> impl Iterator<Item = &Recorded> {
        self.items.iter().filter_map(|item| match item {
            Item::Meta(Meta::Recorded(recorded)) => Some(recorded),
            _ => None,
        })
    }

    /// The release lines that the trace was recorded on, oldest first, each once.
    #[must_use]
    pub fn releases(&self) -> Vec<Release> {
        let mut releases: Vec<_> = self.recorded().filter_map(Recorded::release).collect();
        releases.sort_unstable();
        releases.dedup();
        releases
    }

    /// The prose, one string a line.
    pub fn prose(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| match item {
            Item::Prose(line) => Some(line.as_str()),
            _ => None,
        })
    }
}
