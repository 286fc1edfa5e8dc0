//! Which number a new object gets (`dmu_object_alloc_impl`), on one processor.

use std::sync::Arc;

use super::{Inner, ObjectId, dnode};
use crate::zpl::znode::Znode;

/// The numbers that are handed out in one go (`dmu_object_alloc_chunk_shift`).
const CHUNK: u64 = 128;

/// The dnodes in a block of them.
const BLOCK: u64 = 32;

/// The dnodes below an indirect block.
const INDIRECT: u64 = BLOCK << 10;

/// Where the search goes on. It starts at the beginning with every reading of a filesystem into memory, so that
/// the numbers of objects that are gone are handed out again then.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    /// The reading that it is of.
    pub reading: u64,
    /// The next object.
    next: ObjectId,
    /// Where the next chunk starts.
    chunk: ObjectId,
}

impl Cursor {
    /// At the beginning.
    pub(super) fn new(reading: u64) -> Cursor {
        Cursor {
            reading,
            ..Cursor::default()
        }
    }

    /// The number for an object of so many slots, in a transaction group.
    pub(super) fn allocate(&mut self, slots: u64, txg: u64, objset: &Inner) -> ObjectId {
        loop {
            let at = self.next;
            if at.is_multiple_of(CHUNK) || (at + slots - 1) % CHUNK < slots {
                self.next = self.chunk;
                if self.next.is_multiple_of(INDIRECT) {
                    // One that is a quarter full at most.
                    let full = |from: &ObjectId| {
                        let objects = objset.objects.range(*from..*from + INDIRECT);
                        objects.take(1 + (INDIRECT / 4) as usize).count() as u64 > INDIRECT / 4
                    };
                    while full(&self.next) {
                        self.next += INDIRECT;
                    }
                }
                self.chunk = self.next - self.next % CHUNK + CHUNK;
            }
            let object = self.next;
            self.next += slots;
            if is_free(object, slots, txg, objset) {
                return object;
            }
            self.next = object + 1;
            while objset.objects.contains_key(&self.next) {
                self.next += 1;
            }
        }
    }
}

/// Whether an object of so many slots can be there, in a transaction group.
fn is_free(object: ObjectId, slots: u64, txg: u64, objset: &Inner) -> bool {
    let range = object..object + slots;
    let below = object - object % BLOCK..object;
    let reaches = |(id, znode): (ObjectId, &Arc<Znode>)| id + znode.slots > object;
    object > 0
        && object % BLOCK + slots <= BLOCK
        && objset.objects.range(range.clone()).next().is_none()
        && !objset.objects.range(below).last().is_some_and(reaches)
        && !dnode::tables(objset).any(|id| range.contains(&id))
        && !objset.metadata.goes(range, txg)
}
