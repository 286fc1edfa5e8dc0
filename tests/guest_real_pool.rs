//! A real guest with real OpenZFS: boots, plays traces, runs programs, and each way in which it can
//! fail. Compiled with the feature `real-pool` only; `ZTWIN_REAL_POOL=vm:trixie` says which image.
//!
//! One guest is up at a time: the tests take turns.
#![cfg(feature = "real-pool")]

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ztwin::guest::boot::{Guest, Options};
use ztwin::guest::image::{Cache, Spec};
use ztwin::guest::wire::{Job, Stream};
use ztwin::pools::guest::GuestPools;
use ztwin::pools::{Blobs, Command, End, Pools, Printed};

static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spec() -> Spec {
    let pool = std::env::var("ZTWIN_REAL_POOL").expect("set ZTWIN_REAL_POOL=vm:NAME");
    pool.strip_prefix("vm:")
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

fn pools(options: Options) -> GuestPools {
    GuestPools::start(
        &spec(),
        options,
        Blobs::default(),
        Box::new(|text| eprintln!("{text}")),
    )
    .unwrap()
}

fn step(line: &str) -> Command {
    Command {
        words: line.split(' ').map(str::to_owned).collect(),
        ..Command::default()
    }
}

fn steps(lines: &[&str]) -> Vec<Command> {
    lines.iter().map(|line| step(line)).collect()
}

fn sh(script: &str) -> Job {
    Job {
        argv: vec!["sh".into(), "-c".into(), script.into()],
        ..Job::default()
    }
}

/// Runs a script and gives its standard output.
fn output(guest: &mut Guest, script: &str) -> (u8, String) {
    let mut text = Vec::new();
    let mut take = |stream, bytes: &[u8]| {
        if stream == Stream::Out {
            text.extend_from_slice(bytes);
        }
    };
    let code = guest.run(&sh(script), None, &mut take, None).unwrap();
    (code, String::from_utf8(text).unwrap())
}

#[test]
fn a_guest_plays_traces_and_runs_programs() {
    let _turn = turn();
    let mut pools = pools(options());
    let trace = steps(&[
        "vdev /v/a 1G",
        "zpool create tank /v/a",
        "zfs create tank/a",
        "zfs create tank/a",
        "zfs list -H -o name",
    ]);
    for round in 0..2 {
        let mut outcomes: Vec<(usize, Printed)> = Vec::new();
        pools
            .play(&trace, &mut |i, printed| outcomes.push((i, printed)))
            .unwrap();
        let indexes: Vec<_> = outcomes.iter().map(|(i, _)| *i).collect();
        assert_eq!(indexes, [0, 1, 2, 3, 4], "round {round}");
        assert_eq!(outcomes[2].1, Printed::default());
        assert_eq!(outcomes[3].1.end, End::Exit(1));
        assert_eq!(
            String::from_utf8_lossy(&outcomes[3].1.err),
            "cannot create 'tank/a': dataset already exists\n"
        );
        assert_eq!(outcomes[4].1.out, b"tank\ntank/a\n");
    }
    eprintln!("{}", pools.version());
    let guest = pools.guest().unwrap();
    eprintln!("{:?} {:?}", guest.hello(), guest.accel());
    let (_, text) = output(
        guest,
        "cat /sys/module/zfs/parameters/zfs_txg_timeout; nproc; mount; free -m; ps ax 2>&1; ls -la /agent; dmesg | tail -5",
    );
    eprintln!("{text}");
}
