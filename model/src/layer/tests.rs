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
    let entries = export(&upper, &changes(&lower, &upper), Daemon::Docker26);
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
    let entries = export(&upper, &changes(&lower, &upper), Daemon::Docker26);
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
    // What `filepath.IsLocal` of Go 1.24 says.
    for (name, expected) in [
        ("", false),
        (".", true),
        ("/", false),
        ("/a", false),
        ("a/", true),
        ("./a//b/.", true),
        ("a/..", true),
        ("a/../b", true),
        ("a/../..", false),
        ("a/../../b", false),
        ("..", false),
        ("./..", false),
        ("a//../..", false),
        ("a/./../..", false),
        ("a/b/../..", true),
        ("a/b/../../..", false),
    ] {
        assert_eq!(is_local(name), expected, "{name:?}");
    }
}

/// Trees of a few names, drawn from a number.
fn drawn(mut seed: u64) -> Tree {
    let mut next = |most: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % most
    };
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    for _ in 0..12 {
        let depth = next(3) + 1;
        let mut path = String::new();
        for level in 0..depth {
            path = format!(
                "{path}/{}",
                ["a", "b", "a-b"][usize::try_from(next(3)).unwrap()]
            );
            if level + 1 < depth {
                let there = entries
                    .entry(path.clone())
                    .or_insert_with(|| directory(&path));
                if !matches!(there.content, Content::Directory) {
                    break;
                }
            }
        }
        entries
            .entry(path.clone())
            .or_insert_with(|| match next(3) {
                0 => directory(&path),
                _ => file(&path, next(4) + 1),
            });
    }
    let mut tree = tree(entries.into_values().collect());
    for (index, entry) in tree.entries.iter_mut().enumerate() {
        // Times tell contents apart, and objects are no links of each other.
        entry.mtime = (i64::try_from(entry.object).unwrap(), 0);
        entry.object = 100 + index as u64;
    }
    tree
}

/// What of a tree does not hang on how it was made.
fn looks(tree: &Tree) -> Vec<(String, Content)> {
    let entries = tree.entries.iter();
    entries
        .map(|it| (it.path.to_string(), it.content.clone()))
        .collect()
}

#[test]
fn all_forms_of_a_layer_make_the_same_tree() {
    for seed in 0..2000 {
        let (lower, upper) = (drawn(seed), drawn(seed + 10_000));
        for daemon in Daemon::ALL {
            let layer = layer(Some(&lower), &upper, daemon);
            let unpacked = overlay::unpack(&layer);
            // What replaces a directory hides it by being there; a directory in place of a file is whole.
            let shown = overlay::shown(&lower, &unpacked);
            assert_eq!(looks(&shown), looks(&upper), "{daemon:?} {seed}");
            // And back: devices become whiteouts again.
            let gone = |layer: &[LayerEntry]| -> Vec<String> {
                let gone = layer
                    .iter()
                    .filter(|it| it.content == LayerContent::Whiteout);
                let mut gone: Vec<String> = gone.map(|it| it.path.to_string()).collect();
                gone.sort();
                gone
            };
            assert_eq!(gone(&overlay::pack(&unpacked, daemon)), gone(&layer));
        }
    }
}

#[test]
fn an_opaque_directory_is_an_attribute_in_overlayfs() {
    let lower = tree(vec![directory("/d"), file("/d/old", 1), file("/e", 2)]);
    let attributes = Attributes {
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: 3,
    };
    let layer = [
        LayerEntry::new("/d", LayerContent::Directory(attributes)),
        LayerEntry::new("/d", LayerContent::Opaque),
        LayerEntry::new("/e", LayerContent::Whiteout),
    ];
    let unpacked = overlay::unpack(&layer);
    assert!(overlay::is_opaque(unpacked.get("/d").unwrap()));
    assert!(overlay::is_whiteout(unpacked.get("/e").unwrap()));
    let paths: Vec<String> = looks(&overlay::shown(&lower, &unpacked))
        .into_iter()
        .map(|it| it.0)
        .collect();
    assert_eq!(paths, ["/", "/d"]);
    assert_eq!(overlay::pack(&unpacked, Daemon::Docker26), layer);
}

