//! A divergence, as people see it: the transcript around the step, and under it what differs.

use std::fmt;

use console::Style;
use similar::{ChangeTag, TextDiff};

use super::{Difference, DifferentLine, Side};

/// What the two sides of a comparison are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The side that is right by definition: `OpenZFS 2.3.9, recorded`.
    pub expected: String,
    /// The other one: `model`.
    pub got: String,
}

/// A step in the context of its trace.
#[derive(Clone, Debug)]
pub struct Picture<'a> {
    /// Where the step stands: `traces/zfs/promote.trace:12`, or what was inserted behind which step.
    pub place: String,
    /// One sentence, behind the place.
    pub headline: String,
    /// Lines in front of the step, as in the trace, with their numbers.
    pub before: &'a [(Option<usize>, String)],
    /// The lines of the step itself, with their numbers.
    pub step: &'a [(Option<usize>, String)],
    /// The number of the first line of the step's body; `None` when it stands in no file.
    pub body: Option<usize>,
    /// What differs.
    pub difference: &'a Difference,
    /// What the sides are called.
    pub names: &'a Names,
    /// Whether to colour it.
    pub colour: bool,
}

/// Equal lines shown on either side of different ones.
const CONTEXT: usize = 3;

impl fmt::Display for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let style = |style: Style| style.force_styling(self.colour);
        let (red, green) = (style(Style::new().red()), style(Style::new().green()));
        let (bold, dim) = (style(Style::new().bold()), style(Style::new().dim()));
        let lines = &self.difference.lines;
        let number = |line: &DifferentLine| Some(self.body? + line.offset?);
        let width = self
            .before
            .iter()
            .chain(self.step)
            .filter_map(|(number, _)| *number)
            .chain(lines.iter().filter_map(number))
            .max()
            .map_or(1, |number| number.to_string().len());
        let gutter = |number: Option<usize>, sign: &str| {
            let number = number.map(|number| number.to_string()).unwrap_or_default();
            format!("{}{sign}", dim.apply_to(format!("{number:>width$} | ")))
        };
        writeln!(f, "{}: {}", bold.apply_to(&self.place), self.headline)?;
        let blank = dim.apply_to(format!("{:width$} |", ""));
        writeln!(f, "{blank}")?;
        for (number, text) in self.before {
            // An empty line of prose ends with its number.
            let text = format!("{} {}", gutter(*number, " "), dim.apply_to(text));
            writeln!(f, "{}", text.trim_end())?;
        }
        for (number, text) in self.step {
            writeln!(f, "{} {}", gutter(*number, " "), bold.apply_to(text))?;
        }
        let near = |i: usize| {
            let from = i.saturating_sub(CONTEXT);
            let to = (i + CONTEXT + 1).min(lines.len());
            lines[from..to].iter().any(|line| line.side != Side::Both)
        };
        let mut i = 0;
        while i < lines.len() {
            if !near(i) {
                let hidden = (i..lines.len()).take_while(|&i| !near(i)).count();
                // One line takes the place that says that it is hidden.
                if hidden > 1 {
                    let text = format!("  ... {hidden} equal lines");
                    writeln!(f, "{} {}", gutter(None, " "), dim.apply_to(text))?;
                    i += hidden;
                    continue;
                }
            }
            let line = &lines[i];
            match line.side {
                Side::Both => {
                    writeln!(f, "{} {}", gutter(number(line), " "), line.text)?;
                    i += 1;
                }
                Side::Expected | Side::Got => {
                    let run = lines[i..]
                        .iter()
                        .take_while(|line| line.side != Side::Both)
                        .count();
                    let (expected, got): (Vec<_>, Vec<_>) = lines[i..i + run]
                        .iter()
                        .partition(|line| line.side == Side::Expected);
                    // Lines that replace each other one by one are shown in pairs.
                    let paired = expected.len() == got.len();
                    let rest = expected.len().max(got.len());
                    let mut write = |line: &DifferentLine, other: Option<&DifferentLine>| {
                        let (sign, style) = match line.side {
                            Side::Got => ("+", &green),
                            _ => ("-", &red),
                        };
                        let sign = style.apply_to(sign);
                        let text = style.apply_to(&line.text);
                        writeln!(f, "{} {text}", gutter(number(line), &sign.to_string()))?;
                        let carets = other.filter(|_| line.side == Side::Got);
                        if let Some(carets) = carets.and_then(|other| carets_under(other, line)) {
                            writeln!(f, "{} {}", gutter(None, " "), style.apply_to(carets))?;
                        }
                        Ok(())
                    };
                    if paired {
                        for k in 0..rest {
                            write(expected[k], None)?;
                            write(got[k], Some(expected[k]))?;
                        }
                    } else {
                        expected.iter().try_for_each(|line| write(line, None))?;
                        got.iter().try_for_each(|line| write(line, None))?;
                    }
                    i += run;
                }
            }
        }
        writeln!(f, "{blank}")?;
        write!(
            f,
            "{} {} {}   {} {}",
            dim.apply_to(format!("{:width$} =", "")),
            red.apply_to("-"),
            self.names.expected,
            green.apply_to("+"),
            self.names.got,
        )
    }
}

/// Carets under what `got` has and `expected` has not; `None` when the lines have little in common.
fn carets_under(expected: &DifferentLine, got: &DifferentLine) -> Option<String> {
    let diff = TextDiff::from_chars(expected.text.as_str(), got.text.as_str());
    if diff.ratio() < 0.6 {
        return None;
    }
    let mut carets = String::new();
    let mut deleted = false;
    for change in diff.iter_all_changes() {
        let width = change.value().chars().count();
        match change.tag() {
            ChangeTag::Equal => {
                // A caret where something is missing.
                carets.push_str(if deleted { "^" } else { "" });
                carets.extend(std::iter::repeat_n(
                    ' ',
                    width - usize::from(deleted).min(width),
                ));
                deleted = false;
            }
            ChangeTag::Delete => deleted = true,
            ChangeTag::Insert => {
                carets.extend(std::iter::repeat_n('^', width));
                deleted = false;
            }
        }
    }
    if deleted {
        carets.push('^');
    }
    Some(carets.trim_end().to_owned())
}
