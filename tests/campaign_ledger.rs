//! The ledger of campaigns adds up to what its page says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[test]
fn the_table_is_the_sum_of_the_files() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/campaigns");
    let mut sums: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "json") {
            continue;
        }
        let run: serde_json::Value =
            serde_json::from_slice(&fs::read(&path).unwrap()).expect("a file of JSON");
        let number = |key: &str| {
            let number = run[key].as_u64();
            number.unwrap_or_else(|| panic!("{}: no number {key}", path.display()))
        };
        let command = run["command"].as_str().expect("a command");
        assert!(
            command.contains(&format!("--seed {}", number("seed"))),
            "{}: {command}",
            path.display()
        );
        let sum = sums
            .entry(run["openzfs"].as_str().expect("a release").to_owned())
            .or_default();
        for (sum, key) in sum
            .iter_mut()
            .zip(["runs", "steps", "succeeded", "divergences"])
        {
            *sum += number(key);
        }
    }
    let rows: Vec<String> = sums
        .into_iter()
        .map(|(release, [runs, steps, succeeded, divergences])| {
            format!("| {release} | {runs} | {steps} | {succeeded} | {divergences} |")
        })
        .collect();
    let page = fs::read_to_string(directory.join("README.md")).unwrap();
    let table: Vec<&str> = page
        .lines()
        .skip_while(|line| *line != "|---|---|---|---|---|")
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert_eq!(table, rows, "the table in docs/campaigns/README.md");
}