/// Two filesystems in one tree have the same numbers: `d` and `f` of both, and a file with the names `h` and `i`.
/// Exported so by Docker 26.1 and 29, containers/storage 1.57 and containerd 1.7, of two tmpfs: they take files with
/// several links for one, but no others, and no directories.
#[test]
fn names_are_of_one_file_where_it_tells_of_several() {
    let mut entries = Vec::new();
    for of in ["/x", "/y"] {
        entries.push(directory(of));
        for (name, content, object, links) in [
            ("d", Content::Directory, 2, 3),
            ("f", Content::File(Arc::from([])), 3, 1),
            ("h", Content::File(Arc::from([])), 4, 2),
            ("i", Content::File(Arc::from([])), 4, 2),
        ] {
            let mut entry = entry(&format!("{of}/{name}"), content, object);
            entry.links = links;
            entries.push(entry);
        }
    }
    let upper = tree(entries);
    for daemon in Daemon::ALL {
        let layer = layer(Some(&tree(Vec::new())), &upper, daemon);
        let told = layer.iter().map(|it| match &it.content {
            LayerContent::HardLink(_, first) => format!("{} is {first}", it.path),
            _ => it.path.to_string(),
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                "/x",
                "/x/d",
                "/x/f",
                "/x/h",
                "/x/i is /x/h",
                "/y",
                "/y/d",
                "/y/f",
                "/y/h is /x/h",
                "/y/i is /x/h"
            ],
            "{daemon:?}"
        );
    }
}

#[test]
fn contents_are_bytes_however_they_are_written() {
    let text = |pieces: &[&'static [u8]]| {
        let pieces = pieces.iter().map(|it| {
            let len = it.len() as u64;
            Source::Bytes(Bytes::from_static(it)).piece(len)
        });
        tree(vec![entry("/f", Content::File(pieces.collect()), 1)])
    };
    let whole = text(&[b"abcd"]);
    assert_eq!(differences(Some(&whole), &text(&[b"ab", b"cd"])), []);
    let change = Change {
        path: "/f".into(),
        kind: Kind::Modified,
    };
    assert_eq!(
        differences(Some(&whole), &text(&[b"ab", b"dc"])),
        [change],
        "of the same size and second"
    );
}

#[test]
fn an_archive_says_what_the_layer_says() {
    let attributes = Attributes {
        mode: 0o4750,
        uid: 1,
        gid: 2,
        mtime: 3,
    };
    let mut file = LayerEntry::new(
        "/d/f",
        LayerContent::File(attributes, Arc::from([Piece::zeros(3)])),
    );
    file.xattrs
        .insert(CAPABILITY.into(), Bytes::from_static(b"c"));
    let fifo = crate::zpl::znode::Special::Fifo;
    let layer = [
        LayerEntry::new("/", LayerContent::Opaque),
        LayerEntry::new("/gone", LayerContent::Whiteout),
        LayerEntry::new("/d", LayerContent::Directory(attributes)),
        LayerEntry::new("/d", LayerContent::Opaque),
        LayerEntry::new("/d/gone", LayerContent::Whiteout),
        file,
        LayerEntry::new("/h", LayerContent::HardLink(attributes, "/d/f".into())),
        LayerEntry::new("/l", LayerContent::Link(attributes, "../d".into())),
        LayerEntry::new("/p", LayerContent::Special(attributes, fifo)),
    ];
    let archive = members(&layer);
    let names: Vec<&str> = archive.iter().map(|it| &*it.name).collect();
    assert_eq!(
        names,
        [
            ".wh..wh..opq",
            ".wh.gone",
            "d",
            "d/.wh..wh..opq",
            "d/.wh.gone",
            "d/f",
            "h",
            "l",
            "p"
        ]
    );
    assert_eq!(unpacked_size(&archive), 3);
    assert_eq!(entries(&archive), layer);
}

/// Whiteouts that overlayfs makes are names of one device (Linux 6.18); Docker 26.1 packs each as a whiteout.
#[test]
fn whiteouts_are_no_hard_links() {
    let gone = |path: &str| {
        let device = crate::zpl::znode::Special::CharacterDevice(0, 0);
        let mut entry = entry(path, Content::Special(device), 17);
        entry.links = 3;
        entry
    };
    let packed = overlay::pack(&tree(vec![gone("/a"), gone("/b")]), Daemon::Docker26);
    let whiteout = |path: &str| LayerEntry::new(path, LayerContent::Whiteout);
    assert_eq!(packed, [whiteout("/a"), whiteout("/b")]);
}

/// Measured on overlayfs of Linux 6.18, on a file and on a directory.
#[test]
fn what_overlayfs_shows_has_none_of_its_own_attributes() {
    let names = [
        "trusted.foo",
        "trusted.overlay.foo",
        "trusted.overlay.opaque",
        "user.overlay.opaque",
    ];
    let xattrs = names.map(|name| (Arc::from(name), Bytes::from("y")));
    let mut lower = tree(vec![file("/f", 1), directory("/d")]);
    for entry in &mut lower.entries {
        entry.xattrs = xattrs.clone().into();
    }
    let shown = overlay::shown(&lower, &tree(Vec::new()));
    for path in ["/f", "/d"] {
        let entry = shown.entries.iter().find(|it| &*it.path == path);
        let told: Vec<&str> = entry
            .into_iter()
            .flat_map(|it| it.xattrs.keys().map(|name| &**name))
            .collect();
        assert_eq!(told, ["trusted.foo", "user.overlay.opaque"], "{path}");
    }
}
