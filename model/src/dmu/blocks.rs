//! The level-0 blocks of a file: block size, births, holes, copy on write.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::data::{Piece, push, push_range};

/// The smallest block, in bytes (`SPA_MINBLOCKSIZE`).
pub const MIN_BLOCK: u64 = 512;

/// What a write needs to know of the dataset and the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The open transaction group: what is written is born in it.
    pub txg: u64,
    /// Property `recordsize`, in bytes.
    pub recordsize: u64,
    /// Whether all-zero blocks become holes: property `compression` is not `off`.
    pub holes: bool,
    /// Seconds since the machine's epoch.
    pub now: u64,
}

/// A block on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The transaction group that wrote it.
    pub birth: u64,
    /// Its bytes; together as long as the file's block size.
    pub pieces: Arc<[Piece]>,
}

/// The content of a file. Cloning shares every block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Length of the file in bytes.
    size: u64,
    /// Block size in bytes. Never shrinks; frozen once there is a second block.
    block_size: u64,
    /// Number of the last block that ever was (`dn_maxblkid`); lowered by freeing to the end.
    last: u64,
    /// The blocks by number; absent ones are holes.
    allocated: Arc<BTreeMap<u64, Block>>,
}

impl Default for Blocks {
    fn default() -> Self {
        Blocks {
            size: 0,
            block_size: MIN_BLOCK,
            last: 0,
            allocated: Arc::default(),
        }
    }
}

impl Blocks {
    /// Length of the file in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The block size in bytes.
    #[must_use]
    pub fn block_size(&self) -> u64 {
        self.block_size
    }

    /// Whether it was never given a block size: `stat` then tells the record size.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.size == 0 && self.block_size == MIN_BLOCK
    }

    /// The blocks that are not holes, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Block)> {
        self.allocated
            .iter()
            .map(|(&number, block)| (number, block))
    }

    /// Makes the block size fit a file that ends at `end`, as long as there is one block only
    /// (`zfs_write`, `zfs_extend`, `zfs_grow_blocksize`, `dnode_set_blksz`).
    fn grow_block(&mut self, end: u64, terms: Terms) {
        let old = self.block_size;
        if end <= old || self.size > old || self.last > 0 {
            return;
        }
        if old.is_power_of_two() && old >= terms.recordsize {
            return;
        }
        // A block that is already larger than the record size only grows to the next power of two.
        let most = if old > terms.recordsize {
            old.next_power_of_two()
        } else {
            terms.recordsize
        };
        let new = end.next_multiple_of(MIN_BLOCK).min(most).max(old);
        if new == old {
            return;
        }
        self.block_size = new;
        let blocks = Arc::make_mut(&mut self.allocated);
        if let Some(block) = blocks.get_mut(&0) {
            let mut pieces = block.pieces.to_vec();
            push(&mut pieces, Piece::zeros(new - old));
            *block = Block {
                birth: terms.txg,
                pieces: pieces.into(),
            };
        }
    }

    /// Replaces `len` bytes of block `number` from `offset` within it on by `with`.
    fn splice(&mut self, number: u64, offset: u64, len: u64, with: &[Piece], terms: Terms) {
        let size = self.block_size;
        let blocks = Arc::make_mut(&mut self.allocated);
        let hole = [Piece::zeros(size)];
        let mut pieces = Vec::new();
        {
            let old = blocks.get(&number).map_or(&hole[..], |block| &block.pieces);
            push_range(&mut pieces, old, 0, offset);
            for piece in with {
                push(&mut pieces, piece.clone());
            }
            push_range(&mut pieces, old, offset + len, size - offset - len);
        }
        if terms.holes && pieces.iter().all(Piece::is_zero) {
            blocks.remove(&number);
        } else {
            blocks.insert(
                number,
                Block {
                    birth: terms.txg,
                    pieces: pieces.into(),
                },
            );
        }
        self.last = self.last.max(number);
    }

    /// Writes `data` at `offset`. Nothing happens when it is empty.
    pub fn write(&mut self, offset: u64, data: &Piece, terms: Terms) {
        if data.len == 0 {
            return;
        }
        let end = offset + data.len;
        self.grow_block(self.size.max(end), terms);
        let size = self.block_size;
        let mut at = offset;
        while at < end {
            let number = at / size;
            let within = at % size;
            let len = (size - within).min(end - at);
            self.splice(number, within, len, &[data.slice(at - offset, len)], terms);
            at += len;
        }
        self.size = self.size.max(end);
    }

    /// Makes the file `size` bytes long (`zfs_freesp`): cut off, or extended by a hole.
    pub fn truncate(&mut self, size: u64, terms: Terms) {
        if size > self.size {
            self.grow_block(size, terms);
            self.size = size;
            return;
        }
        if size == self.size {
            return;
        }
        let block = self.block_size;
        let kept = size.div_ceil(block);
        let blocks = Arc::make_mut(&mut self.allocated);
        blocks.split_off(&kept);
        let within = size % block;
        // The rest of the last block is zeroed in place, unless it is a hole (`dnode_partial_zero`).
        if within > 0 && blocks.contains_key(&(kept - 1)) {
            let zeros = [Piece::zeros(block - within)];
            self.splice(kept - 1, within, block - within, &zeros, terms);
        }
        self.last = kept.saturating_sub(1);
        self.size = size;
    }

    /// The bytes from `offset` on, at most `len` and not past the end of the file.
    #[must_use]
    pub fn read(&self, offset: u64, len: u64) -> Vec<Piece> {
        let end = offset.saturating_add(len).min(self.size);
        let mut pieces = Vec::new();
        let mut at = offset;
        while at < end {
            let number = at / self.block_size;
            // A hole that reaches over many blocks is one piece.
            let (start, block) = match self.allocated.range(number..).next() {
                Some((&found, block)) => (found.saturating_mul(self.block_size), Some(block)),
                None => (u64::MAX, None),
            };
            if start > at {
                let hole = start.min(end) - at;
                push(&mut pieces, Piece::zeros(hole));
                at += hole;
            } else if let Some(block) = block {
                let within = at - start;
                let len = (self.block_size - within).min(end - at);
                push_range(&mut pieces, &block.pieces, within, len);
                at += len;
            }
        }
        pieces
    }

    /// The byte ranges, merged and ascending, of the blocks that `keep` says yes to.
    pub fn ranges(&self, mut keep: impl FnMut(&Block) -> bool) -> Vec<(u64, u64)> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for (&number, block) in &*self.allocated {
            if !keep(block) {
                continue;
            }
            let (start, end) = (number * self.block_size, (number + 1) * self.block_size);
            match ranges.last_mut() {
                Some(last) if last.1 == start => last.1 = end,
                _ => ranges.push((start, end)),
            }
        }
        ranges
    }

    /// Gives every block the birth `txg`, as if all were written anew.
    pub fn rewrite(&mut self, txg: u64) {
        for block in Arc::make_mut(&mut self.allocated).values_mut() {
            block.birth = txg;
        }
    }
}
