//! Properties of pools (`zpool_prop_init`), and which values they take (`zpool_valid_proplist`).

use std::sync::Arc;

use crate::dsl::names;
use crate::dsl::reason::Reason;
use crate::dsl::value;
use crate::fault::Fault;
use crate::machine::State;
use crate::release::Release;
use crate::spa::Pool;
use crate::spa::feature::Feature;

/// The longest comment, in bytes (`ZPROP_MAX_COMMENT`).
const MAX_COMMENT: usize = 32;

/// The version of pools that have features (`SPA_VERSION_FEATURES`).
const WITH_FEATURES: u64 = 5000;

/// The last version without (`SPA_VERSION_BEFORE_FEATURES`).
const BEFORE_FEATURES: u64 = 28;

/// What values a property has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is only told.
    Told,
    /// It is told, and given when a pool is made or imported: the root of its mountpoints.
    Altroot,
    /// It can be given when a pool is imported: whether it can be changed.
    Readonly,
    /// It can be given when a pool is made: another name for as long as it stays imported.
    TemporaryName,
    /// One of these words; the first is the default.
    Words(&'static [&'static str], &'static str),
    /// A number of bits, or 0.
    Ashift,
    /// The version of the pool.
    Version,
    /// A size, `none` or `auto`.
    DedupQuota,
    /// A text of at most [`MAX_COMMENT`] bytes.
    Comment,
    /// The path of a file, `none`, or nothing.
    Cachefile,
    /// A dataset of the pool, or nothing.
    Bootfs,
    /// A set of features, or `off`.
    Compatibility,
}

/// A property of pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolProperty {
    /// Its name.
    pub name: &'static str,
    /// The heading of its column; in small letters it is another name.
    pub heading: &'static str,
    /// The first release that has it.
    pub since: Release,
    /// What values it has.
    pub rule: Rule,
    /// Whether lists of all properties leave it out.
    pub hidden: bool,
}

const OFF_ON: Rule = Rule::Words(&["off", "on"], "on | off");
const ON_OFF: Rule = Rule::Words(&["on", "off"], "on | off");
const FAILMODE: Rule = Rule::Words(&["wait", "continue", "panic"], "wait | continue | panic");

use Release::{V2_1, V2_3};
use Rule::Told;

/// All of them, in the order of `zpool get all`; behind it the hidden ones.
const PROPERTIES: [(&str, &str, Release, Rule); 38] = [
    ("size", "SIZE", V2_1, Told),
    ("capacity", "CAP", V2_1, Told),
    ("altroot", "ALTROOT", V2_1, Rule::Altroot),
    ("health", "HEALTH", V2_1, Told),
    ("guid", "GUID", V2_1, Told),
    ("version", "VERSION", V2_1, Rule::Version),
    ("bootfs", "BOOTFS", V2_1, Rule::Bootfs),
    ("delegation", "DELEGATION", V2_1, ON_OFF),
    ("autoreplace", "REPLACE", V2_1, OFF_ON),
    ("cachefile", "CACHEFILE", V2_1, Rule::Cachefile),
    ("failmode", "FAILMODE", V2_1, FAILMODE),
    ("listsnapshots", "LISTSNAPS", V2_1, OFF_ON),
    ("autoexpand", "EXPAND", V2_1, OFF_ON),
    ("dedupratio", "DEDUP", V2_1, Told),
    ("free", "FREE", V2_1, Told),
    ("allocated", "ALLOC", V2_1, Told),
    ("readonly", "RDONLY", V2_1, Rule::Readonly),
    ("ashift", "ASHIFT", V2_1, Rule::Ashift),
    ("comment", "COMMENT", V2_1, Rule::Comment),
    ("expandsize", "EXPANDSZ", V2_1, Told),
    ("freeing", "FREEING", V2_1, Told),
    ("fragmentation", "FRAG", V2_1, Told),
    ("leaked", "LEAKED", V2_1, Told),
    ("multihost", "MULTIHOST", V2_1, OFF_ON),
    ("checkpoint", "CKPOINT", V2_1, Told),
    ("load_guid", "LOAD_GUID", V2_1, Told),
    ("autotrim", "AUTOTRIM", V2_1, OFF_ON),
    ("compatibility", "COMPATIBILITY", V2_1, Rule::Compatibility),
    ("bcloneused", "BCLONE_USED", V2_3, Told),
    ("bclonesaved", "BCLONE_SAVED", V2_3, Told),
    ("bcloneratio", "BCLONE_RATIO", V2_3, Told),
    ("dedup_table_size", "DDTSIZE", V2_3, Told),
    ("dedup_table_quota", "DDTQUOTA", V2_3, Rule::DedupQuota),
    ("last_scrubbed_txg", "LAST_SCRUBBED_TXG", V2_3, Told),
    ("name", "NAME", V2_1, Told),
    ("maxblocksize", "MAXBLOCKSIZE", V2_1, Told),
    ("maxdnodesize", "MAXDNODESIZE", V2_1, Told),
    ("tname", "TNAME", V2_1, Rule::TemporaryName),
];

