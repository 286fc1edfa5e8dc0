//! `zfs rename` (`zfs_do_rename`, `zfs_rename`).

use ztwin_model::Release;
use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::names::{self, Expected};
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::properties::Property;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::dsl::room::Fits;

use super::create::{check_new, create_ancestors};
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::mounting::Changelist;

#[derive(Clone, Copy, Default)]
struct Flags {
    parents: bool,
    recursive: bool,
    stay_mounted: bool,
    force: bool,
}

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "pruf");
    let mut flags = Flags::default();
    for given in args.given {
        match given {
            Given::Flag('p') => flags.parents = true,
            Given::Flag('r') => flags.recursive = true,
            Given::Flag('u') => flags.stay_mounted = true,
            Given::Flag(_) => flags.force = true,
            Given::Value(letter, _) | Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let (from, to) = match args.operands.as_slice() {
        [from, to] => (from, to),
        [] => return Ok(console.usage("missing source dataset argument")),
        [_] => return Ok(console.usage("missing target dataset argument")),
        _ => return Ok(console.usage("too many arguments")),
    };
    if flags.recursive && flags.parents {
        return Ok(console.usage("-p and -r options are mutually exclusive"));
    }
    if flags.stay_mounted && flags.parents {
        return Ok(console.usage("-u and -p options are mutually exclusive"));
    }
    if flags.recursive && !from.contains('@') {
        return Ok(console.usage("source dataset for recursive rename must be a snapshot"));
    }
    let opened = if flags.stay_mounted {
        console.open_filesystem(from)
    } else if flags.parents {
        console.open(from, Expected::Filesystem)
    } else {
        console.open(from, Expected::Dataset)
    };
    let Some(id) = opened else {
        return Ok(1);
    };
    if flags.parents
        && names::check(to, Expected::Filesystem).is_ok()
        && !create_ancestors(console, to)
    {
        return Ok(1);
    }
    if from == to {
        return Ok(0);
    }
    let done = match from.split_once('@') {
        Some((filesystem, snapshot)) => {
            rename_snapshot(console, filesystem, snapshot, to, flags.recursive)
        }
        None => rename_filesystem(console, id, from, to, flags)?,
    };
    Ok(u8::from(!done))
}

fn rename_snapshot(
    console: &mut Console<'_>,
    filesystem: &str,
    from: &str,
    to: &str,
    recursive: bool,
) -> bool {
    let heading = format!("cannot rename to '{to}'");
    let target = match to.split_once('@') {
        Some(("", short)) => format!("{filesystem}@{short}"),
        None => format!("{filesystem}@{to}"),
        Some((other, _)) if other == filesystem => to.to_owned(),
        Some(_) => {
            console.refuse(&heading, &Reason::OtherFilesystem);
            return false;
        }
    };
    if let Err(reason) = names::check_new(&target, Expected::Snapshot) {
        console.refuse(&heading, &reason);
        return false;
    }
    let short = target.split_once('@').map_or("", |(_, short)| short);
    let renamed = console.dataset(DslOp::RenameSnapshot {
        filesystem: filesystem.into(),
        from: from.into(),
        to: short.into(),
        recursive,
    });
    match renamed {
        Ok(()) => true,
        Err(reason) => {
            console.refuse(&format!("cannot rename '{filesystem}@{from}'"), &reason);
            false
        }
    }
}

fn rename_filesystem(
    console: &mut Console<'_>,
    id: DatasetId,
    from: &str,
    to: &str,
    flags: Flags,
) -> Result<bool, NotModelled> {
    let heading = format!("cannot rename to '{to}'");
    if let Err(reason) = names::check_new(to, Expected::Filesystem) {
        console.refuse(&heading, &reason);
        return Ok(false);
    }
    if let Err(reason) = check_new(console, to) {
        console.refuse(&format!("cannot create '{to}'"), &reason);
        return Ok(false);
    }
    if names::pool(from) != names::pool(to) || names::parent(from).is_none() {
        console.refuse(&heading, &Reason::OtherPool);
        return Ok(false);
    }
    if to
        .strip_prefix(from)
        .is_some_and(|rest| rest.starts_with('/'))
    {
        console.refuse(&heading, &Reason::BelowItself);
        return Ok(false);
    }
    let parent = names::parent(to).and_then(|parent| console.state().find(parent));
    if parent.is_some_and(|parent| console.state().fits_below(id, parent) == Fits::Unknown) {
        return Err(NotModelled(format!(
            "whether there is the space for '{to}'"
        )));
    }
    let stays = flags.stay_mounted
        || console.is(id, Property::Mountpoint, "legacy")
        || console.is(id, Property::Mountpoint, "none");
    let mut changes = if stays {
        Changelist::of_rename_in_place(console, id)
    } else {
        Changelist::of_mounted(console, id, flags.force)
    };
    if !changes.prefix(console) {
        return Ok(false);
    }
    let renamed = console.dataset(DslOp::Rename {
        from: from.into(),
        to: to.into(),
    });
    match &renamed {
        Ok(()) => changes.renamed(console, from, to),
        Err(reason) => console.refuse(&format!("cannot rename '{from}'"), reason),
    }
    // Since 2.2 it is no failure that something cannot be mounted again.
    let mounted = changes.postfix(console) || console.release() > Release::V2_1;
    Ok(mounted && renamed.is_ok())
}
