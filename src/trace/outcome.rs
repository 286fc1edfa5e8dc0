//! What a step prints on one release.

use ztwin_model::Release;

use super::{Element, Line, Step, Text};
use crate::pools::{End, Printed};

/// What a trace says that a step prints on one release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The lines of standard output.
    pub out: Vec<Placed>,
    /// The lines of standard error.
    pub err: Vec<Placed>,
    /// How it ends.
    pub end: End,
    /// Where the line of the exit code stands, as [`Placed::offset`]; the end of the body without one.
    pub end_offset: usize,
}

/// A line, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// How many lines below the start of the step's body; see [`Step::line_of_body`].
    pub offset: usize,
    /// The line.
    pub text: Text,
}

impl Step {
    /// What it prints on `release`.
    #[must_use]
    pub fn expected(&self, release: Release) -> Expected {
        let mut expected = Expected::default();
        let mut offset = 0;
        let mut ended = None;
        let mut add = |line: &Line, offset: usize| match line {
            Line::Out(text) => expected.out.push(Placed {
                offset,
                text: text.clone(),
            }),
            Line::Err(text) => expected.err.push(Placed {
                offset,
                text: text.clone(),
            }),
            Line::End(end) => ended = Some(((*end).into(), offset)),
        };
        for element in &self.body {
            match element {
                Element::Line(line) => {
                    add(line, offset);
                    offset += 1;
                }
                Element::Guard(guard) => {
                    let chosen = guard.part(release);
                    for (i, part) in guard.parts().enumerate() {
                        // The line `? ...` stands above each part.
                        offset += 1;
                        if chosen == Some(i) {
                            part.iter()
                                .zip(offset..)
                                .for_each(|(line, offset)| add(line, offset));
                        }
                        offset += part.len();
                    }
                    // `? end`
                    offset += 1;
                }
            }
        }
        let (end, end_offset) = ended.unwrap_or((End::Exit(0), offset));
        Expected {
            end,
            end_offset,
            ..expected
        }
    }
}

impl From<&Printed> for Expected {
    /// Exactly what was printed.
    fn from(printed: &Printed) -> Self {
        let place = |stream: &[u8], from: usize| -> Vec<Placed> {
            Text::lines(stream)
                .into_iter()
                .zip(from..)
                .map(|(text, offset)| Placed { offset, text })
                .collect()
        };
        let out = place(&printed.out, 0);
        let err = place(&printed.err, out.len());
        let end_offset = out.len() + err.len();
        Expected {
            out,
            err,
            end: printed.end,
            end_offset,
        }
    }
}
