//! `zpool set` (`zpool_do_set`).

use ztwin_model::Release;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::spa::property::{self, When};

use super::is_open;
use crate::programs::args;
use crate::programs::console::{Console, Ended, NotModelled};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    if let Some(letter) = args::leading_option(words) {
        return Ok(console.usage(&format!("invalid option '{letter}'")));
    }
    let vdevs = usize::from(console.release() > Release::V2_1);
    let (setting, operands) = match words {
        [] => return Ok(console.usage("missing property=value argument")),
        [_] => return Ok(console.usage("missing pool name")),
        [_, operands @ ..] if operands.len() > 1 + vdevs => {
            return Ok(console.usage("too many pool names"));
        }
        [setting, operands @ ..] => (setting, operands),
    };
    let Some((name, text)) = setting.split_once('=') else {
        return Ok(console.usage("missing value in property=value argument"));
    };
    let pool = &operands[0];
    if console.release() == Release::V2_1 {
        if !is_open(console, pool) {
            return Ok(1);
        }
    } else if !console.state().pools.contains_key(pool) {
        console.note(&Reason::NoSuchPool(pool.as_str().into()));
        console.complain(format!("cannot open '{pool}': is not a pool"));
        return Ok(22);
    }
    if operands.len() > 1 {
        return Err(NotModelled("zpool set of a vdev".to_owned()));
    }
    let release = console.release();
    match property::check(name, text, pool, When::Later, release) {
        Ok(Some(())) => {}
        Ok(None) => {
            return Err(NotModelled(format!(
                "the pool's property '{name}' with the value '{text}'"
            )));
        }
        Err(reason) => {
            console.refuse(&format!("cannot set property for '{pool}'"), &reason);
            return Ok(1);
        }
    }
    let op = PoolOp::Set {
        pool: pool.as_str().into(),
        name: name.into(),
        text: text.into(),
    };
    if let Err(reason) = console.pool(op) {
        console.refuse(&format!("cannot set property for '{pool}'"), &reason);
        return Ok(1);
    }
    Ok(0)
}
