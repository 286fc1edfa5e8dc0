//! The blocks of a directory: a table of names and objects (`zap_micro.c`, `zap.c`).

use super::storage::{Figure, Storage};
use super::{ObjectId, Objects, compress, indirect, lz4};
use crate::maps::Names;
use crate::zpl::znode::Body;

/// An entry of a small table, or its header, in bytes (`MZAP_ENT_LEN`).
const ENTRY: usize = 64;

/// A name in a small table is shorter than so many bytes (`MZAP_NAME_LEN`).
const NAME: usize = 50;

/// The largest block of a small table, in bytes (`MZAP_MAX_BLKSZ`).
const LARGEST: u64 = 128 << 10;

/// The size of a block of a large table, in bytes.
const LARGE: u64 = 16 << 10;

/// The names in a leaf of a large table, at least and at most, when it has several.
const NAMES: (u64, u64) = (100, 640);

/// By how many bytes the compressed size of a small table is off at most.
const UNSURE: u64 = 6;

/// The sizes at which the blocks of a directory are stored.
pub(super) fn stored(
    id: ObjectId,
    entries: &Names<ObjectId>,
    objects: &Objects,
    embeds: bool,
    on: &Storage,
) -> Vec<Figure> {
    let count = entries.len() as u64;
    let size = (ENTRY as u64 * (count + 1)).next_multiple_of(512);
    if size > LARGEST || entries.keys().any(|name| name.len() >= NAME) {
        let leaf = compress::metadata(
            Figure {
                least: 200,
                most: LARGE,
            },
            LARGE,
            false,
            on,
        );
        let leaves = Figure {
            least: (count / NAMES.1).max(1),
            most: (count / NAMES.0).max(1),
        };
        // A header, leaves, and if there are many a block above.
        return vec![
            leaf,
            Figure {
                least: leaf.least * leaves.least,
                most: leaf.most * leaves.most,
            },
        ];
    }
    let image = image(id, entries, objects, size);
    let likely = lz4::size(&image, size).unwrap_or(size);
    let unsure = Figure {
        least: likely.saturating_sub(UNSURE + count / 4),
        most: likely + UNSURE + count / 4,
    };
    vec![compress::metadata(unsure, size, embeds, on)]
}

/// The bytes of a small table (`mzap_phys_t`).
fn image(id: ObjectId, entries: &Names<ObjectId>, objects: &Objects, size: u64) -> Vec<u8> {
    let mut image = vec![0; usize::try_from(size).unwrap_or(0)];
    let salt = indirect::noise(id, 0) >> 34 | 1;
    image[..8].copy_from_slice(&0x8000_0000_0000_0003_u64.to_le_bytes());
    image[8..16].copy_from_slice(&salt.to_le_bytes());
    for (entry, (name, object)) in image[ENTRY..].chunks_exact_mut(ENTRY).zip(entries) {
        // What it is stands in the four upmost bits.
        let kind = match objects.get(object).map(|it| &it.body) {
            Some(Body::Directory { .. }) => 4,
            Some(Body::Link(_)) => 10,
            _ => 8,
        };
        entry[..8].copy_from_slice(&(object | kind << 60).to_le_bytes());
        entry[14..14 + name.len()].copy_from_slice(name.as_bytes());
    }
    image
}
