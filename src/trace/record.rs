//! Writing outcomes into traces.

use std::num::NonZeroU8;

use ztwin_model::Release;

use super::guard::line_of;
use super::{
    Arm, Comparison, Condition, Content, Element, Ending, Guard, Item, Line, Meta, Operator,
    Pattern, Piece, Recorded, Step, Text, Trace,
};
use crate::pools::{End, Printed};

impl Printed {
    /// What was printed, as lines of a trace. [`End::NotModelled`] has none: it is never recorded.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let out = Text::lines(&self.out).into_iter().map(Line::Out);
        let err = Text::lines(&self.err).into_iter().map(Line::Err);
        let end = match self.end {
            End::Exit(code) => NonZeroU8::new(code).map(Ending::Exit),
            End::Panic => Some(Ending::Panic),
            End::NotModelled => None,
        };
        out.chain(err).chain(end.map(Line::End)).collect()
    }
}

impl Step {
    /// The lines that it prints on `release`.
    #[must_use]
    pub fn lines(&self, release: Release) -> Vec<Line> {
        let mut lines = Vec::new();
        for element in &self.body {
            match element {
                Element::Line(line) => lines.push(line.clone()),
                Element::Guard(guard) => {
                    let part = guard.part(release).and_then(|part| guard.parts().nth(part));
                    lines.extend_from_slice(part.unwrap_or_default());
                }
            }
        }
        lines
    }

    /// Makes it print `lines` on `release`, and on each of `others` what it printed before. Guards stand
    /// around what differs; releases that are neither `release` nor among `others` are not looked after.
    pub fn set_lines(&mut self, release: Release, others: &[Release], lines: Vec<Line>) {
        if self.lines(release) == lines {
            return;
        }
        let mut all: Vec<(Release, Vec<Line>)> = others
            .iter()
            .filter(|&&other| other != release)
            .map(|&other| (other, self.lines(other)))
            .collect();
        all.push((release, lines));
        all.sort_by_key(|(release, _)| *release);
        self.body = merge(&all);
    }
}

/// Puts the pattern `<usage>` in the place of the rest of a usage text, which is not copied into traces.
#[must_use]
pub fn without_usage(lines: Vec<Line>) -> Vec<Line> {
    let mut kept: Vec<Line> = Vec::with_capacity(lines.len());
    // Whether the stream that the last line belongs to is in the middle of a usage text.
    let (mut is_err, mut inside) = (false, false);
    for line in lines {
        let (text, of_err) = match &line {
            Line::Out(text) => (text, false),
            Line::Err(text) => (text, true),
            Line::End(_) => {
                kept.push(line);
                continue;
            }
        };
        inside &= of_err == is_err;
        is_err = of_err;
        if inside {
            let rest = Text {
                content: Content::Pattern(vec![Piece::Pattern(Pattern::Usage)]),
                newline: true,
            };
            let rest = if is_err {
                Line::Err(rest)
            } else {
                Line::Out(rest)
            };
            if kept.last() != Some(&rest) {
                kept.push(rest);
            }
            continue;
        }
        inside = text.starts_usage();
        kept.push(line);
    }
    kept
}

/// A body that prints for each release, given in ascending order, its lines.
fn merge(all: &[(Release, Vec<Line>)]) -> Vec<Element> {
    let Some(((_, first), rest)) = all.split_first() else {
        return Vec::new();
    };
    let shortest = all.iter().map(|(_, lines)| lines.len()).min().unwrap_or(0);
    let start = (0..shortest)
        .take_while(|&i| rest.iter().all(|(_, lines)| lines[i] == first[i]))
        .count();
    let end = (1..=shortest - start)
        .take_while(|n| {
            rest.iter()
                .all(|(_, lines)| lines[lines.len() - n] == first[first.len() - n])
        })
        .count();
    let plain = |lines: &[Line]| lines.iter().cloned().map(Element::Line).collect::<Vec<_>>();
    let middle = |lines: &[Line]| lines[start..lines.len() - end].to_vec();
    // Neighbouring releases that print the same share a part.
    let mut parts: Vec<(Release, Vec<Line>)> = Vec::new();
    for (release, lines) in all {
        let lines = middle(lines);
        if parts.last().is_none_or(|(_, last)| *last != lines) {
            parts.push((*release, lines));
        }
    }
    let mut body = plain(&first[..start]);
    let guard = match &parts[..] {
        [] | [_] => {
            body.extend(plain(&middle(first)));
            None
        }
        // Nothing before the newer release: say so without an empty part.
        [(_, older), (newer, lines)] if older.is_empty() => {
            let operator = Operator::GreaterOrEqual;
            let when = Condition {
                all: vec![Comparison {
                    operator,
                    line: line_of(*newer),
                }],
            };
            Some(Guard {
                arms: vec![Arm {
                    when,
                    lines: lines.clone(),
                }],
                otherwise: None,
            })
        }
        [arms @ .., (_, last)] => {
            let until = parts[1..].iter().map(|(release, _)| *release);
            let arms = arms.iter().zip(until).map(|((_, lines), until)| Arm {
                when: Condition::before(until),
                lines: lines.clone(),
            });
            let otherwise = (!last.is_empty()).then(|| last.clone());
            Some(Guard {
                arms: arms.collect(),
                otherwise,
            })
        }
    };
    body.extend(guard.map(Element::Guard));
    body.extend(plain(&first[first.len() - end..]));
    body
}

