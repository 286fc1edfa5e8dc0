//! Quotas and reservations, and what is left below them. Where figures are known within bounds, so is the answer.

use crate::dmu::storage::Figure;
use crate::dsl::dataset::{Dataset, DatasetId};
use crate::dsl::op::Result;
use crate::dsl::properties::Key;
use crate::dsl::property::{Property, Value};
use crate::dsl::reason::Reason;
use crate::fault::Fault;
use crate::machine::State;
use crate::spa::Pool;

/// Whether there is room for a quota or reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fits {
    /// There is.
    Yes,
    /// It depends on space figures that are not known well enough.
    Unknown,
    /// There is none.
    No,
}

impl Fits {
    /// A need in a room.
    fn of(need: Figure, room: Figure) -> Fits {
        if need.least > room.most {
            Fits::No
        } else if need.most > room.least {
            Fits::Unknown
        } else {
            Fits::Yes
        }
    }
}

/// What a limit leaves when so much is taken.
pub(super) fn left(limit: u64, taken: Figure) -> Figure {
    Figure {
        least: limit.saturating_sub(taken.most),
        most: limit.saturating_sub(taken.least),
    }
}

/// The smaller of two.
pub(super) fn smaller(one: Figure, other: Figure) -> Figure {
    Figure {
        least: one.least.min(other.least),
        most: one.most.min(other.most),
    }
}

// What is made.
impl State {
    /// Whether a filesystem can go back to its newest snapshot: what that refers to is within its `refquota`, and there
    /// is room for all that it promises until what it has now is gone (`dsl_dataset_rollback_check`).
    #[must_use]
    pub fn fits_rollback(&self, id: DatasetId, snapshot: DatasetId) -> Fits {
        let refers = match self.size_property(id, Property::Refquota) {
            0 => Fits::Yes,
            quota => Fits::of(self.referenced(snapshot), Figure::exact(quota)),
        };
        refers.max(self.fits_snapshot(id))
    }

    /// Whether there is room for what a snapshot makes a filesystem promise anew
    /// (`dsl_dataset_snapshot_reserve_space`).
    #[must_use]
    pub fn fits_snapshot(&self, id: DatasetId) -> Fits {
        let promised = self.size_property(id, Property::Refreservation);
        if promised == 0 {
            return Fits::Yes;
        }
        let mut synced = self.clone();
        synced.write_open(id);
        let need = synced.unique(id).map(|unique| unique.min(promised));
        Fits::of(need, synced.room(id, None))
    }
}

// What is set.
impl State {
    /// Whether a dataset takes this value (`dsl_dir_set_quota_check`, `dsl_dataset_set_refquota_check`,
    /// `dsl_dir_set_reservation_check`, `dsl_dataset_set_refreservation_check`), once what is dirty is on disk.
    #[must_use]
    pub fn fits(&self, id: DatasetId, key: &Key, value: &Value) -> Fits {
        let (Key::Native(property), &Value::Number(bytes)) = (key, value) else {
            return Fits::Yes;
        };
        match property {
            _ if bytes == 0 => Fits::Yes,
            Property::Quota
            | Property::Refquota
            | Property::Reservation
            | Property::Refreservation => {
                let mut synced = self.clone();
                synced.write_open(id);
                let fits = synced.fits_now(id, *property, bytes);
                match property {
                    // What is on disk counts too, although it may be freed by then.
                    Property::Refquota => fits.max(self.fits_now(id, *property, bytes)),
                    _ => fits,
                }
            }
            _ => Fits::Yes,
        }
    }

    /// Whether what a dataset does not take is refused before a transaction group is synced for it: a quota
    /// where nothing waits to be written, a refquota that is less than what is on disk.
    pub(super) fn is_refused_at_once(&self, id: DatasetId, key: &Key, value: &Value) -> bool {
        match (key, value) {
            (Key::Native(Property::Quota), _) => {
                let dirty = self.pool_of(id).map(|pool| &pool.dirty);
                let mut below = self.subtree(id).into_iter();
                dirty.is_none_or(|dirty| !below.any(|it| dirty.contains_key(&it)))
            }
            (Key::Native(Property::Refquota), &Value::Number(bytes)) => {
                self.fits_now(id, Property::Refquota, bytes) == Fits::No
            }
            _ => false,
        }
    }

