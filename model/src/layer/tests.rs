use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::dmu::data::{Piece, Source};
use crate::zpl::op::{FileOp, Target};

fn entry(path: &str, content: Content, object: u64) -> Entry {
    let size = match &content {
        Content::File(pieces) => pieces.iter().map(|piece| piece.len).sum(),
        Content::Link(target) => target.len() as u64,
        Content::Directory => 2,
        Content::Special(_) => 0,
    };
    Entry {
        path: path.into(),
        content,
        mode: 0o644,
        uid: 0,
        gid: 0,
        links: 1,
        size,
        object,
        mtime: (1, 0),
        xattrs: BTreeMap::new(),
    }
}

fn file(path: &str, seed: u64) -> Entry {
    entry(
        path,
        Content::File(Arc::from([Source::Random(seed).piece(10)])),
        seed,
    )
}

fn directory(path: &str) -> Entry {
    entry(path, Content::Directory, 0)
}

fn tree(mut entries: Vec<Entry>) -> Tree {
    entries.push(directory("/"));
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Tree { entries }
}

fn told(lower: &Tree, upper: &Tree) -> Vec<String> {
    let changes = changes(lower, upper);
    changes
        .iter()
        .map(|change| format!("{} {}", change.kind.letter(), change.path))
        .collect()
}

#[test]
fn additions_changes_and_deletions_are_listed_with_the_directories_above_them() {
    let lower = tree(vec![
        directory("/etc"),
        file("/etc/a", 1),
        file("/etc/b", 2),
        directory("/var"),
        directory("/var/lib"),
        file("/var/lib/x", 3),
    ]);
    let mut changed = file("/etc/b", 2);
    changed.mtime = (2, 0);
    let upper = tree(vec![
        directory("/etc"),
        file("/etc/a", 1),
        changed,
        directory("/var"),
        directory("/new"),
        file("/new/f", 4),
    ]);
    assert_eq!(
        told(&lower, &upper),
        [
            "C /etc",
            "C /etc/b",
            "A /new",
            "A /new/f",
            "C /var",
            "D /var/lib"
        ]
    );
    assert_eq!(told(&lower, &lower), [""; 0]);
}

#[test]
fn a_directory_replaced_by_a_file_is_one_change() {
    let lower = tree(vec![directory("/d"), file("/d/x", 1)]);
    let upper = tree(vec![file("/d", 2)]);
    assert_eq!(told(&lower, &upper), ["C /d"]);
    let entries = export(&upper, &changes(&lower, &upper));
    assert!(matches!(
        entries[..],
        [LayerEntry {
            content: LayerContent::File(..),
            ..
        }]
    ));
}

#[test]
fn same_size_and_time_hide_a_change_of_content() {
    let lower = tree(vec![file("/f", 1)]);
    assert_eq!(told(&lower, &tree(vec![file("/f", 2)])), [""; 0]);
    let mut later = file("/f", 2);
    later.mtime = (1, 5);
    assert_eq!(
        told(&lower, &tree(vec![later.clone()])),
        [""; 0],
        "one side has no nanoseconds"
    );
    let mut earlier = file("/f", 1);
    earlier.mtime = (1, 4);
    assert_eq!(told(&tree(vec![earlier]), &tree(vec![later])), ["C /f"]);
}

#[test]
fn a_layer_has_whiteouts_and_names_hard_links_after_the_first() {
    let lower = tree(vec![file("/gone", 1)]);
    let (mut a, mut b) = (file("/a", 7), file("/b", 7));
    (a.links, b.links) = (2, 2);
    let upper = tree(vec![a, b]);
    let entries = export(&upper, &changes(&lower, &upper));
    let [first, second, third] = &entries[..] else {
        panic!("{entries:?}")
    };
    assert!(matches!(first.content, LayerContent::File(..)));
    assert!(matches!(&second.content, LayerContent::HardLink(_, first) if &**first == "/a"));
    assert_eq!(
        (&*third.path, &third.content),
        ("/gone", &LayerContent::Whiteout)
    );
}

fn member(name: &str, content: MemberContent) -> Member {
    Member {
        name: name.into(),
        content,
        attributes: Attributes {
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: 5,
        },
        xattrs: BTreeMap::new(),
        size: 3,
    }
}

