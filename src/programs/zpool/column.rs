//! Properties of pools as `zpool list` and `zpool get` show them (`zpool_get_prop`, `zpool_expand_proplist`).

use ztwin_model::Release;
use ztwin_model::dsl::property::Property;
use ztwin_model::dsl::value;
use ztwin_model::spa::Pool;
use ztwin_model::spa::feature::{Activity, Feature};
use ztwin_model::spa::property::{self, PoolProperty, Rule};
use ztwin_model::spa::sharing::{Sharing, Tally};

use super::draid;
use crate::compare::{CLASSES, FEATURE, GUID, SPACE};
use crate::programs::args;
use crate::programs::console::Console;
use crate::programs::json::Source;
use crate::programs::values::{Values, size};

/// A property that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// A property of ZFS.
    Native(PoolProperty),
    /// A feature, known or not, by its whole name.
    Feature(String),
    /// A property of a user's.
    User(String),
}

/// A value as it is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// The text; a marker where the model cannot know it.
    pub text: String,
    /// `local`, `default`, or `-`.
    pub source: &'static str,
}

/// Whether a marker stands in it.
pub(super) fn is_marked(text: &str) -> bool {
    CLASSES.iter().any(|class| text.contains(class.marker))
}

impl Cell {
    /// Where it comes from, for JSON.
    pub fn json_source(&self) -> Source {
        match self.source {
            "local" => Source::Local,
            "default" => Source::Default,
            _ => Source::None,
        }
    }
}

fn cell(text: impl Into<String>, source: &'static str) -> Cell {
    Cell {
        text: text.into(),
        source,
    }
}

impl Column {
    /// The columns that a list of names asks for, or the name that is wrong (`zprop_get_list`).
    pub fn list(console: &Console<'_>, names: &str) -> Result<Vec<Column>, String> {
        args::property_names(names, console.release())
            .map(|name| Self::by_name(name, console.release()).ok_or_else(|| name.to_owned()))
            .collect()
    }

    fn by_name(name: &str, release: Release) -> Option<Column> {
        if let Some(property) = PoolProperty::by_name(name, release) {
            Some(Column::Native(property))
        } else if property::feature_name(name).is_some() || name.starts_with("unsupported@") {
            Some(Column::Feature(name.to_owned()))
        } else if property::is_user(name, release) {
            Some(Column::User(name.to_owned()))
        } else {
            None
        }
    }

    /// What `zpool get all` shows: behind the properties of ZFS those that users set, and the features.
    pub fn all(console: &Console<'_>) -> Vec<Column> {
        let release = console.release();
        let native = PoolProperty::all(release).filter(|property| !property.hidden);
        let mut columns: Vec<Column> = native.map(Column::Native).collect();
        for pool in console.state().pools.values() {
            for name in pool.settings.keys().filter(|name| name.contains(':')) {
                let column = Column::User(name.to_string());
                if !columns.contains(&column) {
                    columns.push(column);
                }
            }
        }
        let features = Feature::all(release);
        columns.extend(features.map(|it| Column::Feature(format!("feature@{}", it.name))));
        columns
    }

    /// It as a property of ZFS.
    pub fn native(&self) -> Option<PoolProperty> {
        match self {
            Column::Native(property) => Some(*property),
            Column::Feature(_) | Column::User(_) => None,
        }
    }

    /// As `zpool get` names it.
    pub fn name(&self) -> &str {
        match self {
            Column::Native(property) => property.name,
            Column::Feature(name) | Column::User(name) => name,
        }
    }

    /// As the head of a table names it.
    pub fn heading(&self) -> String {
        match self {
            Column::Native(property) => property.heading.to_owned(),
            Column::Feature(name) | Column::User(name) => name.to_uppercase(),
        }
    }

    /// Whether its values stand at the right of the column.
    pub fn is_right(&self) -> bool {
        match self {
            Column::Native(property) => match property.rule {
                Rule::Told => property.name != "name",
                Rule::Ashift | Rule::Version | Rule::DedupQuota => true,
                _ => false,
            },
            _ => false,
        }
    }

    /// The width before any value is seen, and whether values make it wider (`zprop_width`). With exact
    /// numbers they always do.
    pub fn width(&self, exact: bool, release: Release) -> (usize, bool) {
        let heading = self.heading().len();
        let Column::Native(property) = self else {
            return (heading, true);
        };
        match property.rule {
            Rule::Words(words, _) => {
                let widest = words.iter().map(|word| word.len()).max().unwrap_or(0);
                (heading.max(widest), exact)
            }
            Rule::Readonly => (heading.max("off".len()), exact),
            _ if !self.is_right() => (heading, true),
            _ if property.name == "health" => (8, exact),
            _ => {
                // Until 2.1 a mistaken comparison made `size` flexible.
                let flexible = match release {
                    Release::V2_1 => property.name == "size",
                    _ => property.name.ends_with("guid"),
                };
                (heading.max(5), exact || flexible)
            }
        }
    }

    /// The width of the column over these pools.
    pub fn widest(&self, console: &Console<'_>, pools: &[String], exact: bool) -> usize {
        let (least, grows) = self.width(exact, console.release());
        let mut width = least;
        for pool in pools {
            let pool = console.state().pools.get(pool);
            let Some(cell) = pool.and_then(|pool| console.cell_of_pool(pool, self, exact)) else {
                continue;
            };
            // A marker is right below its heading, unless the column is wider than both for a value's sake.
            let counts = grows || (is_marked(&cell.text) && least == self.heading().len());
            if counts {
                width = width.max(cell.text.chars().count());
            }
        }
        width
    }
}