impl Trace {
    /// Says that the outcomes are those of `recorded`: in place of the line for its release, or in a new
    /// one. Releases stand in ascending order.
    pub fn set_recorded(&mut self, recorded: Recorded) {
        let release = recorded.release();
        let is_recorded = |item: &Item| matches!(item, Item::Meta(Meta::Recorded(_)));
        let same = self.items.iter_mut().find_map(|item| match item {
            Item::Meta(Meta::Recorded(old)) if old.release() == release => Some(old),
            _ => None,
        });
        if let Some(old) = same {
            *old = recorded;
            return;
        }
        let newer = self.items.iter().position(
            |item| matches!(item, Item::Meta(Meta::Recorded(other)) if other.release() > release),
        );
        let behind_last = self
            .items
            .iter()
            .rposition(is_recorded)
            .map(|last| last + 1);
        let first_step = self
            .items
            .iter()
            .position(|item| matches!(item, Item::Step(_)));
        let place = newer
            .or(behind_last)
            .or(first_step)
            .unwrap_or(self.items.len());
        self.items
            .insert(place, Item::Meta(Meta::Recorded(recorded)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(text: &str) -> Trace {
        Trace::parse("t", text.as_bytes()).expect("a trace")
    }

    fn record(trace: &mut Trace, release: Release, version: &str, text: &str) {
        let others = trace.releases();
        let lines = Printed {
            out: text.into(),
            ..Printed::default()
        }
        .lines();
        for step in trace.steps_mut() {
            step.set_lines(release, &others, lines.clone());
        }
        trace.set_recorded(Recorded {
            openzfs: version.into(),
            linux: "6.12".into(),
            system: "trixie".into(),
            date: "2026-11-21".into(),
        });
    }

    #[test]
    fn guards_grow_where_releases_differ_and_vanish_where_they_agree() {
        let mut t = trace("Prose.\n\n  $ zfs list\n");
        record(&mut t, Release::V2_3, "2.3.9", "same\nnew\nend\n");
        record(&mut t, Release::V2_1, "2.1.11", "same\nold\nend\n");
        record(&mut t, Release::V2_4, "2.4.0", "same\nnew\nend\n");
        insta::assert_snapshot!(t, @r"
        Prose.

          @ recorded openzfs-2.1.11 linux-6.12 trixie 2026-11-21
          @ recorded openzfs-2.3.9 linux-6.12 trixie 2026-11-21
          @ recorded openzfs-2.4.0 linux-6.12 trixie 2026-11-21
          $ zfs list
          same
          ? openzfs < 2.3
          old
          ? else
          new
          ? end
          end
        ");
        record(&mut t, Release::V2_4, "2.4.1", "same\nend\n");
        insta::assert_snapshot!(t, @r"
        Prose.

          @ recorded openzfs-2.1.11 linux-6.12 trixie 2026-11-21
          @ recorded openzfs-2.3.9 linux-6.12 trixie 2026-11-21
          @ recorded openzfs-2.4.1 linux-6.12 trixie 2026-11-21
          $ zfs list
          same
          ? openzfs < 2.3
          old
          ? else openzfs < 2.4
          new
          ? end
          end
        ");
        record(&mut t, Release::V2_1, "2.1.11", "same\nend\n");
        record(&mut t, Release::V2_3, "2.3.9", "same\nend\n");
        assert!(
            t.to_string().ends_with("$ zfs list\n  same\n  end\n"),
            "{t}"
        );
    }

    #[test]
    fn a_line_that_only_newer_releases_print_needs_no_empty_part() {
        let mut t = trace("  $ zfs list\n");
        record(&mut t, Release::V2_1, "2.1.11", "");
        record(&mut t, Release::V2_3, "2.3.9", "new\n");
        assert!(
            t.to_string()
                .ends_with("  ? openzfs >= 2.3\n  new\n  ? end\n"),
            "{t}"
        );
    }
}
