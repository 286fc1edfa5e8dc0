//! `zpool destroy` (`zpool_do_destroy`).

use ztwin_model::dsl::reason::Reason;
use ztwin_model::spa::op::PoolOp;

use super::sync::open_failed;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "f");
    let mut force = false;
    for given in args.given {
        match given {
            Given::Flag(_) => force = true,
            Given::Value(letter, _) | Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let name = match args.operands.as_slice() {
        [name] => name,
        [] => return Ok(console.usage("missing pool argument")),
        _ => return Ok(console.usage("too many arguments")),
    };
    // `zpool_name_valid`.
    if name.is_empty() {
        console.refuse(
            &format!("cannot open '{name}'"),
            &Reason::PoolNameWithoutLetter,
        );
        return Ok(1);
    }
    if name.contains('/') {
        console.note(&Reason::InvalidCharacter(b'/'));
        console.complain(format!(
            "cannot open '{name}': invalid character '/' in pool name"
        ));
        console.complain("use 'zfs destroy' to destroy a dataset");
        return Ok(1);
    }
    let Some(root) = console.state().pools.get(name).map(|pool| pool.root) else {
        open_failed(console, name, &Reason::NoSuchPool(name.as_str().into()));
        return Ok(1);
    };
    // `zpool_disable_datasets`: takes everything off, the deepest first, and removes the mountpoints.
    let mut mounted: Vec<_> = console
        .state()
        .subtree(root)
        .into_iter()
        .filter_map(|id| Some((console.state().mounts.first(id)?.path.clone(), id)))
        .collect();
    mounted.sort();
    for (_, id) in mounted.iter().rev() {
        if !console.unmount(*id, force) {
            console.complain(format!(
                "could not destroy '{name}': could not unmount datasets"
            ));
            return Ok(1);
        }
    }
    for (_, id) in mounted.into_iter().rev() {
        let mountpoint = console.removable_mountpoint(id);
        console.remove_mountpoint(mountpoint);
    }
    match console.pool(PoolOp::Destroy {
        name: name.as_str().into(),
    }) {
        Ok(()) => Ok(0),
        Err(reason) => {
            let reason = if reason == Reason::Busy {
                Reason::PoolBusy
            } else {
                reason
            };
            console.refuse(&format!("cannot destroy '{name}'"), &reason);
            Ok(1)
        }
    }
}
