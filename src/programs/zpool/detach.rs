//! `zpool detach` (`zpool_do_detach`).

use ztwin_model::dsl::reason::Reason;
use ztwin_model::spa::op::PoolOp;

use super::devices::group;
use super::is_open;
use super::scrub::check_scanned;
use crate::programs::console::{Console, Ended, WRONG_USE};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let Some(flags) = console.flags(words, "") else {
        return Ok(WRONG_USE);
    };
    // What stands behind the device is not looked at.
    let (pool, device) = match flags.operands.as_slice() {
        [] => return Ok(console.usage("missing pool name argument")),
        [_] => return Ok(console.usage("missing <device> specification")),
        [pool, device, ..] => (pool, device),
    };
    if !is_open(console, pool) {
        return Ok(1);
    }
    check_scanned(console, pool)?;
    let done = if group(console, pool, device)? {
        Err(Reason::NoSuchDevice)
    } else {
        console.pool(PoolOp::Detach {
            pool: pool.as_str().into(),
            device: device.as_str().into(),
        })
    };
    if let Err(reason) = done {
        console.refuse(&format!("cannot detach {device}"), &reason);
        return Ok(255);
    }
    Ok(0)
}
