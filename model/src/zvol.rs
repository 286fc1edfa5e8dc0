//! The devices of volumes: what writing to them, reading and discarding does (`zvol_os.c`).

use std::sync::Arc;

use crate::dmu::Blocks;
use crate::dmu::data::Piece;
use crate::dsl::assign::Change;
use crate::dsl::dataset::{Dataset, DatasetId};
use crate::dsl::property::{Property, Value};
use crate::fault::Fault;
use crate::machine::State;
use crate::outcome::Errno;
use crate::spa::Pool;
use crate::zpl::files::{Found, objset_mut, terms};
use crate::zpl::op::{Failure, FileResult, Result};

/// The unit in which a device is read and written, in bytes (`SECTOR_SIZE`).
const SECTOR: u64 = 512;

/// What Linux surely hands to a device in one piece, in bytes.
const ONE: u64 = 128 << 10;

/// Opens the device of a volume, or of a snapshot of one, if there is any (`zvol_os_create_minor`).
fn open(state: &State, name: &str) -> Found<DatasetId> {
    let id = state.find(name).ok_or(Errno::ENOENT)?;
    let dataset = state.dataset(id).ok_or(Errno::ENOENT)?;
    let hidden = if dataset.is_snapshot() {
        state.property(id, Property::Snapdev).0 == Value::Word("hidden")
    } else {
        state.property(id, Property::Volmode).0 == Value::Word("none")
    };
    if dataset.volume().is_none() || hidden {
        return Err(Errno::ENOENT);
    }
    Ok(id)
}

/// The same for writing (`zvol_open`).
fn open_to_write(state: &State, name: &str) -> Found<DatasetId> {
    let id = open(state, name)?;
    let is_snapshot = state.dataset(id).is_some_and(Dataset::is_snapshot);
    let read_only = state.pool_of(id).is_some_and(Pool::is_read_only);
    if is_snapshot || read_only || state.is_readonly(id) {
        return Err(Errno::EROFS);
    }
    Ok(id)
}

fn content(state: &State, id: DatasetId) -> Found<&Blocks> {
    let blocks = state.dataset(id).and_then(|it| it.objset.volume_data());
    blocks.ok_or(Errno::EIO)
}

/// Reads from the device of a volume.
pub(crate) fn read(state: &State, name: &str, offset: u64, len: u64) -> Found {
    let id = open(state, name)?;
    let pieces = content(state, id)?.read(offset, len);
    Ok(Some(FileResult::Data(pieces)))
}

/// Writes to the device of a volume, past the cache. What reaches beyond its end is not written.
pub(crate) fn write(state: &mut State, name: &str, offset: u64, data: &Piece) -> Result {
    let id = open_to_write(state, name)?;
    if data.len == 0 {
        return Ok(None);
    }
    let size = content(state, id)?.size();
    let fits = data.len.min(size.saturating_sub(offset));
    if fits == 0 {
        return Err(Errno::ENOSPC.into());
    }
    if !offset.is_multiple_of(SECTOR) || !fits.is_multiple_of(SECTOR) {
        return Err(Errno::EINVAL.into());
    }
    open_anew(state, id);
    let one = if state.is_tight(id, Change::writes(fits)) {
        ONE
    } else {
        fits
    };
    let mut done = 0;
    while done < fits {
        let len = one.min(fits - done);
        // The larger a piece, the sooner it is refused.
        if let Err(failure) = state.assign(id, Change::writes(fits - done)) {
            // What was asked to write is synced when it is closed, even if it did not (`ZVOL_WRITTEN_TO`).
            state.close_txg_at(id);
            return Err(match failure {
                // Nobody knows in what pieces it is written, several at a time.
                _ if done > 0 || len < fits => Failure::NotModelled(
                    "how much of a large write into a volume fits so near a quota, or to the end of a pool",
                ),
                // Linux knows no such error of a device (`errno_to_bi_status`).
                Failure::Errno(Errno::EDQUOT) => Failure::Errno(Errno::EIO),
                other => other,
            });
        }
        let terms = terms(state, id);
        if let Some(blocks) = objset_mut(state, id)?.volume_data_mut() {
            blocks.write(offset + done, &data.slice(done, len), terms);
        }
        done += len;
    }
    close(state, id)?;
    if fits < data.len {
        return Err(Errno::ENOSPC.into());
    }
    Ok(None)
}

