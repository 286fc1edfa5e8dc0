//! `ztwin sim --record`: what programs did becomes a trace, which replays.

mod common {
    pub mod sim;
}

use std::fs;
use std::path::Path;
use std::process::Command;

use common::sim::{directory, out, sim, told};
use ztwin::trace::Trace;

fn check(at: &Path, release: &str) -> (i32, String, String) {
    let mut check = Command::new(env!("CARGO_BIN_EXE_ztwin"));
    check
        .args(["check", "--openzfs", release, "session.trace"])
        .current_dir(at);
    told(&check.output().expect("runs"))
}

/// The recorded trace, which must be one in canonical form.
fn trace(at: &Path) -> String {
    let text = fs::read_to_string(at.join("session.trace")).expect("read");
    let trace = Trace::parse("session.trace", text.as_bytes()).expect("a trace");
    assert_eq!(trace.to_string(), text);
    assert_eq!(trace.recorded().count(), 0, "only a real pool records");
    text.replace(&*at.to_string_lossy(), "DIR")
}

const RECORD: &[&str] = &[
    "--pool",
    "tank=10G",
    "--record",
    "session.trace",
    "--clock",
    "steps",
];

#[test]
fn a_session_becomes_a_trace() {
    let directory = directory();
    let at = directory.path();
    let script = "
        exec 2>&1
        truncate -s 1G disk; truncate -s 100M 'my disk'
        zfs create -o com.x:note='two words' tank/a; zfs create tank/a
        zfs snapshot tank/a@s; zfs clone tank/a@s tank/b; zfs destroy tank/a@s
        zfs get -H com.x:note,guid,creation tank/a
        zfs list; zfs frob; zfs send tank/a@s
        zpool create other $PWD/disk; zpool create other \"$PWD/my disk\"; zpool destroy other
        truncate -s 2G disk; zpool create -m none other $PWD/disk
        zpool create third $PWD/none $PWD/../x
    ";
    sim(at, RECORD, script);
    insta::assert_snapshot!(trace(at), @r#"
    Simulated by `ztwin sim` as OpenZFS 2.3: no pool has given these outcomes, so they prove nothing
    about ZFS. `ztwin record` puts those of a real pool in their place.

      $ vdev /ztwin/tank 10G
      $ zpool create tank /ztwin/tank
      $ zfs create -o 'com.x:note=two words' tank/a
      $ zfs create tank/a
      ! cannot create 'tank/a': dataset already exists
      [1]
      $ zfs snapshot tank/a@s
      $ zfs clone tank/a@s tank/b
      $ zfs destroy tank/a@s
      ! cannot destroy 'tank/a@s': snapshot has dependent clones
      ! use '-R' to destroy the following datasets:
      ! tank/b
      [1]
      $ zfs get -H com.x:note,guid,creation tank/a
      tank/a	com.x:note	two words	local
      tank/a	guid	2	-
      tank/a	creation	Thu Jan  1  0:00 2026	-

    The next step prints estimates of space.

      $ zfs list
      NAME     USED  AVAIL  REFER  MOUNTPOINT
      tank      62K  9.20G    23K  /tank
      tank/a    23K  9.20G    23K  /tank/a
      tank/b     0B  9.20G    23K  /tank/b
      $ zfs frob
      ! unrecognized command 'frob'
      ! usage: zfs command args ...
      !~ <usage>
      [2]

    `zfs send tank/a@s` was called here, which is not modelled.

      $ vdev DIR/disk 1G
      $ zpool create other DIR/disk
      $ vdev 'DIR/my disk' 100M
      $ zpool create other 'DIR/my disk'
      ! cannot create 'other': pool already exists
      [1]
      $ zpool destroy other

    DIR/disk has 2147483648 bytes by now, not 1073741824.

      $ zpool create -m none other DIR/disk
      $ zpool create third DIR/none DIR/../x
      ! cannot resolve path 'DIR/none'
      [1]
    "#);
    assert_eq!(check(at, "2.3").0, 0, "{}", check(at, "2.3").1);
    // It would be noticed if anything in it were wrong.
    let text = fs::read_to_string(at.join("session.trace")).expect("read");
    fs::write(
        at.join("session.trace"),
        text.replace("already exists", "exists"),
    )
    .expect("written");
    assert_eq!(check(at, "2.3").0, 1);
}

#[test]
fn a_trace_of_a_machine_that_lived_on_tells_its_whole_story() {
    let directory = directory();
    let at = directory.path();
    let state = ["--state", "state", "--openzfs", "2.1"];
    out(
        at,
        &[&state[..], &["--pool", "tank=10G"]].concat(),
        "zfs create tank/a; zfs list -Ho name",
    );
    out(
        at,
        &["--state", "state", "--record", "session.trace"],
        "zfs create tank/b; zfs list -Ho name",
    );
    insta::assert_snapshot!(trace(at), @r#"
    Simulated by `ztwin sim` as OpenZFS 2.1: no pool has given these outcomes, so they prove nothing
    about ZFS. `ztwin record` puts those of a real pool in their place.

      $ vdev /ztwin/tank 10G
      $ zpool create tank /ztwin/tank
      $ zfs create tank/a
      $ zfs create tank/b
      $ zfs list -Ho name
      tank
      tank/a
      tank/b
    "#);
    assert_eq!(check(at, "2.1").0, 0);
}

#[test]
fn estimates_and_injected_failures_are_told() {
    let directory = directory();
    let at = directory.path();
    let args = [RECORD, &["--fail", "create tank/a: ENOSPC"]].concat();
    sim(at, &args, "zfs create tank/a; zfs create tank/a; zfs list");
    insta::assert_snapshot!(trace(at), @r#"
    Simulated by `ztwin sim` as OpenZFS 2.3: no pool has given these outcomes, so they prove nothing
    about ZFS. `ztwin record` puts those of a real pool in their place.

      $ vdev /ztwin/tank 10G
      $ zpool create tank /ztwin/tank

    The next step was made to fail: create tank/a: ENOSPC.

      $ zfs create tank/a
      ! cannot create 'tank/a': out of space
      [1]
      $ zfs create tank/a

    The next step prints estimates of space.

      $ zfs list
      NAME     USED  AVAIL  REFER  MOUNTPOINT
      tank      62K  9.20G    23K  /tank
      tank/a    23K  9.20G    23K  /tank/a
    "#);
}

#[test]
fn no_file_is_overwritten() {
    let directory = directory();
    let at = directory.path();
    fs::write(at.join("notes"), "mine").expect("written");
    for option in ["--record", "--log"] {
        let (code, _, err) = sim(at, &[option, "notes"], "echo runs");
        assert_eq!(
            (code, err),
            (
                2,
                format!(
                    "ztwin sim: notes exists, and may be worth something; name another file for {option}\n"
                )
            )
        );
    }
    assert_eq!(fs::read_to_string(at.join("notes")).expect("read"), "mine");
}
