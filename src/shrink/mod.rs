//! Smaller traces that diverge in the same way.
//!
//! What stays is the [`Signature`] of the first step that differs. A candidate is run on the model first: where the
//! model no longer ends in the same kind of outcome, the pool, which is a thousand times slower, is not asked.

mod shorter;
mod simpler;

use ztwin_model::generate::shrink::Shrinking;

use crate::compare::{Comparer, play};
use crate::pools::{Command, End, Pools, Printed, Unavailable};
use crate::trace::Expected;

use shorter::shorter;
use simpler::simpler;

/// What stays the same while a trace becomes smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The step that differs: its program or verb with its subcommand.
    pub operation: String,
    /// What differs.
    pub what: What,
    /// The class of what was expected.
    pub expected: Class,
    /// The class of what came.
    pub got: Class,
}

/// In what two outcomes differ, the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// How the step ended.
    End,
    /// What it complained of.
    Errors,
    /// What it printed.
    Output,
}

/// A kind of outcome: how a step ended, and what it complained of but for names and numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    end: End,
    complaint: String,
}

impl Class {
    fn of(printed: &Printed) -> Class {
        let errors = String::from_utf8_lossy(&printed.err);
        let first = errors.lines().next().unwrap_or_default();
        // Names stand in quotes.
        let unnamed = first.split('\'').step_by(2);
        let complaint: String = unnamed.flat_map(str::chars).collect();
        Class {
            end: printed.end,
            complaint: complaint
                .chars()
                .filter(|it| !it.is_ascii_digit())
                .collect(),
        }
    }
}

impl Signature {
    fn of(command: &Command, expected: &Printed, got: &Printed) -> Signature {
        let words = &command.words;
        let is_program = words
            .first()
            .is_some_and(|it| ["zfs", "zpool", "docker", "containerd", "storage"].contains(&&**it));
        let what = if expected.end != got.end {
            What::End
        } else if Class::of(expected) == Class::of(got) {
            What::Output
        } else {
            What::Errors
        };
        Signature {
            operation: words[..words.len().min(1 + usize::from(is_program))].join(" "),
            what,
            expected: Class::of(expected),
            got: Class::of(got),
        }
    }
}

impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.what {
            What::End => "how it ends",
            What::Errors => "what it complains of",
            What::Output => "what it prints",
        };
        write!(f, "{}: {what}", self.operation)?;
        for (side, class) in [("pool", &self.expected), ("model", &self.got)] {
            let end = match class.end {
                End::Exit(code) => format!("exit {code}"),
                End::Panic => "panic".to_owned(),
                End::NotModelled => "not modelled".to_owned(),
            };
            write!(f, "; {side}: {end}")?;
            if !class.complaint.is_empty() {
                write!(f, ", {}", class.complaint.trim())?;
            }
        }
        Ok(())
    }
}

/// A divergence that was made small.
#[derive(Clone, Debug)]
pub struct Small {
    /// The steps; the last one differs.
    pub commands: Vec<Command>,
    /// What the pool did.
    pub expected: Vec<Printed>,
    /// In which way the last one differs.
    pub signature: Signature,
    /// How many candidates were run on the model, and how many of them on the pool.
    pub tried: (u32, u32),
}

/// The first step in which what a pool did and what the model did differ, if there is one. Where the pool is a model,
/// too, both have the same markers, and everything must be equal.
#[must_use]
pub fn first_difference(
    commands: &[Command],
    expected: &[Printed],
    got: &[Printed],
    both_are_models: bool,
) -> Option<(usize, Signature)> {
    let mut comparer = Comparer::new();
    let both = commands.iter().zip(expected.iter().zip(got));
    both.enumerate()
        .find_map(|(index, (command, (expected, got)))| {
            let agree = if both_are_models {
                expected == got
            } else {
                let verdict = comparer.step(&Expected::from(expected), got);
                verdict.difference.is_none()
            };
            (!agree).then(|| (index, Signature::of(command, expected, got)))
        })
}

/// Both pools, and what was asked of them.
struct Asked<'a> {
    pool: &'a mut dyn Pools,
    model: &'a mut dyn Pools,
    signature: Signature,
    tried: (u32, u32),
    budget: u32,
    /// What the pool printed last.
    expected: Vec<Printed>,
    /// The pool cannot be had any more.
    failed: Option<Unavailable>,
}

impl Asked<'_> {
    /// Whether these steps differ in the last one, in the same way.
    fn differs(&mut self, commands: &[Command]) -> bool {
        if self.failed.is_some() || self.tried.0 >= self.budget || commands.is_empty() {
            return false;
        }
        self.tried.0 += 1;
        let result = self.try_differs(commands);
        result.unwrap_or_else(|error| {
            self.failed = Some(error);
            false
        })
    }

    fn try_differs(&mut self, commands: &[Command]) -> Result<bool, Unavailable> {
        let got = play(self.model, commands)?;
        let ends_alike = got
            .last()
            .is_some_and(|last| Class::of(last) == self.signature.got);
        if !ends_alike {
            return Ok(false);
        }
        self.tried.1 += 1;
        let expected = play(self.pool, commands)?;
        let models = self.pool.system().is_none();
        let Some((index, signature)) = first_difference(commands, &expected, &got, models) else {
            return Ok(false);
        };
        let same = index + 1 == commands.len() && signature == self.signature;
        if same {
            self.expected = expected;
        }
        Ok(same)
    }
}

/// Makes steps that differ smaller, with at most `budget` candidates; none if they do not differ. `seen` is told how
/// many steps are left, and stops it with `false`.
pub fn shrink(
    mut commands: Vec<Command>,
    pool: &mut dyn Pools,
    model: &mut dyn Pools,
    budget: u32,
    seen: &mut dyn FnMut(usize, u32) -> bool,
) -> Result<Option<Small>, Unavailable> {
    let mut expected = play(pool, &commands)?;
    let got = play(model, &commands)?;
    let models = pool.system().is_none();
    let Some((index, signature)) = first_difference(&commands, &expected, &got, models) else {
        return Ok(None);
    };
    commands.truncate(index + 1);
    expected.truncate(index + 1);
    let mut asked = Asked {
        pool,
        model,
        signature,
        tried: (0, 0),
        budget,
        expected,
        failed: None,
    };
    let mut shrinking = Shrinking::new(commands, simpler).with(shorter);
    loop {
        if !seen(shrinking.best().len(), asked.tried.0) || asked.tried.0 >= budget {
            break;
        }
        let Some(candidate) = shrinking.offer() else {
            break;
        };
        if asked.differs(candidate) {
            shrinking.accept();
        }
    }
    if let Some(error) = asked.failed {
        return Err(error);
    }
    Ok(Some(Small {
        commands: shrinking.best().to_vec(),
        expected: asked.expected,
        signature: asked.signature,
        tried: asked.tried,
    }))
}
