//! `zpool sync` (`zpool_do_sync`).

use ztwin_model::spa::op::PoolOp;

use super::named;
use crate::programs::console::{Console, Ended, WRONG_USE};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let Some(flags) = console.flags(words, "f") else {
        return Ok(WRONG_USE);
    };
    let (pools, mut code) = named(console, &flags.operands);
    for pool in pools {
        if console.pool(PoolOp::Sync { pool }).is_err() {
            code = 1;
        }
    }
    Ok(code)
}
