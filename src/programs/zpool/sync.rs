//! `zpool sync` (`zpool_do_sync`).

use ztwin_model::dsl::reason::Reason;
use ztwin_model::spa::op::PoolOp;

use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "f");
    for given in args.given {
        if let Given::Unknown(letter) = given {
            return Ok(console.usage(&format!("invalid option '{letter}'")));
        }
    }
    let names = if args.operands.is_empty() {
        console.state().pools.keys().cloned().collect()
    } else {
        args.operands
    };
    let mut code = 0;
    for pool in names {
        if let Err(reason) = console.pool(PoolOp::Sync { pool: pool.clone() }) {
            open_failed(console, &pool, &reason);
            code = 1;
        }
    }
    Ok(code)
}

/// `zpool_open`: what it says of a pool that cannot be opened.
pub(super) fn open_failed(console: &mut Console<'_>, pool: &str, reason: &Reason) {
    console.note(reason);
    console.complain(&format!("cannot open '{pool}': no such pool"));
}
