//! Copying from file to file in the kernel: by cloning blocks where that can be, else byte by byte
//! (`zpl_file_range.c`, `zfs_clone_range`).

use crate::dmu::{Blocks, ObjectId};
use crate::dsl::dataset::DatasetId;
use crate::fault::Fault;
use crate::machine::State;
use crate::outcome::Errno;
use crate::release::Release;
use crate::zpl::files::{
    Found, Reached, find, may_open, may_write, peek, terms, write_object, znode, znode_mut,
};
use crate::zpl::mount::MountId;
use crate::zpl::op::{At, Failure, FileResult, Result};
use crate::zpl::permission::READ;
use crate::zpl::znode::Body;

/// How much is copied byte by byte in one go, in bytes (`MAX_RW_COUNT`).
const MOST: u64 = 0x7fff_f000;

/// A file as it is reached.
type Aim = (Reached, ObjectId);

/// A part of a file, and where it goes.
#[derive(Clone, Copy)]
struct Part {
    /// The dataset and the object that are read.
    from: (DatasetId, ObjectId),
    /// The mount through which that is done.
    mount: Option<MountId>,
    offset: u64,
    /// The dataset and the object that are written.
    to: (DatasetId, ObjectId),
    at: u64,
    len: u64,
}

impl Part {
    /// One that lies in the file that is read.
    fn of(
        state: &State,
        (source, read): (Reached, ObjectId),
        offset: u64,
        (target, written): (Reached, ObjectId),
        at: u64,
        len: u64,
    ) -> Found<Part> {
        may_open(state, source, read, READ)?;
        may_write(state, target, written)?;
        let (mount, from) = (source.mount, (source.dataset, read));
        let size = blocks(state, from)?.size();
        if offset
            .max(at)
            .checked_add(len)
            .is_none_or(|end| i64::try_from(end).is_err())
        {
            return Err(Errno::EINVAL);
        }
        Ok(Part {
            from,
            mount,
            offset,
            to: (target.dataset, written),
            at,
            len: len.min(size.saturating_sub(offset)),
        })
    }

    fn overlaps(&self) -> bool {
        self.from == self.to && self.at + self.len > self.offset && self.at < self.offset + self.len
    }

    /// Whether its blocks can be cloned. Volumes and pools without the feature have none, nor has 2.1.
    fn can_be_cloned(&self, state: &State) -> Found<bool> {
        let (from, to) = (blocks(state, self.from)?, blocks(state, self.to)?);
        let pool = state.pool_of(self.from.0).ok_or(Errno::EIO)?;
        let is_same = state
            .pool_of(self.to.0)
            .is_some_and(|it| it.root == pool.root);
        let recordsize = state.recordsize(self.to.0);
        Ok(is_same
            && state.release >= Release::V2_3
            && pool.features.contains("block_cloning")
            && from.can_clone(self.offset, to, self.at, self.len, recordsize))
    }

    fn clone_blocks(&self, state: &mut State) -> Result<()> {
        if state.is_limited(self.to.0) {
            return Err(Failure::NotModelled("the cloning of blocks below a quota"));
        }
        let source = blocks(state, self.from)?;
        // What is dirty has to be on disk before (`zfs_bclone_wait_dirty`).
        let zeros_count = !state.faulty(Fault::ZerosAreClean);
        if source.is_dirty_within(self.offset, self.len, zeros_count)
            && let Some(pool) = state.pool_of_mut(self.from.0)
        {
            pool.close_txg();
            state.write_closed();
        }
        if let Some(pool) = state.pool_of_mut(self.to.0) {
            pool.sharing.cloned = true;
        }
        let mut source = blocks(state, self.from)?.clone();
        if state.faulty(Fault::CloneIsCompressedAnew) {
            source.store_as(state.policy(self.to.0));
        }
        let (terms, copying) = (terms(state, self.to.0), state.number().0);
        let znode = znode_mut(state, self.to.0, self.to.1)?;
        if let Body::File(blocks) = &mut znode.body {
            blocks.clone_from(
                (self.from.1, &source),
                self.offset,
                self.at,
                self.len,
                copying,
                terms,
            );
            znode.modified(terms.now);
        }
        Ok(())
    }

