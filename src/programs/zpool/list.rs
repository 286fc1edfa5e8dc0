//! `zpool list` (`zpool_do_list`).

use ztwin_model::dsl::reason::Reason;

use super::sync::open_failed;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};

/// What it shows when nothing else is asked for.
const COLUMNS: &str = "name,size,alloc,free,checkpoint,expandsize,frag,cap,dedup,health,altroot";

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, ":gjHLo:pPT:v");
    let (mut scripted, mut columns) = (false, COLUMNS.to_owned());
    for given in args.given {
        match given {
            Given::Flag('H') => scripted = true,
            Given::Flag('p') => {}
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
            None if NOT_MODELLED.contains(&column) || column.starts_with("feature@") => {
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
    let mut code = 0;
    let mut pools = Vec::new();
    if args.operands.is_empty() {
        pools = console.state().pools.keys().cloned().collect();
        if pools.is_empty() {
            if !scripted {
                console.complain("no pools available");
            }
            return Ok(0);
        }
    }
    for name in &args.operands {
        if console.state().pools.contains_key(name) {
            pools.push(name.clone());
        } else {
            open_failed(console, name, &Reason::NoSuchPool(name.as_str().into()));
            code = 1;
        }
    }
    let width = pools.iter().map(String::len).max().unwrap_or(0).max(4);
    let line = |cells: Vec<String>| cells.join(if scripted { "\t" } else { "  " });
    if !scripted && !pools.is_empty() {
        let heads = known.iter().enumerate().map(|(at, column)| {
            if column.name == "name" && at + 1 < known.len() {
                format!("{:<width$}", column.head)
            } else if at + 1 < known.len() && column.name == "health" {
                format!("{:<8}", column.head)
            } else {
                column.head.to_owned()
            }
        });
        console.say(&line(heads.collect()));
    }
    for pool in pools {
        let cells = known
            .iter()
            .enumerate()
            .map(|(at, column)| match column.cell {
                "name" if scripted || at + 1 == known.len() => pool.clone(),
                "name" => format!("{pool:<width$}"),
                cell => cell.to_owned(),
            });
        console.say(&line(cells.collect()));
    }
    Ok(code)
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
    "readonly",
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

struct Column {
    name: &'static str,
    head: &'static str,
    cell: &'static str,
}

impl Column {
    fn by_name(name: &str) -> Option<Column> {
        let column = |name, head, cell| Some(Column { name, head, cell });
        match name {
            "name" => column("name", "NAME", "name"),
            "size" => column("size", " SIZE", "<space>"),
            "allocated" | "alloc" => column("allocated", "ALLOC", "<space>"),
            "free" => column("free", " FREE", "<space>"),
            "checkpoint" | "ckpoint" => column("checkpoint", "CKPOINT", "-"),
            "expandsize" | "expandsz" => column("expandsize", "EXPANDSZ", "-"),
            "fragmentation" | "frag" => column("fragmentation", " FRAG", "<space>"),
            "capacity" | "cap" => column("capacity", "  CAP", "<space>"),
            "dedupratio" | "dedup" => column("dedupratio", "DEDUP", "<space>"),
            "health" => column("health", "HEALTH", "ONLINE"),
            "altroot" => column("altroot", "ALTROOT", "-"),
            "guid" => column("guid", "GUID", "<guid>"),
            _ => None,
        }
    }
}
