//! What files, directories and whole filesystems tell of themselves.

use crate::dmu::{ObjectId, ROOT};
use crate::dsl::dataset::{Dataset, DatasetId};
use crate::dsl::property::{Property, Value};
use crate::machine::State;
use crate::outcome::Errno;
use crate::zpl::files::{Found, Reached, aim, find, find_link, may_open, objset, znode};
use crate::zpl::op::{
    At, Failure, FileResult, Filesystem, Identity, Moment, OnDisk, Result, Stat, Target, Told,
};
use crate::zpl::permission::READ;
use crate::zpl::znode::{Body, Time, Znode};

/// `getdents(2)`
pub(super) fn read_directory(state: &mut State, directory: &Target) -> Result {
    let (reached, object) = aim(state, directory, true)?;
    if matches!(directory, Target::Path(_)) {
        let is_directory = znode(state, reached.dataset, object)?.is_directory();
        if !is_directory {
            return Err(Errno::ENOTDIR.into());
        }
        may_open(state, reached, object, READ)?;
    }
    let objset = objset(state, reached.dataset)?;
    let Some(Body::Directory { entries, .. }) = objset.get(object).map(|it| &it.body) else {
        return Err(Errno::ENOTDIR.into());
    };
    let letter = |id: &ObjectId| objset.get(*id).map_or('f', |it| it.kind().letter());
    let entries = entries.iter().map(|(name, id)| (name.clone(), letter(id)));
    let mut entries: Vec<_> = entries.collect();
    // The control directory shows where it is not hidden (`zpl_root_readdir`); a snapshot has none.
    let id = reached.dataset;
    let is_shown = state.property(id, Property::Snapdir).0 == Value::Word("visible");
    if object == ROOT && is_shown && state.filesystem(id).is_some() {
        entries.push((".zfs".into(), 'd'));
    }
    entries.sort();
    state.was_read(reached.dataset, reached.mount, object);
    Ok(Some(FileResult::Entries(entries)))
}

pub(super) fn tell(state: &mut State, file: &Target) -> Result {
    let (reached, object) = aim(state, file, false)?;
    let block_size = block_size(state, reached.dataset, object)?;
    let mut stat = stat(znode(state, reached.dataset, object)?, block_size);
    if object == ROOT {
        stat.links += state.control_links(reached.dataset);
    }
    let told = state.told_size(reached.dataset, object);
    stat.size = told.unwrap_or(stat.size);
    Ok(Some(FileResult::Stat(stat)))
}

/// `statx(2)`
pub(super) fn times(state: &mut State, file: &Target) -> Result {
    let (reached, object) = aim(state, file, false)?;
    let times = znode(state, reached.dataset, object)?.times;
    let moment = |time| match time {
        Time::Happened(at) => Moment::Ago(state.now.saturating_sub(at)),
        Time::Set(seconds) => Moment::Set(seconds),
    };
    Ok(Some(FileResult::Times(Told {
        modification: moment(times.modification),
        change: moment(Time::Happened(times.change)),
        access: moment(times.access),
        birth: moment(Time::Happened(times.birth)),
    })))
}

/// `zfs_statvfs`
pub(super) fn stat_filesystem(state: &mut State, at: &At) -> Result {
    let (reached, _) = find_link(state, at)?;
    let id = reached.dataset;
    state.close_txg_at(id);
    state.write_closed();
    let unknown = Failure::NotModelled("how much space there is");
    let home = match state.dataset(id).and_then(Dataset::snapshot) {
        Some(_) => state.filesystem_of(id).ok_or(Errno::EIO)?,
        None => id,
    };
    let limited = state.property(home, Property::Refquota).0 != Value::Number(0);
    if home != id && limited {
        return Err(Failure::NotModelled(
            "what is available to a snapshot below a refquota",
        ));
    }
    // A snapshot has none of its own.
    let block_size = if home == id {
        state.recordsize(id)
    } else {
        128 << 10
    };
    let referenced = state.bounds(id, Property::Referenced).ok_or(unknown)?;
    let available = state.bounds(home, Property::Available).ok_or(unknown)?;
    let is_long = state.property(id, Property::Longname).0 == Value::Word("on");
    Ok(Some(FileResult::Filesystem(Filesystem {
        block_size,
        used: referenced.map(|bytes| bytes.div_ceil(block_size)),
        free: available.map(|bytes| bytes / block_size),
        objects: objset(state, id)?.count(),
        longest_name: if is_long { 1023 } else { 255 },
        read_only: reached.read_only,
    })))
}

