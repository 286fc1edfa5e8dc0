//! `ztwin shrink` and `ztwin script`: what differs becomes small, and a shell without ztwin shows it.
#![cfg(feature = "faults")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn ztwin(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ztwin"));
    command.args(words).output().expect("ztwin")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// Steps around three that matter.
const LONG: &str = "Much that does not matter.

  $ vdev /v/a 1G
  $ vdev /v/b 1G
  $ zpool create -O atime=off tank /v/a
  $ zfs create tank/a
  $ zfs create -o compression=off tank/b
  $ write tank/a:/f 0 300K data=random:1
  $ zfs snapshot tank/a@s
  $ zfs snapshot tank/b@s
  $ zfs clone tank/a@s tank/c
  $ mkdir tank/c:/d
  $ zfs destroy -d tank/a@s
  $ zfs list -H -o name,defer_destroy -t all
  $ zfs clone tank/b@s tank/d
  $ zfs destroy tank/c
  $ zpool sync
  $ zfs list -H -o name -t all
";

#[test]
fn a_divergence_becomes_small_and_keeps_its_signature() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("long.trace"), LONG).expect("a file");
    let small = ztwin(&[
        "shrink",
        &path("long.trace"),
        "--fault",
        "DeferredNeverFires",
        "-o",
        &path("small"),
    ]);
    let text = told(&small);
    assert_eq!(small.status.code(), Some(1), "{text}");
    let trace = fs::read_to_string(path("small/small.trace")).expect("a trace");
    let steps = trace
        .lines()
        .filter(|line| line.starts_with("  $ "))
        .count();
    assert!(steps <= 8, "{trace}");
    assert!(text.contains(&trace), "{text}");
    // What was made small is as small as it gets, and still differs in the same way.
    let again = ztwin(&[
        "shrink",
        &path("small/small.trace"),
        "--fault",
        "DeferredNeverFires",
    ]);
    let signature = |text: &str| text.lines().rev().nth(1).map(str::to_owned);
    assert_eq!(signature(&told(&again)), signature(&text));
    // The fuzzer's seed is the trace.
    assert_eq!(
        fs::read_to_string(path("small/small.seed")).expect("a seed"),
        trace
    );
}

#[test]
fn what_does_not_differ_and_what_is_no_fault_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("long.trace").display().to_string();
    fs::write(&path, LONG).expect("a file");
    let same = ztwin(&["shrink", &path, "--fault", "DraidHasNoParity"]);
    assert!(told(&same).contains("nothing differs"), "{}", told(&same));
    assert_eq!(same.status.code(), Some(0));
    let wrong = ztwin(&["shrink", &path, "--fault", "Nonsense"]);
    assert!(
        told(&wrong).contains("no fault is called 'Nonsense'"),
        "{}",
        told(&wrong)
    );
    assert_eq!(wrong.status.code(), Some(2));
}

/// `ztwin sim` stands for a system with ZFS: what needs no mount is the same there.
#[test]
fn a_script_exits_0_where_zfs_does_what_it_says_and_1_where_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let run = |trace: &str| {
        fs::write(at("a.trace"), trace).expect("a file");
        let script = ztwin(&["script", &at("a.trace").display().to_string()]);
        assert!(script.status.success(), "{}", told(&script));
        fs::write(at("a.sh"), &script.stdout).expect("a file");
        run_simulated(&at("a.sh"))
    };
    let trace = "Said.\n\n  $ vdev /v/a 1G\n  $ zpool create tank /v/a\n  $ zfs create tank/a\n  \
        $ zfs snapshot tank/a@s\n  $ zfs destroy tank/a\n  ! cannot destroy 'tank/a': filesystem has children\n  \
        ! use '-r' to destroy the following datasets:\n  ! tank/a@s\n  [1]\n  $ zfs list -H -o name -r tank\n  \
        tank\n  tank/a\n";
    let right = run(trace);
    if right.status.code() == Some(2) && told(&right).contains("needs root") {
        // Scripts need root as ZFS does; so does this test, and says so.
        eprintln!("not run: {}", told(&right));
        return;
    }
    assert_eq!(right.status.code(), Some(0), "{}", told(&right));
    let wrong = run(&trace.replace("  tank/a\n", "  tank/b\n"));
    assert_eq!(wrong.status.code(), Some(1), "{}", told(&wrong));
    assert!(told(&wrong).contains("tank/b"), "{}", told(&wrong));
}

fn run_simulated(script: &Path) -> Output {
    ztwin(&["sim", "--", "sh", &script.display().to_string()])
}

#[test]
fn what_a_shell_cannot_say_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.trace").display().to_string();
    fs::write(
        &path,
        "  $ vdev /v/a 1G\n  $ zpool create tank /v/a\n  $ state -v\n",
    )
    .expect("a file");
    let script = ztwin(&["script", &path]);
    assert_eq!(script.status.code(), Some(2));
    assert!(
        told(&script).contains("cannot be said in a shell"),
        "{}",
        told(&script)
    );
}