/// How many of [`PROPERTIES`] are not hidden.
const SHOWN: usize = 34;

/// When a property is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// When a pool is made.
    Creation,
    /// When it is imported.
    Import,
    /// While it is there.
    Later,
}

impl PoolProperty {
    /// Those of a release, in the order of `zpool get all`, the hidden ones last.
    pub fn all(release: Release) -> impl Iterator<Item = PoolProperty> {
        let each = PROPERTIES.into_iter().enumerate();
        each.map(|(at, (name, heading, since, rule))| PoolProperty {
            name,
            heading,
            since,
            rule,
            hidden: at >= SHOWN,
        })
        .filter(move |property| property.since <= release)
    }

    /// The property of this name, or whose column has it (`zprop_name_to_prop`).
    #[must_use]
    pub fn by_name(name: &str, release: Release) -> Option<PoolProperty> {
        PoolProperty::all(release)
            .find(|property| property.name == name || property.heading.to_ascii_lowercase() == name)
    }

    /// Whether it can never be set.
    #[must_use]
    pub fn is_told(self) -> bool {
        self.rule == Rule::Told
    }
}

/// The name of a feature in that of a property.
#[must_use]
pub fn feature_name(property: &str) -> Option<&str> {
    property.strip_prefix("feature@")
}

/// Whether it is a property of a user's. Until 2.1 pools have none.
#[must_use]
pub fn is_user(name: &str, release: Release) -> bool {
    release > Release::V2_1 && value::is_user(name)
}

/// Checks a value. `None` where its rules are not modelled.
pub fn check(
    name: &str,
    text: &str,
    pool: &str,
    when: When,
    release: Release,
) -> Result<Option<()>, Reason> {
    let named: Arc<str> = name.into();
    let Some(property) = PoolProperty::by_name(name, release) else {
        return if let Some(feature) = feature_name(name) {
            check_feature(feature, text, when, release)
        } else if !is_user(name, release) {
            Err(Reason::UnknownProperty(named))
        } else if name.len() > value::MAX_PROPERTY_NAME {
            Err(Reason::PropertyNameTooLong(named))
        } else {
            // One that is too long is shown whole in the complaint.
            Ok((text.len() <= value::MAX_VALUE).then_some(()))
        };
    };
    let number = |text: &str| match text {
        "none" => Ok(0),
        _ => value::size(text),
    };
    match property.rule {
        Rule::Told => Err(Reason::ReadonlyProperty(named)),
        Rule::Words(words, told) => {
            if words.contains(&text) {
                Ok((name != "multihost" || text == "off").then_some(()))
            } else {
                Err(Reason::NotOneOf(property.name.into(), told))
            }
        }
        Rule::Altroot if when == When::Later => Err(Reason::OnlyAtCreationOrImport(named)),
        Rule::Altroot if !text.starts_with('/') => Err(Reason::BadAltroot(text.into())),
        Rule::Readonly => {
            if !["on", "off"].contains(&text) {
                Err(Reason::NotOneOf(property.name.into(), "on | off"))
            } else if when == When::Import {
                Ok(Some(()))
            } else {
                Err(Reason::OnlyAtImport(named))
            }
        }
        Rule::TemporaryName if when == When::Creation => Ok(Some(())),
        Rule::TemporaryName => Err(Reason::OnlyAtCreation(named)),
        Rule::Ashift => match number(text)? {
            0 | 9..=16 => Ok(Some(())),
            bits => Err(Reason::BadAshift(bits)),
        },
        Rule::Version => match number(text)? {
            WITH_FEATURES if when == When::Later => Err(Reason::InvalidForPool),
            WITH_FEATURES => Ok(None),
            1..=BEFORE_FEATURES if when == When::Creation => Ok(None),
            version => Err(Reason::BadVersion(version)),
        },
        Rule::DedupQuota => match text {
            "auto" | "none" => Ok(Some(())),
            _ => value::size(text).map(|_| Some(())),
        },
        Rule::Comment if text.chars().any(|c| !(' '..='~').contains(&c)) => {
            Err(Reason::UnprintableComment)
        }
        Rule::Comment if text.len() > MAX_COMMENT => Err(Reason::CommentTooLong),
        Rule::Altroot | Rule::Comment => Ok(Some(())),
        Rule::Cachefile => check_cachefile(text),
        Rule::Bootfs if when != When::Later => Err(Reason::NotAtCreation(named)),
        Rule::Bootfs if text.is_empty() => Ok(Some(())),
        Rule::Bootfs => {
            // `bootfs_name_valid`
            let valid = names::check(text, names::Expected::Filesystem).is_ok()
                || names::check(text, names::Expected::Snapshot).is_ok();
            let rest = text.strip_prefix(pool);
            if valid && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                Ok(Some(()))
            } else {
                Err(Reason::BadBootfs(text.into()))
            }
        }
        // Which features a file names is not known.
        Rule::Compatibility => Ok((text == "off").then_some(())),
    }
}

