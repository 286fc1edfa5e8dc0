//! `zpool wait` (`zpool_do_wait`).

use ztwin_model::Release;
use ztwin_model::outcome::Errno;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::spa::scan::Function;

use super::{is_open, repeat};
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};

/// What can be waited for; the last one only since 2.3.
const ACTIVITIES: [&str; 9] = [
    "discard",
    "free",
    "initialize",
    "replace",
    "remove",
    "resilver",
    "scrub",
    "trim",
    "raidz_expand",
];

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let known = match console.release() {
        Release::V2_1 => &ACTIVITIES[..8],
        Release::V2_3 | Release::V2_4 => &ACTIVITIES[..],
    };
    let args = args::parse(words, "HpT:t:");
    let mut activities: Vec<String> = known.iter().map(|&it| it.to_owned()).collect();
    for given in args.given {
        match given {
            Given::Value('T', text) => {
                if repeat::clock(&text).is_none() {
                    return Ok(console.usage(""));
                }
            }
            Given::Value(_, list) => {
                if let Some(activity) = args::unknown_word(&list, known, console.release()) {
                    return Ok(console.usage(&format!("invalid activity '{activity}'")));
                }
                activities = list.split(',').map(str::to_owned).collect();
            }
            Given::Flag(_) => {}
            Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    if args
        .operands
        .last()
        .is_some_and(|last| last.parse::<f32>().is_ok())
    {
        return Err(NotModelled("the table of zpool wait".to_owned()));
    }
    let pool = match args.operands.as_slice() {
        [pool] => pool,
        [] => return Ok(console.usage("missing 'pool' argument")),
        _ => return Ok(console.usage("too many arguments")),
    };
    if !is_open(console, pool) {
        return Ok(1);
    }
    let waits_for = |activity: &str| activities.iter().any(|it| it == activity);
    let mut functions = Vec::new();
    functions.extend(waits_for("scrub").then_some(Function::Scrub));
    let resilver = waits_for("resilver") || waits_for("replace");
    functions.extend(resilver.then_some(Function::Resilver));
    let op = PoolOp::Wait {
        pool: pool.as_str().into(),
        functions,
        checkpoint: waits_for("discard"),
    };
    if let Err(reason) = console.pool(op) {
        console.refuse(&format!("error waiting in pool '{pool}'"), &reason);
        return Ok(Errno::EROFS as u8);
    }
    Ok(0)
}
