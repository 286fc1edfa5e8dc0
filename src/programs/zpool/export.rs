//! `zpool export` (`zpool_do_export`).

use ztwin_model::spa::op::PoolOp;

use super::{disable_datasets, named};
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "afF");
    let (mut all, mut force) = (false, false);
    for given in args.given {
        match given {
            Given::Flag('a') => all = true,
            Given::Flag('f') => force = true,
            Given::Flag(_) => {}
            Given::Value(letter, _) | Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    match (all, args.operands.is_empty()) {
        (true, false) => return Ok(console.usage("too many arguments")),
        (false, true) => return Ok(console.usage("missing pool argument")),
        _ => {}
    }
    let (pools, mut code) = named(console, &args.operands);
    for pool in pools {
        if !export(console, &pool, force) {
            code = 1;
        }
    }
    Ok(code)
}

/// `zpool_export_one`.
fn export(console: &mut Console<'_>, name: &str, force: bool) -> bool {
    let Some(root) = console.root_of(name) else {
        return false;
    };
    if !disable_datasets(console, root, force) {
        return false;
    }
    let op = PoolOp::Export { name: name.into() };
    match console.pool(op) {
        Ok(()) => true,
        Err(reason) => {
            console.refuse(&format!("cannot export '{name}'"), &reason);
            false
        }
    }
}
