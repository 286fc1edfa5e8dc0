//! `zpool attach` (`zpool_do_attach_or_replace`).

use std::sync::Arc;

use ztwin_model::dsl::reason::Reason;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::spa::scan::Function;

use super::devices::{For, ashift, check_sectors, group, vdevs};
use super::is_open;
use super::scrub::check_scanned;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::settings;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let heading = |device: &str, new: &str| format!("cannot attach {new} to {device}");
    put(console, words, false, &heading)
}

/// Puts a device beside another one, or in its place; `heading` stands in front of why that cannot be.
pub(super) fn put(
    console: &mut Console<'_>,
    words: &[String],
    replaces: bool,
    heading: &dyn Fn(&str, &str) -> String,
) -> Ended {
    let args = args::parse(words, "fo:sw");
    let mut of_pool = settings::Given::default();
    let (mut force, mut wait, mut rebuild) = (false, false, false);
    for given in args.given {
        match given {
            Given::Flag('f') => force = true,
            Given::Flag('w') => wait = true,
            Given::Flag(_) => rebuild = true,
            Given::Value(_, text) => {
                if let Some(code) = ashift(console, &mut of_pool, &text) {
                    return Ok(code);
                }
            }
            Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let (pool, device, new) = match args.operands.as_slice() {
        [] => return Ok(console.usage("missing pool name argument")),
        [_] => return Ok(console.usage("missing <device> specification")),
        [pool, device] if replaces => (pool, device, device),
        [_, _] => return Ok(console.usage("missing <new_device> specification")),
        [pool, device, new] => (pool, device, new),
        _ => return Ok(console.usage("too many arguments")),
    };
    if !is_open(console, pool) {
        return Ok(1);
    }
    let words = std::slice::from_ref(new);
    let Some(vdevs) = vdevs(console, words, &of_pool, force, For::Device)? else {
        return Ok(1);
    };
    let mut devices = vdevs.into_iter().flat_map(|vdev| vdev.devices);
    let Some(new) = devices.next() else {
        return Ok(1);
    };
    let heading = heading(device, &new);
    check_sectors(console, pool, &of_pool)?;
    check_scanned(console, pool)?;
    if group(console, pool, device)? {
        if replaces {
            return Err(NotModelled(
                "a replacement of a group of devices".to_owned(),
            ));
        }
        console.refuse(&heading, &Reason::NotAttachable);
        return Ok(255);
    }
    let pools = &console.state().pools;
    let expand = pools
        .get(pool)
        .and_then(|pool| pool.settings.get("autoexpand"));
    if replaces && expand.is_some_and(|text| &**text == "on") {
        return Err(NotModelled("what a replacement expands".to_owned()));
    }
    let pool: Arc<str> = pool.as_str().into();
    if let Some(largest) = nearly_as_large(console, &pool, device, &new) {
        return Err(NotModelled(format!(
            "whether '{new}' is large enough beside {largest} bytes"
        )));
    }
    let before = console.machine.clone();
    let done = console.pool(PoolOp::Attach {
        pool: pool.clone(),
        device: device.as_str().into(),
        new,
        replaces,
    });
    if let Err(reason) = done {
        console.refuse(&heading, &reason);
        return Ok(255);
    }
    if rebuild {
        *console.machine = before;
        return Err(NotModelled("zpool attach -s, which rebuilds".to_owned()));
    }
    if wait {
        let op = PoolOp::Wait {
            pool,
            functions: vec![Function::Resilver],
            checkpoint: false,
        };
        // The pool was just changed, so that it can be waited for.
        let _ = console.pool(op);
    }
    Ok(0)
}

/// The size of the device, if the new one is smaller and may be large enough all the same: what a vdev takes
/// of its devices is rounded down (`vdev_get_min_asize`).
fn nearly_as_large(console: &Console<'_>, pool: &str, device: &str, new: &str) -> Option<u64> {
    let state = console.state();
    let mut vdevs = state.pools.get(pool)?.vdevs.iter();
    let vdev = vdevs.find(|vdev| vdev.devices.iter().any(|it| &**it == device))?;
    let sizes = vdev.devices.iter().filter_map(|it| state.vdevs.get(&**it));
    let smallest = *sizes.min()?;
    let new = *state.vdevs.get(new)?;
    (new < smallest && new > smallest - smallest / 8).then_some(smallest)
}