    fn fits_now(&self, id: DatasetId, property: Property, bytes: u64) -> Fits {
        let old = self.size_property(id, property);
        let above = |limit| match self.size_property(id, limit) {
            0 => u64::MAX,
            limit => limit,
        };
        let quota = |reserved, taken: Figure| {
            if bytes < self.size_property(id, reserved) {
                Fits::No
            } else {
                Fits::of(taken, Figure::exact(bytes))
            }
        };
        // What is taken, or reserved already, is there.
        let reserve = |taken: Figure, limit, room: Figure| {
            let more = |taken: u64| bytes.max(taken) - old.max(taken).min(bytes.max(taken));
            let more = Figure {
                least: more(taken.most),
                most: more(taken.least),
            };
            if more.most > 0 && bytes > above(limit) {
                return if more.least > 0 {
                    Fits::No
                } else {
                    Fits::Unknown
                };
            }
            Fits::of(more, room)
        };
        match property {
            Property::Reservation | Property::Refreservation if self.exceeds_volume(id, bytes) => {
                Fits::No
            }
            Property::Quota => quota(Property::Reservation, self.used(id)),
            Property::Refquota => quota(Property::Refreservation, self.referenced(id)),
            Property::Reservation => {
                let parent = self.filesystem(id).and_then(|it| it.parent);
                let room = self.room(parent.unwrap_or(id), None);
                reserve(self.used(id), Property::Quota, room)
            }
            _ => reserve(self.unique(id), Property::Refquota, self.room(id, None)),
        }
    }

    /// Whether more is reserved for a volume than it can hold (a planted fault).
    fn exceeds_volume(&self, id: DatasetId, bytes: u64) -> bool {
        let volume = self.dataset(id).and_then(Dataset::volume);
        self.faulty(Fault::VolumesReserveNoMore) && volume.is_some_and(|it| bytes > it.size)
    }

    /// Whether what is made below `parent` can have these quotas and reservations. They are set when it is
    /// there already and empty; a clone takes nothing then.
    #[must_use]
    pub fn new_fits(
        &self,
        parent: DatasetId,
        settings: &[(Key, Value)],
        origin: Option<DatasetId>,
    ) -> Fits {
        let given = |wanted| {
            settings.iter().find_map(|(key, value)| match value {
                Value::Number(bytes) if *key == Key::Native(wanted) && *bytes != 0 => Some(*bytes),
                _ => None,
            })
        };
        let least = self.pool_of(parent).map_or(0, Pool::least_filesystem);
        let quota = given(Property::Quota).unwrap_or(u64::MAX);
        let refquota = given(Property::Refquota).unwrap_or(u64::MAX);
        let reservation = given(Property::Reservation).unwrap_or(0);
        let refreservation = given(Property::Refreservation).unwrap_or(0);
        let need = reservation.max(refreservation);
        // A clone takes nothing, and refers to all that its origin does.
        let referenced = origin.map_or(Figure::exact(least), |origin| self.referenced(origin));
        let refers = Fits::of(referenced, Figure::exact(refquota));
        let too_small = origin.is_none() && quota < least;
        if too_small || need > quota || refreservation > refquota || refers == Fits::No {
            Fits::No
        } else if need == 0 {
            refers
        } else {
            refers.max(Fits::of(Figure::exact(need), self.room(parent, None)))
        }
    }

    /// Whether a filesystem or volume with all below it has room below another filesystem
    /// (`dsl_dir_rename_check`).
    #[must_use]
    pub fn fits_below(&self, id: DatasetId, parent: DatasetId) -> Fits {
        let from = self.filesystem(id).and_then(|it| it.parent);
        let Some(from) = from.filter(|&from| from != parent) else {
            return Fits::Yes;
        };
        let reserved = self.size_property(id, Property::Reservation);
        self.transfer(from, parent, self.used(id).map(|used| used.max(reserved)))
    }

    /// Whether a clone has room for what it takes over when it is promoted (`dsl_dataset_promote_check`).
    #[must_use]
    pub fn fits_promoted(&self, clone: DatasetId) -> Fits {
        let origin = self.origin_of(clone).and_then(|it| self.filesystem_of(it));
        let (Some(home), Some(pool)) = (origin, self.pool_of(clone)) else {
            return Fits::Yes;
        };
        let need = if pool.space.contains(clone) {
            pool.space.promoted(clone).size
        } else {
            Figure {
                least: 0,
                most: pool.size(),
            }
        };
        self.transfer(home, clone, need)
    }

    /// Whether so much can go from one dataset to another: above both nothing changes
    /// (`dsl_dir_transfer_possible`).
    fn transfer(&self, from: DatasetId, to: DatasetId, need: Figure) -> Fits {
        let mut way = std::iter::successors(Some(to), |&id| self.filesystem(id)?.parent);
        let above_both = way.find(|&id| self.subtree(id).contains(&from));
        Fits::of(need, self.room(to, above_both))
    }

