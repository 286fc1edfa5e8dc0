//! `zfs version` and `zpool version` (`zfs_version_print`).

use ztwin_model::Release;

use super::args::{self, Given};
use super::console::{Console, Ended};
use super::json::{self, Object};

/// `version` of the program `zfs` or `zpool`.
pub(super) fn run(console: &mut Console<'_>, program: &str, words: &[String]) -> Ended {
    // Until 2.1 nobody looks at what follows.
    if console.release() == Release::V2_1 {
        return Ok(print(console));
    }
    let args = args::parse_long(words, "j", &[("json", 'j')]);
    let mut as_json = false;
    for given in args.given {
        if let Given::Unknown(letter) = given {
            return Ok(console.usage(&format!("invalid option '{letter}'")));
        }
        as_json = true;
    }
    if !args.operands.is_empty() {
        return Ok(console.usage("too many arguments"));
    }
    if !as_json {
        return Ok(print(console));
    }
    let version = console.version();
    let mut versions = Object::default();
    versions.text("userland", format!("zfs-{version}"));
    versions.text("kernel", format!("zfs-kmod-{version}"));
    let mut whole = json::of_command(&format!("{program} version"));
    whole.object("zfs_version", versions);
    console.say_json(&whole)?;
    Ok(0)
}

/// What `-V` and `--version` print, too.
pub(super) fn print(console: &mut Console<'_>) -> u8 {
    let version = console.version();
    console.say(&format!("zfs-{version}"));
    console.say(&format!("zfs-kmod-{version}"));
    0
}
