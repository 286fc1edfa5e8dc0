//! `zfs clone` (`zfs_do_clone`).

use ztwin_model::Release;
use ztwin_model::dsl::names::{self, Expected};
use ztwin_model::dsl::op::DslOp;

use super::create::{check_new, create_ancestors};
use super::volume;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended};
use crate::programs::settings;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let known = if console.release() < Release::V2_4 {
        "o:p"
    } else {
        "o:pu"
    };
    let args = args::parse(words, known);
    let mut properties = settings::Given::default();
    let (mut parents, mut unmounted) = (false, false);
    for given in args.given {
        match given {
            Given::Flag('p') => parents = true,
            Given::Flag(_) => unmounted = true,
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
    let (origin, name) = match args.operands.as_slice() {
        [origin, name] => (origin, name),
        [] => return Ok(console.usage("missing source dataset argument")),
        [_] => return Ok(console.usage("missing target dataset argument")),
        _ => return Ok(console.usage("too many arguments")),
    };
    let Some(snapshot) = console.open(origin, Expected::Snapshot) else {
        return Ok(1);
    };
    if parents && names::check(name, Expected::Filesystem).is_ok() {
        if console.state().find(name).is_some() {
            return Ok(0);
        }
        if !create_ancestors(console, name) {
            return Ok(1);
        }
    }
    let heading = format!("cannot create '{name}'");
    let on = settings::target_of_head(console, snapshot);
    let checked = check_new(console, name).map(|()| properties.check(on, name, console));
    let cloned = match checked {
        Err(reason) => Err(reason),
        Ok(settings) => match settings? {
            Err(reason) => Err(reason),
            Ok(mut settings) => {
                volume::fix_automatic(console, snapshot, &mut settings);
                settings::check_room(console, name, &settings, Some(snapshot))?;
                console.dataset(DslOp::Clone {
                    name: name.as_str().into(),
                    origin: origin.as_str().into(),
                    settings,
                })
            }
        },
    };
    if let Err(reason) = cloned {
        console.refuse(&heading, &reason);
        return Ok(1);
    }
    Ok(if unmounted {
        0
    } else {
        console.mount_new(name)
    })
}
