//! The space figures of a dataset as ZFS tells them (`dsl_get_used`, `dsl_get_referenced` and their like). They
//! are those of the last transaction group that was closed.

use std::collections::BTreeSet;

use crate::dmu::Weight;
use crate::dmu::storage::Figure;
use crate::dsl::dataset::{Dataset, DatasetId};
use crate::dsl::property::Property;
use crate::machine::State;
use crate::spa::Pool;

impl State {
    /// A figure in bytes, or a ratio in hundredths; none where nothing is known of it. What a pool needs for
    /// itself is charged to its root, and not modelled.
    #[must_use]
    pub fn figure(&self, id: DatasetId, property: Property) -> Option<Figure> {
        let figure = self.bounds(id, property)?;
        let of_pool = match property {
            Property::Used
            | Property::Usedbychildren
            | Property::Logicalused
            | Property::Compressratio => self.pool_of(id)?.root == id,
            // What the pool has left is as unknown as what it takes.
            Property::Available => figure.known().is_none(),
            _ => false,
        };
        (!of_pool).then_some(figure)
    }

    /// As [`State::figure`], with what the pool may need for itself.
    #[must_use]
    pub fn bounds(&self, id: DatasetId, property: Property) -> Option<Figure> {
        let pool = self.pool_of(id)?;
        let space = &pool.space;
        if let Some(bookmark) = pool.dataset(id)?.bookmark() {
            let marked = space.marked(bookmark.filesystem, id)?;
            return match property {
                Property::Referenced => Some(marked.size),
                Property::Logicalreferenced => Some(marked.logical),
                _ => None,
            };
        }
        if !space.contains(id) || pool.doubt.is_some() {
            return None;
        }
        let for_itself = if id == pool.root {
            pool.own_metadata()
        } else {
            Figure::ZERO
        };
        Some(match property {
            Property::Used => space.used(id) + for_itself,
            Property::Available => self.available(id),
            Property::Referenced => space.referenced(id).size,
            Property::Written => space.written(id),
            Property::Usedbydataset => space.used_by_dataset(id),
            Property::Usedbysnapshots => space.used_by_snapshots(id),
            Property::Usedbychildren => space.used_by_children(id) + for_itself,
            Property::Usedbyrefreservation => space.used_by_refreservation(id),
            Property::Logicalused => space.blocks(id).logical,
            Property::Logicalreferenced => space.referenced(id).logical,
            Property::Compressratio if self.dataset(id).is_some_and(Dataset::is_snapshot) => {
                ratio(space.referenced(id))?
            }
            Property::Compressratio => ratio(space.blocks(id))?,
            Property::Refcompressratio => ratio(space.referenced(id))?,
            _ => return None,
        })
    }
}

/// A figure of which all is known but what the pool takes for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// So many bytes, and what that takes on disk.
    More(u64),
    /// What is left of so many bytes.
    Less(u64),
    /// So many bytes, and how long that is before compression.
    Logical(u64),
    /// How well so many bytes, stored in so many, are compressed together with that, which is charged as long as
    /// it is stored (`bp_get_ucsize` of metadata).
    Ratio {
        /// Before compression.
        logical: u64,
        /// Behind it.
        physical: u64,
    },
}

impl State {
    /// A figure that [`State::figure`] does not know for what the pool takes for itself; none if there is
    /// more that is not known.
    #[must_use]
    pub fn beside_metadata(&self, id: DatasetId, property: Property) -> Option<Beside> {
        let is_known = |pool: &&Pool| pool.space.contains(id) && pool.doubt.is_none();
        let pool = self.pool_of(id).filter(is_known)?;
        let own = pool.own_metadata();
        let blocks = pool.space.blocks(id);
        Some(match property {
            Property::Available => {
                // What nothing else limits falls by all that the pool may take.
                let bounds = self.available(id);
                let falls = bounds.most - bounds.least == own.most - own.least;
                Beside::Less(falls.then(|| bounds.most.saturating_add(own.least))?)
            }
            _ if id != pool.root => return None,
            Property::Used => Beside::More(pool.space.used(id).known()?),
            Property::Usedbychildren => Beside::More(pool.space.used_by_children(id).known()?),
            Property::Logicalused => Beside::Logical(blocks.logical.known()?),
            Property::Compressratio => Beside::Ratio {
                logical: blocks.logical.known()?,
                physical: blocks.physical.known()?,
            },
            _ => return None,
        })
    }

    /// What was written since a snapshot (`written@`) or since a bookmark (`written#`); none where nothing is
    /// known of it.
    #[must_use]
    pub fn written_since(&self, id: DatasetId, since: DatasetId) -> Option<Figure> {
        let pool = self
            .pool_of(id)
            .filter(|pool| pool.space.contains(id) && pool.doubt.is_none())?;
        match pool.dataset(since)?.bookmark() {
            Some(bookmark) => {
                let home = bookmark.filesystem;
                pool.space.written_since_bookmark(id, home, since)
            }
            None => Some(pool.space.written_since(id, since)),
        }
    }

    /// What destroying these snapshots would free, as far as it is told: of each filesystem those that follow
    /// each other (`destroy_print_snapshots`, `dsl_dataset_space_wouldfree`).
    #[must_use]
    pub fn reclaimed(&self, snapshots: &[DatasetId]) -> Option<Figure> {
        let homes = snapshots.iter().filter_map(|&id| self.filesystem_of(id));
        let wanted: BTreeSet<_> = snapshots.iter().collect();
        let mut freed = Figure::ZERO;
        for home in homes.collect::<BTreeSet<_>>() {
            let pool = self
                .pool_of(home)
                .filter(|pool| pool.space.contains(home))?;
            let all: Vec<DatasetId> = pool.dataset(home)?.filesystem()?.snapshots.iter().collect();
            for run in all.split(|id| !wanted.contains(id)) {
                if let (Some(&first), Some(&last)) = (run.first(), run.last()) {
                    freed = freed + pool.space.reclaimed(first, last);
                }
            }
        }
        Some(freed)
    }
}

/// How well blocks are compressed, in hundredths (`dsl_get_refratio`).
fn ratio(blocks: Weight) -> Option<Figure> {
    let hundredths = |logical: u64, physical: u64| match physical {
        0 => (logical == 0).then_some(100),
        // No block is stored larger than it is.
        _ => Some((logical.saturating_mul(100) / physical).max(100)),
    };
    Some(Figure {
        least: hundredths(blocks.logical.least, blocks.physical.most)?,
        most: hundredths(blocks.logical.most, blocks.physical.least)?,
    })
}
