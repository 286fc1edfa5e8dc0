//! The datasets of a pool as sets of blocks, and whether its figures are those of the sets.

use std::collections::BTreeMap;
use std::fmt;

use super::{Block, Blocks, Datasets, LOGICAL, PHYSICAL, SIZE};
use crate::dmu::storage::Figure;
use crate::dsl::dataset::{Dataset, DatasetId};
use crate::dsl::property::{Property, Value};
use crate::machine::State;
use crate::spa::Pool;

/// A figure that is not that of the sets, or a block that cannot be where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The full name of the dataset.
    pub dataset: String,
    /// The figure, or what is wrong with a block.
    pub what: &'static str,
    /// What the machine tells, in bytes.
    pub told: Figure,
    /// What the sets say, in bytes.
    pub sets: Figure,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Disagreement {
            dataset,
            what,
            told,
            sets,
        } = self;
        write!(
            f,
            "{dataset}: {what}: {}..{} told, {}..{} by the sets of blocks",
            told.least, told.most, sets.least, sets.most
        )
    }
}

/// The figures that can be read off the sets.
struct Compared {
    what: &'static str,
    told: Figure,
    sets: [u64; 2],
}

/// Holds the figures of a pool against the sets of blocks that its datasets have on disk. Returns the first
/// that differs.
///
/// Nothing is told of a pool of which the model does not know what it takes, or in which blocks stand for
/// several without being a snapshot's or a clone's.
pub fn check(state: &State, pool: &Pool) -> Result<(), Disagreement> {
    if pool.sharing.cloned || pool.sharing.deduplicated || pool.doubt.is_some() {
        return Ok(());
    }
    // Once as if each block weighed the least it can, and once the most.
    let bounds = [datasets(state, pool, 0)?, datasets(state, pool, 1)?];
    for id in pool.datasets.keys() {
        let Some(dataset) = pool.dataset(id) else {
            continue;
        };
        let space = &pool.space;
        if dataset.bookmark().is_some() || !space.contains(id) {
            continue;
        }
        let sets = |of: &dyn Fn(&Datasets) -> u64| [of(&bounds[0]), of(&bounds[1])];
        let referenced = space.referenced(id);
        let mut figures = vec![
            Compared {
                what: "referenced",
                told: referenced.size,
                sets: sets(&|it| it.referenced(id, SIZE)),
            },
            Compared {
                what: "logicalreferenced",
                told: referenced.logical,
                sets: sets(&|it| it.referenced(id, LOGICAL)),
            },
            Compared {
                what: "referenced, one copy",
                told: referenced.physical,
                sets: sets(&|it| it.referenced(id, PHYSICAL)),
            },
            Compared {
                what: "written",
                told: space.written(id),
                sets: sets(&|it| it.written(id)),
            },
        ];
        if dataset.is_snapshot() {
            figures.push(Compared {
                what: "used",
                told: space.unique(id).size,
                sets: sets(&|it| it.unique(id, SIZE)),
            });
        } else {
            figures.push(Compared {
                what: "usedbydataset",
                told: space.used_by_dataset(id),
                sets: sets(&|it| it.used_by_dataset(id, SIZE)),
            });
            figures.push(Compared {
                what: "usedbysnapshots",
                told: space.used_by_snapshots(id),
                sets: sets(&|it| it.used_by_snapshots(id, SIZE)),
            });
            figures.push(Compared {
                what: "used",
                told: space.used(id),
                sets: sets(&|it| it.used(id)),
            });
        }
        for Compared { what, told, sets } in figures {
            let sets = Figure {
                least: sets[0],
                most: sets[1],
            };
            let known = told.known().is_some() && sets.known().is_some();
            let apart = told.most < sets.least || sets.most < told.least;
            if apart || known && told != sets {
                return Err(Disagreement {
                    dataset: state.name_of(id).unwrap_or_default(),
                    what,
                    told,
                    sets,
                });
            }
        }
    }
    Ok(())
}

/// The datasets of a pool as sets, each block with the bound of its weights that `most` chooses.
fn datasets(state: &State, pool: &Pool, most: usize) -> Result<Datasets, Disagreement> {
    let mut sets = Datasets::default();
    let mut next = 0;
    let bound = |figure: Figure| [figure.least, figure.most][most];
    let bytes = |id, property| match state.property(id, property).0 {
        Value::Number(bytes) => bytes,
        _ => 0,
    };
    // An origin comes before its clones.
    for (id, before) in by_age(pool) {
        let Some(dataset) = pool.dataset(id) else {
            continue;
        };
        // What was there when the one before it was made is what that one has.
        let limit = before.and_then(|id| pool.dataset(id));
        let limit = limit.map_or(0, |it| it.creation_txg);
        let mut there: BTreeMap<Block, Vec<Block>> = BTreeMap::new();
        for &block in before.into_iter().flat_map(|id| sets.blocks(id)) {
            there
                .entry(Block { id: 0, ..block })
                .or_default()
                .push(block);
        }
        let mut blocks = Blocks::new();
        for (birth, weight) in dataset.objset.blocks_on_disk() {
            let kind = Block {
                id: 0,
                birth,
                size: bound(weight.size),
                logical: bound(weight.logical),
                physical: bound(weight.physical),
            };
            if birth > limit {
                next += 1;
                blocks.insert(Block { id: next, ..kind });
            } else if let Some(block) = there.get_mut(&kind).and_then(Vec::pop) {
                blocks.insert(block);
            } else {
                return Err(Disagreement {
                    dataset: state.name_of(id).unwrap_or_default(),
                    what: "a block that the snapshot before it has not",
                    told: weight.size,
                    sets: Figure::ZERO,
                });
            }
        }
        if let Some(snapshot) = dataset.snapshot() {
            let txg = dataset.creation_txg;
            sets.snapshots.insert(id, super::Snapshot { txg, blocks });
            let of = sets.filesystems.entry(snapshot.filesystem).or_default();
            of.snapshots.push(id);
        } else if let Some(filesystem) = dataset.filesystem() {
            let of = sets.filesystems.entry(id).or_default();
            of.parent = filesystem.parent;
            of.origin = filesystem.origin;
            of.head = blocks;
            of.reservation = bytes(id, Property::Reservation);
            of.refreservation = bytes(id, Property::Refreservation);
        }
    }
    Ok(sets)
}

/// Filesystems and snapshots with what stands before each in its chain, which comes before it.
fn by_age(pool: &Pool) -> Vec<(DatasetId, Option<DatasetId>)> {
    let mut all = Vec::new();
    for id in pool.datasets.keys() {
        let Some(filesystem) = pool.dataset(id).and_then(|it| it.filesystem()) else {
            continue;
        };
        let mut before = filesystem.origin;
        for snapshot in filesystem.snapshots.iter() {
            all.push((snapshot, before));
            before = Some(snapshot);
        }
        all.push((id, before));
    }
    let made = |id| pool.dataset(id).map_or(0, |it| it.creation_txg);
    // Snapshots by age, and heads, which nothing stands on, behind them.
    all.sort_by_key(|&(id, _)| {
        let is_snapshot = pool.dataset(id).is_some_and(Dataset::is_snapshot);
        (!is_snapshot, made(id), id)
    });
    all
}
