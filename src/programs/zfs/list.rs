//! `zfs list` (`zfs_do_list`).

use std::cmp::Ordering;
use std::collections::BTreeSet;

use ztwin_model::Release;
use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::properties::Property;

use super::column::Column;
use super::get;
use super::info;
use super::iterate::{self, Walk};
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::json::{self, Flags, Object, Source};
use crate::programs::table;

/// A key of the order: the column, and whether it is reversed.
type Key = (Column, bool);

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = if console.release() == Release::V2_1 {
        args::parse(words, "HS:d:o:prs:t:")
    } else {
        args::parse_long(words, "jHS:d:o:prs:t:", info::LONG)
    };
    let (mut scripted, mut exact) = (false, false);
    let mut flags = Flags::default();
    let mut walk = Walk::default();
    let mut fields = None;
    let mut order: Vec<Key> = Vec::new();
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
            Given::Value('o', text) => fields = Some(text),
            Given::Value(letter @ ('s' | 'S'), name) => {
                match Column::by_name(&name, console.release()) {
                    Some(column) => order.push((column, letter == 'S')),
                    None => return Ok(console.usage(&format!("invalid property '{name}'"))),
                }
            }
            Given::Value(_, text) => match iterate::types(&text, console.release()) {
                Ok(types) => walk.types = Some(types),
                Err(complaint) => return Ok(console.usage(&complaint)),
            },
            Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    if let Some(complaint) = flags.misused() {
        return Ok(console.usage(complaint));
    }
    let fields = match fields.as_deref() {
        None => "name,used,available,referenced,mountpoint",
        Some(fields) => fields,
    };
    walk.no_named_snapshots = fields == "space";
    let all = fields == "all";
    let columns = if all {
        Ok(every(console.release()))
    } else {
        Column::list(fields, console.release())?
    };
    let mut columns = match columns {
        Ok(columns) => columns,
        Err(wrong) => {
            return Ok(console.usage(&format!("bad property list: {wrong}")));
        }
    };
    let (mut found, failed) = iterate::walk(console, &args.operands, &walk);
    if order
        .iter()
        .any(|(column, _)| !has_known_order(console, &found, column))
    {
        return Err(NotModelled("the order of space figures".to_owned()));
    }
    let shuffled = sort(console, &mut found, &order);
    if found.is_empty() && !failed && !scripted {
        console.complain("no datasets available");
    }
    if flags.json && failed || !flags.json && found.is_empty() {
        return Ok(u8::from(failed));
    }
    if all {
        let mut of_users = BTreeSet::new();
        for &id in &found {
            of_users.extend(get::of_users(console, id).iter().map(Column::name));
        }
        // They come in the order of a hash.
        if of_users.len() > 1 {
            return Err(NotModelled(
                "zfs list -o all with several of a user's".to_owned(),
            ));
        }
        columns.extend(of_users.into_iter().map(Column::User));
    }
    if flags.json {
        if !console.order(shuffled).is_empty() {
            return Err(NotModelled(
                "JSON of datasets that were created within a second, by creation".to_owned(),
            ));
        }
        let whole = as_json(console, &found, &columns, flags, exact);
        console.say_json(&whole)?;
        return Ok(0);
    }
    let text = |id, column| console.cell(id, column, exact).text;
    let marker = console.order(shuffled);
    let row = |id| columns.iter().map(|column| text(id, column)).collect();
    let rows = found.iter().map(|&id| row(id)).collect();
    print(console, &columns, rows, marker, scripted, exact);
    Ok(u8::from(failed))
}

/// The columns of `-o all`; those of users follow.
fn every(release: Release) -> Vec<Column> {
    let native = Property::all(release).map(Column::Native);
    std::iter::once(Column::Name).chain(native).collect()
}

/// Whether the model knows each value of a column to the last digit.
fn has_known_order(console: &Console<'_>, found: &[DatasetId], column: &Column) -> bool {
    match column {
        Column::WrittenSince(_) | Column::Native(Property::Guid | Property::Objsetid) => false,
        Column::Native(property) => {
            property.class() != ztwin_model::dsl::property::Class::Status
                || matches!(
                    property,
                    Property::Type
                        | Property::Creation
                        | Property::Createtxg
                        | Property::Mounted
                        | Property::Origin
                        | Property::Clones
                        | Property::DeferDestroy
                        | Property::FilesystemCount
                        | Property::SnapshotCount
                        | Property::Userrefs
                )
                || found.iter().all(|&id| {
                    let cell = console.cell(id, column, true);
                    !cell.known || digits(&cell.text).is_some()
                })
        }
        _ => true,
    }
}

