//! Printing traces.

use std::fmt;

use super::text::Place;
use super::{Arm, Element, Ending, Guard, Item, Line, Meta, Recorded, Step, Text, Trace, quote};

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items.iter().try_for_each(|item| item.fmt(f))
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Prose(line) => writeln!(f, "{line}"),
            Item::Meta(meta) => writeln!(f, "  @ {meta}"),
            Item::Step(step) => {
                writeln!(f, "{}", step.command_line())?;
                step.body.iter().try_for_each(|element| element.fmt(f))
            }
        }
    }
}

impl fmt::Display for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Meta::Recorded(Recorded {
                openzfs,
                linux,
                system,
                date,
            }) => {
                write!(
                    f,
                    "recorded openzfs-{openzfs} linux-{linux} {system} {date}"
                )
            }
            Meta::Values(pairs) => {
                for (i, (key, value)) in pairs.iter().enumerate() {
                    let space = if i == 0 { "" } else { " " };
                    let value = if value.is_empty() {
                        String::new()
                    } else {
                        quote(value)
                    };
                    write!(f, "{space}{key}={value}")?;
                }
                Ok(())
            }
        }
    }
}

impl Step {
    /// The line, or lines, of the step itself: indented, without the final line feed.
    #[must_use]
    pub fn command_line(&self) -> String {
        let command = &self.command;
        let mut tokens: Vec<String> = command.words.iter().map(|word| quote(word)).collect();
        tokens.extend(command.input.iter().map(|name| format!("< @{name}")));
        tokens.extend(command.output.iter().map(|name| format!("> @{name}")));
        let mut line = format!("  {}$", command.process);
        for (i, token) in tokens.iter().enumerate() {
            line.push_str(if self.breaks.contains(&i) {
                " \\\n    "
            } else {
                " "
            });
            line.push_str(token);
        }
        line
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Element::Line(line) => writeln!(f, "{line}"),
            Element::Guard(guard) => guard.fmt(f),
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Arm { when, lines }) in self.arms.iter().enumerate() {
            writeln!(f, "  ? {}{when}", if i == 0 { "" } else { "else " })?;
            lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        }
        if let Some(lines) = &self.otherwise {
            writeln!(f, "  ? else")?;
            lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        }
        writeln!(f, "  ? end")
    }
}

impl fmt::Display for Line {
    /// The line with its indent, without the final line feed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marked = |f: &mut fmt::Formatter<'_>, mark, text: &Text| {
            let written = text.written(Place::Marked);
            write!(
                f,
                "  {mark}{}{written}",
                if written.is_empty() { "" } else { " " }
            )
        };
        match self {
            Line::Out(text) if text.is_pattern() => marked(f, "~", text),
            Line::Out(text) => write!(f, "  {}", text.written(Place::Bare)),
            Line::Err(text) if text.is_pattern() => marked(f, "!~", text),
            Line::Err(text) => marked(f, "!", text),
            Line::End(Ending::Exit(code)) => write!(f, "  [{code}]"),
            Line::End(Ending::Panic) => write!(f, "  [panic]"),
        }
    }
}
