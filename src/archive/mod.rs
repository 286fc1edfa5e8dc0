//! Tar archives, to the byte as the library of Go writes and reads them that Docker and containerd have.
//!
//! The digest of a layer is that of its tar, so an archive with the same contents in another form is
//! another layer. This is why headers are made here, and not by a library of its own taste.

mod header;
mod number;
mod read;
mod records;
mod sparse;
mod write;

pub use header::{Header, Kind, Time};
pub use read::{Contents, Error, Reader};
pub use write::{Unwritable, Writer};

/// Archives are made of blocks.
const BLOCK: usize = 512;

/// What is longer in a header's records, or a map of holes, is refused.
const LONGEST: usize = 1 << 20;

/// What the keys of extended attributes start with, in the records of a header.
pub const XATTR: &[u8] = b"SCHILY.xattr.";

/// How many bytes fill up the last block.
fn padding(size: u64) -> usize {
    // Less than a block, so it fits.
    usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests;