pub(super) fn compare(state: &mut State, one: &At, other: &At) -> Result {
    let (one, other) = (find_link(state, one)?, find_link(state, other)?);
    Ok(Some(identity(
        (one.0.dataset, one.1),
        (other.0.dataset, other.1),
    )))
}

/// What two devices and numbers of files say.
pub(super) fn identity(one: (DatasetId, ObjectId), other: (DatasetId, ObjectId)) -> FileResult {
    FileResult::Identity(if one.0 != other.0 {
        Identity::OtherDataset
    } else if one.1 != other.1 {
        Identity::OtherFile
    } else {
        Identity::Same
    })
}

/// Of what a walk meets it reads directories and links; files are opened such that this does not count
/// (`O_NOATIME`).
pub(super) fn was_walked(
    state: &mut State,
    reached: Reached,
    objects: impl Iterator<Item = ObjectId>,
) {
    for object in objects {
        let is_read = |it: &Znode| matches!(it.body, Body::Directory { .. } | Body::Link(_));
        if znode(state, reached.dataset, object).is_ok_and(is_read) {
            state.was_read(reached.dataset, reached.mount, object);
        }
    }
}

/// What is on disk once the pool has been synced (`dmu_object_size_from_db`).
pub(super) fn blocks(state: &mut State, at: &At) -> Found {
    let (reached, object) = find_link(state, at)?;
    state.close_txg_at(reached.dataset);
    state.write_closed();
    let objset = objset(state, reached.dataset)?;
    let mut files = Vec::new();
    let paths = objset.paths(object);
    let objects: Vec<_> = paths.iter().map(|(_, object)| *object).collect();
    for (path, object) in paths {
        let znode = znode(state, reached.dataset, object)?;
        let Body::File(blocks) = &znode.body else {
            continue;
        };
        let charged = blocks.charged() + objset.spill_charged(object);
        files.push(OnDisk {
            path,
            blocks: charged.map(|bytes| ((bytes + 256) >> 9) + znode.slots),
            block_size: block_size(state, reached.dataset, object)?.unwrap_or(0),
        });
    }
    was_walked(state, reached, objects.into_iter());
    Ok(Some(FileResult::Blocks(files)))
}

/// `st_blksize` of a regular file: its block size; `recordsize` while it is empty, and in memory since it was made.
fn block_size(state: &State, id: DatasetId, object: ObjectId) -> Found<Option<u64>> {
    let file = znode(state, id, object)?;
    let filesystem = state.filesystem(id);
    let is_in_memory = filesystem.is_some_and(|it| it.reading == file.reading);
    Ok(match &file.body {
        Body::File(blocks) if blocks.is_new() && is_in_memory => Some(state.recordsize(id)),
        Body::File(blocks) => Some(blocks.block_size()),
        _ => None,
    })
}

fn stat(znode: &Znode, block_size: Option<u64>) -> Stat {
    Stat {
        kind: znode.kind(),
        mode: znode.mode,
        links: znode.links,
        uid: znode.uid,
        gid: znode.gid,
        size: znode.size(),
        block_size,
    }
}

/// The blocks not newer than the snapshot: an increment from it would not send them.
pub(super) fn shared(state: &mut State, at: &At, snapshot: &str) -> Found {
    let (reached, object) = find(state, at)?;
    let snapshot = state.find(snapshot).ok_or(Errno::ENOENT)?;
    let Some(txg) = state
        .dataset(snapshot)
        .filter(|dataset| dataset.is_snapshot())
        .map(|it| it.creation_txg)
    else {
        return Err(Errno::EXDEV);
    };
    if snapshot != reached.dataset && !state.is_before(snapshot, reached.dataset) {
        return Err(Errno::EXDEV);
    }
    let Body::File(_) = &znode(state, reached.dataset, object)?.body else {
        return Err(Errno::EINVAL);
    };
    // What is written again as it was may stay.
    state.close_txg_at(reached.dataset);
    state.write_closed();
    let Body::File(blocks) = &znode(state, reached.dataset, object)?.body else {
        return Err(Errno::EINVAL);
    };
    let ranges = blocks.ranges(|block| block.birth <= txg);
    Ok(Some(FileResult::Ranges(ranges)))
}