fn check_feature(
    feature: &str,
    text: &str,
    when: When,
    release: Release,
) -> Result<Option<()>, Reason> {
    if Feature::by_name(feature, release).is_none() {
        return Err(Reason::UnknownFeature(feature.into()));
    }
    match text {
        "enabled" => Ok(Some(())),
        "disabled" if when == When::Creation => Ok(Some(())),
        "disabled" => Err(Reason::FeatureStays(feature.into())),
        _ => Err(Reason::FeatureState(feature.into())),
    }
}

/// Only `/` and `/etc/zfs` are known to be directories outside of pools.
fn check_cachefile(text: &str) -> Result<Option<()>, Reason> {
    if matches!(text, "" | "none") {
        return Ok(Some(()));
    }
    if !text.starts_with('/') {
        return Err(Reason::BadCachefile);
    }
    Ok(text.starts_with("/etc/zfs/").then_some(()))
}

/// Where ZFS keeps what it knows of imported pools (`ZPOOL_CACHE`), unless it is told otherwise.
const CACHE: &str = "/etc/zfs/zpool.cache";

impl State {
    /// Sets a property of a pool; the value was checked (`spa_prop_validate`, `spa_sync_props`).
    pub(crate) fn set_of_pool(&mut self, pool: &str, name: &str, text: &str) -> Result<(), Reason> {
        let release = self.release;
        let when = When::Later;
        check(name, text, pool, when, release)?;
        self.check_writable(pool)?;
        let property = PoolProperty::by_name(name, release);
        let bootfs = self.find(text);
        let keeps_default = self.faulty(Fault::PoolDefaultIsLocal);
        let is_bootfs = property.is_some_and(|it| it.rule == Rule::Bootfs);
        if is_bootfs && !text.is_empty() && bootfs.is_none() {
            return Err(Reason::NoSuchBootfs);
        }
        let bootable = |id| {
            let dataset = self.dataset(id);
            dataset.is_some_and(|it| it.volume().is_none())
        };
        if is_bootfs && !bootfs.is_none_or(bootable) {
            return Err(Reason::NotSupportedByPool);
        }
        let Some(pool) = self.pools.get_mut(pool) else {
            return Err(Reason::NoSuchPool(pool.into()));
        };
        let pool = Arc::make_mut(pool);
        if is_bootfs {
            pool.bootfs = bootfs;
        } else {
            let before = pool.features.clone();
            pool.set(name, text, release);
            let new = pool.features.difference(&before);
            pool.enabled_later.extend(new);
            if keeps_default && let Some(property) = property {
                pool.settings.insert(property.name.into(), text.into());
            }
        }
        // That is nothing on disk (`spa_prop_set`).
        if property.is_none_or(|it| it.rule != Rule::Cachefile) {
            pool.close_txg();
        }
        Ok(())
    }
}

impl Pool {
    /// The file that tells of it while it is imported (`spa_write_cachefile`).
    #[must_use]
    pub fn cache_file(&self) -> Option<&str> {
        let set = self.settings.get("cachefile").map_or(CACHE, |file| file);
        (set != "none").then_some(set)
    }

    /// Puts a property in; where it says what is said without it, takes it out.
    pub(crate) fn set(&mut self, name: &str, text: &str, release: Release) {
        if let Some(feature) = feature_name(name) {
            if let Some(feature) = Feature::by_name(feature, release)
                && text == "enabled"
            {
                feature.enable(&mut self.features, release);
            }
            return;
        }
        let property = PoolProperty::by_name(name, release);
        let rule = property.map(|it| it.rule);
        let plain = match rule {
            Some(Rule::Words(words, _)) => words.first() == Some(&text),
            Some(Rule::Ashift) => value::size(text) == Ok(0) || text == "none",
            Some(Rule::Cachefile) => text.is_empty() || text == CACHE,
            Some(Rule::DedupQuota) => text == "auto",
            Some(Rule::Readonly) => text == "off",
            None => text.is_empty(),
            _ => false,
        };
        let key: Arc<str> = property.map_or(name, |it| it.name).into();
        if rule == Some(Rule::Altroot) && !self.settings.contains_key("cachefile") {
            // `spa_add`: a pool with another root is not written down.
            self.settings.insert("cachefile".into(), "none".into());
        }
        if plain {
            self.settings.remove(&key);
        } else {
            self.settings.insert(key, text.into());
        }
    }
}
