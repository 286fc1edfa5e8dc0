//! `ztwin sim` and programs that call `/sbin/zfs` by its path.

mod common {
    pub mod sim;
}

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use common::sim::{Told, directory, names, told};

/// Somebody who is neither root nor anybody else.
const USER: &str = "12345";

/// Whether this process is root's.
fn root() -> bool {
    fs::metadata("/proc/self").expect("there").uid() == 0
}

/// `ztwin sim --pool tank=1G ARGS -- sh -c SCRIPT`, as root or as who can be had instead.
fn sim(at: &Path, user: bool, args: &[&str], script: &str) -> Output {
    // For a user, who may not reach the build directory.
    let program = at.join("ztwin");
    if !program.exists() {
        // Not by this process: a child forked meanwhile would keep it open for writing, and it could not run.
        let mut copied = Command::new("cp");
        copied.arg(env!("CARGO_BIN_EXE_ztwin")).arg(&program);
        assert!(copied.status().expect("runs").success());
        fs::set_permissions(at, fs::Permissions::from_mode(0o777)).expect("opened");
    }
    let mut command = if user && root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "--"]);
        command.arg(program);
        command
    } else {
        Command::new(program)
    };
    command.args(["sim", "--pool", "tank=1G"]).args(args);
    command.args(["--", "sh", "-c", script]);
    command.current_dir(at).env("TMPDIR", at);
    command.output().expect("runs")
}

/// As [`sim`], for root and for a user; not where there are no namespaces.
fn both(at: &Path, script: &str) -> Vec<Told> {
    let mut all = Vec::new();
    for user in [false, true] {
        let here = told(&sim(at, user, &["--sbin", "always"], "true"));
        if here.0 == 0 {
            all.push(told(&sim(at, user, &[], script)));
        } else {
            // `.ci/run` has a step that does not skip it.
            assert!(here.2.starts_with("ztwin sim: --sbin always: cannot "));
            eprintln!("skipped: {}", here.2);
        }
    }
    all
}

#[test]
fn a_program_is_found_by_its_path_and_the_host_does_not_see_it() {
    let directory = directory();
    let before = names(Path::new("/usr/sbin"));
    let script = "
        /sbin/zfs create tank/a; env -i /usr/sbin/zfs list -H -o name; /sbin/zpool list -H -o name
        env -i PATH=/usr/sbin zfs list -H -o name
        LC_ALL=C ls -A /usr/sbin
    ";
    // What was there is there still, and nothing else came.
    let programs = ["zfs", "zpool"].map(str::to_owned);
    let mut inside: Vec<String> = before.iter().chain(&programs).cloned().collect();
    inside.sort_unstable();
    inside.dedup();
    let expected = format!("tank\ntank/a\ntank\ntank\ntank/a\n{}\n", inside.join("\n"));
    for told in both(directory.path(), script) {
        assert_eq!(told, (0, expected.clone(), String::new()));
    }
    assert_eq!(names(Path::new("/usr/sbin")), before);
    assert_eq!(names(directory.path()), ["ztwin"]);
}

#[test]
fn the_command_is_who_and_where_it_was() {
    let directory = directory();
    let script = "id -u; id -g; pwd -P; grep CapEff /proc/self/status; umask";
    for (told, user) in both(directory.path(), script).iter().zip([false, true]) {
        let mut plain = sim(directory.path(), user, &["--sbin", "never"], script);
        assert!(plain.stderr.is_empty());
        plain.status = std::process::ExitStatus::default();
        assert_eq!(*told, common::sim::told(&plain));
    }
    let script = "touch mine; stat -c %u:%g mine; rm mine";
    for told in both(directory.path(), script) {
        let mine = ["0:0\n".to_owned(), format!("{USER}:{USER}\n")];
        assert!(!root() || mine.contains(&told.1), "{told:?}");
    }
}

#[test]
fn without_namespaces_it_is_told_and_the_path_works() {
    let directory = directory();
    let at = directory.path();
    sim(at, false, &["--sbin", "never"], "true");
    let program = at.join("ztwin").display().to_string();
    // A user namespace that allows no mount namespaces.
    let run = |when: &str| {
        let script = format!(
            "echo 0 > /proc/sys/user/max_mnt_namespaces && exec {program} sim --sbin {when} \
             --pool tank=1G -- zfs list -H -o name"
        );
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", &script]);
        told(&command.env("TMPDIR", at).output().expect("runs"))
    };
    let (code, out, err) = run("never");
    if !err.is_empty() {
        eprintln!("skipped: {err}");
        return;
    }
    assert_eq!((code, out.as_str()), (0, "tank\n"));
    let (code, out, err) = run("auto");
    assert_eq!((code, out.as_str()), (0, "tank\n"));
    let why = "cannot get a mount namespace: No space left on device (os error 28)";
    let expected = format!("ztwin sim: warning: {why}, so programs that call /");
    assert!(err.starts_with(&expected), "{err}");
    assert_eq!(err.lines().count(), 1);
    let (code, out, err) = run("always");
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(err, format!("ztwin sim: --sbin always: {why}\n"));
}
