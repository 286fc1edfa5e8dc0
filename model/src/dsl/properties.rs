//! Properties: what is set where, what is inherited, and what holds.

use std::sync::Arc;

use crate::dmu::Objset;
use crate::dsl::dataset::{Dataset, DatasetId};
use crate::dsl::op::Result;
pub use crate::dsl::property::{Class, FILESYSTEM, Kind, Property, SNAPSHOT, VOLUME, Value, Words};
use crate::dsl::reason::Reason;
use crate::machine::State;
use crate::spa::Pool;
use crate::zpl::znode::Body;

/// The name of a property.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// One that ZFS defines.
    Native(Property),
    /// A user's, such as `module:name`; the colon is what tells it.
    User(Arc<str>),
}

/// Where a property's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Set on the dataset itself.
    Local,
    /// Set on this dataset above it.
    Inherited(DatasetId),
    /// Set nowhere.
    Default,
}

impl State {
    /// A dataset and those that it inherits from, nearest first: a snapshot from its filesystem, a filesystem
    /// from the one above it.
    pub fn lineage(&self, id: DatasetId) -> impl Iterator<Item = &Dataset> {
        std::iter::successors(self.dataset(id), |dataset| {
            let above = match dataset.snapshot() {
                Some(snapshot) => Some(snapshot.filesystem),
                None => dataset.filesystem().and_then(|it| it.parent),
            };
            self.dataset(above?)
        })
    }

    /// What is set on the nearest of the first `reach` datasets of the lineage.
    fn nearest(&self, id: DatasetId, key: &Key, reach: usize) -> Option<(Value, Source)> {
        let mut lineage = self.lineage(id).take(reach);
        let (at, value) = lineage.find_map(|it| Some((it.id, it.settings.get(key)?)))?;
        let source = if at == id {
            Source::Local
        } else {
            Source::Inherited(at)
        };
        Some((value.clone(), source))
    }

    /// The value of a property on a dataset and where it comes from (`dsl_prop_get_ds`). A snapshot has the
    /// values of its filesystem.
    #[must_use]
    pub fn property(&self, id: DatasetId, property: Property) -> (Value, Source) {
        let reach = match property.inherits() {
            true => usize::MAX,
            false if self.snapshot(id).is_some() => 2,
            false => 1,
        };
        self.nearest(id, &Key::Native(property), reach)
            .unwrap_or_else(|| (property.default_value(self.release), Source::Default))
    }

    /// `recordsize`: the largest block of a file that is created now, in bytes.
    #[must_use]
    pub fn recordsize(&self, id: DatasetId) -> u64 {
        match self.property(id, Property::Recordsize).0 {
            Value::Number(bytes) => bytes,
            Value::Word(_) | Value::Text(_) => 128 << 10,
        }
    }

    /// `compression`: whether blocks are compressed at all, so that zeros become holes.
    #[must_use]
    pub fn compresses(&self, id: DatasetId) -> bool {
        self.property(id, Property::Compression).0 != Value::Word("off")
    }

    /// `snapdir`: the links that a visible control directory adds to the root directory
    /// (`zfs_getattr_fast`).
    #[must_use]
    pub fn control_links(&self, id: DatasetId) -> u64 {
        let visible = self.property(id, Property::Snapdir).0 == Value::Word("visible");
        u64::from(visible && self.filesystem(id).is_some())
    }

    /// `readonly`: whether the files may not be changed. Those of a snapshot never may.
    #[must_use]
    pub fn is_readonly(&self, id: DatasetId) -> bool {
        self.dataset(id).is_some_and(Dataset::is_snapshot)
            || self.property(id, Property::Readonly).0 == Value::Word("on")
    }
}

impl State {
    /// The value of a user's property on a dataset and where it comes from; none where it is set nowhere.
    #[must_use]
    pub fn user_property(&self, id: DatasetId, name: &str) -> Option<(Value, Source)> {
        self.nearest(id, &Key::User(name.into()), usize::MAX)
    }

