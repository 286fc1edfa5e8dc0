//! `zpool list` (`zpool_do_list`).

use ztwin_model::dsl::reason::Reason;

use super::sync::open_failed;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};

/// What it shows when nothing else is asked for.
const COLUMNS: &str = "name,size,alloc,free,checkpoint,expandsize,frag,cap,dedup,health,altroot";

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, ":gjHLo:pPT:v");
    let (mut scripted, mut exact, mut columns) = (false, false, COLUMNS.to_owned());
    for given in args.given {
        match given {
            Given::Flag('H') => scripted = true,
            Given::Flag('p') => exact = true,
            Given::Value('o', list) => columns = list,
            Given::Flag(letter) | Given::Value(letter, _) => {
                return Err(NotModelled(format!("zpool list -{letter}")));
            }
            Given::NoValue(letter) => {
                return Ok(console.usage(&format!("missing argument for '{letter}' option")));
            }
            Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let mut known = Vec::new();
    for column in columns.split(',') {
        match Column::by_name(column) {
            Some(column) => known.push(column),
            None if is_not_modelled(column) => {
                return Err(NotModelled(format!("the pool's property '{column}'")));
            }
            None => {
                console.note(&Reason::UnknownPoolProperty(column.into()));
                return Ok(
                    console.usage(&format!("bad property list: invalid property '{column}'"))
                );
            }
        }
    }
    let mut pools = Vec::new();
    if args.operands.is_empty() {
        pools = console.state().pools.keys().cloned().collect();
        if pools.is_empty() && !scripted {
            console.say("no pools available");
        }
    }
    for name in &args.operands {
        if console.state().pools.contains_key(name) {
            pools.push(name.clone());
        } else {
            open_failed(console, name, &Reason::NoSuchPool(name.as_str().into()));
        }
    }
    // `zpool_do_list` goes over them by name, each once.
    pools.sort_unstable();
    pools.dedup();
    if pools.is_empty() {
        return Ok(u8::from(!args.operands.is_empty()));
    }
    let longest = pools.iter().map(String::len).max().unwrap_or(0);
    let row = |cells: Vec<String>| {
        if scripted {
            return cells.join("\t");
        }
        let last = known.len() - 1;
        let padded = known
            .iter()
            .zip(cells)
            .enumerate()
            .map(|(at, (column, cell))| {
                let width = if column.cell == NAME {
                    longest.max(4)
                } else {
                    column.width
                };
                if column.right {
                    format!("{cell:>width$}")
                } else if at == last {
                    cell
                } else {
                    format!("{cell:<width$}")
                }
            });
        padded.collect::<Vec<_>>().join("  ")
    };
    if !scripted {
        console.say(&row(known
            .iter()
            .map(|column| column.head.to_owned())
            .collect()));
    }
    for pool in &pools {
        let cells = known.iter().map(|column| match column.cell {
            NAME => pool.clone(),
            cell => console.of_pool(pool, column.name, cell, exact),
        });
        let line = row(cells.collect());
        console.say(&line);
    }
    Ok(0)
}

/// Properties of pools that exist and cannot be shown.
const NOT_MODELLED: &[&str] = &[
    "all",
    "version",
    "bootfs",
    "delegation",
    "autoreplace",
    "cachefile",
    "failmode",
    "listsnapshots",
    "autoexpand",
    "ashift",
    "comment",
    "freeing",
    "leaked",
    "multihost",
    "load_guid",
    "autotrim",
    "compatibility",
    "bcloneused",
    "bclonesaved",
    "bcloneratio",
    "dedup_table_size",
    "dedup_table_quota",
    "last_scrubbed_txg",
];

/// Whether there is such a property, which cannot be shown.
pub(super) fn is_not_modelled(name: &str) -> bool {
    NOT_MODELLED.contains(&name) || name == "altroot" || name.starts_with("feature@")
}

/// The cell that is the pool's name.
const NAME: &str = "<name>";

struct Column {
    name: &'static str,
    head: &'static str,
    width: usize,
    right: bool,
    cell: &'static str,
}

impl Column {
    fn by_name(name: &str) -> Option<Column> {
        let (name, head, width, right, cell) = match name {
            "name" => ("name", "NAME", 4, false, NAME),
            "size" => ("size", "SIZE", 5, true, "<space>"),
            "allocated" | "alloc" => ("allocated", "ALLOC", 5, true, "<space>"),
            "free" => ("free", "FREE", 5, true, "<space>"),
            "checkpoint" | "ckpoint" => ("checkpoint", "CKPOINT", 7, true, "-"),
            "expandsize" | "expandsz" => ("expandsize", "EXPANDSZ", 8, true, "-"),
            "fragmentation" | "frag" => ("fragmentation", "FRAG", 5, true, "<space>"),
            "capacity" | "cap" => ("capacity", "CAP", 5, true, "<space>"),
            "dedupratio" | "dedup" => ("dedupratio", "DEDUP", 5, true, "<space>"),
            "health" => ("health", "HEALTH", 8, true, "ONLINE"),
            "altroot" => ("altroot", "ALTROOT", 7, false, "-"),
            "readonly" => ("readonly", "RDONLY", 6, false, "off"),
            "guid" => ("guid", "GUID", 5, true, "<guid>"),
            _ => return None,
        };
        Some(Column {
            name,
            head,
            width,
            right,
            cell,
        })
    }
}
