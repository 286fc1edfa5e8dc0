//! `zpool export` (`zpool_do_export`).

use ztwin_model::spa::op::PoolOp;

use super::{disable_datasets, named};
use crate::programs::console::{Console, Ended, NotModelled, WRONG_USE};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let Some(flags) = console.flags(words, "afF") else {
        return Ok(WRONG_USE);
    };
    let (all, force) = (flags.has('a'), flags.has('f'));
    match (all, flags.operands.is_empty()) {
        (true, false) => return Ok(console.usage("too many arguments")),
        (false, true) => return Ok(console.usage("missing pool argument")),
        _ => {}
    }
    let (pools, mut code) = named(console, &flags.operands);
    for pool in pools {
        if !export(console, &pool, force)? {
            code = 1;
        }
    }
    Ok(code)
}

/// `zpool_export_one`.
fn export(console: &mut Console<'_>, name: &str, force: bool) -> Result<bool, NotModelled> {
    let Some(root) = console.root_of(name) else {
        return Ok(false);
    };
    if !disable_datasets(console, root, force)? {
        return Ok(false);
    }
    let op = PoolOp::Export { name: name.into() };
    match console.pool(op) {
        Ok(()) => Ok(true),
        Err(reason) => {
            console.refuse(&format!("cannot export '{name}'"), &reason);
            Ok(false)
        }
    }
}