    /// `mountpoint`: where a filesystem is mounted when ZFS does it; below its parent's where it is
    /// inherited. None for `none` and `legacy`, for a snapshot, and for one that is not there.
    #[must_use]
    pub fn mountpoint(&self, id: DatasetId) -> Option<String> {
        let path = self.mountpoint_below_altroot(id)?;
        let altroot = self.pool_of(id)?.settings.get("altroot");
        Some(match altroot.map(|altroot| altroot.trim_end_matches('/')) {
            None | Some("") => path,
            Some(altroot) if path == "/" => altroot.to_owned(),
            Some(altroot) => format!("{altroot}{path}"),
        })
    }

    fn mountpoint_below_altroot(&self, id: DatasetId) -> Option<String> {
        self.filesystem(id)?;
        let (value, source) = self.property(id, Property::Mountpoint);
        let Value::Text(base) = value else {
            return match (value, source) {
                (Value::Word("/"), Source::Default) => Some(format!("/{}", self.name_of(id)?)),
                _ => None,
            };
        };
        let Source::Inherited(from) = source else {
            return Some(base.to_string());
        };
        let (name, above) = (self.name_of(id)?, self.name_of(from)?);
        let below = name.get(above.len()..)?;
        Some(if &*base == "/" {
            below.to_owned()
        } else {
            format!("{base}{below}")
        })
    }

    /// Sets properties of a filesystem, or a user's properties of a snapshot.
    pub(crate) fn set(&mut self, name: &str, settings: &[(Key, Value)]) -> Result {
        let id = self.find(name).ok_or(Reason::NoSuchDataset)?;
        let native = |(key, _): &(Key, Value)| matches!(key, Key::Native(_));
        if self.snapshot(id).is_some() && settings.iter().any(native) {
            return Err(Reason::NotOnSnapshots);
        }
        for (key, value) in settings {
            self.check_size(id, key, value)?;
        }
        if let Some(dataset) = self.dataset_mut(id) {
            for (key, value) in settings {
                dataset.settings.insert(key.clone(), value.clone());
            }
        }
        if let Some(pool) = self.pool_of_mut(id) {
            pool.close_txg();
        }
        Ok(())
    }

