//! `zpool destroy` (`zpool_do_destroy`).

use ztwin_model::spa::op::PoolOp;

use super::{disable_datasets, is_open};
use crate::programs::console::{Console, Ended, WRONG_USE};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let Some(flags) = console.flags(words, "f") else {
        return Ok(WRONG_USE);
    };
    let force = flags.has('f');
    let name = match flags.operands.as_slice() {
        [name] => name,
        [] => return Ok(console.usage("missing pool argument")),
        _ => return Ok(console.usage("too many arguments")),
    };
    if !is_open(console, name) {
        if name.contains('/') {
            console.complain("use 'zfs destroy' to destroy a dataset");
        }
        return Ok(1);
    }
    let Some(root) = console.root_of(name) else {
        return Ok(1);
    };
    if !disable_datasets(console, root, force)? {
        console.complain(format!(
            "could not destroy '{name}': could not unmount datasets"
        ));
        return Ok(1);
    }
    match console.pool(PoolOp::Destroy {
        name: name.as_str().into(),
    }) {
        Ok(()) => Ok(0),
        Err(reason) => {
            console.refuse(&format!("cannot destroy '{name}'"), &reason);
            Ok(1)
        }
    }
}
