//! Which number a new object gets (`dmu_object_alloc_impl`), on one processor.

use std::ops::Range;

use super::{Inner, ObjectId, dnode};

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
            // At the start of a chunk, or where it has no room for it.
            if (self.next + slots - 1) % CHUNK < slots {
                self.next = self.chunk;
                if self.next.is_multiple_of(INDIRECT) {
                    while is_full(self.next, objset) {
                        self.next += INDIRECT;
                    }
                }
                self.chunk = self.next + CHUNK;
            }
            let object = self.next;
            self.next += slots;
            if is_free(object, slots, txg, objset) {
                return object;
            }
            // Be it beyond the chunk.
            self.next = next_free(object, objset);
        }
    }
}

/// Whether a quarter of the dnodes below an indirect block, or more, are there on disk (`dnode_next_offset`); so are
/// those of objects that only go with the next transaction group.
fn is_full(from: ObjectId, objset: &Inner) -> bool {
    let range = from..from + INDIRECT;
    let tables: Vec<_> = dnode::tables(objset)
        .filter(|id| range.contains(id))
        .collect();
    let is_gone = |id: &ObjectId| !objset.objects.contains_key(id) && !tables.contains(id);
    let gone = objset
        .metadata
        .changed(range.clone())
        .filter(is_gone)
        .count();
    let there = objset.objects.range(range).count() + tables.len();
    (there + gone) as u64 >= INDIRECT / 4
}

/// The next slot that is free (`dmu_object_next`). First the rest of its block and the next block are looked into, then
/// one that has fewer dnodes than it has slots. That may be full of wide dnodes; in 2.1 the search then ends with the
/// block after it, which nobody looked into (`dnode_next_offset`).
fn next_free(object: ObjectId, objset: &Inner) -> ObjectId {
    let mut block = object / BLOCK + if object == 0 { 1 } else { 2 };
    if let Some(free) = free_in(object + 1..block * BLOCK, objset) {
        return free;
    }
    loop {
        let here = block * BLOCK..(block + 1) * BLOCK;
        let tables = dnode::tables(objset).filter(|id| here.contains(id)).count();
        let dnodes = objset.objects.range(here.clone()).count() + tables;
        if (dnodes as u64) < BLOCK {
            match free_in(here, objset) {
                Some(free) => return free,
                None if !objset.metadata.backtracks => return (block + 2) * BLOCK,
                None => {}
            }
        }
        block += 1;
    }
}

/// The first of some slots that is free.
fn free_in(slots: Range<ObjectId>, objset: &Inner) -> Option<ObjectId> {
    let mut slot = slots.start;
    while let Some(end) = end(slot, objset) {
        slot = end;
    }
    (slot < slots.end).then_some(slot)
}

/// Where the object ends that has this slot.
fn end(slot: ObjectId, objset: &Inner) -> Option<ObjectId> {
    if dnode::tables(objset).any(|id| id == slot) {
        return Some(slot + 1);
    }
    let below = objset.objects.range(slot - slot % BLOCK..=slot).last();
    below
        .map(|(id, znode)| id + znode.slots)
        .filter(|&end| end > slot)
}

