//! A guest with real OpenZFS: it plays traces, runs programs, and fails in every way that a guest can.
//!
//! Compiled with the feature `real-pool` only; `ZTWIN_REAL_POOL=vm:NAME` says which image. One guest is
//! up at a time: the tests take turns.
#![cfg(feature = "real-pool")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use ztwin::guest::boot::{Guest, Options};
use ztwin::guest::image::{Cache, Spec};
use ztwin::guest::wire::{Job, Stream};
use ztwin::pools::{Blobs, Command, End, GuestPools, Pools, Printed};

#[path = "common/conformance.rs"]
mod conformance;

static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pool() -> String {
    std::env::var("ZTWIN_REAL_POOL").expect("set ZTWIN_REAL_POOL=vm:NAME")
}

fn spec() -> Spec {
    pool()
        .strip_prefix("vm:")
        .expect("ZTWIN_REAL_POOL=vm:NAME")
        .parse()
        .unwrap()
}

fn options() -> Options {
    Options::new(
        Cache::of_user().unwrap(),
        PathBuf::from(env!("CARGO_BIN_EXE_ztwin")),
    )
}

/// Pools in a new guest, and what it tells people.
fn pools(options: Options) -> (GuestPools, Arc<Mutex<Vec<String>>>) {
    let notices = Arc::new(Mutex::new(Vec::new()));
    let said = Arc::clone(&notices);
    let notice = Box::new(move |text: &str| said.lock().unwrap().push(text.to_owned()));
    (
        GuestPools::start(&spec(), options, Blobs::default(), notice).unwrap(),
        notices,
    )
}

fn steps(lines: &[&str]) -> Vec<Command> {
    lines
        .iter()
        .map(|line| Command {
            words: line.split(' ').map(str::to_owned).collect(),
            ..Command::default()
        })
        .collect()
}

fn play(pools: &mut GuestPools, lines: &[&str]) -> Vec<Printed> {
    let mut outcomes = Vec::new();
    pools
        .play(&steps(lines), &mut |index, printed| {
            assert_eq!(index, outcomes.len());
            outcomes.push(printed);
        })
        .unwrap();
    outcomes
}

/// Runs a script and gives its exit code and standard output.
fn output(guest: &mut Guest, script: &str) -> (u8, String) {
    let mut text = Vec::new();
    let mut take = |stream, bytes: &[u8]| {
        if stream == Stream::Out {
            text.extend_from_slice(bytes);
        }
    };
    let argv = vec!["sh".into(), "-c".into(), script.into()];
    let code = guest
        .run(
            &Job {
                argv,
                ..Job::default()
            },
            None,
            &mut take,
            None,
        )
        .unwrap();
    (code, String::from_utf8(text).unwrap())
}

/// Runs a script in the guest some time from now, beside whatever else it does.
fn later(pools: &mut GuestPools, script: &str) {
    let (code, _) = output(
        pools.guest().unwrap(),
        &format!("(sleep 2; {script}) >/dev/null 2>&1 &"),
    );
    assert_eq!(code, 0);
}

const TRACE: [&str; 5] = [
    "vdev /v/a 1G",
    "zpool create tank /v/a",
    "zfs create tank/a",
    "zfs create tank/a",
    "zfs list -H -o name",
];

/// A trace that takes longer than what [`later`] does needs to happen.
fn long() -> Vec<&'static str> {
    let mut lines = TRACE.to_vec();
    lines.resize(1000, "zfs list");
    lines
}

