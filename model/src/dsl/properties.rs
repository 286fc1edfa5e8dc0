//! Properties: what is set where, what is inherited, and what holds.

use std::sync::Arc;

use crate::dmu::compress::Compression;
use crate::dmu::{Policy, Strong};
use crate::dsl::dataset::{Dataset, DatasetId};
use crate::dsl::limit::is_limit;
use crate::dsl::op::Result;
pub use crate::dsl::property::{
    Class, FILESYSTEM, Hidden, Kind, Kinds, Property, SNAPSHOT, VOLUME, Value, Words,
};
use crate::dsl::reason::Reason;
use crate::dsl::value::is_user;
use crate::fault::Fault;
use crate::machine::State;
use crate::release::Release;
use crate::spa::Pool;
use crate::zvol;

/// The name of a property.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// One that ZFS defines.
    Native(Property),
    /// One that ZFS has and never lists.
    Hidden(Hidden),
    /// A user's, such as `module:name`; the colon is what tells it.
    User(Arc<str>),
}

impl Key {
    /// The property of this name, or of this short name; none where it can be that of none.
    #[must_use]
    pub fn by_name(name: &str, release: Release) -> Option<Key> {
        if let Some(property) = Property::by_name(name, release) {
            Some(Key::Native(property))
        } else if let Some(hidden) = Hidden::by_name(name) {
            Some(Key::Hidden(hidden))
        } else {
            is_user(name).then(|| Key::User(name.into()))
        }
    }

    /// How it gets its value.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Key::Native(property) => property.class(),
            Key::Hidden(hidden) => hidden.class,
            Key::User(_) => Class::Inherited,
        }
    }

    /// Whether datasets of this kind have it.
    #[must_use]
    pub fn is_for(&self, kind: Kinds, release: Release) -> bool {
        match self {
            Key::Native(property) => property.is_for(kind, release),
            Key::Hidden(hidden) => hidden.kinds & kind != 0,
            Key::User(_) => true,
        }
    }
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

/// The feature that a pool must have for a setting (`zfs_check_settable`, `dsl_dir_activate_fs_ss_limit`).
pub(crate) fn needed_feature(key: &Key, value: &Value) -> Option<&'static str> {
    let Key::Native(property) = key else {
        return None;
    };
    let word = match value {
        Value::Word(word) => word,
        Value::Number(_) | Value::Text(_) => "",
    };
    match property {
        Property::Compression if word == "lz4" => Some("lz4_compress"),
        Property::Compression if word.starts_with("zstd") => Some("zstd_compress"),
        Property::Checksum | Property::Dedup => match word.split(',').next() {
            Some("sha512") => Some("sha512"),
            Some("skein") => Some("skein"),
            Some("edonr") => Some("edonr"),
            Some("blake3") => Some("blake3"),
            _ => None,
        },
        Property::Dnodesize if word != "legacy" => Some("large_dnode"),
        Property::Recordsize if *value > Value::Number(OLD_MAX_BLOCK) => Some("large_blocks"),
        Property::FilesystemLimit | Property::SnapshotLimit if is_limit(key, value) => {
            Some("filesystem_limits")
        }
        Property::Longname => Some("longname"),
        _ => None,
    }
}

/// The largest block of a pool without the feature `large_blocks` (`SPA_OLD_MAXBLOCKSIZE`), in bytes.
pub const OLD_MAX_BLOCK: u64 = 128 << 10;

