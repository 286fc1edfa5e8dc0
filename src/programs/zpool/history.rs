//! `zpool history` (`zpool_do_history`, `print_history_records`).

use super::named;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::values::Clock;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "li");
    let unknown = args.given.iter().find_map(|given| match given {
        Given::Unknown(letter) => Some(*letter),
        _ => None,
    });
    if let Some(letter) = unknown {
        return Ok(console.usage(&format!("invalid option '{letter}'")));
    }
    if !args.given.is_empty() {
        return Err(NotModelled("zpool history -i and -l".to_owned()));
    }
    let (pools, code) = named(console, &args.operands);
    if args.operands.is_empty() && pools.is_empty() {
        console.complain("no pools available");
        return Ok(0);
    }
    for name in pools {
        let Some(pool) = console.state().pools.get(&name).cloned() else {
            continue;
        };
        console.say(&format!("History for '{name}':"));
        for (at, command) in &pool.history {
            let time = console.time(*at, Clock::Stamp);
            console.say(&format!("{time} {command}"));
        }
        console.say("");
    }
    Ok(code)
}
