//! `zfs get` (`zfs_do_get`, `zprop_print_one_property`).

use std::collections::BTreeSet;

use ztwin_model::Release;
use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::properties::{Key, Property, Source};

use super::column::{Cell, Column};
use super::info;
use super::iterate::{self, Walk};
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::json::{self, Flags, Object};
use crate::programs::table;

/// What a column of the table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Name,
    Property,
    Value,
    Received,
    Source,
}

/// All of them: what `-o all` shows, and as many as there may be.
const ALL_FIELDS: [Field; 5] = [
    Field::Name,
    Field::Property,
    Field::Value,
    Field::Received,
    Field::Source,
];

/// The sources of `-s`.
#[derive(Clone, Copy, Debug)]
struct Sources {
    local: bool,
    default: bool,
    inherited: bool,
    temporary: bool,
    none: bool,
}

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = if console.release() == Release::V2_1 {
        args::parse(words, "d:o:s:rt:Hp")
    } else {
        args::parse_long(words, "d:o:s:jrt:Hp", info::LONG)
    };
    let mut fields = vec![Field::Name, Field::Property, Field::Value, Field::Source];
    let mut sources = Sources {
        local: true,
        default: true,
        inherited: true,
        temporary: true,
        none: true,
    };
    let (mut scripted, mut exact) = (false, false);
    let mut flags = Flags::default();
    let mut walk = Walk {
        all_types: true,
        ..Walk::default()
    };
    for given in args.given {
        match given {
            Given::Flag('H') => scripted = true,
            Given::Flag('p') => exact = true,
            Given::Flag(letter) if flags.take(letter) => exact |= flags.as_number,
            Given::Flag(_) => walk.recursive = true,
            Given::Value('d', depth) => match iterate::depth(&depth) {
                Ok(depth) => {
                    walk.recursive = true;
                    walk.depth = Some(depth);
                }
                Err(complaint) => return Ok(console.usage(&complaint)),
            },
            Given::Value('o', text) => match fields_of(&text, console.release()) {
                Ok(given) => fields = given,
                Err(complaint) => return Ok(console.usage(&complaint)),
            },
            Given::Value('s', text) => match sources_of(&text, console.release()) {
                Ok(given) => sources = given,
                Err(complaint) => return Ok(console.usage(&complaint)),
            },
            Given::Value(_, text) => match iterate::types(&text, console.release()) {
                Ok(types) => walk.types = Some(types),
                Err(complaint) => return Ok(console.usage(&complaint)),
            },
            Given::NoValue(letter) => {
                return Ok(console.usage(&format!("missing argument for '{letter}' option")));
            }
            Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let Some((list, operands)) = args.operands.split_first() else {
        return Ok(console.usage("missing property argument"));
    };
    if let Some(complaint) = flags.misused() {
        return Ok(console.usage(complaint));
    }
    let all = list == "all";
    let columns = if all {
        Property::all(console.release())
            .map(Column::Native)
            .collect()
    } else {
        match Column::list(list, console.release())? {
            Ok(columns) => columns,
            Err(wrong) => {
                return Ok(console.usage(&format!("bad property list: {wrong}")));
            }
        }
    };
    // Without operands, everything (`zfs_do_get`).
    walk.recursive |= operands.is_empty();
    let (found, failed) = iterate::walk(console, operands, &walk);
    let mut rows = Vec::new();
    for &id in &found {
        let of_users = if all {
            of_users(console, id)
        } else {
            Vec::new()
        };
        let count = of_users.len();
        for (at, column) in columns.iter().chain(&of_users).enumerate() {
            let cell = console.cell(id, column, exact);
            if (!all || cell.known) && sources.allow(&cell) {
                rows.push(Row {
                    id,
                    column: column.clone(),
                    cell,
                    // Those of users come in the order of a hash.
                    marker: console.order(at >= columns.len() && count > 1),
                });
            }
        }
    }
    if flags.json {
        if !failed {
            let whole = as_json(console, &rows, flags)?;
            console.say_json(&whole)?;
        }
        return Ok(u8::from(failed));
    }
    if scripted {
        for row in &rows {
            let text = row.fields(console, &fields).join("\t");
            console.say(&format!("{}{text}", row.marker));
        }
        return Ok(u8::from(failed));
    }
    // The heads come with the first row (`zprop_print_one_property`).
    if rows.is_empty() {
        return Ok(u8::from(failed));
    }
    let mut columns = columns;
    if all {
        columns.extend(found.iter().flat_map(|&id| of_users(console, id)));
    }
    // Where all are shown, their widths are known without the values behind markers.
    let shown: BTreeSet<_> = rows.iter().filter(|_| !all).map(Row::key).collect();
    let widths = widths(console, &found, &columns, &shown)?;
    let heads = fields.iter().map(|it| heading(*it).to_owned()).collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.marker, row.fields(console, &fields)))
        .collect();
    for (marker, row) in std::iter::once(("", heads)).chain(rows) {
        let mut text = marker.to_owned();
        for (at, (cell, field)) in row.iter().zip(&fields).enumerate() {
            if at + 1 == row.len() {
                text.push_str(cell);
            } else {
                let width = widths[*field as usize];
                text.push_str(&table::left(cell, width));
                text.push_str("  ");
            }
        }
        console.say(&text);
    }
    Ok(u8::from(failed))
}

