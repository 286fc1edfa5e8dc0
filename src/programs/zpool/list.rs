//! `zpool list` (`zpool_do_list`).

use std::fmt::Write as _;

use ztwin_model::Release;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::spa::Pool;
use ztwin_model::spa::property::PoolProperty;

use super::column::Column;
use super::{LONG, VdevLine, draid, is_open, named_vdevs, repeat};
use crate::compare::SPACE;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled, WRONG_USE};
use crate::programs::json::{self, Flags, Object, Source};
use crate::programs::values::Clock;

/// What it shows when nothing else is asked for.
const COLUMNS: &str = "name,size,allocated,free,checkpoint,expandsize,fragmentation,capacity,dedupratio,health,altroot";

/// What it shows of a vdev.
const OF_VDEV: [&str; 9] = [
    "size",
    "allocated",
    "free",
    "checkpoint",
    "expandsize",
    "fragmentation",
    "capacity",
    "dedupratio",
    "health",
];

/// The first column of a list with vdevs is no narrower (`get_namewidth_list`).
const NARROWEST: usize = 9;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let mut args = if console.release() == Release::V2_1 {
        args::parse(words, ":gHLo:pPT:v")
    } else {
        args::parse_long(words, ":gjHLo:pPT:v", LONG)
    };
    let (mut scripted, mut exact, mut verbose, mut by_guid) = (false, false, false, false);
    let mut flags = Flags::default();
    let mut columns = COLUMNS.to_owned();
    let mut clock = None;
    for given in args.given {
        match given {
            Given::Flag('H') => scripted = true,
            Given::Flag('p') => exact = true,
            Given::Flag('v') => verbose = true,
            // The paths of vdev files are shown whole, and are no links.
            Given::Flag('L' | 'P') => {}
            Given::Flag('g') => by_guid = true,
            Given::Value('o', list) => columns = list,
            Given::Value('T', text) => match repeat::clock(&text) {
                Some(asked) => clock = Some(asked),
                None => return Ok(console.usage("")),
            },
            Given::Flag(letter) if flags.take(letter) => exact |= flags.as_number,
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
    if let Some(complaint) = flags.misused() {
        return Ok(console.usage(complaint));
    }
    let Some(repeat) = console.repeat(&mut args.operands)? else {
        return Ok(WRONG_USE);
    };
    let columns = match Column::list(console, &columns) {
        _ if columns == "all" => {
            let name = PoolProperty::by_name("name", console.release()).map(Column::Native);
            name.into_iter().chain(Column::all(console)).collect()
        }
        Ok(columns) => columns,
        Err(name) => return Ok(no_such_property(console, &name)),
    };
    let unnamed = columns.iter().any(|column| column.native().is_none());
    if verbose && unnamed && console.release() >= Release::V2_4 {
        return Err(NotModelled(
            "zpool list -v with features or a user's properties".to_owned(),
        ));
    }
    let asked = Asked {
        columns,
        scripted,
        exact,
        verbose,
        by_guid,
        clock,
        flags,
    };
    let mut code = 0;
    for time in 0..repeat.times {
        let pools = opened(console, &args.operands);
        if pools.is_empty() {
            if args.operands.is_empty() && !scripted && !asked.flags.json {
                console.say("no pools available");
            }
            return Ok(u8::from(!args.operands.is_empty()));
        }
        code = show(console, &pools, &asked, repeat.after(time), time == 0)?;
    }
    Ok(code)
}

/// What is asked for.
#[allow(
    clippy::struct_excessive_bools,
    reason = "a subcommand's flags are what they are"
)]
struct Asked {
    columns: Vec<Column>,
    scripted: bool,
    exact: bool,
    verbose: bool,
    by_guid: bool,
    clock: Option<Clock>,
    flags: Flags,
}

/// The pools that operands name, by name and each once, or all of them; says which cannot be opened.
fn opened(console: &mut Console<'_>, operands: &[String]) -> Vec<String> {
    if operands.is_empty() {
        return console.state().pools.keys().cloned().collect();
    }
    let mut pools: Vec<String> = operands
        .iter()
        .filter(|name| is_open(console, name))
        .cloned()
        .collect();
    pools.sort_unstable();
    pools.dedup();
    pools
}

/// Shows it once, so many seconds after the beginning.
fn show(
    console: &mut Console<'_>,
    pools: &[String],
    asked: &Asked,
    after: u64,
    first: bool,
) -> Ended {
    let Asked {
        columns,
        scripted,
        exact,
        verbose,
        by_guid,
        clock,
        flags,
    } = asked;
    let (exact, verbose, by_guid) = (*exact, *verbose, *by_guid);
    if flags.json {
        let mut whole = as_json(console, pools, asked)?;
        console.add_time(&mut whole, *clock, after, flags.as_number);
        console.say_json(&whole)?;
        return Ok(0);
    }
    console.say_time(*clock, after);
    let mut widths: Vec<usize> = columns
        .iter()
        .map(|column| column.widest(console, pools, exact))
        .collect();
    if let Some(first) = widths.first_mut().filter(|_| verbose) {
        *first = width_with_vdevs(console, pools, by_guid);
    }
    let table = Table {
        columns,
        widths,
        scripted: *scripted,
        exact,
    };
    if !scripted && (first || verbose) {
        let heads: Vec<String> = table.columns.iter().map(Column::heading).collect();
        console.say(&table.row(&heads));
    }
    for name in pools {
        let Some(pool) = console.state().pools.get(name) else {
            continue;
        };
        let cells = table.columns.iter().map(|column| {
            let cell = console.cell_of_pool(pool, column, exact);
            cell.map_or_else(|| "-".to_owned(), |cell| cell.text)
        });
        let mut lines = vec![table.row(&cells.collect::<Vec<_>>())];
        if verbose {
            let vdevs = named_vdevs(console, pool, by_guid);
            lines.extend(vdevs.iter().map(|vdev| table.vdev(console, pool, vdev)));
            if !draid::spares(pool).is_empty() {
                return Err(NotModelled("zpool list -v with spares".to_owned()));
            }
        }
        for line in lines {
            console.say(&line);
        }
    }
    Ok(0)
}

