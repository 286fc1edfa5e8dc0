//! The registry of known divergences: short, in date, of use, and hiding nothing.
#![cfg(feature = "faults")]

use std::path::Path;

use rayon::prelude::*;
use ztwin::compare::{KNOWN, Known, MOST, check_trace};
use ztwin::pools::blobs::Blobs;
use ztwin::trace::{CORPUS, Trace, today};
use ztwin_model::Release;
use ztwin_model::fault::Fault;

type Traces<'a> = [(&'a str, &'a [u8])];

fn parse((name, text): &(&str, &[u8])) -> Trace {
    Trace::parse(name, text).unwrap_or_else(|error| panic!("{error}"))
}

fn blobs() -> Blobs {
    Blobs::in_directory(&Path::new(env!("CARGO_MANIFEST_DIR")).join("traces/data"))
}

/// What is wrong with a registry on this day.
fn complaints(registry: &'static [Known], traces: &Traces<'_>, today: &str) -> Vec<String> {
    let mut found = Vec::new();
    if registry.len() > MOST {
        found.push(format!("{} are more than {MOST}", registry.len()));
    }
    for (index, known) in registry.iter().enumerate() {
        let mut complain = |what: String| found.push(format!("{}: {what}", known.mechanism));
        if registry[..index]
            .iter()
            .any(|it| it.mechanism == known.mechanism)
        {
            complain("there twice".to_owned());
        }
        if known.until < today {
            complain(format!("ended on {}", known.until));
        }
        if !known.link.starts_with("https://") && !known.link.starts_with("docs/") {
            complain(format!("no link: '{}'", known.link));
        }
        let Some(trace) = traces.iter().find(|it| it.0 == known.trace).map(parse) else {
            complain(format!("no trace {}", known.trace));
            continue;
        };
        let releases = trace.releases();
        for release in Release::ALL
            .into_iter()
            .filter(|it| known.releases.contains(it))
        {
            if !releases.contains(&release) {
                complain(format!("not recorded on {}", release.name()));
                continue;
            }
            let report = check_trace(&trace, release, &blobs(), None).unwrap();
            let report = report.without_known(&trace, registry);
            let on = release.name();
            if !report.known.contains(&known.mechanism) {
                complain(format!("explains nothing of its trace on {on}"));
            }
            if !report.divergences.is_empty() {
                complain(format!("does not explain all of its trace on {on}"));
            }
        }
    }
    found
}

/// The faults that no trace shows any more, because of what is known.
fn hidden(registry: &'static [Known], traces: &Traces<'_>, faults: &[Fault]) -> Vec<Fault> {
    let traces: Vec<Trace> = traces.iter().map(parse).collect();
    let shows = |trace: &Trace, fault| {
        trace.releases().into_iter().any(|release| {
            let report = check_trace(trace, release, &blobs(), fault).unwrap();
            report.without_known(trace, registry).diverges()
        })
    };
    let is_hidden = |fault: &&Fault| {
        let mut traces = traces.iter();
        !traces.any(|trace| shows(trace, Some(**fault)) && !shows(trace, None))
    };
    faults.par_iter().filter(is_hidden).copied().collect()
}

/// That it hides no planted fault is what `corpus_faults` shows, which counts what is not explained.
#[test]
fn the_registry_is_sound() {
    assert_eq!(complaints(KNOWN, CORPUS, &today()), Vec::<String>::new());
}

/// A trace whose recorded answer is not that of the model.
const DIFFERS: (&str, &[u8]) = (
    "differs.trace",
    b"Invented.

  @ recorded openzfs-2.3.9 linux-6.12 trixie 2026-11-29
  $ vdev /v/a 1G
  $ zpool create tank /v/a
  $ zfs list -H -o name
  tank
  invented
",
);

const AGREES: (&str, &[u8]) = (
    "agrees.trace",
    b"Invented.

  @ recorded openzfs-2.3.9 linux-6.12 trixie 2026-11-29
  $ vdev /v/a 1G
  $ zpool create tank /v/a
  $ zfs list -H -o name
  tank
",
);

/// An entry without fault: narrow, in date, of use.
const SOUND: Known = Known {
    mechanism: "an invented dataset",
    releases: Release::V2_3..=Release::V2_3,
    link: "https://example.com/1",
    until: "2026-12-31",
    trace: DIFFERS.0,
    explains: |command, difference| {
        let of_list = command.words.get(1).is_some_and(|it| it == "list");
        of_list && difference.lines.iter().any(|it| it.text == "  invented")
    },
};

/// One that explains whatever `zfs` prints.
const WIDE: Known = Known {
    mechanism: "anything",
    releases: Release::V2_1..=Release::V2_4,
    explains: |command, _| command.words.first().is_some_and(|it| it == "zfs"),
    ..SOUND
};

const TRACES: &Traces<'_> = &[DIFFERS, AGREES];

#[test]
fn a_sound_entry_is_put_up_with_until_its_day() {
    static REGISTRY: &[Known] = &[SOUND];
    let complain = |today| complaints(REGISTRY, TRACES, today);
    assert_eq!(complain("2026-12-31"), Vec::<String>::new());
    assert_eq!(
        complain("2027-01-01"),
        ["an invented dataset: ended on 2026-12-31"]
    );
}

#[test]
fn what_is_unused_or_told_wrong_is_complained_of() {
    static REGISTRY: &[Known] = &[
        Known {
            trace: AGREES.0,
            ..SOUND
        },
        Known {
            mechanism: "another",
            releases: Release::V2_3..=Release::V2_4,
            link: "somewhere",
            ..SOUND
        },
        Known {
            mechanism: "blind",
            explains: |_, _| false,
            ..SOUND
        },
        Known {
            mechanism: "gone",
            trace: "gone.trace",
            ..SOUND
        },
    ];
    assert_eq!(
        complaints(REGISTRY, TRACES, "2026-11-29"),
        [
            "an invented dataset: explains nothing of its trace on 2.3",
            // The first one explains it.
            "another: no link: 'somewhere'",
            "another: explains nothing of its trace on 2.3",
            "another: not recorded on 2.4",
            "blind: explains nothing of its trace on 2.3",
            "gone: no trace gone.trace",
        ]
    );
}

#[test]
fn there_are_few_and_each_is_there_once() {
    static REGISTRY: &[Known] = &[SOUND; MOST + 1];
    let complaints = complaints(REGISTRY, TRACES, "2026-11-29");
    assert_eq!(complaints[0], "11 are more than 10");
    assert_eq!(complaints.len(), 1 + MOST, "{complaints:?}");
}

#[test]
fn an_entry_that_is_too_wide_hides_a_planted_fault() {
    static NARROW: &[Known] = &[SOUND];
    static REGISTRY: &[Known] = &[WIDE];
    let traces = CORPUS
        .iter()
        .filter(|it| it.0.starts_with("traces/destroy/"));
    let traces: Vec<(&str, &[u8])> = traces.copied().collect();
    let faults = [Fault::DryRunOmitsClones, Fault::DestroySparesClone];
    assert_eq!(hidden(NARROW, &traces, &faults), []);
    assert_eq!(
        hidden(REGISTRY, &traces, &faults),
        [Fault::DryRunOmitsClones]
    );
}
