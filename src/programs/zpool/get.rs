//! `zpool get` (`zpool_do_get`, `zprop_print_one_property`).

use std::collections::BTreeSet;
use std::fmt::Write;

use ztwin_model::Release;
use ztwin_model::dsl::reason::Reason;

use super::list;
use super::sync::open_failed;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};

/// The columns of the table, with their headings.
const FIELDS: [(&str, &str); 4] = [
    ("name", "NAME"),
    ("property", "PROPERTY"),
    ("value", "VALUE"),
    ("source", "SOURCE"),
];

/// The widest word for a pool's health has this many letters (`zprop_width`).
const HEALTH: usize = 8;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, ":jHpo:");
    let mut fields: Vec<usize> = (0..FIELDS.len()).collect();
    let (mut scripted, mut exact) = (false, false);
    for given in args.given {
        match given {
            Given::Flag('H') => scripted = true,
            Given::Flag('p') => exact = true,
            Given::Value('o', text) if text == "all" => {}
            Given::Value('o', text) => {
                fields.clear();
                for name in text.split(',') {
                    let Some(field) = FIELDS.iter().position(|(field, _)| *field == name) else {
                        return Ok(console.usage(&format!("invalid column name '{name}'")));
                    };
                    fields.push(field);
                }
            }
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
    let Some((names, operands)) = args.operands.split_first() else {
        return Ok(console.usage("missing property argument"));
    };
    // Since 2.2 there are properties of vdevs, and operands are looked at first.
    if console.release() > Release::V2_1
        && let Some(code) = no_pools(console, operands)?
    {
        return Ok(code);
    }
    let mut properties = Vec::new();
    for name in names.split(',') {
        match property(name, exact) {
            Some(property) => properties.push(property),
            None if list::is_not_modelled(name) => {
                return Err(NotModelled(format!("the pool's property '{name}'")));
            }
            None => {
                console.note(&Reason::UnknownPoolProperty(name.into()));
                return Ok(console.usage(&format!("bad property list: invalid property '{name}'")));
            }
        }
    }
    // Each pool once, in the order of their names (`pool_list_get`).
    let mut pools = BTreeSet::new();
    let mut code = 0;
    for name in operands {
        if !console.state().pools.contains_key(name) {
            open_failed(console, name, &Reason::NoSuchPool(name.as_str().into()));
            code = 1;
        } else if !pools.insert(name.clone()) {
            code = 1;
        }
    }
    if pools.is_empty() && code > 0 {
        return Ok(code);
    }
    let pools: Vec<String> = if operands.is_empty() {
        console.state().pools.keys().cloned().collect()
    } else {
        pools.into_iter().collect()
    };
    table(console, &pools, &properties, &fields, (scripted, exact));
    Ok(code)
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

/// Prints the properties of these pools.
fn table(
    console: &mut Console<'_>,
    pools: &[String],
    properties: &[(&'static str, &'static str)],
    fields: &[usize],
    (scripted, exact): (bool, bool),
) {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for pool in pools {
        for (name, value) in properties {
            let value = if *name == "name" {
                pool.clone()
            } else {
                console.of_pool(pool, name, value, exact)
            };
            rows.push([pool.clone(), (*name).to_owned(), value, "-".to_owned()]);
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
    let least = |field| {
        let health = properties.iter().any(|(name, _)| *name == "health");
        if field == 2 && health { HEALTH } else { 0 }
    };
    let widths: Vec<usize> = (0..FIELDS.len())
        .map(|field| {
            let cells = rows.iter().chain([&heading]).map(|row| row[field].len());
            cells.max().unwrap_or(0).max(least(field))
        })
        .collect();
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

/// A property's full name and its value; the name itself stands for the pool's.
fn property(name: &str, exact: bool) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "name" => ("name", ""),
        "health" => ("health", "ONLINE"),
        "size" => ("size", "<space>"),
        "allocated" | "alloc" => ("allocated", "<space>"),
        "free" => ("free", "<space>"),
        "freeing" => ("freeing", "<space>"),
        "leaked" => ("leaked", "<space>"),
        "fragmentation" | "frag" => ("fragmentation", "<space>"),
        "capacity" | "cap" => ("capacity", "<space>"),
        "dedupratio" | "dedup" if exact => ("dedupratio", "1.00"),
        "dedupratio" | "dedup" => ("dedupratio", "1.00x"),
        "expandsize" | "expandsz" => ("expandsize", "-"),
        "checkpoint" | "ckpoint" => ("checkpoint", "-"),
        "guid" => ("guid", "<guid>"),
        "readonly" => ("readonly", "off"),
        _ => return None,
    })
}