impl State {
    /// A dataset and those that it inherits from, nearest first: a snapshot from its filesystem, a filesystem
    /// from the one above it.
    pub fn lineage(&self, id: DatasetId) -> impl Iterator<Item = &Dataset> {
        let pool = self.pool_of(id);
        let find = move |id| pool.and_then(|pool| pool.dataset(id));
        std::iter::successors(find(id), move |dataset| {
            let above = match dataset.snapshot() {
                Some(snapshot) => Some(snapshot.filesystem),
                None => dataset.filesystem().and_then(|it| it.parent),
            };
            find(above?)
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
    /// values of its filesystem, as far as they are inherited at all (`dsl_prop_get_all_impl`).
    #[must_use]
    pub fn property(&self, id: DatasetId, property: Property) -> (Value, Source) {
        let volume = match property {
            Property::Volsize | Property::Volblocksize => {
                self.dataset(id).and_then(Dataset::volume)
            }
            _ => None,
        };
        match (property, volume) {
            (Property::Volsize, Some(volume)) => {
                return (Value::Number(volume.size), Source::Local);
            }
            (Property::Volblocksize, Some(volume)) => {
                let value = Value::Number(volume.block_size);
                let usual = value == property.default_value(self.release);
                return (
                    value,
                    if usual {
                        Source::Default
                    } else {
                        Source::Local
                    },
                );
            }
            _ => {}
        }
        let inherits = property.inherits()
            || (property == Property::Canmount && self.faulty(Fault::CanmountInherits));
        // What is settled for good a snapshot has from its filesystem.
        let is_settled = Property::OF_NAMES.contains(&property);
        let is_snapshot = || self.dataset(id).is_some_and(Dataset::is_snapshot);
        let reach = match inherits {
            true => usize::MAX,
            false if is_settled && is_snapshot() => 2,
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
            Value::Word(_) | Value::Text(_) => OLD_MAX_BLOCK,
        }
    }

    /// How the blocks of a file are stored that is written now (`dmu_write_policy`).
    #[must_use]
    pub fn policy(&self, id: DatasetId) -> Policy {
        let lineage = self.lineage(id).filter(|it| !it.settings.is_empty());
        let lineage: Vec<&Dataset> = lineage.collect();
        let word = |property: Property| {
            let key = Key::Native(property);
            let set = lineage.iter().find_map(|it| it.settings.get(&key).cloned());
            match set.unwrap_or_else(|| property.default_value(self.release)) {
                Value::Word(word) => word,
                Value::Number(_) | Value::Text(_) => "",
            }
        };
        let pool = self.pool_of(id);
        let has = |feature| pool.is_some_and(|pool| pool.features.contains(feature));
        let dedup = word(Property::Dedup) != "off";
        let compression = match word(Property::Compression) {
            "off" if dedup && self.release >= Release::V2_3 => Compression::Empty,
            "on" if has("lz4_compress") => Compression::Lz4,
            word => Compression::by_word(word),
        };
        let copies = match word(Property::Copies) {
            "3" => 3,
            "2" => 2,
            _ => 1,
        };
        let more = (copies + 1).min(3);
        let redundant = word(Property::RedundantMetadata);
        let (copies_above, copies_far_above) = match redundant {
            "all" if self.faulty(Fault::IndirectIsSingle) => (copies, more),
            "all" => (more, more),
            "most" => (copies, more),
            _ => (copies, copies),
        };
        let (copies_of_metadata, copies_of_tables) = match redundant {
            "all" | "most" => (more, more),
            "some" => (copies, more),
            _ => (copies, copies),
        };
        let embeds_metadata = has("embedded_data");
        Policy {
            compression,
            // Until 2.1 deduplicated blocks have a place of their own.
            embeds: embeds_metadata && (!dedup || self.release >= Release::V2_3),
            deduplicates: match word(Property::Dedup).split(',').next() {
                Some("on" | "verify" | "sha256") => Some(Strong::Sha256),
                Some("sha512") => Some(Strong::Sha512),
                Some("skein") => Some(Strong::Skein),
                Some("edonr") => Some(Strong::Edonr),
                Some("blake3") => Some(Strong::Blake3),
                _ => None,
            },
            strong_checksum: match word(Property::Checksum) {
                _ if dedup => None,
                "sha256" => Some(Strong::Sha256),
                "sha512" => Some(Strong::Sha512),
                "skein" => Some(Strong::Skein),
                "edonr" => Some(Strong::Edonr),
                "blake3" => Some(Strong::Blake3),
                _ => None,
            },
            embeds_metadata,
            copies,
            copies_above,
            copies_far_above,
            copies_of_metadata,
            copies_of_tables,
        }
    }

    /// `dnodesize`: the slots of 512 bytes that the dnode of a file takes that is made now.
    #[must_use]
    pub fn dnode_slots(&self, id: DatasetId) -> u64 {
        match self.property(id, Property::Dnodesize).0 {
            Value::Word("auto" | "1k") => 2,
            Value::Word("2k") => 4,
            Value::Word("4k") => 8,
            Value::Word("8k") => 16,
            Value::Word("16k") => 32,
            _ => 1,
        }
    }

    /// `snapdir`: the links that a visible control directory adds to the root directory
    /// (`zfs_getattr_fast`).
    #[must_use]
    pub fn control_links(&self, id: DatasetId) -> u64 {
        let visible = self.property(id, Property::Snapdir).0 == Value::Word("visible");
        let is_counted = visible && !self.faulty(Fault::ControlIsNotCounted);
        u64::from(is_counted && self.filesystem(id).is_some())
    }

    /// `readonly`: whether the files may not be changed. Those of a snapshot never may, nor those in a pool that
    /// is imported read-only (`zfs_register_callbacks`).
    #[must_use]
    pub fn is_readonly(&self, id: DatasetId) -> bool {
        self.dataset(id).is_some_and(Dataset::is_snapshot)
            || self.pool_of(id).is_some_and(Pool::is_read_only)
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
    /// inherited. None for `none` and `legacy`, for a volume or snapshot, and for one that is not there.
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
        if self.dataset(id)?.kinds() != FILESYSTEM {
            return None;
        }
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

    /// Whether the pool of a dataset lacks the feature that a setting needs.
    #[must_use]
    pub fn lacks_feature(&self, id: DatasetId, key: &Key, value: &Value) -> bool {
        let pool = self.pool_of(id);
        let feature = needed_feature(key, value);
        pool.zip(feature)
            .is_some_and(|(pool, feature)| !pool.features.contains(feature))
    }

    fn check_feature(&self, id: DatasetId, key: &Key, value: &Value) -> Result {
        if self.lacks_feature(id, key, value) {
            return Err(Reason::NeedsFeature);
        }
        Ok(())
    }

    /// Whether it has those of all settings of what is made below `parent`.
    pub(crate) fn check_features(&self, parent: DatasetId, settings: &[(Key, Value)]) -> Result {
        let mut settings = settings.iter();
        settings.try_for_each(|(key, value)| self.check_feature(parent, key, value))
    }

    /// Sets properties of a filesystem or volume, or a user's properties of a snapshot.
    pub(crate) fn set(&mut self, name: &str, settings: &[(Key, Value)]) -> Result {
        let id = self.find(name).ok_or(Reason::NoSuchDataset)?;
        let native = |(key, _): &(Key, Value)| matches!(key, Key::Native(_));
        if self.snapshot(id).is_some() && settings.iter().any(native) {
            return Err(Reason::NotOnSnapshots);
        }
        for (key, value) in settings {
            if let Err(reason) = self.check_size(id, key, value) {
                // What was dirty is on disk by now, if it took that to tell.
                if !self.is_refused_at_once(id, key, value) {
                    self.close_txg_at(id);
                }
                return Err(reason);
            }
            self.check_feature(id, key, value)?;
            // `zvol_set_volsize`
            if *key == Key::Native(Property::Volsize) && self.is_readonly(id) {
                return Err(Reason::ReadonlyDataset);
            }
        }
        if settings.iter().any(|(key, value)| is_limit(key, value)) {
            self.count_below(id);
        }
        self.write_open(id);
        let resizes = settings
            .iter()
            .any(|(key, _)| *key == Key::Native(Property::Volsize));
        if resizes && let Some(pool) = self.pool_of_mut(id) {
            pool.dirty(id);
        }
        if let Some(dataset) = self.dataset_mut(id) {
            for (key, value) in settings {
                match (key, value) {
                    (Key::Native(Property::Volsize), Value::Number(size)) => {
                        dataset.objset.resize(*size);
                    }
                    _ => {
                        dataset.settings.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        if self.faulty(Fault::ResizeReachesSnapshots) {
            self.resize_snapshots(id);
        }
        self.reserve(id);
        if let Some(pool) = self.pool_of_mut(id) {
            pool.close_txg();
        }
        if resizes {
            zvol::cut(self, id);
        }
        Ok(())
    }

    /// Gives the snapshots of a volume its size (a planted fault).
    fn resize_snapshots(&mut self, id: DatasetId) {
        let size = self.dataset(id).and_then(Dataset::volume).map(|it| it.size);
        let snapshots = self.filesystem(id).map(|it| it.snapshots.clone());
        for snapshot in snapshots.unwrap_or_default().iter() {
            if let (Some(size), Some(snapshot)) = (size, self.dataset_mut(snapshot)) {
                snapshot.objset.resize(size);
            }
        }
    }

    /// Removes what is set on the dataset itself; nothing set is fine.
    pub(crate) fn inherit(&mut self, name: &str, key: &Key) -> Result {
        let id = self.find(name).ok_or(Reason::NoSuchDataset)?;
        // `dsl_prop_set_sync_impl` asks for the value that is inherited now, and `dodefault` copies the default,
        // a text that the hidden ones do not have.
        if matches!(key, Key::Hidden(_)) {
            return Err(Reason::KernelPanic);
        }
        // A limit can only be given back to what was received: nothing, and the kernel sets it to 0 first (`zfs_ioc_inherit_prop`).
        if is_limit(key, &Value::Number(0)) {
            self.check_feature(id, key, &Value::Number(0))?;
            self.count_below(id);
        }
        self.write_open(id);
        if let Some(dataset) = self.dataset_mut(id) {
            dataset.settings.remove(key);
        }
        self.reserve(id);
        if let Some(pool) = self.pool_of_mut(id) {
            pool.close_txg();
        }
        Ok(())
    }
}
