//! `zfs load-key` and `zfs unload-key` (`load_unload_keys`), of datasets that are not encrypted.

use super::iterate::{self, Types, Walk};
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};

/// Loads or unloads, as `verb` says.
pub(super) fn run(console: &mut Console<'_>, words: &[String], verb: &str) -> Ended {
    let args = args::parse(words, "anrL:");
    let (mut all, mut recursive) = (false, false);
    for given in args.given {
        match given {
            Given::Flag('a') => all = true,
            Given::Flag('r') => recursive = true,
            Given::Flag(letter) | Given::Value(letter, _) => {
                return Err(NotModelled(format!("zfs {verb}-key -{letter}")));
            }
            Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    if !all && args.operands.is_empty() {
        return Ok(console.usage("Missing dataset argument or -a option"));
    }
    if all && !args.operands.is_empty() {
        return Err(NotModelled(format!("zfs {verb}-key -a of a dataset")));
    }
    let walk = Walk {
        recursive,
        types: Some(Types {
            filesystems: true,
            volumes: true,
            ..Types::default()
        }),
        ..Walk::default()
    };
    let (found, missing) = iterate::walk(console, &args.operands, &walk);
    if all || recursive || found.is_empty() {
        // No dataset has a key.
        return Ok(u8::from(missing));
    }
    for id in found {
        let name = console.name(id);
        console.complain(format!("Key {verb} error: '{name}' is not encrypted."));
    }
    Ok(255)
}
