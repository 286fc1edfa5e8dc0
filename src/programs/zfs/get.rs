//! `zfs get` (`zfs_do_get`, `zprop_print_one_property`).

use std::fmt::Write as _;

use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::properties::{Key, Property, Source};
use ztwin_model::dsl::property::Class;

use super::column::{Cell, Column};
use super::iterate::{self, Walk};
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};

/// What a column of the table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Name,
    Property,
    Value,
    Received,
    Source,
}

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
    let args = args::parse(words, "d:o:s:jrt:Hp");
    let mut fields = vec![Field::Name, Field::Property, Field::Value, Field::Source];
    let mut sources = Sources {
        local: true,
        default: true,
        inherited: true,
        temporary: true,
        none: true,
    };
    let (mut scripted, mut exact) = (false, false);
    let mut walk = Walk {
        all_types: true,
        ..Walk::default()
    };
    for given in args.given {
        match given {
            Given::Flag('H') => scripted = true,
            Given::Flag('p') => exact = true,
            Given::Flag('r') => walk.recursive = true,
            Given::Flag(_) => return Err(NotModelled("JSON".to_owned())),
            Given::Value('d', depth) => match iterate::depth(&depth) {
                Ok(depth) => {
                    walk.recursive = true;
                    walk.depth = Some(depth);
                }
                Err(complaint) => return Ok(console.usage(&complaint)),
            },
            Given::Value('o', text) => match fields_of(&text) {
                Ok(given) => fields = given,
                Err(name) => return Ok(console.usage(&format!("invalid column name '{name}'"))),
            },
            Given::Value('s', text) => match sources_of(&text) {
                Ok(given) => sources = given,
                Err(name) => return Ok(console.usage(&format!("invalid source '{name}'"))),
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
    // The table of all properties has cells whose width only the pool knows.
    let all = list == "all";
    if all && (sources.none || !scripted) {
        return Err(NotModelled("zfs get all".to_owned()));
    }
    let mut columns = Vec::new();
    for name in list.split(',').filter(|_| !all) {
        match Column::by_name(name, console.release()) {
            Some(column) => columns.push(column),
            None if is_not_modelled(name) => {
                return Err(NotModelled(format!("the property {name}")));
            }
            None if name == "space" => return Err(NotModelled("zfs get space".to_owned())),
            None => {
                return Ok(console.usage(&format!("bad property list: invalid property '{name}'")));
            }
        }
    }
    // Without operands, everything (`zfs_do_get`).
    walk.recursive |= operands.is_empty();
    let (found, failed) = iterate::walk(console, operands, &walk);
    let mut rows = Vec::new();
    for &id in &found {
        let own = if all {
            every(console, id)
        } else {
            columns.clone()
        };
        for column in own {
            let cell = console.cell(id, &column, exact);
            if (!all || cell.known) && sources.allow(&cell) {
                rows.push((id, column, cell));
            }
        }
    }
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|(id, column, cell)| row(console, *id, column, cell, &fields))
        .collect();
    if scripted {
        for row in &rows {
            console.say(&row.join("\t"));
        }
        return Ok(u8::from(failed));
    }
    // The heads come with the first row (`zprop_print_one_property`).
    if rows.is_empty() {
        return Ok(u8::from(failed));
    }
    let widths = widths(console, &found, &columns, exact);
    let heads = fields
        .iter()
        .map(|field| heading(*field).to_owned())
        .collect();
    for row in std::iter::once(heads).chain(rows) {
        let mut text = String::new();
        for (at, (cell, field)) in row.iter().zip(&fields).enumerate() {
            if at + 1 == row.len() {
                text.push_str(cell);
            } else {
                let width = widths[*field as usize];
                let _ = write!(text, "{cell:<width$}  ");
            }
        }
        console.say(&text);
    }
    Ok(u8::from(failed))
}

/// All properties that can have a source, then a user's, in the order of `zfs get all`.
fn every(console: &Console<'_>, id: DatasetId) -> Vec<Column> {
    let settable =
        Property::all(console.release()).filter(|property| property.class() != Class::Status);
    let mut columns: Vec<_> = settable.map(Column::Native).collect();
    let mut users = std::collections::BTreeSet::new();
    for dataset in console.state().lineage(id) {
        users.extend(dataset.settings.keys().filter_map(|key| match key {
            Key::User(name) => Some(name.to_string()),
            Key::Native(_) => None,
        }));
    }
    columns.extend(users.into_iter().map(Column::User));
    columns
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

fn fields_of(text: &str) -> Result<Vec<Field>, String> {
    if text == "all" {
        return Ok(vec![
            Field::Name,
            Field::Property,
            Field::Value,
            Field::Received,
            Field::Source,
        ]);
    }
    text.split(',')
        .map(|name| {
            Ok(match name {
                "name" => Field::Name,
                "property" => Field::Property,
                "value" => Field::Value,
                "received" => Field::Received,
                "source" => Field::Source,
                _ => return Err(name.to_owned()),
            })
        })
        .collect()
}

fn sources_of(text: &str) -> Result<Sources, String> {
    let mut sources = Sources {
        local: false,
        default: false,
        inherited: false,
        temporary: false,
        none: false,
    };
    for name in text.split(',') {
        match name {
            "local" => sources.local = true,
            "default" => sources.default = true,
            "inherited" => sources.inherited = true,
            "none" => sources.none = true,
            "temporary" => sources.temporary = true,
            // Nothing is received in a modelled pool.
            "received" => {}
            _ => return Err(name.to_owned()),
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

fn row(
    console: &Console<'_>,
    id: DatasetId,
    column: &Column,
    cell: &Cell,
    fields: &[Field],
) -> Vec<String> {
    let source = match cell.source {
        _ if cell.temporary => "temporary".to_owned(),
        Some(Source::Local) => "local".to_owned(),
        Some(Source::Default) => "default".to_owned(),
        Some(Source::Inherited(from)) => format!("inherited from {}", console.name(from)),
        None => "-".to_owned(),
    };
    fields
        .iter()
        .map(|field| match field {
            Field::Name => console.name(id),
            Field::Property => column.name(),
            Field::Value => cell.text.clone(),
            Field::Received => "-".to_owned(),
            Field::Source => source.clone(),
        })
        .collect()
}

/// How wide each field is (`zprop_print_headers`): the value's column is as wide as the widest heading or
/// value of the properties, the source's as if all were inherited from the longest name.
fn widths(
    console: &Console<'_>,
    found: &[DatasetId],
    columns: &[Column],
    exact: bool,
) -> [usize; 5] {
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
    let value = columns.iter().map(|column| {
        let (width, grows) = column.width(exact, console.release());
        let cells = found
            .iter()
            .map(|&id| console.cell(id, column, exact).text.chars().count());
        if grows {
            cells.max().unwrap_or(0).max(width)
        } else {
            width
        }
    });
    let source = if name > "NAME".len() {
        name + "inherited from".len()
    } else {
        "SOURCE".len()
    };
    [
        name.max("NAME".len()),
        property.max("PROPERTY".len()),
        value.max().unwrap_or(0).max("VALUE".len()),
        "RECEIVED".len(),
        source,
    ]
}

/// Whether ZFS knows the property and the model does not: figures of users, groups and projects, and
/// the space written since a bookmark.
fn is_not_modelled(name: &str) -> bool {
    name.contains("used@")
        || name.contains("quota@")
        || name.contains("objused@")
        || name.starts_with("written#")
}