fn some_file(name: &str) -> Member {
    member(name, MemberContent::File(Arc::from([Piece::zeros(3)])))
}

fn calls(tree: &Tree, layer: &[Member], daemon: Daemon) -> Vec<String> {
    let name = |at: &crate::zpl::op::At| at.path.to_string();
    let plan = plan(&"t".into(), tree, layer, daemon).unwrap();
    let told = plan.iter().filter_map(|call| match call {
        FileOp::Unlink { at } => Some(format!("unlink {}", name(at))),
        FileOp::RemoveDirectory { at } => Some(format!("rmdir {}", name(at))),
        FileOp::MakeDirectory { at } => Some(format!("mkdir {}", name(at))),
        FileOp::Write {
            to: Target::Path(at),
            ..
        } => Some(format!("write {}", name(at))),
        FileOp::Symlink { target, at } => Some(format!("symlink {target} {}", name(at))),
        _ => None,
    });
    told.collect()
}

/// What every daemon does.
fn all_call(tree: &Tree, layer: &[Member]) -> Vec<String> {
    let told = calls(tree, layer, Daemon::Docker26);
    for daemon in Daemon::ALL {
        assert_eq!(calls(tree, layer, daemon), told, "{daemon:?}");
    }
    told
}

#[test]
fn a_whiteout_removes_everything_at_its_path() {
    let tree = tree(vec![directory("/d"), file("/d/x", 1), file("/dx", 2)]);
    assert_eq!(
        all_call(&tree, &[some_file(".wh.d")]),
        ["unlink /d/x", "rmdir /d"]
    );
    assert_eq!(all_call(&tree, &[some_file(".wh.nope")]), [""; 0]);
}

#[test]
fn an_opaque_directory_keeps_what_its_own_layer_wrote() {
    let tree = tree(vec![directory("/d"), file("/d/old", 1), file("/d/new", 2)]);
    let layer = [some_file("d/new"), some_file("d/.wh..wh..opq")];
    assert_eq!(
        all_call(&tree, &layer),
        ["unlink /d/new", "write /d/new", "unlink /d/old"]
    );
}

#[test]
fn directories_merge_and_anything_else_replaces() {
    let tree = tree(vec![directory("/d"), file("/d/x", 1), file("/f", 2)]);
    let directory = |name: &str| member(name, MemberContent::Directory);
    assert_eq!(all_call(&tree, &[directory("d/")]), [""; 0]);
    assert_eq!(
        all_call(&tree, &[directory("f/")]),
        ["unlink /f", "mkdir /f"]
    );
    assert_eq!(
        all_call(&tree, &[some_file("d")]),
        ["unlink /d/x", "rmdir /d", "write /d"]
    );
    assert_eq!(
        all_call(&tree, &[some_file("p/q/r")]),
        ["mkdir /p", "mkdir /p/q", "write /p/q/r"]
    );
}

#[test]
fn what_leads_out_stays_inside_or_is_refused() {
    let tree = tree(vec![directory("/d")]);
    let layer = [some_file("../../x")];
    for daemon in Daemon::ALL {
        let plan = plan(&"t".into(), &tree, &layer, daemon);
        if daemon == Daemon::Docker29 {
            assert_eq!(plan, Err(ApplyError::Name("../../x".into())));
        } else {
            assert_eq!(calls(&tree, &layer, daemon), ["write /x"]);
        }
    }
    let above = [some_file("d/.wh...")];
    for daemon in Daemon::ALL {
        let expected = if daemon.is_containerd() {
            ApplyError::Whiteout(".wh...".into())
        } else {
            ApplyError::Call {
                path: "/".into(),
                errno: crate::outcome::Errno::EBUSY,
            }
        };
        assert_eq!(plan(&"t".into(), &tree, &above, daemon), Err(expected));
    }
}

#[test]
fn names_are_taken_as_go_takes_them() {
    use super::member::{is_local, rooted};
    assert_eq!(rooted("../a//./b/../c/"), "/a/c");
    assert_eq!(rooted(""), "/");
    assert!(is_local("a/../b"));
    assert!(!is_local("a/../../b"));
    assert!(!is_local(""));
    assert!(!is_local("/a"));
}
