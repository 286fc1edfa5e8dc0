//! `zfs upgrade` (`zfs_do_upgrade`).

use super::iterate::{self, Types, Walk};
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};

/// The version of every filesystem, and the newest one (`ZPL_VERSION`).
const CURRENT: u8 = 5;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "rvV:a");
    let (mut recursive, mut shows, mut all, mut version) = (false, false, false, None);
    for given in args.given {
        match given {
            Given::Flag('r') => recursive = true,
            Given::Flag('v') => shows = true,
            Given::Flag(_) => all = true,
            Given::Value(_, text) => match text.parse() {
                Ok(number @ 1..=CURRENT) if text.len() == 1 => version = Some(number),
                _ if text == "current" => version = Some(CURRENT),
                _ => return Ok(console.usage(&format!("invalid version {text}"))),
            },
            Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let named = !args.operands.is_empty();
    if !all && !named && (recursive || version.is_some())
        || shows && (recursive || all || version.is_some() || named)
        || all && named
    {
        return Ok(console.usage(""));
    }
    if shows {
        return Err(NotModelled("zfs upgrade -v".to_owned()));
    }
    if !all && !named {
        console.say(&format!(
            "This system is currently running ZFS filesystem version {CURRENT}.\n"
        ));
        console.say("All filesystems are formatted with the current version.");
        return Ok(0);
    }
    let walk = Walk {
        recursive: recursive || all,
        types: Some(Types {
            filesystems: true,
            ..Types::default()
        }),
        ..Walk::default()
    };
    let (found, mut failed) = iterate::walk(console, &args.operands, &walk);
    if version.is_some_and(|version| version < CURRENT) {
        for &id in &found {
            let name = console.name(id);
            console.say(&format!(
                "{name}: can not be downgraded; it is already at version {CURRENT}"
            ));
        }
        failed |= !found.is_empty();
        console.say("0 filesystems upgraded");
        return Ok(u8::from(failed));
    }
    console.say("0 filesystems upgraded");
    if !found.is_empty() {
        let count = found.len();
        console.say(&format!("{count} filesystems already at this version"));
    }
    Ok(u8::from(failed))
}