impl Console<'_> {
    /// The value of a property of a pool; none of a feature that does not exist.
    pub(super) fn cell_of_pool(&self, pool: &Pool, column: &Column, exact: bool) -> Option<Cell> {
        Some(match column {
            Column::Native(property) => self.native_of_pool(pool, *property, exact),
            Column::Feature(name) => {
                let name = property::feature_name(name)?;
                let feature = Feature::by_name(name, self.release())?;
                cell(self.feature(pool, feature), "local")
            }
            Column::User(name) => match pool.settings.get(&**name) {
                Some(text) => cell(&**text, "local"),
                None => cell("-", "default"),
            },
        })
    }

    fn native_of_pool(&self, pool: &Pool, property: PoolProperty, exact: bool) -> Cell {
        let set = pool.settings.get(property.name);
        let or = |plain: &str| match set {
            Some(text) => cell(&**text, "local"),
            None => cell(plain, "default"),
        };
        match property.rule {
            Rule::Told => cell(self.told(pool, property.name, exact), "-"),
            Rule::Readonly => cell(set.map_or("off", |text| text), "-"),
            Rule::Words(words, _) => or(words.first().copied().unwrap_or("-")),
            Rule::Ashift => or("0"),
            Rule::Compatibility => or("off"),
            Rule::DedupQuota => match set.map(|text| (text, value::size(text))) {
                None => cell("auto", "default"),
                Some((_, Ok(0) | Err(_))) => cell(if exact { "0" } else { "none" }, "local"),
                Some((_, Ok(bytes))) if exact => cell(bytes.to_string(), "local"),
                Some((_, Ok(bytes))) => cell(nice_number(bytes), "local"),
            },
            Rule::Bootfs => {
                let name = pool.bootfs.and_then(|id| self.state().name_of(id));
                name.map_or_else(|| cell("-", "default"), |name| cell(name, "local"))
            }
            Rule::TemporaryName => cell(set.map_or("-", |text| text), "default"),
            Rule::Altroot | Rule::Version | Rule::Comment | Rule::Cachefile => or("-"),
        }
    }

    /// A property that ZFS tells and nobody sets.
    fn told(&self, pool: &Pool, name: &str, exact: bool) -> String {
        let known = match name {
            "name" => return pool.name.clone(),
            "health" => "ONLINE",
            "guid" | "load_guid" => GUID.marker,
            "checkpoint" if pool.checkpoint.is_some() || pool.discarding => SPACE.marker,
            "expandsize" | "checkpoint" => "-",
            "dedupratio" | "bcloneused" | "bclonesaved" | "bcloneratio" => {
                if let Some(known) = shared(pool.sharing, name, exact) {
                    return known;
                }
                SPACE.marker
            }
            "last_scrubbed_txg" if pool.scan.is_some() => return self.txg(pool.open_txg),
            "last_scrubbed_txg" => "0",
            "size" => return size(pool.size(), exact),
            "maxblocksize" | "maxdnodesize" => {
                let largest = match name {
                    "maxblocksize" => Property::largest_record(self.release()),
                    _ => 16 << 10,
                };
                // Until 2.1 it is not shortened.
                return if exact || self.release() == Release::V2_1 {
                    largest.to_string()
                } else {
                    nice_number(largest)
                };
            }
            _ => SPACE.marker,
        };
        self.of_pool(&pool.name, name, known, exact)
    }

    fn feature(&self, pool: &Pool, feature: Feature) -> String {
        if !pool.features.contains(feature.name) {
            return "disabled".to_owned();
        }
        let active = match feature.activity {
            Activity::Always => true,
            Activity::FromStart if !pool.enabled_later.contains(feature.name) => true,
            Activity::Never => false,
            Activity::Draid => draid::is_in(pool),
            Activity::Checkpoint if !pool.discarding => pool.checkpoint.is_some(),
            Activity::Bookmark => pool.has_bookmarks(),
            // What any mounted filesystem uses.
            _ if self.values == Values::Estimated => {
                self.estimated.set(true);
                ["extensible_dataset", "project_quota", "userobj_accounting"]
                    .contains(&feature.name)
            }
            Activity::FromStart | Activity::ByUse | Activity::Checkpoint => {
                return self.unknown("whether a feature is in use", FEATURE.marker);
            }
        };
        if active { "active" } else { "enabled" }.to_owned()
    }
}

/// What is told of blocks that stand for several, if it is known.
fn shared(sharing: Sharing, name: &str, exact: bool) -> Option<String> {
    let ratio = |tally: Tally| {
        let hundredths = tally.ratio()?;
        let (whole, rest) = (hundredths / 100, hundredths % 100);
        let unit = if exact { "" } else { "x" };
        Some(format!("{whole}.{rest:02}{unit}"))
    };
    let bytes = |bytes: u64| {
        if exact {
            bytes.to_string()
        } else {
            nice_number(bytes)
        }
    };
    match name {
        "dedupratio" if sharing.lost => None,
        "dedupratio" => ratio(sharing.duplicates),
        "bcloneratio" => ratio(sharing.clones),
        "bcloneused" => Some(bytes(sharing.clones.used.known()?)),
        _ => Some(bytes(sharing.clones.saved.known()?)),
    }
}

/// A number as ZFS shortens it, without a unit for bytes (`zfs_nicenum`).
fn nice_number(number: u64) -> String {
    let text = crate::programs::zfs::nice_bytes(number);
    text.strip_suffix('B').unwrap_or(&text).to_owned()
}
