//! `ztwin check` and `ztwin diff`, from the trace to the exit code.

use std::path::Path;
use std::process::Command;

/// The exit code, standard output and standard error.
fn run(directory: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ztwin"))
        .args(args)
        .current_dir(directory)
        .env("NO_COLOR", "1")
        .output()
        .expect("ztwin runs");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (
        output.status.code().expect("no signal"),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// A directory with one trace.
fn with(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(directory.path().join("traces")).expect("made");
    std::fs::write(directory.path().join("traces/a.trace"), text).expect("written");
    directory
}

const AGREES: &str = "\
There is no such pool.

  @ recorded openzfs-2.3.9 linux-6.12 trixie 2026-11-21
  $ mkdir nope:/d
  ! ENOENT
  [1]
";

const DIFFERS: &str = "\
There is such a pool, in this trace that nobody recorded.

  @ recorded openzfs-2.1.11 linux-6.1 bookworm 2026-11-21
  @ recorded openzfs-2.3.9 linux-6.12 trixie 2026-11-21
  $ mkdir nope:/d
  ? openzfs < 2.2
  ! EEXIST
  ? else
  ! ENOENT
  ? end
  [1]
  $ zfs allow nope
";

#[test]
fn agreement_ends_with_0() {
    let directory = with(AGREES);
    for args in [
        &["check"][..],
        &["check", "traces"],
        &["check", "traces/a.trace"],
    ] {
        let (code, out, err) = run(directory.path(), args);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        assert_eq!(out, "1 traces, 1 steps: 0 divergences\n");
    }
}

#[test]
fn a_divergence_ends_with_1_at_its_step() {
    let directory = with(DIFFERS);
    let (code, out, err) = run(directory.path(), &["check"]);
    assert_eq!((code, err.as_str()), (1, ""));
    insta::assert_snapshot!("check_text", out);
    let (code, out, _) = run(directory.path(), &["check", "--json"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!("check_json", out);
    let (code, _, err) = run(directory.path(), &["check", "--junit", "junit.xml"]);
    assert_eq!((code, err.as_str()), (1, ""));
    let xml = std::fs::read_to_string(directory.path().join("junit.xml")).expect("written");
    insta::assert_snapshot!("check_junit", xml);
}

/// `/dev/full` is a disk without room.
#[test]
fn a_full_disk_is_said() {
    let directory = with(AGREES);
    let (code, _, err) = run(directory.path(), &["check", "--junit", "/dev/full"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("cannot write /dev/full: No space left on device"),
        "{err}"
    );
    let full = std::fs::File::options().write(true).open("/dev/full");
    let output = Command::new(env!("CARGO_BIN_EXE_ztwin"))
        .arg("check")
        .current_dir(directory.path())
        .stdout(full.expect("Linux has /dev/full"))
        .output()
        .expect("ztwin runs");
    assert_eq!(output.status.code(), Some(2));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(
        err.contains("cannot write the output: No space left on device"),
        "{err}"
    );
}

/// The model against itself: the form of the results is the same as with a real pool.
#[test]
fn diff_has_results_for_programs() {
    let directory = with(AGREES);
    let args = ["diff", "--pool", "model", "--json", "--junit", "junit.xml"];
    let (code, out, err) = run(directory.path(), &args);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let document: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(document["traces"], 1);
    assert_eq!(document["divergences"], serde_json::json!([]));
    // The step of the trace, and the state behind it.
    assert_eq!(document["steps"], 2);
    let xml = std::fs::read_to_string(directory.path().join("junit.xml")).expect("written");
    assert!(xml.contains("name=\"ztwin diff\""), "{xml}");
}

#[test]
fn what_is_not_modelled_ends_with_4() {
    let directory = with(DIFFERS);
    let (code, out, _) = run(directory.path(), &["check", "--openzfs", "2.3"]);
    assert_eq!(code, 4, "{out}");
    assert!(
        out.ends_with("\n1 traces, 2 steps: 1 divergences\n"),
        "{out}"
    );
}

#[test]
fn a_release_without_a_recording_or_a_model_ends_with_2() {
    let directory = with(DIFFERS);
    let (code, out, err) = run(directory.path(), &["check", "--openzfs", "2.4"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(
        err.contains("no trace was recorded on OpenZFS 2.4"),
        "{err}"
    );
    let directory = with(&AGREES.replace("2.3.9", "2.2.7"));
    let (code, out, err) = run(directory.path(), &["check"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(
        err.contains("traces/a.trace") && err.contains("2.2.7"),
        "{err}"
    );
}

#[test]
fn diff_compares_the_model_with_itself() {
    // What is recorded plays no part.
    let directory = with(&AGREES.replace("ENOENT", "EEXIST"));
    let (code, out, err) = run(directory.path(), &["diff", "--pool", "model"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(out, "1 traces, 2 steps: 0 divergences\n");
}

#[test]
fn output_that_nobody_reads_is_no_error() {
    let directory = with(DIFFERS);
    let script = format!("{} check 2>err | true", env!("CARGO_BIN_EXE_ztwin"));
    let status = Command::new("sh")
        .args(["-c", &script])
        .current_dir(directory.path())
        .status()
        .expect("sh runs");
    assert!(status.success());
    let err = std::fs::read_to_string(directory.path().join("err")).expect("read");
    assert_eq!(err, "");
}

/// The model against itself, where a marker is no value: some sequences differ, and those are kept.
#[test]
fn drawn_sequences_repeat_and_those_that_differ_are_kept() {
    let directory = tempfile::tempdir().expect("a directory");
    let draw = |seed: &str, runs: &str, keep: &str| {
        let args = [
            "diff",
            "--pool",
            "model",
            "--json",
            "--generate",
            "administration",
        ];
        let more = [
            "--seed", seed, "--runs", runs, "--keep", keep, "--ledger", "ledger",
        ];
        let (_, out, err) = run(directory.path(), &[&args[..], &more].concat());
        assert_eq!(err, "");
        serde_json::from_str::<serde_json::Value>(&out).expect("JSON")
    };
    let all = draw("5", "12", "kept");
    assert_eq!(all, draw("5", "12", "again"));
    let found = all["divergences"].as_array().expect("an array");
    let mut names: Vec<&str> = found.iter().filter_map(|it| it["trace"].as_str()).collect();
    names.dedup();
    assert!(!names.is_empty() && names.len() < 12, "{names:?}");
    for name in &names {
        let file = format!("{name}.trace");
        let text = std::fs::read(directory.path().join("kept").join(&file)).expect("kept");
        let again = std::fs::read(directory.path().join("again").join(&file)).expect("kept");
        assert_eq!(text, again);
        ztwin::trace::Trace::parse(name, &text).expect("a trace");
    }
    let kept = std::fs::read_dir(directory.path().join("kept")).expect("read");
    assert_eq!(kept.count(), names.len());

    let ledger = directory.path().join("ledger/administration-2.3-5-12.json");
    let ledger = std::fs::read(ledger).expect("written");
    let ledger: serde_json::Value = serde_json::from_slice(&ledger).expect("JSON");
    assert_eq!(ledger["steps"], all["steps"]);
    assert_eq!(ledger["divergences"], found.len());
    assert_eq!(ledger["seed"], 5);
    assert_eq!(ledger["runs"], 12);

    // The sequence of one seed is the same whatever came before it.
    let name = names[0];
    let seed = name.rsplit_once('-').expect("a seed").1;
    draw(seed, "1", "alone");
    let alone = directory.path().join(format!("alone/{name}.trace"));
    let kept = directory.path().join(format!("kept/{name}.trace"));
    assert_eq!(
        std::fs::read(alone).expect("kept"),
        std::fs::read(kept).expect("kept")
    );
}

#[test]
fn what_is_drawn_goes_with_no_traces() {
    let directory = with(AGREES);
    for args in [
        &[
            "diff",
            "--pool",
            "model",
            "--generate",
            "administration",
            "traces",
        ][..],
        &["diff", "--pool", "model", "--generate", "nothing"],
        &["diff", "--pool", "model", "--runs", "2"],
        &["diff", "--pool", "model", "--seed", "2"],
        &[
            "diff",
            "--pool",
            "model",
            "--generate",
            "administration",
            "--sample",
            "2",
        ],
        &[
            "diff",
            "--pool",
            "model",
            "--generate",
            "administration",
            "--runs",
            "0",
        ],
    ] {
        let (code, out, err) = run(directory.path(), args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert!(err.starts_with("error: "), "{args:?}: {err}");
    }
}
