//! `ztwin sim`: a session feels like ZFS, nothing real is touched, and nothing stays behind.

#![allow(
    clippy::format_push_string,
    reason = "texts of tests are short, and read better in one expression"
)]

mod common {
    pub mod sim;
}

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use common::sim::{command, directory, names, out, sim, told};

const TANK: &[&str] = &["--pool", "tank=10G"];

#[test]
fn a_session_feels_like_zfs() {
    let directory = directory();
    let script = "
        exec 2>&1
        zfs create tank/base && zfs snapshot tank/base@s && zfs clone tank/base@s tank/app
        zfs list -H -o name,origin -r tank
        zfs destroy tank/base@s || echo \"[$?]\"
        zfs destroy -d tank/base@s && zfs get -H -o value defer_destroy tank/base@s
        zfs destroy tank/app && zfs list -t snapshot -H -o name
        echo tank | xargs -n1 zfs get mountpoint
        zfs get -H -o value mounted tank/base
        zpool list -H -o name,health
        zpool destroy tank && zpool list
    ";
    let told = out(directory.path(), TANK, script);
    insta::assert_snapshot!(told, @r#"
    tank	-
    tank/app	tank/base@s
    tank/base	-
    cannot destroy 'tank/base@s': snapshot has dependent clones
    use '-R' to destroy the following datasets:
    tank/app
    [1]
    on
    NAME  PROPERTY    VALUE       SOURCE
    tank  mountpoint  /tank       default
    yes
    tank	ONLINE
    no pools available
    "#);
}

#[test]
fn each_release_has_its_own_words() {
    let directory = directory();
    let script =
        "zfs create tank/a; zfs snapshot tank/a@s; zfs hold k tank/a@s; zfs destroy tank/a@s";
    for (release, text) in [
        ("2.1", "dataset is busy"),
        (
            "2.3",
            "it's being held. Run 'zfs holds -r tank/a@s' to see holders.",
        ),
        (
            "2.4",
            "it's being held. Run 'zfs holds -r tank/a@s' to see holders.",
        ),
    ] {
        let args = [TANK, &["--openzfs", release]].concat();
        let expected = format!("cannot destroy snapshot tank/a@s: {text}\n");
        assert_eq!(
            sim(directory.path(), &args, script),
            (1, String::new(), expected)
        );
    }
}

#[test]
fn values_that_a_pool_would_draw_are_those_of_the_machine() {
    let directory = directory();
    let script = "
        zfs create tank/a; zfs create tank/b; zfs snapshot tank/a@s; zfs hold k tank/a@s
        zfs get -H guid,createtxg,creation,objsetid tank/a
        zfs get -Hp guid,creation tank/a@s
        zfs holds tank/a@s; zfs holds -Hp tank/a@s
        zpool get -H -o value guid tank
        zfs list -H -o name -s creation -r tank
    ";
    let steps = [TANK, &["--clock", "steps"]].concat();
    let first = out(directory.path(), &steps, script);
    insta::assert_snapshot!(first, @r#"
    tank/a	guid	2	-
    tank/a	createtxg	4	-
    tank/a	creation	Thu Jan  1  0:00 2026	-
    tank/a	objsetid	2	-
    tank/a@s	guid	4	-
    tank/a@s	creation	1767225604	-
    NAME      TAG  TIMESTAMP
    tank/a@s  k  Thu Jan  1 00:00 2026
    tank/a@s	k	1767225605
    1
    tank
    tank/a
    tank/b
    "#);
    assert_eq!(out(directory.path(), &steps, script), first);
}

/// Tools that keep snapshots by their age compare with the time of day.
#[test]
fn the_clock_shows_the_time_of_day() {
    let directory = directory();
    let script = "
        date +%s; zfs snapshot tank@s; date +%s
        zfs get -Hp -o value creation tank@s
    ";
    let told = out(directory.path(), TANK, script);
    let times: Vec<u64> = told.lines().map(|it| it.parse().unwrap()).collect();
    let [before, after, creation] = times[..] else {
        panic!("{told}");
    };
    // The machine's clock knows no time before its epoch.
    let epoch = 1_767_225_600;
    assert!(
        (before.max(epoch)..=after.max(epoch)).contains(&creation),
        "{told}"
    );
}

#[test]
fn a_space_figure_is_never_invented() {
    let directory = directory();
    for script in [
        "zfs list",
        "zfs list -Hp -o name,used tank",
        "zfs get -H used tank",
        "zfs get available tank",
        "zpool list",
        "zpool get -Hp size,free tank",
    ] {
        let script = format!("zfs snapshot tank@s; {script}");
        let args = [TANK, &["--exact-space"]].concat();
        let (code, out, err) = sim(directory.path(), &args, &script);
        let expected = "ztwin: not modelled: space figures\n\
             ztwin: 'ztwin sim' without --exact-space prints an estimate\n";
        assert_eq!(
            (code, out.as_str(), err.as_str()),
            (4, "", expected),
            "{script}"
        );
        let (code, out, err) = sim(directory.path(), TANK, &script);
        let told = "ztwin sim: 1 call printed figures of space that are estimates, such as what the whole pool \
                    takes; --exact-space refuses them\n";
        assert_eq!((code, err.as_str()), (0, told), "{script}");
        assert!(!out.is_empty() && !out.contains('<'), "{script}: {out}");
    }
}

#[test]
fn what_is_known_of_space_is_told() {
    let directory = directory();
    let script = "
        zfs create tank/a; zfs snapshot tank/a@s; zfs clone tank/a@s tank/b
        zfs list -H -o name,used,written tank/b; zfs get -Hpo value written@s tank/a
        zfs snapshot tank@s; zfs destroy -nv tank@s; zpool get -Hpo value size tank
    ";
    let args = [TANK, &["--exact-space"]].concat();
    insta::assert_snapshot!(out(directory.path(), &args, script), @r#"
    tank/b	0B	0
    0
    would destroy tank@s
    would reclaim 0B
    10200547328
    "#);
}

#[test]
fn a_stream_is_empty_or_none_and_refused_all_the_same() {
    let directory = directory();
    let script = "zfs snapshot tank@s; zfs send tank@s > stream; echo $?; wc -c < stream";
    let (code, out, err) = sim(directory.path(), TANK, script);
    let expected =
        "ztwin: not modelled: streams\nztwin: 'ztwin sim --empty-streams' writes empty ones\n";
    assert_eq!((code, out.as_str(), err.as_str()), (0, "4\n0\n", expected));
    let args = [TANK, &["--empty-streams"]].concat();
    assert_eq!(self::out(directory.path(), &args, script), "0\n0\n");
    let (code, _, err) = sim(directory.path(), &args, "zfs send tank@none");
    let expected = "cannot open 'tank@none': dataset does not exist\n";
    assert_eq!((code, err.as_str()), (1, expected));
}

#[test]
fn estimates_look_like_figures() {
    let directory = directory();
    let script = "
        zfs create -o quota=1G tank/a; zfs snapshot tank/a@s; zfs clone tank/a@s tank/b
        zfs list -t all; zfs list -Hp -o name,used,available,referenced,usedbychildren,compressratio
        zpool list; zpool list -Hp
        zfs get -Ho value written@s tank/a; zfs get -Hpo value written@s,written@tank/a@s tank/a
        zpool get -Ho property,value feature@extensible_dataset,feature@large_blocks tank
        zpool get all tank >/dev/null; zpool status >/dev/null
    ";
    insta::assert_snapshot!(out(directory.path(), TANK, script), @r#"
    NAME       USED  AVAIL  REFER  MOUNTPOINT
    tank        62K  9.20G    23K  /tank
    tank/a      23K  1024M    23K  /tank/a
    tank/a@s     0B      -    23K  -
    tank/b       0B  9.20G    23K  /tank/b
    tank	63488	9881716736	23552	39936	1.00
    tank/a	23552	1073718272	23552	0	1.00
    tank/b	0	9881716736	23552	0	1.00
    NAME   SIZE  ALLOC   FREE  CKPOINT  EXPANDSZ   FRAG    CAP  DEDUP    HEALTH  ALTROOT
    tank  9.50G    62K  9.50G        -         -     0%     0%  1.00x    ONLINE  -
    tank	10200547328	63488	10200483840	-	-	0	0	1.00	ONLINE	-
    0B
    0
    0
    feature@extensible_dataset	active
    feature@large_blocks	enabled
    "#);
}

#[test]
fn a_scrub_is_done_at_the_next_call() {
    let directory = directory();
    let args = [TANK, &["--clock", "steps", "--state", "kept"]].concat();
    let script = "zpool scrub tank; zpool status | grep scan:; zpool checkpoint tank; zpool checkpoint -d tank";
    let line = "  scan: scrub repaired 0B in 00:00:01 with 0 errors on Thu Jan  1 00:00:03 2026\n";
    assert_eq!(out(directory.path(), &args, script), line);
    let script = "zpool status | grep scan:; zpool get -Hpo value checkpoint";
    assert_eq!(out(directory.path(), &args, script), format!("{line}-\n"));
}

#[test]
fn json_has_values_and_no_markers() {
    let directory = directory();
    let script = "
        zfs create -o a:b=1 -o c:d=2 tank/a; zfs create tank/b
        zfs get -j --json-int all tank/a; zfs list -j -o name -S creation; zfs mount -j
    ";
    let printed = out(directory.path(), TANK, script);
    let lines: Vec<serde_json::Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let [got, listed, mounted] = &lines[..] else {
        panic!("{printed}");
    };
    let properties = &got["datasets"]["tank/a"]["properties"];
    for (name, value) in [("a:b", 1), ("c:d", 2), ("recordsize", 131_072)] {
        assert_eq!(properties[name]["value"], value, "{name}");
    }
    assert!(properties["creation"]["value"].is_u64(), "{properties}");
    assert!(
        listed["datasets"]["tank/b"]["createtxg"].is_string(),
        "{listed}"
    );
    assert_eq!(mounted["datasets"]["tank/a"]["mountpoint"], "/tank/a");
}

#[test]
fn vdev_files_have_any_name_and_are_never_written() {
    let directory = directory();
    let at = directory.path().join("some where");
    fs::create_dir(&at).expect("made");
    let vdev = at.join("my disk.img");
    File::create(&vdev)
        .and_then(|file| file.set_len(100 << 20))
        .expect("made");
    File::create(at.join("small"))
        .and_then(|file| file.set_len(1 << 20))
        .expect("made");
    fs::write(at.join("grows"), "").expect("made");
    symlink(&vdev, at.join("link")).expect("made");
    let before = fs::metadata(&vdev)
        .expect("there")
        .modified()
        .expect("a time");
    let script = r#"
        cd 'some where'; exec 2>&1; at=$PWD
        zpool create tank "$at/my disk.img"; echo "[$?]"
        zpool create other "$at/my disk.img"; echo "[$?]"
        zpool create other "$at/none"; echo "[$?]"
        zpool create other small; echo "[$?]"
        zpool create other "$at/small"; echo "[$?]"
        zpool create other "$at"; echo "[$?]"
        zpool create other "$at/grows"; echo "[$?]"
        truncate -s 1G "$at/grows"; zpool create other "$at/grows"; echo "[$?]"
        zpool destroy other; rm "$at/grows"; zpool create other "$at/grows"; echo "[$?]"
        zpool destroy tank; zpool create tank "$at/link"; echo "[$?]"
        zpool create -fm "$at" mounted "$at/small"; echo "[$?]"
        truncate -s 1G "$at/more"; zpool add -n tank "$at/more"; echo "[$?]"
        zpool labelclear "$at/more"; echo "[$?]"
        zfs list -H -o name
    "#;
    let told =
        out(directory.path(), &[], script).replace(&*directory.path().to_string_lossy(), "DIR");
    insta::assert_snapshot!(told, @r#"
    [0]
    invalid vdev specification
    use '-f' to override the following errors:
    DIR/some where/my disk.img is part of active pool 'tank'
    [1]
    cannot resolve path 'DIR/some where/none'
    [1]
    cannot open 'small': no such device in /dev
    must be a full path or shorthand device name
    [1]
    cannot create 'other': one or more devices is less than the minimum size (64M)
    [1]
    ztwin: not modelled: DIR/some where, which is no regular file
    [4]
    cannot create 'other': one or more devices is less than the minimum size (64M)
    [1]
    [0]
    cannot resolve path 'DIR/some where/grows'
    [1]
    [0]
    mountpoint 'DIR/some where' exists and is not empty
    use '-m' option to provide a different default
    [1]
    would update 'tank' to the following configuration:

    	tank
    	  DIR/some where/link
    	  DIR/some where/more
    [0]
    failed to clear label for DIR/some where/more
    [255]
    tank
    "#);
    let after = fs::metadata(&vdev).expect("there");
    assert_eq!(after.modified().expect("a time"), before);
    let mut bytes = fs::read(&vdev).expect("read");
    bytes.retain(|&byte| byte != 0);
    assert!(bytes.is_empty());
}

#[test]
fn the_exit_code_is_the_commands() {
    let directory = directory();
    let code = |script| sim(directory.path(), &[], script).0;
    assert_eq!(
        [
            code("true"),
            code("exit 7"),
            code("kill -9 $$"),
            code("kill $$")
        ],
        [0, 7, 137, 143]
    );
    let mut missing = command(directory.path(), &["--", "/no/such/program"]);
    let (code, out, err) = told(&missing.output().expect("runs"));
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("cannot run /no/such/program"), "{err}");
    assert_eq!(names(directory.path()), [""; 0]);
}

#[test]
fn wrong_use_says_what_to_do() {
    let directory = directory();
    let mut all = String::new();
    for args in [
        &["--pool", "tank"][..],
        &["--pool", "tank=big"],
        &["--pool", "tank=1M"],
        &["--pool", "9=1G"],
        &["--pool", "tank=1G", "--pool", "tank=2G"],
        &["--openzfs", "2.2"],
    ] {
        let (code, out, err) = sim(directory.path(), args, "true");
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        all.push_str(&format!("$ ztwin sim {}\n{err}\n", args.join(" ")));
    }
    insta::assert_snapshot!(all, @r#"
    $ ztwin sim --pool tank
    error: invalid value 'tank' for '--pool <NAME=SIZE>': expected NAME=SIZE, such as tank=10G

    For more information, try '--help'.

    $ ztwin sim --pool tank=big
    error: invalid value 'tank=big' for '--pool <NAME=SIZE>': 'big' is no size; expected one such as 10G

    For more information, try '--help'.

    $ ztwin sim --pool tank=1M
    ztwin sim: --pool tank: cannot create 'tank': one or more devices is less than the minimum size (64M)

    $ ztwin sim --pool 9=1G
    ztwin sim: --pool 9: cannot create '9': name must begin with a letter
    pool name may have been omitted

    $ ztwin sim --pool tank=1G --pool tank=2G
    ztwin sim: --pool tank is given twice

    $ ztwin sim --openzfs 2.2
    error: invalid value '2.2' for '--openzfs <LINE>': name one of the releases that are modelled: 2.1, 2.3, 2.4

    For more information, try '--help'.
    "#);
}

#[test]
fn signals_reach_the_command_and_nothing_stays_behind() {
    let directory = directory();
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let mut command = command(directory.path(), &["--pool", "tank=1G", "--"]);
        command.args(["sh", "-c", "zfs list -H -o name; exec sleep 1000"]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("runs");
        let mut line = String::new();
        let mut read = std::io::BufReader::new(child.stdout.take().expect("piped"));
        std::io::BufRead::read_line(&mut read, &mut line).expect("a line");
        // `exec` has begun by then, or will see the signal as the shell.
        let kill = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status();
        assert!(kill.expect("kill runs").success());
        assert_eq!(child.wait().expect("ends").code(), Some(code), "{signal}");
        assert_eq!(names(directory.path()), [""; 0]);
    }
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next_one() {
    let directory = directory();
    let mut left = command(directory.path(), &["--"]);
    left.args(["sh", "-c", "echo $$; exec sleep 1000"]);
    let mut left = left.stdout(Stdio::piped()).spawn().expect("runs");
    let mut line = String::new();
    let mut read = std::io::BufReader::new(left.stdout.take().expect("piped"));
    std::io::BufRead::read_line(&mut read, &mut line).expect("a line");
    // One that lives stays.
    out(directory.path(), &[], "true");
    assert_eq!(names(directory.path()).len(), 1);
    left.kill().expect("killed");
    left.wait().expect("ended");
    let child = Command::new("kill").arg(line.trim()).status();
    assert!(child.expect("kill runs").success());
    assert_eq!(names(directory.path()).len(), 1);
    // What is not ours stays too.
    fs::create_dir(directory.path().join("ztwin-sim-of-mine")).expect("made");
    out(directory.path(), &[], "true");
    assert_eq!(names(directory.path()), ["ztwin-sim-of-mine"]);
}

#[test]
fn a_program_finds_the_machine_without_environment() {
    let directory = directory();
    let script = "program=$(command -v zfs); env -i \"$program\" list -H -o name";
    assert_eq!(out(directory.path(), TANK, script), "tank\n");
}

#[test]
fn outside_of_a_machine_the_program_says_so() {
    let directory = directory();
    let program = directory.path().join("zfs");
    symlink(env!("CARGO_BIN_EXE_ztwin"), &program).expect("made");
    let output = Command::new(&program)
        .arg("list")
        .env_remove("ZTWIN_SIM")
        .output();
    let (code, out, err) = told(&output.expect("runs"));
    assert_eq!((code, out.as_str()), (3, ""));
    assert_eq!(
        err,
        "ztwin: this zfs is simulated, and works for what 'ztwin sim -- COMMAND' runs only\n"
    );
}

#[test]
fn a_program_that_outlives_the_machine_is_told() {
    let directory = directory();
    let copy = directory.path().join("zfs");
    symlink(env!("CARGO_BIN_EXE_ztwin"), &copy).expect("made");
    let late = directory.path().join("late");
    let script = format!(
        "cp $(command -v zfs) {0}; (sleep 1; ZTWIN_SIM=$ZTWIN_SIM {1} list) > late 2>&1 &",
        directory.path().join("copy").display(),
        copy.display()
    );
    assert_eq!(sim(directory.path(), &[], &script).0, 0);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let told = fs::read_to_string(late).expect("written");
    assert!(told.starts_with("ztwin: "), "{told}");
}
