//! `ztwin sim --fail`: the failures that drivers meet in the field, in ZFS's own words.

mod common {
    pub mod sim;
}

use common::sim::{directory, sim};

fn fail(failures: &[&str], script: &str) -> String {
    let directory = directory();
    let given = failures.iter().flat_map(|failure| ["--fail", failure]);
    let args: Vec<&str> = ["--pool", "tank=10G"].into_iter().chain(given).collect();
    let (_, out, err) = sim(directory.path(), &args, &format!("exec 2>&1\n{script}"));
    assert_eq!(err, "");
    out
}

#[test]
fn it_fails_as_often_as_asked_and_then_succeeds() {
    let told = fail(
        &["destroy tank/a: EBUSY x3"],
        "zfs create tank/a; zfs create tank/b; zfs destroy tank/b
        for i in 1 2 3 4 5; do zfs destroy tank/a; echo \"[$?]\"; done",
    );
    insta::assert_snapshot!(told, @r#"
    cannot destroy 'tank/a': dataset is busy
    [1]
    cannot destroy 'tank/a': dataset is busy
    [1]
    cannot destroy 'tank/a': dataset is busy
    [1]
    [0]
    cannot open 'tank/a': dataset does not exist
    [1]
    "#);
}

#[test]
fn each_known_failure_has_the_words_of_libzfs() {
    let base = "zfs create tank/a; zfs snapshot tank/a@s; zfs clone tank/a@s tank/b";
    let mut all = String::new();
    for (failure, script) in [
        ("create tank/c: ENOSPC", "zfs create tank/c"),
        (
            "create tank/c/d: EDQUOT",
            "zfs create -p tank/c/d; zfs list -H -o name tank/c",
        ),
        ("clone tank/c: EEXIST", "zfs clone tank/a@s tank/c"),
        (
            "snapshot tank/b@t: ENOSPC",
            "zfs snapshot -r tank@t; zfs list -H -t snapshot -o name",
        ),
        (
            "destroy tank/b: EBUSY",
            "zfs destroy tank/b; zfs get -H -o value mounted tank/b",
        ),
        (
            "destroy tank/b: EBUSY",
            "zfs destroy -R tank/a; zfs list -H -o name",
        ),
        (
            "destroy tank/a@t: EBUSY",
            "zfs snapshot tank/a@t; zfs destroy tank/a@t",
        ),
        (
            "destroy tank/a@t: EEXIST",
            "zfs snapshot tank/a@t; zfs destroy tank/a@t",
        ),
        ("rollback tank/a: EBUSY", "zfs rollback tank/a@s"),
        ("rollback tank/a@s: ENOSPC", "zfs rollback tank/a@s"),
        ("promote tank/b: ENOSPC", "zfs promote tank/b"),
        (
            "rename tank/b: EBUSY",
            "zfs rename tank/b tank/c; zfs list -H -o name,mounted",
        ),
        ("rename tank/a@s: ENOSPC", "zfs rename tank/a@s tank/a@t"),
        ("hold tank/a@s: EEXIST", "zfs hold k tank/a@s"),
        ("hold tank/a@s: ENOSPC", "zfs hold k tank/a@s"),
        (
            "release tank/a@s: EBUSY",
            "zfs hold k tank/a@s; zfs release k tank/a@s",
        ),
        (
            "mount tank/c: EBUSY",
            "zfs create tank/c; echo \"[$?]\"; zfs get -H -o value mounted tank/c",
        ),
        ("mount tank/c: EIO", "zfs create tank/c"),
        (
            "unmount tank/b: EBUSY",
            "zfs destroy tank/b; zfs get -H -o value mounted tank/b",
        ),
        ("unmount tank/b: EBUSY", "zfs unmount tank/b"),
        ("unmount tank/b: ENOENT", "zfs unmount tank/b"),
        (
            "zpool destroy tank: EBUSY",
            "zpool destroy tank; zpool list -H -o name",
        ),
        // What fails by itself does not use it up.
        (
            "destroy tank/a@s: EBUSY",
            "zfs destroy tank/a@s; zfs destroy tank/b; zfs destroy tank/a@s; zfs destroy tank/a@s",
        ),
    ] {
        let told = fail(&[failure], &format!("{base}\n{script}\necho \"[$?]\""));
        all = all + "--fail '" + failure + "' " + script + "\n" + &told;
    }
    insta::assert_snapshot!(all, @r#"
    --fail 'create tank/c: ENOSPC' zfs create tank/c
    cannot create 'tank/c': out of space
    [1]
    --fail 'create tank/c/d: EDQUOT' zfs create -p tank/c/d; zfs list -H -o name tank/c
    cannot create 'tank/c/d': out of space
    tank/c
    [0]
    --fail 'clone tank/c: EEXIST' zfs clone tank/a@s tank/c
    cannot create 'tank/c': dataset already exists
    [1]
    --fail 'snapshot tank/b@t: ENOSPC' zfs snapshot -r tank@t; zfs list -H -t snapshot -o name
    cannot create snapshot 'tank/b@t': out of space
    no snapshots were created
    tank/a@s
    [0]
    --fail 'destroy tank/b: EBUSY' zfs destroy tank/b; zfs get -H -o value mounted tank/b
    cannot destroy 'tank/b': dataset is busy
    no
    [0]
    --fail 'destroy tank/b: EBUSY' zfs destroy -R tank/a; zfs list -H -o name
    cannot destroy 'tank/b': dataset is busy
    cannot destroy snapshot tank/a@s: snapshot is cloned
    tank
    tank/a
    tank/b
    [0]
    --fail 'destroy tank/a@t: EBUSY' zfs snapshot tank/a@t; zfs destroy tank/a@t
    cannot destroy snapshot tank/a@t: dataset is busy
    [1]
    --fail 'destroy tank/a@t: EEXIST' zfs snapshot tank/a@t; zfs destroy tank/a@t
    cannot destroy snapshot tank/a@t: snapshot is cloned
    [1]
    --fail 'rollback tank/a: EBUSY' zfs rollback tank/a@s
    cannot rollback 'tank/a': dataset is busy
    [1]
    --fail 'rollback tank/a@s: ENOSPC' zfs rollback tank/a@s
    cannot rollback 'tank/a': out of space
    [1]
    --fail 'promote tank/b: ENOSPC' zfs promote tank/b
    cannot promote 'tank/b': out of space
    [1]
    --fail 'rename tank/b: EBUSY' zfs rename tank/b tank/c; zfs list -H -o name,mounted
    cannot rename 'tank/b': dataset is busy
    tank	yes
    tank/a	yes
    tank/b	yes
    [0]
    --fail 'rename tank/a@s: ENOSPC' zfs rename tank/a@s tank/a@t
    cannot rename 'tank/a@s': out of space
    [1]
    --fail 'hold tank/a@s: EEXIST' zfs hold k tank/a@s
    cannot hold snapshot 'tank/a@s': tag already exists on this dataset
    [1]
    --fail 'hold tank/a@s: ENOSPC' zfs hold k tank/a@s
    cannot hold snapshot 'tank/a@s': out of space
    [1]
    --fail 'release tank/a@s: EBUSY' zfs hold k tank/a@s; zfs release k tank/a@s
    cannot release hold from snapshot 'tank/a@s': dataset is busy
    [1]
    --fail 'mount tank/c: EBUSY' zfs create tank/c; echo "[$?]"; zfs get -H -o value mounted tank/c
    cannot mount 'tank/c': mountpoint or dataset is busy
    filesystem successfully created, but not mounted
    [1]
    no
    [0]
    --fail 'mount tank/c: EIO' zfs create tank/c
    cannot mount 'tank/c': Input/output error
    filesystem successfully created, but not mounted
    [1]
    --fail 'unmount tank/b: EBUSY' zfs destroy tank/b; zfs get -H -o value mounted tank/b
    cannot unmount '/tank/b': pool or dataset is busy
    yes
    [0]
    --fail 'unmount tank/b: EBUSY' zfs unmount tank/b
    cannot unmount '/tank/b': pool or dataset is busy
    [1]
    --fail 'unmount tank/b: ENOENT' zfs unmount tank/b
    cannot unmount '/tank/b': no such pool or dataset
    [1]
    --fail 'zpool destroy tank: EBUSY' zpool destroy tank; zpool list -H -o name
    cannot destroy 'tank': pool is busy
    tank
    [0]
    --fail 'destroy tank/a@s: EBUSY' zfs destroy tank/a@s; zfs destroy tank/b; zfs destroy tank/a@s; zfs destroy tank/a@s
    cannot destroy 'tank/a@s': snapshot has dependent clones
    use '-R' to destroy the following datasets:
    tank/b
    cannot destroy snapshot tank/a@s: dataset is busy
    [0]
    "#);
}

#[test]
fn what_is_not_known_is_refused_at_the_start() {
    let directory = directory();
    for failure in [
        "send tank/a: EIO",
        "destroy tank/a",
        "destroy tank/a: EIO",
        "destroy tank/a: EBUSY x0",
    ] {
        let (code, out, err) = sim(directory.path(), &["--fail", failure], "echo runs");
        assert_eq!((code, out.as_str()), (2, ""), "{failure}");
        assert!(
            err.contains(&format!("'{failure}' is no failure: ")),
            "{err}"
        );
    }
}
