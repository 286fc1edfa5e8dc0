//! `zfs wait` (`zfs_do_wait`).

use ztwin_model::dsl::reason::Reason;
use ztwin_model::outcome::Errno;
use ztwin_model::spa::Pool;

use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended};

/// All that can be waited for: that deleted files are gone, which they are at once.
const ACTIVITIES: [&str; 1] = ["deleteq"];

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "t:");
    for given in args.given {
        match given {
            Given::Value(_, list) => {
                if let Some(activity) = args::unknown_word(&list, &ACTIVITIES, console.release()) {
                    return Ok(console.usage(&format!("invalid activity '{activity}'")));
                }
            }
            Given::Flag(letter) | Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let name = match args.operands.as_slice() {
        [name] => name,
        [] => return Ok(console.usage("missing 'filesystem' argument")),
        _ => return Ok(console.usage("too many arguments")),
    };
    let Some(id) = console.open_filesystem(name) else {
        return Ok(1);
    };
    let pool = console.state().pool_of(id);
    if pool.is_some_and(Pool::is_read_only) {
        console.refuse(
            &format!("error waiting in fs '{name}'"),
            &Reason::PoolReadOnly,
        );
        return Ok(Errno::EROFS as u8);
    }
    Ok(0)
}
