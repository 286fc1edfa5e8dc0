//! `zpool replace` (`zpool_do_attach_or_replace`).

use super::attach;
use crate::programs::console::{Console, Ended};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let heading = |device: &str, new: &str| format!("cannot replace {device} with {new}");
    attach::put(console, words, true, &heading)
}
