//! `zfs` and `zpool` over the model: arguments, tables, messages by release.

use ztwin_model::Machine;

use crate::pools::{End, Printed};

/// Runs `zfs ...` or `zpool ...` on the machine: what it prints, and how it ends.
pub fn run(_machine: &mut Machine, words: &[String]) -> Printed {
    Printed {
        out: Vec::new(),
        err: format!("ztwin: not modelled: {}\n", words.join(" ")).into_bytes(),
        end: End::NotModelled,
    }
}
