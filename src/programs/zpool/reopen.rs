//! `zpool reopen` (`zpool_do_reopen`).

use ztwin_model::spa::op::PoolOp;

use super::named;
use crate::programs::console::{Console, Ended, WRONG_USE};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let Some(flags) = console.flags(words, "n") else {
        return Ok(WRONG_USE);
    };
    let (pools, code) = named(console, &flags.operands);
    for pool in pools {
        let op = PoolOp::Reopen { pool: pool.into() };
        // A pool that is there can be opened again.
        let _ = console.pool(op);
    }
    Ok(code)
}
