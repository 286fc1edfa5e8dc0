//! Quotas and reservations, as far as they can be judged within bounds: what files take on disk is not
//! modelled.

use crate::dmu::Objset;
use crate::dsl::dataset::DatasetId;
use crate::dsl::op::Result;
use crate::dsl::properties::Key;
use crate::dsl::property::{Property, Value};
use crate::dsl::reason::Reason;
use crate::machine::State;
use crate::spa::Pool;
use crate::zpl::znode::Body;

/// Whether there is room for a quota or reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fits {
    /// There is.
    Yes,
    /// It depends on space figures, which are not modelled.
    Unknown,
    /// There is none.
    No,
}

/// Which side of a space figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Least,
    Most,
}

impl Fits {
    /// A need that lies between two bounds, in a room that does too.
    fn between(need: (u64, u64), room: (u64, u64)) -> Fits {
        if need.0 > room.1 {
            Fits::No
        } else if need.1 > room.0 {
            Fits::Unknown
        } else {
            Fits::Yes
        }
    }
}

impl State {
    /// Whether a dataset takes this value (`dsl_dir_set_quota_check`, `dsl_dataset_set_refquota_check`,
    /// `dsl_dir_set_reservation_check`, `dsl_dataset_set_refreservation_check`).
    #[must_use]
    pub fn fits(&self, id: DatasetId, key: &Key, value: &Value) -> Fits {
        let (Key::Native(property), &Value::Number(bytes)) = (key, value) else {
            return Fits::Yes;
        };
        let both = |figure: fn(&State, DatasetId, Bound) -> u64| {
            (
                figure(self, id, Bound::Least),
                figure(self, id, Bound::Most),
            )
        };
        let (used, own) = (both(Self::used), both(Self::own));
        // As if what it takes were at a bound; it has the old reservation already.
        let more = |(least, most): (u64, u64), old: u64| {
            let more = |taken: u64| bytes.max(taken) - old.max(taken).min(bytes.max(taken));
            (more(most), more(least))
        };
        let old = self.size_property(id, *property);
        let above = |limit| match self.size_property(id, limit) {
            0 => u64::MAX,
            limit => limit,
        };
        match property {
            _ if bytes == 0 => Fits::Yes,
            Property::Quota | Property::Refquota => {
                let (taken, reservation) = if *property == Property::Quota {
                    (used, Property::Reservation)
                } else {
                    (own, Property::Refreservation)
                };
                if bytes < self.size_property(id, reservation) {
                    return Fits::No;
                }
                Fits::between(taken, (bytes, bytes))
            }
            Property::Reservation | Property::Refreservation if bytes <= old => Fits::Yes,
            Property::Reservation if bytes > above(Property::Quota) => Fits::No,
            Property::Refreservation if bytes > above(Property::Refquota) => Fits::No,
            Property::Reservation => {
                let room = match self.filesystem(id).and_then(|it| it.parent) {
                    Some(parent) => self.available(parent),
                    None => self.available(id),
                };
                Fits::between(more(used, old), room)
            }
            Property::Refreservation => Fits::between(more(own, old), self.available(id)),
            _ => Fits::Yes,
        }
    }

    /// Whether what is made below `parent` can have these quotas and reservations. They are set when it is
    /// there already and empty; a clone takes nothing then.
    #[must_use]
    pub fn new_fits(&self, parent: DatasetId, settings: &[(Key, Value)], clone: bool) -> Fits {
        let given = |wanted| {
            settings.iter().find_map(|(key, value)| match value {
                Value::Number(bytes) if *key == Key::Native(wanted) && *bytes != 0 => Some(*bytes),
                _ => None,
            })
        };
        let (least, size) = match self.pool_of(parent) {
            Some(pool) => (pool.least_filesystem(), pool.raw_size),
            None => (0, 0),
        };
        let quota = given(Property::Quota).unwrap_or(u64::MAX);
        let refquota = given(Property::Refquota).unwrap_or(u64::MAX);
        let reservation = given(Property::Reservation).unwrap_or(0);
        let refreservation = given(Property::Refreservation).unwrap_or(0);
        let need = reservation.max(refreservation);
        // A clone takes nothing, and refers to all that its origin does.
        let too_small = refquota < least || (!clone && quota < least);
        if too_small || need > quota || refreservation > refquota {
            return Fits::No;
        } else if clone && Fits::between((least, size), (refquota, refquota)) != Fits::Yes {
            return Fits::Unknown;
        } else if need == 0 {
            return Fits::Yes;
        }
        Fits::between((need, need), self.available(parent))
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
        let taken = |bound| self.used(id, bound).max(reserved);
        self.transfer(from, parent, (taken(Bound::Least), taken(Bound::Most)))
    }

    /// Whether a clone has room for what it takes over when it is promoted (`dsl_dataset_promote_check`):
    /// at most all that its origin's filesystem takes.
    #[must_use]
    pub fn fits_promoted(&self, clone: DatasetId) -> Fits {
        let origin = self.origin_of(clone).and_then(|it| self.filesystem_of(it));
        match origin {
            Some(home) => self.transfer(home, clone, (0, self.own(home, Bound::Most))),
            None => Fits::Yes,
        }
    }

