//! `zfs hold`, `zfs release`, `zfs holds` (`zfs_do_hold_rele_impl`, `zfs_do_holds`).

use std::sync::Arc;

use ztwin_model::Release;
use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::names::Expected;
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::reason::Reason;

use super::iterate;
use crate::programs::console::{Console, Ended, NotModelled, WRONG_USE};
use crate::programs::table;
use crate::programs::values::Clock;

pub(super) fn hold(console: &mut Console<'_>, words: &[String]) -> Ended {
    each(console, words, true)
}

pub(super) fn release(console: &mut Console<'_>, words: &[String]) -> Ended {
    each(console, words, false)
}

fn each(console: &mut Console<'_>, words: &[String], holding: bool) -> Ended {
    let known = if holding { "rt" } else { "r" };
    let Some(flags) = console.flags(words, known) else {
        return Ok(WRONG_USE);
    };
    if flags.has('t') {
        return Err(NotModelled("zfs hold -t".to_owned()));
    }
    let recursive = flags.has('r');
    let [tag, snapshots @ ..] = flags.operands.as_slice() else {
        return Ok(console.usage(""));
    };
    if snapshots.is_empty() {
        return Ok(console.usage(""));
    }
    if holding && tag.starts_with('.') {
        return Ok(console.usage("tag may not start with '.'"));
    }
    let mut failed = false;
    for path in snapshots {
        let Some((filesystem, snapshot)) = path.split_once('@') else {
            console.complain(format!("'{path}' is not a snapshot"));
            failed = true;
            continue;
        };
        let Some(id) = console.open(filesystem, Expected::Filesystem) else {
            failed = true;
            continue;
        };
        let done = if holding {
            place(console, id, snapshot, tag, recursive)?
        } else {
            remove(console, id, snapshot, tag, recursive)?
        };
        failed |= !done;
    }
    Ok(u8::from(failed))
}

/// The names of the snapshots so called of a filesystem, with `-r` also of those below, as far as they exist.
fn existing(
    console: &Console<'_>,
    id: DatasetId,
    snapshot: &str,
    recursive: bool,
) -> Vec<Arc<str>> {
    let filesystems = if recursive {
        console.state().subtree(id)
    } else {
        vec![id]
    };
    filesystems
        .into_iter()
        .map(|id| format!("{}@{snapshot}", console.name(id)))
        .filter(|name| console.state().find(name).is_some())
        .map(Arc::from)
        .collect()
}

fn place(
    console: &mut Console<'_>,
    id: DatasetId,
    snapshot: &str,
    tag: &str,
    recursive: bool,
) -> Result<bool, NotModelled> {
    let names = existing(console, id, snapshot, recursive);
    let own = format!("{}@{snapshot}", console.name(id));
    let held: Vec<_> = names
        .iter()
        .filter(|name| holds_tag(console, name, tag))
        .collect();
    if held.len() > 1 && !held.iter().any(|name| ***name == *own) {
        // The first one that is met ends it, and filesystems below are met in no order.
        return Err(NotModelled(
            "which of several held snapshots is named".to_owned(),
        ));
    }
    let held = console.dataset(DslOp::Hold {
        names,
        tag: tag.into(),
    });
    let headings = ("cannot hold", "cannot hold snapshot");
    Ok(say(console, held, headings, id, snapshot))
}

/// `zfs_release`: those that have the tag lose it. If none has, it says what it knows of the last one.
fn remove(
    console: &mut Console<'_>,
    id: DatasetId,
    snapshot: &str,
    tag: &str,
    recursive: bool,
) -> Result<bool, NotModelled> {
    let mut names = existing(console, id, snapshot, recursive);
    let held = names.iter().any(|name| holds_tag(console, name, tag));
    if !held {
        // Filesystems below are met in no order: any that has none below itself may be the last.
        let all = if recursive {
            console.state().subtree(id)
        } else {
            vec![id]
        };
        let last = all
            .into_iter()
            .filter(|&id| !recursive || console.children(id).is_empty());
        let name = |id| Arc::from(format!("{}@{snapshot}", console.name(id)));
        let last: Vec<Arc<str>> = last.map(name).collect();
        names = existing_of(console, &last);
        if !names.is_empty() && names.len() < last.len() {
            return Err(NotModelled("which snapshot is looked for last".to_owned()));
        }
    }
    let mut released = console.dataset(DslOp::Release {
        names,
        tag: tag.into(),
    });
    if !held && released == Err(Reason::PoolReadOnly) {
        // `zfs_release` asks for what none has.
        released = Err(Reason::NoSuchTag);
    }
    let headings = ("cannot release", "cannot release hold from snapshot");
    Ok(say(console, released, headings, id, snapshot))
}

