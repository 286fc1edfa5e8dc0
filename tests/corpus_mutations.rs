//! Every character that was recorded matters.
//!
//! A comparison that looks exact may skip what it does not understand. So each recorded character is
//! changed, one at a time, and the comparison has to notice, unless a named looseness covers it: how many
//! are covered is pinned by class, and can only change together with this file. A looseness covers a
//! line only when the comparison of that very line excused a value in it.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use ztwin::compare::{Comparer, play};
use ztwin::pools::blobs::Blobs;
use ztwin::pools::model::ModelPools;
use ztwin::pools::{End, Printed};
use ztwin::trace::{CORPUS, Content, Expected, Piece, Text, Trace};

/// Characters and exit codes that were changed, and those of them that went unnoticed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Count {
    changed: usize,
    /// By the class that excused a value in the line; `none` must not be among them.
    unnoticed: BTreeMap<&'static str, usize>,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.changed += other.changed;
        for (class, number) in other.unnoticed {
            *self.unnoticed.entry(class).or_default() += number;
        }
    }
}

/// Another character of the same kind, so that only the value is wrong and not its shape.
fn other(byte: u8) -> u8 {
    match byte {
        b'9' => b'0',
        b'z' => b'a',
        b'Z' => b'A',
        b'0'..=b'8' | b'a'..=b'y' | b'A'..=b'Y' => byte + 1,
        _ => b'x',
    }
}

/// The line with each of its recorded characters changed in turn. Patterns of the trace are not
/// characters.
fn changed(text: &Text) -> Vec<Text> {
    let with = |content| Text {
        content,
        newline: text.newline,
    };
    match &text.content {
        Content::Literal(bytes) => (0..bytes.len())
            .map(|at| {
                let mut bytes = bytes.clone();
                bytes[at] = other(bytes[at]);
                with(Content::Literal(bytes))
            })
            .collect(),
        Content::Pattern(pieces) => {
            let mut lines = Vec::new();
            for (piece, is) in pieces.iter().enumerate() {
                let Piece::Literal(bytes) = is else { continue };
                for at in 0..bytes.len() {
                    let mut bytes = bytes.clone();
                    bytes[at] = other(bytes[at]);
                    let mut pieces = pieces.clone();
                    pieces[piece] = Piece::Literal(bytes);
                    lines.push(with(Content::Pattern(pieces)));
                }
            }
            lines
        }
    }
}

fn count_step(before: &Comparer, expected: &Expected, got: &Printed) -> Count {
    let mut count = Count::default();
    let loose = before.clone().step(expected, got).loose;
    let mut one = |wrong: &Expected, offset: usize| {
        count.changed += 1;
        if before.clone().step(wrong, got).difference.is_none() {
            let class = loose.iter().find(|(line, _)| *line == offset);
            let class = class.map_or("none", |(_, class)| class);
            *count.unnoticed.entry(class).or_default() += 1;
        }
    };
    for at in 0..expected.out.len() {
        for text in changed(&expected.out[at].text) {
            let mut wrong = expected.clone();
            wrong.out[at].text = text;
            one(&wrong, expected.out[at].offset);
        }
    }
    for at in 0..expected.err.len() {
        for text in changed(&expected.err[at].text) {
            let mut wrong = expected.clone();
            wrong.err[at].text = text;
            one(&wrong, expected.err[at].offset);
        }
    }
    if let End::Exit(code) = expected.end {
        let mut wrong = expected.clone();
        wrong.end = End::Exit(code ^ 1);
        one(&wrong, expected.end_offset);
    }
    count
}

#[test]
fn a_changed_character_is_noticed_unless_a_named_looseness_covers_it() {
    let blobs = Blobs::in_directory(&Path::new(env!("CARGO_MANIFEST_DIR")).join("traces/data"));
    let counts: Vec<Count> = CORPUS
        .par_iter()
        .map(|(name, text)| {
            let trace = Trace::parse(name, text).expect("the corpus can be read");
            let mut count = Count::default();
            for release in trace.releases() {
                let mut model = ModelPools::new(release, blobs.clone());
                let printed = play(&mut model, &trace.commands())
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                let mut comparer = Comparer::new();
                for (step, got) in trace.steps().zip(&printed) {
                    let expected = step.expected(release);
                    let before = comparer.clone();
                    let verdict = comparer.step(&expected, got);
                    assert!(
                        verdict.difference.is_none(),
                        "{name}: the model agrees unchanged"
                    );
                    count += count_step(&before, &expected, got);
                }
            }
            count
        })
        .collect();
    let mut all = Count::default();
    for count in counts {
        all += count;
    }
    assert!(
        !all.unnoticed.contains_key("none"),
        "{all:?}: a change went unnoticed where nothing is loose"
    );
    insta::assert_snapshot!(
        format!("{:?}", all.unnoticed),
        @r#"{"between": 47851, "guid": 7085, "metadata": 21905, "space": 102740, "time": 16594, "txg": 650, "version": 960}"#
    );
}
