//! `ztwin sim --state`: the machine lives on between runs, whatever happens in between.

mod common {
    pub mod sim;
}

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::sim::{command, directory, names, out, sim};

const STATE: &[&str] = &["--state", "state", "--pool", "tank=10G", "--clock", "steps"];

#[test]
fn the_machine_lives_on() {
    let directory = directory();
    let at = directory.path();
    out(
        at,
        STATE,
        "zfs create -o com.x:y='a b' tank/a; zfs snapshot tank/a@s; zfs list -H -o name",
    );
    let session = "zfs clone tank/a@s tank/b; zfs get -Hp -o name,property,value creation,guid,com.x:y tank/b tank/a@s; zfs umount tank/a";
    let told = out(at, STATE, session);
    // The clock goes on, and no number is given twice.
    insta::assert_snapshot!(told, @r#"
    tank/a@s	creation	1767225603
    tank/a@s	guid	3
    tank/a@s	com.x:y	a b
    tank/b	creation	1767225604
    tank/b	guid	4
    tank/b	com.x:y	-
    "#);
    // A pool that is there stays as it is; without --pool too.
    let told = out(
        at,
        &["--state", "state"],
        "zfs list -H -o name,mounted -t all",
    );
    insta::assert_snapshot!(told, @r#"
    tank	yes
    tank/a	no
    tank/a@s	-
    tank/b	yes
    "#);
    let other = out(
        at,
        &["--state", "other", "--pool", "tank=1G"],
        "zfs list -H -o name",
    );
    assert_eq!(other, "tank\n");
}

#[test]
fn what_only_reads_leaves_the_file_alone() {
    let directory = directory();
    let at = directory.path();
    out(at, STATE, "zfs create tank/a");
    let before = fs::read(at.join("state")).expect("read");
    let script = "zfs list -H -o name; zfs get -H mountpoint tank; zpool list -H -o name; zfs create tank/a; zfs list; zfs mount; zfs destroy -r tank/none; zfs frob";
    sim(at, STATE, script);
    assert_eq!(fs::read(at.join("state")).expect("read"), before);
}

#[test]
fn the_release_is_that_of_the_file() {
    let directory = directory();
    let at = directory.path();
    let busy = "zfs snapshot tank@s; zfs hold k tank@s; zfs destroy tank@s";
    let args = [STATE, &["--openzfs", "2.1"]].concat();
    let first = sim(at, &args, busy);
    assert_eq!(first.2, "cannot destroy snapshot tank@s: dataset is busy\n");
    let again = sim(at, STATE, "zfs destroy tank@s");
    assert_eq!(again, first);
    let (code, _, err) = sim(at, &["--state", "state", "--openzfs", "2.4"], "true");
    assert_eq!(code, 2);
    insta::assert_snapshot!(err, @r#"ztwin sim: the state file state is of a machine with OpenZFS 2.1, not 2.4; leave --openzfs out or name another file for --state"#);
}

#[test]
fn failures_that_happened_are_part_of_the_history() {
    let directory = directory();
    let at = directory.path();
    let fail = [STATE, &["--fail", "destroy tank/a: EBUSY x2"]].concat();
    // It is unmounted before it cannot be destroyed: that much has changed.
    let (code, out, err) = sim(
        at,
        &fail,
        "zfs create tank/a; zfs destroy tank/a; zfs get -H -o value mounted tank/a",
    );
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "no\n", "cannot destroy 'tank/a': dataset is busy\n")
    );
    let (_, out, err) = sim(
        at,
        STATE,
        "zfs get -H -o value mounted tank/a; zfs destroy tank/a; zfs list -H -o name",
    );
    assert_eq!((out.as_str(), err.as_str()), ("no\ntank\n", ""));
}

#[test]
fn two_runs_do_not_share_a_file() {
    let directory = directory();
    let at = directory.path();
    let inner = format!(
        "{} sim --sbin never --state state -- true",
        env!("CARGO_BIN_EXE_ztwin")
    );
    let (code, _, err) = sim(at, STATE, &inner);
    assert_eq!(
        (code, err.as_str()),
        (2, "ztwin sim: state is in use by another 'ztwin sim'\n")
    );
}

#[test]
fn a_damaged_file_is_refused_and_a_torn_one_goes_on() {
    let directory = directory();
    let at = directory.path();
    let state = at.join("state");
    out(
        at,
        STATE,
        "for i in 1 2 3 4 5 6; do zfs create tank/$i; done",
    );
    let bytes = fs::read(&state).expect("read");
    let names = |cut| {
        fs::write(&state, &bytes[..cut]).expect("written");
        out(at, &["--state", "state"], "zfs list -H -o name")
    };
    let whole = names(bytes.len());
    assert_eq!(whole.lines().count(), 7);
    for cut in (200..bytes.len()).step_by(97) {
        assert!(whole.starts_with(&names(cut)), "cut at {cut}");
    }
    assert_eq!(names(bytes.len() - 1), whole.replace("tank/6\n", ""));
    for at_byte in [0, 30, 100, bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at_byte] ^= 4;
        fs::write(&state, &damaged).expect("written");
        let (code, out, err) = sim(at, &["--state", "state"], "echo runs");
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(
            err.starts_with("ztwin sim: ") && err.contains("state"),
            "{err}"
        );
        assert_eq!(fs::read(&state).expect("read"), damaged);
    }
    let mut all = String::new();
    for (what, content) in [
        ("notes", b"my notes\n".to_vec()),
        ("format", b"ztwin sim state 9\n".to_vec()),
        ("flipped", {
            let mut bytes = bytes.clone();
            let last = bytes.len() - 30;
            bytes[last] ^= 1;
            bytes
        }),
    ] {
        fs::write(&state, content).expect("written");
        all = all + what + ": " + &sim(at, &["--state", "state"], "echo runs").2;
    }
    insta::assert_snapshot!(all, @r#"
    notes: ztwin sim: state is no state file of 'ztwin sim'; name another for --state
    format: ztwin sim: the state file state has another format than 'ztwin sim state 2'; use the ztwin that wrote it, or name another file for --state
    flipped: ztwin sim: the state file state is damaged at byte 921: the sum of a record is wrong; 'truncate -s 921' on a copy keeps what stands in front of it
    "#);
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let directory = directory();
    let (code, _, err) = sim(directory.path(), &["--state", "no/such/state"], "true");
    assert_eq!(code, 2);
    assert!(
        err.contains("cannot open the state file no/such/state"),
        "{err}"
    );
    let (code, _, err) = sim(directory.path(), &["--state", "/dev/null"], "true");
    assert_eq!(
        (code, err.as_str()),
        (
            2,
            "ztwin sim: /dev/null is no regular file; name another for --state\n"
        )
    );
    assert_eq!(names(directory.path()), [""; 0]);
}

/// How many times the server is killed: `ZTWIN_SIM_KILLS`, or few.
fn kills() -> u64 {
    std::env::var("ZTWIN_SIM_KILLS").map_or(20, |kills| kills.parse().expect("a number"))
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let directory = directory();
    let at = directory.path();
    let mut told: Vec<String> = Vec::new();
    for round in 0..kills() {
        if round % 50 == 0 {
            // Each run repeats all that was before.
            told.clear();
            let _ = fs::remove_file(at.join("state"));
        }
        let script = format!(
            "i=0; while zfs create tank/{round}-$i; do echo tank/{round}-$i; i=$((i+1)); done"
        );
        let mut run = command(at, STATE);
        run.args(["--", "sh", "-c", &script]);
        let mut run = run
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("runs");
        let mut lines = BufReader::new(run.stdout.take().expect("piped")).lines();
        told.push(lines.next().expect("a line").expect("UTF-8"));
        std::thread::sleep(Duration::from_micros(round * 7919 % 20_000));
        run.kill().expect("killed");
        run.wait().expect("ended");
        told.extend(lines.map(|line| line.expect("UTF-8")));
        check(at, &told, round % 50 + 1);
    }
}

/// Everything that was told is there, and at most one thing a round that was not.
fn check(at: &Path, told: &[String], rounds: u64) {
    let mut run = Command::new(env!("CARGO_BIN_EXE_ztwin"));
    run.args([
        "sim", "--sbin", "never", "--state", "state", "--", "zfs", "list", "-H", "-o", "name",
        "-d", "1", "tank",
    ]);
    let output = run
        .current_dir(at)
        .env("TMPDIR", at)
        .output()
        .expect("runs");
    let there = String::from_utf8(output.stdout).expect("UTF-8");
    let there: std::collections::BTreeSet<&str> = there.lines().collect();
    for name in told {
        assert!(there.contains(name.as_str()), "{name} is lost");
    }
    let extra = there.len() - 1 - told.len();
    assert!(extra as u64 <= rounds, "{extra} more than was told");
}
