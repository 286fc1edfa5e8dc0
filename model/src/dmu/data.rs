//! The content of files, as symbols: named data is never held as bytes.
//!
//! The generator is frozen as **v1**: traces name its output by seed, so a change here would change
//! what every recorded trace means. Test vectors below pin it.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

/// Where a byte sequence comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Zeros.
    Zero,
    /// Bytes that no compressor shrinks, from this seed.
    Random(u64),
    /// Lines of text that every compressor shrinks, from this seed.
    Text(u64),
    /// These bytes; past their end, zeros.
    Bytes(Bytes),
}

/// A run of bytes: `len` bytes of `source`, from `position` of it on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Piece {
    /// Length in bytes.
    pub len: u64,
    /// Where in the source it starts, in bytes. Always 0 for zeros.
    pub position: u64,
    /// What it is made of.
    pub source: Source,
}

/// The bytes of a block. Most blocks are of one piece, which then costs no memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pieces {
    /// One piece.
    One(Piece),
    /// Several, one after the other.
    Several(Arc<[Piece]>),
}

impl From<Vec<Piece>> for Pieces {
    fn from(mut pieces: Vec<Piece>) -> Pieces {
        match pieces.pop() {
            Some(piece) if pieces.is_empty() => Pieces::One(piece),
            last => {
                pieces.extend(last);
                Pieces::Several(pieces.into())
            }
        }
    }
}

impl Deref for Pieces {
    type Target = [Piece];

    fn deref(&self) -> &[Piece] {
        match self {
            Pieces::One(piece) => std::slice::from_ref(piece),
            Pieces::Several(pieces) => pieces,
        }
    }
}

/// Cells of text v1: 16 bytes each, so that a position finds its cell by division.
const PHRASES: [&[u8; 16]; 16] = [
    b"every block has ",
    b"a birth of its  ",
    b"own, and no one\n",
    b"writes it twice ",
    b"the tree above  ",
    b"it is new again ",
    b"from leaf to the",
    b" root each time\n",
    b"snapshots cost  ",
    b"nothing but what",
    b" later changes, ",
    b"clones even less",
    b"; a hole is not ",
    b"a block, it has\n",
    b"no place on disk",
    b" and reads zero\n",
];

/// The mixing function of generator v1: a bijection of 64-bit words with full avalanche.
const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Word number `index` of the stream of `seed`.
const fn word(seed: u64, index: u64) -> u64 {
    mix(mix(seed).wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// Fills `out` with the bytes of `cell(index)`, from byte `position` of their concatenation on.
fn fill<const N: usize>(position: u64, out: &mut [u8], cell: impl Fn(u64) -> [u8; N]) {
    let size = N as u64;
    let mut index = position / size;
    // Less than N, so it fits.
    let mut skip = usize::try_from(position % size).unwrap_or(0);
    let mut done = 0;
    while done < out.len() {
        let bytes = cell(index);
        let take = (N - skip).min(out.len() - done);
        out[done..done + take].copy_from_slice(&bytes[skip..skip + take]);
        done += take;
        skip = 0;
        index += 1;
    }
}

impl Source {
    /// Fills `out` with its bytes from `position` on.
    pub fn read(&self, position: u64, out: &mut [u8]) {
        match self {
            Source::Zero => out.fill(0),
            Source::Random(seed) => fill(position, out, |index| word(*seed, index).to_le_bytes()),
            Source::Text(seed) => fill(position, out, |index| {
                // Four bits choose among sixteen phrases.
                let phrase = usize::try_from(word(*seed, index) >> 60).unwrap_or(0);
                *PHRASES[phrase]
            }),
            Source::Bytes(bytes) => {
                let start =
                    usize::try_from(position).map_or(bytes.len(), |start| start.min(bytes.len()));
                let take = out.len().min(bytes.len() - start);
                out[..take].copy_from_slice(&bytes[start..start + take]);
                out[take..].fill(0);
            }
        }
    }

    /// Its first `len` bytes as a piece.
    #[must_use]
    pub fn piece(&self, len: u64) -> Piece {
        Piece {
            len,
            position: 0,
            source: self.clone(),
        }
    }
}

impl Piece {
    /// Zeros.
    #[must_use]
    pub fn zeros(len: u64) -> Piece {
        Piece {
            len,
            position: 0,
            source: Source::Zero,
        }
    }

    /// `len` bytes of it from `offset` on.
    ///
    /// The caller keeps `offset + len` within the piece.
    #[must_use]
    pub fn slice(&self, offset: u64, len: u64) -> Piece {
        let position = match self.source {
            Source::Zero => 0,
            _ => self.position + offset,
        };
        Piece {
            len,
            position,
            source: self.source.clone(),
        }
    }

    /// Whether it goes on where `before` ends, so that the two are one piece.
    fn continues(&self, before: &Piece) -> bool {
        self.source == before.source
            && (self.source == Source::Zero || before.position + before.len == self.position)
    }

    /// Whether every byte of it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        if self.source == Source::Zero {
            return true;
        }
        // Nearly everything else tells at once.
        let mut first = [0; 8];
        let some = usize::try_from(self.len).map_or(first.len(), |len| len.min(first.len()));
        self.source.read(self.position, &mut first[..some]);
        if first != [0; 8] {
            return false;
        }
        let mut zero = true;
        self.chunks(&mut |chunk| {
            zero = chunk.iter().all(|&byte| byte == 0);
            zero
        });
        zero
    }

    /// Hands its bytes to `each`, in order, in chunks, until `each` returns false.
    /// Returns whether `each` saw all of them.
    pub fn chunks(&self, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let mut buffer = [0; 4096];
        let mut done = 0;
        while done < self.len {
            let take = usize::try_from(self.len - done)
                .map_or(buffer.len(), |left| left.min(buffer.len()));
            self.source.read(self.position + done, &mut buffer[..take]);
            if !each(&buffer[..take]) {
                return false;
            }
            done += take as u64;
        }
        true
    }
}

