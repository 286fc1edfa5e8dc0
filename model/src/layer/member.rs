//! What an archive of a layer says, entry by entry, before a daemon makes sense of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{Attributes, LayerContent, LayerEntry};
use crate::dmu::data::Piece;
use crate::zpl::znode::Special;

/// What the name of a whiteout starts with.
pub const WHITEOUT: &str = ".wh.";

/// The name of the file that makes its directory opaque.
pub const OPAQUE: &str = ".wh..wh..opq";

/// What names start with that aufs left in layers.
pub(super) const META: &str = ".wh..wh.";

/// Where aufs kept what several names lead to.
pub(super) const LINKS: &str = ".wh..wh.plnk";

/// One entry of a layer's archive. Whiteouts are files with names of their kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name as it stands there.
    pub name: Arc<str>,
    /// What it is.
    pub content: MemberContent,
    /// Owner, mode and time.
    pub attributes: Attributes,
    /// Extended attributes by their names.
    pub xattrs: BTreeMap<Arc<str>, Bytes>,
    /// How many bytes it claims to have; daemons add that up, whatever it is.
    pub size: u64,
}

/// What a [`Member`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberContent {
    /// A directory.
    Directory,
    /// A regular file with its bytes.
    File(Arc<[Piece]>),
    /// A symbolic link with its target.
    Link(Arc<str>),
    /// Another name of a file: the name of that, as it stands there.
    HardLink(Arc<str>),
    /// A device or a FIFO.
    Special(Special),
    /// Records about the archive, which daemons pass over.
    Global,
    /// Something that no daemon unpacks, by the byte that stands for it.
    Unknown(u8),
}

/// How many bytes a layer has for a daemon that unpacks it (`ApplyDiff` of Docker, `Apply` of containerd).
#[must_use]
pub fn unpacked_size(layer: &[Member]) -> u64 {
    // Sizes are only claims, and may be of any number.
    let sizes = layer.iter().map(|member| member.size);
    sizes.fold(0, u64::saturating_add)
}

/// A path from `/` without `.`, `..` and empty names; what leads out of the root stays there.
pub(super) fn rooted(name: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in name.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// Whether a name stays inside of what it starts from (`filepath.IsLocal` of Go).
pub(super) fn is_local(name: &str) -> bool {
    let mut depth = 0_usize;
    !name.is_empty()
        && !name.starts_with('/')
        && name.split('/').all(|name| match name {
            "" | "." => true,
            ".." => {
                let is_in = depth > 0;
                depth = depth.saturating_sub(1);
                is_in
            }
            _ => {
                depth += 1;
                true
            }
        })
}

/// The archive that says this.
#[must_use]
pub fn members(layer: &[LayerEntry]) -> Vec<Member> {
    layer.iter().map(member).collect()
}

fn member(entry: &LayerEntry) -> Member {
    let path = entry.path.trim_start_matches('/');
    let (above, last) = path.rsplit_once('/').unwrap_or(("", path));
    let within = |directory: &str, name: String| match directory {
        "" => name,
        _ => format!("{directory}/{name}"),
    };
    let nothing = || (Attributes::default(), MemberContent::File(Arc::from([])));
    let mut name = path.to_owned();
    let (attributes, content) = match &entry.content {
        LayerContent::Whiteout => {
            name = within(above, format!("{WHITEOUT}{last}"));
            nothing()
        }
        LayerContent::Opaque => {
            name = within(path, OPAQUE.to_owned());
            nothing()
        }
        LayerContent::Directory(it) => (*it, MemberContent::Directory),
        LayerContent::File(it, pieces) => (*it, MemberContent::File(pieces.clone())),
        LayerContent::Link(it, target) => (*it, MemberContent::Link(target.clone())),
        LayerContent::Special(it, special) => (*it, MemberContent::Special(*special)),
        LayerContent::HardLink(it, target) => (*it, MemberContent::HardLink(target.clone())),
    };
    let size = match &content {
        MemberContent::File(pieces) => pieces.iter().map(|piece| piece.len).sum(),
        _ => 0,
    };
    Member {
        name: name.into(),
        content,
        attributes,
        xattrs: entry.xattrs.clone(),
        size,
    }
}

/// What a layer means: whiteouts for the files with their names. What says nothing is left out.
#[must_use]
pub fn entries(layer: &[Member]) -> Vec<LayerEntry> {
    layer.iter().filter_map(entry).collect()
}

fn entry(member: &Member) -> Option<LayerEntry> {
    let path = rooted(&member.name);
    let (above, last) = path.rsplit_once('/').unwrap_or(("", &path));
    let above = if above.is_empty() { "/" } else { above };
    let of = |path: &str, content| Some(LayerEntry::new(path, content));
    if last == OPAQUE {
        return of(above, LayerContent::Opaque);
    }
    if path.split('/').any(|name| name.starts_with(META)) {
        return None;
    }
    if let Some(removed) = last.strip_prefix(WHITEOUT) {
        let path = rooted(&format!("{above}/{removed}"));
        return of(&path, LayerContent::Whiteout);
    }
    let attributes = member.attributes;
    let content = match &member.content {
        MemberContent::Directory => LayerContent::Directory(attributes),
        MemberContent::File(pieces) => LayerContent::File(attributes, pieces.clone()),
        MemberContent::Link(target) => LayerContent::Link(attributes, target.clone()),
        MemberContent::Special(special) => LayerContent::Special(attributes, *special),
        MemberContent::HardLink(target) => {
            LayerContent::HardLink(attributes, rooted(target).into())
        }
        MemberContent::Global | MemberContent::Unknown(_) => return None,
    };
    Some(LayerEntry {
        xattrs: member.xattrs.clone(),
        ..LayerEntry::new(path, content)
    })
}
