//! The ledger of campaigns adds up to what its page says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// The number at a path of keys. Increments are counted since they are drawn.
fn number(run: &Value, path: &str) -> u64 {
    match run.pointer(path) {
        None if path == "/increments" => 0,
        found => {
            let number = found.and_then(Value::as_u64);
            number.unwrap_or_else(|| panic!("no number {path} in {run}"))
        }
    }
}

/// Adds up the numbers at these paths, by what `key` tells of a run.
fn sums<'a, const N: usize>(
    runs: impl Iterator<Item = &'a Value>,
    paths: [&str; N],
    key: impl Fn(&Value) -> String,
) -> BTreeMap<String, [u64; N]> {
    let mut sums = BTreeMap::new();
    for run in runs {
        let sum: &mut [u64; N] = sums.entry(key(run)).or_insert([0; N]);
        for (sum, path) in sum.iter_mut().zip(paths) {
            *sum += number(run, path);
        }
    }
    sums
}

/// The runs that are written down in a directory.
fn runs(directory: &Path) -> Vec<Value> {
    let mut runs: Vec<Value> = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "json") {
            continue;
        }
        let run: Value = serde_json::from_slice(&fs::read(&path).unwrap()).expect("JSON");
        let command = run["command"].as_str().expect("a command");
        assert!(
            command.contains(&format!("--seed {}", number(&run, "/seed"))),
            "{}: {command}",
            path.display()
        );
        runs.push(run);
    }
    runs
}

fn text(run: &Value, key: &str) -> String {
    run[key].as_str().expect("a text").to_owned()
}

/// The rows of the mixes of space figures.
fn of_space<'a>(runs: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let paths = [
        "/runs",
        "/drawn",
        "/divergences",
        "/figures/printed",
        "/figures/exact",
    ];
    let sums = sums(runs, paths, |run| {
        format!("{} | {}", text(run, "mix"), text(run, "openzfs"))
    });
    sums.into_iter().map(
        |(key, [runs, drawn, divergences, printed, exact])| {
            let share = exact * 10_000 / printed.max(1);
            let (whole, rest) = (share / 100, share % 100);
            format!("| {key} | {runs} | {drawn} | {divergences} | {printed} | {exact} | {whole}.{rest:02} % |")
        },
    ).collect()
}

#[test]
fn the_tables_are_the_sums_of_the_files() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/campaigns");
    let (runs, earlier) = (runs(&directory), runs(&directory.join("earlier")));
    let (space, others): (Vec<&Value>, Vec<_>) = runs
        .iter()
        .partition(|run| text(run, "mix").starts_with("space"));
    let (sharing, others): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|run| text(run, "mix") == "sharing");
    let (files, others): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|run| text(run, "mix") == "files");

    let (explored, others): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|run| ["explored", "layers", "corners"].contains(&&*text(run, "mix")));

    let paths = ["/runs", "/steps", "/succeeded", "/divergences"];
    let others = sums(others.into_iter(), paths, |run| text(run, "openzfs"));
    let mut rows: Vec<String> = others
        .into_iter()
        .map(|(release, [runs, steps, succeeded, divergences])| {
            format!("| {release} | {runs} | {steps} | {succeeded} | {divergences} |")
        })
        .collect();
    rows.extend(of_space(space.into_iter()));
    rows.extend(of_space(earlier.iter()));
    let paths = ["/runs", "/drawn", "/divergences", "/pairs", "/increments"];
    let sharing = sums(sharing.into_iter(), paths, |run| text(run, "openzfs"));
    rows.extend(sharing.into_iter().map(
        |(release, [runs, drawn, divergences, pairs, increments])| {
            format!("| {release} | {runs} | {drawn} | {divergences} | {pairs} | {increments} |")
        },
    ));
    let paths = ["/runs", "/drawn", "/steps", "/succeeded", "/divergences"];
    let files = sums(files.into_iter(), paths, |run| text(run, "openzfs"));
    rows.extend(files.into_iter().map(
        |(release, [runs, drawn, steps, succeeded, divergences])| {
            let share = succeeded * 100 / steps.max(1);
            format!("| {release} | {runs} | {drawn} | {share} % | {divergences} |")
        },
    ));
    let paths = ["/runs", "/steps", "/divergences"];
    let explored = sums(explored.into_iter(), paths, |run| {
        format!("{} | {}", text(run, "mix"), text(run, "openzfs"))
    });
    let row = |(key, [runs, steps, divergences]): (String, [u64; 3])| {
        format!("| {key} | {runs} | {steps} | {divergences} |")
    };
    rows.extend(explored.into_iter().map(row));
    let page = fs::read_to_string(directory.join("README.md")).unwrap();
    let mut in_table = false;
    let mut tables = Vec::new();
    // The table of files is counted in `trace_corpus.rs`.
    let (campaigns, _) = page.split_once("\n## Files\n").expect("the files");
    for line in campaigns.lines() {
        if in_table && line.starts_with('|') {
            tables.push(line.to_owned());
        } else {
            in_table = line.starts_with("|---");
        }
    }
    assert_eq!(tables, rows, "the tables in docs/campaigns/README.md");
}
