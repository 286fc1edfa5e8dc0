//! `zfs hold`, `zfs release`, `zfs holds` (`zfs_do_hold_rele_impl`, `zfs_do_holds`).

use std::sync::Arc;

use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::names::Expected;
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::reason::Reason;

use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::values::Clock;

pub(super) fn hold(console: &mut Console<'_>, words: &[String]) -> Ended {
    each(console, words, true)
}

pub(super) fn release(console: &mut Console<'_>, words: &[String]) -> Ended {
    each(console, words, false)
}

fn each(console: &mut Console<'_>, words: &[String], holding: bool) -> Ended {
    let args = args::parse(words, if holding { "rt" } else { "r" });
    let mut recursive = false;
    for given in args.given {
        match given {
            Given::Flag('r') => recursive = true,
            Given::Flag(_) => return Err(NotModelled("zfs hold -t".to_owned())),
            Given::Value(letter, _) | Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let [tag, snapshots @ ..] = args.operands.as_slice() else {
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
            place(console, id, snapshot, tag, recursive)
        } else {
            remove(console, id, snapshot, tag, recursive)
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
) -> bool {
    let names = existing(console, id, snapshot, recursive);
    let held = console.dataset(DslOp::Hold {
        names,
        tag: tag.into(),
    });
    say(console, held, "cannot hold snapshot", id, snapshot)
}

fn remove(
    console: &mut Console<'_>,
    id: DatasetId,
    snapshot: &str,
    tag: &str,
    recursive: bool,
) -> bool {
    let names = existing(console, id, snapshot, recursive);
    let released = console.dataset(DslOp::Release {
        names,
        tag: tag.into(),
    });
    say(
        console,
        released,
        "cannot release hold from snapshot",
        id,
        snapshot,
    )
}

fn say(
    console: &mut Console<'_>,
    done: Result<(), Reason>,
    heading: &str,
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
        Err(reason) => {
            let name = console.name(id);
            console.refuse(&format!("{heading} '{name}@{snapshot}'"), &reason);
            false
        }
    }
}

/// `zfs holds`: every hold of the snapshots.
pub(super) fn holds(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "rHp");
    let (mut recursive, mut scripted, mut clock) = (false, false, Clock::PaddedDate);
    for given in args.given {
        match given {
            Given::Flag('r') => recursive = true,
            Given::Flag('H') => scripted = true,
            Given::Flag(_) => clock = Clock::Exact,
            Given::Value(letter, _) | Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    if args.operands.is_empty() {
        return Ok(console.usage(""));
    }
    let mut failed = false;
    let mut rows: Vec<(Arc<str>, Arc<str>, String)> = Vec::new();
    for path in &args.operands {
        let Some((filesystem, snapshot)) = path.split_once('@') else {
            console.complain(format!("'{path}' is not a snapshot"));
            failed = true;
            continue;
        };
        let names = if recursive {
            let Some(id) = console.open(filesystem, Expected::Filesystem) else {
                failed = true;
                continue;
            };
            existing(console, id, snapshot, true)
        } else {
            if console.open(path, Expected::Snapshot).is_none() {
                failed = true;
                continue;
            }
            vec![path.as_str().into()]
        };
        for name in names {
            let dataset = console
                .state()
                .find(&name)
                .and_then(|id| console.state().dataset(id));
            let held = dataset.and_then(|dataset| dataset.snapshot());
            for (tag, &placed) in held.into_iter().flat_map(|it| &it.holds) {
                rows.push((name.clone(), tag.clone(), console.time(placed, clock)));
            }
        }
    }
    let name_width = rows
        .iter()
        .map(|(name, ..)| name.len())
        .max()
        .unwrap_or(0)
        .max(4);
    let tag_width = rows
        .iter()
        .map(|(_, tag, _)| tag.len())
        .max()
        .unwrap_or(0)
        .max(3);
    if !scripted {
        console.say(&format!(
            "{:<name_width$}  {:<tag_width$}  TIMESTAMP",
            "NAME", "TAG"
        ));
    }
    if rows.is_empty() {
        console.complain("no datasets available");
    }
    for (name, tag, time) in rows {
        console.say(&if scripted {
            format!("{name}\t{tag}\t{time}")
        } else {
            format!("{name:<name_width$}  {tag:<tag_width$}  {time}")
        });
    }
    Ok(u8::from(failed))
}
