//! `zpool destroy` (`zpool_do_destroy`).

use ztwin_model::spa::op::PoolOp;

use super::{disable_datasets, is_open};
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
    if !is_open(console, name) {
        if name.contains('/') {
            console.complain("use 'zfs destroy' to destroy a dataset");
        }
        return Ok(1);
    }
    let Some(root) = console.root_of(name) else {
        return Ok(1);
    };
    if !disable_datasets(console, root, force) {
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
