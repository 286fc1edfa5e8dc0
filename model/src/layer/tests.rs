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
    assert_eq!(second.content, LayerContent::HardLink("/a".into()));
    assert_eq!(
        (&*third.path, &third.content),
        ("/gone", &LayerContent::Whiteout)
    );
}

fn calls(tree: &Tree, layer: &[LayerEntry]) -> Vec<String> {
    let name = |at: &crate::zpl::op::At| at.path.to_string();
    let plan = plan(&"t".into(), tree, layer).unwrap();
    let told = plan.iter().filter_map(|call| match call {
        FileOp::Unlink { at } => Some(format!("unlink {}", name(at))),
        FileOp::RemoveDirectory { at } => Some(format!("rmdir {}", name(at))),
        FileOp::MakeDirectory { at } => Some(format!("mkdir {}", name(at))),
        FileOp::Write {
            to: Target::Path(at),
            ..
        } => Some(format!("write {}", name(at))),
        FileOp::Link {
            from: Target::Path(from),
            to,
        } => Some(format!("link {} {}", name(from), name(to))),
        FileOp::Symlink { target, at } => Some(format!("symlink {target} {}", name(at))),
        _ => None,
    });
    told.collect()
}

fn layer(path: &str, content: LayerContent) -> LayerEntry {
    LayerEntry {
        path: path.into(),
        content,
    }
}

const ATTRIBUTES: Attributes = Attributes {
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 5,
};

fn some_file() -> LayerContent {
    LayerContent::File(ATTRIBUTES, Arc::from([Piece::zeros(3)]))
}

#[test]
fn a_whiteout_removes_everything_at_its_path() {
    let tree = tree(vec![directory("/d"), file("/d/x", 1), file("/dx", 2)]);
    assert_eq!(
        calls(&tree, &[layer("/d", LayerContent::Whiteout)]),
        ["unlink /d/x", "rmdir /d"]
    );
    assert_eq!(
        calls(&tree, &[layer("/nope", LayerContent::Whiteout)]),
        [""; 0]
    );
}

#[test]
fn an_opaque_directory_keeps_what_its_own_layer_wrote() {
    let tree = tree(vec![directory("/d"), file("/d/old", 1), file("/d/new", 2)]);
    let entries = [
        layer("/d/new", some_file()),
        layer("/d", LayerContent::Opaque),
    ];
    assert_eq!(
        calls(&tree, &entries),
        ["unlink /d/new", "write /d/new", "unlink /d/old"]
    );
}

#[test]
fn directories_merge_and_anything_else_replaces() {
    let tree = tree(vec![directory("/d"), file("/d/x", 1), file("/f", 2)]);
    let merged = LayerContent::Directory(ATTRIBUTES);
    assert_eq!(calls(&tree, &[layer("/d", merged.clone())]), [""; 0]);
    assert_eq!(
        calls(&tree, &[layer("/f", merged)]),
        ["unlink /f", "mkdir /f"]
    );
    assert_eq!(
        calls(&tree, &[layer("/d", some_file())]),
        ["unlink /d/x", "rmdir /d", "write /d"]
    );
    assert_eq!(
        calls(&tree, &[layer("/p/q/r", some_file())]),
        ["mkdir /p", "mkdir /p/q", "write /p/q/r"]
    );
}

#[test]
fn a_layer_cannot_reach_out_of_its_tree() {
    let tree = tree(vec![file("/f", 1)]);
    let refused = |path: &str, content| plan(&"t".into(), &tree, &[layer(path, content)]);
    assert_eq!(
        refused("/../x", some_file()),
        Err(ApplyError::Path("/../x".into()))
    );
    assert_eq!(
        refused("/", LayerContent::Whiteout),
        Err(ApplyError::Path("/".into()))
    );
    assert_eq!(
        refused("/a/..", LayerContent::Whiteout),
        Err(ApplyError::Path("/a/..".into()))
    );
    assert_eq!(
        refused("/f/x", some_file()),
        Err(ApplyError::NotDirectory("/f".into()))
    );
    assert!(matches!(
        refused("/l", LayerContent::HardLink("/nope".into())),
        Err(ApplyError::MissingTarget { .. })
    ));
}
