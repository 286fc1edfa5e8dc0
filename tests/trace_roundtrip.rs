//! The trace format loses nothing, and refuses everything else with a place and a reason.

#![allow(
    clippy::format_collect,
    clippy::format_push_string,
    reason = "texts of tests are short, and read better in one expression"
)]

use std::num::NonZeroU8;

use proptest::prelude::*;
use ztwin::pools::{Command, Printed};
use ztwin::trace::{
    Arm, Comparison, Condition, Content, Element, Ending, Expected, Guard, Item, Line, LineNumber,
    Meta, Operator, Pattern, Piece, Recorded, Step, Text, Trace, quote,
};

/// Strings that are full of what the format gives a meaning to.
fn spiky() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[a-z0-9/@:=.,%+_-]{1,4}",
        1 => Just("(esc)".to_owned()),
        1 => Just("(no-eol)".to_owned()),
        1 => Just(" (esc)".to_owned()),
        1 => Just("[1]".to_owned()),
        1 => Just("[panic]".to_owned()),
        1 => Just("p2$".to_owned()),
        1 => Just("? end".to_owned()),
        1 => Just("<*>".to_owned()),
        1 => Just("recorded".to_owned()),
        3 => prop::sample::select(vec![
            " ", "\t", "\\", "'", "\"", "$", "!", "~", "@", "?", "<", ">", "|", "#", "\r", "\u{1b}",
            "\u{85}", "\u{2028}", "é", "\u{feff}", "[", "]", "x",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let raw = prop::collection::vec(any::<u8>().prop_filter("one line", |&b| b != b'\n'), 0..6);
    prop_oneof![4 => spiky().prop_map(String::into_bytes), 1 => raw]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![
        (any::<u64>(), any::<u64>()).prop_map(|(a, b)| Pattern::Range(a.min(b), a.max(b))),
        prop::collection::vec("[a-z *:$!?@ ()\u{e9}]{1,4}", 1..4).prop_map(Pattern::Set),
        "[A-Za-z0-9_]{1,5}".prop_map(Pattern::Guid),
        Just(Pattern::Any),
    ]
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = prop_oneof![
        bytes().prop_map(Piece::Literal),
        pattern().prop_map(Piece::Pattern)
    ];
    let mixed = prop::collection::vec(piece, 0..5);
    // The rest of a usage text stands alone.
    let usage = Just(vec![Piece::Pattern(Pattern::Usage)]);
    prop_oneof![9 => mixed, 1 => usage].prop_map(|pieces| {
        // The normal form: no empty literal, no two in a row.
        let mut normal: Vec<Piece> = Vec::new();
        for piece in pieces {
            match (normal.last_mut(), piece) {
                (_, Piece::Literal(bytes)) if bytes.is_empty() => {}
                (Some(Piece::Literal(last)), Piece::Literal(bytes)) => last.extend(bytes),
                (_, piece) => normal.push(piece),
            }
        }
        normal
    })
}

fn text() -> impl Strategy<Value = Text> {
    let content = prop_oneof![
        3 => bytes().prop_map(Content::Literal),
        1 => pieces().prop_map(Content::Pattern),
    ];
    (content, prop::bool::weighted(0.9)).prop_map(|(content, newline)| Text { content, newline })
}

/// Lines in the order in which they must stand.
fn lines() -> impl Strategy<Value = Vec<Line>> {
    let end = prop_oneof![
        any::<NonZeroU8>().prop_map(Ending::Exit),
        Just(Ending::Panic),
    ];
    (
        prop::collection::vec(text(), 0..3),
        prop::collection::vec(text(), 0..3),
        prop::option::of(end),
    )
        .prop_map(|(out, err, end)| {
            out.into_iter()
                .map(Line::Out)
                .chain(err.into_iter().map(Line::Err))
                .chain(end.map(Line::End))
                .collect()
        })
}

fn condition() -> impl Strategy<Value = Condition> {
    let comparison = (prop::sample::select(&Operator::ALL), any::<(u16, u16)>())
        .prop_map(|(operator, line)| Comparison { operator, line });
    prop::collection::vec(comparison, 1..3).prop_map(|all| Condition { all })
}

fn guard() -> impl Strategy<Value = Guard> {
    let arm = (condition(), lines()).prop_map(|(when, lines)| Arm { when, lines });
    (prop::collection::vec(arm, 1..4), prop::option::of(lines()))
        .prop_map(|(arms, otherwise)| Guard { arms, otherwise })
}

/// Plain lines, or standard output and then one guard.
fn body() -> impl Strategy<Value = Vec<Element>> {
    let guarded = (prop::collection::vec(text(), 0..2), guard()).prop_map(|(out, guard)| {
        let out = out.into_iter().map(|text| Element::Line(Line::Out(text)));
        out.chain([Element::Guard(guard)]).collect()
    });
    prop_oneof![
        2 => lines().prop_map(|lines| lines.into_iter().map(Element::Line).collect::<Vec<_>>()),
        1 => guarded,
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let word = spiky().prop_filter("no NUL", |word| !word.contains('\0'));
    let stream = || prop::option::of("[A-Za-z0-9._-]{1,5}");
    let command = (
        prop_oneof![Just(String::new()), "[a-z][a-z0-9]{0,3}"],
        prop::collection::vec(word, 1..5),
        stream(),
        stream(),
    )
        .prop_map(|(process, words, input, output)| Command {
            process,
            words,
            input,
            output,
        });
    (
        command,
        prop::collection::btree_set(1_usize..6, 0..3),
        body(),
    )
        .prop_map(|(command, breaks, body)| {
            let tokens = command.words.len()
                + usize::from(command.input.is_some())
                + usize::from(command.output.is_some());
            let breaks = breaks.into_iter().filter(|&b| b < tokens).collect();
            Step {
                command,
                breaks,
                body,
                line: LineNumber::default(),
            }
        })
}

fn item() -> impl Strategy<Value = Item> {
    let prose = spiky().prop_filter("at the margin", |line| !line.starts_with(' '));
    let recorded = (
        "[0-9][0-9.]{0,3}(-rc1)?",
        "[0-9]\\.[0-9]{1,2}",
        "[a-z-]{1,8}",
        (1000_u32..9999, 1_u32..13, 1_u32..32),
    )
        .prop_map(|(openzfs, linux, system, (y, m, d))| {
            let date = format!("{y}-{m:02}-{d:02}");
            Item::Meta(Meta::Recorded(Recorded {
                openzfs,
                linux,
                system,
                date,
            }))
        });
    let values = prop::collection::vec(("[a-z][a-z0-9_.-]{0,4}", spiky()), 1..3)
        .prop_map(|pairs| Item::Meta(Meta::Values(pairs)));
    prop_oneof![
        2 => prose.prop_map(Item::Prose),
        1 => recorded,
        1 => values,
        6 => step().prop_map(Item::Step),
    ]
}

fn trace() -> impl Strategy<Value = Trace> {
    prop::collection::vec(item(), 0..6).prop_map(|items| Trace { items })
}

/// Text that looks like a trace and mostly is none.
fn almost_a_trace() -> impl Strategy<Value = Vec<u8>> {
    let line = (
        prop::sample::select(vec![
            "",
            " ",
            "  ",
            "  $ ",
            "  $",
            "  p2$ ",
            "  ! ",
            "  !~ ",
            "  ~ ",
            "  @ ",
            "  ? ",
            "  [",
            "  ?",
            "  ? end",
            "  ? else",
            "  ? else ",
            "  ? openzfs < 2.",
            "  @ recorded openzfs-2.3.9 linux-6 t ",
            "    ",
            "\t",
            "  $ zfs list \\",
        ]),
        bytes(),
    )
        .prop_map(|(start, rest)| [start.as_bytes(), &rest, b"\n"].concat());
    prop::collection::vec(line, 0..6).prop_map(|lines| lines.concat())
}

proptest! {
    // At least 2,000 cases: these are fast. `PROPTEST_CASES` may ask for more.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(2000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn printing_and_parsing_gives_the_same_trace(trace in trace()) {
        let text = trace.to_string();
        let parsed = Trace::parse("t", text.as_bytes());
        prop_assert_eq!(parsed.as_ref(), Ok(&trace), "\n{}", text);
        prop_assert_eq!(parsed.map(|t| t.to_string()), Ok(text));
    }

    #[test]
    fn what_parses_prints_canonically(text in almost_a_trace()) {
        match Trace::parse("t", &text) {
            Ok(trace) => {
                let canonical = trace.to_string();
                prop_assert_eq!(Trace::parse("t", canonical.as_bytes()), Ok(trace), "\n{}", canonical);
            }
            Err(error) => {
                let lines = text.split(|&b| b == b'\n').count();
                prop_assert!(error.line >= 1 && error.line <= lines);
                let width = error.source_line.chars().count();
                prop_assert!(error.column >= 1 && error.column <= width + 1, "{}", error);
                prop_assert!(error.to_string().contains('^'));
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = Trace::parse("t", &bytes) {
            prop_assert!(error.to_string().starts_with("t:"));
        }
    }

    #[test]
    fn streams_come_back_byte_by_byte(out in prop::collection::vec(any::<u8>(), 0..60)) {
        let printed = Printed { out: out.clone(), ..Printed::default() };
        let mut step = Step::new(Command { words: vec!["zfs".into()], ..Command::default() });
        step.body = Text::lines(&out).into_iter().map(|t| Element::Line(Line::Out(t))).collect();
        let text = Trace { items: vec![Item::Step(step)] }.to_string();
        let parsed = Trace::parse("t", text.as_bytes()).expect("printed by us");
        let step = parsed.steps().next().expect("one step");
        let expected = step.expected(ztwin_model::Release::V2_3);
        prop_assert_eq!(&expected, &Expected::from(&printed), "{}", text);
        let back: Vec<u8> = expected.out.iter().flat_map(|placed| {
            let Content::Literal(bytes) = &placed.text.content else { panic!("literal") };
            bytes.iter().copied().chain(placed.text.newline.then_some(b'\n')).collect::<Vec<_>>()
        }).collect();
        prop_assert_eq!(back, out);
    }
}

/// A shell reads quoted words back as they were.
#[test]
fn quoted_words_mean_the_same_to_a_shell() {
    let words = [
        "a", "", "a b", "it's", "$HOME", "*", "a\\", "#x", "~", "a\"b", "é", "-o", "p=\"q\"", "!",
    ];
    let quoted: Vec<_> = words.iter().map(|word| quote(word)).collect();
    let script = format!("printf '%s\\n' {}", quoted.join(" "));
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .expect("sh runs");
    let expected: String = words.iter().map(|word| format!("{word}\n")).collect();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        expected,
        "{script}"
    );
}

#[test]
fn quoting_is_read_as_a_shell_does() {
    let words = |line: &str| {
        let trace = Trace::parse("t", format!("  $ {line}\n").as_bytes()).expect(line);
        trace.commands().remove(0).words
    };
    assert_eq!(words(r#"a "b c"'d e'\ f"#), ["a", "b cd e f"]);
    assert_eq!(words(r#""a\"b\\c\d\$""#), [r#"a"b\c\d$"#]);
    assert_eq!(words(r"$'a\nb\x41\''"), ["a\nbA'"]);
    assert_eq!(words("zfs   create  a#b"), ["zfs", "create", "a#b"]);
    assert_eq!(
        words("zfs create \\\n  -o a=b \\\n    tank/a"),
        ["zfs", "create", "-o", "a=b", "tank/a"]
    );
}
