//! Which changes of files go into the open transaction group, which have to wait until what is dirty is on disk,
//! and which there is no space for (`dmu_tx_assign`).
//!
//! A limit is asked what is on disk, and what is dirty, for which 24 times as much counts. So with a small quota each
//! change closes a transaction group, and how far a writer gets is what is on disk then.

use std::collections::BTreeMap;

use super::room::{Fits, left, smaller};
use crate::dmu::storage::Figure;
use crate::dsl::dataset::DatasetId;
use crate::dsl::property::Property;
use crate::fault::Fault;
use crate::machine::State;
use crate::outcome::Errno;
use crate::release::Release;
use crate::spa::Pool;
use crate::zpl::op::Failure;

/// What a change counts for until it is on disk, as a multiple of its size (`spa_asize_inflation`).
const INFLATION: u64 = 24;

/// What is dirty takes at most so much less on disk than it counts for: three copies of it.
const COPIES: u64 = INFLATION / 3;

/// What a change of a table may write, in bytes (`dmu_tx_hold_zap`).
const TABLE: u64 = 128 << 10;

/// The most that a change dirties besides what it writes, in bytes: dnodes, what is above them, and tables.
const BESIDES: u64 = 1 << 20;

/// A block of the pool's own metadata, on average and three times stored, in bytes (`DST_AVG_BLKSHIFT`).
const OWN_BLOCK: u64 = 3 * (16 << 10);

/// A change of the files of a dataset (`dmu_tx_t`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    /// It will have freed more than it takes: no quota is asked (`dmu_tx_mark_netfree`).
    frees: bool,
    /// The bytes that it may write.
    pub(super) bytes: Figure,
    /// The bytes of indirect blocks that it changes, for which no space is asked (`dmu_tx_count_free`).
    indirect: u64,
}

impl Change {
    /// One that frees something with so many bytes of indirect blocks.
    pub const fn frees(indirect: u64) -> Change {
        Change {
            frees: true,
            indirect,
            ..Change::of(2, 0)
        }
    }

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
            frees: false,
            bytes: Figure {
                least,
                most: least + 7 * 512,
            },
            indirect: 0,
        }
    }
}

/// Whether a change may go ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may.
    Yes,
    /// Not before what is dirty is on disk.
    Later,
    /// It may, and nobody knows whether at once or later.
    Sometime,
    /// It may not.
    No(Errno),
    /// It may not, and nobody knows whether at once, or when what is dirty is on disk.
    Late(Errno),
    /// It depends on space figures that are not known well enough.
    Unknown,
}

/// Whether one number has come up to another, if that is known.
pub(super) fn reaches(taken: Figure, limit: Figure) -> Option<bool> {
    if taken.least >= limit.most {
        Some(true)
    } else if taken.most < limit.least {
        Some(false)
    } else {
        None
    }
}

/// What may be dirty below a limit: a part of it more.
fn extended(limit: Figure) -> Figure {
    limit.map(|limit| limit.saturating_add(limit >> 5))
}

impl State {
    /// Lets a change of a dataset's files into the open transaction group, or into one that opens once what is
    /// dirty is on disk (`dmu_tx_assign`).
    pub(crate) fn assign(
        &mut self,
        id: DatasetId,
        change: Change,
    ) -> std::result::Result<(), Failure> {
        let limited = self.is_limited(id);
        let change = Change {
            frees: change.frees && !self.faulty(Fault::UnlinkAsksQuota),
            ..change
        };
        if !self.is_tight(id, change) {
            return Ok(());
        }
        let admission = match self.admission(id, change) {
            Admission::Later => {
                if let Some(pool) = self.pool_of_mut(id) {
                    pool.close_txg();
                }
                self.write_closed();
                self.admission(id, change)
            }
            admission => admission,
        };
        match admission {
            Admission::Yes => Ok(()),
            Admission::No(errno) => Err(Failure::Errno(errno)),
            Admission::Sometime if !limited => {
                self.doubt(id);
                Ok(())
            }
            Admission::Late(errno) => {
                self.doubt(id);
                Err(Failure::Errno(errno))
            }
            _ => Err(Failure::NotModelled(
                "whether there is space for a change so near a quota, or to the end of a pool",
            )),
        }
    }

