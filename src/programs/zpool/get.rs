//! `zpool get` (`zpool_do_get`, `zprop_print_one_property`).

use std::fmt::Write;

use ztwin_model::Release;
use ztwin_model::dsl::reason::Reason;

use super::column::{Column, is_marked};
use super::{LONG, list, named};
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::json::{self, Flags, Object};

/// The columns of the table, with their headings.
const FIELDS: [(&str, &str); 4] = [
    ("name", "NAME"),
    ("property", "PROPERTY"),
    ("value", "VALUE"),
    ("source", "SOURCE"),
];

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = if console.release() == Release::V2_1 {
        args::parse(words, ":Hpo:")
    } else {
        args::parse_long(words, ":jHpo:", LONG)
    };
    let mut fields: Vec<usize> = (0..FIELDS.len()).collect();
    let (mut scripted, mut exact) = (false, false);
    let mut flags = Flags::default();
    for given in args.given {
        match given {
            Given::Flag('H') => scripted = true,
            Given::Flag('p') => exact = true,
            Given::Value('o', text) => match fields_of(&text, console.release()) {
                Ok(given) => fields = given,
                Err(complaint) => return Ok(console.usage(&complaint)),
            },
            Given::Flag(letter) if flags.take(letter) => exact |= flags.as_number,
            Given::Flag(letter) | Given::Value(letter, _) => {
                return Err(NotModelled(format!("zpool get -{letter}")));
            }
            // Nobody asks for what is missing (`zpool_do_get`).
            Given::NoValue(_) => {}
            Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    if let Some(complaint) = flags.misused() {
        return Ok(console.usage(complaint));
    }
    let Some((names, operands)) = args.operands.split_first() else {
        return Ok(console.usage("missing property argument"));
    };
    // Since 2.2 there are properties of vdevs, and operands are looked at first.
    if console.release() > Release::V2_1
        && let Some(code) = no_pools(console, operands)?
    {
        return Ok(code);
    }
    if names.is_empty() {
        return Ok(console.usage("bad property list: no properties specified"));
    }
    let columns = match Column::list(console, names) {
        _ if names == "all" => Column::all(console),
        Ok(columns) => columns,
        Err(name) => return Ok(list::no_such_property(console, &name)),
    };
    let (pools, code) = named(console, operands);
    if flags.json {
        if code == 0 {
            let whole = as_json(console, &pools, &columns, flags, exact);
            console.say_json(&whole)?;
        }
        return Ok(code);
    }
    table(console, &pools, &columns, &fields, (scripted, exact));
    Ok(code)
}

/// The fields of `-o`, or what is wrong with them.
fn fields_of(text: &str, release: Release) -> Result<Vec<usize>, String> {
    // As many as there are; until 2.1 that of `zfs get` for received values counts too.
    let most = FIELDS.len() + usize::from(release == Release::V2_1);
    let mut fields = Vec::new();
    let mut all = false;
    for (name, shown) in args::words_of(text, release) {
        if all || fields.len() == most {
            return Err("too many fields given to -o option".to_owned());
        }
        let field = FIELDS.iter().position(|(field, _)| *field == name);
        match field {
            Some(field) => fields.push(field),
            None if name == "all" && fields.is_empty() => all = true,
            None if name == "all" => {
                return Err("\"all\" conflicts with specific fields given to -o option".to_owned());
            }
            None => return Err(format!("invalid column name '{shown}'")),
        }
    }
    Ok(if all {
        (0..FIELDS.len()).collect()
    } else {
        fields
    })
}

/// The exit code, unless all operands are pools (`zpool_do_get`).
fn no_pools(console: &mut Console<'_>, operands: &[String]) -> Result<Option<u8>, NotModelled> {
    let pools = &console.state().pools;
    let Some((first, rest)) = operands.split_first() else {
        return Ok(None);
    };
    if !pools.contains_key(first) {
        console.note(&Reason::NoSuchPool(first.as_str().into()));
        console.complain(format!(
            "Cannot get properties of {first}: no such pool available."
        ));
        return Ok(Some(1));
    }
    if rest.iter().all(|name| pools.contains_key(name)) {
        return Ok(None);
    }
    // What names a vdev, or all of them, is not modelled.
    let vdevs = ["all-vdevs", "root"];
    let may_be_vdev = |name: &String| name.contains(['/', '-']) || vdevs.contains(&name.as_str());
    if rest.iter().any(may_be_vdev) {
        return Err(NotModelled("zpool get of a vdev".to_owned()));
    }
    let lines: Vec<String> = rest
        .iter()
        .map(|name| {
            let what = if pools.contains_key(name) {
                "pool"
            } else {
                "unknown"
            };
            format!("\t{name} ({what})")
        })
        .collect();
    console.complain(format!("Expected a list of vdevs in \"{first}\", but got:"));
    for line in lines {
        console.complain(line);
    }
    console.complain("");
    Ok(Some(console.usage("")))
}

/// The properties of these pools as JSON (`get_callback`).
fn as_json(
    console: &Console<'_>,
    pools: &[String],
    columns: &[Column],
    flags: Flags,
    exact: bool,
) -> Object {
    let mut every = Object::default();
    for name in pools {
        let Some(pool) = console.state().pools.get(name) else {
            continue;
        };
        let mut properties = Object::default();
        for column in columns {
            if let Some(cell) = console.cell_of_pool(pool, column, exact) {
                let source = cell.json_source();
                properties.property(column.name(), &cell.text, &source, flags.as_number);
            }
        }
        if !properties.is_empty() {
            let mut item = console.info(pool, true, flags.as_number);
            item.object("properties", properties);
            every.object(flags.key(console, pool), item);
        }
    }
    let mut whole = json::of_command("zpool get");
    whole.object("pools", every);
    whole
}

/// Prints the properties of these pools (`zprop_print_one_property`).
fn table(
    console: &mut Console<'_>,
    pools: &[String],
    columns: &[Column],
    fields: &[usize],
    (scripted, exact): (bool, bool),
) {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for name in pools {
        let Some(pool) = console.state().pools.get(name) else {
            continue;
        };
        for column in columns {
            if let Some(cell) = console.cell_of_pool(pool, column, exact) {
                let property = column.name().to_owned();
                rows.push([name.clone(), property, cell.text, cell.source.to_owned()]);
            }
        }
    }
    if scripted {
        for row in rows {
            let cells: Vec<&str> = fields.iter().map(|&field| &*row[field]).collect();
            console.say(&cells.join("\t"));
        }
        return;
    }
    if rows.is_empty() {
        return;
    }
    let heading = FIELDS.map(|(_, heading)| heading.to_owned());
    let mut widths = heading.each_ref().map(String::len);
    let longest = pools.iter().map(String::len).max().unwrap_or(0);
    if longest > widths[0] {
        widths[0] = longest;
        widths[3] = longest + "inherited from".len();
    }
    for column in columns {
        widths[1] = widths[1].max(column.name().len());
        widths[2] = widths[2].max(column.widest(console, pools, exact));
    }
    // A marker must not look as if the column were as wide as its values, when a heading makes it so.
    let headed = columns
        .iter()
        .any(|column| column.width(exact, console.release()).0 == widths[2]);
    let filled = rows
        .iter()
        .any(|row| row[2].len() == widths[2] && is_marked(&row[2]));
    if headed && filled {
        widths[2] += 1;
    }
    for row in std::iter::once(&heading).chain(&rows) {
        let mut text = String::new();
        for (at, &field) in fields.iter().enumerate() {
            if at + 1 == fields.len() {
                text.push_str(&row[field]);
            } else {
                // Writing to a string cannot fail.
                let _ = write!(text, "{:<width$}  ", row[field], width = widths[field]);
            }
        }
        console.say(&text);
    }
}
