//! LZ4 as ZFS has it (revision 85 of 2012): how many bytes a block takes.
//!
//! Newer versions of LZ4 find other matches. The size alone is wanted, so that nothing is written.

/// Shortest match.
const MATCH: usize = 4;

/// The last bytes are always literals.
const LAST: usize = 5;

/// No match begins in so many last bytes.
const TAIL: usize = 12;

/// The farthest match.
const FAR: usize = 65_535;

/// Blocks below this size have a larger table and no distance that is too far.
const SMALL: usize = (1 << 16) + TAIL - 1;

/// The length of the compressed bytes stands in front of them, in so many bytes.
const HEADER: usize = 4;

fn word(bytes: &[u8], at: usize) -> u32 {
    match bytes.get(at..at + 4) {
        Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
        _ => 0,
    }
}

/// A position as the table holds it: blocks have at most 16M.
#[allow(clippy::cast_possible_truncation)]
fn entry(at: usize) -> u32 {
    at as u32
}

/// The size of `bytes` when compressed, if they fit into `room` (`lz4_compress_zfs`).
pub(super) fn size(bytes: &[u8], room: u64) -> Option<u64> {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    let small = bytes.len() < SMALL;
    let room = room.checked_sub(HEADER)?;
    compressed(bytes, room, small).map(|size| (size + HEADER) as u64)
}

fn compressed(bytes: &[u8], room: usize, small: bool) -> Option<usize> {
    let hash_bits = if small { 13 } else { 12 };
    let hash =
        |at: usize| (word(bytes, at).wrapping_mul(2_654_435_761) >> (32 - hash_bits)) as usize;
    let near = |from: usize, at: usize| small || at - from <= FAR;
    let end = bytes.len();
    // What stands at `from` and at `at` alike, from there on.
    let alike = |from: usize, at: usize| {
        let most = (end - LAST).saturating_sub(at);
        let (one, other) = (&bytes[from..], &bytes[at..at + most]);
        let words = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
        let whole = 8 * words.take_while(|(a, b)| a == b).count();
        let rest = one[whole..].iter().zip(&other[whole..]);
        whole + rest.take_while(|(a, b)| a == b).count()
    };
    let (mut anchor, mut out) = (0, 0);
    if end > TAIL {
        let limit = end - TAIL;
        let mut table = vec![0_u32; 1 << hash_bits];
        let mut at = 1;
        let mut next_hash = hash(at);
        'sequences: loop {
            // Looks for a match, in ever longer steps.
            let (mut attempts, mut next) = (67, at);
            let mut from;
            loop {
                let slot = next_hash;
                at = next;
                next = at + (attempts >> 6);
                attempts += 1;
                if next > limit {
                    break 'sequences;
                }
                next_hash = hash(next);
                from = table[slot] as usize;
                table[slot] = entry(at);
                if near(from, at) && word(bytes, from) == word(bytes, at) {
                    break;
                }
            }
            while at > anchor && from > 0 && bytes[at - 1] == bytes[from - 1] {
                (at, from) = (at - 1, from - 1);
            }
            let literals = at - anchor;
            out += 1;
            if out + literals + 8 + (literals >> 8) > room {
                return None;
            }
            out += longer(literals) + literals;
            loop {
                // The offset, and the rest of the match.
                out += 2;
                let length = alike(from + MATCH, at + MATCH);
                at += MATCH + length;
                anchor = at;
                if out + 6 + (length >> 8) > room {
                    return None;
                }
                out += longer(length);
                if at > limit {
                    break 'sequences;
                }
                table[hash(at - 2)] = entry(at - 2);
                let slot = hash(at);
                from = table[slot] as usize;
                table[slot] = entry(at);
                if !(near(from, at) && word(bytes, from) == word(bytes, at)) {
                    break;
                }
                // Another match follows at once.
                out += 1;
            }
            at += 1;
            next_hash = hash(at);
        }
    }
    let literals = end - anchor;
    if out + literals + 1 + (literals + 255 - 15) / 255 > room {
        return None;
    }
    Some(out + 1 + longer(literals) + literals)
}

/// Bytes that tell the rest of a length that does not fit into four bits.
fn longer(length: usize) -> usize {
    match length.checked_sub(15) {
        Some(rest) => rest / 255 + 1,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_one_match() {
        // One literal, one match whose length takes a byte for each 255, five literals at the end.
        let zeros = [0; 4096];
        let matched = 4096 - 1 - LAST - MATCH;
        let size_of = 1 + 1 + 2 + longer(matched) + 1 + LAST + HEADER;
        assert_eq!(size(&zeros, 3584), Some(size_of as u64));
    }

    #[test]
    fn noise_does_not_fit() {
        let mut noise = vec![0; 1 << 17];
        crate::dmu::data::Source::Random(1).read(0, &mut noise);
        assert_eq!(size(&noise, 7 << 14), None);
        assert_eq!(size(&noise[..100], 1000), Some(100 + 2 + 4));
    }

    #[test]
    fn what_is_far_is_not_found_in_a_large_block() {
        let mut bytes = vec![0; 1 << 17];
        crate::dmu::data::Source::Random(1).read(0, &mut bytes);
        bytes.copy_within(..1 << 16, 1 << 16);
        // A match may be 65535 bytes away, and these are one byte farther.
        assert_eq!(size(&bytes, 7 << 14), None);
        bytes.copy_within(..1 << 16, (1 << 16) - 1);
        assert!(size(&bytes, 7 << 14).is_some());
    }
}
