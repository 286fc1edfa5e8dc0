//! `zfs` (`cmd/zfs/zfs_main.c`).

use ztwin_model::Release;

use super::console::{Console, Ended, NotModelled};
use super::version;

mod bookmark;
mod clone;
mod column;
mod create;
mod destroy;
mod diff;
mod get;
mod hold;
mod info;
mod inherit;
mod iterate;
mod key;
mod list;
mod mount;
mod promote;
mod rename;
mod rollback;
mod send;
mod set;
mod snapshot;
mod upgrade;
mod volume;
mod wait;
mod walk;

pub(crate) use column::nice_bytes;
pub(super) use column::nice_number;
pub(super) use mount::mount_all;

/// Subcommands that exist and are not modelled.
const NOT_MODELLED: &[&str] = &[
    "allow",
    "change-key",
    "groupspace",
    "jail",
    "program",
    "project",
    "projectspace",
    "receive",
    "recv",
    "redact",
    "rewrite",
    "share",
    "unallow",
    "unjail",
    "unshare",
    "unzone",
    "userspace",
    "zone",
];

/// Runs `zfs` with what stands behind it.
pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let Some((command, rest)) = words.split_first() else {
        return Ok(unknown(console, "missing command"));
    };
    match command.as_str() {
        "bookmark" => bookmark::run(console, rest),
        "create" => create::run(console, rest),
        "clone" => clone::run(console, rest),
        "destroy" => destroy::run(console, rest),
        "diff" => diff::run(console, rest),
        "get" => get::run(console, rest),
        "hold" => hold::hold(console, rest),
        "holds" => hold::holds(console, rest),
        "inherit" => inherit::run(console, rest),
        "list" => list::run(console, rest),
        "load-key" => key::run(console, rest, "load"),
        "mount" => mount::mount(console, rest),
        "promote" => promote::run(console, rest),
        "release" => hold::release(console, rest),
        "rename" => rename::run(console, rest),
        "rollback" => rollback::run(console, rest),
        "send" => send::run(console, rest),
        "set" => set::run(console, rest),
        "snapshot" | "snap" => snapshot::run(console, rest),
        "unload-key" => key::run(console, rest, "unload"),
        "upgrade" => upgrade::run(console, rest),
        "umount" | "unmount" => mount::unmount(console, rest),
        "version" => version::run(console, "zfs", rest),
        "wait" => wait::run(console, rest),
        "-V" | "--version" => Ok(version::print(console)),
        "-?" | "--help" => Ok(help(console)),
        // Until 2.1 there is none; since then it shows a manual page.
        "help" if console.release() > Release::V2_1 => Err(NotModelled("zfs help".to_owned())),
        known if NOT_MODELLED.contains(&known) => Err(NotModelled(format!("zfs {known}"))),
        unknown_one => Ok(unknown(
            console,
            &format!("unrecognized command '{unknown_one}'"),
        )),
    }
}

/// The usage text of the whole program, which was asked for.
fn help(console: &mut Console<'_>) -> u8 {
    console.say("usage: zfs command args ...");
    let rest = console.usage_text();
    console.say(rest);
    0
}

/// A complaint and the usage text of the whole program.
fn unknown(console: &mut Console<'_>, complaint: &str) -> u8 {
    console.complain(complaint);
    console.complain("usage: zfs command args ...");
    let rest = console.usage_text();
    console.complain(rest);
    2
}
