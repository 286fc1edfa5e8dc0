//! Where a file has data and where it has holes.

use crate::dmu::Blocks;
use crate::fault::Fault;
use crate::machine::State;
use crate::outcome::Errno;
use crate::zpl::files::{aim, aim_open, objset, znode};
use crate::zpl::op::{Failure, FileResult, Result, Target};
use crate::zpl::permission::READ;
use crate::zpl::znode::Body;

/// `zfs_holey`: in whole blocks, and nothing is behind the end. A file that is dirty comes to disk first,
/// and all with it; what else is dirty does not matter (`dmu_offset_next` with `zfs_dmu_offset_next_sync`).
pub(super) fn seek(state: &mut State, file: &Target, offset: u64, hole: bool) -> Result {
    // It does not matter what a handle is for.
    let (reached, object) = match file {
        Target::Open(_) => aim(state, file, true)?,
        _ => aim_open(state, file, READ)?,
    };
    let id = reached.dataset;
    match &znode(state, id, object)?.body {
        Body::File(blocks) if offset >= blocks.size() => return Err(Errno::ENXIO.into()),
        Body::File(_) => {}
        _ => return Err(Failure::NotModelled("holes of what is no file")),
    }
    let dirty_is_clean = state.faulty(Fault::DirtyIsClean);
    if objset(state, id)?.is_dirty_object(object) && !dirty_is_clean {
        state.close_txg_at(id);
        state.write_closed();
    }
    let Body::File(blocks) = &znode(state, id, object)?.body else {
        return Err(Errno::EIO.into());
    };
    let on_disk = dirty_is_clean.then(|| blocks.on_disk());
    let blocks = on_disk.as_ref().unwrap_or(blocks);
    let size = blocks.block_size();
    let is_odd = !size.is_power_of_two() && !state.faulty(Fault::OddBlockIsHole);
    let found = if is_odd {
        // The only block of such a file counts as data whatever is in it (`dnode_next_offset`).
        let end = if hole {
            size.min(blocks.size())
        } else {
            offset
        };
        Some(end).filter(|_| offset < size)
    } else if hole {
        Some(first_hole(blocks, offset))
    } else {
        first_data(blocks, offset)
    };
    let at_end = hole && found == Some(blocks.size());
    let found = found.filter(|_| !(at_end && state.faulty(Fault::EndIsNoHole)));
    let found = found.ok_or(Errno::ENXIO)?;
    Ok(Some(FileResult::Count(found)))
}

/// The first byte of data at or behind an offset.
fn first_data(blocks: &Blocks, offset: u64) -> Option<u64> {
    let size = blocks.block_size();
    let mut numbers = blocks.iter().map(|(number, _)| number * size);
    let start = numbers.find(|start| start + size > offset)?;
    Some(start.max(offset)).filter(|&start| start < blocks.size())
}

/// The first byte of a hole at or behind an offset; there is always one at the end.
fn first_hole(blocks: &Blocks, offset: u64) -> u64 {
    let size = blocks.block_size();
    let mut at = offset;
    for (number, _) in blocks.iter() {
        let start = number * size;
        if start + size <= at {
            continue;
        }
        if start > at {
            break;
        }
        at = start + size;
    }
    at.min(blocks.size())
}
