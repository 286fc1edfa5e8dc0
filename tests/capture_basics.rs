//! `ztwin capture`: wrong use, and what recorded sessions leave in the corpus.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn capture(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ztwin"))
        .arg("capture")
        .args(words)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_session_needs_a_real_pool_and_a_command() {
    let out = tempfile::tempdir().unwrap();
    let directory = out.path().to_str().unwrap();
    let output = capture(&["--pool", "model", "-o", directory, "--", "true"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("kernel or vm:NAME"),
        "{}",
        said(&output)
    );
    let output = capture(&["--pool", "vm:trixie", "-o", directory]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("COMMAND"), "{}", said(&output));
}

#[test]
fn files_that_are_not_there_are_named() {
    let out = tempfile::tempdir().unwrap();
    let directory = out.path().to_str().unwrap();
    let words = [
        "--pool",
        "vm:trixie",
        "-o",
        directory,
        "--files",
        "/no/such",
        "--",
        "true",
    ];
    let output = capture(&words);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("/no/such"), "{}", said(&output));
}

/// Every file below a directory.
fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn every_piece_of_data_is_named_by_a_trace_and_has_the_hash_that_it_is_named_after() {
    let mut all = Vec::new();
    files(Path::new("traces"), &mut all);
    let mut named = BTreeSet::new();
    for path in all
        .iter()
        .filter(|path| path.extension().is_some_and(|it| it == "trace"))
    {
        let text = String::from_utf8(fs::read(path).unwrap()).unwrap();
        let uses = text.split("data=hash:").skip(1);
        // A message of the corpus says `data=hash:HEX`.
        let uses = uses.filter_map(|rest| rest.get(..64));
        let hex = |name: &&str| name.bytes().all(|byte| byte.is_ascii_hexdigit());
        named.extend(uses.filter(hex).map(str::to_owned));
    }
    let mut kept = BTreeSet::new();
    let mut size = 0;
    for path in all.iter().filter(|path| path.starts_with("traces/data")) {
        let bytes = fs::read(path).unwrap();
        size += bytes.len();
        let hash = blake3::hash(&bytes).to_hex().to_string();
        assert_eq!(
            path.file_name().and_then(|it| it.to_str()),
            Some(hash.as_str())
        );
        kept.insert(hash);
    }
    assert_eq!(kept, named);
    assert!(!kept.is_empty() && size < 300 << 10, "{size} bytes");
}
