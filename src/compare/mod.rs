//! Equality classes, and the text that explains a verdict.
//!
//! [`Comparer::step`] is the one routine that compares two outcomes: its [`Verdict`] either is
//! agreement, with the number of values that a [`Class`] excused, or holds the [`Difference`] that
//! [`Picture`] shows to people.

mod class;
mod known;
mod line;
mod metadata;
mod picture;
mod replay;
mod table;

use crate::pools::{End, Printed};
use crate::trace::{Content, Ending, Expected, Line, Placed, Text};

pub use class::{
    BETWEEN, CLASSES, Class, DURATION, Excused, FEATURE, GUID, HOST, METADATA, ORDER, SPACE, TIME,
    TXG, USAGE, VERSION,
};
pub use known::{KNOWN, Known, MOST};
pub use picture::{Names, Picture};
pub use replay::{
    Divergence, Figures, Looks, Report, check_on, check_trace, compare_recorded, diff_trace, play,
    record_trace, verify_recorded, with_looks,
};

use line::{Bound, Cell, Got};

/// Compares the outcomes of a trace's steps, in order: names bound by `<guid:name>`, and what pools take for
/// themselves, hold to its end.
#[derive(Clone, Debug, Default)]
pub struct Comparer {
    bound: Bound,
}

/// What a comparison of one step found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many values were not compared.
    pub excused: Excused,
    /// The lines in which they stood: the offset in the step's body ([`Placed::offset`]), and the class.
    pub loose: Vec<(usize, &'static str)>,
    /// Where the two differ; `None` when they agree.
    pub difference: Option<Difference>,
}

/// Where two outcomes of a step differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The lines of both, in order.
    pub lines: Vec<DifferentLine>,
    /// Whether the model said that it does not model the step.
    pub not_modelled: bool,
}

/// A line of two outcomes that differ.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DifferentLine {
    /// Which outcome has it.
    pub side: Side,
    /// The line, indented and marked as in a trace.
    pub text: String,
    /// Where it stands in the step's body, when it is expected; see [`Placed::offset`].
    #[serde(skip)]
    pub offset: Option<usize>,
}

/// Which of two outcomes has a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Both have it.
    Both,
    /// Only the expected one.
    Expected,
    /// Only the other one.
    Got,
}

/// A line of two streams that are compared: indices of the expected and the printed line.
#[derive(Clone, Copy, Debug)]
enum Pair {
    Both(usize, usize),
    Expected(usize),
    Got(usize),
}

impl Verdict {
    /// Notes the values that were excused in a line.
    fn excuse(&mut self, line: &Placed, excused: &Excused) {
        self.excused.add(excused);
        let classes = excused.by_class().filter(|&(_, number)| number > 0);
        self.loose
            .extend(classes.map(|(class, _)| (line.offset, class.name)));
    }
}

impl Comparer {
    /// A comparer at the start of a trace.
    #[must_use]
    pub fn new() -> Self {
        Comparer::default()
    }

    /// Compares what a step should print with what it printed, where markers may stand.
    pub fn step(&mut self, expected: &Expected, got: &Printed) -> Verdict {
        let mut verdict = Verdict::default();
        if (expected.end, got.end) == (End::Panic, End::Panic) {
            // What the console of a kernel said is no output of the program.
            return verdict;
        }
        let (mut got_out, mut got_err) = (Got::lines(&got.out), Got::lines(&got.err));
        let out = self.stream(&expected.out, &mut got_out, &mut verdict);
        let err = self.stream(&expected.err, &mut got_err, &mut verdict);
        let not_modelled = got.end == End::NotModelled;
        let agree = |pairs: &[Pair]| pairs.iter().all(|pair| matches!(pair, Pair::Both(..)));
        if agree(&out) && agree(&err) && expected.end == got.end && !not_modelled {
            return verdict;
        }
        let mut lines = Vec::new();
        show(&mut lines, &out, &expected.out, &got_out, Line::Out);
        show(&mut lines, &err, &expected.err, &got_err, Line::Err);
        let mut show_end = |side, end, offset: Option<usize>| {
            let ending = match end {
                End::Exit(code) => std::num::NonZeroU8::new(code).map(Ending::Exit),
                End::Panic => Some(Ending::Panic),
                End::NotModelled => None,
            };
            let text = ending.map_or_else(|| "  [0]".to_owned(), |e| Line::End(e).to_string());
            // Exit code 0 is only worth a line where the other one is not 0.
            let offset = offset.filter(|_| ending.is_some());
            if ending.is_some() || side != Side::Both {
                lines.push(DifferentLine { side, text, offset });
            }
        };
        if expected.end == got.end {
            show_end(Side::Both, expected.end, Some(expected.end_offset));
        } else {
            show_end(Side::Expected, expected.end, Some(expected.end_offset));
            if !not_modelled {
                show_end(Side::Got, got.end, None);
            }
        }
        verdict.difference = Some(Difference {
            lines,
            not_modelled,
        });
        verdict
    }

