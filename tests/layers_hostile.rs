//! Archives that try to do harm, or are odd: each daemon's own code was run on them, and the model has to do
//! the same. `tests/layers/README.md` says how the outcomes were made.

#![allow(
    clippy::format_collect,
    reason = "texts of tests are short, and read better in one expression"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ztwin::drivers::tar;
use ztwin::pools::{Blobs, ModelPools, Session, Verb};
use ztwin_model::Release;
use ztwin_model::layer::{
    Content, Daemon, MemberContent, Tree, entries, members, overlay, plan, unpacked_size,
};

const TREE: [&str; 17] = [
    "vdev /v/a 1G",
    "zpool create -O atime=off tank /v/a",
    "zfs create tank/layer",
    "mkdir tank/layer:/etc",
    "mkdir tank/layer:/dir",
    "mkdir tank/layer:/dir/sub",
    "write tank/layer:/etc/passwd 0 5 data=text:1",
    "write tank/layer:/dir/old 0 4 data=text:2",
    "write tank/layer:/dir/sub/x 0 6 data=text:3",
    "symlink /etc tank/layer:/absolute",
    "symlink etc tank/layer:/relative",
    "symlink ../../../.. tank/layer:/out",
    "symlink loop tank/layer:/loop",
    "symlink nowhere tank/layer:/dangling",
    "zfs create tank/outside",
    "write tank/outside:/victim 0 7 data=text:4",
    "zpool sync",
];

fn prepared() -> impl Session {
    let mut session = ModelPools::new(Release::default(), Blobs::default()).session();
    for step in TREE {
        let words: Vec<&str> = step.split(' ').collect();
        let printed = session.run(&words).unwrap();
        assert!(printed.succeeded(), "{step}: {printed:?}");
    }
    session
}

/// As `apply.sh` lists a tree.
fn listing(tree: &Tree) -> Vec<String> {
    let mut lines: Vec<String> = tree
        .entries
        .iter()
        .map(|it| {
            let path = it.path.trim_start_matches('/');
            let head = format!(
                "{path} {} {:o} {}:{}",
                it.kind().letter(),
                it.mode,
                it.uid,
                it.gid
            );
            match &it.content {
                Content::Directory => head,
                Content::Link(target) => format!("{head} {} -> {target}", it.links),
                Content::File(_) => format!("{head} {} {}", it.links, it.size),
                Content::Special(_) => format!("{head} {}", it.links),
            }
        })
        .collect();
    for entry in &tree.entries {
        let path = entry.path.trim_start_matches('/');
        for (name, value) in &entry.xattrs {
            let digits: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            lines.push(format!("{path} x {name} {digits}"));
        }
    }
    lines.sort();
    lines
}

/// What became of an archive: `None` if it was refused, else its size, and how the tree changed.
fn outcome(archive: &[u8], daemon: Daemon) -> Result<(u64, Vec<String>), String> {
    let members = tar::read(archive).map_err(|error| error.to_string())?;
    let mut session = prepared();
    let dataset: Arc<str> = "tank/layer".into();
    let tree = session.tree(&dataset).unwrap().unwrap();
    let before = listing(&tree);
    let outside = session.tree("tank/outside").unwrap().unwrap();
    let calls = plan(&dataset, &tree, &members, daemon).map_err(|error| error.to_string());
    let done = calls.and_then(|calls| {
        for call in calls {
            let told = format!("{call:?}");
            let printed = session.verb("", &Verb::File(call)).unwrap();
            if !printed.succeeded() {
                let said = String::from_utf8_lossy(&printed.err).into_owned();
                return Err(format!("{told}: {said}"));
            }
        }
        Ok(())
    });
    assert_eq!(session.tree("tank/outside").unwrap().unwrap(), outside);
    done?;
    let now = listing(&session.tree(&dataset).unwrap().unwrap());
    let gone = before.iter().filter(|it| !now.contains(it));
    let new = now.iter().filter(|it| !before.contains(it));
    let mut changed: Vec<String> = gone
        .map(|it| format!("< {it}"))
        .chain(new.map(|it| format!("> {it}")))
        .collect();
    changed.sort();
    Ok((unpacked_size(&members), changed))
}

#[test]
fn daemons_do_what_the_model_says() {
    compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layers/hostile"));
}

#[test]
#[ignore = "wants ZTWIN_HOSTILE=DIRECTORY, made as tests/layers/README.md says"]
fn daemons_do_with_archives_drawn_at_random_what_the_model_says() {
    compare(Path::new(&std::env::var("ZTWIN_HOSTILE").unwrap()));
}

