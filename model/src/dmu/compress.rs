//! What compression makes of a block: a hole, nothing but a block pointer, fewer sectors, or nothing.

use std::cell::RefCell;
use std::collections::HashMap;

use super::data::{Piece, Source, to_bytes};
use super::storage::{Figure, Storage};
use super::{gzip, lz4, zle};
use crate::fault::Fault;
use crate::release::Release;

/// How the blocks of a file are compressed (property `compression`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// How far this shrinks a block is unknown.
    Lzjb,
    /// At a level from 1 to 9.
    Gzip(i16),
    /// At a level, below 0 the fast ones. How far it shrinks a block may be known ([`Zstd`]).
    Zstd(i16),
}

/// The size of bytes that are compressed with zstd at a level, when it is at most so many bytes: the model does
/// not have that itself.
#[derive(Clone, Copy)]
pub struct Zstd(pub fn(&[u8], i32, u64) -> Option<u64>);

impl std::fmt::Debug for Zstd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Zstd")
    }
}

/// There is one version of it in all releases.
impl PartialEq for Zstd {
    fn eq(&self, _: &Zstd) -> bool {
        true
    }
}

impl Eq for Zstd {}

/// The smallest block of which zstd first looks whether it is worth it (`zstd_abort_size`).
const TRIED: u64 = 128 << 10;

impl Zstd {
    /// The compressed size of a block. From level 3 on a large one is not compressed at all when neither lz4 nor
    /// level 1 could (`zfs_zstd_compress`).
    fn size(self, bytes: &[u8], level: i32, room: u64, release: Release) -> Option<u64> {
        let size = |level| (self.0)(bytes, level, room);
        let tries = release >= Release::V2_3 && level >= 3 && bytes.len() as u64 >= TRIED;
        if tries && lz4::size(bytes, room).is_none() && size(1).is_none() {
            return None;
        }
        size(level)
    }
}

impl Compression {
    /// What a value of property `compression` means (`zio_compress_table`).
    pub(crate) fn by_word(word: &str) -> Compression {
        let level = |rest: &str, usual: i16| {
            let level = rest.strip_prefix('-').and_then(|it| it.parse().ok());
            level.unwrap_or(usual)
        };
        if let Some(rest) = word.strip_prefix("zstd-fast") {
            return Compression::Zstd(-level(rest, 1));
        } else if let Some(rest) = word.strip_prefix("zstd") {
            return Compression::Zstd(level(rest, 3));
        } else if let Some(rest) = word.strip_prefix("gzip") {
            return Compression::Gzip(level(rest, 6));
        }
        match word {
            "off" => Compression::Off,
            "zle" => Compression::Zle,
            "lz4" => Compression::Lz4,
            _ => Compression::Lzjb,
        }
    }

    /// Whether the model knows how far it shrinks a block.
    pub(super) fn is_known(self) -> bool {
        !matches!(self, Compression::Lzjb | Compression::Zstd(_))
    }

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
    if let [
        Piece {
            source: Source::Random(_),
            ..
        },
    ] = pieces
    {
        return Figure::exact(size);
    }
    let room = room(size, how, on);
    let smaller = match (how, on.zstd) {
        (Compression::Off | Compression::Empty, _) => return Figure::exact(size),
        (Compression::Lzjb | Compression::Zstd(_), None) | (Compression::Lzjb, _) => {
            return Figure {
                least: if embeds { 0 } else { on.unit().min(size) },
                most: size,
            };
        }
        (_, zstd) => smaller(pieces, how, room, zstd, on.release),
    };
    Figure::exact(match smaller {
        Some(bytes) if bytes <= EMBEDDED && embeds => {
            u64::from(on.faulty(Fault::EmbeddedIsCharged))
        }
        Some(bytes) => bytes.next_multiple_of(on.unit()).min(size),
        None => size,
    })
}

/// The compressed size of a block, in bytes, if that is at most `room`.
///
/// What is drawn has few contents: each is compressed once.
fn smaller(
    pieces: &[Piece],
    how: Compression,
    room: u64,
    zstd: Option<Zstd>,
    release: Release,
) -> Option<u64> {
    /// So many are kept, of a few pieces each.
    const KEPT: usize = 4096;
    type Key = (Vec<Piece>, Compression, u64, bool, Release);
    thread_local! {
        static KNOWN: RefCell<HashMap<Key, Option<u64>>> = RefCell::default();
    }
    let compress = || {
        let bytes = to_bytes(pieces);
        match (how, zstd) {
            (Compression::Zle, _) => zle::size(&bytes, room),
            (Compression::Gzip(level), _) => gzip::size(&bytes, level, room),
            (Compression::Zstd(level), Some(zstd)) => {
                zstd.size(&bytes, level.into(), room, release)
            }
            _ => lz4::size(&bytes, room),
        }
    };
    let is_short = |piece: &Piece| !matches!(piece.source, Source::Bytes(_));
    if pieces.len() > 4 || !pieces.iter().all(is_short) {
        return compress();
    }
    KNOWN.with_borrow_mut(|known| {
        let key = (pieces.to_vec(), how, room, zstd.is_some(), release);
        if known.len() == KEPT {
            known.clear();
        }
        *known.entry(key).or_insert_with(compress)
    })
}

