//! `zpool sync` (`zpool_do_sync`).

use ztwin_model::spa::op::PoolOp;

use super::named;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "f");
    for given in args.given {
        if let Given::Unknown(letter) = given {
            return Ok(console.usage(&format!("invalid option '{letter}'")));
        }
    }
    let (pools, mut code) = named(console, &args.operands);
    for pool in pools {
        if console.pool(PoolOp::Sync { pool }).is_err() {
            code = 1;
        }
    }
    Ok(code)
}
