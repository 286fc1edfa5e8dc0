//! Columns of `zfs list` and properties of `zfs get`: their names, widths, and values as text
//! (`zfs_prop_get`, `zfs_expand_proplist`).

use ztwin_model::Release;
use ztwin_model::dsl::dataset::{Dataset, DatasetId};
use ztwin_model::dsl::properties::{Property, Source, Value};
use ztwin_model::dsl::property::{Class, Hidden, Kind, SNAPSHOT};
use ztwin_model::fault::Fault;

use crate::compare::SPACE;
use crate::programs::args;
use crate::programs::console::{Console, NotModelled};
use crate::programs::values::Clock;

/// A property that is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// The dataset's name.
    Name,
    /// A property of ZFS.
    Native(Property),
    /// A user's property.
    User(String),
    /// `written@SNAPSHOT` or `written#BOOKMARK`, by its whole name: the space written since then.
    WrittenSince(String),
}

/// A value as it is printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    /// The text; a marker where the model cannot know it.
    pub text: String,
    /// Where it comes from; none where nothing is set or can be.
    pub source: Option<Source>,
    /// Whether a mount option overrides what is set, as long as the mount lasts.
    pub temporary: bool,
    /// Whether there is a value at all.
    pub known: bool,
}

/// What `-o space` stands for.
const SPACE_COLUMNS: [&str; 7] = [
    "name",
    "available",
    "used",
    "usedbysnapshots",
    "usedbydataset",
    "usedbyrefreservation",
    "usedbychildren",
];

impl Column {
    /// The column of this name, if there is one (`zprop_name_to_prop`, `zfs_prop_user`).
    pub fn by_name(name: &str, release: Release) -> Option<Column> {
        if name == "name" {
            return Some(Column::Name);
        }
        if let Some(property) = Property::by_name(name, release) {
            return Some(Column::Native(property));
        }
        // `zfs_prop_written`
        if name.starts_with("written@") || name.starts_with("written#") {
            return Some(Column::WrittenSince(name.to_owned()));
        }
        ztwin_model::dsl::value::is_user(name).then(|| Column::User(name.to_owned()))
    }

    /// The columns of a list between commas (`zprop_get_list`), or what is wrong with it.
    pub fn list(
        names: &str,
        release: Release,
    ) -> Result<std::result::Result<Vec<Column>, String>, NotModelled> {
        if names.is_empty() {
            return Ok(Err("no properties specified".to_owned()));
        }
        let mut columns = Vec::new();
        for name in args::property_names(names, release) {
            if name == "space" {
                let of_space = SPACE_COLUMNS.into_iter();
                columns.extend(of_space.filter_map(|name| Column::by_name(name, release)));
                continue;
            }
            match Column::by_name(name, release) {
                Some(column) => columns.push(column),
                None if is_not_modelled(name) => {
                    return Err(NotModelled(format!("the property {name}")));
                }
                None => return Ok(Err(args::wrong_property_name(name, release))),
            }
        }
        Ok(Ok(columns))
    }

    /// As `zfs get` names it.
    pub fn name(&self) -> String {
        match self {
            Column::Name => "name".to_owned(),
            Column::Native(property) => property.name().to_owned(),
            Column::User(name) | Column::WrittenSince(name) => name.clone(),
        }
    }

    /// As the head of a table names it.
    pub fn heading(&self) -> String {
        match self {
            Column::Native(Property::Volthreading) => "zvol threading".to_owned(),
            Column::Native(property) => short_name(*property).to_uppercase(),
            column => column.name().to_uppercase(),
        }
    }

    /// How its points in time are written.
    pub fn clock(&self, exact: bool) -> Clock {
        match self {
            _ if exact => Clock::Exact,
            Column::Native(Property::SnapshotsChanged) => Clock::DateWithSeconds,
            _ => Clock::Date,
        }
    }

