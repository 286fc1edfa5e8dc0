//! How large the blocks of a new volume are, and what it keeps for itself (`default_volblocksize`,
//! `zvol_volsize_to_reservation`).

use ztwin_model::Release;
use ztwin_model::dmu::storage::Storage;
use ztwin_model::dsl::dataset::{Dataset, DatasetId};
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::properties::{Key, Property, Value};
use ztwin_model::fault::Fault;
use ztwin_model::spa::{Pool, Shape};

use crate::programs::console::Console;

/// The default block size of a release.
pub(super) fn default_block_size(release: Release) -> u64 {
    match Property::Volblocksize.default_value(release) {
        Value::Number(bytes) => bytes,
        Value::Word(_) | Value::Text(_) => 0,
    }
}

/// The block size of a new volume; warns of one that was asked for and wastes space.
pub(super) fn block_size(console: &mut Console<'_>, pool: &str, given: Option<u64>) -> u64 {
    let usual = default_block_size(console.release());
    let least = console.state().pools.get(pool).map_or(512, |pool| {
        pool.vdevs
            .iter()
            .map(|vdev| least_allocation(pool.ashift, &vdev.shape, console.release()))
            .fold(512, u64::max)
    });
    let mut good = usual;
    while good * 2 <= least {
        good *= 2;
    }
    let Some(given) = given else {
        return good;
    };
    if given < usual {
        console.complain(format!(
            "Warning: volblocksize ({given}) is less than the default minimum block size ({usual})."
        ));
        console.complain(format!(
            "To reduce wasted space a volblocksize of {good} is recommended."
        ));
    } else if given < good {
        let wasted = 100 * (least - given) / least;
        console.complain(format!(
            "Warning: volblocksize ({given}) is much less than the minimum allocation"
        ));
        console.complain(format!(
            "unit ({least}), which wastes at least {wasted}% of space. To reduce wasted space,"
        ));
        console.complain(format!(
            "use a larger volblocksize ({good} is recommended), fewer dRAID data disks"
        ));
        console.complain("per group, or smaller sector size (ashift).");
    }
    given
}

/// What the smallest block takes on a vdev. Since 2.2 the pool tells it, and it is a sector
/// (`spa_max_alloc`).
fn least_allocation(ashift: u32, shape: &Shape, release: Release) -> u64 {
    let sectors = match shape {
        Shape::Draid(draid) => draid.data,
        Shape::Raidz(1) if release == Release::V2_1 => 2,
        Shape::Raidz(_) if release == Release::V2_1 => 4,
        _ => 1,
    };
    sectors << ashift
}

/// What a volume of this size keeps for its data and their metadata (`zvol_volsize_to_reservation`).
/// Copies are not counted.
pub(super) fn reservation(
    pool: Option<&Pool>,
    size: u64,
    block_size: u64,
    release: Release,
) -> u64 {
    /// Block pointers in a block of metadata, and its size (`DNODES_PER_LEVEL`, `DN_MAX_INDBLKSHIFT`).
    const POINTERS: u64 = 1024;
    const METADATA: u64 = 128 << 10;
    let mut blocks = size / block_size.max(1);
    let data = pool
        .and_then(|pool| on_raidz(pool, blocks, block_size, release))
        .unwrap_or(size);
    let mut metadata = 7;
    while blocks > 1 {
        blocks = blocks.div_ceil(POINTERS);
        metadata += blocks;
    }
    // Metadata is stored twice.
    data.saturating_add((2 * metadata).saturating_mul(METADATA))
}

/// The space that blocks take on raidz or draid, as ZFS counts it: in proportion to what a block of 128K takes
/// (`volsize_from_vdevs`). None on vdevs that are none.
fn on_raidz(pool: &Pool, blocks: u64, block_size: u64, release: Release) -> Option<u64> {
    const USUAL: u64 = 128 << 10;
    let sizes = pool.vdevs.iter().filter_map(|vdev| {
        if matches!(vdev.shape, Shape::Single | Shape::Mirror) {
            return None;
        }
        let taken = |bytes: u64| {
            let storage = Storage::on(&vdev.shape, vdev.devices.len(), pool.ashift);
            storage.allocated(bytes)
        };
        let all = u128::from(blocks) * u128::from(taken(block_size));
        let (usual, taken) = (u128::from(USUAL), u128::from(taken(USUAL)).max(1));
        // Since 2.2 it is rounded to sectors before it is multiplied.
        let size = match release {
            Release::V2_1 => all * usual / taken,
            _ => all / (taken >> 9).max(1) * (usual >> 9),
        };
        Some(u64::try_from(size).unwrap_or(u64::MAX))
    });
    sizes.max().filter(|&size| size > 0)
}

