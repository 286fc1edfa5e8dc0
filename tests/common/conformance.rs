//! What everything that can be driven has to do: one body for the model and for real pools.

use ztwin::pools::{Command, End, Pools, Printed};

fn command(line: &str) -> Command {
    let (process, line) = line.split_once("$ ").unwrap_or(("", line));
    let (line, output) = match line.split_once(" > @") {
        Some((line, name)) => (line, Some(name.to_owned())),
        None => (line, None),
    };
    let (line, input) = match line.split_once(" < @") {
        Some((line, name)) => (line, Some(name.to_owned())),
        None => (line, None),
    };
    Command {
        process: process.to_owned(),
        words: line.split(' ').map(str::to_owned).collect(),
        input,
        output,
    }
}

/// Plays lines; each outcome comes once, in order.
fn play(pools: &mut dyn Pools, lines: &[&str]) -> Vec<Printed> {
    let commands: Vec<Command> = lines.iter().map(|line| command(line)).collect();
    let mut outcomes = Vec::new();
    pools
        .play(&commands, &mut |index, printed| {
            assert_eq!(index, outcomes.len(), "outcomes come in order");
            outcomes.push(printed);
        })
        .expect("the pool can be had");
    assert_eq!(outcomes.len(), lines.len(), "every step has an outcome");
    outcomes
}

fn out(printed: &Printed) -> String {
    assert_eq!(printed.end, End::Exit(0), "{printed:?}");
    assert_eq!(printed.err, b"", "{printed:?}");
    String::from_utf8(printed.out.clone()).expect("UTF-8")
}

fn refused(printed: &Printed, code: u8) -> String {
    assert_eq!(printed.end, End::Exit(code), "{printed:?}");
    assert_eq!(printed.out, b"", "{printed:?}");
    String::from_utf8(printed.err.clone()).expect("UTF-8")
}

const POOL: [&str; 2] = ["vdev /v/a 1G", "zpool create -O atime=off tank /v/a"];

/// Asserts all of it.
pub fn conforms(pools: &mut dyn Pools) {
    assert_eq!(
        ztwin_model::Release::of_version(&pools.version()),
        Some(pools.release()),
        "the version is one of the release's"
    );
    starts_fresh(pools);
    keeps_streams(pools);
    tells_processes_apart(pools);
    refuses_without_effect(pools);
    shows_its_state(pools);
}

/// What one trace makes is gone in the next: pools, files and handles.
fn starts_fresh(pools: &mut dyn Pools) {
    for _ in 0..2 {
        let [vdev, pool] = POOL;
        let printed = play(
            pools,
            &[
                "zpool list -H -o name",
                vdev,
                pool,
                "zfs create -o mountpoint=/mnt/elsewhere tank/a",
                "zfs set canmount=off tank",
                "write tank/a:/f 0 10 data=text:1",
                "open h tank/a:/f rw",
                "zpool list -H -o name",
            ],
        );
        assert_eq!(out(&printed[0]), "");
        assert!(printed[1..7].iter().all(|step| out(step).is_empty()));
        assert_eq!(out(&printed[7]), "tank\n");
    }
    assert_eq!(refused(&play(pools, &["read h 0 1"])[0], 1), "EBADF\n");
}

fn keeps_streams(pools: &mut dyn Pools) {
    let [vdev, pool] = POOL;
    let printed = play(
        pools,
        &[
            vdev,
            pool,
            "zfs list -H -o name > @names",
            "zfs list -H -o name < @names",
            "zfs list -H -o name < @nothing",
        ],
    );
    assert_eq!(out(&printed[2]), "", "the stream is kept, not shown");
    assert_eq!(out(&printed[3]), "tank\n");
    assert!(refused(&printed[4], 2).starts_with("ztwin: "));
    let printed = play(pools, &["zpool list < @names"]);
    assert!(
        refused(&printed[0], 2).starts_with("ztwin: "),
        "no stream outlives its trace"
    );
}

fn tells_processes_apart(pools: &mut dyn Pools) {
    let [vdev, pool] = POOL;
    let printed = play(
        pools,
        &[
            vdev,
            pool,
            "write tank:/f 0 10 data=text:1",
            "p2$ open h tank:/f",
            "read h 0 10",
            "p2$ read h 0 10",
            "unlink tank:/f",
            "p2$ read h 0 10",
            "p2$ close h",
            "p2$ close h",
        ],
    );
    assert_eq!(refused(&printed[4], 1), "EBADF\n");
    let read = out(&printed[5]);
    assert!(read.starts_with("10 blake3:"), "{read}");
    assert_eq!(out(&printed[7]), read, "an open file outlives its name");
    assert_eq!(refused(&printed[9], 1), "EBADF\n");
}

fn refuses_without_effect(pools: &mut dyn Pools) {
    let [vdev, pool] = POOL;
    let printed = play(
        pools,
        &[
            vdev,
            pool,
            "zfs create tank/a",
            "zfs snapshot tank/a@s",
            "zfs clone tank/a@s tank/b",
            "state -v",
            "zfs create tank/a",
            "zfs destroy tank/a@s",
            "zfs rename tank/a tank/a/below",
            "rmdir tank/a:/nope",
            "mkdir tank/a@s:/d",
            "no-such-verb",
            "mkdir",
            "vdev /v/a 1G",
            "zpool create other /v/nope",
            "state -v",
        ],
    );
    let codes = [1, 1, 1, 1, 1, 2, 2, 1, 1];
    for (step, code) in printed[6..15].iter().zip(codes) {
        assert_ne!(refused(step, code), "");
    }
    assert_eq!(refused(&printed[9], 1), "ENOENT\n");
    assert_eq!(refused(&printed[10], 1), "EROFS\n");
    assert_eq!(out(&printed[5]), out(&printed[15]));
}

fn shows_its_state(pools: &mut dyn Pools) {
    let [vdev, pool] = POOL;
    let printed = play(
        pools,
        &[
            vdev,
            pool,
            "zfs create -o mountpoint=legacy tank/a",
            "mount tank/a /mnt/a",
            "mkdir tank/a:/d",
            "symlink d tank/a:/l",
            "zfs snapshot tank/a@s",
            "zfs hold keep tank/a@s",
            "state -v",
        ],
    );
    let expected = "\
tank filesystem origin=- mounted=/tank
  atime=off local
  d 0755 2 0:0 2 /
tank/a filesystem origin=- mounted=/mnt/a
  mountpoint=legacy local
  atime=off inherited from tank
  d 0755 3 0:0 4 /
  d 0755 2 0:0 2 /d
  l 0777 1 0:0 1 /l -> d
tank/a@s snapshot origin=- userrefs=1
  d 0755 3 0:0 4 /
  d 0755 2 0:0 2 /d
  l 0777 1 0:0 1 /l -> d
";
    assert_eq!(out(&printed[8]), expected);
}
