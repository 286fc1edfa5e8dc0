//! Blocks that stand for several that were written: deduplicated ones (`ddt.c`) and cloned ones (`brt.c`).
//!
//! A dataset is charged for each block that was written, and the pool has once more what it did not have to store
//! (`spa_update_dspace`). How many there are is counted anew behind each transaction group, from all that is on disk.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

use crate::dmu::blocks::{Strong, Written};
use crate::dmu::compress::Compression;
use crate::dmu::data::Pieces;
use crate::dmu::storage::Figure;
use crate::spa::Pool;
use crate::zpl::znode::Body;

/// What a pool has of blocks that stand for several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sharing {
    /// Whether any block was ever cloned.
    pub cloned: bool,
    /// Whether any was ever written with `dedup`.
    pub deduplicated: bool,
    /// Whether some were written with `dedup` that are the same and ask for different numbers of copies, where they share
    /// an entry of the table: how many copies that has from then on is not followed.
    pub lost: bool,
    /// Those with `dedup`, also those that stand for one.
    pub duplicates: Tally,
    /// Those that were cloned.
    pub clones: Tally,
}

/// Blocks, in bytes on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// What they take: `bcloneused`.
    pub used: Figure,
    /// What those take that did not have to be stored: `bclonesaved`.
    pub saved: Figure,
}

impl Tally {
    /// `dedupratio` and `bcloneratio`, in hundredths (`ddt_get_pool_dedup_ratio`, `brt_get_ratio`).
    #[must_use]
    pub fn ratio(self) -> Option<u64> {
        let (used, saved) = (self.used.known()?, self.saved.known()?);
        let all = used.saturating_add(saved).saturating_mul(100);
        Some(all.checked_div(used).unwrap_or(100))
    }

    /// Another block; whether there was one already that stands for it, too.
    fn add(&mut self, size: Figure, is_there: bool) {
        let sum = if is_there {
            &mut self.saved
        } else {
            &mut self.used
        };
        *sum = *sum + size;
    }
}

/// What makes deduplicated blocks one (`ddt_key_t`), in a hash of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    checksum: Strong,
    content: u64,
    size: u64,
    stored: u64,
    compression: Option<Compression>,
    /// Until there is the feature `fast_dedup`, how often it is stored (`ddt_phys_select`).
    copies: Option<u8>,
}

/// The blocks of a pool that were met so far.
#[derive(Default)]
struct Met {
    /// Deduplicated ones, with how often each is stored.
    duplicates: BTreeMap<Key, u8>,
    /// Others by where they came from: how many there are, and what one of them takes.
    places: BTreeMap<Written, (u64, Figure)>,
    /// Hashes of contents.
    contents: Vec<(Pieces, u64)>,
}

impl Met {
    /// A hash of the bytes.
    fn content(&mut self, pieces: &Pieces) -> u64 {
        // What is the same was mostly written lately.
        let known = self.contents.iter().rev().take(64);
        if let Some((_, hash)) = known.clone().find(|(it, _)| it == pieces) {
            return *hash;
        }
        let mut hasher = DefaultHasher::new();
        for piece in pieces.iter() {
            piece.chunks(&mut |chunk| {
                hasher.write(chunk);
                true
            });
        }
        let hash = hasher.finish();
        self.contents.push((pieces.clone(), hash));
        hash
    }
}

impl Pool {
    /// Counts the blocks on disk that stand for several. Returns whether that is known.
    pub(super) fn count_shared(&mut self) -> bool {
        if !self.sharing.cloned && !self.sharing.deduplicated {
            return true;
        }
        let is_flat = self.features.contains("fast_dedup");
        let mut met = Met::default();
        let mut duplicates = Tally::default();
        for (id, dataset) in &self.datasets {
            // What is older has been met in the snapshot before it.
            let since = self.space.previous_txg(id);
            for (object, znode) in dataset.objset.iter() {
                let Body::File(blocks) = &znode.body else {
                    continue;
                };
                let young = blocks.iter().filter(|(_, block)| block.birth > since);
                for (number, block) in young {
                    let Some(size) = block.size_on_disk() else {
                        continue;
                    };
                    if let Some(checksum) = block.policy.deduplicates {
                        let key = Key {
                            checksum,
                            content: met.content(&block.pieces),
                            size: blocks.block_size(),
                            stored: block.stored().least,
                            compression: block.compressed(blocks.block_size()),
                            copies: (!is_flat).then_some(block.policy.copies),
                        };
                        let before = met.duplicates.insert(key, block.policy.copies);
                        self.sharing.lost |= before.is_some_and(|it| it != block.policy.copies);
                        duplicates.add(size, before.is_some());
                    } else if self.sharing.cloned {
                        let written = block.written(object, number);
                        met.places.entry(written).or_insert((0, size)).0 += 1;
                    }
                }
            }
        }
        let several = met.places.values().filter(|(count, _)| *count > 1);
        let mut clones = Tally::default();
        for &(count, size) in several {
            clones.used = clones.used + size;
            clones.saved = clones.saved + size.map(|size| size * (count - 1));
        }
        self.sharing.duplicates = duplicates;
        self.sharing.clones = clones;
        !self.sharing.lost
    }
}
