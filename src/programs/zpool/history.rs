//! `zpool history` (`zpool_do_history`, `print_history_records`).

use super::named;
use crate::programs::console::{Console, Ended, NotModelled, WRONG_USE};
use crate::programs::values::Clock;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let Some(flags) = console.flags(words, "li") else {
        return Ok(WRONG_USE);
    };
    if flags.has('i') {
        return Err(NotModelled("zpool history -i".to_owned()));
    }
    let (pools, code) = named(console, &flags.operands);
    if flags.operands.is_empty() && pools.is_empty() {
        console.complain("no pools available");
        return Ok(0);
    }
    for name in pools {
        let Some(pool) = console.state().pools.get(&name).cloned() else {
            continue;
        };
        console.say(&format!("History for '{name}':"));
        let whence = if flags.has('l') {
            // Root runs every step, and on Linux there is one zone.
            format!(" [user 0 (root) on {}:linux]", console.host())
        } else {
            String::new()
        };
        for (at, command) in pool.history.values() {
            let time = console.time(*at, Clock::Stamp);
            console.say(&format!("{time} {command}{whence}"));
        }
        console.say("");
    }
    Ok(code)
}