/// Whether what a volume keeps is the same on all vdevs (a planted fault).
pub(super) fn is_plain(console: &Console<'_>) -> bool {
    console.state().faulty(Fault::RaidzReservesPlainly)
}

/// What an existing volume, or a clone of one, keeps when `refreservation` is `auto`, at a size.
fn automatic(console: &Console<'_>, id: DatasetId, size: u64) -> u64 {
    let state = console.state();
    let volume = state.dataset(id).and_then(Dataset::volume);
    let block_size = volume.map_or(0, |it| it.block_size);
    let pool = state.pool_of(id).filter(|_| !is_plain(console));
    reservation(pool, size, block_size, console.release())
}

/// The number that a property is to have.
pub(super) fn number(settings: &[(Key, Value)], property: Property) -> Option<u64> {
    settings.iter().find_map(|(key, value)| match value {
        Value::Number(number) if *key == Key::Native(property) => Some(*number),
        _ => None,
    })
}

/// Puts the number in the place of `refreservation=auto` (`zfs_fix_auto_resv`).
pub(super) fn fix_automatic(console: &Console<'_>, id: DatasetId, settings: &mut [(Key, Value)]) {
    let Some(volume) = console.state().dataset(id).and_then(Dataset::volume) else {
        return;
    };
    let size = number(settings, Property::Volsize).unwrap_or(volume.size);
    for (key, value) in settings {
        if *key == Key::Native(Property::Refreservation) && *value == Value::Word("auto") {
            *value = Value::Number(automatic(console, id, size));
        }
    }
}

/// Lets what a volume keeps follow its new size, as long as it is what it kept by itself
/// (`zfs_add_synthetic_resv`). The size to go back to when there is no room for that.
pub(super) fn add_reservation(
    console: &Console<'_>,
    id: DatasetId,
    settings: &mut Vec<(Key, Value)>,
) -> Option<u64> {
    let size = number(settings, Property::Volsize)?;
    let volume = console.state().dataset(id).and_then(Dataset::volume)?;
    let reserved = Key::Native(Property::Refreservation);
    let (kept, _) = console.state().property(id, Property::Refreservation);
    let by_itself = Value::Number(automatic(console, id, volume.size));
    let faulty = console.state().faulty(Fault::ResizeKeepsReservation);
    if faulty || kept != by_itself || settings.iter().any(|(key, _)| *key == reserved) {
        return None;
    }
    settings.push((reserved, Value::Number(automatic(console, id, size))));
    Some(volume.size)
}

/// The size of a volume that keeps just as much (`zfs_rollback`).
pub(super) fn kept_as_size(console: &Console<'_>, id: DatasetId) -> Option<u64> {
    let size = console.state().dataset(id).and_then(Dataset::volume)?.size;
    let (kept, _) = console.state().property(id, Property::Refreservation);
    (kept == Value::Number(size)).then_some(size)
}

/// Lets a volume that kept just its size do so at the size that a rollback gave it; the exit code.
pub(super) fn keep_size(console: &mut Console<'_>, id: DatasetId, before: Option<u64>) -> u8 {
    let volume = console.state().dataset(id).and_then(Dataset::volume);
    let (Some(volume), Some(before)) = (volume, before) else {
        return 0;
    };
    if volume.size == before {
        return 0;
    }
    let name = console.name(id);
    let kept = (
        Key::Native(Property::Refreservation),
        Value::Number(volume.size),
    );
    let set = DslOp::Set {
        name: name.as_str().into(),
        settings: vec![kept],
    };
    match console.dataset(set) {
        Ok(()) => 0,
        Err(reason) => {
            console.refuse(&format!("cannot set property for '{name}'"), &reason);
            1
        }
    }
}
