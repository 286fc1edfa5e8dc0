//! Where the attributes of a file stand: in its dnode, or behind a short header in a block of their own, the
//! spill block (`sa.c`).

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::data::{Piece, to_bytes};
use super::directory::{self, LARGE};
use super::storage::Figure;
use super::{indirect, lz4};
use crate::zpl::znode::{Body, Xattrs, Znode};

/// The room of a spill block's pointer, in bytes.
pub(super) const POINTER: u64 = 128;

/// What stands before the attributes in a dnode, with the first block pointer, in bytes (`DN_BONUS_SIZE`).
const BEFORE: u64 = 192;

/// The header of attributes of which one has no fixed size (`sa_hdr_phys_t`), in bytes; each more takes two.
const HEADER: u64 = 8;

/// So many tables of layouts are kept.
const KEPT: usize = 1024;

/// How often the hashes of a table of layouts are drawn.
const DRAWN: u64 = 8;

/// An attribute, or several that always stand together, in the order of a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Attribute {
    /// From the mode to the links, and the number of rights.
    Plain,
    /// The project.
    Project,
    /// The number of a device (`ZPL_RDEV`).
    Device,
    /// Who may do what (`ZPL_DACL_ACES`).
    Rights,
    /// The target of a link (`ZPL_SYMLINK`).
    Target,
    /// The number of the directory with its extended attributes (`ZPL_XATTR`).
    Directory,
    /// Extended attributes (`ZPL_DXATTR`).
    Inline,
}

impl Attribute {
    /// Whether its size is told in the header.
    fn is_sized(self) -> bool {
        matches!(
            self,
            Attribute::Rights | Attribute::Target | Attribute::Inline
        )
    }

    /// Their numbers (`zpl_attr_t`).
    fn numbers(self) -> &'static [u16] {
        match self {
            Attribute::Plain => &[5, 6, 4, 12, 13, 7, 11, 0, 1, 2, 3, 8],
            Attribute::Project => &[21],
            Attribute::Device => &[10],
            Attribute::Rights => &[16, 19],
            Attribute::Target => &[17],
            Attribute::Directory => &[9],
            Attribute::Inline => &[20],
        }
    }
}

/// To how many bytes a table of layouts compresses: a leaf with the numbers of the attributes of each
/// (`sa_find_layout`). How its names are hashed is drawn when it is made, here several times.
///
/// Most filesystems have the same few: each table is compressed once.
pub(super) fn layouts_size(layouts: &[&[Attribute]]) -> Figure {
    type Key = Vec<Vec<Attribute>>;
    thread_local! {
        static KNOWN: RefCell<HashMap<Key, Figure>> = RefCell::default();
    }
    let key: Key = layouts.iter().map(|it| it.to_vec()).collect();
    KNOWN.with_borrow_mut(|known| {
        if known.len() == KEPT {
            known.clear();
        }
        *known.entry(key).or_insert_with(|| drawn_size(layouts))
    })
}

fn drawn_size(layouts: &[&[Attribute]]) -> Figure {
    let values = layouts.iter().map(|attributes| -> Vec<u8> {
        let numbers = attributes.iter().flat_map(|it| it.numbers());
        numbers.flat_map(|it| it.to_be_bytes()).collect()
    });
    let values: Vec<_> = values.collect();
    let sizes = (0..DRAWN).map(|drawn| {
        let entries = (2_u64..).zip(&values);
        let entries = entries.map(|(number, value)| {
            let hash = indirect::noise(number, drawn);
            (number.to_string(), 2, value, hash)
        });
        lz4::size(&directory::leaf_of(entries), LARGE).unwrap_or(LARGE)
    });
    let (least, most) = sizes.fold((LARGE, 0), |(least, most), size| {
        (least.min(size), most.max(size))
    });
    // As far apart as those of two hundred.
    let unsure = 2 + layouts.len() as u64;
    Figure {
        least: least - unsure,
        most: most + unsure,
    }
}

/// Which attributes stand where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// In the dnode.
    pub bonus: Vec<Attribute>,
    /// In the spill block; none when there is no such block.
    pub spill: Vec<Attribute>,
    /// What they take there with their header, in bytes.
    pub need: u64,
}