/// `zprop_get_list`: a name in a list that is no property.
pub(super) fn no_such_property(console: &mut Console<'_>, name: &str) -> u8 {
    console.note(&Reason::UnknownPoolProperty(name.into()));
    let wrong = args::wrong_property_name(name, console.release());
    console.usage(&format!("bad property list: {wrong}"))
}

fn width_with_vdevs(console: &Console<'_>, pools: &[String], by_guid: bool) -> usize {
    let pools = pools
        .iter()
        .filter_map(|name| console.state().pools.get(name));
    let widths = pools.flat_map(|pool| {
        let vdevs = named_vdevs(console, pool, by_guid).into_iter();
        let widths = vdevs.map(|vdev| vdev.name.len() + 2 * vdev.depth);
        widths.chain([pool.name.len()])
    });
    widths.max().unwrap_or(0).max(NARROWEST)
}

/// The pools as JSON (`collect_pool`, `collect_list_stats`).
fn as_json(console: &Console<'_>, pools: &[String], asked: &Asked) -> Result<Object, NotModelled> {
    let Asked {
        columns,
        exact,
        verbose,
        by_guid,
        flags,
        ..
    } = asked;
    let mut every = Object::default();
    for name in pools {
        let Some(pool) = console.state().pools.get(name) else {
            continue;
        };
        let mut item = console.info(pool, true, flags.as_number);
        let mut properties = Object::default();
        for column in columns.iter().filter(|column| column.name() != "name") {
            let cell = console.cell_of_pool(pool, column, *exact);
            let (text, source) = cell.map_or_else(
                || ("-".to_owned(), Source::None),
                |cell| (cell.text.clone(), cell.json_source()),
            );
            properties.property(column.name(), &text, &source, flags.as_number);
        }
        item.object("properties", properties);
        if *verbose {
            if draid::is_in(pool) {
                return Err(NotModelled("a draid in JSON".to_owned()));
            }
            let of_vdev = of_vdev(console, columns);
            let vdevs =
                console.vdevs_as_json(pool, *by_guid, flags.as_number, &|line, members| {
                    let mut properties = Object::default();
                    for property in &of_vdev {
                        let text = vdev_cell(console, pool, line, *property, *exact);
                        properties.property(property.name, &text, &Source::None, flags.as_number);
                    }
                    members.object("properties", properties);
                    Ok(())
                })?;
            item.object("vdevs", vdevs);
        }
        every.object(flags.key(console, pool), item);
    }
    let mut whole = json::of_command("zpool list");
    whole.object("pools", every);
    Ok(whole)
}

/// The columns that a vdev has: since 2.4 those that were asked for.
fn of_vdev(console: &Console<'_>, columns: &[Column]) -> Vec<PoolProperty> {
    let release = console.release();
    let named: Vec<PoolProperty> = match release {
        Release::V2_1 | Release::V2_3 => OF_VDEV
            .iter()
            .filter_map(|name| PoolProperty::by_name(name, release))
            .collect(),
        Release::V2_4 => columns.iter().filter_map(Column::native).collect(),
    };
    named.into_iter().filter(|it| it.name != "name").collect()
}

/// What is told of a vdev (`collect_vdev_prop`).
fn vdev_cell(
    console: &Console<'_>,
    pool: &Pool,
    vdev: &VdevLine,
    property: PoolProperty,
    exact: bool,
) -> String {
    let space = || console.of_pool(&pool.name, property.name, SPACE.marker, exact);
    match property.name {
        "health" => "ONLINE".to_owned(),
        "size" => space(),
        "checkpoint" if pool.checkpoint.is_none() && !pool.discarding => "-".to_owned(),
        "allocated" | "free" | "fragmentation" | "capacity" | "checkpoint" if vdev.depth == 1 => {
            space()
        }
        _ => "-".to_owned(),
    }
}

struct Table<'a> {
    columns: &'a [Column],
    widths: Vec<usize>,
    scripted: bool,
    exact: bool,
}

impl Table<'_> {
    /// A line of the table (`print_pool`).
    fn row(&self, cells: &[String]) -> String {
        if self.scripted {
            return cells.join("\t");
        }
        let mut text = String::new();
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                text.push_str("  ");
            }
            let width = self.widths[at];
            // Writing to a string cannot fail.
            let _ = if self.columns[at].is_right() {
                write!(text, "{cell:>width$}")
            } else if at + 1 == cells.len() {
                write!(text, "{cell}")
            } else {
                write!(text, "{cell:<width$}")
            };
        }
        text
    }

    /// The line of a vdev (`collect_list_stats`).
    fn vdev(&self, console: &Console<'_>, pool: &Pool, vdev: &VdevLine) -> String {
        let cells = of_vdev(console, self.columns).into_iter().map(|it| {
            let cell = vdev_cell(console, pool, vdev, it, self.exact);
            (Column::Native(it).width(false, console.release()).0, cell)
        });
        let (indent, width) = (2 * vdev.depth, self.widths[0]);
        let mut text = if self.scripted {
            format!("\t{}", vdev.name)
        } else {
            format!("{:<width$}", format!("{:indent$}{}", "", vdev.name))
        };
        for (width, cell) in cells {
            // Writing to a string cannot fail.
            let _ = if self.scripted {
                write!(text, "\t{cell}")
            } else {
                write!(text, "  {cell:>width$}")
            };
        }
        text
    }
}