/// Sorts by the keys given, then by name and, within a filesystem, by age (`zfs_sort`, `zfs_compare`).
/// Whether ZFS may sort otherwise: what was created within a second has no order by `creation`.
fn sort(console: &Console<'_>, found: &mut [DatasetId], order: &[Key]) -> bool {
    iterate::sort_by_name(console, found);
    let is_time = |key: &&Key| key.0 == Column::Native(Property::Creation);
    let by = |found: &mut [DatasetId], order: &[&Key]| {
        found.sort_by(|&left, &right| {
            order
                .iter()
                .map(|(column, reversed)| compare(console, left, right, column, *reversed))
                .find(|ordering| ordering.is_ne())
                .unwrap_or(Ordering::Equal)
        });
    };
    let mut within_a_second = found.to_vec();
    let others: Vec<&Key> = order.iter().filter(|key| !is_time(key)).collect();
    by(&mut within_a_second, &others);
    by(found, &order.iter().collect::<Vec<_>>());
    found != within_a_second
}

/// A number, or a ratio in hundredths.
fn digits(text: &str) -> Option<u64> {
    text.replacen('.', "", 1).parse().ok()
}

fn compare(
    console: &Console<'_>,
    left: DatasetId,
    right: DatasetId,
    column: &Column,
    reversed: bool,
) -> Ordering {
    let turn = |ordering: Ordering| {
        if reversed {
            ordering.reverse()
        } else {
            ordering
        }
    };
    if let Column::Native(property @ (Property::Creation | Property::Createtxg)) = column {
        let key = |id| {
            console
                .state()
                .dataset(id)
                .map_or(0, |dataset| match property {
                    Property::Creation => dataset.created,
                    _ => dataset.creation_txg,
                })
        };
        return turn(key(left).cmp(&key(right)));
    }
    // A number has each that could be of the type of dataset that has it, be it none: 0.
    let can_have = |id: DatasetId, known: bool| match column {
        Column::Native(property) if column.is_right() => {
            let dataset = console.state().dataset(id);
            known || dataset.is_some_and(|it| it.kinds() & property.kinds() != 0)
        }
        _ => known,
    };
    let (ids, left, right) = (
        (left, right),
        console.cell(left, column, true),
        console.cell(right, column, true),
    );
    // Those that have a value stand first, in either direction.
    match (can_have(ids.0, left.known), can_have(ids.1, right.known)) {
        (true, false) => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        (false, false) => return Ordering::Equal,
        (true, true) => {}
    }
    let number = |text: &str| match text {
        "-" => Some(0),
        text => digits(text),
    };
    match (number(&left.text), number(&right.text)) {
        (Some(left), Some(right)) if column.is_right() => turn(left.cmp(&right)),
        _ => turn(left.text.cmp(&right.text)),
    }
}

/// The datasets as JSON (`collect_dataset`).
fn as_json(
    console: &Console<'_>,
    found: &[DatasetId],
    columns: &[Column],
    flags: Flags,
    exact: bool,
) -> Object {
    let mut every = Object::default();
    for &id in found {
        let mut properties = Object::default();
        let mut source = Source::None;
        for column in columns.iter().filter(|column| **column != Column::Name) {
            let cell = console.cell(id, column, exact);
            // Nobody looks for that of what a dataset cannot have: it stays that of the column before.
            if console.has_source(id, column, &cell) {
                source = console.json_source(&cell);
            }
            let as_number = info::as_number(column, flags);
            properties.property(&column.name(), &cell.text, &source, as_number);
        }
        let item = console.dataset_as_json(id, properties, flags.as_number);
        every.object(console.name(id), item);
    }
    let mut whole = json::of_command("zfs list");
    whole.object("datasets", every);
    whole
}

/// Prints the rows as a table, or with tabs (`print_header`, `print_dataset`), each behind the marker.
fn print(
    console: &mut Console<'_>,
    columns: &[Column],
    rows: Vec<Vec<String>>,
    marker: &str,
    scripted: bool,
    exact: bool,
) {
    if scripted {
        for row in rows {
            console.say(&format!("{marker}{}", row.join("\t")));
        }
        return;
    }
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let (width, grows) = column.width(exact, console.release());
            let widest = rows.iter().map(|row| row[at].len()).max().unwrap_or(0);
            if grows { width.max(widest) } else { width }
        })
        .collect();
    let mut line = |marker: &str, row: &[String]| {
        let mut text = marker.to_owned();
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                text.push_str("  ");
            }
            let (width, last) = (widths[at], at + 1 == row.len());
            if columns[at].is_right() {
                text.push_str(&table::right(cell, width));
            } else if last {
                text.push_str(cell);
            } else {
                text.push_str(&table::left(cell, width));
            }
        }
        console.say(&text);
    };
    let heads: Vec<String> = columns.iter().map(Column::heading).collect();
    line("", &heads);
    for row in &rows {
        line(marker, row);
    }
}