    /// Whether its values stand at the right of the column.
    pub fn is_right(&self) -> bool {
        match self {
            Column::Native(property) => is_number(*property) && *property != Property::Creation,
            Column::WrittenSince(_) => true,
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
        match property.kind(release) {
            _ if matches!(property, Property::Creation | Property::SnapshotsChanged) => {
                (heading, true)
            }
            Kind::Words(words) => {
                let names = words
                    .words
                    .iter()
                    .chain(words.aliases.iter().map(|(alias, _)| alias));
                (
                    names.map(|word| word.len()).max().unwrap_or(0).max(heading),
                    exact,
                )
            }
            _ if matches!(property, Property::Mounted | Property::DeferDestroy) => (heading, exact),
            // As wide as `unavailable`.
            _ if *property == Property::Keystatus => (11, exact),
            // Until 2.1 taken for the `health` of a pool, which has the same number (`zprop_width`).
            _ if *property == Property::Referenced && release == Release::V2_1 => (8, exact),
            _ if is_number(*property) => (heading.max(5), exact),
            _ => (heading, true),
        }
    }
}

/// Properties that are numbers to ZFS.
fn is_number(property: Property) -> bool {
    // Which are does not differ between releases.
    match property.kind(Release::V2_4) {
        Kind::Size | Kind::Quota | Kind::BlockSize | Kind::Limit => true,
        Kind::Told => !matches!(
            property,
            Property::Type
                | Property::Mounted
                | Property::Origin
                | Property::Clones
                | Property::DeferDestroy
                | Property::SnapshotsChanged
                | Property::ReceiveResumeToken
                | Property::Encryptionroot
                | Property::Keystatus
                | Property::RedactSnaps
        ),
        _ => false,
    }
}

/// The short name in the heads of tables (`zprop_register_*`).
fn short_name(property: Property) -> &'static str {
    match property.name() {
        "available" => "avail",
        "referenced" => "refer",
        "compressratio" => "ratio",
        "reservation" => "reserv",
        "volblocksize" => "volblock",
        "recordsize" => "recsize",
        "compression" => "compress",
        "readonly" => "rdonly",
        "casesensitivity" => "case",
        "refreservation" => "refreserv",
        "usedbysnapshots" => "usedsnap",
        "usedbydataset" => "usedds",
        "usedbychildren" => "usedchild",
        "usedbyrefreservation" => "usedrefreserv",
        "dnodesize" => "dnsize",
        "refcompressratio" => "refratio",
        "logicalused" => "lused",
        "logicalreferenced" => "lrefer",
        "filesystem_limit" => "fslimit",
        "snapshot_limit" => "sslimit",
        "filesystem_count" => "fscount",
        "snapshot_count" => "sscount",
        "redundant_metadata" => "redund_md",
        "receive_resume_token" => "resumetok",
        "encryptionroot" => "encroot",
        "redact_snaps" => "rsnaps",
        name => name,
    }
}

/// Whether ZFS knows the property and the model does not: figures of users, groups and projects, and what is
/// never listed.
fn is_not_modelled(name: &str) -> bool {
    name.contains("used@")
        || name.contains("quota@")
        || name.contains("objused@")
        || Hidden::by_name(name).is_some()
}

/// Properties that a bookmark can have, also those of which there is never a value.
fn is_of_bookmarks(property: Property) -> bool {
    matches!(
        property,
        Property::Type
            | Property::Creation
            | Property::Createtxg
            | Property::Guid
            | Property::Referenced
            | Property::Logicalreferenced
            | Property::Compressratio
            | Property::RedactSnaps
    )
}

/// Properties that are printed as sizes in bytes, with a `B` (`zfs_nicebytes`).
fn is_in_bytes(property: Property) -> bool {
    matches!(
        property,
        Property::Quota | Property::Refquota | Property::Reservation | Property::Refreservation
    )
}

/// A number as ZFS prints it, without a unit below 1024 (`zfs_nicenum`).
pub(in crate::programs) fn nice_number(number: u64) -> String {
    if number < 1024 {
        number.to_string()
    } else {
        nice_bytes(number)
    }
}

/// A size as ZFS prints it, in at most five characters (`zfs_nicenum_format`).
pub(crate) fn nice_bytes(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "K", "M", "G", "T", "P", "E"];
    let power = (1..UNITS.len())
        .take_while(|&power| bytes >> (10 * power) > 0)
        .last()
        .unwrap_or(0);
    let (unit, shift) = (UNITS[power], 10 * power);
    if bytes.is_multiple_of(1 << shift) {
        return format!("{}{unit}", bytes >> shift);
    }
    #[allow(clippy::cast_precision_loss)] // As `zfs_nicenum_format` does it, in a double.
    let value = bytes as f64 / (1u64 << shift) as f64;
    (0..3)
        .rev()
        .map(|digits| format!("{value:.digits$}{unit}"))
        .find(|text| text.len() <= 5)
        .unwrap_or_else(|| format!("{value:.0}{unit}"))
}

/// No bytes, as a table or a script has them.
fn nothing(exact: bool) -> &'static str {
    if exact { "0" } else { "0B" }
}

