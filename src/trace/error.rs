//! What is wrong with a trace that cannot be read, and where.

use std::fmt;

/// A trace that cannot be read: where, what was expected, and a picture of the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceError {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted in characters from 1.
    pub column: usize,
    /// How many characters the caret underlines, at least 1.
    pub width: usize,
    /// What was expected there: "expected ...".
    pub expected: String,
    /// What to do about it, when that is not plain.
    pub help: Option<&'static str>,
    /// The text of the line.
    pub source_line: String,
}

impl std::error::Error for TraceError {}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The longest part of a line that is shown before and behind the caret, in characters.
        const SHOWN: usize = 72;
        let TraceError {
            file,
            line,
            column,
            width,
            expected,
            help,
            source_line,
        } = self;
        writeln!(f, "{file}:{line}:{column}: expected {expected}")?;
        let skipped = (column - 1).saturating_sub(SHOWN);
        let clean = |c: char| {
            if c == '\t' || !c.is_control() {
                c
            } else {
                '\u{fffd}'
            }
        };
        let mut shown: String = source_line
            .chars()
            .skip(skipped)
            .take(2 * SHOWN)
            .map(clean)
            .collect();
        if skipped > 0 {
            shown.insert(0, '…');
        }
        // Tabs in front of the caret stay tabs, so that it stands under its character.
        let before: String = shown
            .chars()
            .take(column - 1 - skipped + usize::from(skipped > 0))
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let gutter = " ".repeat(line.to_string().len());
        let carets = "^".repeat((*width).clamp(1, SHOWN));
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{line} | {shown}")?;
        write!(f, "{gutter} | {before}{carets}")?;
        if let Some(help) = help {
            write!(f, "\n{gutter} = {help}")?;
        }
        Ok(())
    }
}
