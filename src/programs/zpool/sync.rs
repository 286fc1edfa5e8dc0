//! `zpool sync` (`zpool_do_sync`).

use std::collections::BTreeSet;

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
    let mut code = 0;
    let mut found = BTreeSet::new();
    if args.operands.is_empty() {
        found.extend(console.state().pools.keys().cloned());
    }
    // `pool_list_get`: all are opened first, and one that is named twice is an error that nobody tells.
    for pool in args.operands {
        if !console.state().pools.contains_key(&pool) {
            open_failed(console, &pool, &Reason::NoSuchPool(pool.as_str().into()));
            code = 1;
        } else if !found.insert(pool) {
            code = 1;
        }
    }
    for pool in found {
        if let Err(reason) = console.pool(PoolOp::Sync { pool: pool.clone() }) {
            open_failed(console, &pool, &reason);
            code = 1;
        }
    }
    Ok(code)
}

/// `zpool_open`: what it says of a pool that cannot be opened.
pub(in crate::programs) fn open_failed(console: &mut Console<'_>, pool: &str, reason: &Reason) {
    console.note(reason);
    console.complain(format!("cannot open '{pool}': no such pool"));
}
