//! What compression makes of a block: a hole, nothing but a block pointer, fewer sectors, or nothing.

use super::data::{Piece, to_bytes};
use super::storage::{Figure, Storage};
use super::{lz4, zle};
use crate::fault::Fault;
use crate::release::Release;

/// How the blocks of a file are compressed (property `compression`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all; zeros are stored, too.
    #[default]
    Off,
    /// Only blocks of zeros, to holes: as deduplicated blocks are that are not compressed.
    Empty,
    /// Runs of zeros.
    Zle,
    /// The usual.
    Lz4,
    /// An algorithm that the model does not have, by its name: how far it shrinks a block is unknown.
    Other(&'static str),
}

impl Compression {
    /// Whether blocks are compressed that are not all zeros.
    pub(super) fn compresses(self) -> bool {
        !matches!(self, Compression::Off | Compression::Empty)
    }
}

/// What fits into a block pointer, in bytes (`BPE_PAYLOAD_SIZE`).
pub(super) const EMBEDDED: u64 = 112;

/// The size at which a block that is no hole is stored, in bytes; 0 when its pointer holds it
/// (`zio_write_compress`). `embeds` tells whether pointers may.
#[must_use]
pub(super) fn stored(
    pieces: &[Piece],
    size: u64,
    how: Compression,
    embeds: bool,
    on: &Storage,
) -> Figure {
    let room = room(size, how, on);
    let at_most = |bytes: &[u8]| match how {
        Compression::Zle => zle::size(bytes, room),
        _ => lz4::size(bytes, room),
    };
    let compressed = match how {
        Compression::Off | Compression::Empty => return Figure::exact(size),
        Compression::Other(_) => {
            return Figure {
                least: if embeds { 0 } else { on.sector().min(size) },
                most: size,
            };
        }
        Compression::Zle | Compression::Lz4 => at_most(&to_bytes(pieces)),
    };
    Figure::exact(match compressed {
        Some(bytes) if bytes <= EMBEDDED && embeds => {
            u64::from(on.faulty(Fault::EmbeddedIsCharged))
        }
        Some(bytes) => bytes.next_multiple_of(on.sector()).min(size),
        None => size,
    })
}

/// How many bytes its pointer holds of a block that it has room for.
pub(super) fn held(pieces: &[Piece], how: Compression) -> u64 {
    let bytes = to_bytes(pieces);
    let size = match how {
        Compression::Zle => zle::size(&bytes, EMBEDDED),
        _ => lz4::size(&bytes, EMBEDDED),
    };
    size.unwrap_or(EMBEDDED)
}

/// The size at which a block of metadata is stored that compresses to so many bytes.
pub(super) fn metadata(compressed: Figure, size: u64, embeds: bool, on: &Storage) -> Figure {
    if !on.metadata_lz4 {
        return Figure {
            least: if embeds { 0 } else { on.sector().min(size) },
            most: size,
        };
    }
    let room = room(size, Compression::Lz4, on);
    compressed.map(|bytes| {
        if bytes <= EMBEDDED && embeds {
            0
        } else if bytes <= room {
            bytes.next_multiple_of(on.sector()).min(size)
        } else {
            size
        }
    })
}

/// To how many bytes a block has to shrink. An eighth has to be saved (`zio_get_compression_max_size`); since
/// 2.3 whole sectors of it.
fn room(size: u64, how: Compression, on: &Storage) -> u64 {
    let room = size - size / 8;
    if on.release < Release::V2_3 || how == Compression::Zle {
        return room;
    }
    match room - room % on.sector() {
        0 => EMBEDDED,
        room => room,
    }
}
