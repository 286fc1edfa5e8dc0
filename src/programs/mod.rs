//! `zfs` and `zpool` over the model: arguments, tables, messages by release.
//!
//! A subcommand composes operations as `cmd/zfs` and libzfs do, so that what a failed one leaves half
//! done is left half done here too. All text is here; the model refuses with data.

use ztwin_model::Machine;

use crate::pools::{End, Printed};
use console::{Console, NotModelled};

pub use failure::{Failure, Failures, NoFailure};
pub use values::{EPOCH, SPACE_FIGURES, STREAMS, Values};

mod args;
mod console;
mod failure;
mod json;
mod message;
mod mounting;
mod settings;
mod table;
mod values;
mod version;
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

pub(crate) use zfs::nice_bytes;

/// What a program did.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What it printed, and how it ended.
    pub printed: Printed,
    /// The names of the reasons for which something was refused
    /// ([`ztwin_model::dsl::reason::Reason::KINDS`]).
    pub reasons: Vec<&'static str>,
    /// Whether it changed the machine, apart from the clock. May be true when it did not.
    pub changed: bool,
    /// Whether it printed an estimate.
    pub estimated: bool,
}

/// Runs `zfs ...` or `zpool ...` on the machine, with markers for what the model cannot know.
pub fn run(machine: &mut Machine, words: &[String]) -> Ran {
    run_with(machine, words, Values::Marked, &mut Failures::default())
}

/// As [`run`], with other values in the place of markers, and with failures.
pub fn run_with(
    machine: &mut Machine,
    words: &[String],
    values: Values,
    failures: &mut Failures,
) -> Ran {
    let before = (machine.clone(), failures.clone());
    let mut console = Console::new(machine, values, failures);
    let ended = match words {
        [program, rest @ ..] if program == "zfs" => zfs::run(&mut console, rest),
        [program, rest @ ..] if program == "zpool" => zpool::run(&mut console, rest),
        _ => Err(NotModelled("this program".to_owned())),
    };
    if let (Ok(0), Some(root)) = (&ended, console.logged.take()) {
        console.log(root, words);
    }
    let Console {
        out,
        err,
        reasons,
        missing,
        changed,
        panicked,
        estimated,
        ..
    } = console;
    let ended = match missing.get() {
        Some(what) => Err(NotModelled(what.to_owned())),
        None => ended,
    };
    match ended {
        Ok(_) if panicked => Ran {
            printed: Printed {
                out: Vec::new(),
                err: b"ztwin: OpenZFS panics the kernel here\n".to_vec(),
                end: End::Panic,
            },
            reasons,
            changed: true,
            estimated: false,
        },
        Ok(code) => Ran {
            printed: Printed {
                out: out.into_bytes(),
                err,
                end: End::Exit(code),
            },
            reasons,
            changed,
            estimated: estimated.get(),
        },
        Err(NotModelled(what)) => {
            (*machine, *failures) = before;
            Ran {
                printed: Printed {
                    out: Vec::new(),
                    err: format!("ztwin: not modelled: {what}\n").into_bytes(),
                    end: End::NotModelled,
                },
                reasons,
                changed: false,
                estimated: false,
            }
        }
    }
}
