//! `zpool reguid` (`zpool_do_reguid`).

use ztwin_model::Release;
use ztwin_model::spa::op::PoolOp;

use super::is_open;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let known = match console.release() {
        Release::V2_1 => "",
        Release::V2_3 | Release::V2_4 => "g:",
    };
    let args = args::parse(words, known);
    let mut guid = None;
    for given in args.given {
        match given {
            Given::Value(_, text) => match number(&text) {
                Some(number) => guid = Some(number),
                None => return Ok(console.usage(&format!("invalid GUID: {text}"))),
            },
            Given::Flag(letter) | Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let pool = match args.operands.as_slice() {
        [pool] => pool,
        [] => return Ok(console.usage("missing pool name")),
        _ => return Ok(console.usage("too many arguments")),
    };
    if !is_open(console, pool) {
        return Ok(1);
    }
    let op = PoolOp::Reguid {
        pool: pool.as_str().into(),
        guid,
    };
    if let Err(reason) = console.pool(op) {
        console.refuse(&format!("cannot reguid '{pool}'"), &reason);
        return Ok(255);
    }
    Ok(0)
}

/// A number as `strtoull` reads it, all of it: with a sign it wraps around. No text is 0.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() {
        return Some(0);
    }
    let text = text.trim_start();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| plain)?;
    Some(if negative {
        number.wrapping_neg()
    } else {
        number
    })
}
