//! `zpool` (`cmd/zpool/zpool_main.c`).

use super::console::{Console, Ended, NotModelled};

mod create;
mod destroy;
mod get;
mod list;
mod sync;

pub(super) use sync::open_failed;

/// Subcommands that exist and are not modelled.
const NOT_MODELLED: &[&str] = &[
    "add",
    "attach",
    "checkpoint",
    "clear",
    "ddtprune",
    "detach",
    "events",
    "export",
    "help",
    "history",
    "import",
    "initialize",
    "iostat",
    "labelclear",
    "offline",
    "online",
    "prefetch",
    "reguid",
    "remove",
    "reopen",
    "replace",
    "resilver",
    "scrub",
    "set",
    "split",
    "status",
    "trim",
    "upgrade",
    "version",
    "wait",
    "-V",
    "--version",
    "-?",
    "--help",
];

/// Runs `zpool` with what stands behind it.
pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let Some((command, rest)) = words.split_first() else {
        return Ok(unknown(console, "missing command"));
    };
    match command.as_str() {
        "create" => create::run(console, rest),
        "destroy" => destroy::run(console, rest),
        "get" => get::run(console, rest),
        "list" => list::run(console, rest),
        "sync" => sync::run(console, rest),
        known if NOT_MODELLED.contains(&known) => Err(NotModelled(format!("zpool {known}"))),
        unknown_one => Ok(unknown(
            console,
            &format!("unrecognized command '{unknown_one}'"),
        )),
    }
}

/// A complaint and the usage text of the whole program.
fn unknown(console: &mut Console<'_>, complaint: &str) -> u8 {
    console.complain(complaint);
    console.complain("usage: zpool command args ...");
    let rest = console.usage_text();
    console.complain(rest);
    2
}