impl Console<'_> {
    /// The value of a property as text; with `exact`, numbers to the last digit.
    pub(super) fn cell(&self, id: DatasetId, column: &Column, exact: bool) -> Cell {
        let told = |text: String| Cell {
            text,
            known: true,
            ..Cell::default()
        };
        match column {
            Column::Name => told(self.name(id)),
            Column::Native(property) => self.native(id, *property, exact),
            Column::User(name) => match self.state().user_property(id, name) {
                Some((Value::Text(text), source)) => Cell {
                    text: text.to_string(),
                    source: Some(source),
                    known: true,
                    ..Cell::default()
                },
                _ => Cell {
                    text: "-".to_owned(),
                    ..Cell::default()
                },
            },
            Column::WrittenSince(name) => {
                // `zfs_prop_get_written_int`
                let since = &name["written@".len()..];
                let since = if since.contains(['@', '#']) {
                    self.state().find(since)
                } else {
                    let home = self.state().filesystem_of(id).map(|home| self.name(home));
                    let short = &name["written".len()..];
                    home.and_then(|home| self.state().find(&format!("{home}{short}")))
                };
                // A snapshot is no later than a bookmark of itself (`dsl_bookmark_lookup`).
                let txg = |id| self.state().dataset(id).map(|it| it.creation_txg);
                let is_older = |since| {
                    let is_snapshot = self.state().snapshot(id).is_some();
                    self.state().is_before(since, id) && !(is_snapshot && txg(since) >= txg(id))
                };
                match since {
                    Some(since) if is_older(since) => Cell {
                        text: self
                            .figure(self.state().written_since(id, since), exact)
                            .unwrap_or_else(|| self.space(|_| nothing(exact).to_owned())),
                        source: Some(Source::Local),
                        known: true,
                        ..Cell::default()
                    },
                    _ => Cell {
                        text: "-".to_owned(),
                        ..Cell::default()
                    },
                }
            }
        }
    }

    /// Whether ZFS looks for the source of this value: not when a dataset of this kind cannot have it, and not
    /// of a user's property that is not there (`zfs_prop_valid_for_type`, `collect_dataset`).
    pub(super) fn has_source(&self, id: DatasetId, column: &Column, cell: &Cell) -> bool {
        let Some(dataset) = self.state().dataset(id) else {
            return false;
        };
        match column {
            Column::Name | Column::WrittenSince(_) => true,
            Column::User(_) => cell.known,
            Column::Native(property) if dataset.bookmark().is_some() => is_of_bookmarks(*property),
            Column::Native(property) => property.is_for(dataset.kinds(), self.release()),
        }
    }

    fn native(&self, id: DatasetId, property: Property, exact: bool) -> Cell {
        let none = Cell {
            text: "-".to_owned(),
            ..Cell::default()
        };
        let Some(dataset) = self.state().dataset(id) else {
            return none;
        };
        if dataset.bookmark().is_some() {
            return self.of_bookmark(dataset, property, exact).unwrap_or(none);
        }
        // Of a snapshot what its filesystem or volume does not have is not there either
        // (`get_numeric_property`).
        let head = dataset
            .snapshot()
            .and_then(|it| self.state().dataset(it.filesystem));
        let for_head = head.is_none_or(|head| {
            property.kinds() == SNAPSHOT || property.is_for(head.kinds(), self.release())
        });
        let is_hidden = match property {
            Property::Volsize => {
                dataset.is_snapshot() && self.state().faulty(Fault::SnapshotsHideVolsize)
            }
            Property::Volblocksize => {
                self.state().property(id, property).1 == Source::Default
                    && self.state().faulty(Fault::UsualBlockSizeIsHidden)
            }
            _ => false,
        };
        if !for_head || is_hidden || !property.is_for(dataset.kinds(), self.release()) {
            return none;
        }
        if property.class() == Class::Status {
            // `get_numeric_property` has a source for counts that nobody keeps.
            let counts = matches!(
                property,
                Property::FilesystemCount | Property::SnapshotCount
            );
            return match self.status(id, property, exact) {
                Some(text) => Cell {
                    text,
                    source: counts.then_some(match self.state().counts(id) {
                        Some(_) => Source::Local,
                        None => Source::Default,
                    }),
                    known: true,
                    ..Cell::default()
                },
                None => none,
            };
        }
        let (value, source) = self.state().property(id, property);
        let kind = property.kind(self.release());
        let text = match value {
            _ if property == Property::Mountpoint
                && !matches!(value, Value::Word("none" | "legacy")) =>
            {
                self.state().mountpoint(id).unwrap_or_default()
            }
            Value::Number(number) if kind == Kind::Limit => self.limit(number, exact),
            Value::Number(0) if is_in_bytes(property) && !exact => "none".to_owned(),
            Value::Number(number) if exact || property == Property::Pbkdf2iters => {
                number.to_string()
            }
            Value::Number(number) if is_in_bytes(property) => nice_bytes(number),
            Value::Number(number) => nice_number(number),
            Value::Word(word) => word.to_owned(),
            Value::Text(text) => text.to_string(),
        };
        // What is fixed when a filesystem is made has no source (`zfs_prop_get`), except of encryption.
        let fixed = matches!(
            property,
            Property::Version
                | Property::Utf8only
                | Property::Normalization
                | Property::Casesensitivity
        ) || property.since() == Release::V2_4
            // Of a block size only the default has one (`zvol_get_stats`).
            || (property == Property::Volblocksize && source == Source::Local);
        // `get_numeric_property` looks at the options of the mount.
        let mounted = self.state().mounts.first(id);
        let on = text == "on";
        let temporary = mounted.and_then(|mount| mount.options.overrides(property, on));
        Cell {
            text: temporary.map_or(text, str::to_owned),
            source: (!fixed).then_some(source),
            temporary: temporary.is_some(),
            known: true,
        }
    }

    /// A limit or a count; the largest number is none.
    fn limit(&self, number: u64, exact: bool) -> String {
        match number {
            // With exact numbers only since 2.2.
            u64::MAX if !(exact && self.release() == Release::V2_1) => "none".to_owned(),
            _ if exact => number.to_string(),
            _ => nice_number(number),
        }
    }

    /// A property of a bookmark, which has few (`lzc_get_bookmarks`).
    fn of_bookmark(&self, dataset: &Dataset, property: Property, exact: bool) -> Option<Cell> {
        let bookmark = dataset.bookmark()?;
        let clock = if exact { Clock::Exact } else { Clock::Date };
        let text = match property {
            Property::Type => self.kind(dataset.id).to_owned(),
            Property::Creation => self.time(dataset.created, clock),
            Property::Createtxg => self.txg(dataset.creation_txg),
            Property::Guid => self.guid(bookmark.snapshot),
            Property::Referenced | Property::Logicalreferenced => {
                let figure = self.state().figure(dataset.id, property);
                let text = self.figure(figure, exact);
                text.unwrap_or_else(|| self.unknown("what a bookmark refers to", SPACE.marker))
            }
            _ => return None,
        };
        Some(Cell {
            text,
            known: true,
            ..Cell::default()
        })
    }

    /// A property that ZFS tells and nobody sets; none where such a dataset has none.
    fn status(&self, id: DatasetId, property: Property, exact: bool) -> Option<String> {
        let state = self.state();
        let dataset = state.dataset(id)?;
        Some(match property {
            Property::Type => self.kind(id).to_owned(),
            Property::Creation => self.time(
                dataset.created,
                if exact { Clock::Exact } else { Clock::Date },
            ),
            Property::SnapshotsChanged => {
                let changed = dataset.filesystem()?.snapshots_changed?;
                self.time(
                    changed,
                    if exact {
                        Clock::Exact
                    } else {
                        Clock::DateWithSeconds
                    },
                )
            }
            Property::ReceiveResumeToken
            | Property::Encryptionroot
            | Property::Keystatus
            | Property::RedactSnaps => return None,
            Property::Createtxg => self.txg(dataset.creation_txg),
            Property::Guid | Property::Objsetid => self.guid(id),
            Property::Mounted => {
                dataset.filesystem()?;
                if state.mounts.is_mounted(id) {
                    "yes"
                } else {
                    "no"
                }
                .to_owned()
            }
            Property::Origin => {
                dataset.filesystem()?;
                self.name(state.origin_of(id)?)
            }
            Property::Clones => {
                let clones = self.clones(id);
                if clones.is_empty() {
                    return None;
                }
                let names: Vec<_> = clones.into_iter().map(|clone| self.name(clone)).collect();
                format!("{}{}", names.join(","), self.order(names.len() > 1))
            }
            Property::DeferDestroy => if dataset.snapshot()?.deferred {
                "on"
            } else {
                "off"
            }
            .to_owned(),
            Property::Userrefs => dataset.snapshot()?.holds.len().to_string(),
            Property::FilesystemCount | Property::SnapshotCount => {
                let count = state.counts(id).map_or(u64::MAX, |counts| match property {
                    Property::FilesystemCount => counts.0,
                    _ => counts.1,
                });
                self.limit(count, exact)
            }
            _ => self.space_of(id, property, exact),
        })
    }
}