/// How many bytes its pointer holds of a block that it has room for.
pub(super) fn held(pieces: &[Piece], how: Compression) -> u64 {
    let bytes = to_bytes(pieces);
    let size = match how {
        Compression::Zle => zle::size(&bytes, EMBEDDED),
        Compression::Gzip(level) => gzip::size(&bytes, level, EMBEDDED),
        _ => lz4::size(&bytes, EMBEDDED),
    };
    size.unwrap_or(EMBEDDED)
}

/// The size at which a block of metadata is stored that compresses to so many bytes.
pub(super) fn metadata(compressed: Figure, size: u64, embeds: bool, on: &Storage) -> Figure {
    if !on.metadata_lz4 {
        return Figure {
            least: if embeds { 0 } else { on.unit().min(size) },
            most: size,
        };
    }
    let room = room(size, Compression::Lz4, on);
    compressed.map(|bytes| {
        if bytes <= EMBEDDED && embeds {
            0
        } else if bytes <= room {
            bytes.next_multiple_of(on.unit()).min(size)
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
    match room - room % on.unit() {
        0 => EMBEDDED,
        room => room,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_levels() {
        for (word, how) in [
            ("off", Compression::Off),
            ("zle", Compression::Zle),
            ("lz4", Compression::Lz4),
            ("lzjb", Compression::Lzjb),
            ("gzip", Compression::Gzip(6)),
            ("gzip-9", Compression::Gzip(9)),
            ("zstd", Compression::Zstd(3)),
            ("zstd-19", Compression::Zstd(19)),
            ("zstd-fast", Compression::Zstd(-1)),
            ("zstd-fast-500", Compression::Zstd(-500)),
        ] {
            assert_eq!(Compression::by_word(word), how, "{word}");
        }
    }

    /// `zfs_zstd_compress`: neither lz4 nor level 1 could do anything with noise.
    #[test]
    fn zstd_gives_up_early_on_large_blocks_from_level_3_on() {
        let only_from_3 = Zstd(|_, level, _| (level >= 3).then_some(5000));
        let always = Zstd(|_, level, _| Some(5000 + u64::from(level.unsigned_abs())));
        let block = |source: Source, len: u64| to_bytes(&[source.piece(len)]);
        let noise = |len| block(Source::Random(1), len);
        let (size, room) = (128 << 10, 112 << 10);
        let new = Release::V2_3;
        assert_eq!(only_from_3.size(&noise(size), 3, room, new), None);
        assert_eq!(only_from_3.size(&noise(size), 2, room, new), None);
        assert_eq!(always.size(&noise(size), 3, room, new), Some(5003));
        assert_eq!(always.size(&noise(size), 2, room, new), Some(5002));
        // A smaller one, an older release, and what lz4 can shrink.
        assert_eq!(only_from_3.size(&noise(size - 1), 3, room, new), Some(5000));
        let old = only_from_3.size(&noise(size), 3, room, Release::V2_1);
        assert_eq!(old, Some(5000));
        let text = block(Source::Text(1), size);
        assert_eq!(only_from_3.size(&text, 3, room, new), Some(5000));
    }

    #[test]
    fn a_pointer_holds_what_the_compression_of_its_block_makes() {
        let pieces = [Source::Text(1).piece(64), Source::Zero.piece(448)];
        let bytes = to_bytes(&pieces);
        let of = [Compression::Lz4, Compression::Zle, Compression::Gzip(6)];
        let found = of.map(|how| held(&pieces, how));
        // 64 bytes and the length of them, and of two runs of zeros.
        assert_eq!(found[1], 65 + 3);
        let expected = [
            lz4::size(&bytes, 112),
            zle::size(&bytes, 112),
            gzip::size(&bytes, 6, 112),
        ];
        assert_eq!(found.map(Some), expected);
        assert!(found[0] != found[1] && found[1] != found[2] && found[0] != found[2]);
        // One that does not fit fills it.
        assert_eq!(
            held(&[Source::Random(1).piece(512)], Compression::Lz4),
            EMBEDDED
        );
    }
}
