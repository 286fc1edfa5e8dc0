//! `zpool checkpoint` (`zpool_do_checkpoint`).

use ztwin_model::spa::op::PoolOp;

use super::is_open;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};

/// What nobody knows after a checkpoint was discarded without waiting for it.
pub(super) const WHETHER_DISCARDED: &str = "whether a checkpoint is discarded by now";

/// Whether a checkpoint may still be on its way out.
fn is_discarding(console: &Console<'_>, pool: &str) -> bool {
    console
        .state()
        .pools
        .get(pool)
        .is_some_and(|it| it.discarding)
}

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse_long(words, ":dw", &[("discard", 'd'), ("wait", 'w')]);
    let (mut discard, mut wait) = (false, false);
    for given in args.given {
        match given {
            Given::Flag('d') => discard = true,
            Given::Flag(_) => wait = true,
            Given::Value(letter, _) | Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    if wait && !discard {
        return Ok(console.usage("--wait only valid when --discard also specified"));
    }
    let pool = match args.operands.as_slice() {
        [pool] => pool,
        [] => return Ok(console.usage("missing pool argument")),
        _ => return Ok(console.usage("too many arguments")),
    };
    if !is_open(console, pool) {
        if pool.contains('/') {
            console.complain(
                "'zpool checkpoint' doesn't work on datasets. To save the state of a dataset from a \
                 specific point in time please use 'zfs snapshot'",
            );
        }
        return Ok(1);
    }
    if is_discarding(console, pool) {
        return Err(NotModelled(WHETHER_DISCARDED.to_owned()));
    }
    let (op, heading) = if discard {
        let pool = pool.as_str().into();
        (
            PoolOp::DiscardCheckpoint { pool, wait },
            "discard checkpoint in",
        )
    } else {
        let pool = pool.as_str().into();
        (PoolOp::Checkpoint { pool }, "checkpoint")
    };
    match console.pool(op) {
        Ok(()) => Ok(0),
        Err(reason) => {
            console.refuse(&format!("cannot {heading} '{pool}'"), &reason);
            Ok(1)
        }
    }
}
