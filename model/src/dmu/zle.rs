//! Zero-length encoding: how many bytes a block takes.

/// The longest run of other bytes; longer ones of zeros may be `256 - LITERALS`.
const LITERALS: usize = 64;

/// The size of `bytes` when compressed, if they fit into `room` (`zfs_zle_compress_buf`): a run of zeros
/// takes one byte, other bytes one for each and one for their run. Two zeros end such a run.
pub(super) fn size(bytes: &[u8], room: u64) -> Option<u64> {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    let (mut at, mut out) = (0, 0);
    while at < bytes.len() {
        // The last byte of the room is never begun.
        if out + 1 >= room {
            return None;
        }
        out += 1;
        let zero = |at: usize| bytes.get(at) == Some(&0);
        let start = at;
        if zero(at) {
            while at - start < 256 - LITERALS && zero(at) {
                at += 1;
            }
        } else {
            if room - out < LITERALS {
                return None;
            }
            let end = (start + LITERALS).min(bytes.len());
            while at + 1 < end && !(zero(at) && zero(at + 1)) {
                at += 1;
            }
            if !zero(at) {
                at += 1;
            }
            out += at - start;
        }
    }
    Some(out as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_zeros_take_one_byte_each() {
        let mut bytes = vec![0; 4096];
        assert_eq!(size(&bytes, 3584), Some(22));
        bytes[0] = 1;
        // One and its length, then the zeros behind it.
        assert_eq!(size(&bytes, 3584), Some(2 + 22));
        bytes[..64].fill(7);
        assert_eq!(size(&bytes, 3584), Some(65 + 21));
    }

    #[test]
    fn bytes_without_zeros_do_not_fit() {
        assert_eq!(size(&[7; 4096], 3584), None);
        // Nor does what would just fill the room.
        assert_eq!(size(&[7; 64], 65), Some(65));
        assert_eq!(size(&[7; 64], 64), None);
    }
}