impl Layout {
    /// That of a file (`sa_build_layouts`, `sa_find_sizes`).
    pub fn of(znode: &Znode, has_project: bool) -> Layout {
        let all = attributes(znode, has_project);
        let room = 512 * znode.slots - BEFORE;
        let (mut total, mut header, mut sized) = (0_u64, HEADER, 0);
        let mut first = None;
        let mut spills = false;
        for (index, &(_, len, is_sized)) in all.iter().enumerate() {
            total = total.next_multiple_of(8) + len;
            sized += u64::from(is_sized);
            let wider = header + if is_sized && sized > 1 { 2 } else { 0 };
            // Where the pointer to a spill block would stand.
            if total + wider.next_multiple_of(8) > room - POINTER {
                first = first.or(Some(index));
            }
            if wider == header || wider + total < room {
                header = wider;
                spills = total + header.next_multiple_of(8) > room;
            } else {
                spills = true;
            }
            if spills {
                break;
            }
        }
        let split = first.filter(|_| spills).unwrap_or(all.len());
        let (bonus, spill) = all.split_at(split);
        let names = |of: &[(Attribute, u64, bool)]| -> Vec<Attribute> {
            of.iter().map(|it| it.0).collect()
        };
        let mut need = header_of(&names(spill));
        for (_, len, _) in spill {
            need = need.next_multiple_of(8) + len;
        }
        Layout {
            bonus: names(bonus),
            spill: names(spill),
            need: if spill.is_empty() { 0 } else { need },
        }
    }

    /// Whether the extended attributes stand in the dnode.
    pub fn has_inline(&self) -> bool {
        self.bonus.contains(&Attribute::Inline)
    }
}

/// What attributes are written over: nothing clears what is behind them, as long as there is a spill block
/// (`sa_build_layouts`, `dnode_setbonuslen`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    /// The extended attributes that stood in a dnode of several slots, and how many bytes behind [`BEFORE`].
    pub(super) bonus: (usize, Bytes),
    /// All that the spill block has.
    pub(super) spill: Bytes,
}

impl Left {
    /// What is there once the attributes of a file stand as its layout says.
    pub(super) fn behind(&self, znode: &Znode, layout: &Layout) -> Left {
        let bonus = match &znode.xattrs {
            Some(xattrs) if layout.has_inline() && znode.slots > 1 => {
                let inline = packed(xattrs.inline.as_deref().unwrap_or(&[]));
                (inline_at(znode), inline.into())
            }
            _ if layout.spill.is_empty() => Default::default(),
            _ => self.bonus.clone(),
        };
        let mut spill = Vec::new();
        if !layout.spill.is_empty() {
            spill = spilled(znode, layout);
            spill.extend(self.spill.get(spill.len()..).unwrap_or_default());
        }
        let spill = spill.into();
        Left { bonus, spill }
    }
}

/// Where in the dnode the extended attributes of a file begin, in bytes behind [`BEFORE`].
pub(super) fn inline_at(znode: &Znode) -> usize {
    let of_target = match &znode.body {
        Body::Link(target) => target.len().next_multiple_of(8),
        _ => 8 * usize::try_from(rights(znode.mode)).unwrap_or(3) - 16,
    };
    176 + of_target
}

/// The bytes of the header in front of attributes.
pub(super) fn header_of(attributes: &[Attribute]) -> u64 {
    let sized = attributes.iter().filter(|it| it.is_sized()).count() as u64;
    (HEADER + 2 * sized.saturating_sub(1)).next_multiple_of(8)
}

/// The attributes of a file in their order, with how many bytes each takes, and whether that varies.
fn attributes(znode: &Znode, has_project: bool) -> Vec<(Attribute, u64, bool)> {
    let mut all = vec![(Attribute::Plain, 136, false)];
    if has_project {
        all.push((Attribute::Project, 8, false));
    }
    if let Body::Special(special) = &znode.body
        && special.device().is_some()
    {
        all.push((Attribute::Device, 8, false));
    }
    all.push((Attribute::Rights, 8 * rights(znode.mode), true));
    if let Body::Link(target) = &znode.body {
        all.push((Attribute::Target, target.len() as u64, true));
    }
    if let Some(xattrs) = &znode.xattrs {
        let inline = xattrs.inline.as_deref();
        let inline = inline.map(|them| (Attribute::Inline, packed_size(them), true));
        let directory = xattrs.directory;
        let directory = directory.map(|_| (Attribute::Directory, 8, false));
        // What came later stands behind.
        if xattrs.directory_first {
            all.extend(directory.into_iter().chain(inline));
        } else {
            all.extend(inline.into_iter().chain(directory));
        }
    }
    all
}

/// How many entries say what owner, group and others may do: one each, and one where others may what those
/// before them may not (`acl_trivial_access_masks`).
pub(super) fn rights(mode: u32) -> u64 {
    let [owner, group, others] = [mode >> 6 & 7, mode >> 3 & 7, mode & 7];
    let denies_owner = !owner & (group | others) != 0;
    let denies_group = !group & others != 0;
    let allows_owner = owner & !group & others != 0;
    3 + u64::from(denies_owner) + u64::from(denies_group) + u64::from(allows_owner)
}

