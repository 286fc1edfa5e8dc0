//! `zpool clear` (`zpool_do_clear`).

use ztwin_model::Release;
use ztwin_model::spa::op::PoolOp;

use super::devices::group;
use super::is_open;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = if console.release() == Release::V2_1 {
        args::parse(words, "FnX")
    } else {
        args::parse_long(words, "FnX", &[("power", 'p')])
    };
    // Nothing of a healthy pool is lost by -F.
    let (mut recovers, mut how) = (false, false);
    for given in args.given {
        match given {
            Given::Flag('F') => recovers = true,
            Given::Flag('n' | 'X') => how = true,
            Given::Flag(_) | Given::Value(..) => {}
            Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let (pool, device) = match args.operands.as_slice() {
        [] => return Ok(console.usage("missing pool name")),
        [pool] => (pool, None),
        [pool, device] => (pool, Some(device)),
        _ => return Ok(console.usage("too many arguments")),
    };
    if how && !recovers {
        return Ok(console.usage("-n or -X only meaningful with -F"));
    }
    if !is_open(console, pool) {
        return Ok(1);
    }
    let alone = match device {
        Some(device) if !group(console, pool, device)? => Some(device.as_str().into()),
        _ => None,
    };
    let op = PoolOp::Clear {
        pool: pool.as_str().into(),
        device: alone,
    };
    if let Err(reason) = console.pool(op) {
        let what = device.unwrap_or(pool);
        console.refuse(&format!("cannot clear errors for {what}"), &reason);
        return Ok(1);
    }
    Ok(0)
}