    /// As [`State::fits`], for an operation: what depends on space figures passes.
    pub(crate) fn check_size(&self, id: DatasetId, key: &Key, value: &Value) -> Result {
        match (self.fits(id, key, value), key) {
            (Fits::No, Key::Native(Property::Quota | Property::Refquota)) => Err(Reason::BelowUsed),
            (Fits::No, _) => Err(Reason::AboveAvailable),
            _ => Ok(()),
        }
    }

    /// Keeps account of what is reserved for a filesystem.
    pub(crate) fn reserve(&mut self, id: DatasetId) {
        let mut reservation = self.size_property(id, Property::Reservation);
        if self.faulty(Fault::ReservationIsChargedTwice) {
            reservation = reservation.saturating_mul(2);
        }
        let refreservation = self.size_property(id, Property::Refreservation);
        let has = |property| self.size_property(id, property) != 0;
        let has_quota = has(Property::Quota) || has(Property::Refquota);
        if let Some(pool) = self.pool_of_mut(id) {
            if has_quota {
                pool.limited.insert(id);
            }
            pool.space.reserve(id, reservation);
            pool.space.refreserve(id, refreservation);
        }
    }

    /// The bytes of a property; 0 where it is not set.
    pub(super) fn size_property(&self, id: DatasetId, property: Property) -> u64 {
        match self.property(id, property).0 {
            Value::Number(bytes) => bytes,
            Value::Word(_) | Value::Text(_) => 0,
        }
    }

    /// A figure of a dataset; anything where nobody keeps account of it.
    fn taken(&self, id: DatasetId, figure: impl FnOnce(&Pool) -> Figure) -> Figure {
        match self.pool_of(id) {
            Some(pool) if pool.space.contains(id) => figure(pool),
            pool => Figure {
                least: 0,
                most: pool.map_or(0, Pool::size),
            },
        }
    }

    /// What a dataset and all below it take (`dd_used_bytes`), with what the pool needs for itself if it is the root.
    pub(super) fn used(&self, id: DatasetId) -> Figure {
        self.taken(id, |pool| {
            let used = pool.space.used(id);
            if id == pool.root {
                used + pool.own_metadata()
            } else {
                used
            }
        })
    }

    fn referenced(&self, id: DatasetId) -> Figure {
        self.taken(id, |pool| pool.space.referenced(id).size)
    }

    fn unique(&self, id: DatasetId) -> Figure {
        self.taken(id, |pool| pool.space.unique(id).size)
    }

    /// What can still be taken below a dataset (`dsl_dir_space_available`): quotas at it and above it limit
    /// that, and what is reserved at it helps. Without end at and above `stop`.
    fn room(&self, id: DatasetId, stop: Option<DatasetId>) -> Figure {
        let used = self.used(id);
        if stop == Some(id) {
            // Above it nothing changes, but what is over its limit takes nothing on.
            let quota = match self.size_property(id, Property::Quota) {
                0 => Figure::exact(u64::MAX),
                quota => Figure::exact(quota),
            };
            let pool = self.pool_of(id).filter(|pool| pool.root == id);
            let limit = pool.map_or(quota, |pool| smaller(quota, pool.usable()));
            let room = |within| if within { u64::MAX } else { 0 };
            return Figure {
                least: room(used.most <= limit.least),
                most: room(used.least <= limit.most),
            };
        }
        let room = match self.filesystem(id).and_then(|it| it.parent) {
            Some(parent) => {
                let unused = left(self.size_property(id, Property::Reservation), used);
                self.room(parent, stop) + unused
            }
            None => self.pool_of(id).map_or(Figure::ZERO, |pool| {
                let usable = pool.usable();
                Figure {
                    least: usable.least.saturating_sub(used.most),
                    most: usable.most.saturating_sub(used.least),
                }
            }),
        };
        match self.size_property(id, Property::Quota) {
            0 => room,
            quota => smaller(room, left(quota, used)),
        }
    }

    /// `available` (`dsl_get_available`).
    pub(super) fn available(&self, id: DatasetId) -> Figure {
        let promised = self.size_property(id, Property::Refreservation);
        let room = self.room(id, None) + left(promised, self.unique(id));
        match self.size_property(id, Property::Refquota) {
            0 => room,
            quota => smaller(room, left(quota, self.referenced(id))),
        }
    }
}
