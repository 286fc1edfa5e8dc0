//! `zpool add` (`zpool_do_add`).

use ztwin_model::Release;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::spa::op::PoolOp;

use super::devices::{For, ashift, check_sectors, show_vdevs, vdevs};
use super::is_open;
use super::scrub::check_scanned;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::settings;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = if console.release() == Release::V2_1 {
        args::parse(words, "fgLno:P")
    } else {
        let long = [
            ("allow-in-use", '\0'),
            ("allow-replication-mismatch", '\0'),
            ("allow-ashift-mismatch", '\0'),
        ];
        args::parse_long(words, "fgLno:P", &long)
    };
    let mut of_pool = settings::Given::default();
    let (mut force, mut dry) = (false, false);
    for given in args.given {
        match given {
            Given::Flag('f') => force = true,
            Given::Flag('n') => dry = true,
            // The paths of vdev files are shown whole, and are no links.
            Given::Flag('L' | 'P') => {}
            Given::Value(_, text) => {
                if let Some(code) = ashift(console, &mut of_pool, &text) {
                    return Ok(code);
                }
            }
            Given::Flag(letter) => {
                let letter = letter.escape_default();
                return Err(NotModelled(format!("zpool add -{letter}")));
            }
            Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let (pool, devices) = match args.operands.as_slice() {
        [] => return Ok(console.usage("missing pool name argument")),
        [_] => return Ok(console.usage("missing vdev specification")),
        [pool, devices @ ..] => (pool, devices),
    };
    if !is_open(console, pool) {
        return Ok(1);
    }
    let Some(vdevs) = vdevs(console, devices, &of_pool, force, For::More(pool))? else {
        return Ok(1);
    };
    check_sectors(console, pool, &of_pool)?;
    let there = console.state().pools.get(pool);
    check_scanned(console, pool)?;
    if dry {
        let there = there.map(|pool| pool.vdevs.clone()).unwrap_or_default();
        console.say(&format!(
            "would update '{pool}' to the following configuration:\n\n\t{pool}"
        ));
        show_vdevs(console, &there, true);
        show_vdevs(console, &vdevs, false);
        return Ok(0);
    }
    let op = PoolOp::Add {
        pool: pool.as_str().into(),
        vdevs,
    };
    let heading = format!("cannot add to '{pool}'");
    match console.pool(op) {
        Ok(()) => Ok(0),
        Err(reason @ Reason::VdevTooSmall) => {
            console.note(&reason);
            console.complain(format!(
                "{heading}: device is less than the minimum size (64M)"
            ));
            Ok(1)
        }
        Err(reason @ Reason::VdevTwice) => {
            console.note(&reason);
            console.complain(format!(
                "{heading}: one or more vdevs refer to the same device"
            ));
            Ok(1)
        }
        Err(reason) => {
            console.refuse(&heading, &reason);
            Ok(1)
        }
    }
}