/// Compares what became of the archives in a directory, of which the file `outcomes` tells.
fn compare(directory: &Path) {
    let daemons = BTreeMap::from([
        ("docker-20.10", Daemon::Docker20),
        ("docker-26.1", Daemon::Docker26),
        ("docker-29", Daemon::Docker29),
        ("storage-1.43", Daemon::Storage43),
        ("storage-1.57", Daemon::Storage57),
        ("containerd-1.7", Daemon::Containerd1),
        ("containerd-2", Daemon::Containerd2),
    ]);
    let outcomes = std::fs::read_to_string(directory.join("outcomes")).unwrap();
    let (mut seen, mut wrong) = (0, Vec::new());
    for block in outcomes.split("== ").skip(1) {
        let (head, rest) = block.split_once('\n').unwrap();
        let (case, daemon) = head.split_once(' ').unwrap();
        let (verdict, rest) = rest.split_once('\n').unwrap();
        let archive = std::fs::read(directory.join(format!("{case}.tar"))).unwrap();
        let told = outcome(&archive, daemons[daemon]);
        let agrees = match (verdict.split_once(' ').unwrap(), &told) {
            (("refused", _), Err(_)) => true,
            (("applied", size), Ok((told, changed))) => {
                let mut expected: Vec<&str> = rest.lines().collect();
                expected.sort_unstable();
                size.parse() == Ok(*told) && *changed == expected
            }
            _ => false,
        };
        seen += 1;
        if !agrees {
            wrong.push(format!("{head}\n  {verdict}\n{rest}  {told:?}\n"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {seen}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// How the tree that an archive is unpacked to for overlayfs looks, alone, over the lower tree, and packed again.
fn overlaid(archive: &[u8], lower: &Tree) -> Vec<String> {
    let layer = entries(&tar::read(archive).unwrap());
    let upper = overlay::unpack(&layer);
    let mut told: Vec<String> = listing(&upper).iter().map(|it| format!("u {it}")).collect();
    let packed = overlay::pack(&upper, Daemon::Docker26);
    told.extend(members(&packed).iter().map(|it| {
        let is_directory = it.content == MemberContent::Directory;
        format!("p {}{}", it.name, if is_directory { "/" } else { "" })
    }));
    let (before, now) = (listing(lower), listing(&overlay::shown(lower, &upper)));
    let gone = before.iter().filter(|it| !now.contains(it));
    told.extend(gone.map(|it| format!("< {it}")));
    let new = now.iter().filter(|it| !before.contains(it));
    told.extend(new.map(|it| format!("> {it}")));
    told.sort();
    told
}

#[test]
fn overlayfs_shows_what_the_model_says() {
    // What a layer as it is told is not about, or a daemon does by itself: these and no others differ.
    let otherwise = [
        // Paths that lead through links.
        "link-absolute-and-write",
        "link-chain-and-write",
        "link-far-up-and-write",
        "link-up-and",
        "suite-absolute-up-and-down",
        "suite-relative-then-absolute",
        "suite-two-absolute-links",
        "through-8-links",
        "through-9-",
        "through-40-links",
        "through-41-links",
        "through-255-links",
        "through-absolute-",
        "through-file",
        "through-link-and-back",
        "through-missing",
        "through-two-links",
        "through-up-then-absolute",
        // Docker sets the mode of a root that is not named `.`.
        "the-root-as-slash docker",
        // What aufs left, which no daemon has in the layers that it puts onto a tree.
        "meta",
        "plnk",
        // containerd makes the directory above a header that is about the archive, and passes over attributes.
        "global-over-file containerd",
        "trusted-attribute containerd",
        "unknown-attribute containerd",
    ];
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layers/hostile");
    let outcomes = std::fs::read_to_string(directory.join("overlay")).unwrap();
    let lower = prepared().tree("tank/layer").unwrap().unwrap();
    for block in outcomes.split("== ").skip(1) {
        let (head, rest) = block.split_once('\n').unwrap();
        let (case, daemon) = head.split_once(' ').unwrap();
        let (verdict, rest) = rest.split_once('\n').unwrap();
        if verdict != "unpacked" {
            continue;
        }
        let archive = std::fs::read(directory.join(format!("{case}.tar"))).unwrap();
        let mut told = overlaid(&archive, &lower);
        if !daemon.starts_with("docker") {
            told.retain(|it| !it.starts_with("p "));
        }
        let mut expected: Vec<&str> = rest.lines().collect();
        expected.sort_unstable();
        let differs = otherwise.iter().any(|it| head.starts_with(it));
        assert_eq!(told != expected, differs, "{head}\n{rest}  {told:#?}");
    }
}
