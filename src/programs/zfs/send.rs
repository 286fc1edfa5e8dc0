//! `zfs send` (`zfs_do_send`): what it refuses. Streams are not modelled, nor are its options.

use ztwin_model::dsl::names::Expected;

use crate::programs::STREAMS;
use crate::programs::args;
use crate::programs::console::{Console, Ended, NotModelled};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "");
    if !args.given.is_empty() {
        return Err(NotModelled("the options of zfs send".to_owned()));
    }
    let name = match args.operands.as_slice() {
        [name] => name,
        [] => return Ok(console.usage("missing snapshot argument")),
        _ => return Ok(console.usage("too many arguments")),
    };
    if console.open(name, Expected::Dataset).is_none() {
        return Ok(1);
    }
    if !name.contains('@') {
        return Err(NotModelled("zfs send of what is no snapshot".to_owned()));
    }
    Err(NotModelled(STREAMS.to_owned()))
}