    /// Whether so much can go from one dataset to another: above both nothing changes
    /// (`dsl_dir_transfer_possible`).
    fn transfer(&self, from: DatasetId, to: DatasetId, need: (u64, u64)) -> Fits {
        let mut way = std::iter::successors(Some(to), |&id| self.filesystem(id)?.parent);
        let above_both = way.find(|&id| self.subtree(id).contains(&from));
        let room = |taken| self.available_when(to, u64::MAX, taken, above_both);
        Fits::between(need, (room(Bound::Most), room(Bound::Least)))
    }

    /// As [`State::fits`], for an operation: what depends on space figures passes.
    pub(crate) fn check_size(&self, id: DatasetId, key: &Key, value: &Value) -> Result {
        match (self.fits(id, key, value), key) {
            (Fits::No, Key::Native(Property::Quota | Property::Refquota)) => Err(Reason::BelowUsed),
            (Fits::No, _) => Err(Reason::AboveAvailable),
            _ => Ok(()),
        }
    }

    /// The bytes of a property; 0 where it is not set.
    fn size_property(&self, id: DatasetId, property: Property) -> u64 {
        match self.property(id, property).0 {
            Value::Number(bytes) => bytes,
            Value::Word(_) | Value::Text(_) => 0,
        }
    }

    /// What a dataset and all below it take (`dd_used_bytes`): of what is below, at least what is reserved.
    fn used(&self, id: DatasetId, bound: Bound) -> u64 {
        let reserved = self.size_property(id, Property::Refreservation);
        let own = match bound {
            Bound::Least => self.own(id, bound).max(reserved),
            Bound::Most => self.own(id, bound).saturating_add(reserved),
        };
        let children = self.filesystem(id).into_iter();
        let children = children.flat_map(|it| it.children.values()).map(|&child| {
            self.used(child, bound)
                .max(self.size_property(child, Property::Reservation))
        });
        children.fold(own, u64::saturating_add)
    }

    /// What can still be taken below a dataset, at least and at most (`dsl_dir_space_available`): quotas
    /// at it and above it limit that, and what is reserved at it helps.
    fn available(&self, id: DatasetId) -> (u64, u64) {
        let pool = self.pool_of(id);
        let sizes = pool.map_or((0, 0), |pool| (pool.usable_at_least(), pool.raw_size));
        let side = |size: u64, taken: Bound| self.available_when(id, size, taken, None);
        (side(sizes.0, Bound::Most), side(sizes.1, Bound::Least))
    }

    /// In a pool of this size; without end at and above `stop`.
    fn available_when(
        &self,
        id: DatasetId,
        size: u64,
        taken: Bound,
        stop: Option<DatasetId>,
    ) -> u64 {
        if stop == Some(id) {
            return u64::MAX;
        }
        let used = self.used(id, taken);
        let Some(parent) = self.filesystem(id).and_then(|it| it.parent) else {
            let quota = match self.size_property(id, Property::Quota) {
                0 => size,
                quota => quota.min(size),
            };
            return quota.saturating_sub(used);
        };
        let unused = self
            .size_property(id, Property::Reservation)
            .saturating_sub(used);
        let above = self
            .available_when(parent, size, taken, stop)
            .saturating_add(unused);
        match self.size_property(id, Property::Quota) {
            0 => above,
            quota => quota.saturating_sub(used).min(above),
        }
    }

    /// What a dataset and its snapshots take by themselves. One that is no clone takes what an empty one
    /// does; of a volume that is less.
    fn own(&self, id: DatasetId, bound: Bound) -> u64 {
        let (Some(dataset), Some(filesystem)) = (self.dataset(id), self.filesystem(id)) else {
            return 0;
        };
        let least = self.pool_of(id).map_or(0, Pool::least_filesystem);
        let origin = self.origin_of(id).and_then(|origin| self.dataset(origin));
        if bound == Bound::Least {
            let known = origin.is_none() && dataset.volume().is_none();
            return if known { least } else { 0 };
        }
        let content = |objset: &Objset, since: u64| -> u64 {
            let files = objset.iter().filter_map(|(_, znode)| match &znode.body {
                Body::File(blocks) => Some(blocks.ranges(|block| block.birth > since)),
                _ => None,
            });
            let bytes: u64 = files.flatten().map(|(start, end)| end - start).sum();
            2 * bytes + (objset.iter().count() as u64) * 1024
        };
        let bare = |objset: &Objset| objset.iter().count() <= 1;
        match origin {
            // A clone that is as it was made takes nothing, or one block: where files were written
            // before, the header of the intent log is cleared (`dsl_dataset_zero_zil`; traces/clone/space-at-birth).
            Some(origin) if dataset.objset.shares_all(&origin.objset) => {
                if bare(&origin.objset) {
                    0
                } else {
                    least
                }
            }
            None if bare(&dataset.objset) && filesystem.snapshots.is_empty() => least,
            _ => {
                let since = origin.map_or(0, |origin| origin.creation_txg);
                let snapshots = filesystem.snapshots.iter();
                let of_snapshots: u64 = snapshots
                    .filter_map(|snapshot| self.dataset(snapshot))
                    .map(|snapshot| content(&snapshot.objset, since))
                    .sum();
                least + content(&dataset.objset, since) + of_snapshots + (64 << 10)
            }
        }
    }
}
