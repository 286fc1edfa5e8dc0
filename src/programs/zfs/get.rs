//! `zfs get` (`zfs_do_get`, `zprop_print_one_property`).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::properties::{Key, Property, Source};

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
    let mut shown = BTreeSet::new();
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
                // Those of users come in the order of a hash.
                let marker = console.order(at >= columns.len() && count > 1);
                rows.push((marker, row(console, id, column, &cell, &fields)));
                shown.insert((id, column.name()));
            }
        }
    }
    if scripted {
        for (marker, row) in &rows {
            console.say(&format!("{marker}{}", row.join("\t")));
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
    if all {
        shown.clear();
    }
    let widths = widths(console, &found, &columns, &shown)?;
    let heads = fields
        .iter()
        .map(|field| heading(*field).to_owned())
        .collect();
    for (marker, row) in std::iter::once(("", heads)).chain(rows) {
        let mut text = marker.to_owned();
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

/// The properties of users that a dataset has.
pub(super) fn of_users(console: &Console<'_>, id: DatasetId) -> Vec<Column> {
    let mut users = BTreeSet::new();
    for dataset in console.state().lineage(id) {
        users.extend(dataset.settings.keys().filter_map(|key| match key {
            Key::User(name) => Some(name.to_string()),
            Key::Native(_) => None,
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
                (text.chars().count(), 0)
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