fn assert_gone(pid: i32) {
    let pid = Pid::from_raw(pid).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while test_kill_process(pid).is_ok() {
        assert!(Instant::now() < deadline, "the guest is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_guest_plays_many_traces_and_runs_programs() {
    let _turn = turn();
    let (mut pools, notices) = pools(options());
    let introduction = notices.lock().unwrap().concat();
    assert!(
        introduction.contains(&format!("OpenZFS {}", pools.version())),
        "{introduction}"
    );
    assert!(introduction.contains("KVM") || introduction.contains("software emulation"));
    for _ in 0..2 {
        let outcomes = play(&mut pools, &TRACE);
        assert_eq!(outcomes.len(), 5);
        assert_eq!(outcomes[2], Printed::default());
        assert_eq!(outcomes[3].end, End::Exit(1));
        assert_eq!(
            outcomes[3].err,
            b"cannot create 'tank/a': dataset already exists\n"
        );
        assert_eq!(outcomes[4].out, b"tank\ntank/a\n");
    }

    let guest = pools.guest().unwrap();
    let (code, text) = output(
        guest,
        "cat /sys/module/zfs/parameters/zfs_txg_timeout; nproc; exit 7",
    );
    assert_eq!((code, text.as_str()), (7, "3600\n1\n"));
    assert_eq!(output(guest, "kill -9 $$").0, 137);

    // A file goes in, is changed, and comes back with its directory.
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    header.set_mode(0o640);
    tar.append_data(&mut header, "srv/in/a", &b"abc"[..])
        .unwrap();
    let put = tar.into_inner().unwrap();
    let job = Job {
        argv: ["sh", "-c", "tr a-z A-Z < /srv/in/a > /srv/in/b; echo $WORD"]
            .map(str::to_owned)
            .into(),
        env: vec![("WORD".into(), "said".into())],
        get: vec!["/srv/in".into(), "/not/there".into()],
        ..Job::default()
    };
    let (mut said, mut got) = (Vec::new(), Vec::new());
    let code = guest
        .run(
            &job,
            Some(&mut &put[..]),
            &mut |_, bytes| said.extend_from_slice(bytes),
            Some(&mut got),
        )
        .unwrap();
    assert_eq!((code, &said[..]), (0, &b"said\n"[..]));
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(&got[..]).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        files.insert(entry.path().unwrap().display().to_string(), content);
    }
    assert_eq!(files["srv/in/a"], "abc");
    assert_eq!(files["srv/in/b"], "ABC");
    assert_eq!(files.len(), 3, "{files:?}");

    // A program that is not there is an error of the agent's, and the guest goes on.
    let job = Job {
        argv: vec!["no-such-program".into()],
        ..Job::default()
    };
    let error = guest
        .run(&job, None, &mut |_, _| {}, None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("running no-such-program"), "{error}");
    assert_eq!(play(&mut pools, &TRACE[..2]).len(), 2);
}

#[test]
fn a_real_pool_conforms() {
    let _turn = turn();
    conformance::conforms(&mut pools(options()).0);
}

/// What `--pool kernel` does on a host with ZFS, tried in a guest that plays the host: files and loop
/// devices, somebody else's pool, and what a killed ztwin leaves behind.
#[test]
fn ztwin_drives_the_pools_of_the_kernel_that_it_runs_on() {
    const SETUP: &str = "\
        ztwin=/agent/ztwin\n\
        [ ! -e /agent/loader ] || ztwin='/agent/loader --library-path /agent /agent/ztwin'\n\
        left() { ls -A /root/.local/state/ztwin; zpool list -H -o name; losetup -a; ls -d /tank /mnt/z; }\n\
        export HOME=/root\n";
    let _turn = turn();
    let (mut pools, _) = pools(options());
    let guest = pools.guest().unwrap();
    let mut run = |script: &str| output(guest, &format!("{SETUP}{script}"));
    let steps = "\
        printf '  $ vdev /v/a 1G\\n  $ zpool create -m /mnt/z/tank tank /v/a\\n  $ zfs create tank/a\\n  \
        $ write tank/a:/f 0 10 data=text:1\\n  $ zpool list -v -H -P tank\\n' > /root/a.trace\n";
    for flag in ["", "--loop"] {
        let (code, text) = run(&format!(
            "{steps}$ztwin diff --pool kernel {flag} /root/a.trace 2>&1; code=$?; \
             echo end; left 2>&1; exit $code"
        ));
        assert_eq!(code, 0, "{text}");
        let (said, left) = text.split_once("end\n").unwrap();
        // The model shows the path that the trace gave, so the real pool did too.
        assert!(said.contains("1 traces, 6 steps: 0 divergences"), "{text}");
        assert!(
            !said.contains("/dev/loop") && !said.contains(".d/v/a"),
            "{text}"
        );
        assert_eq!(
            left.matches("No such file").count(),
            2,
            "nothing is left: {text}"
        );
        assert_eq!(left.lines().count(), 2, "nothing is left: {text}");
    }

    // The model does not know `zpool iostat`.
    let unknown = "echo '  $ zpool iostat tank' >> /root/a.trace; ";
    let (code, text) = run(&format!(
        "{unknown}$ztwin diff --pool kernel --json /root/a.trace"
    ));
    assert_eq!(code, 4, "{text}");
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["divergences"][0]["step"], 6);
    assert_eq!(document["divergences"][0]["not_modelled"], true);

    // Somebody else's pool of that name is not touched.
    let foreign = "truncate -s 1G /root/theirs; zpool create -m none tank /root/theirs\n";
    let (code, text) = run(&format!(
        "{foreign}$ztwin diff --pool kernel /root/a.trace 2>&1"
    ));
    assert_eq!(code, 3, "{text}");
    assert!(
        text.contains("a pool called 'tank' exists already"),
        "{text}"
    );
    assert_eq!(run("zpool list -H -o name; zpool destroy tank").1, "tank\n");

    // Killed in the middle, it leaves a pool; the next run removes it before it starts.
    for flag in ["", "--loop"] {
        let (_, text) = run(&format!(
            "for i in $(seq 500); do echo '  $ zfs list'; done >> /root/a.trace\n\
             $ztwin diff --pool kernel {flag} /root/a.trace >/dev/null 2>&1 &\n\
             for i in $(seq 600); do zfs list tank/a >/dev/null 2>&1 && break; sleep 0.1; done\n\
             kill -9 $!; wait; zpool list -H -o name\n\
             {steps}$ztwin diff --pool kernel /root/a.trace 2>&1 | tail -1; left 2>/dev/null"
        ));
        assert!(
            text.starts_with("tank\n"),
            "the killed one left its pool: {text}"
        );
        assert!(
            text.trim_end().ends_with(" 0 divergences"),
            "nothing is left: {text}"
        );
    }
}