    /// What can be said of a quota or reservation without knowing what is used (`dsl_dir_set_quota_check`,
    /// `dsl_dir_set_reservation_check`): a filesystem that is no clone takes what an
    /// empty one takes, and no
    /// reservation can be larger than the pool.
    fn check_size(&self, id: DatasetId, key: &Key, value: &Value) -> Result {
        let (Key::Native(property), &Value::Number(bytes)) = (key, value) else {
            return Ok(());
        };
        let Some(pool) = self.pool_of(id) else {
            return Ok(());
        };
        let least = if self.origin_of(id).is_some() {
            1
        } else {
            pool.least_filesystem()
        };
        let number = |property| match self.property(id, property).0 {
            Value::Number(bytes) => bytes,
            _ => 0,
        };
        match property {
            Property::Quota if bytes != 0 && bytes < least.max(number(Property::Reservation)) => {
                Err(Reason::BelowUsed)
            }
            Property::Refquota
                if bytes != 0 && bytes < least.max(number(Property::Refreservation)) =>
            {
                Err(Reason::BelowUsed)
            }
            Property::Reservation | Property::Refreservation => {
                let mut limit = self.largest_reservation(id);
                if *property == Property::Refreservation && number(Property::Refquota) != 0 {
                    limit = limit.min(number(Property::Refquota));
                }
                if bytes > limit {
                    Err(Reason::AboveAvailable)
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }

    /// Whether it depends on space figures, which are not modelled, that a filesystem takes this quota or
    /// reservation: what is used may be more, what is available may be less.
    #[must_use]
    pub fn depends_on_space(&self, id: DatasetId, key: &Key, value: &Value) -> bool {
        let (Key::Native(property), &Value::Number(bytes)) = (key, value) else {
            return false;
        };
        if bytes == 0 || self.check_size(id, key, value).is_err() {
            return false;
        }
        match property {
            Property::Quota => bytes < self.used_at_most(&self.subtree(id)),
            Property::Refquota => bytes < self.used_at_most(&[id]),
            Property::Reservation | Property::Refreservation => bytes > self.available_at_least(id),
            _ => false,
        }
    }

    /// A generous bound, in bytes, of what filesystems and their snapshots take.
    fn used_at_most(&self, filesystems: &[DatasetId]) -> u64 {
        let content = |objset: &Objset, since: u64| -> u64 {
            let files = objset.iter().filter_map(|(_, znode)| match &znode.body {
                Body::File(blocks) => Some(blocks.ranges(|block| block.birth > since)),
                _ => None,
            });
            let bytes: u64 = files.flatten().map(|(start, end)| end - start).sum();
            2 * bytes + (objset.iter().count() as u64) * 1024
        };
        let bare = |objset: &Objset| objset.iter().count() == 1;
        let mut total = 0;
        for id in filesystems.iter().copied() {
            let (Some(dataset), Some(filesystem)) = (self.dataset(id), self.filesystem(id)) else {
                continue;
            };
            let least = self.pool_of(id).map_or(0, Pool::least_filesystem);
            let origin = self.origin_of(id).and_then(|origin| self.dataset(origin));
            total += match origin {
                // A clone that is as it was made takes nothing, or one block: where files were written
                // before, the header of the intent log is cleared (`dsl_dataset_zero_zil`; traces/clone/space-at-birth).
                Some(origin) if dataset.objset.shares_all(&origin.objset) => {
                    if bare(&origin.objset) { 0 } else { least }
                }
                None if bare(&dataset.objset) && filesystem.snapshots.is_empty() => least,
                _ => {
                    let since = origin.map_or(0, |origin| origin.creation_txg);
                    let snapshots = filesystem.snapshots.iter();
                    let of_snapshots: u64 = snapshots
                        .filter_map(|&snapshot| self.dataset(snapshot))
                        .map(|snapshot| content(&snapshot.objset, since))
                        .sum();
                    least + content(&dataset.objset, since) + of_snapshots + (64 << 10)
                }
            };
        }
        total
    }

    /// A bound, in bytes, of what can still be reserved: less than the devices hold, the slop and what is
    /// used and reserved leave.
    fn available_at_least(&self, id: DatasetId) -> u64 {
        let Some(pool) = self.pool_of(id) else {
            return 0;
        };
        let filesystems = self.subtree(pool.root);
        let reserved: u64 = filesystems
            .iter()
            .flat_map(|&id| [(id, Property::Reservation), (id, Property::Refreservation)])
            .map(|(id, property)| match self.property(id, property).0 {
                Value::Number(bytes) => bytes,
                _ => 0,
            })
            .sum();
        let room = pool.usable_at_least().saturating_sub(reserved);
        room.saturating_sub(self.used_at_most(&filesystems))
    }

    /// No reservation at a filesystem can be larger: not than the pool, nor than a quota at it or above it.
    pub(crate) fn largest_reservation(&self, id: DatasetId) -> u64 {
        let mut limit = self.pool_of(id).map_or(0, |pool| pool.raw_size);
        let mut at = Some(id);
        while let Some(above) = at {
            if let (Value::Number(quota), _) = self.property(above, Property::Quota)
                && quota != 0
            {
                limit = limit.min(quota);
            }
            at = self.filesystem(above).and_then(|it| it.parent);
        }
        limit
    }

    /// Removes what is set on the dataset itself; nothing set is fine.
    pub(crate) fn inherit(&mut self, name: &str, key: &Key) -> Result {
        let id = self.find(name).ok_or(Reason::NoSuchDataset)?;
        if let Some(dataset) = self.dataset_mut(id) {
            dataset.settings.remove(key);
        }
        if let Some(pool) = self.pool_of_mut(id) {
            pool.close_txg();
        }
        Ok(())
    }
}