/// The properties as JSON (`get_callback`): of datasets that have some.
fn as_json(console: &Console<'_>, rows: &[Row], flags: Flags) -> Result<Object, NotModelled> {
    let mut every = Object::default();
    for of_dataset in rows.chunk_by(|one, other| one.id == other.id) {
        let id = of_dataset[0].id;
        let mut properties = Object::default();
        for Row {
            column,
            cell,
            marker,
            ..
        } in of_dataset
        {
            if !marker.is_empty() {
                return Err(NotModelled(
                    "JSON of all properties with several of a user's".to_owned(),
                ));
            }
            let source = console.json_source(cell);
            let as_number = info::as_number(column, flags);
            properties.property(&column.name(), &cell.text, &source, as_number);
        }
        let item = console.dataset_as_json(id, properties, flags.as_number);
        every.object(console.name(id), item);
    }
    let mut whole = json::of_command("zfs get");
    whole.object("datasets", every);
    Ok(whole)
}

/// The properties of users that a dataset has.
pub(super) fn of_users(console: &Console<'_>, id: DatasetId) -> Vec<Column> {
    let mut users = BTreeSet::new();
    for dataset in console.state().lineage(id) {
        users.extend(dataset.settings.keys().filter_map(|key| match key {
            Key::User(name) => Some(name.to_string()),
            Key::Native(_) | Key::Hidden(_) => None,
        }));
    }
    users.into_iter().map(Column::User).collect()
}

impl Sources {
    fn allow(self, cell: &Cell) -> bool {
        match cell.source {
            _ if cell.temporary => self.temporary,
            Some(Source::Local) => self.local,
            Some(Source::Default) => self.default,
            Some(Source::Inherited(_)) => self.inherited,
            None => self.none,
        }
    }
}

/// The fields of `-o`, or what is wrong with them.
fn fields_of(text: &str, release: Release) -> Result<Vec<Field>, String> {
    let mut fields = Vec::new();
    for (name, shown) in args::words_of(text, release) {
        if fields.len() == ALL_FIELDS.len() {
            return Err("too many fields given to -o option".to_owned());
        }
        fields.push(match name {
            "name" => Field::Name,
            "property" => Field::Property,
            "value" => Field::Value,
            "received" => Field::Received,
            "source" => Field::Source,
            "all" if fields.is_empty() => {
                fields = ALL_FIELDS.to_vec();
                continue;
            }
            "all" => {
                return Err("\"all\" conflicts with specific fields given to -o option".to_owned());
            }
            _ => return Err(format!("invalid column name '{shown}'")),
        });
    }
    Ok(fields)
}

/// The sources of `-s`, or what is wrong with them.
fn sources_of(text: &str, release: Release) -> Result<Sources, String> {
    let mut sources = Sources {
        local: false,
        default: false,
        inherited: false,
        temporary: false,
        none: false,
    };
    for (name, shown) in args::words_of(text, release) {
        match name {
            "local" => sources.local = true,
            "default" => sources.default = true,
            "inherited" => sources.inherited = true,
            "none" => sources.none = true,
            "temporary" => sources.temporary = true,
            // Nothing is received in a modelled pool.
            "received" => {}
            _ => return Err(format!("invalid source '{shown}'")),
        }
    }
    Ok(sources)
}

const fn heading(field: Field) -> &'static str {
    match field {
        Field::Name => "NAME",
        Field::Property => "PROPERTY",
        Field::Value => "VALUE",
        Field::Received => "RECEIVED",
        Field::Source => "SOURCE",
    }
}

/// As long as a source can be, in bytes: what `zprop_print_one_property` has room for.
const MAX_SOURCE: usize = 127;

/// A property of a dataset that is shown.
struct Row {
    id: DatasetId,
    column: Column,
    cell: Cell,
    marker: &'static str,
}

impl Row {
    fn key(&self) -> (DatasetId, String) {
        (self.id, self.column.name())
    }

    /// The fields of the table that were asked for.
    fn fields(&self, console: &Console<'_>, fields: &[Field]) -> Vec<String> {
        let source = match self.cell.source {
            _ if self.cell.temporary => "temporary".to_owned(),
            Some(Source::Local) => "local".to_owned(),
            Some(Source::Default) => "default".to_owned(),
            Some(Source::Inherited(from)) => {
                let mut source = format!("inherited from {}", console.name(from));
                source.truncate(MAX_SOURCE);
                source
            }
            None => "-".to_owned(),
        };
        let field = |field: &Field| match field {
            Field::Name => console.name(self.id),
            Field::Property => self.column.name(),
            Field::Value => self.cell.text.clone(),
            Field::Received => "-".to_owned(),
            Field::Source => source.clone(),
        };
        fields.iter().map(field).collect()
    }
}

/// How wide each field is (`zprop_print_headers`): the value's column is as wide as the widest heading or
/// value of the properties, shown or not, and not with exact numbers; the source's as if all were inherited
/// from the longest name.
fn widths(
    console: &Console<'_>,
    found: &[DatasetId],
    columns: &[Column],
    shown: &BTreeSet<(DatasetId, String)>,
) -> Result<[usize; 5], NotModelled> {
    let name = found
        .iter()
        .map(|&id| console.name(id).len())
        .max()
        .unwrap_or(0);
    let property = columns
        .iter()
        .map(|column| column.name().len())
        .max()
        .unwrap_or(0);
    let mut value = "VALUE".len();
    let mut unsure = 0;
    for column in columns {
        let (width, grows) = column.width(false, console.release());
        value = value.max(width);
        for &id in found.iter().filter(|_| grows) {
            let text = console.cell(id, column, false).text;
            let (least, most) = if shown.contains(&(id, column.name())) {
                (text.len(), 0)
            } else {
                console.width(&text, column.clock(false))
            };
            value = value.max(least);
            unsure = unsure.max(most);
        }
    }
    if unsure > value {
        return Err(NotModelled("the width of a column".to_owned()));
    }
    let source = if name > "NAME".len() {
        name + "inherited from".len()
    } else {
        "SOURCE".len()
    };
    Ok([
        name.max("NAME".len()),
        property.max("PROPERTY".len()),
        value,
        "RECEIVED".len(),
        source,
    ])
}