    /// Whether it has to be looked at closely what a change takes: a quota limits it, or it may be that the pool has no
    /// space for it and for all that is dirty. That it is not saves looking.
    pub(crate) fn is_tight(&mut self, id: DatasetId, change: Change) -> bool {
        let Some(pool) = self.pool_of(id) else {
            return false;
        };
        let more = (change.bytes.most + change.indirect).saturating_add(BESIDES);
        let more = more.saturating_mul(INFLATION);
        let limit = pool.fillable(0).least;
        let used = self.used(pool.root).most;
        let fits = |in_flight: u64| used.saturating_add(in_flight) < limit;
        let mut in_flight = pool.in_flight.saturating_add(more);
        if !fits(in_flight) {
            let flying = self.in_flight(pool);
            let exact = flying.get(&pool.root).map_or(0, |it| it.most);
            in_flight = exact.saturating_add(more);
        }
        let tight = pool.doubt.is_some() || !fits(in_flight);
        if let Some(pool) = self.pool_of_mut(id) {
            pool.in_flight = in_flight;
        }
        tight || self.is_limited(id)
    }

    /// Whether there is space for a change of the pool's own metadata, of so many blocks, be it with a part of what
    /// is kept back (`dsl_sync_task_sync`).
    pub(crate) fn has_space_for(&self, pool: &Pool, blocks: u64, part: u32) -> Fits {
        let taken = |state: &State| {
            let used = state.used(pool.root);
            used.map(|used| used + blocks * OWN_BLOCK)
        };
        let limit = pool.fillable(part);
        let dirty = pool.in_flight / COPIES;
        if taken(self).most.saturating_add(dirty) <= limit.least {
            return Fits::Yes;
        }
        let mut synced = self.clone();
        synced.write_open(pool.root);
        let then = taken(&synced);
        if then.most <= limit.least {
            Fits::Yes
        } else if then.least > limit.most {
            Fits::No
        } else {
            Fits::Unknown
        }
    }

    /// From now on nobody knows whether the open transaction group was closed.
    pub(crate) fn doubt(&mut self, id: DatasetId) {
        if let Some(pool) = self.pool_of_mut(id) {
            pool.doubt = Some(pool.open_txg);
        }
    }

    /// Whether it may be tight, in any dataset, for a change that writes so much.
    pub(crate) fn may_be_tight(&self, bytes: u64) -> bool {
        let more = bytes.saturating_add(2 * BESIDES).saturating_mul(INFLATION);
        self.pools.values().any(|pool| {
            let in_flight = pool.in_flight.saturating_add(more);
            let used = self.used(pool.root).most.saturating_add(in_flight);
            !pool.limited.is_empty() || pool.doubt.is_some() || used >= pool.fillable(0).least
        })
    }

    /// What becomes of a change in a pool that is full. Since 2.2 it waits until what was freed lately can be used, if
    /// that might help.
    pub(super) fn full(&self, pool: &Pool, limit: Figure) -> Admission {
        let over = self.used(pool.root).least.saturating_sub(limit.most);
        let waits = self.release > Release::V2_1 && over < pool.freed_lately();
        if !waits || pool.dirty.is_empty() {
            return Admission::No(Errno::ENOSPC);
        }
        let mut synced = self.clone();
        synced.write_open(pool.root);
        match reaches(synced.used(pool.root), limit) {
            Some(true) => Admission::Late(Errno::ENOSPC),
            _ => Admission::Unknown,
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
        if pool.doubt.is_some() {
            // What is dirty may be on disk already.
            let most = self.used(pool.root).most + flies(pool.root).most / COPIES;
            let limit = pool.fillable(0).least;
            let mut synced = self.clone();
            synced.write_open(pool.root);
            let surely = [&synced, self].map(|state| state.used(pool.root).least);
            return if most < limit {
                Admission::Sometime
            } else if change.frees {
                Admission::Yes
            } else if surely.iter().all(|&used| used >= pool.fillable(0).most) {
                Admission::Late(Errno::ENOSPC)
            } else {
                Admission::Unknown
            };
        }
        let quota = |id, property| match self.size_property(id, property) {
            _ if change.frees => Figure::exact(u64::MAX),
            0 => Figure::exact(u64::MAX),
            quota => Figure::exact(quota),
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
            let (mut limit, mut errno) = (quota(id, Property::Quota), Errno::EDQUOT);
            if id == pool.root {
                let fillable = pool.fillable(u32::from(change.frees));
                if fillable.most < limit.least {
                    errno = Errno::ENOSPC;
                }
                limit = smaller(limit, fillable);
            }
            let waits = reaches(used + flies(id), extended(limit));
            let found = match (reaches(used, limit), waits) {
                (Some(true), _) if errno == Errno::ENOSPC => self.full(pool, limit),
                (Some(true), _) => Admission::No(errno),
                (Some(false), Some(true)) => Admission::Later,
                (Some(false), Some(false)) => Admission::Yes,
                (Some(false), None) if id == pool.root && !unsure => Admission::Sometime,
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
