//! What agrees, what does not, and how the difference looks.

#![allow(
    clippy::format_collect,
    clippy::format_push_string,
    reason = "texts of tests are short, and read better in one expression"
)]

use std::collections::BTreeMap;

use ztwin::compare::{
    Comparer, Excused, Looks, Names, Picture, check_on, compare_recorded, diff_trace, record_trace,
    verify_recorded,
};
use ztwin::pools::{Command, End, Pools, Printed, Unavailable};
use ztwin::trace::{Recorded, Trace};
use ztwin_model::Release;

fn trace(text: &str) -> Trace {
    Trace::parse("t.trace", text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn printed(out: &str, err: &str, code: u8) -> Printed {
    Printed {
        out: out.into(),
        err: err.into(),
        end: End::Exit(code),
    }
}

/// Compares one step's recorded outcome with what is printed: what was excused, or the difference.
fn compare(recorded: &str, out: &str) -> Result<Excused, String> {
    let trace = trace(&format!("  $ x\n{recorded}"));
    let step = trace.steps().next().expect("one step").clone();
    let verdict = Comparer::new().step(&step.expected(Release::V2_3), &printed(out, "", 0));
    match verdict.difference {
        None => Ok(verdict.excused),
        Some(difference) => Err(difference
            .lines
            .iter()
            .map(|line| format!("{:?} {}\n", line.side, line.text))
            .collect()),
    }
}

fn agrees(recorded: &str, out: &str) -> String {
    compare(recorded, out)
        .unwrap_or_else(|d| panic!("differs:\n{d}"))
        .to_string()
}

fn differs(recorded: &str, out: &str) -> String {
    match compare(recorded, out) {
        Ok(excused) => panic!("agrees, excused: {excused}"),
        Err(difference) => difference,
    }
}

#[test]
fn without_markers_every_byte_counts() {
    assert_eq!(agrees("  a  b\n", "a  b\n"), "");
    for other in [
        "a b\n", "a  b", "a  b\n\n", "a  b \n", "\ta  b\n", "", "A  b\n",
    ] {
        differs("  a  b\n", other);
    }
    differs("", "a\n");
    assert_eq!(agrees("  a (no-eol)\n", "a"), "");
}

#[test]
fn a_marker_excuses_a_value_of_its_shape_and_nothing_else() {
    assert_eq!(agrees("  tank\t24K\t-\n", "tank\t<space>\t-\n"), "space 1");
    assert_eq!(
        agrees("  tank\t24K\t-\n", "tank\t<space>\t<space>\n"),
        "space 2"
    );
    assert_eq!(
        agrees("  would reclaim 12.5M\n", "would reclaim <space>\n"),
        "space 1"
    );
    assert_eq!(
        agrees("  reclaim\t98304B\n", "reclaim\t<space>B\n"),
        "space 1"
    );
    assert_eq!(
        agrees("  a  Sat Nov 21  1:19 2026  -\n", "a  <time>  -\n"),
        "time 1"
    );
    assert_eq!(agrees("  a\t1795224000\n", "a\t<time>\n"), "time 1");
    assert_eq!(agrees("  a\t5\t6\n", "a\t<guid>\t<txg>\n"), "guid 1, txg 1");
    for other in [
        "tank <space>\t-\n",
        "tank\t<space>\n",
        "tank\t<guid>\t-\n",
        "tank\t<time>\t-\n",
        "tonk\t<space>\t-\n",
        "tank\t<space>\t-\t\n",
        "tank\t<space>\t<space>\t<space>\n",
        "tank\t<space>-\n",
    ] {
        differs("  tank\t24K\t-\n", other);
    }
    // A line that happens to look like a marker is just a line.
    assert_eq!(agrees("  f <space>\n", "f <space>\n"), "");
}

#[test]
fn the_columns_of_a_table_stand_where_its_values_put_them() {
    let got = "NAME       USED    AVAIL  MOUNTPOINT\ntank    <space>  <space>  /tank\ntank/a  <space>  <space>  /tank/a\n";
    let table = |lines: [&str; 3]| lines.map(|line| format!("  {line}\n")).concat();
    let right = table([
        "NAME     USED  AVAIL  MOUNTPOINT",
        "tank    1.05M   831M  /tank",
        "tank/a   204K   831M  /tank/a",
    ]);
    assert_eq!(agrees(&right, got), "space 4");
    for wrong in [
        [
            "NAME    USED  AVAIL  MOUNTPOINT",
            "tank    1.05M   831M  /tank",
            "tank/a   204K   831M  /tank/a",
        ],
        [
            "NAME     USED  AVAIL  MOUNTPOINT",
            "tank     1.05M   831M  /tank",
            "tank/a   204K   831M  /tank/a",
        ],
        [
            "NAME     USED  AVAIL  MOUNTPOINT",
            "tank    1.05M   831M  /tank",
            "tank/a   204K   831M /tank/a",
        ],
        [
            "NAME     USED  AVAIL  MOUNTPOINTS",
            "tank    1.05M   831M  /tank",
            "tank/a   204K   831M  /tank/a",
        ],
    ] {
        differs(&table(wrong), got);
    }
}

#[test]
fn a_marker_that_is_longer_than_its_column_hides_how_that_is_justified() {
    let got = "NAME    MOUNTED  AVAIL\ntank/a  yes      <space>\n";
    let table = |row: &str| format!("  NAME    MOUNTED  AVAIL\n  {row}\n");
    for right in ["tank/a  yes       832M", "tank/a  yes      1.05T"] {
        assert_eq!(agrees(&table(right), got), "space 1");
    }
    for wrong in [
        "tank/a  yes        832M",
        "tank/a   yes      832M",
        "tank/a      yes   832M",
    ] {
        differs(&table(wrong), got);
    }
}

/// Numbers in a list stand in columns of five at least, which is more than `USED`, and less than a marker.
#[test]
fn a_column_may_be_wider_than_what_stands_in_it_and_narrower_than_a_marker() {
    let got = "NAME          USED  RECSIZE\ntank/a@s1  <space>        -\n";
    let table = |lines: [&str; 2]| lines.map(|line| format!("  {line}\n")).concat();
    for right in [
        ["NAME        USED  RECSIZE", "tank/a@s1      0        -"],
        ["NAME       USED  RECSIZE", "tank/a@s1     0        -"],
    ] {
        assert_eq!(agrees(&table(right), got), "space 1");
    }
    for wrong in [
        ["NAME        USED  RECSIZE", "tank/a@s1     0        -"],
        ["NAME        USED   RECSIZE", "tank/a@s1      0         -"],
        [
            "NAME           USED  RECSIZE",
            "tank/a@s1         0        -",
        ],
        ["NAME      USED  RECSIZE", "tank/a@s1    0        -"],
    ] {
        differs(&table(wrong), got);
    }
}

#[test]
fn the_head_of_a_first_column_stands_above_its_values() {
    let got = "   SIZE\n<space>\n";
    let table = |lines: [&str; 2]| lines.map(|line| format!("  {line}\n")).concat();
    for right in [
        ["      SIZE", "1006632960"],
        [" SIZE", "1006M"],
        ["   SIZE", "      0"],
    ] {
        assert_eq!(agrees(&table(right), got), "space 1");
    }
    for wrong in [
        [" SIZE", "1006632960"],
        ["           SIZE", "1006632960"],
        ["    SIZE", "1006632960"],
    ] {
        differs(&table(wrong), got);
    }
    // Without a table a line starts where it starts.
    differs("     pool: tank 5\n", "  pool: tank <space>\n");
}

#[test]
fn a_long_value_moves_what_stands_behind_it_in_columns_of_a_fixed_width() {
    let got = "LOAD_GUID  AUTOTRIM   LEAKED\n   <guid>  off       <space>\n";
    let table = |lines: [&str; 2]| lines.map(|line| format!("  {line}\n")).concat();
    let head = "LOAD_GUID  AUTOTRIM  LEAKED";
    let right = table([head, "7151499740240329056  off            0"]);
    assert_eq!(agrees(&right, got), "space 1, guid 1");
    for wrong in [
        // The column is wider than its head, and the value shorter.
        [
            " LOAD_GUID  AUTOTRIM  LEAKED",
            "123456789  off            0",
        ],
        // What is behind the long value does not move with it.
        [head, "7151499740240329056   off           0"],
        [head, "7151499740240329056  off           0"],
        // A value that has room stands elsewhere in it.
        [head, "  1234567  off              0"],
        [head, "  1234567  off       0"],
    ] {
        differs(&table(wrong), got);
    }
    assert_eq!(
        agrees(&table([head, "  1234567  off            0"]), got),
        "space 1, guid 1"
    );
}

#[test]
fn patterns_match_what_they_say() {
    agrees("  ~ a <range:5..10> b\n", "a 7 b\n");
    agrees("  ~ <*>b<*>\n", "aabbab\n");
    agrees("  ~ <set:on|off>\n", "off\n");
    agrees("  ~ <guid:a> <guid:a> <guid:b>\n", "5 5 6\n");
    agrees("  ~ <guid:a>\n  ~ <guid:a>\n", "5\n5\n");
    agrees("  ~ <guid:a>\t7K\n", "5\t<space>\n");
    differs("  ~ a <range:5..10> b\n", "a 11 b\n");
    differs("  ~ a <range:5..10> b\n", "a 07 b\n");
    differs("  ~ a <range:5..10> b\n", "a  b\n");
    differs("  ~ <set:on|off>\n", "of\n");
    differs("  ~ <guid:a> <guid:a>\n", "5 6\n");
    differs("  ~ <guid:a>\n  ~ <guid:a>\n", "5\n6\n");
    differs("  ~ <*>c\n", "ab\n");
}

#[test]
fn a_usage_text_is_excused_behind_its_first_lines() {
    let recorded = "  missing argument\n  usage:\n  \tcreate [-p] <filesystem>\n  (esc)\n";
    assert_eq!(agrees(recorded, "missing argument\n<usage>\n"), "usage 1");
    assert_eq!(
        agrees(recorded, "missing argument\nusage:\n<usage>\n"),
        "usage 1"
    );
    differs(recorded, "missing argument\nusages:\n<usage>\n");
    differs(recorded, "missing arguments\n<usage>\n");
    differs(recorded, "<usage>\n");
    differs("  missing argument\n", "missing argument\n<usage>\n");
    differs(recorded, "missing argument\n<usage>\nmore\n");
}

#[test]
fn the_rest_of_a_usage_text_is_one_pattern() {
    let recorded = "  missing argument\n  usage:\n  ~ <usage>\n";
    for rest in ["<usage>\n", "\tcreate [-p] <filesystem>\n\nmore\n"] {
        let got = format!("missing argument\nusage:\n{rest}");
        assert_eq!(agrees(recorded, &got), "usage 1");
        differs(recorded, &got.replace("missing", "Missing"));
        differs(recorded, &got.replace("usage:", "use:"));
    }
    differs(recorded, "missing argument\nusage:\n");
    differs(recorded, "missing argument\n");
    // Only behind the word.
    differs(
        "  missing argument\n  ~ <usage>\n",
        "missing argument\n<usage>\n",
    );
    let alone = Trace::parse("t.trace", b"  $ x\n  ~ a <usage>\n").expect_err("not alone");
    assert!(alone.to_string().contains("alone on its line"), "{alone}");
}

#[test]
fn recording_does_not_copy_usage_texts() {
    let long = "missing argument\nusage:\n\tcreate [-p] <filesystem>\n\nmore\n";
    let before = trace("  $ x\n  $ y\n");
    let fresh = [printed(long, long, 2), printed("usage\nof\n", "", 0)];
    let (after, _) = record_trace(&before, &recorded("2.3.9"), Release::V2_3, &fresh, &fresh);
    let text = "  @ recorded openzfs-2.3.9 linux-6.12 trixie 2026-11-21\n  $ x\n  missing argument\n  usage:\n  \
        ~ <usage>\n  ! missing argument\n  ! usage:\n  !~ <usage>\n  [2]\n  $ y\n  usage\n  of\n";
    assert_eq!(after.to_string(), text);
    // Recorded again on another release with another help, nothing changes.
    let other = [
        printed(&long.replace("more", "less"), long, 2),
        fresh[1].clone(),
    ];
    let (again, changed) = record_trace(&after, &recorded("2.4.4"), Release::V2_4, &other, &other);
    assert_eq!(changed, 0);
    assert!(!again.to_string().contains("? openzfs"), "{again}");
}

#[test]
fn a_list_in_any_order_has_the_same_lines() {
    let recorded = "  in the way:\n  b\n  a\n  a\n  - c\n";
    let list = |lines: &[&str]| {
        let lines = lines.iter().map(|line| match line.strip_prefix("- ") {
            Some(rest) => format!("- <order>{rest}\n"),
            None => format!("<order>{line}\n"),
        });
        format!("in the way:\n{}", lines.collect::<String>())
    };
    assert_eq!(agrees(recorded, &list(&["a", "b", "- c", "a"])), "order 1");
    assert_eq!(agrees(recorded, &list(&["b", "a", "a", "- c"])), "order 1");
    for other in [
        &["a", "b", "- c"][..],
        &["a", "b", "- c", "c"],
        &["a", "b", "b", "- c"],
        &["a", "a", "a", "- c"],
        &["a", "b", "- c", "a", "a"],
    ] {
        differs(recorded, &list(other));
    }
    // Each list for itself, whatever stands in the others.
    let two = |first: [&str; 2], second: [&str; 3]| {
        let list = |lines: &[&str]| lines.iter().map(|it| format!("<order>{it}\n")).collect();
        let (first, second): (String, String) = (list(&first), list(&second));
        format!("of one:\n{first}of two:\n{second}")
    };
    let recorded_two = "  of one:\n  a\n  b\n  of two:\n  a\n  a\n  b\n";
    let same = two(["b", "a"], ["a", "b", "a"]);
    assert_eq!(agrees(recorded_two, &same), "order 2");
    differs(recorded_two, &two(["a", "a"], ["a", "b", "b"]));
    // Without the marker the order counts.
    differs(recorded, "in the way:\na\nb\na\n- c\n");
    // What stands around the list does not move into it.
    differs("  b\n  in the way:\n  a\n", &list(&["b", "a"]));
    assert_eq!(agrees("  s\tb,c,a\t-\n", "s\ta,b,c<order>\t-\n"), "order 1");
    differs("  s\tb,c,a\t-\n", "s\ta,b,d<order>\t-\n");
    differs("  s\tb,c,a,a\t-\n", "s\ta,b,c<order>\t-\n");
}

#[test]
fn markers_stand_in_json() {
    let got = r#"{"txg":<txg>,"clones":"p/a,p/b<order>","used":"<space>"}"#.to_owned() + "\n";
    let recorded = |txg: &str, clones: &str, used: &str| {
        format!("  {{\"txg\":{txg},\"clones\":\"{clones}\",\"used\":\"{used}\"}}\n")
    };
    let right = recorded("7", "p/b,p/a", "24K");
    assert_eq!(agrees(&right, &got), "space 1, txg 1, order 1");
    for (txg, clones, used) in [
        ("\"7\"", "p/b,p/a", "24K"),
        ("7", "p/b,p/c", "24K"),
        ("7", "p/b,p/a,p/a", "24K"),
        ("7", "p/b", "24K"),
        ("7", "p/b,p/a", "on"),
        ("7", "p/b,p/a", ""),
    ] {
        differs(&recorded(txg, clones, used), &got);
    }
}

#[test]
fn lines_are_aligned() {
    assert_eq!(
        differs("  a\n  b\n  c\n  d\n", "a\nx\nc\nd\ne\n"),
        "Both   a\nExpected   b\nGot   x\nBoth   c\nBoth   d\nGot   e\n"
    );
}

/// Answers each command from a table; what it has no answer for is not modelled.
#[derive(Clone)]
struct Table {
    release: Release,
    answers: BTreeMap<String, Printed>,
}

impl Table {
    fn new(answers: &[(&str, Printed)]) -> Self {
        let answers = answers
            .iter()
            .map(|(c, p)| ((*c).to_owned(), p.clone()))
            .collect();
        Table {
            release: Release::V2_3,
            answers,
        }
    }
}

impl Pools for Table {
    fn version(&self) -> String {
        self.release.name().to_owned()
    }

    fn release(&self) -> Release {
        self.release
    }

    fn play(
        &mut self,
        commands: &[Command],
        seen: &mut dyn FnMut(usize, Printed),
    ) -> Result<(), Unavailable> {
        for (i, command) in commands.iter().enumerate() {
            let printed = self.answers.get(&command.words.join(" ")).cloned();
            seen(
                i,
                printed.unwrap_or_else(|| Printed {
                    err: b"ztwin: not modelled: this command\n".to_vec(),
                    end: End::NotModelled,
                    ..Printed::default()
                }),
            );
        }
        Ok(())
    }
}

const DESTROY: &str = "\
A snapshot cannot be destroyed while a clone of it lives.

  @ recorded openzfs-2.3.9 linux-6.12 trixie 2026-11-21
  $ zfs clone tank/base@s tank/app
  $ zfs destroy tank/base@s
  ! cannot destroy 'tank/base@s': snapshot has dependent clones
  ! use '-R' to destroy the following datasets:
  ! tank/app
  [1]
  $ zfs promote tank/app
";

/// Every divergence of a trace, as a terminal shows it.
fn pictures(text: &str, answers: &[(&str, Printed)], colour: bool) -> String {
    let trace = trace(text);
    let report = check_on(&trace, &mut Table::new(answers)).expect("answers");
    let names = Names {
        expected: "OpenZFS 2.3.9, recorded".into(),
        got: "the model".into(),
    };
    let lines: Vec<_> = text
        .lines()
        .enumerate()
        .map(|(i, l)| (Some(i + 1), l.to_owned()))
        .collect();
    let steps: Vec<_> = trace.steps().collect();
    let picture = |divergence: &ztwin::compare::Divergence| {
        let step = steps[divergence.step];
        let first = step.line.0 - 1;
        Picture {
            place: format!("t.trace:{}", step.line.0),
            headline: "the model and OpenZFS 2.3.9 differ here".into(),
            before: &lines[first.saturating_sub(2)..first],
            step: &lines[first..=first],
            body: Some(step.line_of_body(0)),
            difference: &divergence.difference,
            names: &names,
            colour,
        }
        .to_string()
            + "\n\n"
    };
    report.divergences.iter().map(picture).collect()
}

#[test]
fn a_divergence_is_shown_at_its_step() {
    let done = Printed::default();
    let wrong = printed(
        "",
        "cannot destroy 'tank/base@s': snapshot has dependent clones\nuse '-r' to destroy the following datasets:\ntank/app\n",
        1,
    );
    let promote = ("zfs promote tank/app", done.clone());
    let clone = ("zfs clone tank/base@s tank/app", done.clone());
    let answers = [
        clone.clone(),
        ("zfs destroy tank/base@s", wrong.clone()),
        promote.clone(),
    ];
    insta::assert_snapshot!("a_wrong_character", pictures(DESTROY, &answers, false));
    insta::assert_snapshot!(
        "in_colour",
        format!("{:?}", pictures(DESTROY, &answers, true))
    );
    let answers = [
        clone.clone(),
        ("zfs destroy tank/base@s", done.clone()),
        promote,
    ];
    insta::assert_snapshot!("a_success_instead", pictures(DESTROY, &answers, false));
    insta::assert_snapshot!("not_modelled", pictures(DESTROY, &[clone], false));
}

#[test]
fn equal_lines_far_away_are_not_shown() {
    let mut text = String::from("  $ state -v\n");
    let mut out = String::new();
    for i in 0..40 {
        text += &format!("  tank/{i} filesystem origin=-\n");
        out += &format!(
            "tank/{i} filesystem origin={}\n",
            if i == 20 { "tank/x@s" } else { "-" }
        );
    }
    insta::assert_snapshot!(pictures(
        &text,
        &[("state -v", printed(&out, "", 0))],
        false
    ));
}

#[test]
fn diff_compares_the_state_at_every_sync_and_at_the_end() {
    let trace = trace("  $ zfs create tank/a\n  $ zpool sync\n  $ zfs destroy tank/a\n");
    let done = Printed::default;
    let steps = |state: &str| {
        Table::new(&[
            ("zfs create tank/a", done()),
            ("zpool sync", done()),
            ("zfs destroy tank/a", done()),
            ("state -v", printed(state, "", 0)),
        ])
    };
    let report = diff_trace(
        &trace,
        Looks::default(),
        &mut steps("tank\n"),
        &mut steps("tank\n"),
    )
    .expect("answers");
    assert_eq!((report.steps, report.divergences.len()), (5, 0));
    let report = diff_trace(
        &trace,
        Looks::default(),
        &mut steps("tank\n"),
        &mut steps("tonk\n"),
    )
    .expect("answers");
    let at: Vec<_> = report
        .divergences
        .iter()
        .map(|d| (d.step, d.inserted.is_some()))
        .collect();
    assert_eq!(at, [(1, true), (2, true)]);
}

#[test]
fn a_panic_ends_a_trace_and_a_short_answer_is_no_verdict() {
    struct Short(End);
    impl Pools for Short {
        fn version(&self) -> String {
            "2.3".into()
        }
        fn release(&self) -> Release {
            Release::V2_3
        }
        fn play(
            &mut self,
            _: &[Command],
            seen: &mut dyn FnMut(usize, Printed),
        ) -> Result<(), Unavailable> {
            seen(
                0,
                Printed {
                    end: self.0,
                    ..Printed::default()
                },
            );
            Ok(())
        }
    }
    let trace = trace("  $ zfs list\n  $ zfs list\n");
    let report = check_on(&trace, &mut Short(End::Panic)).expect("a panic is an outcome");
    assert_eq!((report.steps, report.divergences.len()), (1, 1));
    check_on(&trace, &mut Short(End::Exit(0))).expect_err("one of two steps");
}

fn recorded(version: &str) -> Recorded {
    Recorded {
        openzfs: version.into(),
        linux: "6.12".into(),
        system: "trixie".into(),
        date: "2026-11-21".into(),
    }
}

#[test]
fn recording_keeps_other_releases_patterns_and_excused_values() {
    let old = trace(
        "One.\n\n  @ recorded openzfs-2.3.9 linux-6.12 trixie 2026-11-01\n  $ a\n  ~ x <*>\n  same\n  $ b\n  tank\t24K\n  $ c\n  ! old\n  [1]\n",
    );
    let model = [
        printed("x 1\nsame\n", "", 0),
        printed("tank\t<space>\n", "", 0),
        printed("", "new\n", 1),
    ];
    let fresh = [
        printed("x 2\nsame\n", "", 0),
        printed("tank\t31K\n", "", 0),
        printed("", "new\n", 1),
    ];
    let (new, changed) = record_trace(&old, &recorded("2.4.0"), Release::V2_4, &fresh, &model);
    assert_eq!(changed, 1);
    insta::assert_snapshot!("recorded_on_a_second_release", new);
    for (before, after) in old.steps().zip(new.steps()) {
        assert_eq!(before.lines(Release::V2_3), after.lines(Release::V2_3));
    }
    // A second recording of the same changes nothing, not even the day.
    let later = Recorded {
        date: "2027-01-01".into(),
        ..recorded("2.4.0")
    };
    let (again, changed) = record_trace(&new, &later, Release::V2_4, &fresh, &model);
    assert_eq!((&again, changed), (&new, 0));

    let report = verify_recorded(&new, Release::V2_4, &fresh, &model);
    assert_eq!(
        (report.divergences.len(), report.excused.to_string()),
        (0, "space 1".into())
    );
    let report = verify_recorded(&new, Release::V2_3, &fresh, &model);
    assert_eq!(
        report
            .divergences
            .iter()
            .map(|d| d.step)
            .collect::<Vec<_>>(),
        [2]
    );
    // What the model does not excuse is compared.
    let exact = [
        printed("x 1\nsame\n", "", 0),
        printed("tank\t24K\n", "", 0),
        fresh[2].clone(),
    ];
    let report = verify_recorded(&new, Release::V2_4, &fresh, &exact);
    assert_eq!(
        report
            .divergences
            .iter()
            .map(|d| d.step)
            .collect::<Vec<_>>(),
        [1]
    );
}

/// The test of the tests: each character of each recorded line, changed, is seen at its step.
#[test]
fn every_changed_character_is_seen() {
    let trace = trace(DESTROY);
    let answers: Vec<Printed> = trace
        .steps()
        .map(|step| {
            let expected = step.expected(Release::V2_3);
            let err = expected
                .err
                .iter()
                .map(|placed| match &placed.text.content {
                    ztwin::trace::Content::Literal(bytes) => [bytes, &b"\n"[..]].concat(),
                    ztwin::trace::Content::Pattern(_) => unreachable!("no patterns"),
                });
            Printed {
                out: Vec::new(),
                err: err.collect::<Vec<_>>().concat(),
                end: expected.end,
            }
        })
        .collect();
    assert_eq!(
        compare_recorded(&trace, Release::V2_3, &answers).divergences,
        []
    );
    let mut changed = 0;
    for (i, c) in DESTROY.char_indices().filter(|(_, c)| *c != '\n') {
        let line = DESTROY[..i].rsplit('\n').next().expect("a line").len();
        let full = DESTROY[i - line..].lines().next().expect("a line");
        if line < 2 || !(full.starts_with("  !") || full.starts_with("  [")) {
            continue;
        }
        let other = if c == 'x' { 'y' } else { 'x' };
        let text = format!("{}{other}{}", &DESTROY[..i], &DESTROY[i + 1..]);
        let seen = match Trace::parse("t", text.as_bytes()) {
            Err(_) => true,
            Ok(trace) => {
                let report = compare_recorded(&trace, Release::V2_3, &answers);
                report.divergences.first().is_some_and(|d| d.step == 1)
            }
        };
        assert!(seen, "character {i}");
        changed += 1;
    }
    assert!(changed > 100, "{changed}");
}