    /// The part of it before the first block that is dirty (a planted fault).
    fn clean(&self, state: &State) -> Found<Part> {
        let source = blocks(state, self.from)?;
        let size = source.block_size();
        let mut clean = *self;
        clean.len = 0;
        while clean.len < self.len && !source.is_dirty_within(clean.offset + clean.len, size, true)
        {
            clean.len += size;
        }
        clean.len = clean.len.min(self.len);
        Ok(clean)
    }

    fn copy(&self, state: &mut State) -> Result<()> {
        let pieces = blocks(state, self.from)?.read(self.offset, self.len);
        let mut at = self.at;
        for piece in pieces {
            write_object(state, self.to.0, self.to.1, at, &piece)?;
            at += piece.len;
        }
        // To clone blocks is not to read them.
        state.was_read(self.from.0, self.mount, self.from.1);
        Ok(())
    }
}

fn blocks(state: &State, file: (DatasetId, ObjectId)) -> Found<&Blocks> {
    match &znode(state, file.0, file.1)?.body {
        Body::File(blocks) => Ok(blocks),
        Body::Directory { .. } => Err(Errno::EISDIR),
        Body::Link(_) | Body::Special(_) => Err(Errno::EINVAL),
    }
}

/// What about it the model does not know.
pub(super) fn not_modelled(
    state: &State,
    from: &At,
    offset: u64,
    to: &At,
    at: u64,
    len: u64,
) -> Option<&'static str> {
    let (from, to) = (peek(state, from, true).ok()?, peek(state, to, true).ok()?);
    let part = Part::of(state, from, offset, to, at, len).ok()?;
    let source = blocks(state, part.from).ok().filter(|_| part.len > 0)?;
    (part.can_be_cloned(state) == Ok(true) && source.may_be_freed_within(part.offset, part.len))
        .then_some("cloning of what was freed since it was last on disk")
}

/// What is read is opened before the other one is looked for.
fn open_both(state: &mut State, from: &At, to: &At) -> Found<(Aim, Aim)> {
    let from = find(state, from)?;
    may_open(state, from.0, from.1, READ)?;
    Ok((from, find(state, to)?))
}

/// `copy_file_range(2)`; byte by byte within one file it never ends, as measured since 2.3.
pub(super) fn copy_file_range(
    state: &mut State,
    from: &At,
    offset: u64,
    to: &At,
    at: u64,
    len: u64,
) -> Result {
    let (from, to) = open_both(state, from, to)?;
    let mut part = Part::of(state, from, offset, to, at, len)?;
    // Until 2.1 ZFS has no part in it (`generic_copy_file_checks`).
    if state.release == Release::V2_1 && part.from.0 != part.to.0 {
        return Err(Errno::EXDEV.into());
    }
    if part.overlaps() {
        return Err(Errno::EINVAL.into());
    }
    if part.len == 0 {
        return Ok(Some(FileResult::Count(0)));
    }
    if part.can_be_cloned(state)? {
        part.clone_blocks(state)?;
    } else if part.from == part.to && state.release >= Release::V2_3 {
        return Err(Failure::NotModelled(
            "a copy within one file byte by byte, which hangs",
        ));
    } else {
        part.len = part.len.min(MOST);
        part.copy(state)?;
    }
    Ok(Some(FileResult::Count(part.len)))
}

/// `FICLONE`, which does not copy bytes.
pub(super) fn reflink(state: &mut State, from: &At, to: &At) -> Result {
    let size = u64::try_from(i64::MAX).unwrap_or(u64::MAX);
    let (from, to) = open_both(state, from, to)?;
    let part = Part::of(state, from, 0, to, 0, size)?;
    if part.from.0 != part.to.0 {
        return Err(Errno::EXDEV.into());
    }
    if state.release == Release::V2_1 {
        return Err(Errno::EOPNOTSUPP.into());
    }
    if part.len == 0 {
        return Ok(None);
    }
    let has_feature = |it: &crate::spa::Pool| it.features.contains("block_cloning");
    if !state.pool_of(part.to.0).is_some_and(has_feature) {
        return Err(Errno::EOPNOTSUPP.into());
    }
    if part.overlaps() || !part.can_be_cloned(state)? {
        return Err(Errno::EINVAL.into());
    }
    let part = if state.faulty(Fault::ReflinkStopsAtDirty) {
        part.clean(state)?
    } else {
        part
    };
    if part.len > 0 {
        part.clone_blocks(state)?;
    }
    Ok(None)
}
