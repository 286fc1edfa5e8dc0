//! `zpool scrub` (`zpool_do_scrub`, `scrub_callback`).

use ztwin_model::Release;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::spa::scan::Function;

use super::named;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};

/// Whether no scan of a pool may still go on.
pub(super) fn check_scanned(console: &Console<'_>, name: &str) -> Result<(), NotModelled> {
    let pool = console.state().pools.get(name);
    let scan = pool.and_then(|pool| pool.scan);
    if scan.is_some_and(|scan| scan.ended.is_none()) {
        return Err(NotModelled(
            "whether a scrub or a resilver is done by now".to_owned(),
        ));
    }
    Ok(())
}

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let known = match console.release() {
        Release::V2_1 => "spw",
        Release::V2_3 => "spweC",
        Release::V2_4 => "aspweCE:S:",
    };
    let args = args::parse(words, known);
    let (mut stop, mut pause, mut wait, mut errors, mut go_on) =
        (false, false, false, false, false);
    for given in args.given {
        match given {
            Given::Flag('s') => stop = true,
            Given::Flag('p') => pause = true,
            Given::Flag('w') => wait = true,
            Given::Flag('e') => errors = true,
            Given::Flag('C') => go_on = true,
            Given::Flag(letter) | Given::Value(letter, _) => {
                return Err(NotModelled(format!("zpool scrub -{letter}")));
            }
            Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let excluded = [
        (pause && stop, "-s and -p are mutually exclusive"),
        (pause && go_on, "-p and -C are mutually exclusive"),
        (stop && go_on, "-s and -C are mutually exclusive"),
        (errors && go_on, "-e and -C are mutually exclusive"),
        (wait && (pause || stop), "-w cannot be used with -p or -s"),
    ];
    if let Some((_, why)) = excluded.into_iter().find(|(given, _)| *given) {
        return Ok(console.usage(&format!("invalid option combination: {why}")));
    }
    if errors || go_on {
        return Err(NotModelled("zpool scrub of a part of a pool".to_owned()));
    }
    if args.operands.is_empty() {
        return Ok(console.usage("missing pool name argument"));
    }
    let (pools, mut code) = named(console, &args.operands);
    for name in &pools {
        let done = if pause || stop {
            end(console, name, pause)?
        } else {
            start(console, name)?
        };
        if !done {
            code = 1;
        }
    }
    for pool in pools.iter().filter(|_| wait && code == 0) {
        let op = PoolOp::Wait {
            pool: pool.as_str().into(),
            functions: vec![Function::Scrub],
            checkpoint: false,
        };
        // It was just scrubbed, so that it can be waited for.
        let _ = console.pool(op);
    }
    Ok(code)
}

/// What is known of a pool before it is scrubbed.
fn check(console: &Console<'_>, name: &str) -> Result<bool, NotModelled> {
    check_scanned(console, name)?;
    let Some(pool) = console.state().pools.get(name) else {
        return Ok(false);
    };
    if pool.is_read_only() {
        return Err(NotModelled(
            "a scrub of a pool that is read-only, which never ends".to_owned(),
        ));
    }
    Ok(pool.checkpoint.is_some())
}

fn start(console: &mut Console<'_>, name: &str) -> Result<bool, NotModelled> {
    let has_checkpoint = check(console, name)?;
    let op = PoolOp::Scrub { pool: name.into() };
    // Nothing forbids it that is modelled.
    if console.pool(op).is_err() {
        return Ok(false);
    }
    if has_checkpoint {
        console.say(&format!(
            "warning: will not scrub state that belongs to the checkpoint of pool '{name}'"
        ));
    }
    Ok(true)
}

/// Stops or pauses it.
fn end(console: &mut Console<'_>, name: &str, pause: bool) -> Result<bool, NotModelled> {
    check(console, name)?;
    let op = PoolOp::StopScrub { pool: name.into() };
    match console.pool(op) {
        Ok(()) => Ok(true),
        // To pause what does not go on is fine.
        Err(Reason::NoScrub) if pause && console.release() > Release::V2_1 => Ok(true),
        Err(reason) => {
            let what = if pause { "pause" } else { "cancel" };
            console.refuse(&format!("cannot {what} scrubbing {name}"), &reason);
            Ok(false)
        }
    }
}
