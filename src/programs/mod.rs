//! `zfs` and `zpool` over the model: arguments, tables, messages by release.
//!
//! A subcommand composes operations as `cmd/zfs` and libzfs do, so that what a failed one leaves half
//! done is left half done here too. All text is here; the model refuses with data.

use ztwin_model::Machine;

use crate::pools::{End, Printed};
use console::{Console, NotModelled};

mod args;
mod console;
mod message;
mod mounting;
mod settings;
#[allow(
    clippy::unnecessary_wraps,
    reason = "every subcommand has one signature, also one that is modelled whole"
)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "a subcommand's flags are what they are"
)]
mod zfs;
#[allow(clippy::unnecessary_wraps, reason = "as for `zfs`")]
mod zpool;

/// Runs `zfs ...` or `zpool ...` on the machine: what it prints, and how it ends.
pub fn run(machine: &mut Machine, words: &[String]) -> Printed {
    run_noting(machine, words).0
}

/// As [`run`], with the names of the reasons for which something was refused
/// ([`ztwin_model::dsl::reason::Reason::KINDS`]).
pub fn run_noting(machine: &mut Machine, words: &[String]) -> (Printed, Vec<&'static str>) {
    let before = machine.clone();
    let mut console = Console::new(machine);
    let ended = match words {
        [program, rest @ ..] if program == "zfs" => zfs::run(&mut console, rest),
        [program, rest @ ..] if program == "zpool" => zpool::run(&mut console, rest),
        _ => Err(NotModelled("this program".to_owned())),
    };
    let Console {
        out, err, reasons, ..
    } = console;
    let printed = match ended {
        Ok(code) => Printed {
            out: out.into_bytes(),
            err,
            end: End::Exit(code),
        },
        Err(NotModelled(what)) => {
            *machine = before;
            Printed {
                out: Vec::new(),
                err: format!("ztwin: not modelled: {what}\n").into_bytes(),
                end: End::NotModelled,
            }
        }
    };
    (printed, reasons)
}