/// Appends `piece` to `pieces`, joined to the last one where it continues it.
pub fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    if piece.len == 0 {
        return;
    }
    match pieces.last_mut() {
        Some(last) if piece.continues(last) => last.len += piece.len,
        _ => pieces.push(piece),
    }
}

/// Appends `len` bytes of `from`, starting at byte `offset` of it, to `pieces`.
pub fn push_range(pieces: &mut Vec<Piece>, from: &[Piece], offset: u64, len: u64) {
    let (mut start, end) = (0, offset + len);
    for piece in from {
        let (low, high) = (start.max(offset), (start + piece.len).min(end));
        if low < high {
            push(pieces, piece.slice(low - start, high - low));
        }
        start += piece.len;
    }
}

/// The bytes of `pieces`, whole.
#[must_use]
pub fn to_bytes(pieces: &[Piece]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        piece.chunks(&mut |chunk| {
            bytes.extend_from_slice(chunk);
            true
        });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(source: &Source, position: u64, len: usize) -> Vec<u8> {
        let mut out = vec![0xaa; len];
        source.read(position, &mut out);
        out
    }

    #[test]
    fn random_v1_is_frozen() {
        assert_eq!(
            bytes(&Source::Random(7), 0, 16),
            [
                79, 189, 10, 76, 31, 137, 59, 134, 21, 244, 234, 130, 210, 251, 88, 77
            ]
        );
    }

    #[test]
    fn text_v1_is_frozen() {
        assert_eq!(
            String::from_utf8_lossy(&bytes(&Source::Text(7), 0, 64)),
            "snapshots cost  the tree above   and reads zero\nno place on disk"
        );
    }

    #[test]
    fn any_position_reads_as_the_whole_does() {
        for source in [
            Source::Random(3),
            Source::Text(3),
            Source::Zero,
            Source::Bytes(Bytes::from_static(b"0123456789")),
        ] {
            let whole = bytes(&source, 0, 200);
            for position in 0..60 {
                for len in [0, 1, 7, 8, 9, 33, 100] {
                    assert_eq!(
                        bytes(&source, position as u64, len),
                        whole[position..position + len],
                        "{source:?} at {position}, {len} bytes"
                    );
                }
            }
        }
    }

    #[test]
    fn adjoining_pieces_become_one() {
        let mut pieces = Vec::new();
        let random = Source::Random(1).piece(100);
        push(&mut pieces, random.slice(0, 40));
        push(&mut pieces, random.slice(40, 60));
        assert_eq!(pieces, std::slice::from_ref(&random));
        push(&mut pieces, random.slice(0, 1));
        assert_eq!(pieces.len(), 2);
    }

    #[test]
    fn a_piece_is_zero_only_when_its_bytes_are() {
        assert!(Piece::zeros(1 << 40).is_zero());
        assert!(!Source::Text(1).piece(1).is_zero());
        assert!(
            Source::Bytes(Bytes::from_static(&[0, 0, 1]))
                .piece(2)
                .is_zero()
        );
        assert!(
            !Source::Bytes(Bytes::from_static(&[0, 0, 1]))
                .piece(3)
                .is_zero()
        );
    }
}