#[test]
fn a_panic_is_an_outcome_and_the_run_goes_on() {
    let _turn = turn();
    let (mut pools, notices) = pools(options());
    let first = pools.guest().unwrap().process();
    later(&mut pools, "echo c > /proc/sysrq-trigger");
    let outcomes = play(&mut pools, &long());
    let last = outcomes.last().unwrap();
    assert_eq!(last.end, End::Panic);
    assert!(outcomes.len() < 1000 && outcomes[outcomes.len() - 2].end != End::Panic);
    let text = String::from_utf8_lossy(&last.err);
    assert!(text.contains("Kernel panic - not syncing"), "{text}");
    assert_gone(first);
    assert_eq!(play(&mut pools, &TRACE)[4].out, b"tank\ntank/a\n");
    assert_ne!(pools.guest().unwrap().process(), first);
    let said = notices.lock().unwrap().join("\n");
    assert!(said.contains("kernel panicked"), "{said}");
}

#[test]
fn a_guest_that_stops_beating_hangs_and_one_that_is_killed_is_reported() {
    let _turn = turn();
    let mut options = options();
    options.silence = Duration::from_secs(10);
    let (mut pools, _) = pools(options);
    let first = pools.guest().unwrap().process();
    later(&mut pools, "kill -STOP $PPID");
    let error = pools
        .play(&steps(&long()), &mut |_, _| {})
        .unwrap_err()
        .message;
    assert!(
        error.contains("hangs") && error.contains("no sign of life for 10 s"),
        "{error}"
    );
    assert_gone(first);

    let second = pools.guest().unwrap().process();
    assert_ne!(first, second);
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(2));
        kill_process(Pid::from_raw(second).unwrap(), Signal::KILL).unwrap();
    });
    let error = pools
        .play(&steps(&long()), &mut |_, _| {})
        .unwrap_err()
        .message;
    assert!(error.contains("QEMU ended with signal: 9"), "{error}");
    killer.join().unwrap();
    assert_gone(second);
}

#[test]
fn no_guest_outlives_ztwin() {
    let _turn = turn();
    let temp = tempfile::tempdir().unwrap();
    let trace = temp.path().join("a.trace");
    let lines: Vec<String> = long().iter().map(|line| format!("  $ {line}\n")).collect();
    fs::write(&trace, lines.concat()).unwrap();
    for (signals, code) in [
        (&[Signal::KILL][..], None),
        (&[Signal::INT, Signal::INT], Some(130)),
    ] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_ztwin"))
            .args(["diff", "--pool", &pool()])
            .arg(&trace)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        while !line.starts_with("guest ") {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "no guest came up");
        }
        let qemu = child_of(child.id());
        std::thread::sleep(Duration::from_secs(1));
        for &signal in signals {
            kill_process(Pid::from_child(&child), signal).unwrap();
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(child.wait().unwrap().code(), code);
        assert_gone(qemu);
    }
}

/// The process number of a child of that process.
fn child_of(parent: u32) -> i32 {
    for entry in fs::read_dir("/proc").unwrap() {
        let name = entry.unwrap().file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // After the name in brackets: state, parent.
        let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
        if after.split(' ').nth(1) == Some(&parent.to_string()) {
            return pid;
        }
    }
    panic!("process {parent} has no child");
}
