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
        let op = PoolOp::Sync {
            pool: pool.as_str().into(),
        };
        if let Err(reason) = console.pool(op) {
            console.refuse(&format!("sync '{pool}' failed"), &reason);
            code = 1;
        }
    }
    Ok(code)
}