/// The bytes of a spill block up to the end of its attributes, with what nobody knows made up.
pub(super) fn spilled(znode: &Znode, layout: &Layout) -> Vec<u8> {
    // Which layout it is is a small number, and how long each attribute is that has no fixed size.
    let mut bytes = vec![0x5a, 0x50, 0x2f, 0, 5, 4, 0, 0];
    let header = usize::try_from(header_of(&layout.spill));
    bytes.resize(header.unwrap_or(8), 0);
    for attribute in &layout.spill {
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        match (attribute, &znode.body, &znode.xattrs) {
            (Attribute::Target, Body::Link(target), _) => bytes.extend(target.as_bytes()),
            (Attribute::Inline, _, Some(xattrs)) => {
                bytes.extend(packed(xattrs.inline.as_deref().unwrap_or(&[])));
            }
            (Attribute::Device, Body::Special(special), _) => {
                let (major, minor) = special.device().unwrap_or_default();
                bytes.extend((u64::from(major) << 32 | u64::from(minor)).to_le_bytes());
            }
            (Attribute::Directory, _, Some(xattrs)) => {
                bytes.extend(xattrs.directory.unwrap_or(0).to_le_bytes());
            }
            (Attribute::Rights, ..) => {
                let count = usize::try_from(rights(znode.mode)).unwrap_or(3);
                bytes.extend([0x20, 0x20, 0x40, 0, 0, 0, 0x12, 0].repeat(count));
            }
            _ => {}
        }
    }
    bytes
}

/// The size of extended attributes as they are stored, in bytes.
pub(crate) fn packed_size(attributes: &[(Arc<str>, Piece)]) -> u64 {
    let size = |(name, value): &(Arc<str>, Piece)| {
        20 + (name.len() as u64).next_multiple_of(4) + value.len.next_multiple_of(4)
    };
    20 + attributes.iter().map(size).sum::<u64>()
}

/// Extended attributes as they are stored: a list of names and values in the form of XDR (`nvs_xdr_nvlist`).
pub(super) fn packed(attributes: &[(Arc<str>, Piece)]) -> Vec<u8> {
    // Encoding, byte order; version, flags.
    let mut bytes = vec![1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let word = |bytes: &mut Vec<u8>, number: u64| {
        bytes.extend(u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    };
    for (name, value) in attributes {
        let padded = |len: u64| len.next_multiple_of(4);
        let in_memory = |len: u64| len.next_multiple_of(8);
        let (name_len, len) = (name.len() as u64, value.len);
        word(&mut bytes, 20 + padded(name_len) + padded(len));
        word(&mut bytes, in_memory(17 + name_len) + in_memory(len));
        word(&mut bytes, name_len);
        bytes.extend(name.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        // An array of bytes (`DATA_TYPE_BYTE_ARRAY`).
        word(&mut bytes, 10);
        word(&mut bytes, len);
        bytes.extend(to_bytes(std::slice::from_ref(value)));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes.extend([0; 8]);
    bytes
}

/// The size of the spill block that a file has once its attributes stand as its layout says: it never shrinks
/// (`sa_resize_spill`).
pub(super) fn spill_size(xattrs: Option<&Xattrs>, layout: &Layout) -> u64 {
    match layout.need {
        0 => 0,
        need => need
            .next_multiple_of(512)
            .max(xattrs.map_or(0, |it| it.spill)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dmu::data::Source;

    fn file(value: u64) -> Znode {
        let inline = vec![("user.a".into(), Source::Random(1).piece(value))];
        Znode {
            xattrs: Some(Box::new(Xattrs {
                inline: Some(inline),
                ..Xattrs::default()
            })),
            ..Znode::new(Body::File(crate::dmu::Blocks::default()), 0o644, 0, 0, 1, 0)
        }
    }

    #[test]
    fn a_value_of_88_bytes_fits_into_a_dnode() {
        // Measured: one attribute `user.a` of a file.
        assert_eq!(Layout::of(&file(88), true).need, 0);
        let spilled = Layout::of(&file(89), true);
        assert_eq!(spilled.spill, [Attribute::Inline]);
        assert_eq!(spilled.need, 8 + 48 + 92);
    }

    #[test]
    fn the_size_is_that_of_the_bytes() {
        for len in [0, 1, 4, 61] {
            let inline = [
                (Arc::from("user.a"), Source::Random(1).piece(len)),
                (Arc::from("trusted.b"), Source::Zero.piece(7)),
            ];
            assert_eq!(packed(&inline).len() as u64, packed_size(&inline));
        }
    }

    #[test]
    fn unusual_modes_need_more_rights() {
        assert_eq!([0o755, 0o644, 0o600, 0o777].map(rights), [3; 4]);
        assert_eq!([0o077, 0o707, 0o007].map(rights), [4, 5, 5]);
    }
}