/// Discards what the device of a volume has, as far as it fills whole blocks (`zvol_discard`).
pub(crate) fn discard(state: &mut State, name: &str, offset: u64, len: u64) -> Result {
    let id = open_to_write(state, name)?;
    let blocks = content(state, id)?;
    let (size, block_size) = (blocks.size(), blocks.block_size());
    if offset > size || !offset.is_multiple_of(SECTOR) || !len.is_multiple_of(SECTOR) {
        return Err(Errno::EINVAL.into());
    }
    // It is cut off at the end (`blkdiscard`).
    let end = offset.saturating_add(len).min(size);
    if offset == end {
        return Ok(None);
    }
    let (start, end) = if state.faulty(Fault::DiscardReachesParts) {
        (offset, end)
    } else {
        let start = offset.next_multiple_of(block_size);
        let whole = end / block_size * block_size;
        let kept = start.saturating_add(end - offset).min(size);
        let is_kept = start < whole && state.faulty(Fault::DiscardKeepsLength);
        (start, if is_kept { kept } else { whole })
    };
    if start >= end {
        state.close_txg_at(id);
        return Ok(None);
    }
    let change = Change::frees(blocks.indirect_bytes());
    open_anew(state, id);
    let reaches = content(state, id)?.reaches(start, terms(state, id));
    state.assign(id, change)?;
    let terms = terms(state, id);
    if reaches && let Some(blocks) = objset_mut(state, id)?.volume_data_mut() {
        blocks.punch(start, end - start, terms);
    }
    close(state, id)
}

/// Begins the logs of all volumes of a pool anew, as making their devices does (`zvol_os_create_minor`).
pub(crate) fn begin_logs(pool: &mut Pool) {
    let volumes = pool
        .datasets
        .values()
        .filter(|it| it.volume().is_some() && !it.is_snapshot());
    for id in volumes.map(|it| it.id).collect::<Vec<_>>() {
        let dataset = pool.datasets.get_mut(&id).map(Arc::make_mut);
        if dataset.is_some_and(|it| it.objset.begin_log()) {
            pool.dirty(id);
        }
    }
}

/// Closes a device that was written to: that is committed to the intent log, and brought to disk (`zvol_shutdown_zv`).
fn close(state: &mut State, id: DatasetId) -> Result {
    if state.property(id, Property::Sync).0 != Value::Word("disabled") {
        objset_mut(state, id)?.log();
    }
    state.close_txg_at(id);
    Ok(None)
}

/// Its device is opened, and what is in the volume read into memory for that.
fn open_anew(state: &mut State, id: DatasetId) {
    if !state.faulty(Fault::VolumeIsReadOnce) {
        state.read_again(id);
    }
}

/// Frees what lies behind the end of a volume that has become smaller; it is read into memory for that, as it is
/// each time that its device is opened (`zvol_update_volsize`).
pub(crate) fn cut(state: &mut State, id: DatasetId) {
    let Some(size) = state
        .dataset(id)
        .and_then(Dataset::volume)
        .map(|it| it.size)
    else {
        return;
    };
    open_anew(state, id);
    let terms = terms(state, id);
    if content(state, id).is_ok_and(|it| it.reaches(size, terms)) {
        state.write_closed();
        let terms = self::terms(state, id);
        if let Ok(Some(blocks)) = objset_mut(state, id).map(|it| it.volume_data_mut()) {
            blocks.truncate(size, terms);
        }
    } else if !state.faulty(Fault::EmptyVolumeKeepsEnd)
        && let Some(dataset) = state.dataset_mut(id)
    {
        dataset.objset.end_at(size);
    }
}