/// Whether an object of so many slots can be there, in a transaction group.
fn is_free(object: ObjectId, slots: u64, txg: u64, objset: &Inner) -> bool {
    let range = object..object + slots;
    object > 0
        && object % BLOCK + slots <= BLOCK
        && objset.objects.range(range.clone()).next().is_none()
        && end(object, objset).is_none()
        && !dnode::tables(objset).any(|id| range.contains(&id))
        && !objset.metadata.goes(range, txg)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::dmu::blocks::Policy;
    use crate::dmu::storage::Storage;
    use crate::dmu::{Blocks, Objset, indirect};
    use crate::release::Release;
    use crate::zpl::znode::{Body, Znode};

    fn add(objset: &mut Objset, slots: u64, txg: u64, reading: u64) -> ObjectId {
        let file = Znode::new(Body::File(Blocks::default()), 0o644, 0, 0, txg, 0);
        objset.add(Znode { slots, ..file }, reading)
    }

    /// The search as the kernel has it (`dmu_object_alloc_impl`), over slots that are taken on disk or not, and the first
    /// ones of dnodes.
    #[derive(Default)]
    struct Kernel {
        backtracks: bool,
        dnodes: BTreeSet<u64>,
        taken: BTreeSet<u64>,
        next: u64,
        chunk: u64,
    }

    impl Kernel {
        fn allocate(&mut self, slots: u64) -> u64 {
            loop {
                if self.next.is_multiple_of(128) || (self.next + slots - 1) % 128 < slots {
                    self.next = self.chunk;
                    self.chunk += 128;
                }
                let at = self.next;
                self.next += slots;
                let is_free = (at..at + slots).all(|slot| !self.taken.contains(&slot));
                if at % 32 + slots <= 32 && is_free {
                    self.taken.extend(at..at + slots);
                    self.dnodes.insert(at);
                    return at;
                }
                self.next = self.next_hole(at);
            }
        }

        /// `dmu_object_next` and, where it fails, what `dmu_object_alloc_impl` makes of where it stopped.
        fn next_hole(&self, at: u64) -> u64 {
            let hole = |slots: std::ops::Range<u64>| {
                slots.into_iter().find(|slot| !self.taken.contains(slot))
            };
            let mut start = at + 1;
            if at > 0 {
                // The rest of the block, slot by slot.
                let end = (at | 31) + 1;
                if let Some(found) = hole(start..end) {
                    return found;
                }
                start = end;
            }
            // Level 0, from there to the end of the block.
            let mut block = start / 32;
            if let Some(found) = hole(start..32 * block + 32) {
                return found;
            }
            // Level 1: the next block that has 31 dnodes or fewer, and level 0 again.
            loop {
                block += 1;
                while self.dnodes.range(32 * block..32 * block + 32).count() > 31 {
                    block += 1;
                }
                match hole(32 * block..32 * block + 32) {
                    Some(found) => return found,
                    None if self.backtracks => {}
                    // Where it stopped plus one, rounded up to a block.
                    None => return (32 * block + 32 + 1).next_multiple_of(32),
                }
            }
        }
    }

    #[test]
    fn numbers_are_handed_out_as_the_kernel_does() {
        // Measured on all releases with dnodes of two slots (`wide-dnodes.trace`).
        for seed in 0..32 {
            let mut on = Storage::single(12);
            on.release = [Release::V2_1, Release::V2_3][usize::from(seed % 8 < 4)];
            let index = |number| usize::try_from(number).unwrap_or(0);
            let mut draws = (0..).map(|draw| indirect::noise(seed, draw) >> 20);
            let mut draw = |below: u64| draws.next().unwrap_or(0) % below;
            let mut objset = Objset::new_filesystem(1, 0, 1);
            // Those of every filesystem, and 0.
            let taken = BTreeSet::from([0, 1, 32, 33, 34, 35, 36]);
            let mut kernel = Kernel {
                backtracks: on.release >= Release::V2_3,
                dnodes: taken.clone(),
                taken,
                ..Kernel::default()
            };
            objset.sync(1, &on, &Policy::PLAIN);
            let mut files = Vec::new();
            let sizes = [[1; 4], [1, 1, 1, 3], [1, 2, 4, 8], [16, 32, 1, 5]];
            let sizes = sizes[index(seed % 4)];
            let mut reading = 1;
            for round in 1..15 {
                let txg = 4 * round;
                for _ in 0..draw(120) {
                    let slots = sizes[index(draw(4))];
                    let id = add(&mut objset, slots, txg, reading);
                    assert_eq!(
                        id,
                        kernel.allocate(slots),
                        "seed {seed}, round {round}: {slots}"
                    );
                    files.push((id, slots));
                }
                for _ in 0..draw(files.len() as u64 / 2 + 1) {
                    let (id, slots) = files.swap_remove(index(draw(files.len() as u64)));
                    objset.free(id);
                    (id..id + slots).for_each(|slot| _ = kernel.taken.remove(&slot));
                    kernel.dnodes.remove(&id);
                }
                objset.sync(txg, &on, &Policy::PLAIN);
                // The search starts anew with a mount.
                if draw(3) == 0 {
                    reading += 1;
                    (kernel.next, kernel.chunk) = (0, 0);
                }
            }
        }
    }

    #[test]
    fn a_block_of_32_dnodes_is_full() {
        // Also for 2.1, which would leave out the block behind one that only turns out to be full.
        let mut on = Storage::single(12);
        on.release = Release::V2_1;
        let mut objset = Objset::new_filesystem(1, 0, 1);
        (0..60).for_each(|_| _ = add(&mut objset, 1, 1, 1));
        objset.sync(1, &on, &Policy::PLAIN);
        // From 2 to 31 and from 37 to 66.
        assert_eq!(add(&mut objset, 1, 4, 2), 67);
    }

    #[test]
    fn the_search_begins_where_less_than_a_quarter_is_taken() {
        // Measured on 2.3: a filesystem of 8185 files, a root directory and five tables, and the number of the first
        // file after a mount.
        let on = Storage::single(12);
        let mut objset = Objset::new_filesystem(1, 0, 1);
        (0..8185).for_each(|_| _ = add(&mut objset, 1, 1, 1));
        objset.sync(1, &on, &Policy::PLAIN);
        // What changes is there once.
        objset.get_mut(50).expect("it was made").mode = 0o600;
        assert_eq!(add(&mut objset, 1, 4, 2), 8192);
        objset.sync(4, &on, &Policy::PLAIN);
        let full = objset.clone();
        assert_eq!(add(&mut objset, 1, 7, 3), 32_768);
        assert_eq!(add(&mut objset, 1, 7, 3), 32_769);
        objset.sync(7, &on, &Policy::PLAIN);
        // What goes is on disk until it is gone.
        objset.free(20);
        assert_eq!(add(&mut objset, 1, 10, 4), 32_770);
        objset.sync(10, &on, &Policy::PLAIN);
        assert_eq!(add(&mut objset, 1, 13, 5), 20);
        // And so on with the next 32768. Of 32 slots a block has one.
        let mut objset = full;
        assert_eq!(add(&mut objset, 32, 7, 3), 32_768);
        for number in 1..1024 {
            assert_eq!(add(&mut objset, 32, 7, 3), 32_768 + 32 * number);
        }
        assert_eq!(add(&mut objset, 32, 7, 3), 65_536);
        objset.sync(7, &on, &Policy::PLAIN);
        assert_eq!(add(&mut objset, 1, 10, 4), 65_568);
    }
}
