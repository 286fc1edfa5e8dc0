//! Which changes of files go into the open transaction group, which have to wait until what is dirty is on disk,
//! and which there is no space for (`dmu_tx_assign`).
//!
//! A limit is asked what is on disk, and what is dirty, for which 24 times as much counts. So with a small quota each
//! change closes a transaction group, and how far a writer gets is what is on disk then.

use std::collections::BTreeMap;

use super::room::left;
use crate::dmu::storage::Figure;
use crate::dsl::dataset::DatasetId;
use crate::dsl::property::Property;
use crate::fault::Fault;
use crate::machine::State;
use crate::outcome::Errno;
use crate::spa::Pool;
use crate::zpl::op::Failure;

/// What a change counts for until it is on disk, as a multiple of its size (`spa_asize_inflation`).
const INFLATION: u64 = 24;

/// What a change of a table may write, in bytes (`dmu_tx_hold_zap`).
const TABLE: u64 = 128 << 10;

/// A change of the files of a dataset (`dmu_tx_t`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    /// The bytes that it may write.
    bytes: Figure,
}

impl Change {
    /// One of so many tables, with the dnodes of some objects.
    pub const fn tables(tables: u64) -> Change {
        Change::of(tables, 0)
    }

    /// One that writes so many bytes.
    pub const fn writes(bytes: u64) -> Change {
        Change::of(0, bytes)
    }

    const fn of(tables: u64, bytes: u64) -> Change {
        let least = tables * TABLE + bytes + 512;
        Change {
            bytes: Figure {
                least,
                most: least + 7 * 512,
            },
        }
    }
}

/// Whether a change may go ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    /// It may.
    Yes,
    /// Not before what is dirty is on disk.
    Later,
    /// It may not.
    No(Errno),
    /// It depends on space figures that are not known well enough.
    Unknown,
}

/// Whether one number has come up to another, if that is known.
fn reaches(taken: Figure, limit: u64) -> Option<bool> {
    if taken.least >= limit {
        Some(true)
    } else if taken.most < limit {
        Some(false)
    } else {
        None
    }
}

impl State {
    /// Lets a change of a dataset's files into the open transaction group, or into one that opens once what is
    /// dirty is on disk (`dmu_tx_assign`).
    pub(crate) fn assign(
        &mut self,
        id: DatasetId,
        change: Change,
    ) -> std::result::Result<(), Failure> {
        if !self.is_limited(id) {
            return Ok(());
        }
        let refused = match self.admission(id, change) {
            Admission::Later => {
                if let Some(pool) = self.pool_of_mut(id) {
                    pool.close_txg();
                }
                self.write_closed();
                self.admission(id, change)
            }
            admission => admission,
        };
        match refused {
            Admission::Yes => Ok(()),
            Admission::No(errno) => Err(Failure::Errno(errno)),
            Admission::Later | Admission::Unknown => Err(Failure::NotModelled(
                "whether there is space for a change so near a quota",
            )),
        }
    }

    /// Whether a quota limits what is written to a dataset.
    pub(crate) fn is_limited(&self, id: DatasetId) -> bool {
        let has = |id, property| self.size_property(id, property) != 0;
        self.pool_of(id)
            .is_some_and(|pool| !pool.limited.is_empty())
            && !self.faulty(Fault::QuotaIsIgnored)
            && (has(id, Property::Refquota)
                || self.and_above(id).any(|id| has(id, Property::Quota)))
    }

    /// A filesystem and those above it.
    fn and_above(&self, id: DatasetId) -> impl Iterator<Item = DatasetId> {
        std::iter::successors(Some(id), |&id| self.filesystem(id)?.parent)
    }

    /// What the changes count for that are not on disk, by the dataset that they count in, be it below it
    /// (`dsl_dir_space_towrite`).
    fn in_flight(&self, pool: &Pool) -> BTreeMap<DatasetId, Figure> {
        let sector = 1 << pool.ashift;
        let count = |size: u64| size.max(sector) * INFLATION;
        let mut flying = BTreeMap::<_, Figure>::new();
        for &id in pool.dirty.keys() {
            let mut more = self
                .dataset(id)
                .map_or(Figure::ZERO, |it| it.objset.dirty_space(count));
            for above in self.and_above(id) {
                let known = flying.entry(above).or_default();
                *known = *known + more;
                // What is reserved counts above already (`parent_delta`).
                let reserved = self.size_property(above, Property::Reservation);
                let unused = left(reserved, self.used(above));
                more.least = more.least.saturating_sub(unused.most);
            }
        }
        flying
    }

    /// Whether a change may go ahead (`dsl_dir_tempreserve_impl`, `dsl_dataset_check_quota`).
    fn admission(&self, id: DatasetId, change: Change) -> Admission {
        let Some(pool) = self.pool_of(id).filter(|it| it.space.contains(id)) else {
            return Admission::Unknown;
        };
        let flying = self.in_flight(pool);
        let flies = |id| flying.get(&id).copied().unwrap_or_default();
        let quota = |id, property| match self.size_property(id, property) {
            0 => u64::MAX,
            quota => quota,
        };
        let limit = quota(id, Property::Refquota);
        let mut referenced = pool.space.referenced(id).size;
        if self.faulty(Fault::RefquotaCountsSnapshots) {
            referenced = referenced + pool.space.used_by_snapshots(id);
        }
        let unsure = match reaches(referenced + flies(id), limit) {
            Some(false) => false,
            None => true,
            Some(true) if flies(id).least > 0 => return Admission::Later,
            Some(true) => return Admission::No(Errno::EDQUOT),
        };
        // What is left of its `refreservation` is there.
        let unique = pool.space.unique(id).size;
        let mut promised = left(
            self.size_property(id, Property::Refreservation),
            unique + flies(id),
        );
        let mut used = self.used(id).without(pool.space.kept(id));
        let sector = 1 << pool.ashift;
        let mut bytes = change.bytes.map(|bytes| bytes.max(sector) * INFLATION);
        for id in self.and_above(id) {
            let limit = quota(id, Property::Quota);
            let waits = reaches(used + flies(id), limit.saturating_add(limit >> 5));
            let found = match (reaches(used, limit), waits) {
                (Some(true), _) => Admission::No(Errno::EDQUOT),
                (Some(false), Some(true)) => Admission::Later,
                (Some(false), Some(false)) => Admission::Yes,
                _ => Admission::Unknown,
            };
            // It may be that it is not asked.
            if found != Admission::Yes {
                let asked = !unsure && bytes.least > 0;
                return if asked { found } else { Admission::Unknown };
            }
            // What is reserved for it is there, too (`parent_delta`).
            let reserved = self.size_property(id, Property::Reservation);
            let unused = left(reserved, used + flies(id)) + promised;
            promised = Figure::ZERO;
            bytes = Figure {
                least: bytes.least.saturating_sub(unused.most),
                most: bytes.most.saturating_sub(unused.least),
            };
            if bytes.most == 0 {
                break;
            }
            if let Some(parent) = self.filesystem(id).and_then(|it| it.parent) {
                used = self.used(parent);
            }
        }
        if unsure {
            Admission::Unknown
        } else {
            Admission::Yes
        }
    }
}
