//! `zfs snapshot` (`zfs_do_snapshot`, `zfs_snapshot_nvl`).

use std::sync::Arc;

use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::names::{self, Expected};
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::dsl::room::Fits;
use ztwin_model::dsl::value::Target;

use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::settings;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "ro:");
    let mut properties = settings::Given::default();
    let mut recursive = false;
    for given in args.given {
        match given {
            Given::Flag(_) => recursive = true,
            Given::Value(_, text) => {
                if !properties.add(console, &text) {
                    return Ok(1);
                }
            }
            Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    if args.operands.is_empty() {
        return Ok(console.usage("missing snapshot argument"));
    }
    let several = recursive || args.operands.len() > 1;
    console.in_any_order(|console| {
        let mut wanted: Vec<Arc<str>> = Vec::new();
        for operand in &args.operands {
            let Some((filesystem, snapshot)) = operand.split_once('@') else {
                return Ok(console.usage(""));
            };
            let Some(id) = console.open(filesystem, Expected::Filesystem) else {
                return Ok(console.usage(""));
            };
            gather(console, id, snapshot, recursive, &mut wanted);
        }
        let done = snapshot(console, wanted, &properties)?;
        if done != 0 && several {
            console.complain("no snapshots were created");
        }
        Ok(done)
    })
}

/// `zfs_snapshot_cb`: a filesystem's snapshot, with `-r` also of those below.
fn gather(
    console: &Console<'_>,
    id: DatasetId,
    snapshot: &str,
    recursive: bool,
    wanted: &mut Vec<Arc<str>>,
) {
    wanted.push(format!("{}@{snapshot}", console.name(id)).into());
    if recursive {
        for child in console.children(id) {
            gather(console, child, snapshot, recursive, wanted);
        }
    }
}

fn snapshot(
    console: &mut Console<'_>,
    wanted: Vec<Arc<str>>,
    properties: &settings::Given,
) -> Ended {
    for name in &wanted {
        if let Err(reason) = names::check_new(name, Expected::Snapshot) {
            console.refuse(&format!("cannot create snapshot '{name}'"), &reason);
            return Ok(1);
        }
    }
    let settings = match properties.check(Target::Snapshot, "", console)? {
        Ok(settings) => settings,
        Err(reason) => {
            console.refuse("cannot create snapshots ", &reason);
            return Ok(1);
        }
    };
    for name in &wanted {
        let filesystem = name.split('@').next().unwrap_or(name);
        let state = console.state();
        if state.find(filesystem).map(|id| state.fits_snapshot(id)) == Some(Fits::Unknown) {
            return Err(NotModelled(format!(
                "whether '{filesystem}' has the space that a snapshot makes it promise"
            )));
        }
    }
    match console.dataset(DslOp::Snapshot {
        names: wanted,
        settings,
    }) {
        Ok(()) => Ok(0),
        Err(reason) => {
            if let Reason::Snapshots(each) = &reason {
                for (name, reason) in each {
                    console.refuse(&format!("cannot create snapshot '{name}'"), reason);
                }
            } else {
                console.refuse("cannot create snapshots ", &reason);
            }
            Ok(1)
        }
    }
}