    /// What was printed, as lines of a trace; where a pattern was expected and matches, the pattern.
    fn keep_patterns(&mut self, expected: &Expected, printed: &Printed) -> Vec<Line> {
        let mut lines = printed.lines();
        let mut verdict = Verdict::default();
        let (mut out, mut err) = (Got::lines(&printed.out), Got::lines(&printed.err));
        let first = out.len();
        for (placed, got, first) in [
            (&expected.out, &mut out, 0),
            (&expected.err, &mut err, first),
        ] {
            for pair in self.stream(placed, got, &mut verdict) {
                let Pair::Both(i, j) = pair else { continue };
                if let Line::Out(text) | Line::Err(text) = &mut lines[first + j] {
                    text.clone_from(&placed[i].text);
                }
            }
        }
        lines
    }

    /// Aligns the lines of a stream.
    fn stream(
        &mut self,
        expected: &[Placed],
        got: &mut [Got<'_>],
        verdict: &mut Verdict,
    ) -> Vec<Pair> {
        line::reorder(expected, got, &mut verdict.excused);
        let by_words = got.iter().any(|line| line.marked);
        let same = |i: usize, j: usize| {
            line::compare(&expected[i].text, &got[j], by_words, &self.bound).is_some()
        };
        // From where on the rest of a usage text stands, on either side.
        let marker = got.iter().position(Got::is_usage);
        let pattern = expected.iter().position(|line| line::is_usage(&line.text));
        let (expected_last, last) = match (pattern, marker) {
            (Some(i), Some(j)) => (i, j),
            (Some(i), None) => (i, i),
            (None, Some(j)) => (j, j),
            (None, None) => (expected.len(), got.len()),
        };
        let usage = (pattern.is_some() || marker.is_some())
            && expected_last < expected.len()
            && last < got.len()
            && expected[..=expected_last]
                .iter()
                .any(|line| line.text.starts_usage())
            && pattern.is_none_or(|i| i + 1 == expected.len())
            && marker.is_none_or(|j| j + 1 == got.len());
        let (expected_last, last) = if usage {
            (expected_last, last)
        } else {
            (expected.len(), got.len())
        };
        let mut pairs = Vec::new();
        let mut rows: Vec<(usize, Vec<Cell>)> = Vec::new();
        for pair in align(expected_last, last, same) {
            let Pair::Both(i, j) = pair else {
                pairs.push(pair);
                continue;
            };
            // Once more, now in order: an earlier line of the stream may have bound a name.
            let Some(mut matched) =
                line::compare(&expected[i].text, &got[j], by_words, &self.bound)
            else {
                pairs.extend([Pair::Expected(i), Pair::Got(j)]);
                continue;
            };
            self.bound.extend(&mut matched);
            verdict.excuse(&expected[i], &matched.excused);
            rows.push((pairs.len(), matched.cells));
            pairs.push(pair);
        }
        // From behind, so that the indices of the pairs in front stay.
        for index in misplaced(&rows).into_iter().rev() {
            if let Pair::Both(i, j) = pairs[index] {
                pairs.splice(index..=index, [Pair::Expected(i), Pair::Got(j)]);
            }
        }
        if usage {
            verdict.excused.count(&USAGE);
            let rest = expected[expected_last..].iter();
            verdict
                .loose
                .extend(rest.map(|line| (line.offset, USAGE.name)));
            pairs.extend((expected_last..expected.len()).map(|i| Pair::Both(i, last)));
        }
        pairs
    }
}

/// The pairs, by index, whose words do not stand where their table puts them.
fn misplaced(rows: &[(usize, Vec<Cell>)]) -> Vec<usize> {
    rows.chunk_by(|(before, cells), (next, others)| {
        before + 1 == *next && cells.len() == others.len()
    })
    .flat_map(|table| {
        let cells: Vec<&[Cell]> = table.iter().map(|(_, cells)| cells.as_slice()).collect();
        table::misplaced(&cells).into_iter().map(|row| table[row].0)
    })
    .collect()
}

/// Aligns `expected` with `got` lines so that as many as possible are the same, in order.
fn align(expected: usize, got: usize, same: impl Fn(usize, usize) -> bool) -> Vec<Pair> {
    /// Above this many comparisons, what stands between the common start and end is given up.
    const COMPARISONS_MAX: usize = 1 << 20;
    let shorter = expected.min(got);
    let start = (0..shorter).take_while(|&i| same(i, i)).count();
    let end = (1..=shorter - start)
        .take_while(|&n| same(expected - n, got - n))
        .count();
    let (rows, columns) = (expected - start - end, got - start - end);
    let mut pairs: Vec<Pair> = (0..start).map(|i| Pair::Both(i, i)).collect();
    let (mut i, mut j) = (0, 0);
    if rows.saturating_mul(columns) <= COMPARISONS_MAX {
        // The longest common subsequence: how many lines are the same from (i, j) on.
        let at = |i: usize, j: usize| i * (columns + 1) + j;
        let mut longest = vec![0_u32; (rows + 1) * (columns + 1)];
        let mut equal = vec![false; longest.len()];
        for i in (0..rows).rev() {
            for j in (0..columns).rev() {
                equal[at(i, j)] = same(start + i, start + j);
                longest[at(i, j)] = if equal[at(i, j)] {
                    longest[at(i + 1, j + 1)] + 1
                } else {
                    longest[at(i + 1, j)].max(longest[at(i, j + 1)])
                };
            }
        }
        while i < rows && j < columns && longest[at(i, j)] > 0 {
            if equal[at(i, j)] {
                pairs.push(Pair::Both(start + i, start + j));
                (i, j) = (i + 1, j + 1);
            } else if longest[at(i + 1, j)] >= longest[at(i, j + 1)] {
                pairs.push(Pair::Expected(start + i));
                i += 1;
            } else {
                pairs.push(Pair::Got(start + j));
                j += 1;
            }
        }
    }
    pairs.extend((i..rows).map(|i| Pair::Expected(start + i)));
    pairs.extend((j..columns).map(|j| Pair::Got(start + j)));
    pairs.extend((0..end).map(|n| Pair::Both(expected - end + n, got - end + n)));
    pairs
}

/// Appends the lines of a stream as a trace shows them: where the two differ, first what was expected.
fn show(
    lines: &mut Vec<DifferentLine>,
    pairs: &[Pair],
    expected: &[Placed],
    got: &[Got<'_>],
    line: fn(Text) -> Line,
) {
    let both = |pair: &Pair| matches!(pair, Pair::Both(..));
    for run in pairs.chunk_by(|a, b| both(a) == both(b)) {
        for side in [Side::Both, Side::Expected, Side::Got] {
            lines.extend(run.iter().filter_map(|pair| {
                let (text, offset) = match (pair, side) {
                    (Pair::Both(i, _), Side::Both) | (Pair::Expected(i), Side::Expected) => {
                        (expected[*i].text.clone(), Some(expected[*i].offset))
                    }
                    (Pair::Got(j), Side::Got) => {
                        let Got { bytes, newline, .. } = &got[*j];
                        (
                            Text {
                                content: Content::Literal(bytes.to_vec()),
                                newline: *newline,
                            },
                            None,
                        )
                    }
                    _ => return None,
                };
                Some(DifferentLine {
                    side,
                    text: line(text).to_string(),
                    offset,
                })
            }));
        }
    }
}
