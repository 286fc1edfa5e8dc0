//! `ztwin merge`: shards of a campaign add up to the campaign.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn merge(words: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ztwin"));
    command.arg("merge").args(words).output().expect("ztwin")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn ledger(directory: &Path, seed: u64, runs: u64, divergences: u64) -> std::path::PathBuf {
    let file = directory.join(format!("files-2.3.9-{seed}-{runs}.json"));
    let document = serde_json::json!({
        "mix": "files", "openzfs": "2.3.9", "seed": seed, "runs": runs, "steps": 100 * runs,
        "succeeded": 60 * runs, "divergences": divergences, "not_compared": { "time": runs },
    });
    fs::write(&file, document.to_string()).expect("a file");
    file
}

#[test]
fn shards_add_up_and_one_that_is_given_twice_counts_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = ledger(directory.path(), 0, 3, 0);
    ledger(directory.path(), 3, 4, 0);
    let all = merge(&[directory.path(), &first]);
    let line = "files on OpenZFS 2.3.9: 7 runs, 700 steps, 420 of them successful: 0 divergences\n";
    assert_eq!((told(&all).as_str(), all.status.code()), (line, Some(0)));
    // A divergence of one is one of all.
    ledger(directory.path(), 7, 1, 2);
    let all = merge(&[directory.path()]);
    assert!(told(&all).contains("8 runs, 800 steps, 480 of them successful: 2 divergences"));
    assert_eq!(all.status.code(), Some(1));
    // What overlaps is told.
    ledger(directory.path(), 1, 2, 0);
    assert!(told(&merge(&[directory.path()])).contains("2 seeds stand in more than one of them"));
}

#[test]
fn what_is_no_ledger_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("x.json");
    for (text, wanted) in [
        ("{", "no ledger"),
        ("[]", "no ledger"),
        ("{\"mix\": \"files\"}", "it has no number \"seed\""),
    ] {
        fs::write(&file, text).expect("a file");
        let merged = merge(&[&file]);
        assert!(told(&merged).contains(wanted), "{text}: {}", told(&merged));
        assert_eq!(merged.status.code(), Some(2));
    }
    let missing = merge(&[&directory.path().join("none")]);
    assert_eq!(missing.status.code(), Some(2));
}
