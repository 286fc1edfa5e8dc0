//! `zpool labelclear` (`zpool_do_labelclear`).

use ztwin_model::outcome::Errno;
use ztwin_model::spa::Pool;
use ztwin_model::spa::op::PoolOp;

use crate::programs::console::{Console, Ended, NotModelled, WRONG_USE};
use crate::programs::message::strerror;

/// How the label of a pool that is imported is called.
const ACTIVE: &str = "ACTIVE";

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let Some(flags) = console.flags(words, "f") else {
        return Ok(WRONG_USE);
    };
    let device = match flags.operands.as_slice() {
        [device] => device,
        [] => return Ok(console.usage("missing vdev name")),
        _ => return Ok(console.usage("too many arguments")),
    };
    let state = console.state();
    if !device.starts_with('/') || state.mounts.locate(device).mount.is_some() {
        return Err(NotModelled(
            "zpool labelclear of what is no vdev file".to_owned(),
        ));
    }
    if !state.vdevs.contains_key(device) {
        let below = format!("{}/", device.trim_end_matches('/'));
        let is_directory = state.vdevs.keys().any(|path| path.starts_with(&below));
        let errno = if is_directory {
            Errno::EISDIR
        } else {
            Errno::ENOENT
        };
        let why = strerror(errno);
        console.complain(format!("failed to open {device}: {why}"));
        return Ok(1);
    }
    let active = state.owner_of_vdev(device);
    if active.is_some_and(Pool::is_read_only) && flags.has('f') {
        return Err(NotModelled(
            "the label of a vdev of a pool that is read-only".to_owned(),
        ));
    }
    let member = match active {
        Some(pool) if pool.lasting_name().is_none() => Some((ACTIVE, &pool.label)),
        Some(pool) => Some(("potentially active", &pool.label)),
        None => {
            let exported = state.exported_owner_of_vdev(device);
            exported.map(|pool| ("exported", &pool.label))
        }
    };
    let member = member.map(|(how, pool)| (how, pool.clone()));
    if let Some((how, pool)) = member.filter(|_| !flags.has('f')) {
        if how == ACTIVE {
            console.say("");
            let text = format!("{device} is a member ({how}) of pool \"{pool}\"");
            console.err.extend_from_slice(text.as_bytes());
        } else {
            console.complain("use '-f' to override the following error:");
            console.complain(format!("{device} is a member of {how} pool \"{pool}\""));
        }
        return Ok(1);
    }
    let op = PoolOp::ClearLabel {
        device: device.as_str().into(),
    };
    if let Err(reason) = console.pool(op) {
        console.tell(&reason);
        return Ok(255);
    }
    Ok(0)
}