fn holds_tag(console: &Console<'_>, name: &str, tag: &str) -> bool {
    let id = console.state().find(name);
    id.and_then(|id| console.state().snapshot(id))
        .is_some_and(|snapshot| snapshot.holds.contains_key(tag))
}

fn existing_of(console: &Console<'_>, names: &[Arc<str>]) -> Vec<Arc<str>> {
    let names = names.iter();
    names
        .filter(|name| console.state().find(name).is_some())
        .cloned()
        .collect()
}

fn say(
    console: &mut Console<'_>,
    done: Result<(), Reason>,
    (of_all, heading): (&str, &str),
    id: DatasetId,
    snapshot: &str,
) -> bool {
    match done {
        Ok(()) => true,
        Err(Reason::Snapshots(each)) => {
            for (name, reason) in &each {
                console.refuse(&format!("{heading} '{name}'"), reason);
            }
            false
        }
        Err(Reason::WrongType) => {
            console.refuse("cannot hold", &Reason::WrongType);
            false
        }
        Err(reason @ Reason::PoolReadOnly) => {
            console.refuse(of_all, &reason);
            false
        }
        Err(reason) => {
            let name = console.name(id);
            console.refuse(&format!("{heading} '{name}@{snapshot}'"), &reason);
            false
        }
    }
}

/// A hold as it is listed.
struct Row {
    marker: &'static str,
    name: String,
    tag: Arc<str>,
    time: String,
}

/// `zfs holds`: every hold of the snapshots.
pub(super) fn holds(console: &mut Console<'_>, words: &[String]) -> Ended {
    let known = if console.release() == Release::V2_1 {
        "rH"
    } else {
        "rHp"
    };
    let Some(flags) = console.flags(words, known) else {
        return Ok(WRONG_USE);
    };
    let (recursive, scripted) = (flags.has('r'), flags.has('H'));
    let clock = if flags.has('p') {
        Clock::Exact
    } else {
        Clock::PaddedDate
    };
    if flags.operands.is_empty() {
        return Ok(console.usage(""));
    }
    let mut failed = false;
    // The snapshots that are met; one that is met again moves to the end.
    let mut met: Vec<DatasetId> = Vec::new();
    for path in &flags.operands {
        let Some((filesystem, snapshot)) = path.split_once('@') else {
            console.complain(format!("'{path}' is not a snapshot"));
            failed = true;
            continue;
        };
        let (name, expected) = if recursive {
            (filesystem, Expected::Dataset)
        } else {
            (path.as_str(), Expected::Snapshot)
        };
        let Some(id) = console.open(name, expected) else {
            failed = true;
            continue;
        };
        let mut found = vec![id];
        if recursive {
            let names = existing(console, id, snapshot, true);
            found = names
                .iter()
                .filter_map(|name| console.state().find(name))
                .collect();
            iterate::sort_by_name(console, &mut found);
        }
        met.retain(|id| !found.contains(id));
        met.extend(found);
    }
    let mut rows: Vec<Row> = Vec::new();
    for &id in &met {
        let Some(snapshot) = console.state().snapshot(id) else {
            continue;
        };
        // Several come in the order of a hash.
        let marker = console.order(snapshot.holds.len() > 1);
        let name = console.name(id);
        rows.extend(snapshot.holds.iter().map(|(tag, &placed)| Row {
            marker,
            name: name.clone(),
            tag: tag.clone(),
            time: console.time(placed, clock),
        }));
    }
    // As wide as the longest name, held or not; the heading may be longer.
    let name_width = met
        .iter()
        .map(|&id| console.name(id).len())
        .max()
        .unwrap_or(0);
    let tag_width = rows.iter().map(|row| row.tag.len()).max().unwrap_or(0);
    if !scripted {
        console.say(&format!(
            "{:<name_width$}  {:<tag_width$}  TIMESTAMP",
            "NAME", "TAG"
        ));
    }
    if met.is_empty() {
        console.complain("no datasets available");
    }
    for Row {
        marker,
        name,
        tag,
        time,
    } in rows
    {
        console.say(&if scripted {
            format!("{marker}{name}\t{tag}\t{time}")
        } else {
            let (name, tag) = (table::left(&name, name_width), table::left(&tag, tag_width));
            format!("{marker}{name}  {tag}  {time}")
        });
    }
    Ok(u8::from(failed))
}
