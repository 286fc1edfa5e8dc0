//! The three forms of what is gone: in a clone it is just not there, in an archive it is a file `.wh.NAME`, and
//! in a directory of overlayfs a character device 0:0, or an attribute of the directory that it was in.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::changes::{above, is_directory};
use super::{Attributes, Content, Daemon, Entry, LayerContent, LayerEntry, Tree, layer};
use crate::zpl::znode::Special;

/// The attribute of a directory that hides what lower layers have in it.
pub const OPAQUE_ATTRIBUTE: &str = "trusted.overlay.opaque";

/// What stands for something that is gone.
const WHITEOUT: Special = Special::CharacterDevice(0, 0);

/// Whether an entry says that its path is gone.
#[must_use]
pub fn is_whiteout(entry: &Entry) -> bool {
    entry.content == Content::Special(WHITEOUT)
}

/// Whether a directory hides what lower layers have in it.
#[must_use]
pub fn is_opaque(entry: &Entry) -> bool {
    is_directory(entry)
        && entry
            .xattrs
            .get(OPAQUE_ATTRIBUTE)
            .is_some_and(|it| it == "y")
}

/// A layer as it is unpacked for overlayfs: the tree of its directory. What it does not tell of is missing,
/// but for directories above an entry. Its paths lead through no links. What it tells of its root is passed over.
#[must_use]
pub fn unpack(layer: &[LayerEntry]) -> Tree {
    let mut entries: BTreeMap<Arc<str>, Entry> = BTreeMap::new();
    let implied = Attributes {
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: 0,
    };
    let mut next = 0;
    let mut made = |path: Arc<str>, content: Content, attributes: Attributes| {
        next += 1;
        let size = match &content {
            Content::File(pieces) => pieces.iter().map(|piece| piece.len).sum(),
            Content::Link(target) => target.len() as u64,
            Content::Directory | Content::Special(_) => 0,
        };
        Entry {
            path,
            content,
            mode: attributes.mode,
            uid: attributes.uid,
            gid: attributes.gid,
            links: 1,
            size,
            object: next,
            mtime: (attributes.mtime, 0),
            xattrs: BTreeMap::new(),
        }
    };
    entries.insert("/".into(), made("/".into(), Content::Directory, implied));
    // What a hard link told last of the file that it leads to.
    let mut told: BTreeMap<u64, Entry> = BTreeMap::new();
    for it in layer {
        if &*it.path == "/" && it.content != LayerContent::Opaque {
            continue;
        }
        let mut path = &*it.path;
        while let Some(directory) = above(path) {
            entries
                .entry(directory.into())
                .or_insert_with(|| made(directory.into(), Content::Directory, implied));
            path = directory;
        }
        let path = it.path.clone();
        let mut entry = match &it.content {
            LayerContent::Opaque => {
                let directory = entries
                    .entry(path.clone())
                    .or_insert_with(|| made(path, Content::Directory, implied));
                directory.xattrs.insert(OPAQUE_ATTRIBUTE.into(), "y".into());
                continue;
            }
            LayerContent::Whiteout => {
                let attributes = Attributes { mode: 0, ..implied };
                made(path, Content::Special(WHITEOUT), attributes)
            }
            LayerContent::Directory(attributes) => made(path, Content::Directory, *attributes),
            LayerContent::File(attributes, pieces) => {
                made(path, Content::File(pieces.clone()), *attributes)
            }
            LayerContent::Link(attributes, target) => {
                made(path, Content::Link(target.clone()), *attributes)
            }
            LayerContent::Special(attributes, special) => {
                made(path, Content::Special(*special), *attributes)
            }
            LayerContent::HardLink(attributes, first) => {
                let Some(first) = entries.get(first) else {
                    continue;
                };
                let mut file = told.get(&first.object).unwrap_or(first).clone();
                file.path = path;
                // It tells anew of the file; a symbolic link keeps its mode.
                if !matches!(file.content, Content::Link(_)) {
                    file.mode = attributes.mode;
                }
                (file.uid, file.gid) = (attributes.uid, attributes.gid);
                file.mtime = (attributes.mtime, 0);
                file
            }
        };
        entry.xattrs.extend(it.xattrs.clone());
        if matches!(it.content, LayerContent::HardLink(..)) {
            told.insert(entry.object, entry.clone());
        }
        match entries.get(&it.path) {
            Some(before) if is_directory(before) && is_directory(&entry) => {
                // Directories merge.
                let marked = before.xattrs.clone();
                entry.xattrs.extend(marked);
            }
            Some(before) if is_directory(before) => {
                let below = format!("{}/", it.path);
                entries.retain(|path, _| !path.starts_with(&below));
            }
            _ => {}
        }
        entries.insert(it.path.clone(), entry);
    }
    let mut links: BTreeMap<u64, u64> = BTreeMap::new();
    for entry in entries.values() {
        *links.entry(entry.object).or_default() += 1;
    }
    let entries = entries.into_values().map(|entry| Entry {
        links: links[&entry.object],
        path: entry.path.clone(),
        ..told.get(&entry.object).cloned().unwrap_or(entry)
    });
    Tree {
        entries: entries.collect(),
    }
}

/// The layer that a directory of overlayfs is, with whiteouts as archives have them (`ConvertWrite` of Docker):
/// a device 0:0 is a whiteout, whatever other names it has, and behind a directory that hides others stands the
/// file that says so.
#[must_use]
pub fn pack(upper: &Tree, daemon: Daemon) -> Vec<LayerEntry> {
    let mut packed = Vec::new();
    for entry in layer(None, upper, daemon) {
        let path = entry.path.clone();
        let of = upper.get(&path);
        if of.is_some_and(is_whiteout) {
            packed.push(LayerEntry::new(path, LayerContent::Whiteout));
            continue;
        }
        packed.push(entry);
        if of.is_some_and(is_opaque) {
            packed.push(LayerEntry::new(path, LayerContent::Opaque));
        }
    }
    packed
}

/// What overlayfs shows of a directory over a lower tree.
#[must_use]
pub fn shown(lower: &Tree, upper: &Tree) -> Tree {
    let tops: BTreeMap<&str, &Entry> = upper.entries.iter().map(|it| (&*it.path, it)).collect();
    // Whether the upper directory hides what the lower tree has at a path, by something above it. Of its root
    // overlayfs does not ask whether it is opaque.
    let hidden = |path: &str| {
        let mut path = path;
        while let Some(directory) = above(path) {
            if tops
                .get(directory)
                .is_some_and(|it| !is_directory(it) || (is_opaque(it) && directory != "/"))
            {
                return true;
            }
            path = directory;
        }
        false
    };
    let under = lower
        .entries
        .iter()
        .filter(|it| !tops.contains_key(&*it.path) && !hidden(&it.path));
    let over = upper.entries.iter().filter(|it| !is_whiteout(it));
    let mut entries: Vec<Entry> = under
        .chain(over)
        .map(|it| {
            let mut entry = it.clone();
            // Its own attributes it keeps to itself, whatever they are (measured with `trusted.overlay.foo`, Linux 6.18).
            entry
                .xattrs
                .retain(|name, _| !name.starts_with("trusted.overlay."));
            entry
        })
        .collect();
    entries.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    Tree { entries }
}
